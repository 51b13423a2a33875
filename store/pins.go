package store

import (
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"
)

// A plain copy of the running file is good if every page that belongs to the state it began with is still
// there when it gets to it. bbolt keeps the pages of a state as long as a read transaction stands in it. So
// after each commit one is begun in the new state, a pin, and ended when the state has been a past one for
// longer than a copy takes. There must be one for every commit: a page that was made and given up between two
// pins would be used anew, though the state between them needs it.
const (
	leastWindow = time.Minute
	copySpeed   = 50 << 20 // bytes a second of a slow copy; the window is three times as long as it needs
	mostPins    = 1000     // each costs a little at the end of every transaction
	leastKept   = 128 << 20
	keptShare   = 4 // or this part of the file, if that is more
)

// pin holds one state of the file.
type pin struct {
	tx    *bolt.Tx
	since time.Time // it became the present one
	bytes int64     // the commit that made it wrote so much, and gave up about as much of the state before
}

// pins are the states that are kept. Only the writer adds to them; the watchdog may drop them all.
type pins struct {
	path  string
	log   *slog.Logger
	least time.Duration
	now   func() time.Time // only differences are used, so that a clock that is set does no harm

	mu     sync.Mutex
	queue  []pin // oldest first; the last is the present state
	kept   int64 // bytes that only past states need
	size   int64 // of the file, as of the last pin
	forced time.Time
	gaps   atomic.Int64
}

// newPins gives nil, which holds nothing, for a file that cannot be written or keeps nothing for copies.
func newPins(path string, opts *Options) *pins {
	if opts.ReadOnly || opts.Window < 0 {
		return nil
	}
	p := &pins{path: path, log: opts.Log, least: opts.Window, now: time.Now}
	if p.least == 0 {
		p.least = leastWindow
	}
	return p
}

// begin holds the present state before the first change to it.
func (p *pins) begin(bdb *bolt.DB) {
	if p == nil {
		return
	}
	p.mu.Lock()
	n := len(p.queue)
	p.mu.Unlock()
	if n == 0 {
		p.add(bdb, 0)
	}
}

// add holds the state that a commit has just made by writing so many bytes, and lets go of those that are due.
func (p *pins) add(bdb *bolt.DB, bytes int64) {
	if p == nil {
		return
	}
	tx, err := bdb.Begin(false)
	if err != nil {
		p.log.Error("the file's present state cannot be kept for a copy", "path", p.path, "err", err)
		p.drop()
		return
	}
	p.mu.Lock()
	p.size = tx.Size()
	if len(p.queue) > 0 {
		p.kept += bytes
	}
	p.queue = append(p.queue, pin{tx, p.now(), bytes})
	p.mu.Unlock()
	p.expire()
}

// expire lets go of the states that have been past ones for longer than the window, and of the oldest beyond
// what may be kept. The present state always stays.
func (p *pins) expire() {
	p.mu.Lock()
	now, n := p.now(), 0
	for ; n+1 < len(p.queue); n++ {
		old, next := now.Sub(p.queue[n+1].since) > p.wanted(), p.queue[n+1]
		if !old && p.kept <= p.most() && len(p.queue)-n <= mostPins {
			break
		}
		if !old {
			p.forced = now
		}
		p.kept -= next.bytes
	}
	gone := slices.Clone(p.queue[:n])
	p.queue = slices.Delete(p.queue, 0, n)
	p.mu.Unlock()
	for _, g := range gone {
		_ = g.tx.Rollback()
	}
}

// due is when a quiet writer should look again for states to let go; never, if there are none. Without it the
// pages of the last busy minute would stay out of use, and every reader would pass the pins as it ends, until
// somebody writes again.
func (p *pins) due() <-chan time.Time {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) < 2 {
		return nil
	}
	return time.After(p.wanted() - p.now().Sub(p.queue[1].since) + time.Millisecond)
}

// drop lets go of all states at once. Each ends in a goroutine of its own: while the writer waits for the map,
// and a new reader waits behind it with bbolt's inner lock, the end of one transaction waits for the end of
// all the others.
func (p *pins) drop() (n int) {
	if p == nil {
		return 0
	}
	p.mu.Lock()
	gone := p.queue
	p.queue, p.kept = nil, 0
	p.mu.Unlock()
	var ended sync.WaitGroup
	for _, g := range gone {
		ended.Go(func() { _ = g.tx.Rollback() })
	}
	ended.Wait()
	return len(gone)
}

