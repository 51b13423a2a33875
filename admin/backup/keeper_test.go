package backup

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"goldfish/license"
	"goldfish/license/licensetest"
)

// keeper is that of an appliance whose local time is Berlin's.
func keeper(t *testing.T, w *licensetest.World, dir string) *Keeper {
	t.Helper()
	o := options(w)
	berlin := zone(t, "Europe/Berlin")
	o.Clock = func() time.Time { return w.Clock.Now().In(berlin) }
	k, err := NewKeeper(w.Authority, o, dir)
	w.Must(err)
	return k
}

// kinds are the codes of the newest events of a kind, newest first.
func kinds(w *licensetest.World, kind license.EventKind) (codes []string) {
	w.T.Helper()
	events, err := w.RecentEvents(100, 10_000, func(e *license.Event) bool { return e.Kind == kind })
	w.Must(err)
	for _, e := range events {
		codes = append(codes, e.Event.Code)
	}
	return codes
}

func names(t *testing.T, dir string) (out []string) {
	t.Helper()
	all, err := List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		out = append(out, e.Name())
	}
	return out
}

func TestThePlanIsFollowed(t *testing.T) {
	w := licensetest.New(t) // on 1 June at 14:00 in Berlin
	dir := filepath.Join(t.TempDir(), "backups")
	k := keeper(t, w, dir)
	fake := clockwork.NewFakeClockAt(w.Clock.Now())
	k.wake = fake
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		k.Run(ctx)
	}()
	look := func(step time.Duration) {
		t.Helper()
		w.Must(fake.BlockUntilContext(t.Context(), 1))
		w.Clock.Advance(step)
		fake.Advance(step)
		w.Must(fake.BlockUntilContext(t.Context(), 1))
	}
	reach := func(at string) { // one look after another until a time
		t.Helper()
		to, err := time.Parse(time.DateTime, at)
		w.Must(err)
		for w.Clock.Now().Before(to) {
			look(min(10*time.Minute, to.Sub(w.Clock.Now())))
		}
	}
	standing := func() Standing {
		s, err := k.Standing(w.Owner)
		w.Must(err)
		return s
	}
	made := func(count int) { // a look may fall into the one before, but not many
		t.Helper()
		looks := 0
		w.Await("a backup", func() bool {
			if s := standing(); s.Work == "" && len(names(t, dir)) < count {
				if looks++; looks > 10 {
					t.Fatal("no backup within five minutes")
				}
				look(lookEvery)
			}
			return len(names(t, dir)) == count && standing().Work == ""
		})
	}
	if s := standing(); s.Next.UTC().Format(time.DateTime) != "2026-06-02 00:00:00" || s.State.Ended != 0 || s.Work != "" {
		t.Errorf("at first: %+v", s)
	}
	reach("2026-06-01 23:59:30")
	if got := names(t, dir); len(got) != 0 {
		t.Errorf("before the time: %v", got)
	}
	made(1)
	reach("2026-06-02 23:50:00")
	if got := names(t, dir); len(got) != 1 || !strings.HasPrefix(got[0], "goldfish-20260602T000") {
		t.Errorf("after a day: %v", got)
	}
	w.Clock.Advance(50 * time.Hour) // the machine slept over two nights
	made(2)
	reach("2026-06-05 23:50:00")
	if got := names(t, dir); len(got) != 2 {
		t.Errorf("made up for more than once: %v", got)
	}
	s := standing()
	if s.State.Good == 0 || s.State.Code != "" || s.State.Bytes == 0 || s.Next.UTC().Format(time.DateTime) != "2026-06-06 00:00:00" {
		t.Errorf("%+v", s)
	}
	stop()
	<-ended
	if err := k.Start(); code(err) != "backup_stopped" {
		t.Errorf("after its end: %v", err)
	}
	got := names(t, dir)
	only(t, dir, got[0], got[0]+".sha256", got[1], got[1]+".sha256")
}

