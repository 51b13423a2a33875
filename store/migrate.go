package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	bolt "go.etcd.io/bbolt"
)

// Migration is one step of the schema. The list only grows; a step is never changed after its release, and
// each comes with a file from before and after it in testdata.
type Migration struct {
	Name string
	Up   func(tx *Tx) error
}

// migrate takes a snapshot, then runs all steps that are due in one transaction. If a step fails the file is
// as before, and the snapshot, being the same, goes.
func (db *DB) migrate(from int) error {
	tell := db.opts.Progress
	if tell == nil {
		tell = func(int64, int64) {}
	}
	half := max(db.Size(), 1) // the snapshot is one half of the work, the steps are the other
	tell(0, 2*half)
	backup, made, err := db.backup(func(bytes int64) { tell(min(bytes, half), 2*half) })
	if err != nil {
		return fmt.Errorf("store: no snapshot before the migration: %w", err)
	}
	if err := db.steps(from, func(done, total int) { tell(half+half*int64(done)/int64(total), 2*half) }); err != nil {
		if made {
			err = errors.Join(err, os.Remove(backup))
		}
		return err
	}
	return nil
}

// backup takes the snapshot under a name that is free: one of an earlier migration stays. One that holds the same,
// of an attempt that was killed, serves again: attempts without end must not fill the disk.
func (db *DB) backup(told func(bytes int64)) (path string, made bool, err error) {
	name := fmt.Sprintf("%s.before-v%d", db.path, len(db.opts.Schema.Migrations))
	if err := removeAll(name + ".part-"); err != nil {
		return "", false, err
	}
	b := db.body.Load()
	b.copying = told
	defer func() { b.copying = nil }()
	tmp, err := b.copied(name, "part", 0)
	if err != nil {
		return "", false, err
	}
	path = name
	for n := 2; ; n++ {
		same, err := sameBytes(tmp, path)
		switch {
		case same:
			return path, false, os.Remove(tmp)
		case errors.Is(err, os.ErrNotExist):
			return path, true, publish(tmp, path)
		case err != nil:
			return "", false, errors.Join(err, os.Remove(tmp))
		}
		path = fmt.Sprintf("%s-%d", name, n)
	}
}

// removeAll takes away the files whose paths begin so.
func removeAll(prefix string) error {
	all, err := os.ReadDir(filepath.Dir(prefix))
	for _, f := range all {
		if strings.HasPrefix(f.Name(), filepath.Base(prefix)) {
			err = errors.Join(err, os.Remove(filepath.Join(filepath.Dir(prefix), f.Name())))
		}
	}
	return err
}

// sameBytes compares two files. A snapshot of the same state is the same file.
func sameBytes(a, b string) (bool, error) {
	left, err := os.Open(a)
	if err != nil {
		return false, err
	}
	defer left.Close()
	right, err := os.Open(b)
	if err != nil {
		return false, err
	}
	defer right.Close()
	here, there := make([]byte, 1<<20), make([]byte, 1<<20)
	for {
		n, lerr := io.ReadFull(left, here)
		m, rerr := io.ReadFull(right, there)
		if !bytes.Equal(here[:n], there[:m]) {
			return false, nil
		}
		for _, err := range []error{lerr, rerr} {
			if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				return false, err
			}
		}
		if lerr != nil {
			return true, nil
		}
	}
}

func (db *DB) steps(from int, told func(done, total int)) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("store: a migration panicked: %v", p)
		}
	}()
	b := db.body.Load()
	due := db.opts.Schema.Migrations[from:]
	return b.bolt.Update(func(btx *bolt.Tx) error {
		tx := &Tx{db: db, body: b, bolt: btx, Now: db.opts.Clock(), writable: true}
		if err := tx.ensureBuckets(db.opts.Schema); err != nil {
			return err
		}
		for i, m := range due {
			told(i, len(due))
			if err := m.Up(tx); err != nil {
				return fmt.Errorf("store: migration %q: %w", m.Name, err)
			}
		}
		if tx.half != nil {
			return tx.half
		}
		if err := tx.flushCounts(); err != nil {
			return err
		}
		told(len(due), len(due))
		version := binary.BigEndian.AppendUint32(nil, uint32(len(db.opts.Schema.Migrations)))
		if err := tx.putMeta("version", version); err != nil {
			return err
		}
		return tx.putMeta("release", []byte(db.opts.Schema.Release))
	})
}
