package license

import (
	"errors"
	"strconv"
	"sync"
	"time"

	"goldfish/store"
)

const (
	compactMark  = "compact"        // that the file is to be compacted: the time of the last wish
	compactSmall = 32 << 20         // bytes up to which it is done at once
	compactQuiet = 5 * time.Second  // without a commit, before it is done
	compactLate  = time.Hour        // after which it is done all the same
	compactAgain = 10 * time.Minute // after one that failed
)

// wishCompaction has the file compacted soon, so that what was taken out of it is not left in its free pages. It is a
// part of the change that took it out.
func wishCompaction(tx *store.Tx) error {
	m, err := marks.Get(tx, []byte(compactMark))
	if isNotFound(err) {
		m, err = &Marker{Name: compactMark}, nil
	}
	if err != nil {
		return err
	}
	m.Value = max(m.Value+1, tx.Now.UnixMilli()) // each wish is another
	return marks.Put(tx, m)
}

// idleWatch waits for a quiet moment. It belongs to the goroutine of Run.
type idleWatch struct {
	mu      sync.Mutex
	seen    time.Time // when the wish was first seen
	commits int64
	since   time.Time // since when there was no other commit
	after   time.Time // not before
}

// ripe says whether to compact now.
func (w *idleWatch) ripe(now time.Time, commits, bytes int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seen.IsZero() || now.Before(w.seen) {
		w.seen = now
	}
	if commits != w.commits || w.since.IsZero() || now.Before(w.since) {
		w.commits, w.since = commits, now
	}
	if now.Before(w.after) {
		return false
	}
	return bytes <= compactSmall || now.Sub(w.since) >= compactQuiet || now.Sub(w.seen) >= compactLate
}

func (w *idleWatch) done(now time.Time, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen, w.after = time.Time{}, time.Time{}
	if err != nil {
		w.after = now.Add(compactAgain)
	}
}

// CompactIfWished compacts the file when something was taken out of it that must not stay in its free pages, in a quiet
// moment: within seconds in a small file, after an hour at the latest.
func (a *Authority) CompactIfWished() error {
	_, err := store.Read(a.db, func(tx *store.Tx) (*Marker, error) { return marks.Get(tx, []byte(compactMark)) })
	if isNotFound(err) {
		return nil
	}
	if err != nil || !a.idle.ripe(a.Now(), a.db.Stats().Commits.Load(), a.db.Size()) {
		return err
	}
	err = a.compactUnasked()
	a.idle.done(a.Now(), err)
	return err
}

// compactUnasked is compact where nobody waits for what comes of it: a failure is recorded, too.
func (a *Authority) compactUnasked() error {
	err := a.compact(System)
	if err == nil || errors.Is(err, store.ErrClosed) || errors.Is(err, store.ErrFull) {
		return err
	}
	return errors.Join(err, a.Record(System, about(SystemError, 0, 0, 0).at(LevelError).because("compact_failed")))
}

// Compacting says whether the file is being compacted, so that changes wait.
func (a *Authority) Compacting() bool { return a.compacts.Load() > 0 }

// Compact compacts the open file; calls wait as long as it takes. It is recorded when it begins and when it is done.
func (a *Authority) Compact(who Actor) error {
	if err := who.Authorise(WriteFile); err != nil {
		return err
	}
	return a.compact(who)
}

// compact leaves a wish that came meanwhile standing. Where the disk has no room for it nothing is begun or announced.
func (a *Authority) compact(who Actor) error {
	if err := a.db.RoomToCompact(); err != nil {
		return err
	}
	wish := func(tx *store.Tx) (int64, error) {
		m, err := marks.Get(tx, []byte(compactMark))
		if isNotFound(err) {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		return m.Value, nil
	}
	wished, err := store.Read(a.db, wish)
	if err != nil {
		return err
	}
	a.compacts.Add(1)
	defer a.compacts.Add(-1)
	before := a.db.Size()
	if err := a.Record(who, about(SystemCompacting, 0, 0, 0).with("bytes", strconv.FormatInt(before, 10))); err != nil {
		return err
	}
	if err := a.db.Compact(); err != nil {
		return err
	}
	after := a.db.Size()
	return a.db.Update(func(tx *store.Tx) error {
		now, err := wish(tx)
		if err != nil {
			return err
		}
		if now == wished && now != 0 {
			if err := marks.Delete(tx, []byte(compactMark)); err != nil {
				return err
			}
		}
		e := about(SystemCompacted, 0, 0, 0).with("before", strconv.FormatInt(before, 10)).with("bytes", strconv.FormatInt(after, 10))
		return record(tx, who, e)
	})
}