func TestNeverTwoAtOnce(t *testing.T) {
	w := licensetest.New(t)
	k := keeper(t, w, t.TempDir())
	w.Must(k.take(WorkBackup))
	for name, try := range map[string]func() error{
		"button": k.Start, "command line": func() error { _, err := k.Make(); return err },
		"prune": func() error { _, err := k.Prune(w.Owner); return err }, "compact": func() error { return k.Compact(w.Owner) },
	} {
		if err := try(); code(err) != "backup_running" {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.Clock.Advance(48 * time.Hour)
	k.look()
	w.Clock.Advance(24 * time.Hour)
	k.look()
	if s, err := k.Standing(w.Owner); err != nil || s.Work != WorkBackup || s.State.Tries != 0 {
		t.Errorf("%v %+v", err, s)
	}
	k.leave()
	if _, err := k.Make(); err != nil {
		t.Error(err)
	}
}

func TestAFailedBackupIsTold(t *testing.T) {
	w := licensetest.New(t)
	dir := filepath.Join(t.TempDir(), "backups")
	k := keeper(t, w, dir)
	_, err := k.Make()
	w.Must(err)
	good, err := k.Standing(w.Owner)
	w.Must(err)
	w.Must(os.RemoveAll(dir))
	w.Must(os.WriteFile(dir, nil, 0o600))
	w.Clock.Advance(time.Hour)
	if _, err := k.Make(); code(err) != "folder_failed" {
		t.Errorf("%v", err)
	}
	s, err := k.Standing(w.Owner)
	w.Must(err)
	if s.State.Code != "folder_failed" || s.State.Ended != w.Clock.Now().UnixMilli() || s.State.Good != good.State.Good || s.State.Bytes == 0 || s.Work != "" {
		t.Errorf("%+v", s)
	}
	if got := kinds(w, license.SystemError); !slices.Equal(got, []string{"folder_failed"}) {
		t.Errorf("%v", got)
	}
	again := keeper(t, w, dir) // it is known after a restart, too
	if s, err := again.Standing(w.Owner); err != nil || s.State.Code != "folder_failed" {
		t.Errorf("%v %+v", err, s)
	}
	w.Must(os.Remove(dir))
	_, err = again.Make()
	w.Must(err)
	if s, err := again.Standing(w.Owner); err != nil || s.State.Code != "" || s.State.Good != w.Clock.Now().UnixMilli() {
		t.Errorf("%v %+v", err, s)
	}
}

func TestTheSecondFolderFailsByItself(t *testing.T) {
	w := licensetest.New(t)
	dir, second := t.TempDir(), t.TempDir()
	_, err := w.SetBackupPlan(w.Owner, license.BackupPlan{Enabled: true, At: "02:00", KeepDays: 30, SecondFolder: second})
	w.Must(err)
	k := keeper(t, w, dir)
	r, err := k.Make()
	w.Must(err)
	if got := names(t, second); !slices.Equal(got, names(t, dir)) || len(got) != 1 {
		t.Errorf("%v", got)
	}
	if copied, err := Verify(filepath.Join(second, filepath.Base(r.Path)), options(w)); err != nil || copied.SHA256 != r.SHA256 {
		t.Errorf("%v %+v", err, copied)
	}
	w.Must(os.RemoveAll(second))
	w.Clock.Advance(time.Hour)
	if _, err := k.Make(); err != nil {
		t.Errorf("the backup itself is good: %v", err)
	}
	s, err := k.Standing(w.Owner)
	if err != nil || s.State.Code != "second_folder_failed" || s.State.Good != w.Clock.Now().UnixMilli() {
		t.Errorf("%v %+v", err, s)
	}
	if got := kinds(w, license.SystemError); !slices.Equal(got, []string{"second_folder_failed"}) {
		t.Errorf("%v", got)
	}
	if got := names(t, dir); len(got) != 2 {
		t.Errorf("%v", got)
	}
	if _, err := os.Lstat(second); err == nil {
		t.Error("the folder was made anew")
	}
}

func TestThePlanPrunesBothFolders(t *testing.T) {
	w := licensetest.New(t)
	dir, second := t.TempDir(), t.TempDir()
	_, err := w.SetBackupPlan(w.Owner, license.BackupPlan{Enabled: true, At: "02:00", KeepDays: 5, SecondFolder: second, CapBytes: 1 << 20})
	w.Must(err)
	k := keeper(t, w, dir)
	for range 9 {
		_, err := k.Make()
		w.Must(err)
		w.Clock.Advance(24 * time.Hour)
	}
	if a, b := names(t, dir), names(t, second); len(a) != 6 || !slices.Equal(a, b) {
		t.Errorf("%v, %v", a, b)
	}
	if got := kinds(w, license.SystemBackupDeleted); !slices.Equal(got, slices.Repeat([]string{"backups_outdated"}, 6)) {
		t.Errorf("%v", got)
	}
	big := []byte(strings.Repeat("x", 1<<20)) // someone puts a large one there
	name := filepath.Join(dir, "goldfish-20260606T130000Z.db")
	w.Must(os.WriteFile(name, big, 0o600))
	p, err := k.Prune(w.Owner)
	w.Must(err)
	s, err := k.Standing(w.Owner)
	w.Must(err)
	if p.Thinned == 0 || s.State.Thin != p.Thinned || s.State.ThinAt != w.Clock.Now().UnixMilli() || s.State.Over {
		t.Errorf("%+v, %+v", p, s.State)
	}
	if got := kinds(w, license.SystemBackupDeleted); got[0] != "backups_thinned" && got[1] != "backups_thinned" {
		t.Errorf("%v", got)
	}
	if _, err := os.Lstat(name); err == nil {
		t.Error("the large one is still there")
	}
	if _, err := k.Prune(w.Customer()); code(err) != "permission_denied" {
		t.Errorf("a customer: %v", err)
	}
}

func TestABackupIsFoundByItsNameAlone(t *testing.T) {
	w := licensetest.New(t)
	dir := filepath.Join(t.TempDir(), "backups")
	k := keeper(t, w, dir)
	r, err := k.Make()
	w.Must(err)
	name := filepath.Base(r.Path)
	secret := filepath.Join(filepath.Dir(dir), "secret.db")
	w.Must(os.WriteFile(secret, nil, 0o600))
	w.Must(os.Symlink(secret, filepath.Join(dir, "link.db")))
	w.Must(os.Mkdir(filepath.Join(dir, "folder.db"), 0o700))
	if e, err := k.Find(w.Owner, Main, name); err != nil || e.Path != r.Path || !e.Compressed || !e.Summed {
		t.Errorf("%v %+v", err, e)
	}
	for _, bad := range []string{"", ".", "..", "../secret.db", "../backups/" + name, "/etc/passwd", "x/" + name, name + "/", name + ".sha256", "link.db", "folder.db", "none.db", `..\secret.db`, "a\x00.db"} {
		if _, err := k.Find(w.Owner, Main, bad); code(err) != "backup_unknown" {
			t.Errorf("%q: %v", bad, err)
		}
		if err := k.Delete(w.Owner, Main, bad); code(err) != "backup_unknown" {
			t.Errorf("%q deleted: %v", bad, err)
		}
	}
	if _, err := k.Find(w.Owner, Second, name); code(err) != "backup_unknown" {
		t.Errorf("there is no second folder: %v", err)
	}
	if list, err := k.List(w.Owner, Second); err != nil || len(list) != 0 {
		t.Errorf("%v %v", err, list)
	}
	if err := k.Delete(license.Actor{}, Main, name); code(err) != "sign_in_required" {
		t.Errorf("%v", err)
	}
	w.Must(k.Delete(w.Owner, Main, name))
	only(t, dir, "folder.db", "link.db")
	events, err := w.RecentEvents(1, 100, func(e *license.Event) bool { return e.Kind == license.SystemBackupDeleted })
	if err != nil || len(events) != 1 || events[0].Event.Args["file"] != name || events[0].Event.ActorID != w.Owner.Account {
		t.Errorf("%v %+v", err, events)
	}
}

// What is stopped half-way leaves nothing, is told to nobody, and is begun anew after the next start.
func TestAStopAndAStart(t *testing.T) {
	w := licensetest.New(t)
	dir := t.TempDir()
	k := keeper(t, w, dir)
	k.look() // the plan begins
	w.Clock.Advance(24 * time.Hour)
	k.stop() // as if the end came at once
	k.look()
	k.crew.Wait()
	only(t, dir)
	if s, err := w.BackupState(); err != nil || s.Tries != 1 || s.Done || s.Ended != 0 {
		t.Errorf("%v %+v", err, s)
	}
	if got := kinds(w, license.SystemError); len(got) != 0 {
		t.Errorf("%v", got)
	}
	w.Must(os.WriteFile(filepath.Join(dir, "goldfish-20260601T000000Z.db.zst.0123456789ab.part"), nil, 0o600))
	again := keeper(t, w, dir)
	only(t, dir)
	again.look()
	again.crew.Wait()
	s, err := w.BackupState()
	if err != nil || s.Tries != 2 || !s.Done || s.Good == 0 {
		t.Errorf("%v %+v", err, s)
	}
	again.look()
	again.crew.Wait()
	if got := names(t, dir); len(got) != 1 {
		t.Errorf("%v", got)
	}
}

func TestBackupsOfOneSecond(t *testing.T) {
	w := licensetest.New(t)
	dir := t.TempDir()
	k := keeper(t, w, dir)
	for range 3 {
		_, err := k.Make()
		w.Must(err)
	}
	list, err := k.List(w.Owner, Main)
	w.Must(err)
	if got := fmt.Sprint(len(list)); got != "3" {
		t.Errorf("%s backups", got)
	}
}
