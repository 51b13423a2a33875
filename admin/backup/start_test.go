package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"goldfish/license"
	"goldfish/store"
)

// life opens and closes one file again and again, as an appliance does.
type life struct {
	t    *testing.T
	path string
	o    license.Options
	log  logged
	*Checks
}

// logged is a log that tells when a check after a crash has ended.
type logged struct {
	mu    sync.Mutex
	text  strings.Builder
	ended chan struct{}
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if strings.Contains(string(p), "checked after a crash") {
		l.ended <- struct{}{}
	}
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func newLife(t *testing.T, path string, o license.Options) *life {
	l := &life{t: t, path: path, o: o}
	l.log.ended = make(chan struct{}, 10)
	l.o.StateDir = t.TempDir()
	l.o.Log = slog.New(slog.NewTextHandler(&l.log, nil))
	return l
}

// open opens the file; it is a failure if that takes another number of processes than said.
func (l *life) open(processes int64) (*license.Authority, func(context.Context)) {
	l.t.Helper()
	l.Checks = NewChecks(l.path, filepath.Join(filepath.Dir(l.path), "backups"), l.o)
	n := started(l.t)
	if err := l.BeforeOpen(l.t.Context(), nil); err != nil {
		l.t.Fatal(err)
	}
	if n.Load() != processes {
		l.t.Errorf("%d processes looked at the file, want %d", n.Load(), processes)
	}
	a, err := license.Open(l.path, l.o)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { _ = a.Close() })
	return a, l.Opened(a)
}

func (l *life) close(a *license.Authority) {
	l.t.Helper()
	if err := a.Close(); err != nil {
		l.t.Fatal(err)
	}
	l.Closed()
}

// run runs what is to run beside until a check of everything has come to an end.
func (l *life) run(beside func(context.Context)) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), time.Minute)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		beside(ctx)
	}()
	select {
	case <-l.log.ended:
	case <-ctx.Done():
		l.t.Error("the check did not end")
	}
	cancel()
	<-ended
}

// errorsOf gives the codes of the appliance's own errors, newest first.
func errorsOf(t *testing.T, a *license.Authority) []string {
	t.Helper()
	all, err := a.RecentEvents(10, 1000, func(e *license.Event) bool { return e.Kind == license.SystemError })
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range all {
		out = append(out, e.Event.Code)
	}
	return out
}

func TestOnlyAFileFromElsewhereIsCheckedBeforeItIsOpened(t *testing.T) {
	path, o, _ := stopped(t)
	l := newLife(t, path, o)
	a, _ := l.open(1) // nobody knows it yet
	if last := l.Last(); !last.OK || last.At.IsZero() {
		t.Errorf("%+v", last)
	}
	l.close(a)
	a, _ = l.open(0)
	if last := l.Last(); !last.OK {
		t.Errorf("the last check is forgotten: %+v", last)
	}
	l.close(a)

	copied := read(t, path)
	write1(t, path, copied) // as cp does: the same inode, the same bytes, another time
	a, _ = l.open(1)
	l.close(a)
	elsewhere := write1(t, path+".copy", copied)
	if err := os.Rename(elsewhere, path); err != nil {
		t.Fatal(err)
	}
	a, _ = l.open(1)
	l.close(a)
	if strings.Contains(l.log.String(), "level=WARN") || strings.Contains(l.log.String(), "level=ERROR") {
		t.Error(l.log.String())
	}
	only(t, filepath.Dir(path), "goldfish.db")
}

func TestANewFileNeedsNoCheck(t *testing.T) {
	_, o, _ := stopped(t)
	l := newLife(t, filepath.Join(t.TempDir(), "goldfish.db"), o)
	a, beside := l.open(0)
	if beside == nil {
		t.Error("nothing runs beside")
	}
	l.close(a)
	a, _ = l.open(0)
	l.close(a)
}

