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
	if err := errors.Join(db.bolt.View(func(from *bolt.Tx) error { return copyTo(out, from) }), out.Sync(), out.Close()); err != nil {
		return err
	}
	return publish(tmp, path)
}

// copyMost is how many bytes one transaction of a copy holds.
const copyMost = 16 << 20

// copyTo writes all that from sees into the empty file out, pages full. Every write is committed before from
// ends: what is put still points into its map, whose pages a writer may use anew from then on. (bbolt's own
// Compact commits its last writes after that, and so can copy what is being written.)
func copyTo(out *bolt.DB, from *bolt.Tx) error {
	c := copier{out: out}
	err := from.ForEach(func(name []byte, b *bolt.Bucket) error {
		if err := c.bucket(name, b.Sequence()); err != nil {
			return err
		}
		return b.ForEach(func(k, v []byte) error { return c.put(name, k, v) })
	})
	return errors.Join(err, c.commit())
}

type copier struct {
	out  *bolt.DB
	tx   *bolt.Tx
	size int
}

// room gives the open transaction, a new one after copyMost bytes.
func (c *copier) room(bytes int) (*bolt.Tx, error) {
	if c.size+bytes > copyMost {
		if err := c.commit(); err != nil {
			return nil, err
		}
	}
	if c.tx == nil {
		tx, err := c.out.Begin(true)
		if err != nil {
			return nil, err
		}
		c.tx, c.size = tx, 0
	}
	c.size += bytes
	return c.tx, nil
}

func (c *copier) commit() error {
	if c.tx == nil {
		return nil
	}
	tx := c.tx
	c.tx, c.size = nil, 0
	return tx.Commit()
}

func (c *copier) bucket(name []byte, sequence uint64) error {
	tx, err := c.room(len(name))
	if err != nil {
		return err
	}
	b, err := tx.CreateBucket(name)
	if err != nil {
		return err
	}
	return b.SetSequence(sequence)
}

func (c *copier) put(name, k, v []byte) error {
	if v == nil {
		return damaged(string(name), k) // a bucket in a bucket: no file of ours has one
	}
	tx, err := c.room(len(k) + len(v))
	if err != nil {
		return err
	}
	b := tx.Bucket(name)
	b.FillPercent = 1
	return b.Put(k, v)
}
