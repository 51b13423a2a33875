package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"goldfish/store"
	"goldfish/store/storetest"
)

// A snapshot under write load opens, is sound, and holds one state of the file: the two rows that every
// function changes together agree.
func TestSnapshotWhileWriting(t *testing.T) {
	db := open(t)
	both := func(v uint64) func(*store.Tx) error {
		return func(tx *store.Tx) error {
			return errors.Join(things.Put(tx, &thing{ID: 1, Version: v, State: "a"}), secrets.Put(tx, &secret{ID: 1, Code: fmt.Sprint(v)}))
		}
	}
	if err := db.Update(both(0)); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var writers sync.WaitGroup
	for i := range 4 {
		writers.Go(func() {
			for n := uint64(i); ; n += 4 {
				select {
				case <-done:
					return
				default:
				}
				if err := db.Update(both(n)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	dir := t.TempDir()
	for n := range 100 {
		path := filepath.Join(dir, fmt.Sprintf("%d.db", n))
		if err := db.Snapshot(path); err != nil {
			t.Fatal(err)
		}
		copied := open(t, atPath(path), storetest.WithRing(db.Ring))
		err := copied.View(func(tx *store.Tx) error {
			v, err := things.Get(tx, store.ID(1).Key())
			if err != nil {
				return err
			}
			_, err = secrets.Find(tx, bySecret, mustLookup(tx, fmt.Sprint(v.Version)))
			return err
		})
		if err != nil || copied.UUID() != db.UUID() || copied.Epoch() != db.Epoch() {
			t.Errorf("snapshot %d: %v", n, err)
		}
		copied.MustBeSound(t)
	}
	close(done)
	writers.Wait()
	if left, _ := filepath.Glob(filepath.Join(dir, "*.part-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func mustLookup(tx *store.Tx, code string) []byte {
	key, err := tx.Lookup("secret", []byte(code))
	if err != nil {
		panic(err)
	}
	return key
}

func TestSnapshotNeverWritesOver(t *testing.T) {
	db := open(t)
	path := filepath.Join(t.TempDir(), "there")
	if err := os.WriteFile(path, []byte("there"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := db.Snapshot(path); !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
	unchanged(t, path, []byte("there"))
	if err := db.Snapshot(filepath.Join(t.TempDir(), "no", "folder")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	_ = db.Close()
	if err := db.Snapshot(path + "2"); !errors.Is(err, store.ErrClosed) {
		t.Error(err)
	}
}

// Two synthetic steps: the first fills what the second reads.
func migrations(fail error) []store.Migration {
	return []store.Migration{
		{Name: "first", Up: func(tx *store.Tx) error { return things.Put(tx, &thing{ID: 1, State: "a", Version: 1}) }},
		{Name: "second", Up: func(tx *store.Tx) error {
			v, err := things.Get(tx, store.ID(1).Key())
			if err != nil {
				return err
			}
			v.Version, v.State = v.Version+1, "b"
			if err := things.Put(tx, v); err != nil {
				return err
			}
			if fail != nil && fail != errWant {
				panic(fail)
			}
			return fail
		}},
	}
}

func TestMigrations(t *testing.T) {
	old := store.Schema{Magic: "store-test", Release: "1.0.0", Tables: []store.Described{events}}
	now := *schema()
	now.Release, now.Migrations = "2.0.0", migrations(nil)
	path := filepath.Join(t.TempDir(), "m.db")
	first := storetestOpen(t, &old, atPath(path))
	appendAll(t, first, 3)
	_ = first.Close()
	before := content(t, path)

	for _, fail := range []error{errWant, errors.New("a panic")} { // leaves the file as it was, each time
		broken := now
		broken.Migrations = migrations(fail)
		_, err := store.Open(path, options(&broken))
		if err == nil || !bytes.Contains([]byte(err.Error()), []byte(fail.Error())) {
			t.Errorf("a failing step: %v", err)
		}
		unchanged(t, path, before)
		mustHaveFiles(t, path, 1)
	}
	missing := old
	missing.Tables = append(missing.Tables, things)
	if _, err := store.Open(path, options(&missing)); err == nil {
		t.Error("a new table without a migration was taken")
	}

	after := storetestOpen(t, &now, atPath(path))
	if v := get(t, after, 1); v.Version != 2 || v.State != "b" {
		t.Errorf("%+v", v)
	}
	after.MustBeSound(t)
	_ = after.Close()
	mustHaveFiles(t, path, 2)
	backup := storetestOpen(t, &old, atPath(path+".before-v2"))
	if rows := backup.MustBeSound(t); rows["events"] != 3 {
		t.Errorf("the snapshot holds %v", rows)
	}

	newest := content(t, path)
	_, err := store.Open(path, options(&old))
	var newer *store.NewerError
	if !errors.Is(err, store.ErrNewer) || !errors.As(err, &newer) || newer.Release != "2.0.0" {
		t.Errorf("an older binary: %v", err)
	}
	unchanged(t, path, newest)
	again := storetestOpen(t, &now, atPath(path)) // nothing is due any more
	if v := get(t, again, 1); v.Version != 2 {
		t.Errorf("%+v", v)
	}
}

// An older binary's work between two migrations is in the second snapshot, and the first one stays.
func TestMigratedTwice(t *testing.T) {
	old, now := schema(), schema()
	now.Migrations = migrations(nil)
	dir := t.TempDir()
	for n := range 2 {
		path := filepath.Join(dir, "m.db")
		db := storetestOpen(t, old, atPath(path))
		appendAll(t, db, 1)
		_ = db.Close()
		_ = storetestOpen(t, now, atPath(path)).Close()
		mustHaveFiles(t, path, n+2)
		if err := os.Rename(path, filepath.Join(t.TempDir(), "m.db")); err != nil {
			t.Fatal(err)
		}
	}
}

func mustHaveFiles(t *testing.T, path string, n int) {
	t.Helper()
	if files, _ := filepath.Glob(path + "*"); len(files) != n {
		t.Errorf("files: %v", files)
	}
}

// Check judges one moment, whatever the writers do meanwhile.
func TestCheckWhileWriting(t *testing.T) {
	db := open(t)
	done := make(chan struct{})
	var writers sync.WaitGroup
	for i := range 8 {
		writers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				id := store.ID(i*100 + n%50 + 1)
				err := db.Update(func(tx *store.Tx) error {
					if n%3 == 0 && things.Has(tx, id.Key()) {
						return things.Delete(tx, id.Key())
					}
					return things.Put(tx, &thing{ID: id, Code: fmt.Sprintf("%d-%0200d", id, n), State: "a", Tags: []string{"x", fmt.Sprint(n % 7)}})
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	for checks := 0; checks < 50 || db.Stats().Commits.Load() < 200; checks++ {
		db.MustBeSound(t)
	}
	close(done)
	writers.Wait()
}
