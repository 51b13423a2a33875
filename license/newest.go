package license

import (
	"time"

	"goldfish/store"
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
