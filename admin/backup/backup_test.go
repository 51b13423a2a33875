package backup

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"goldfish/license"
	"goldfish/license/fault"
	"goldfish/license/licensetest"
	"goldfish/store"
)

// built is the folder of the program that tests have built, "" for none.
var built string

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if built != "" {
			_ = os.RemoveAll(built)
		}
		os.Exit(code)
	}))
}

func options(w *licensetest.World) license.Options {
	return license.Options{
		Clock: w.Clock.Now, Rand: rand.Reader, Log: slog.New(slog.DiscardHandler), MachineKey: licensetest.MachineKey,
		BcryptCost: 4, Release: "test",
	}
}

func code(err error) string {
	if err == nil {
		return ""
	}
	return fault.Of(err).Code
}

// made is an appliance with some keys, one of them active, and a backup of it.
func made(t *testing.T) (w *licensetest.World, keys []string, path string) {
	t.Helper()
	w = licensetest.New(t)
	app := w.App(nil)
	keys = w.Keys(app, 20, licensetest.Month)
	_, err := w.Device(app, 1).Activate(w.Customer(), keys[0], nil)
	w.Must(err)
	path = filepath.Join(t.TempDir(), "b", "one.db")
	_, err = Make(w.Authority, options(w), path)
	w.Must(err)
	return w, keys, path
}

func only(t *testing.T, dir string, want ...string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range files {
		got = append(got, f.Name())
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s holds %v, want %v", dir, got, want)
	}
}

func TestABackupIsWholeCheckedAndRecorded(t *testing.T) {
	w, _, path := made(t)
	only(t, filepath.Dir(path), "one.db", "one.db.sha256")
	r, err := Verify(path, options(w))
	w.Must(err)
	if r.Rows["cards"] != 20 || r.Rows["bindings"] != 1 || r.Rows["apps"] != 1 || r.Bytes == 0 || r.Epoch != 1 || r.Path != path {
		t.Errorf("%+v", r)
	}
	if r.Appliance != w.DB().UUID().String() {
		t.Error("another appliance's")
	}
	sums := exec.CommandContext(t.Context(), "sha256sum", "--check", "--strict", "one.db.sha256")
	sums.Dir = filepath.Dir(path)
	if out, err := sums.CombinedOutput(); err != nil {
		t.Errorf("sha256sum: %v %s", err, out)
	}
	events, err := w.RecentEvents(1, 10, func(e *license.Event) bool { return e.Kind == license.SystemBackup })
	if err != nil || len(events) != 1 || events[0].Event.Args["file"] != "one.db" || events[0].Event.Args["bytes"] != fmt.Sprint(r.Bytes) {
		t.Errorf("%v %+v", err, events)
	}
	if _, err := Make(w.Authority, options(w), path); code(err) != "backup_exists" {
		t.Errorf("over another: %v", err)
	}
	only(t, filepath.Dir(path), "one.db", "one.db.sha256")
}

func TestVerifyLeavesTheBackupAlone(t *testing.T) {
	w, _, path := made(t)
	before, err := sumFile(path)
	w.Must(err)
	_, err = Verify(path, options(w))
	w.Must(err)
	if after, _ := sumFile(path); after != before {
		t.Error("the backup was changed")
	}
	only(t, filepath.Dir(path), "one.db", "one.db.sha256")
}

