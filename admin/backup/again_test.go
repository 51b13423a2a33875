package backup

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"goldfish/license"
	"goldfish/license/licensetest"
)

// later has the plan looked at after a while, waits for what that began, and gives how the backups stand.
func later(w *licensetest.World, k *Keeper, d time.Duration) Standing {
	w.T.Helper()
	w.Clock.Advance(d)
	k.look()
	k.crew.Wait()
	s, err := k.Standing(w.Owner)
	w.Must(err)
	return s
}

// failing is an appliance whose planned backup has just failed: a file lies where the folder should.
func failing(t *testing.T) (*licensetest.World, *Keeper, Standing) {
	t.Helper()
	w := licensetest.New(t)
	k := keeper(t, w, filepath.Join(t.TempDir(), "backups"))
	k.look() // the plan begins
	w.Must(os.WriteFile(k.Dir(), nil, 0o600))
	return w, k, later(w, k, 24*time.Hour)
}

func TestAFailedPlannedBackupIsTriedAgain(t *testing.T) {
	w, k, s := failing(t)
	began := w.Clock.Now()
	if s.State.Code != "folder_failed" || !s.Again.Equal(began.Add(10*time.Minute)) || !s.Next.After(s.Again) {
		t.Fatalf("%+v", s)
	}
	if s = later(w, k, 9*time.Minute); s.State.Failed != 1 {
		t.Errorf("too early: %+v", s)
	}
	if s = later(w, k, time.Minute); s.State.Failed != 2 || !s.Again.Equal(began.Add(30*time.Minute)) {
		t.Errorf("the second try: %+v", s)
	}
	k = keeper(t, w, k.Dir()) // it is known after a restart, too
	w.Must(os.Remove(k.Dir()))
	if s = later(w, k, 19*time.Minute); len(names(t, k.Dir())) != 0 || s.Again.IsZero() {
		t.Errorf("too early: %+v", s)
	}
	s = later(w, k, time.Minute)
	if len(names(t, k.Dir())) != 1 || s.State.Code != "" || s.State.Good != w.Clock.Now().UnixMilli() || !s.Again.IsZero() {
		t.Errorf("mended: %+v", s)
	}
	if s = later(w, k, 2*time.Hour); len(names(t, k.Dir())) != 1 {
		t.Errorf("once more after it is good: %+v", s)
	}
	if got := kinds(w, license.SystemError); !slices.Equal(got, []string{"folder_failed", "folder_failed"}) {
		t.Errorf("%v", got)
	}
}

func TestAGoodBackupByHandEndsTheTries(t *testing.T) {
	w, k, _ := failing(t)
	if _, err := k.Make(); code(err) != "folder_failed" {
		t.Errorf("%v", err)
	}
	if s, err := k.Standing(w.Owner); err != nil || s.Again.IsZero() || s.State.Failed != 1 {
		t.Errorf("one by hand that fails changes nothing: %v %+v", err, s)
	}
	w.Must(os.Remove(k.Dir()))
	_, err := k.Make()
	w.Must(err)
	if s := later(w, k, 5*time.Hour); len(names(t, k.Dir())) != 1 || !s.Again.IsZero() {
		t.Errorf("%+v", s)
	}
	if s := later(w, k, 19*time.Hour); len(names(t, k.Dir())) != 2 || s.State.Failed != 0 {
		t.Errorf("the next day: %+v", s)
	}
}

// lacking is an appliance whose planned backup is good and could not be copied.
func lacking(t *testing.T) (w *licensetest.World, k *Keeper, second string) {
	t.Helper()
	w = licensetest.New(t)
	second = filepath.Join(t.TempDir(), "second")
	_, err := w.SetBackupPlan(w.Owner, license.BackupPlan{Enabled: true, At: "02:00", KeepDays: 30, SecondFolder: second})
	w.Must(err)
	k = keeper(t, w, t.TempDir())
	k.look() // the plan begins
	s := later(w, k, 24*time.Hour)
	if s.State.Code != "second_folder_failed" || len(names(t, k.Dir())) != 1 || !s.Again.Equal(w.Clock.Now().Add(10*time.Minute)) {
		t.Fatalf("%+v", s)
	}
	return w, k, second
}

func TestOnlyTheCopyIsTriedAgain(t *testing.T) {
	w, k, second := lacking(t)
	first := names(t, k.Dir())
	good := w.Clock.Now()
	s := later(w, k, 10*time.Minute)
	if s.State.Code != "second_folder_failed" || s.State.Failed != 2 || !slices.Equal(names(t, k.Dir()), first) {
		t.Errorf("still missing: %+v", s)
	}
	w.Must(os.Mkdir(second, 0o700))
	s = later(w, k, 20*time.Minute)
	if !slices.Equal(names(t, second), first) || !slices.Equal(names(t, k.Dir()), first) || s.State.Code != "" || !s.Again.IsZero() || s.State.Lone != "" || s.State.Good != good.UnixMilli() {
		t.Errorf("mended: %+v", s)
	}
	if _, err := Verify(filepath.Join(second, first[0]), options(w)); err != nil {
		t.Error(err)
	}
	only(t, second, first[0], first[0]+".sha256")
}

func TestWithoutTheBackupAWholeOneIsMade(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"gone":        os.Remove,
		"damaged":     func(path string) error { return os.WriteFile(path, []byte("x"), 0o600) },
		"no checksum": func(path string) error { return os.Remove(checksumPath(path)) },
	} {
		w, k, second := lacking(t)
		old := names(t, k.Dir())[0]
		w.Must(spoil(filepath.Join(k.Dir(), old)))
		w.Must(os.Mkdir(second, 0o700))
		s := later(w, k, 10*time.Minute)
		if got := names(t, second); s.State.Good != w.Clock.Now().UnixMilli() || s.State.Code != "" || len(got) != 1 || got[0] == old {
			t.Errorf("%s: %v %+v", name, got, s)
		}
	}
}

func TestACopyThatIsThereOrNotWantedIsNone(t *testing.T) {
	w, k, second := lacking(t)
	name := names(t, k.Dir())[0]
	w.Must(os.CopyFS(second, os.DirFS(k.Dir()))) // somebody has copied it by hand
	if s := later(w, k, 10*time.Minute); s.State.Code != "" || !s.Again.IsZero() || !slices.Equal(names(t, second), []string{name}) {
		t.Errorf("%+v", s)
	}

	w, k, _ = lacking(t)
	_, err := w.SetBackupPlan(w.Owner, license.BackupPlan{Enabled: true, At: "02:00", KeepDays: 30})
	w.Must(err)
	if s := later(w, k, 10*time.Minute); s.State.Code != "" || !s.Again.IsZero() || len(names(t, k.Dir())) != 1 {
		t.Errorf("without a second folder: %+v", s)
	}

	w, k, second = lacking(t)
	name = names(t, k.Dir())[0]
	w.Must(os.Mkdir(second, 0o700))
	w.Must(os.WriteFile(filepath.Join(second, name), []byte("another's"), 0o600))
	if s := later(w, k, 10*time.Minute); s.State.Code != "second_folder_failed" || s.State.Failed != 2 {
		t.Errorf("another file of its name: %+v", s)
	}
}
