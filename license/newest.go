package license

import (
	"time"

	"goldfish/store"
	"goldfish/store/keyring"
)

// Newest is the time of the newest event in a file that is looked at without an Authority; zero for an empty log.
func Newest(db *store.DB) (time.Time, error) {
	return store.Read(db, func(tx *store.Tx) (time.Time, error) {
		seq := events.Last(tx)
		if seq == 0 {
			return time.Time{}, nil
		}
		e, err := events.Get(tx, seq)
		if err != nil {
			return time.Time{}, err
		}
		return time.UnixMilli(e.Time).UTC(), nil
	})
}

// Slots says whether a file that is looked at without an Authority holds slots that need no machine: of an owner's
// password, and of a recovery code. Errors: store.ErrNotFound for a file without a key ring.
func Slots(db *store.DB) (password, recovery bool, err error) {
	chest, err := store.Read(db, readChest)
	if err != nil {
		return false, false, err
	}
	return chest.Has(keyring.Password), chest.Has(keyring.Recovery), nil
}