func TestVerifyFindsWhatIsWrong(t *testing.T) {
	w, _, path := made(t)
	good, err := os.ReadFile(path)
	w.Must(err)
	half := bytes.Clone(good)
	half[len(half)/2] ^= 1
	for name, c := range map[string]struct {
		bytes []byte
		sum   string
		want  string
	}{
		"a bit, by its checksum": {half, hexOf(t, good), "backup_checksum"},
		"cut off":                {good[:len(good)/2], "", "file_truncated"},
		"not ours":               {[]byte("a letter\n"), "", "file_not_ours"},
		"empty":                  {nil, "", "file_truncated"},
		"good":                   {good, "", ""},
		"good with its checksum": {good, hexOf(t, good), ""},
	} {
		file := filepath.Join(t.TempDir(), "x.db")
		w.Must(os.WriteFile(file, c.bytes, 0o600))
		if c.sum != "" {
			w.Must(os.WriteFile(file+".sha256", []byte(c.sum+"  x.db\n"), 0o600))
		}
		if _, err := Verify(file, options(w)); code(err) != c.want {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		} else if err != nil && fault.Of(err).Args["path"] != file {
			t.Errorf("%s: it speaks of %v", name, fault.Of(err).Args["path"])
		}
	}
	if _, err := Verify(filepath.Join(t.TempDir(), "none"), options(w)); code(err) != "file_missing" {
		t.Errorf("none: %v", err)
	}
	if _, err := Verify(t.TempDir(), options(w)); code(err) != "file_not_ours" {
		t.Errorf("a folder: %v", err)
	}
	o := options(w)
	for name, key := range map[string][]byte{"another machine's key": bytes.Repeat([]byte{9}, 32), "no key": nil} {
		o.MachineKey = key
		r, err := Verify(path, o)
		if err != nil || r.Seal != SealOther || r.Sealed == 0 || r.Rows["cards"] != 20 {
			t.Errorf("%s: %v %+v", name, err, r)
		}
	}
}

func hexOf(t *testing.T, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	sum, err := sumFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func TestRestoreIntoAnEmptyFolder(t *testing.T) {
	w, keys, path := made(t)
	file := filepath.Join(t.TempDir(), "new", "goldfish.db")
	r, err := Restore(path, file, options(w))
	w.Must(err)
	if r.Epoch != 2 || r.Kept != "" || r.Rows["cards"] != 20 {
		t.Errorf("%+v", r)
	}
	only(t, filepath.Dir(file), "goldfish.db", "goldfish.db.notes.json")
	again := licensetest.Open(t, file, w.Clock)
	if again.DB().Epoch() != 2 || again.DB().UUID() != w.DB().UUID() {
		t.Error("the epoch did not rise, or it is another appliance")
	}
	views, _, err := again.ListCards(license.System, license.CardFilter{Key: keys[0], Limit: 1})
	if err != nil || len(views) != 1 || views[0].State != license.CardActive || views[0].Bound != 1 {
		t.Errorf("%v %+v", err, views)
	}
}

func TestNoIDIsGivenTwice(t *testing.T) {
	w, _, path := made(t)
	file := filepath.Join(t.TempDir(), "goldfish.db")
	seen := map[string]bool{}
	for round := range 3 { // the same backup again and again: what came since is lost, its ids stay used
		r, err := Restore(path, file, options(w))
		w.Must(err)
		if int(r.Epoch) != 2+round || (r.Kept != "") != (round > 0) {
			t.Fatalf("round %d: %+v", round, r)
		}
		a, err := license.Open(file, options(w))
		w.Must(err)
		app, err := a.CreateApp(license.System, license.NewApp{Name: license.Text{EN: "x"}})
		w.Must(err)
		id := fmt.Sprint(app.ID)
		if seen[id] {
			t.Errorf("round %d: id %s was given before", round, id)
		}
		seen[id] = true
		w.Must(a.Close())
	}
	only(t, filepath.Dir(file), "goldfish.db", "goldfish.db.before-restore-20260601T120000Z", "goldfish.db.before-restore-20260601T120000Z-2", "goldfish.db.notes.json")
	if _, err := Verify(file+".before-restore-20260601T120000Z-2", options(w)); err != nil {
		t.Errorf("what was kept: %v", err)
	}
}

func TestRestoreOverADamagedFileLeapsTheEpochsItMayHaveUsed(t *testing.T) {
	w, _, path := made(t)
	file := filepath.Join(t.TempDir(), "goldfish.db")
	w.Must(os.WriteFile(file, []byte("was once a database"), 0o600))
	r, err := Restore(path, file, options(w))
	w.Must(err)
	if r.Epoch != 2+unknownEpochs || r.Kept == "" {
		t.Errorf("%+v", r)
	}
	if text, _ := os.ReadFile(r.Kept); string(text) != "was once a database" {
		t.Errorf("kept: %q", text)
	}
}

func TestAFailedRestoreLeavesEverythingAsItWas(t *testing.T) {
	w, _, path := made(t)
	file := filepath.Join(t.TempDir(), "goldfish.db")
	_, err := Restore(path, file, options(w))
	w.Must(err)
	before, err := sumFile(file)
	w.Must(err)
	bad := filepath.Join(t.TempDir(), "bad.db")
	w.Must(os.WriteFile(bad, []byte("no backup"), 0o600))
	for name, try := range map[string]struct{ path, want string }{
		"not ours": {bad, "file_not_ours"}, "no such file": {bad + "x", "file_missing"},
	} {
		if _, err := Restore(try.path, file, options(w)); code(err) != try.want {
			t.Errorf("%s: %v", name, err)
		}
		if after, _ := sumFile(file); after != before {
			t.Errorf("%s: the file was changed", name)
		}
		only(t, filepath.Dir(file), "goldfish.db", "goldfish.db.notes.json")
	}
}

func TestRestoreOverARunningApplianceIsRefused(t *testing.T) {
	w, _, path := made(t)
	if _, err := Restore(path, w.Path, options(w)); code(err) != "file_locked" {
		t.Errorf("%v", err)
	}
	only(t, filepath.Dir(w.Path), "goldfish.db")
	w.Must(w.Ready())
}

func TestBackupWhileEverythingIsBusy(t *testing.T) {
	w := licensetest.New(t)
	app := w.App(nil)
	keys := w.Keys(app, 3000, licensetest.Month)
	who := w.Customer()
	stop, stopped := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		for i, key := range keys {
			select {
			case <-stop:
			default:
				if _, err := w.Device(app, i).Activate(who, key, nil); err == nil {
					n++
				}
			}
		}
		stopped <- n
	}()
	dir := t.TempDir()
	for i := range 30 {
		path := filepath.Join(dir, fmt.Sprintf("%d.db", i))
		r, err := Make(w.Authority, options(w), path)
		w.Must(err)
		// Rows that belong together are all there or none.
		if r.Rows["licences"] != r.Rows["bindings"] || r.Rows["cards"] != 3000 {
			t.Errorf("%+v", r.Rows)
		}
	}
	close(stop)
	<-stopped
}