// wanted is how long a past state should be kept.
func (p *pins) wanted() time.Duration {
	return max(p.least, time.Duration(3*float64(p.size)/copySpeed*float64(time.Second)))
}

// most is how many bytes may be kept for past states.
func (p *pins) most() int64 { return max(leastKept, p.size/keptShare) }

// Copying says how far the running file is safe to copy at this moment.
type Copying struct {
	// Window is how long a plain copy that begins now may take, if the file goes on changing as it does; Wanted
	// is how long it should be allowed to. It is less while the file changes so fast that the pages of its past
	// states would fill the disk. Both are 0 if nothing is kept for copies.
	Window, Wanted time.Duration
	Pins           int   // states that are kept, the present one among them
	Bytes          int64 // what the past ones keep from being used anew, at most
	Gaps           int64 // times since Open at which all were let go at once, so that copies under way may be bad
}

// Copying tells what is kept for plain copies of the running file.
func (db *DB) Copying() Copying {
	p := db.pins
	if p == nil {
		return Copying{}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	c := Copying{Wanted: p.wanted(), Pins: len(p.queue), Bytes: p.kept, Gaps: p.gaps.Load()}
	c.Window = min(c.Wanted, p.foreseen())
	return c
}

// lately is the time by which the present rate of change is judged.
const lately = 5 * time.Second

// foreseen is how long the present state would be kept at the rate of change of the last seconds.
func (p *pins) foreseen() time.Duration {
	now, n, bytes, span := p.now(), 0, int64(0), lately
	for i := len(p.queue) - 1; i > 0 && now.Sub(p.queue[i].since) <= lately; i-- {
		n++
		bytes += p.queue[i].bytes
	}
	if n > 0 && n == len(p.queue)-1 && now.Sub(p.forced) <= lately { // what was let go would have counted too
		span = now.Sub(p.queue[1].since)
	}
	room := p.wanted()
	if n > 0 {
		room = min(room, time.Duration(float64(span)*mostPins/float64(n)))
	}
	if bytes > 0 {
		room = min(room, time.Duration(float64(span)*float64(p.most())/float64(bytes)))
	}
	return room
}

const (
	stalled = 50 * time.Millisecond // a commit that lasts longer may be waiting for the map
	// A reader that is not let in for so long stands behind such a writer. Where the file is far from filling
	// its map only a long wait is believed: a busy machine or a slow disk looks the same for a while.
	patience     = 50 * time.Millisecond
	longPatience = 2 * time.Second
	nearEnd      = 64 << 20
)

// guard runs a commit and drops the pins if it waits for them: to grow its map, bbolt needs every transaction
// to end.
func (p *pins) guard(b *body, commit func() error) error {
	if p == nil {
		return commit()
	}
	over, ended := make(chan struct{}), make(chan struct{})
	timer := time.AfterFunc(stalled, func() {
		defer close(ended)
		p.watch(b, over)
	})
	defer func() {
		close(over)
		if !timer.Stop() {
			<-ended
		}
	}()
	return commit()
}

// watch asks again and again to be let in as a reader, until the commit is over.
func (p *pins) watch(b *body, over <-chan struct{}) {
	for again := true; again; {
		began, in := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(in)
			close(began)
			if tx, err := b.bolt.Begin(false); err == nil {
				_ = tx.Rollback()
			}
		}()
		<-began
		select {
		case <-in:
		case <-over:
			again = false
		case <-time.After(p.patience(b)):
			p.gap()
		}
		<-in
		select {
		case <-over:
			again = false
		case <-time.After(stalled):
		}
	}
}

func (p *pins) patience(b *body) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if mapLength(max(p.size, int64(b.mapped)))-p.size < nearEnd {
		return patience
	}
	return longPatience
}

func (p *pins) gap() {
	if n := p.drop(); n > 0 {
		p.gaps.Add(1)
		p.log.Warn("the file had to be mapped anew, and what was kept for copies of it was let go: "+
			"a plain copy that was being made at this moment may not open and should be made again", "path", p.path, "states", n)
	}
}

// mapLength is how much bbolt maps at least for a file of the size: powers of two from 32 KiB, then whole GiB.
func mapLength(size int64) int64 {
	for n := int64(32 << 10); n <= 1<<30; n <<= 1 {
		if size <= n {
			return n
		}
	}
	return (size + 1<<30 - 1) >> 30 << 30
}
