package store

import (
	"encoding/binary"
	"errors"
	"hash/fnv"
	"os"
	"runtime/debug"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Snapshot writes the file's present state, compacted, to path, which must not exist (os.ErrExist). It goes
// to a temporary file first and appears under its name when the disk has it. Writers go on meanwhile.
func (db *DB) Snapshot(path string) (err error) {
	b := db.enter()
	if b == nil {
		return ErrClosed
	}
	defer b.leave()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer db.caught(&err)
	return b.snapshot(path)
}

func (b *body) snapshot(path string) error {
	if _, err := os.Lstat(path); err == nil {
		return &os.PathError{Op: "snapshot", Path: path, Err: os.ErrExist}
	}
	tmp, err := b.copied(path, "part", 0)
	if err != nil {
		return err
	}
	return publish(tmp, path)
}

// copied writes the present state, compacted and synced, to a temporary file beside path. Its last transaction
// bears the number txid, or, if that is 0, the one that came of the copying.
func (b *body) copied(path, kind string, txid uint64) (string, error) {
	tmp, err := scratch(path, kind)
	if err != nil {
		return "", err
	}
	kept := false
	defer func() { // also when a damaged page panics
		if !kept {
			_ = os.Remove(tmp)
		}
	}()
	out, err := bolt.Open(tmp, 0o600, &bolt.Options{Timeout: time.Second, FreelistType: bolt.FreelistArrayType, NoSync: true})
	if err != nil {
		return "", err
	}
	defer out.Close()
	err = b.bolt.View(func(from *bolt.Tx) error { return copyTo(out, from, b.copying) })
	if err = errors.Join(err, out.Close()); err != nil {
		return "", err
	}
	if err := oneState(tmp, txid); err != nil {
		return "", err
	}
	kept = true
	return tmp, nil
}

// oneState has both meta pages of a finished copy name its last state, takes away room that it does not use, and
// syncs the file. The state before that is a part of the copy only, which nobody must take for the file if the
// last one is damaged.
func oneState(path string, txid uint64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	states := metas(f)
	if len(states) == 0 {
		return ErrDamaged
	}
	m := states[0]
	if txid > 0 {
		m.txid = txid
	}
	before := m
	before.txid--
	for _, m := range []meta{m, before} {
		if err := m.write(f); err != nil {
			return err
		}
	}
	return errors.Join(f.Truncate(m.bytes()), f.Sync(), f.Close())
}

// write puts the meta page into its place: page 0 or 1, as the transaction's number is even or odd.
func (m meta) write(f *os.File) error {
	var b [headerLength + metaLength]byte
	le := binary.LittleEndian
	le.PutUint64(b[0:], m.txid%2)
	le.PutUint16(b[8:], metaFlag)
	p := b[headerLength:]
	le.PutUint32(p[0:], boltMagic)
	le.PutUint32(p[4:], boltVersion)
	le.PutUint32(p[8:], m.pageSize)
	le.PutUint64(p[16:], m.root)
	le.PutUint64(p[24:], m.sequence)
	le.PutUint64(p[32:], m.freelist)
	le.PutUint64(p[40:], m.size)
	le.PutUint64(p[48:], m.txid)
	sum := fnv.New64a()
	_, _ = sum.Write(p[:56])
	le.PutUint64(p[56:], sum.Sum64())
	_, err := f.WriteAt(b[:], int64(m.txid%2)*int64(m.pageSize))
	return err
}

// copyMost is how many bytes one transaction of a copy holds.
const copyMost = 16 << 20

// copyTo writes all that from sees into the empty file out, pages full. Every write is committed before from
// ends: what is put still points into its map, whose pages a writer may use anew from then on. (bbolt's own
// Compact commits its last writes after that, and so can copy what is being written.)
func copyTo(out *bolt.DB, from *bolt.Tx, told func(bytes int64)) error {
	c := copier{out: out, told: told}
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
	told func(bytes int64) // may be nil
	all  int64
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
	c.all += int64(c.size)
	c.tx, c.size = nil, 0
	if c.told != nil {
		c.told(c.all)
	}
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
