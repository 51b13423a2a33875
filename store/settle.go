package store

import (
	"errors"
	"fmt"
	"path/filepath"
)

// settle brings the state that Open found to the disk for certain, before anything is written after it. What is read
// from a file need not be on the disk: its last writer may have been killed before its last sync, or that sync may
// have failed, after which the kernel takes the page for written and no later sync brings it there. The next commit
// reuses pages that only the state before still needs, so a power cut in the middle of it would leave neither. The
// pages of a state are synced before its meta page is written, so the meta page alone is written once more. So it is
// with the name: a compacted file that got it just before may else lose it again, with all that follows.
func (db *DB) settle() error {
	if db.settled.Load() || db.opts.ReadOnly {
		return nil
	}
	file, states := db.body.Load().file, metas(db.body.Load().file)
	if len(states) == 0 {
		return fmt.Errorf("%w: %s has lost its first pages", ErrDamaged, db.path)
	}
	m := states[0]
	page := make([]byte, m.pageSize)
	at := int64(m.txid%2) * int64(m.pageSize)
	if _, err := file.ReadAt(page, at); err != nil {
		return err
	}
	_, err := file.WriteAt(page, at)
	if err = errors.Join(err, file.Sync(), syncDir(filepath.Dir(db.path))); err != nil {
		return fmt.Errorf("store: the file's state could not be brought to the disk: %w", err)
	}
	db.settled.Store(true)
	return nil
}
