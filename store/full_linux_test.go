package store_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"goldfish/store"
)

func init() { children["small disk"] = childSmallDisk }

const (
	smallDisk   = 96 << 20
	testReserve = 1 << 20
)

// onSmallDisk runs a child that has a disk of its own, of memory, mounted where nobody else sees it: as root, or in
// a user namespace.
func onSmallDisk(t *testing.T, name string) string {
	t.Helper()
	cmd := child(t, name, t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatalf("a disk of its own takes root, or user namespaces (sysctl kernel.unprivileged_userns_clone=1): %v", err)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

func mountSmallDisk(dir string) {
	must(syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""))
	must(syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+strconv.Itoa(smallDisk)))
}

// crowded is a database on a small disk, with what it was promised.
type crowded struct {
	*store.DB
	dir  string
	rows map[store.ID]bool
	next store.ID
}

func (c *crowded) open() {
	o := options(schema())
	o.Reserve = testReserve
	db, err := store.Open(filepath.Join(c.dir, "small.db"), o)
	must(err)
	db.SetSealer(noSealer{})
	c.DB = db
}

func (c *crowded) put(update func(func(*store.Tx) error) error) error {
	c.next++
	err := update(putting(&thing{ID: c.next, Code: fmt.Sprint(c.next), State: "a", Tags: []string{strings.Repeat("x", 4000)}}))
	if err == nil {
		c.rows[c.next] = true
	} else if !errors.Is(err, store.ErrFull) {
		must(fmt.Errorf("not a clean refusal: %w", err))
	}
	return err
}

// audit finds exactly what was acknowledged.
func (c *crowded) audit() {
	must(c.View(func(tx *store.Tx) error {
		n := 0
		for v, err := range things.Scan(tx, store.Range{}) {
			if err != nil || !c.rows[v.ID] {
				return fmt.Errorf("row %d is there (%w)", v.ID, err)
			}
			n++
		}
		if n != len(c.rows) {
			return fmt.Errorf("%d rows of %d acknowledged", n, len(c.rows))
		}
		return countsAgree(tx)
	}))
}

// crowd takes all room of the disk.
func crowd(path string) {
	f, err := os.Create(path)
	must(err)
	defer f.Close()
	for piece := make([]byte, 1<<20); len(piece) > 0; {
		if _, err := f.Write(piece); errors.Is(err, syscall.ENOSPC) {
			piece = piece[:len(piece)/2]
		} else {
			must(err)
		}
	}
}

// await waits for what time brings.
func await(what string, ok func() bool) {
	for deadline := time.Now().Add(30 * time.Second); !ok(); runtime.Gosched() {
		if time.Now().After(deadline) {
			must(fmt.Errorf("waited in vain for %s", what))
		}
	}
}

// childSmallDisk fills the disk again and again under a database that is written to.
func childSmallDisk(dir string) {
	mountSmallDisk(dir)
	cycles := 5
	if long() {
		cycles = 50
	}
	c := &crowded{dir: dir, rows: map[store.ID]bool{}}
	c.open()
	var inReserve int
	var slowest time.Duration
	for n := range cycles {
		filler := filepath.Join(dir, "filler")
		crowd(filler)
		inReserve += c.full(n)
		must(os.Remove(filler))
		slowest = max(slowest, c.recovers())
		if n%5 == 4 { // the file would fill the disk by itself: it never becomes smaller
			must(c.Compact())
		}
	}
	_, faults := c.Check()
	must(errors.Join(faults...))
	must(c.Close())
	fmt.Printf("%d cycles, %d changes acknowledged after the disk was full, ready again after %v at most\n", cycles, inReserve, slowest)
}

