package license

import (
	"errors"

	"goldfish/store"
)

// ErrFull is in the error of a change for which the disk has no room; nothing of it was done.
var ErrFull = store.ErrFull

// Low says whether the disk has so little room that only what matters most is written: activations and what people
// do, but no heartbeats, no refusals and no new cards, which wait.
func (a *Authority) Low() bool { return a.db.Low() }

// unlessFull is the error of a regular step whose rows wait in memory, for what a full disk is told of once, elsewhere.
func unlessFull(err error) error {
	if errors.Is(err, store.ErrFull) {
		return nil
	}
	return err
}
