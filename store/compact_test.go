package store_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"goldfish/store"
	"goldfish/store/storetest"
)

func init() { children["tries"] = childTries }

// bothWays runs a test as on a system that exchanges an open file, and as on one that does not.
func bothWays(t *testing.T, test func(t *testing.T, set func(*store.Options))) {
	t.Run("open", func(t *testing.T) { test(t, func(*store.Options) {}) })
	t.Run("closed", func(t *testing.T) { test(t, store.CloseToSwap) })
}

// bloat makes the file far larger than what it holds.
func bloat(t testing.TB, db *storetest.File, keep int) {
	t.Helper()
	fillThings(t, db, 3000)
	err := db.Update(func(tx *store.Tx) error {
		for id := keep + 1; id <= 3000; id++ {
			if err := things.Delete(tx, store.ID(id).Key()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Callers write, read, follow the log and take snapshots while the file is compacted again and again. Nothing is
// lost, no reader sees an old row after a newer one, and the cache tells no lies.
func TestCompactWhileInUse(t *testing.T) {
	bothWays(t, func(t *testing.T, set func(*store.Options)) {
		db := openWith(t, set)
		bloat(t, db, 100)
		before := db.Size()
		var done atomic.Bool
		var users sync.WaitGroup
		var written [8]uint64
		for i := range written {
			users.Go(func() { written[i] = countUp(t, db, store.ID(i+1), &done) })
			users.Go(func() { watchUp(t, db, store.ID(i+1), &done) })
		}
		var follower sync.WaitGroup
		followed := uint64(0)
		follower.Go(func() {
			_ = events.Follow(t.Context(), db.DB, 0, func(seq uint64, _ *event) {
				if followed++; seq != followed {
					t.Errorf("log row %d after %d", seq, followed-1)
				}
			})
		})
		dir := t.TempDir()
		for n := range 6 {
			commits := db.Stats().Commits.Load()
			until(t, func() bool { return db.Stats().Commits.Load() > commits+5 })
			if err := db.Compact(); err != nil {
				t.Fatal(err)
			}
			if n%5 == 0 {
				if err := db.Snapshot(filepath.Join(dir, fmt.Sprint(n))); err != nil {
					t.Error(err)
				}
			}
		}
		db.MustBeSound(t)
		done.Store(true)
		users.Wait()
		if after := db.Size(); after > before {
			t.Errorf("%d bytes, %d before", after, before)
		}
		path := db.Path()
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		follower.Wait()
		again, total := open(t, atPath(path), storetest.WithRing(db.Ring)), uint64(0)
		for i, n := range written {
			total += n
			if v := get(t, again, store.ID(i+1)); v.Version != n {
				t.Errorf("row %d: version %d, acknowledged %d", i+1, v.Version, n)
			}
		}
		if rows := again.MustBeSound(t); uint64(rows["events"]) != total || followed > total {
			t.Errorf("%d log rows, %d acknowledged, %d followed", rows["events"], total, followed)
		}
		mustHaveFiles(t, path, 1)
	})
}

// countUp raises a row's version, each time from what it reads, and gives the last one acknowledged.
func countUp(t *testing.T, db *storetest.File, id store.ID, done *atomic.Bool) (last uint64) {
	for !done.Load() {
		err := db.Update(func(tx *store.Tx) error {
			v, err := things.Get(tx, id.Key())
			if err != nil {
				return err
			}
			v.Version = last + 1
			_, err = events.Append(tx, &event{Op: int(id)})
			return errors.Join(err, things.Put(tx, v))
		})
		if err != nil {
			t.Errorf("row %d: %v", id, err)
			return last
		}
		last++
	}
	return last
}

// watchUp reads a row over and over: its version never falls.
func watchUp(t *testing.T, db *storetest.File, id store.ID, done *atomic.Bool) {
	for last := uint64(0); !done.Load(); {
		err := db.View(func(tx *store.Tx) error {
			v, err := things.Get(tx, id.Key())
			if err != nil {
				return err
			}
			if v.Version < last {
				t.Errorf("row %d: version %d after %d", id, v.Version, last)
			}
			last = v.Version
			return nil
		})
		if err != nil {
			t.Errorf("row %d: %v", id, err)
		}
	}
}

// A plain copy that is under way when the file is compacted reads the old one to its end, and is good.
func TestCompactUnderACopy(t *testing.T) {
	for at := range 4 {
		db := open(t)
		fillThings(t, db, 300)
		change, step := churn(t, db, 300), 0
		path := filepath.Join(t.TempDir(), "copy.db")
		copySlowly(t, db.Path(), path, func() {
			if step++; step == 1+at*12 {
				if err := db.Compact(); err != nil {
					t.Error(err)
				}
			}
			change()
		})
		if err := copied(path, db); err != nil {
			t.Errorf("compacted after piece %d: %v", at*12, err)
		}
	}
}

// What replaced and deleted rows held is in the file no more.
func TestCompactLeavesNothingBehind(t *testing.T) {
	db := open(t)
	put(t, db, &thing{ID: 1, Code: "canary"}, &thing{ID: 2, Code: "canary too"})
	put(t, db, &thing{ID: 1, Code: "other"})
	if err := db.Update(func(tx *store.Tx) error { return things.Delete(tx, store.ID(2).Key()) }); err != nil {
		t.Fatal(err)
	}
	holds := func() bool { return strings.Contains(string(content(t, db.Path())), "canary") }
	if !holds() {
		t.Error("the file did not hold the canary before")
	}
	if err := db.Compact(); err != nil {
		t.Fatal(err)
	}
	if holds() {
		t.Error("the compacted file holds the canary")
	}
	put(t, db, &thing{ID: 3, Code: "after"})
	if v := get(t, db, 1); v.Code != "other" {
		t.Errorf("%+v", v)
	}
}

// childTries opens the file over and over until it is told to stop, and counts how often it had it. The file
// that its standard input ends with is the sign.
func childTries(path string) {
	fmt.Println("begun")
	had := 0
	for {
		db, err := store.Open(path, options(schema()))
		if err == nil {
			had++
			must(db.Close())
		} else if !errors.Is(err, store.ErrLocked) {
			fmt.Println(err)
		}
		if _, err := os.Stat(path + ".stop"); err == nil {
			fmt.Println("had", had)
			return
		}
	}
}

// While one process has the file, another never gets it, neither the old one nor the new.
func TestCompactKeepsTheLock(t *testing.T) {
	db := open(t)
	bloat(t, db, 100)
	cmds := make([]interface{ Wait() error }, 0, 3)
	outs := make([]*strings.Builder, 3)
	for i := range outs {
		cmd := child(t, "tries", db.Path())
		outs[i] = &strings.Builder{}
		cmd.Stdout = outs[i]
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		cmds = append(cmds, cmd)
	}
	for range 40 {
		if err := db.Compact(); err != nil {
			t.Fatal(err)
		}
		put(t, db, &thing{ID: 1, Code: "x"})
	}
	if err := os.WriteFile(db.Path()+".stop", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for i, cmd := range cmds {
		if err := cmd.Wait(); err != nil || outs[i].String() != "begun\nhad 0\n" {
			t.Errorf("%v: %s", err, outs[i])
		}
	}
}

// A compaction that cannot be finished leaves the old file in use as it was.
func TestCompactThatFails(t *testing.T) {
	noRoom := func(t *testing.T, db *storetest.File) {
		dir := filepath.Dir(db.Path())
		fails(t, db, func() error { return os.Rename(dir, dir+"-aside") }, func() error { return os.Rename(dir+"-aside", dir) })
	}
	bothWays(t, func(t *testing.T, set func(*store.Options)) {
		db := open(t, atPath(filepath.Join(t.TempDir(), "data", "test.db")), storetest.With(set))
		fillThings(t, db, 100)
		noRoom(t, db)
	})
	db := open(t)
	fillThings(t, db, 100)
	aside := filepath.Join(t.TempDir(), "aside")
	fails(t, db, func() error { return spoilName(db.Path(), aside) }, func() error { return mendName(db.Path(), aside) })
}

func fails(t *testing.T, db *storetest.File, spoil, mend func() error) {
	t.Helper()
	if err := spoil(); err != nil {
		t.Fatal(err)
	}
	if err := db.Compact(); err == nil || errors.Is(err, store.ErrBroken) {
		t.Errorf("a compaction that cannot be: %v", err)
	}
	put(t, db, &thing{ID: 1, Code: "written meanwhile"})
	if err := mend(); err != nil {
		t.Fatal(err)
	}
	mustHaveFiles(t, db.Path(), 1)
	if err := db.Compact(); err != nil {
		t.Error(err)
	}
	if v := get(t, db, 1); v.Code != "written meanwhile" || get(t, db, 2).State != "a" {
		t.Errorf("%+v", v)
	}
}

// spoilName puts a folder in the file's place, which nothing can be renamed over.
func spoilName(path, aside string) error {
	return errors.Join(os.Rename(path, aside), os.MkdirAll(filepath.Join(path, "full"), 0o700))
}

func mendName(path, aside string) error {
	return errors.Join(os.RemoveAll(path), os.Rename(aside, path))
}

func TestCompactRefused(t *testing.T) {
	db := open(t)
	put(t, db, &thing{ID: 1})
	db.Break()
	if err := db.Compact(); !errors.Is(err, store.ErrBroken) {
		t.Errorf("broken: %v", err)
	}
	_ = db.Close()
	if err := db.Compact(); !errors.Is(err, store.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	o := options(schema())
	o.ReadOnly = true
	look, err := store.Open(db.Path(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer look.Close()
	if err := look.Compact(); !errors.Is(err, store.ErrReadOnly) {
		t.Errorf("read only: %v", err)
	}
}

// What a killed compaction left is gone after the next start.
func TestCompactLeftovers(t *testing.T) {
	db := open(t)
	_ = db.Close()
	if err := os.WriteFile(db.Path()+".compact-123", []byte("left"), 0o600); err != nil {
		t.Fatal(err)
	}
	again := open(t, atPath(db.Path()))
	mustHaveFiles(t, again.Path(), 1)
}

// The compacted file has the mode of the old one.
func TestCompactKeepsTheMode(t *testing.T) {
	db := open(t)
	put(t, db, &thing{ID: 1})
	if err := os.Chmod(db.Path(), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := db.Compact(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(db.Path())
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}
