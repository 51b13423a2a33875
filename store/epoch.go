package store

import (
	"encoding/binary"
	"errors"

	"github.com/google/uuid"
)

// RaiseEpoch lifts the epoch in one step to one above both the present one and floor, together with what else
// the transaction puts, and gives it. It holds from the commit on: ids taken in this very transaction still
// carry the one before.
func (tx *Tx) RaiseEpoch(floor uint16) (uint16, error) {
	v, err := tx.meta("epoch", 2)
	if err != nil {
		return 0, err
	}
	next := max(binary.BigEndian.Uint16(v), floor) + 1
	if next == 0 {
		return 0, errors.New("store: the file has used up its epochs")
	}
	if err := tx.change(); err != nil {
		return 0, err
	}
	tx.After(func() { tx.db.epoch.Store(uint32(next)) })
	return next, tx.putMeta("epoch", binary.BigEndian.AppendUint16(nil, next))
}

// RenewUUID makes the file another appliance's, for a copy that goes on beside its original, and gives the UUID that it
// had. The new one holds from the commit on.
func (tx *Tx) RenewUUID() (was uuid.UUID, err error) {
	old, err := tx.meta("uuid", len(was))
	if err != nil {
		return was, err
	}
	id, err := uuid.NewRandomFromReader(tx.db.opts.Rand)
	if err != nil {
		return was, err
	}
	if err := tx.change(); err != nil {
		return was, err
	}
	tx.After(func() { tx.db.uuid.Store(&id) })
	return uuid.UUID(old), tx.putMeta("uuid", id[:])
}
