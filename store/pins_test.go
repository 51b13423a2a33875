package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"goldfish/store"
	"goldfish/store/storetest"
)

// copySlowly reads the file from front to back as a slow tool would, with a change of the file after each of the
// first hundred pieces: then the reader has caught up with the growing file. The first piece is the two first pages.
func copySlowly(t *testing.T, from, to string, change func()) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var got []byte
	piece := make([]byte, 2*os.Getpagesize())
	for i := 0; ; i++ {
		n, err := in.Read(piece)
		got = append(got, piece[:n]...)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if i < 100 {
			change()
		}
	}
	if err := os.WriteFile(to, got, 0o600); err != nil {
		t.Fatal(err)
	}
}

// churn changes some rows all over the file.
func churn(t *testing.T, db *storetest.File, n int) func() {
	step := 0
	return func() {
		step++
		var rows []*thing
		for i := range 5 {
			id := store.ID((step*31+i*97)%n + 1)
			rows = append(rows, &thing{ID: id, Code: fmt.Sprintf("needle-%04d-%080d", id, step), State: "a", Tags: []string{fmt.Sprint(step % 9)}})
		}
		put(t, db, rows...)
	}
}

// copied says whether a copy of a running file is a good one.
func copied(path string, like *storetest.File) error {
	db, err := store.Open(path, options(schema()))
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetSealer(like.Ring)
	_, faults := db.Check()
	return errors.Join(faults...)
}

// A copy that reads the file while each of its pages is overwritten in turn is good, as often as it is made;
// without the window none is.
func TestSlowCopyOfAChangingFile(t *testing.T) {
	for window, good := range map[time.Duration]int{0: 5, -1: 0} {
		db := openWith(t, func(o *store.Options) { o.Window = window })
		fillThings(t, db, 300)
		change := churn(t, db, 300)
		sound := 0
		for i := range 5 {
			path := filepath.Join(t.TempDir(), fmt.Sprint(i))
			copySlowly(t, db.Path(), path, change)
			if err := copied(path, db); err == nil {
				sound++
			} else if good > 0 {
				t.Errorf("copy %d: %v", i, err)
			}
		}
		if sound != good {
			t.Errorf("window %v: %d good copies of 5, want %d", window, sound, good)
		}
		if c := db.Copying(); c.Gaps != 0 || (c.Window > 0) != (window >= 0) {
			t.Errorf("window %v: %+v", window, c)
		}
	}
}

func fillThings(t testing.TB, db *storetest.File, n int) {
	t.Helper()
	var rows []*thing
	for i := range n {
		rows = append(rows, &thing{ID: store.ID(i + 1), Code: fmt.Sprintf("needle-%04d-%080d", i+1, 0), State: "a", Tags: []string{"x"}})
	}
	put(t, db, rows...)
}

// openWith opens a file with changed options.
func openWith(t testing.TB, set func(*store.Options)) *storetest.File {
	t.Helper()
	return open(t, storetest.With(set))
}

// A state is kept until it has been a past one for as long as the window, however long it was the present one.
func TestPinsByAge(t *testing.T) {
	clock := storetest.NewClock(storetest.Start)
	db := openWith(t, func(o *store.Options) { o.Window = 10 * time.Second })
	db.PinClock(clock.Now)
	want := func(pins int) {
		t.Helper()
		c := db.Copying()
		if c.Pins != pins || c.Wanted != 10*time.Second || c.Window != c.Wanted || c.Gaps != 0 || (c.Bytes > 0) != (pins > 1) {
			t.Errorf("%+v, want %d pins", c, pins)
		}
	}
	want(0)
	put(t, db, &thing{ID: 1})
	want(2) // the state before the first change, too
	clock.Advance(time.Hour)
	put(t, db, &thing{ID: 2})
	want(2) // the one that was present for an hour is past since now
	clock.Advance(9 * time.Second)
	put(t, db, &thing{ID: 3})
	want(3)
	clock.Advance(2 * time.Second)
	put(t, db, &thing{ID: 4})
	want(3)
}

// Many commits in a moment shorten the window, which says so, and later it is as long as before.
func TestPinsByNumber(t *testing.T) {
	clock := storetest.NewClock(storetest.Start)
	db := open(t)
	db.PinClock(clock.Now)
	for range 1500 {
		clock.Advance(time.Millisecond)
		put(t, db, &thing{ID: 1})
	}
	if c := db.Copying(); c.Pins != 1000 || c.Wanted != time.Minute || c.Window < 900*time.Millisecond || c.Window > 1100*time.Millisecond {
		t.Errorf("%+v", c)
	}
	clock.Advance(2 * time.Minute)
	put(t, db, &thing{ID: 1})
	if c := db.Copying(); c.Pins != 2 || c.Window != time.Minute {
		t.Errorf("%+v", c)
	}
}

func TestPinsByBytes(t *testing.T) {
	clock := storetest.NewClock(storetest.Start)
	db := open(t)
	db.PinClock(clock.Now)
	tags := []string{strings.Repeat("x", 30_000)}
	for range 90 {
		clock.Advance(10 * time.Millisecond)
		var rows []*thing
		for i := range 60 {
			rows = append(rows, &thing{ID: store.ID(i + 1), Tags: tags})
		}
		put(t, db, rows...)
	}
	c := db.Copying()
	if c.Bytes > 128<<20 || c.Bytes < 100<<20 || c.Pins > 80 || c.Window > time.Second || c.Window < 300*time.Millisecond {
		t.Errorf("%+v", c)
	}
	if size := db.Size(); size > 200<<20 {
		t.Errorf("the file has grown to %d bytes", size)
	}
}

// Once nobody writes any more, the past states are let go and Close does not wait for the present one.
func TestPinsOfAQuietFile(t *testing.T) {
	db := openWith(t, func(o *store.Options) { o.Window = 20 * time.Millisecond })
	for i := range 10 {
		put(t, db, &thing{ID: store.ID(i + 1)})
	}
	until(t, func() bool { return db.Copying().Pins == 1 })
	if c := db.Copying(); c.Bytes != 0 || c.Gaps != 0 {
		t.Errorf("%+v", c)
	}
}

// until waits for a condition that others bring about.
func until(t *testing.T, condition func() bool) {
	t.Helper()
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for deadline := time.After(time.Minute); !condition(); {
		select {
		case <-look.C:
		case <-deadline:
			t.Fatal("waited in vain")
		}
	}
}

// A file that outgrows its map again and again, while readers come and go: the writer waits for the pins, which
// are dropped, and says so.
func TestMapGrowsUnderPins(t *testing.T) {
	var said lockedBuffer
	db := openWith(t, func(o *store.Options) {
		o.Log = slog.New(slog.NewTextHandler(&said, nil))
		store.SmallMap(o)
	})
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					_ = db.View(func(tx *store.Tx) error { _, err := things.Get(tx, store.ID(1).Key()); return err })
				}
			}
		})
	}
	size := db.Size()
	for i := 0; db.Size() < 64*size; i++ {
		put(t, db, &thing{ID: store.ID(i + 1), Tags: []string{strings.Repeat("x", 10_000)}})
	}
	close(done)
	readers.Wait()
	c := db.Copying()
	if c.Gaps < 3 || c.Pins < 1 {
		t.Errorf("%+v", c)
	}
	if n := strings.Count(said.String(), "mapped anew"); n != int(c.Gaps) {
		t.Errorf("%d gaps, said %d times", c.Gaps, n)
	}
	t.Logf("%d gaps", c.Gaps)
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
