package license

import (
	"slices"
	"time"

	"goldfish/license/verdict"
	"goldfish/store"
)

// A Loss is a step of the epoch with which the file may have lost changes: a restore, an old copy put in its
// place, a copy taken up on another machine. What was signed before the step and within the loss's time may
// name bindings that the file has no trace of (protocol §11).
type Loss struct {
	Epoch uint16 `cbor:"1,keyasint"` // that it began
	From  int64  `cbor:"2,keyasint"` // the last event that the file still had, Unix milliseconds
	To    int64  `cbor:"3,keyasint"` // when the file was taken up again, Unix milliseconds
}

const (
	epochMark = "epoch" // the newest epoch that the rules know the reason of, with the losses

	lossesKept = 64
	// traceKept is how long ended bindings are remembered, and losses too: no lease is longer.
	traceKept = 400 * 24 * time.Hour

	codeRolledBack = "file_rolled_back"
)

// covers says whether a token of an epoch and a time, in Unix seconds, was signed in what was lost.
func (l Loss) covers(epoch, iat int64) bool {
	return verdict.Lost{Epoch: int64(l.Epoch), From: l.From / 1000, To: l.To / 1000}.Covers(epoch, iat)
}

// losses are those that may still matter at the transaction's time.
func losses(tx *store.Tx) ([]Loss, error) {
	m, err := markOf(tx, epochMark)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(m.Losses, func(l Loss) bool { return old(tx.Now, l.To) }), nil
}

// old says whether something is further back than anything has to be remembered.
func old(now time.Time, at int64) bool { return at < now.Add(-traceKept).UnixMilli() }

// markOf gives a mark, an empty one where it was never written.
func markOf(tx *store.Tx, name string) (*Marker, error) {
	m, err := marks.Get(tx, []byte(name))
	if isNotFound(err) {
		return &Marker{Name: name}, nil
	}
	return m, err
}

// covered says whether some loss may have taken what was signed in an epoch at a time, in Unix seconds.
func covered(tx *store.Tx, epoch, iat int64) (bool, error) {
	lost, err := losses(tx)
	return slices.ContainsFunc(lost, func(l Loss) bool { return l.covers(epoch, iat) }), err
}

// epochNow is the file's epoch, also when this very group of changes has raised it.
func epochNow(tx *store.Tx) (int64, error) {
	m, err := markOf(tx, epochMark)
	if err != nil {
		return 0, err
	}
	return max(m.Value, int64(tx.Epoch())), nil
}

// lastEvent is the time of the newest event, 0 in a new file.
func lastEvent(tx *store.Tx) int64 {
	for _, e := range events.Before(tx, 0) {
		return e.Time
	}
	return 0
}

// nextEpoch raises the epoch to one above floor and the present one, and notes why: after a loss, which began
// with the last event in the file, or only because the clock fell back. Call it before the transaction records
// anything.
func nextEpoch(tx *store.Tx, floor uint16, lossy bool) (uint16, error) {
	next, err := tx.RaiseEpoch(floor)
	if err != nil {
		return 0, err
	}
	var lost []Loss
	if lossy {
		lost = []Loss{{Epoch: next, From: lastEvent(tx), To: tx.Now.UnixMilli()}}
	}
	return next, knowEpoch(tx, next, lost...)
}

// knowEpoch notes that the rules know an epoch, and what was lost with it.
func knowEpoch(tx *store.Tx, epoch uint16, lost ...Loss) error {
	m, err := markOf(tx, epochMark)
	if err != nil {
		return err
	}
	kept, err := losses(tx)
	if err != nil {
		return err
	}
	m.Value, m.Losses = max(m.Value, int64(epoch)), append(kept, lost...)
	m.Losses = m.Losses[max(0, len(m.Losses)-lossesKept):]
	return marks.Put(tx, m)
}

// beginEpoch finds at start that the epoch was raised by somebody else: whoever restores a file raises nothing
// but its epoch. It runs before anything is recorded and anybody is answered, so that no loss goes unnoted.
func (a *Authority) beginEpoch() error {
	var err error
	a.opened, err = store.Read(a.db, func(tx *store.Tx) (Loss, error) {
		return Loss{From: lastEvent(tx), To: tx.Now.UnixMilli()}, nil
	})
	if err != nil {
		return err
	}
	if err := a.beginOutside(); err != nil {
		return err
	}
	known, err := store.Read(a.db, func(tx *store.Tx) (bool, error) {
		m, err := markOf(tx, epochMark)
		return err == nil && m.Value >= int64(tx.Epoch()), err
	})
	if err != nil || known {
		return err
	}
	return a.db.Update(func(tx *store.Tx) error {
		if tx.Epoch() == 1 { // a new file, or one from before there was this mark
			return knowEpoch(tx, 1)
		}
		return knowEpoch(tx, tx.Epoch(), Loss{tx.Epoch(), a.opened.From, a.opened.To})
	})
}
