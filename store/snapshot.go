package store

import (
	"errors"
	"os"
	"runtime/debug"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Snapshot writes the file's present state, compacted, to path, which must not exist (os.ErrExist). It goes
// to a temporary file first and appears under its name when the disk has it. Writers go on meanwhile.
func (db *DB) Snapshot(path string) (err error) {
	if !db.enter() {
		return ErrClosed
	}
	defer db.leave()
	return db.compact(path)
}

func (db *DB) compact(path string) (err error) {
	if _, err := os.Lstat(path); err == nil {
		return &os.PathError{Op: "snapshot", Path: path, Err: os.ErrExist}
	}
	tmp, err := scratch(path, "part")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp)
		}
	}()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer db.caught(&err)
	out, err := bolt.Open(tmp, 0o600, &bolt.Options{Timeout: time.Second, FreelistType: bolt.FreelistArrayType, NoSync: true})
	if err != nil {
		return err
	}
	defer out.Close()
	if err := errors.Join(bolt.Compact(out, db.bolt, 16<<20), out.Sync(), out.Close()); err != nil {
		return err
	}
	return publish(tmp, path)
}
