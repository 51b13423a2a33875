package store_test

import (
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
