package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// ErrBusy is Compact's where the system exchanges no open file and the readers did not end in time.
var ErrBusy = errors.New("store: the file is being read and could not be exchanged")

// busyWait is how long Compact holds off new readers on such a system.
const busyWait = 5 * time.Second

// Compact rewrites the open file without its free pages and without what deleted and replaced values left in
// them. Writers wait meanwhile; readers go on (on Windows they wait while the files are exchanged). The copy is
// made beside the file, synced and checked, and then takes its name. Whoever copies the old file just then
// still reads it to the end. On an error the old file goes on as it was; only ErrBroken says that the exchange
// itself is in doubt. It must not be called from inside a View or a write function.
func (db *DB) Compact() error {
	if db.opts.ReadOnly {
		return ErrReadOnly
	}
	done := make(chan error, 1)
	db.closing.RLock()
	if db.closed {
		db.closing.RUnlock()
		return ErrClosed
	}
	db.compacts <- done
	db.closing.RUnlock()
	return <-done
}

// RoomToCompact is ErrFull if the disk has no room for the copy that Compact makes, or would have little beside it. The
// copy is as large as the pages in use.
func (db *DB) RoomToCompact() error {
	free, all, err := diskRoom(filepath.Dir(db.path))
	if err != nil {
		return nil // some network disks answer nothing of use
	}
	var used int64
	err = db.View(func(tx *Tx) error {
		stats := tx.bolt.DB().Stats()
		used = tx.bolt.Size() - int64(stats.FreePageN+stats.PendingPageN)*int64(tx.bolt.DB().Info().PageSize)
		return nil
	})
	if err == nil && free-used < lowBelow(all) {
		err = fmt.Errorf("%w: the copy needs %d bytes, %d are free", ErrFull, used, free)
	}
	return err
}

// compact is the writer's, between two commits.
func (db *DB) compact() (err error) {
	if db.broken.Load() {
		return ErrBroken
	}
	began, old, size := time.Now(), db.body.Load(), db.Size()
	defer db.caught(&err)
	tmp, err := old.rewritten(db.path)
	if err != nil {
		return err
	}
	if runtime.GOOS == "windows" || db.opts.closeToSwap {
		err = db.swapClosed(old, tmp)
	} else {
		err = db.swap(old, tmp)
	}
	if err != nil {
		_ = os.Remove(tmp)
		return err
	}
	db.opts.Log.Info("the file was compacted", "path", db.path, "before", size, "after", db.Size(), "took", time.Since(began))
	return nil
}

// rewritten makes the copy: every page and checksum of it examined, with the file's own owner and mode. Its
// transactions are numbered on from the file's, so that what was read from the one is never taken for newer
// than what the other says.
func (b *body) rewritten(path string) (string, error) {
	now, err := b.bolt.Begin(false)
	if err != nil {
		return "", err
	}
	txid := uint64(now.ID())
	_ = now.Rollback()
	tmp, err := b.copied(path, "compact", txid+2)
	if err != nil {
		return "", err
	}
	if err := errors.Join(checkCopy(tmp), b.lend(tmp)); err != nil {
		return "", errors.Join(err, os.Remove(tmp))
	}
	return tmp, nil
}

// lend gives the file at path the owner and mode of the body's.
func (b *body) lend(path string) error {
	info, err := b.file.Stat()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	return errors.Join(os.Chmod(path, info.Mode().Perm()), sameOwner(path, info), f.Sync())
}

// checkCopy examines a finished copy as far as that goes without a key.
func checkCopy(path string) error {
	f, err := openRegular(path)
	if err != nil {
		return err
	}
	defer f.Close()
	m, _, err := judge(path, f)
	if err != nil {
		return err
	}
	var bad error
	s := newStructure(f, m, 1, func(err error) { bad = errors.Join(bad, err) })
	s.value = func(bucket, key, value []byte) {
		if bad == nil && !plausible(string(bucket), key, value) {
			bad = damaged(string(bucket), key)
		}
	}
	s.walk()
	return bad
}

// swap puts the copy into the place of the open file. The copy's lock is taken before it gets the name and the
// old file's is let go after that, when its last reader has left, so that no other process can have either.
func (db *DB) swap(old *body, tmp string) error {
	next, err := openBody(tmp, &db.opts)
	if err != nil {
		return err
	}
	if err := os.Rename(tmp, db.path); err != nil {
		return errors.Join(err, next.bolt.Close())
	}
	db.exchange(old, next)
	if err := syncDir(filepath.Dir(db.path)); err != nil { // after a power cut the name may mean the old file
		db.broken.Store(true)
		return fmt.Errorf("%w: %w", ErrBroken, err)
	}
	return nil
}

// exchange sends new readers to the next body and has the old one closed behind the last of its own.
func (db *DB) exchange(old, next *body) {
	db.body.Store(next)
	db.pins.drop()
	close(old.lock().open)
	db.retired.Go(func() {
		old.drained(nil)
		if err := old.bolt.Close(); err != nil {
			db.opts.Log.Warn("the file from before the compaction could not be closed", "path", db.path, "err", err)
		}
	})
}

// swapClosed is swap where a file that is open can neither be renamed nor replaced. Between the closing and the
// opening another process might take the file; then this one has lost it.
func (db *DB) swapClosed(old *body, tmp string) error {
	g := old.lock()
	if !old.drained(time.After(busyWait)) {
		old.unlock(g)
		return ErrBusy
	}
	db.pins.drop()
	err := old.bolt.Close()
	if err == nil {
		err = os.Rename(tmp, db.path)
	}
	next, lost := openBody(db.path, &db.opts)
	if lost != nil {
		db.broken.Store(true)
		old.unlock(g) // to be told that the file is not open
		return fmt.Errorf("%w: %w", ErrBroken, errors.Join(err, lost))
	}
	db.body.Store(next)
	close(g.open)
	return err
}
