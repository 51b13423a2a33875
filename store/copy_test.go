package store_test

import (
	"context"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"goldfish/store"
	"goldfish/store/keyring"
	"goldfish/store/storetest"
)

func init() { children["audit"] = childAudit }

// tools copy a file as people do. Each names the program and its arguments.
var tools = map[string]func(from, to string) [][]string{
	"cp": func(from, to string) [][]string { return [][]string{{"cp", from, to}} },
	"tar": func(from, to string) [][]string {
		return [][]string{
			{"tar", "-C", filepath.Dir(from), "-cf", to + ".tar", filepath.Base(from)},
			{"tar", "-C", filepath.Dir(to), "-xf", to + ".tar", "--transform", "s/.*/" + filepath.Base(to) + "/"},
		}
	},
	"rsync": func(from, to string) [][]string { return [][]string{{"rsync", from, to}} },
	"shutil": func(from, to string) [][]string {
		return [][]string{{"python3", "-c", "import shutil, sys; shutil.copyfile(sys.argv[1], sys.argv[2])", from, to}}
	},
}

var (
	toolNames = []string{"cp", "tar", "rsync", "shutil"}
	copyRates = map[string]time.Duration{"5/s": time.Second / 5, "100/s": time.Second / 100, "flat out": 0}
)

// copyRing is the same in every process.
func copyRing() *keyring.Ring {
	ring, _, err := keyring.New(storetest.Seeded(9))
	if err != nil {
		panic(err)
	}
	return ring
}

// copySource is a file that is being written to while it is copied.
type copySource struct {
	*storetest.File
	rows    int
	padding string
}

