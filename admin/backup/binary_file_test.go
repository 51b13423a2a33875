//go:build unix

package backup

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"goldfish/license"
	"goldfish/license/licensetest"
)

// load activates keys one after the other until it is ended.
func load(client, token string, keys []string) (end func() int) {
	ctx, cancel := context.WithCancel(context.Background())
	var crew sync.WaitGroup
	done := 0
	crew.Go(func() {
		c := &http.Client{}
		defer c.CloseIdleConnections()
		for i, key := range keys {
			if ctx.Err() != nil {
				return
			}
			if activate(c, client, token, key, i) {
				done++
			}
		}
	})
	return func() int {
		cancel()
		crew.Wait()
		return done
	}
}

func TestTheProgramVerifiesAnyFile(t *testing.T) {
	a := newAppliance(t)
	a.do(8, "There is no file", "verify", a.file())
	a.stock(30)
	good := read(t, a.file())
	a.do(0, "everything was checked", "verify", a.file())
	if !bytes.Equal(read(t, a.file()), good) {
		t.Error("the file was changed")
	}
	if _, err := os.Lstat(filepath.Join(filepath.Dir(a.data), "state")); err == nil {
		t.Error("a look made a state folder")
	}
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	fifo := at("fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	rotten := bytes.Clone(good)
	clear(rotten[8192 : len(rotten)/2])
	for _, c := range []struct {
		path, says string
	}{
		{write1(t, at("letter"), []byte("Dear Sir,")), "is not a file of Goldfish"},
		{write1(t, at("cut"), good[:40_000]), "no good backup was found"},
		{write1(t, at("rotten"), rotten), "no good backup was found"},
		{dir, "is not a file of Goldfish"},
		{fifo, "is not a file of Goldfish"},
	} {
		a.do(5, c.says, "verify", c.path)
	}

	made := at("backups")
	a.do(0, "made and checked", "backup", "create", "--out", made+"/")
	a.do(5, "goldfish backup restore "+made, "verify", at("rotten"))
	found, err := List(made)
	if err != nil || len(found) != 1 {
		t.Fatalf("%v %v", found, err)
	}
	a.do(0, "card keys 30", "verify", found[0].Path)
	a.machineKey = bytes.Repeat([]byte{7}, 32)
	a.do(0, "sealed rows were not judged", "verify", found[0].Path)
	a.do(0, "sealed rows were not judged", "backup", "verify", found[0].Path)
}

func TestTheProgramVerifiesWhatRuns(t *testing.T) {
	a := newAppliance(t)
	keys, token := a.stock(2000)
	client, stop := a.start()
	end := load(client, token, keys)
	for n := range 3 {
		a.do(0, "a copy of it was checked", "verify", a.file())
		copied := filepath.Join(t.TempDir(), fmt.Sprint(n, ".db"))
		if out, err := exec.CommandContext(t.Context(), "cp", a.file(), copied).CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
		if said := a.do(0, "everything was checked", "verify", copied); !strings.Contains(said, "card keys 2000") {
			t.Error(said)
		}
	}
	if done := end(); done == 0 {
		t.Error("nothing was written meanwhile")
	}
	stop(syscall.SIGTERM)
	a.do(0, "stopped in order", "verify", a.file())
}

func TestADamagedNewestStateIsToldAndThenTakenBack(t *testing.T) {
	a := newAppliance(t)
	a.stock(10)
	_, end := a.start()
	end(os.Kill)
	spoilNewest(t, a.file())
	a.do(5, "the one before it", "verify", a.file())
	_, end = a.start()
	end(syscall.SIGTERM)
	kept, err := filepath.Glob(a.file() + ".damaged-*")
	if err != nil || len(kept) != 1 {
		t.Fatalf("%v %v", kept, err)
	}
	w := a.open()
	if got := errorsOf(t, w.Authority); len(got) == 0 || !strings.Contains(fmt.Sprint(got), "file_salvaged") {
		t.Errorf("%v", got)
	}
}

func TestTheProgramRefusesAFileBeyondHelpAndNamesABackup(t *testing.T) {
	a := newAppliance(t)
	a.stock(10)
	a.do(0, "made and checked", "backup", "create")
	raw := read(t, a.file())
	clear(raw[8192 : len(raw)/2])
	write1(t, a.file(), raw)
	a.do(5, "goldfish backup restore "+filepath.Join(a.data, "backups"), "serve", "--console-listen", "127.0.0.1:0", "--api-listen", "127.0.0.1:0")
	if !bytes.Equal(read(t, a.file()), raw) {
		t.Error("the file was changed")
	}
	found, err := List(filepath.Join(a.data, "backups"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%v %v", found, err)
	}
	a.do(0, "epoch", "backup", "restore", found[0].Path)
	_, end := a.start()
	end(syscall.SIGTERM)
}

func TestTheProgramCompacts(t *testing.T) {
	a := newAppliance(t)
	a.do(8, "There is no file", "compact")
	a.stock(3000)
	size := func() int64 {
		info, err := os.Stat(a.file())
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	before := size()
	a.do(0, "Compacted "+a.file(), "compact")
	if after := size(); after >= before {
		t.Errorf("%d bytes of %d", after, before)
	}
	_, end := a.start()
	a.do(0, "Compacted "+a.file(), "compact")
	end(syscall.SIGTERM)
	w := a.open()
	if all, err := w.Overview(license.System); err != nil || all.Cards.Unused != 3000 {
		t.Errorf("%v %+v", err, all.Cards)
	}
	for _, kind := range []license.EventKind{license.SystemCompacting, license.SystemCompacted} { // of a running service, too
		told, err := w.RecentEvents(10, 100_000, func(e *license.Event) bool { return e.Kind == kind })
		if err != nil || len(told) != 2 {
			t.Errorf("%s is recorded %d times, %v", kind, len(told), err)
		}
	}
}

func TestTheProgramPrunes(t *testing.T) {
	a := newAppliance(t)
	a.stock(10)
	a.do(0, "made and checked", "backup", "create")
	old := func() string {
		return write1(t, filepath.Join(a.data, "backups", Name(time.Now().AddDate(0, 0, -40))), []byte("old"))
	}
	path := old()
	a.do(0, "1 by age", "backup", "prune")
	if _, err := os.Lstat(path); err == nil {
		t.Error("it is still there")
	}
	_, end := a.start()
	path = old()
	a.do(0, "1 by age", "backup", "prune")
	if _, err := os.Lstat(path); err == nil {
		t.Error("it is still there")
	}
	end(syscall.SIGTERM)
}

func TestTheProgramRestoresOnAnotherMachine(t *testing.T) {
	w, _, _ := made(t) // its owner has a password
	mine := filepath.Join(t.TempDir(), "mine.db.zst")
	_, err := Make(w.Authority, options(w), mine)
	w.Must(err)

	b := newAppliance(t)
	b.machineKey = bytes.Repeat([]byte{7}, 32)
	b.do(0, "A restore makes it "+b.file(), "backup", "restore", "--dry-run", mine)
	if _, err := os.Lstat(b.file()); err == nil {
		t.Error("a dry run made a file")
	}
	said := b.do(0, "its owner must open it", "backup", "restore", mine)
	for _, want := range []string{"card keys 20", "newest record 20", "schema", "sealed rows were not judged", "epoch 2"} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q in %s", want, said)
		}
	}
	b.do(0, "which is kept", "backup", "restore", "--dry-run", mine)
	b.machineKey = licensetest.MachineKey // as if its owner had signed in
	again := b.open()
	if all, err := again.Overview(license.System); err != nil || all.Cards.Unused != 19 || again.DB().Epoch() < 2 {
		t.Errorf("%v %+v", err, all.Cards)
	}
}

func TestWhatNobodyCouldOpenIsNotRestored(t *testing.T) {
	a := newAppliance(t)
	a.stock(10) // nobody has signed in, so that only its machine opens it
	mine := filepath.Join(t.TempDir(), "mine.db.zst")
	a.do(0, "made and checked", "backup", "create", "--out", mine)
	b := newAppliance(t)
	b.machineKey = bytes.Repeat([]byte{7}, 32)
	b.do(0, "only the machine.key of its own machine", "backup", "verify", mine)
	b.do(9, "name that machine's machine.key", "backup", "restore", mine)
	if _, err := os.Lstat(b.file()); err == nil {
		t.Error("it was restored")
	}
	b.machineKey = licensetest.MachineKey
	b.do(0, "epoch 2", "backup", "restore", mine)
}
