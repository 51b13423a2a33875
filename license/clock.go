package license

import (
	"errors"
	"sync"
	"time"

	"goldfish/store"
)

// Marker keeps one number of the appliance's own under a name.
type Marker struct {
	Name   string `cbor:"1,keyasint"`
	Value  int64  `cbor:"2,keyasint"`
	Losses []Loss `cbor:"3,keyasint,omitempty"` // of the epoch's mark, oldest first
	Before int64  `cbor:"4,keyasint,omitempty"` // of the hold on purges: the highest time seen before the clock jumped
}

const (
	clockMark = "clock" // the highest time that this file has signed or seen, Unix milliseconds

	clockSlack     = 10 * time.Minute    // how far the clock may fall back within an epoch
	signedAhead    = 5 * time.Minute     // how far a signed time may be above the mark in the file
	aheadRunning   = 24 * time.Hour      // a jump of the clock that is told of …
	aheadAtStart   = 30 * 24 * time.Hour // … and a pause
	codeClockBack  = "clock_back"
	codeClockAhead = "clock_ahead"
)

// clockWatch holds the clock against the highest time that devices were told (protocol §12). A client takes
// no verdict that is more than 900 s older than its last one in the same epoch; a clock that fell back by
// more than clockSlack begins an epoch. So that this holds across a crash too, nothing is signed with a time
// more than signedAhead above the file's mark: the two together are those 900 s.
type clockWatch struct {
	mu   sync.Mutex
	high int64 // the highest time seen, Unix milliseconds
	next int64 // the time above which nothing is signed before the mark is written again
}

// raiseClock notes a time that is about to be signed in an epoch, and writes the mark first if it must be. What
// began before the clock fell back raises nothing any more. A disk that takes nothing does not stop devices.
func (a *Authority) raiseClock(now time.Time, epoch uint16) {
	ms := now.UnixMilli()
	a.clock.mu.Lock()
	stale := epoch != a.db.Epoch()
	if !stale {
		a.clock.high = max(a.clock.high, ms)
	}
	done := stale || ms <= a.clock.next
	a.clock.mu.Unlock()
	if done {
		return
	}
	if err := a.keepClock(ms, epoch, false); err != nil {
		a.log.Error("the time that is signed could not be kept", "err", err)
		a.clock.mu.Lock()
		a.clock.next = ms + PresenceFlush.Milliseconds()
		a.clock.mu.Unlock()
	}
}

// keepClock writes the mark, which only rises unless fallen says otherwise.
func (a *Authority) keepClock(ms int64, epoch uint16, fallen bool) error {
	mark, err := store.Write(a.db, func(tx *store.Tx) (int64, error) {
		m, err := marks.Get(tx, []byte(clockMark))
		if isNotFound(err) {
			m, err = &Marker{Name: clockMark}, nil
		}
		switch {
		case err != nil || tx.Epoch() != epoch:
			return 0, err
		case m.Value >= ms && !fallen:
			return m.Value, nil
		}
		m.Value = ms
		return ms, marks.Put(tx, m)
	})
	if mark != 0 {
		a.clock.mu.Lock()
		a.clock.next = mark + signedAhead.Milliseconds()
		a.clock.mu.Unlock()
	}
	return err
}

// beginClock takes up the file's mark at start. A clock that is behind it begins an epoch; one far above it is
// told of, for it may be wrong.
func (a *Authority) beginClock() error {
	m, err := store.Read(a.db, func(tx *store.Tx) (*Marker, error) { return marks.Get(tx, []byte(clockMark)) })
	if isNotFound(err) {
		m, err = &Marker{Value: a.Now().UnixMilli()}, nil
	}
	if err != nil {
		return err
	}
	a.clock.high = m.Value
	return a.checkClock(aheadAtStart)
}

// CheckClock judges the clock while the program runs: one that fell back begins an epoch, one that jumped a day ahead
// holds purges. Call it regularly, from one goroutine.
func (a *Authority) CheckClock() error { return a.checkClock(aheadRunning) }

// checkClock judges the clock and writes the mark. ahead is how far it may be above the last time seen.
func (a *Authority) checkClock(ahead time.Duration) error {
	now, epoch := a.Now().UnixMilli(), a.db.Epoch()
	a.clock.mu.Lock()
	high := a.clock.high
	a.clock.high = max(high, now)
	a.clock.mu.Unlock()
	switch {
	case now < high-clockSlack.Milliseconds():
		return a.clockFellBack(now)
	case now > high+ahead.Milliseconds():
		if err := errors.Join(a.holdPurge(high), a.clockError(codeClockAhead)); err != nil {
			return err
		}
	}
	return a.keepClock(max(high, now), epoch, false)
}

// clockFellBack goes on from the present time in a new epoch, in which devices take it, and takes back what
// was done by the wrong time.
func (a *Authority) clockFellBack(now int64) error {
	epoch, err := store.Write(a.db, func(tx *store.Tx) (uint16, error) { return nextEpoch(tx, 0, false) })
	if err != nil {
		return err
	}
	a.clock.mu.Lock()
	a.clock.high = now
	a.clock.mu.Unlock()
	a.presence.resetTime(now)
	if err := errors.Join(a.releasePurge(), a.clockError(codeClockBack)); err != nil {
		return err
	}
	if err := a.reviveLicences(); err != nil {
		return err
	}
	return a.keepClock(now, epoch, true)
}

// clockError tells of a clock that stands otherwise than it should.
func (a *Authority) clockError(code string) error {
	a.log.Error("the clock is far from the last time that this file has seen", "code", code, "now", a.Now().UTC())
	return a.Record(System, about(SystemError, 0, 0, 0).at(LevelError).because(code))
}
