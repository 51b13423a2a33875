//go:build unix

package store_test

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"goldfish/store"
)

func init() { children["full"] = childFull }

// limitFile bounds how long this process may make a file; 0 lifts that.
func limitFile(bytes uint64) {
	var l syscall.Rlimit
	must(syscall.Getrlimit(syscall.RLIMIT_FSIZE, &l))
	l.Cur = bytes
	if bytes == 0 {
		l.Cur = l.Max
	}
	must(syscall.Setrlimit(syscall.RLIMIT_FSIZE, &l))
}

// childFull runs a file into a full disk (a bound on its length, which fails in the same calls) several
// times: the write fails cleanly, what was there can be read, small changes go on failing or succeed, and
// after room is made all goes on.
func childFull(path string) {
	signal.Ignore(syscall.SIGXFSZ)
	db, err := store.Open(path, options(schema()))
	must(err)
	put := func(id store.ID) error {
		return db.Update(putting(&thing{ID: id, Code: fmt.Sprintf("%d", id), State: "a", Tags: []string{strings.Repeat("x", 4000)}}))
	}
	last := store.ID(0)
	for range 5 {
		limitFile(uint64(db.Size()) + 10_000)
		for err = nil; err == nil; {
			if err = put(last + 1); err == nil {
				last++
			}
		}
		for range 3 {
			if again := put(last + 1); again == nil {
				last++
			} else if errors.Is(again, store.ErrBroken) || errors.Is(again, store.ErrClosed) {
				must(again)
			}
		}
		fmt.Println(err)
		must(db.View(func(tx *store.Tx) error {
			for id := store.ID(1); id <= last; id++ {
				if _, err := things.Get(tx, id.Key()); err != nil {
					return err
				}
			}
			if things.Has(tx, (last + 1).Key()) {
				return errors.New("a change that failed is there")
			}
			return countsAgree(tx)
		}))
		if err := db.Snapshot(path + ".copy"); err == nil {
			must(os.Remove(path + ".copy"))
		}
		limitFile(0)
		must(put(last + 1))
		last++
	}
	db.SetSealer(noSealer{})
	if _, faults := db.Check(); len(faults) > 0 {
		must(faults[0])
	}
	must(db.Close())
	fmt.Println("rows", uint64(last))
}

// A bound on the length of a file fails in the same calls as a full disk.
func TestFileLengthBound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "full.db")
	out, err := child(t, "full", path).Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	db := open(t, atPath(path))
	rows := db.MustBeSound(t)
	if want := fmt.Sprintf("rows %d", rows["things"]); lines[len(lines)-1] != want || rows["things"] < 50 {
		t.Errorf("%s, the file has %s", lines[len(lines)-1], want)
	}
	mustHaveFiles(t, path, 1)
}
