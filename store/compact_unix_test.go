//go:build unix

package store_test

import (
	"errors"
	"fmt"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"goldfish/store"
)

func init() { children["narrow"], children["stuck"] = childNarrow, childStuck }

// childNarrow compacts a file for which the disk has no room, at many bounds on the copy's length, and goes on.
func childNarrow(path string) {
	signal.Ignore(syscall.SIGXFSZ)
	db, err := store.Open(path, options(schema()))
	must(err)
	for id := store.ID(1); id <= 500; id++ {
		must(db.Update(putting(&thing{ID: id, Code: fmt.Sprintf("%0200d", id), State: "a"})))
	}
	failed := 0
	for n := range 40 {
		limitFile(uint64(1 + n*4000))
		err := db.Compact()
		limitFile(0)
		if errors.Is(err, store.ErrBroken) {
			must(err)
		}
		if err != nil {
			failed++
		}
		must(db.Update(putting(&thing{ID: store.ID(501 + n), State: "a"})))
	}
	must(db.Close())
	fmt.Println("failed", failed > 10)
}

// A disk without room for the copy leaves the file in use, and no remains.
func TestCompactOnAFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "narrow.db")
	out, err := child(t, "narrow", path).Output()
	if err != nil || string(out) != "failed true\n" {
		t.Fatalf("%v\n%s", err, out)
	}
	mustHaveFiles(t, path, 1)
	if rows := open(t, atPath(path)).MustBeSound(t); rows["things"] != 540 {
		t.Errorf("%v", rows)
	}
}

// childStuck closes a file on a disk that takes nothing any more.
func childStuck(path string) {
	signal.Ignore(syscall.SIGXFSZ)
	db, err := store.Open(path, options(schema()))
	must(err)
	for id := store.ID(1); id <= 100; id++ {
		must(db.Update(putting(&thing{ID: id, State: "a"})))
	}
	limitFile(1)
	must(db.Close())
}

// A file whose list of free pages could not be written is whole, and is merely not clean. Neither is one that
// was closed after the disk had failed.
func TestCloseOnAFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stuck.db")
	if out, err := child(t, "stuck", path).Output(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, clean := range []bool{false, true} {
		db := open(t, atPath(path))
		if rows := db.MustBeSound(t); rows["things"] != 100 || db.Clean() != clean {
			t.Errorf("%v, clean %v", rows, db.Clean())
		}
		put(t, db, &thing{ID: 1, State: "b"})
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
	broken := open(t, atPath(path))
	put(t, broken, &thing{ID: 1, State: "c"})
	broken.Break()
	if err := broken.Close(); err != nil {
		t.Error(err)
	}
	if last := open(t, atPath(path)); last.MustBeSound(t)["things"] != 100 || last.Clean() {
		t.Errorf("clean %v", last.Clean())
	}
}