// full writes until the disk takes nothing more, and beyond. It gives how many changes the reserve has saved.
func (c *crowded) full(n int) (saved int) {
	for err := error(nil); err == nil; {
		if err = c.put(c.Update); err == nil && c.Low() {
			saved++
			if !errors.Is(c.put(c.UpdateSpare), store.ErrFull) {
				must(errors.New("a spare change was taken from the reserve"))
			}
		}
	}
	if saved == 0 || !c.Low() {
		must(fmt.Errorf("the reserve saved %d changes; low: %v", saved, c.Low()))
	}
	if _, err := os.Lstat(c.Path() + ".reserve"); !errors.Is(err, fs.ErrNotExist) {
		must(fmt.Errorf("the reserve is still there: %v", err))
	}
	for range 100 {
		_ = c.put(c.Update)
	}
	c.audit()
	if n%2 == 1 { // the file can be closed and opened on a full disk
		must(c.Close())
		c.open()
		if !c.Low() {
			must(errors.New("opened on a full disk, and not low"))
		}
		c.audit()
	}
	return saved
}

// recovers sees that all is as before once there is room, without anybody's help, and makes the rows' room free.
func (c *crowded) recovers() time.Duration {
	began := time.Now()
	if rand.IntN(2) == 0 { // also when nobody writes
		await("the reserve", func() bool { return !c.Low() })
	}
	await("a change to be taken", func() bool { return c.put(c.Update) == nil })
	await("the end of low", func() bool { return !c.Low() })
	took := time.Since(began)
	if err := c.put(c.UpdateSpare); err != nil {
		must(err)
	}
	info, err := os.Lstat(c.Path() + ".reserve")
	must(err)
	if st := info.Sys().(*syscall.Stat_t); info.Size() != testReserve || st.Blocks*512 < testReserve {
		must(fmt.Errorf("the reserve has %d bytes in %d blocks", info.Size(), st.Blocks))
	}
	c.audit()
	for part := range chunks(c.rows, 200) {
		must(c.Update(func(tx *store.Tx) error {
			for _, id := range part {
				if err := things.Delete(tx, id.Key()); err != nil {
					return err
				}
			}
			return nil
		}))
		for _, id := range part {
			delete(c.rows, id)
		}
	}
	c.audit()
	return took
}

// chunks gives the keys of a map that changes meanwhile, some at a time.
func chunks(rows map[store.ID]bool, most int) func(func([]store.ID) bool) {
	return func(yield func([]store.ID) bool) {
		for len(rows) > 0 {
			var part []store.ID
			for id := range rows {
				if part = append(part, id); len(part) == most {
					break
				}
			}
			if !yield(part) {
				return
			}
		}
	}
}

// A disk that is full refuses cleanly, keeps what was acknowledged, lets everything be read, saves essential changes
// from its reserve, and is itself again as soon as there is room.
func TestDiskFull(t *testing.T) {
	t.Log(strings.TrimSpace(onSmallDisk(t, "small disk")))
}

// A reserve that another program has cut, or that a sparse copy has emptied, is made anew.
func TestReserveIsReal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "reserve.db")
	o := options(schema())
	o.Reserve = testReserve
	reserve := path + ".reserve"
	for n, spoil := range []func() error{
		func() error { return nil },
		func() error { return os.Truncate(reserve, 0) },
		func() error { return os.Remove(reserve) },
		func() error { return errors.Join(os.Truncate(reserve, 0), os.Truncate(reserve, testReserve)) },
		func() error { return errors.Join(os.Remove(reserve), os.Symlink(path, reserve)) },
	} {
		db, err := store.Open(path, o)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(spoil(), db.Close()); err != nil {
			t.Fatal(err)
		}
		before := content(t, path)
		if db, err = store.Open(path, o); err != nil {
			t.Fatal(err)
		}
		info, err := os.Lstat(reserve)
		if err != nil || info.Size() != testReserve || info.Sys().(*syscall.Stat_t).Blocks*512 < testReserve || info.Mode() != 0o600 {
			t.Errorf("spoilt by %d: %v %v", n, info, err)
		}
		unchanged(t, path, before)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