func TestTheControlLineMakesBackups(t *testing.T) {
	w := licensetest.New(t)
	dir := filepath.Join(t.TempDir(), "backups")
	w.Must(os.Mkdir(dir, 0o700))
	w.Must(os.WriteFile(filepath.Join(dir, "goldfish-x.db.0123.part"), nil, 0o600)) // of a backup that was cut off
	k, err := NewKeeper(w.Authority, options(w), dir)
	w.Must(err)
	server := httptest.NewServer(k.Handler())
	defer server.Close()
	line := server.Client()
	line.Transport = toServer{server.URL, line.Transport}
	defer line.CloseIdleConnections()
	first, err := Order(t.Context(), line)
	w.Must(err)
	second, err := Order(t.Context(), line)
	w.Must(err)
	if filepath.Base(first.Path) != "goldfish-20260601T120000Z.db.zst" || filepath.Base(second.Path) != "goldfish-20260601T120000Z-2.db.zst" {
		t.Errorf("%s, %s", first.Path, second.Path)
	}
	to := filepath.Join(t.TempDir(), "elsewhere", "mine.db")
	moved, err := Move(second, to)
	w.Must(err)
	if _, err := Verify(to, options(w)); err != nil || moved.Path != to {
		t.Errorf("%v %+v", err, moved)
	}
	only(t, dir, "goldfish-20260601T120000Z.db.zst", "goldfish-20260601T120000Z.db.zst.sha256")
	list, err := List(dir)
	if err != nil || len(list) != 1 || list[0].Path != first.Path || !list[0].Summed || !list[0].Compressed || list[0].Bytes != first.Bytes {
		t.Errorf("%v %+v", err, list)
	}
	if _, err := Move(first, to); code(err) != "backup_exists" {
		t.Errorf("over another: %v", err)
	}
	w.Clock.Advance(40 * 24 * time.Hour)
	_, err = Order(t.Context(), line)
	w.Must(err)
	if p, err := OrderPrune(t.Context(), line); err != nil || p.Old != 0 || p.Kept != 1 { // the new one has taken the place of the old
		t.Errorf("%v %+v", err, p)
	}
	w.Must(OrderCompact(t.Context(), line))
	w.Must(k.take(WorkPrune))
	_, busy := Order(t.Context(), line)
	_, busyPrune := OrderPrune(t.Context(), line)
	for _, err := range []error{busy, busyPrune, OrderCompact(t.Context(), line)} {
		if code(err) != "backup_running" {
			t.Errorf("while another work goes on: %v", err)
		}
	}
	k.leave()
	w.Must(os.RemoveAll(dir))
	w.Must(os.WriteFile(dir, nil, 0o600))
	if _, err := Order(t.Context(), line); code(err) != "folder_failed" {
		t.Errorf("a file where the folder should be: %v", err)
	}
	server.Close()
	if _, err := Order(t.Context(), line); code(err) != "control_failed" {
		t.Errorf("a line that is cut: %v", err)
	}
}