func TestAfterACrashEveryValueIsReadBesideTheWork(t *testing.T) {
	path, o := crashed(t)
	l := newLife(t, path, o)
	a, _ := l.open(1)
	crash := read(t, path) // as it lies while it is open
	l.close(a)
	write1(t, path, crash)
	tr := recall(l.o.StateDir, path)
	tr.Stopped = false
	if err := tr.keep(l.o.StateDir); err != nil {
		t.Fatal(err)
	}

	a, beside := l.open(0)
	if a.DB().Clean() {
		t.Fatal("it was closed in order")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	before := l.Last()
	beside(ctx) // the appliance is stopped at once
	if l.Last() != before {
		t.Errorf("an interrupted check counts: %+v", l.Last())
	}
	l.close(a)
	a, beside = l.open(0) // in order this time, and yet not all of it was read
	l.run(beside)
	if last := l.Last(); !last.OK || last.Running || last.Faults != 0 || len(errorsOf(t, a)) > 0 {
		t.Errorf("%+v %v", last, errorsOf(t, a))
	}
	if !strings.Contains(l.log.String(), "checked after a crash") {
		t.Error(l.log.String())
	}
}

func TestAValueThatRottedIsToldLoudly(t *testing.T) {
	path, o, _ := stopped(t)
	l := newLife(t, path, o)
	a, _ := l.open(1)
	if err := a.Record(license.System, license.Event{Kind: license.SystemStarted, Args: map[string]string{"x": "a needle in the hay"}}); err != nil {
		t.Fatal(err)
	}
	raw := read(t, path)
	l.close(a)
	write1(t, path, bytes.ReplaceAll(raw, []byte("needle"), []byte("beetle"))) // older pages may hold it too
	tr := recall(l.o.StateDir, path)
	tr.Stopped = false
	if err := tr.keep(l.o.StateDir); err != nil {
		t.Fatal(err)
	}
	a, beside := l.open(0)
	l.run(beside)
	if last := l.Last(); last.OK || last.Faults != 1 {
		t.Errorf("%+v", last)
	}
	if got := errorsOf(t, a); len(got) != 1 || got[0] != "file_faults" || !strings.Contains(l.log.String(), "the data file has a fault") {
		t.Errorf("%v %s", got, l.log.String())
	}
	if again := NewChecks(path, "", l.o).Last(); again.OK || again.Faults != 1 {
		t.Errorf("the last check is forgotten: %+v", again)
	}
}

func TestADamagedNewestStateIsPutAside(t *testing.T) {
	for _, known := range []bool{false, true} {
		path, o := crashed(t)
		l := newLife(t, path, o)
		if known { // our own file after our own crash: its opening finds it
			if err := (&trace{Path: path}).keep(l.o.StateDir); err != nil {
				t.Fatal(err)
			}
		}
		spoilNewest(t, path)
		broken := read(t, path)
		l.Checks = NewChecks(path, filepath.Join(filepath.Dir(path), "backups"), l.o)
		err := l.BeforeOpen(t.Context(), nil)
		if known && err == nil {
			_, err = license.Open(path, l.o)
			if !errors.Is(err, store.ErrOlderState) {
				t.Fatalf("it opens: %v", err)
			}
			err = l.Mend(t.Context(), err)
		}
		if err != nil {
			t.Fatal(err)
		}
		kept := path + ".damaged-20260601T120000Z"
		if !bytes.Equal(read(t, kept), broken) {
			t.Error("what was damaged is not kept")
		}
		if !strings.Contains(l.log.String(), "THE NEWEST STATE OF THE DATA FILE IS DAMAGED") || !strings.Contains(l.log.String(), kept) {
			t.Error(l.log.String())
		}
		if last := l.Last(); last.OK || last.Faults == 0 {
			t.Errorf("%+v", last)
		}
		a, err := license.Open(path, l.o)
		if err != nil {
			t.Fatal(err)
		}
		l.Opened(a)
		if got := errorsOf(t, a); len(got) == 0 || got[0] != "file_salvaged" {
			t.Errorf("events %v", got)
		}
		if a.DB().Epoch() != 2 {
			t.Errorf("epoch %d", a.DB().Epoch())
		}
		l.close(a)
		only(t, filepath.Dir(path), "goldfish.db", filepath.Base(kept))
		a, _ = l.open(0)
		if n := len(errorsOf(t, a)); n != 1 {
			t.Errorf("told %d times", n)
		}
	}
}

func TestAFileBeyondHelpIsRefusedWithTheNewestGoodBackup(t *testing.T) {
	w, _, _ := made(t)
	o, path := options(w), w.Path
	folder := filepath.Join(filepath.Dir(path), "backups")
	var names []string
	for day := range 3 {
		name := filepath.Join(folder, Name(o.Clock().AddDate(0, 0, day)))
		_, err := Make(w.Authority, o, name)
		w.Must(err)
		names = append(names, name)
	}
	write1(t, names[2], []byte("rotten"))
	w.Must(w.Close())
	l := newLife(t, path, o)
	a, _ := l.open(1)
	l.close(a)
	raw := read(t, path)
	clear(raw[2*4096 : len(raw)/4*3])
	write1(t, path, raw)
	l.Checks = NewChecks(path, folder, l.o)
	err := l.BeforeOpen(t.Context(), nil)
	if code(err) != "file_damaged_backup" || fmt.Sprint(Explain(path, err).Args["backup"]) != names[1] {
		t.Errorf("%v %v", err, Explain(path, err).Args)
	}
	for _, name := range names[:2] {
		w.Must(os.Remove(name))
	}
	if err := l.BeforeOpen(t.Context(), nil); code(err) != "file_damaged" {
		t.Errorf("without a backup: %v", err)
	}
	if !bytes.Equal(read(t, path), raw) {
		t.Error("the file was changed")
	}
}

func TestWhatIsNoFileOfOursIsRefusedAsItIs(t *testing.T) {
	_, o, _ := stopped(t)
	path := write1(t, filepath.Join(t.TempDir(), "goldfish.db"), []byte("a letter to somebody, long enough to be looked at with care"))
	l := newLife(t, path, o)
	l.Checks = NewChecks(path, "", l.o)
	if err := l.BeforeOpen(t.Context(), nil); code(err) != "file_not_ours" {
		t.Errorf("%v", err)
	}
	if err := CheckBeforeOpen(t.Context(), path, o, nil); code(err) != "file_not_ours" {
		t.Errorf("%v", err)
	}
	other := errors.New("the disk is away")
	if err := l.Mend(t.Context(), other); !errors.Is(err, other) {
		t.Errorf("%v", err)
	}
}

func TestAFileInUseIsTheOpeningsToRefuse(t *testing.T) {
	w, _, _ := made(t)
	l := newLife(t, w.Path, options(w))
	l.Checks = NewChecks(w.Path, "", l.o)
	if err := l.BeforeOpen(t.Context(), nil); err != nil {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.BeforeOpen(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("while it is stopped: %v", err)
	}
}

// The second folder is known from the last time that the file was open: the plan lies sealed in the file itself.
func TestTheSecondFolderIsRememberedOutsideTheFile(t *testing.T) {
	w, _, _ := made(t)
	second := t.TempDir()
	name := filepath.Join(second, Name(w.Clock.Now()))
	_, err := Make(w.Authority, options(w), name)
	w.Must(err)
	p, err := w.BackupPlan(w.Owner)
	w.Must(err)
	p.SecondFolder = second
	_, err = w.SetBackupPlan(w.Owner, p)
	w.Must(err)
	w.Must(w.Close())
	l := newLife(t, w.Path, options(w))
	a, _ := l.open(1)
	l.close(a)
	if got := KnownFolders(l.o.StateDir, w.Path); len(got) != 2 || got[1] != second {
		t.Errorf("%v", got)
	}
	raw := read(t, w.Path)
	clear(raw[2*4096 : len(raw)/4*3])
	write1(t, w.Path, raw)
	l.Checks = NewChecks(w.Path, filepath.Join(filepath.Dir(w.Path), "backups"), l.o)
	if err := l.BeforeOpen(t.Context(), nil); code(err) != "file_damaged_backup" || Explain("", err).Args["backup"] != name {
		t.Errorf("%v", err)
	}
}

func TestARestoredFileIsOursAndToldOf(t *testing.T) {
	w, _, backup := made(t)
	l := newLife(t, filepath.Join(t.TempDir(), "goldfish.db"), options(w))
	_, err := Restore(backup, l.path, l.o)
	w.Must(err)
	a, _ := l.open(0)
	told, err := a.RecentEvents(10, 1000, func(e *license.Event) bool { return e.Kind == license.SystemRestored })
	if err != nil || len(told) != 1 || told[0].Event.Args["file"] != filepath.Base(backup) || told[0].Event.Args["epoch"] != "2" {
		t.Errorf("%v %+v", err, told)
	}
	l.close(a)
	only(t, filepath.Dir(l.path), "goldfish.db")
}

func TestAStateFolderThatCannotBeWritten(t *testing.T) {
	var log bytes.Buffer
	to := slog.New(slog.NewTextHandler(&log, nil))
	dir := filepath.Join(t.TempDir(), "a", "state")
	if got := StateFolder(dir, to); got != dir || log.Len() > 0 {
		t.Errorf("%q %s", got, log.String())
	}
	only(t, dir)
	if got := StateFolder(filepath.Join(write1(t, filepath.Join(t.TempDir(), "file"), nil), "state"), to); got != "" || strings.Count(log.String(), "level=WARN") != 1 {
		t.Errorf("%q %s", got, log.String())
	}
	path, o, _ := stopped(t)
	for range 2 { // without it each start checks the whole file, and that is all
		c := NewChecks(path, "", o)
		n := started(t)
		if err := c.BeforeOpen(t.Context(), nil); err != nil || n.Load() != 1 {
			t.Errorf("%v, %d processes", err, n.Load())
		}
		a, err := license.Open(path, o)
		if err != nil {
			t.Fatal(err)
		}
		c.Opened(a)
		_ = a.Close()
		c.Closed()
	}
}

func TestAFolderWithAnOddNameIsLeftTidy(t *testing.T) {
	w, _, backup := made(t)
	dir := filepath.Join(t.TempDir(), "a[b]*")
	l := newLife(t, filepath.Join(dir, "goldfish.db"), options(w))
	_, err := Restore(backup, l.path, l.o)
	w.Must(err)
	gone := exec.CommandContext(t.Context(), os.Args[0], "-test.list", "^$")
	w.Must(gone.Run())
	other := fmt.Sprintf("goldfish-check-%d-mine", os.Getppid())
	for _, name := range []string{fmt.Sprintf("goldfish-check-%d-x", gone.Process.Pid), fmt.Sprintf("goldfish-check-%d-y", os.Getpid()), "goldfish-check-1-old", other} {
		w.Must(os.Mkdir(filepath.Join(dir, name), 0o700))
	}
	w.Must(os.Chtimes(filepath.Join(dir, "goldfish-check-1-old"), time.Now().Add(-2*time.Hour), time.Now().Add(-2*time.Hour)))
	write1(t, l.path, read(t, l.path))
	a, _ := l.open(1)
	l.close(a)
	only(t, dir, other, "goldfish.db") // somebody else may be at work there
}

func TestATraceIsOfOneFile(t *testing.T) {
	dir := t.TempDir()
	path := write1(t, filepath.Join(t.TempDir(), "f"), []byte("x"))
	tr := &trace{Path: path, UUID: "u", Stopped: true, Folders: []string{"b"}}
	if err := tr.keep(dir); err != nil {
		t.Fatal(err)
	}
	if got := recall(dir, path); got == nil || got.UUID != "u" || !got.same(path) {
		t.Errorf("%+v", got)
	}
	if got := recall(dir, path+"2"); got != nil {
		t.Errorf("%+v", got)
	}
	write1(t, tracePath(dir, path), []byte("{"))
	if got := recall(dir, path); got != nil || got.same(path) {
		t.Errorf("%+v", got)
	}
	write1(t, newsPath(path), []byte("nonsense"))
	if all, err := readNews(path); err != nil || len(all) > 0 {
		t.Errorf("%v %v", all, err)
	}
}
