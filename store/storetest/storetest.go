// Package storetest gives tests a real database in a temporary folder, with a clock that they set.
package storetest

import (
	crand "crypto/rand"
	"io"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"goldfish/store"
	"goldfish/store/keyring"
)

// Start is the time at which a Clock of Open stands at first: a Monday noon in UTC, outside every daylight
// saving change.
var Start = time.Date(2026, time.June, 1, 12, 0, 0, 0, time.UTC)

// Clock stands still until it is moved. It is safe for concurrent use; the zero value stands at the zero time.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock gives a clock that stands at now.
func NewClock(now time.Time) *Clock { return &Clock{now: now} }

// Now is the time at which the clock stands. The method value fits store.Options.Clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Set moves the clock to now, also backwards.
func (c *Clock) Set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}

// Advance moves the clock by d and gives the new time.
func (c *Clock) Advance(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return c.now
}

// Seeded gives the same endless random bytes for the same seed; it is safe for concurrent use, and never
// repeats itself, so that nonces drawn from it differ. It is for tests alone: the bytes can be foretold.
func Seeded(seed byte) io.Reader {
	return &stream{src: rand.NewChaCha8([32]byte{seed})}
}

type stream struct {
	mu  sync.Mutex
	src *rand.ChaCha8
}

func (s *stream) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.src.Read(p)
}

// File is an open database with what it was opened with.
type File struct {
	*store.DB
	Clock *Clock
	Rand  io.Reader
	Ring  *keyring.Ring // its sealer
	Root  *keyring.Root // nil after WithRing
}

type settings struct {
	opts   store.Options
	path   string
	clock  *Clock
	ring   *keyring.Ring
	sealed bool
}

// An Option changes how Open opens.
type Option func(*settings)

// WithRand takes randomness from r instead of the machine, e.g. from Seeded.
func WithRand(r io.Reader) Option { return func(s *settings) { s.opts.Rand = r } }

// WithClock shares a clock instead of making one that stands at Start.
func WithClock(c *Clock) Option { return func(s *settings) { s.clock = c } }

// WithPath opens the file at path instead of one in a new folder.
func WithPath(path string) Option { return func(s *settings) { s.path = path } }

// WithCache gives the row cache so many bytes; the default is 1 MiB, 0 turns it off.
func WithCache(bytes int64) Option { return func(s *settings) { s.opts.CacheBytes = bytes } }

// With changes what the file is opened with in any other way.
func With(set func(*store.Options)) Option { return func(s *settings) { set(&s.opts) } }

// WithLog sends the store's log to l instead of nowhere.
func WithLog(l *slog.Logger) Option { return func(s *settings) { s.opts.Log = l } }

// WithRing seals by r instead of a fresh ring: for a file that is opened again.
func WithRing(r *keyring.Ring) Option { return func(s *settings) { s.ring = r } }

// Locked opens the file without its sealer: sealed tables answer store.ErrSealed until SetSealer.
func Locked() Option { return func(s *settings) { s.sealed = true } }

// Open opens a new database, sealed by a fresh key ring, its clock standing at Start. At the test's end the
// file is closed, after Check has found no fault in it; a test that damages its file closes it itself.
func Open(t testing.TB, schema *store.Schema, options ...Option) *File {
	t.Helper()
	s := settings{opts: store.Options{Schema: schema, Rand: crand.Reader, CacheBytes: 1 << 20}, clock: NewClock(Start)}
	for _, o := range options {
		o(&s)
	}
	if s.path == "" {
		s.path = filepath.Join(t.TempDir(), "test.db")
	}
	s.opts.Clock = s.clock.Now
	db, err := store.Open(s.path, s.opts)
	if err != nil {
		t.Fatal(err)
	}
	f := &File{DB: db, Clock: s.clock, Rand: s.opts.Rand, Ring: s.ring}
	t.Cleanup(func() { f.end(t) })
	if f.Ring == nil {
		if f.Ring, f.Root, err = keyring.New(f.Rand); err != nil {
			t.Fatal(err)
		}
	}
	if !s.sealed {
		db.SetSealer(f.Ring)
	}
	return f
}

// end leaves a file alone that the test has closed.
func (f *File) end(t testing.TB) {
	t.Helper()
	if f.Closed() {
		return
	}
	f.MustBeSound(t)
	if err := f.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// MustBeSound fails the test if Check finds a fault, and gives the number of rows by table.
func (f *File) MustBeSound(t testing.TB) map[string]int {
	t.Helper()
	rows, faults := f.Check()
	for _, fault := range faults {
		t.Errorf("check: %v", fault)
	}
	return rows
}