// newCopySource makes a file that is about as long as wanted, of rows of 12 kB.
func newCopySource(t testing.TB, bytes int, set func(*store.Options)) *copySource {
	t.Helper()
	s := &copySource{File: open(t, storetest.WithRing(copyRing()), storetest.With(set)), rows: bytes / 12_000}
	s.padding = strings.Repeat("x", 11_000)
	for at := 0; at < s.rows; at += 200 {
		err := s.Update(func(tx *store.Tx) error {
			for id := at + 1; id <= min(at+200, s.rows); id++ {
				if err := s.row(tx, store.ID(id), 0); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Compact(); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *copySource) row(tx *store.Tx, id store.ID, version uint64) error {
	_, err := events.Append(tx, &event{Op: int(id)})
	return errors.Join(err,
		things.Put(tx, &thing{ID: id, Code: fmt.Sprintf("%d-%d", id, version), Group: byte(version), State: "a", Version: version}),
		secrets.Put(tx, &secret{ID: id, Code: fmt.Sprintf("%d-%d-%s", id, version, s.padding)}))
}

// write changes rows at the rate until done is closed.
func (s *copySource) write(t *testing.T, every time.Duration, done <-chan struct{}) {
	var tick <-chan time.Time
	if every > 0 {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		tick = ticker.C
	} else {
		always := make(chan time.Time)
		close(always)
		tick = always
	}
	for version := uint64(1); ; version++ {
		select {
		case <-done:
			return
		case <-tick:
		}
		id := store.ID(mrand.IntN(s.rows) + 1)
		if err := s.Update(func(tx *store.Tx) error { return s.row(tx, id, version) }); err != nil {
			t.Error(err)
			return
		}
	}
}

func (s *copySource) lastEvent(t *testing.T) uint64 {
	t.Helper()
	last, err := store.Read(s.DB, func(tx *store.Tx) (uint64, error) { return events.Last(tx), nil })
	if err != nil {
		t.Fatal(err)
	}
	return last
}

// childAudit opens a copy, or what can be salvaged of it, checks everything in it and names its last log row.
func childAudit(path string) {
	how := "as it was"
	db, err := store.Open(path, options(schema()))
	if errors.Is(err, store.ErrOlderState) {
		must(store.Salvage(path, path+".saved"))
		how = "salvaged"
		db, err = store.Open(path+".saved", options(schema()))
	}
	must(err)
	db.SetSealer(copyRing())
	_, faults := db.Check()
	must(errors.Join(faults...))
	must(db.View(func(tx *store.Tx) error { fmt.Println(events.Last(tx), how); return nil }))
	must(db.Close())
}

// copyOutcome is what became of one copy.
type copyOutcome struct {
	err      error
	salvaged bool
	commits  int64 // while it was made
	took     time.Duration
	window   time.Duration // when it began
}

// copyWith copies the file by a tool and has a child process audit the copy. It must hold a state that the file
// had while it was copied.
func (s *copySource) copyWith(t *testing.T, tool string) (o copyOutcome) {
	t.Helper()
	dir := t.TempDir()
	defer os.RemoveAll(dir)
	to := filepath.Join(dir, "copy.db")
	least, commits, began := s.lastEvent(t), s.Stats().Commits.Load(), time.Now()
	o.window = s.Copying().Window
	for _, words := range tools[tool](s.Path(), to) {
		out, err := exec.Command(words[0], words[1:]...).CombinedOutput()
		var exit *exec.ExitError
		if changed := errors.As(err, &exit) && exit.ExitCode() == 1 && strings.Contains(string(out), "changed as we read it"); err != nil && !changed {
			t.Fatalf("%v: %v\n%s", words, err, out)
		}
		if o.took == 0 {
			o.took, o.commits = time.Since(began), s.Stats().Commits.Load()-commits
		}
	}
	most := s.lastEvent(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := child(t, "audit", to)
	self := exec.CommandContext(ctx, cmd.Path)
	self.Env = cmd.Env
	var said strings.Builder
	self.Stdout, self.Stderr = &said, &said
	if err := self.Run(); err != nil {
		o.err = fmt.Errorf("%w: %.300s", err, said.String())
		return o
	}
	var last uint64
	if _, err := fmt.Sscan(said.String(), &last); err != nil || last < least || last > most {
		o.err = fmt.Errorf("the copy ends with row %d, the file had %d to %d: %w", last, least, most, err)
	}
	o.salvaged = strings.Contains(said.String(), "salvaged")
	return o
}

// copyTally counts copies of one kind.
type copyTally struct{ good, salvaged, bad, void int }

// tally makes n copies while the file is written to. A copy that took longer than the window was when it began
// is outside of what is promised, and made again.
func (s *copySource) tally(t *testing.T, tool, rate string, n int) (c copyTally) {
	t.Helper()
	done := make(chan struct{})
	var writers sync.WaitGroup
	writers.Go(func() { s.write(t, copyRates[rate], done) })
	defer writers.Wait()
	defer close(done)
	commits := s.Stats().Commits.Load()
	until(t, func() bool { return s.Stats().Commits.Load() > commits })
	for c.good+c.bad < n && c.void <= n+3 {
		o := s.copyWith(t, tool)
		switch plain := s.Copying().Wanted == 0; {
		case o.took > o.window && !plain:
			c.void++
			t.Logf("void: %s, %s: took %v of %v, %v", tool, rate, o.took, o.window, o.err)
		case o.err != nil:
			c.bad++
			if !plain {
				t.Errorf("%s, %s: after %v and %d commits, window %v: %v; %+v", tool, rate, o.took, o.commits, o.window, o.err, s.Copying())
			}
		default:
			c.good++
			if o.salvaged {
				c.salvaged++
			}
		}
	}
	return c
}

const (
	smallCopy = 8 << 20
	largeCopy = 95 << 20
)

// Plain copies of the running file, by the tools that people use, are good. GOLDFISH_LONG makes it 312 of them.
func TestCopies(t *testing.T) {
	long := os.Getenv("GOLDFISH_LONG") != ""
	for _, bytes := range []int{smallCopy, largeCopy} {
		s := newCopySource(t, bytes, func(*store.Options) {})
		t.Logf("%d MB wanted, %d MB", bytes>>20, s.Size()>>20)
		for _, rate := range []string{"5/s", "100/s", "flat out"} {
			for _, tool := range toolNames {
				n := 1
				if long {
					n = 13
				} else if bytes == largeCopy && rate == "5/s" {
					continue
				}
				c := s.tally(t, tool, rate, n)
				t.Logf("%3d MB, %8s, %6s: %d good (%d of them salvaged), %d bad, %d void", bytes>>20, rate, tool, c.good, c.salvaged, c.bad, c.void)
				if c.good < n {
					t.Errorf("%d good copies of %d", c.good, n)
				}
			}
		}
		t.Logf("%d MB now %d MB; %+v", bytes>>20, s.Size()>>20, s.Copying())
	}
}

// The same copies of a file that bbolt writes by itself, to show what the window is for.
func TestCopiesOfPlainBolt(t *testing.T) {
	n := 1
	if os.Getenv("GOLDFISH_LONG") != "" {
		n = 10
	}
	s, bad := newCopySource(t, largeCopy, store.Plain), 0
	for _, tool := range toolNames {
		if o := s.copyWith(t, tool); o.err != nil {
			t.Errorf("%s: a copy of a file at rest: %v", tool, o.err)
		}
	}
	for _, rate := range []string{"100/s", "flat out"} {
		for _, tool := range toolNames {
			c := s.tally(t, tool, rate, n)
			bad += c.bad
			t.Logf("plain bbolt, %8s, %6s: %d good (%d of them salvaged), %d bad", rate, tool, c.good, c.salvaged, c.bad)
		}
	}
	if bad == 0 {
		t.Error("no copy of a plain file was bad: the others prove nothing")
	}
}