type toServer struct {
	url  string
	next interface {
		RoundTrip(*http.Request) (*http.Response, error)
	}
}

func (s toServer) RoundTrip(r *http.Request) (*http.Response, error) {
	at, err := url.Parse(s.url)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.URL.Host = at.Host
	return s.next.RoundTrip(r)
}

func TestListOfNothing(t *testing.T) {
	if list, err := List(filepath.Join(t.TempDir(), "none")); err != nil || len(list) != 0 {
		t.Errorf("%v %v", list, err)
	}
}

func TestTarget(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 11, 23, 15, 4, 5, 0, time.UTC)
	for out, want := range map[string]string{
		dir:                             filepath.Join(dir, "goldfish-20261123T150405Z.db.zst"),
		filepath.Join(dir, "new") + "/": filepath.Join(dir, "new", "goldfish-20261123T150405Z.db.zst"),
		filepath.Join(dir, "mine.db"):   filepath.Join(dir, "mine.db"),
	} {
		if got := Target(out, now); got != want {
			t.Errorf("%s means %s", out, got)
		}
	}
}

func TestExplain(t *testing.T) {
	path := &fs.PathError{Op: "open", Path: "/p", Err: syscall.EACCES}
	for want, err := range map[string]error{
		"file_locked": fmt.Errorf("x: %w", store.ErrLocked), "file_not_ours": store.ErrNotOurs, "file_truncated": store.ErrTruncated,
		"file_damaged": store.ErrDamaged, "file_newer": &store.NewerError{Release: "9.9"}, "machine_key_wrong": license.ErrMachineKey,
		"folder_denied": path, "file_missing": fs.ErrNotExist, "disk_full": &fs.PathError{Path: "/p", Err: syscall.ENOSPC},
		"folder_failed": &fs.PathError{Path: "/p", Err: syscall.ENOTDIR}, "internal": errors.New("odd"), "own": fault.New(fault.Conflict, "own"),
	} {
		if got := Explain("/f", err); got.Code != want {
			t.Errorf("%v is %s, want %s", err, got.Code, want)
		}
	}
	if f := Explain("/f", path); f.Args["path"] != "/p" {
		t.Errorf("it names %v", f.Args["path"])
	}
	if f := Explain("/f", &store.NewerError{Release: "9.9"}); f.Args["release"] != "9.9" {
		t.Errorf("%v", f.Args)
	}
	raw, err := json.Marshal(Explain("/f", store.ErrLocked).Args)
	if err != nil || !strings.Contains(string(raw), "/f") {
		t.Errorf("%s %v", raw, err)
	}
}
