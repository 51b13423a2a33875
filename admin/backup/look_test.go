package backup

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"goldfish/license"
	"goldfish/license/licensetest"
	"goldfish/store"
)

// stopped is the file of an appliance that was stopped in order.
func stopped(t *testing.T) (path string, o license.Options, keys []string) {
	t.Helper()
	w := licensetest.New(t)
	app := w.App(nil)
	keys = w.Keys(app, 20, licensetest.Month)
	w.Must(w.Close())
	return w.Path, options(w), keys
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func write1(t *testing.T, path string, raw []byte) string {
	t.Helper()
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// crashed is the file of an appliance that was killed.
func crashed(t *testing.T) (path string, o license.Options) {
	t.Helper()
	w := licensetest.New(t)
	w.Keys(w.App(nil), 20, licensetest.Month)
	path = filepath.Join(t.TempDir(), "goldfish.db")
	return write1(t, path, read(t, w.Path)), options(w)
}

// spoilNewest zeroes the root page of the newest state.
func spoilNewest(t *testing.T, path string) {
	t.Helper()
	raw := read(t, path)
	le := binary.LittleEndian
	size := uint64(le.Uint32(raw[16+8:]))
	var root, newest uint64
	for page := range uint64(2) {
		meta := raw[page*size+16:]
		if tx := le.Uint64(meta[48:]); tx >= newest {
			newest, root = tx, le.Uint64(meta[16:])
		}
	}
	clear(raw[root*size : (root+1)*size])
	write1(t, path, raw)
}

func TestExamineTellsEverything(t *testing.T) {
	path, o, _ := stopped(t)
	before := read(t, path)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	var done, total int64
	r, err := Examine(t.Context(), path, o, func(d, n int64) { done, total = d, n })
	if err != nil || !r.Good() || r.Running || !r.Clean || r.Seal != SealThis || r.Sealed != 0 {
		t.Fatalf("%v %+v", err, r)
	}
	if r.Rows["cards"] != 20 || r.Epoch != 1 || r.Release != "test" || r.Schema == 0 || r.Newest.IsZero() || r.SHA256 == "" || r.Bytes != int64(len(before)) {
		t.Errorf("%+v", r)
	}
	if done == 0 || done > total {
		t.Errorf("progress: %d of %d", done, total)
	}
	after, err := os.Stat(path)
	if err != nil || !bytes.Equal(read(t, path), before) || !after.ModTime().Equal(info.ModTime()) {
		t.Error("the file was changed")
	}
	only(t, filepath.Dir(path), "goldfish.db")

	o.MachineKey = nil
	if r, err = Examine(t.Context(), path, o, nil); err != nil || !r.Good() || r.Seal != SealOther || r.Sealed < 20 {
		t.Errorf("without a key: %v %+v", err, r)
	}
}

func TestExamineSurvivesHostileFiles(t *testing.T) {
	path, o, _ := stopped(t)
	good := read(t, path)
	dir := t.TempDir()
	noise := make([]byte, 1<<20)
	_, _ = rand.Read(noise)
	sparse := write1(t, filepath.Join(dir, "sparse"), nil)
	if err := os.Truncate(sparse, 1<<30); err != nil {
		t.Fatal(err)
	}
	behind := write1(t, filepath.Join(dir, "good, then nothing"), good)
	if err := os.Truncate(behind, 1<<30); err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(dir, "another program's")
	db, err := bolt.Open(foreign, 0o600, nil)
	if err == nil {
		err = db.Update(func(tx *bolt.Tx) error {
			b, err := tx.CreateBucket([]byte("meta"))
			return errors.Join(err, b.Put([]byte("magic"), []byte("other")))
		})
		err = errors.Join(err, db.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ path, want string }{
		"random bytes":               {write1(t, filepath.Join(dir, "noise"), noise), "file_not_ours"},
		"a beginning, then noise":    {write1(t, filepath.Join(dir, "half"), append(bytes.Clone(good[:8192]), noise...)), "file_damaged"},
		"cut off":                    {write1(t, filepath.Join(dir, "cut"), good[:40_000]), "file_truncated"},
		"cut off in its first page":  {write1(t, filepath.Join(dir, "stub"), good[:100]), "file_truncated"},
		"empty":                      {write1(t, filepath.Join(dir, "empty"), nil), "file_truncated"},
		"another program's":          {foreign, "file_not_ours"},
		"a folder":                   {dir, "file_not_ours"},
		"a gigabyte of nothing":      {sparse, "file_not_ours"},
		"good, and then nothing":     {behind, ""},
		"not there":                  {filepath.Join(dir, "none"), "file_missing"},
		"a folder that is not there": {filepath.Join(dir, "none", "none"), "file_missing"},
	} {
		r, err := Examine(t.Context(), c.path, o, nil)
		got := code(err)
		if err == nil {
			got = r.Code
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q: %v %+v", name, got, c.want, err, r)
		}
	}
}

// Every page of a good file is zeroed in turn: what is told is that it is damaged, or nothing is lost.
func TestExamineFindsEveryZeroedPage(t *testing.T) {
	w, _, path := made(t)
	o, good := options(w), read(t, path)
	w.Must(os.Remove(checksumPath(path)))
	whole, err := Examine(t.Context(), path, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	bad := 0
	for at := 0; at < len(good); at += 4096 {
		raw := bytes.Clone(good)
		clear(raw[at : at+4096])
		write1(t, path, raw)
		r, err := Examine(t.Context(), path, o, nil)
		switch {
		case err != nil:
			t.Errorf("page %d: %v", at/4096, err)
		case !r.Good():
			bad++
		case fmt.Sprint(r.Rows) != fmt.Sprint(whole.Rows):
			t.Errorf("page %d: rows %v went unseen", at/4096, r.Rows)
		}
	}
	if pages := len(good) / 4096; bad < pages/3 { // the others are free, or one of two metas
		t.Errorf("%d of %d zeroed pages were found", bad, pages)
	}
}

func TestADamagedNewestStateFallsBackToTheOneBefore(t *testing.T) {
	path, o := crashed(t)
	spoilNewest(t, path)
	before := read(t, path)
	r, err := Examine(t.Context(), path, o, nil)
	if err != nil || r.Code != "file_damaged" || len(r.Faults) == 0 || !r.Salvageable() {
		t.Fatalf("%v %+v", err, r)
	}
	if r.Older.Rows["cards"] != 20 || r.Older.Newest.IsZero() || r.Older.Seal != SealThis {
		t.Errorf("%+v", r.Older)
	}
	if !bytes.Equal(read(t, path), before) {
		t.Error("the file was changed")
	}
}

func TestAFileInUseIsJudgedByACopy(t *testing.T) {
	w := licensetest.New(t)
	app := w.App(nil)
	w.Keys(app, 50, licensetest.Month)
	stop, ended := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		for {
			select {
			case <-stop:
				ended <- n
				return
			default:
				n++
				_ = w.Record(license.System, license.Event{Kind: license.SystemStarted, Args: map[string]string{"n": fmt.Sprint(n)}})
			}
		}
	}()
	for range 5 {
		r, err := Examine(t.Context(), w.Path, options(w), nil)
		if err != nil || !r.Good() || !r.Running || r.Rows["cards"] != 50 || r.Seal != SealThis {
			t.Errorf("%v %+v", err, r)
		}
	}
	close(stop)
	if n := <-ended; n < 20 {
		t.Errorf("only %d events were written beside", n)
	}
}

// A file of an older schema is judged in a copy that is brought up to date; one of a newer is refused by name.
func TestExamineAcrossVersions(t *testing.T) {
	path, o, _ := stopped(t)
	older := func(s *store.Schema) { s.Migrations = s.Migrations[:1] }
	newer := func(s *store.Schema) {
		s.Release = "v99"
		s.Migrations = append(s.Migrations, store.Migration{Name: "to come", Up: func(*store.Tx) error { return nil }})
	}
	open := func(path string, change func(*store.Schema)) error {
		s := license.Schema("v0")
		change(s)
		db, err := store.Open(path, store.Options{Schema: s, Clock: time.Now, Rand: rand.Reader})
		if err != nil {
			return err
		}
		return db.Close()
	}
	old := filepath.Join(t.TempDir(), "old.db")
	if err := open(old, older); err != nil {
		t.Fatal(err)
	}
	before := read(t, old)
	r, err := Examine(t.Context(), old, o, nil)
	if err != nil || !r.Good() || r.Schema != 1 || r.Release != "v0" || r.Seal != "" {
		t.Errorf("older: %v %+v", err, r)
	}
	if !bytes.Equal(read(t, old), before) {
		t.Error("it was brought up to date in its place")
	}
	if err := open(path, newer); err != nil {
		t.Fatal(err)
	}
	if _, err := Examine(t.Context(), path, o, nil); code(err) != "file_newer" || !strings.Contains(err.Error(), "file_newer") {
		t.Errorf("newer: %v", err)
	}
}

func TestSealedRowsWithoutARingAreDamage(t *testing.T) {
	path, o, _ := stopped(t)
	db, err := bolt.Open(path, 0o600, nil)
	if err == nil {
		err = db.Update(func(tx *bolt.Tx) error { return tx.Bucket([]byte("keyring")).Delete([]byte("ring")) })
		err = errors.Join(err, db.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	if r, err := Examine(t.Context(), path, o, nil); err != nil || r.Good() || r.Seal != "" {
		t.Errorf("%v %+v", err, r)
	}
}

// started counts the processes that are started from here on.
func started(t *testing.T) *atomic.Int64 {
	t.Helper()
	n, usual := new(atomic.Int64), self
	self = func() string {
		n.Add(1)
		return usual()
	}
	t.Cleanup(func() { self = usual })
	return n
}

// instead has another program take the child's place.
func instead(t *testing.T, program string) {
	t.Helper()
	usual := self
	self = func() string { return program }
	t.Cleanup(func() { self = usual })
}

func TestWithoutAProcessTheLookIsTakenHere(t *testing.T) {
	path, o, _ := stopped(t)
	instead(t, filepath.Join(t.TempDir(), "no such program"))
	if r, err := Examine(t.Context(), path, o, nil); err != nil || !r.Good() || r.Rows["cards"] != 20 {
		t.Errorf("%v %+v", err, r)
	}
}

func TestAChildHasNoSecretsAroundIt(t *testing.T) {
	t.Setenv("GOLDFISH_MACHINE_KEY", "secret")
	t.Setenv("NOTIFY_SOCKET", "/run/n")
	t.Setenv("CREDENTIALS_DIRECTORY", "/run/c")
	for _, v := range childEnvironment() {
		if strings.Contains(v, "secret") || strings.Contains(v, "/run/") {
			t.Error(v)
		}
	}
}

func TestExamineEndsWithItsContext(t *testing.T) {
	path, o, _ := stopped(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Examine(ctx, path, o, nil); err == nil {
		t.Error("it went on")
	}
}
