package license

import "goldfish/store"

const (
	purgeRows = 1000 // rows that one step looks at
	// purgeHold is the mark of a clock that jumped ahead: until somebody says that it is right, or it falls back,
	// nothing is purged by it (protocol §12).
	purgeHold = "purge.hold"
)

// purge is how far each table was looked through for rows that are too old to be kept.
type purge struct {
	bindings, traces, receipts store.ID
}

// Purge looks at the next rows of what is kept for 400 days, and takes away what is older: ended bindings,
// traces and receipts. Call it regularly, from one goroutine.
func (a *Authority) Purge() error {
	held, err := a.PurgeHeld()
	if err != nil || held != nil {
		return err
	}
	if err := purgeSlice(a, bindings, &a.purge.bindings, func(tx *store.Tx, b *Binding) bool {
		return b.Ended != 0 && old(tx.Now, b.Ended)
	}, dropBinding); err != nil {
		return err
	}
	if err := purgeSlice(a, receipts, &a.purge.receipts, func(tx *store.Tx, r *Receipt) bool {
		return old(tx.Now, max(r.Kept, r.Decided))
	}, func(tx *store.Tx, r *Receipt) error { return receipts.Delete(tx, r.ID.Key()) }); err != nil {
		return err
	}
	return purgeSlice(a, traces, &a.purge.traces, func(tx *store.Tx, t *Trace) bool { return old(tx.Now, t.Ended) },
		func(tx *store.Tx, t *Trace) error { return traces.Delete(tx, t.Binding.Key()) })
}

// purgeSlice looks at the next rows of a table, from its beginning again after its end, and drops those that are
// due in one transaction, which judges each anew.
func purgeSlice[T any](a *Authority, t *store.Table[T], after *store.ID, due func(*store.Tx, *T) bool, drop func(*store.Tx, *T) error) error {
	var keys [][]byte
	last, err := store.Read(a.db, func(tx *store.Tx) (store.ID, error) {
		keys = nil
		looked := 0
		for row, err := range t.Scan(tx, store.Range{After: after.Key()}) {
			if err != nil { // damaged: not this step's to tell
				continue
			}
			if due(tx, row) {
				keys = append(keys, t.Key(row))
			}
			if looked++; looked >= purgeRows {
				return store.IDOf(t.Key(row)), nil
			}
		}
		return 0, nil
	})
	if err != nil {
		return err
	}
	*after = last
	if len(keys) == 0 {
		return nil
	}
	return a.db.Update(func(tx *store.Tx) error {
		for _, key := range keys {
			row, err := t.Get(tx, key)
			if isNotFound(err) || err == nil && !due(tx, row) {
				continue
			}
			if err != nil {
				return err
			}
			if err := drop(tx, row); err != nil {
				return err
			}
		}
		return nil
	})
}

// PurgeHold is why nothing old is purged: the clock jumped ahead, and nobody has said that it is right.
type PurgeHold struct {
	Since int64 // what the clock showed after the jump, Unix milliseconds
	Seen  int64 // the highest time that the file had seen before it; 0: not known
}

// holdPurge keeps everything until the clock, which jumped ahead, is known to be right. seen is the highest time
// before the jump. Of several jumps that nobody has judged the first is kept, for since then nothing was purged.
func (a *Authority) holdPurge(seen int64) error {
	return a.db.Update(func(tx *store.Tx) error {
		if marks.Has(tx, []byte(purgeHold)) {
			return nil
		}
		return marks.Put(tx, &Marker{Name: purgeHold, Value: tx.Now.UnixMilli(), Before: seen})
	})
}

// PurgeHeld says why nothing is purged; nil: it goes on.
func (a *Authority) PurgeHeld() (*PurgeHold, error) {
	m, err := store.Read(a.db, func(tx *store.Tx) (*Marker, error) { return marks.Get(tx, []byte(purgeHold)) })
	if isNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &PurgeHold{Since: m.Value, Seen: m.Before}, nil
}

// ConfirmClock is the owner's word that the clock is right: what it says is old is purged again. It is recorded where
// that was in doubt.
func (a *Authority) ConfirmClock(who Actor) error {
	if err := who.Authorise(WriteFile); err != nil {
		return err
	}
	return a.db.Update(func(tx *store.Tx) error {
		if !marks.Has(tx, []byte(purgeHold)) {
			return nil
		}
		if err := marks.Delete(tx, []byte(purgeHold)); err != nil {
			return err
		}
		return record(tx, who, about(SystemSetting, 0, 0, 0).because("clock_confirmed"))
	})
}

// releasePurge goes on with it, for the clock has fallen back to where it was.
func (a *Authority) releasePurge() error {
	return a.db.Update(func(tx *store.Tx) error {
		err := marks.Delete(tx, []byte(purgeHold))
		if isNotFound(err) {
			return nil
		}
		return err
	})
}
