package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	bolt "go.etcd.io/bbolt"
)

const metaBucket = "meta"

// Migration is one step of the schema. The list only grows; a step is never changed after its release, and
// each comes with a file from before and after it in testdata.
type Migration struct {
	Name string
	Up   func(tx *Tx) error
}

// create makes the file under another name, syncs it and renames it: making a file is the one moment at
// which a power cut could leave something that does not open.
func create(path string, opts *Options) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	tmp := path + ".new"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	bdb, err := bolt.Open(tmp, 0o600, &bolt.Options{Timeout: time.Second, FreelistType: bolt.FreelistArrayType})
	if err != nil {
		return err
	}
	err = bdb.Update(func(btx *bolt.Tx) error {
		tx := &Tx{db: &DB{opts: *opts}, bolt: btx, Now: opts.Clock(), writable: true}
		return tx.initialise(opts)
	})
	if cerr := bdb.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		_ = os.Remove(tmp)
		return err
	}
	return syncDir(dir)
}

func (tx *Tx) initialise(opts *Options) error {
	id, err := uuid.NewRandomFromReader(opts.Rand)
	if err != nil {
		return err
	}
	if err := tx.ensureBuckets(opts.Schema); err != nil {
		return err
	}
	for key, value := range map[string][]byte{
		"magic":   []byte(opts.Schema.Magic),
		"uuid":    id[:],
		"epoch":   binary.BigEndian.AppendUint16(nil, 1),
		"version": binary.BigEndian.AppendUint32(nil, uint32(len(opts.Schema.Migrations))),
		"release": []byte(opts.Schema.Release),
		"created": binary.BigEndian.AppendUint64(nil, uint64(tx.Now.UnixMilli())),
	} {
		if err := tx.putMeta(key, value); err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) ensureBuckets(s *Schema) error {
	names := []string{metaBucket, countBucket}
	for _, t := range s.Tables {
		names = append(names, t.buckets()...)
	}
	for _, name := range names {
		if _, err := tx.bolt.CreateBucketIfNotExists([]byte(name)); err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) putMeta(key string, value []byte) error {
	return tx.bucket(metaBucket).Put([]byte(key), framed(metaBucket, []byte(key), value))
}

func (tx *Tx) meta(key string, size int) ([]byte, error) {
	raw := tx.bucket(metaBucket).Get([]byte(key))
	v, err := unframed(metaBucket, []byte(key), raw)
	if err == nil && size > 0 && len(v) != size {
		err = damaged(metaBucket, []byte(key))
	}
	return v, err
}

// load checks that the file is ours and not newer, and brings an older one up to date.
func (db *DB) load() error {
	var version uint32
	err := db.bolt.View(func(btx *bolt.Tx) error {
		tx := &Tx{db: db, bolt: btx}
		if btx.Bucket([]byte(metaBucket)) == nil {
			return fmt.Errorf("%w: %s", ErrNotOurs, db.path)
		}
		magic, err := tx.meta("magic", 0)
		if err != nil || string(magic) != db.opts.Schema.Magic {
			return fmt.Errorf("%w: %s", ErrNotOurs, db.path)
		}
		v, err := tx.meta("version", 4)
		if err != nil {
			return err
		}
		if version = binary.BigEndian.Uint32(v); int(version) > len(db.opts.Schema.Migrations) {
			release, _ := tx.meta("release", 0)
			return &NewerError{Path: db.path, Release: string(release)}
		}
		id, err := tx.meta("uuid", 16)
		if err != nil {
			return err
		}
		copy(db.uuid[:], id)
		e, err := tx.meta("epoch", 2)
		if err != nil {
			return err
		}
		db.epoch.Store(uint32(binary.BigEndian.Uint16(e)))
		return nil
	})
	if err != nil || int(version) == len(db.opts.Schema.Migrations) {
		return err
	}
	return db.migrate(int(version))
}

// NewerError is ErrNewer with the release that wrote the file, which is the one to use.
type NewerError struct{ Path, Release string }

func (e *NewerError) Error() string {
	return fmt.Sprintf("%v: %s was written by %s", ErrNewer, e.Path, e.Release)
}

// Is makes errors.Is(err, ErrNewer) hold.
func (e *NewerError) Is(target error) bool { return target == ErrNewer }

// migrate takes a snapshot, then runs all steps that are due in one transaction.
func (db *DB) migrate(from int) error {
	if err := db.Snapshot(fmt.Sprintf("%s.before-v%d", db.path, len(db.opts.Schema.Migrations))); err != nil {
		return fmt.Errorf("store: no snapshot before the migration: %w", err)
	}
	return db.bolt.Update(func(btx *bolt.Tx) error {
		tx := &Tx{db: db, bolt: btx, Now: db.opts.Clock(), writable: true}
		if err := tx.ensureBuckets(db.opts.Schema); err != nil {
			return err
		}
		for _, m := range db.opts.Schema.Migrations[from:] {
			if err := m.Up(tx); err != nil {
				return fmt.Errorf("store: migration %q: %w", m.Name, err)
			}
		}
		if err := tx.flushCounts(); err != nil {
			return err
		}
		version := binary.BigEndian.AppendUint32(nil, uint32(len(db.opts.Schema.Migrations)))
		if err := tx.putMeta("version", version); err != nil {
			return err
		}
		return tx.putMeta("release", []byte(db.opts.Schema.Release))
	})
}

// NextEpoch raises the epoch by one, for good: after a restore, on another machine, or when the clock fell
// back. Ids given out from then on carry it.
func (db *DB) NextEpoch() (uint16, error) {
	next, err := Write(db, func(tx *Tx) (uint16, error) {
		e := tx.Epoch() + 1
		if err := tx.change(); err != nil {
			return 0, err
		}
		return e, tx.putMeta("epoch", binary.BigEndian.AppendUint16(nil, e))
	})
	if err == nil {
		db.epoch.Store(uint32(next))
	}
	return next, err
}

// Snapshot writes the file's present state, compacted, to path, which must not exist. It goes to a temporary
// file first and appears under its name when the disk has it. Writers go on meanwhile.
func (db *DB) Snapshot(path string) error {
	if _, err := os.Stat(path); err == nil {
		return fmt.Errorf("%w: %s", os.ErrExist, path)
	}
	tmp := path + ".part"
	_ = os.Remove(tmp)
	out, err := bolt.Open(tmp, 0o600, &bolt.Options{Timeout: time.Second, FreelistType: bolt.FreelistArrayType, NoSync: true})
	if err != nil {
		return err
	}
	err = bolt.Compact(out, db.bolt, 16<<20)
	if err == nil {
		err = out.Sync()
	}
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		_ = os.Remove(tmp)
		return err
	}
	return syncDir(filepath.Dir(path))
}

// Check reads everything: bbolt's own structure, every value's checksum or seal, and whether indexes and
// counters are exactly what the rows say. It gives the number of rows by table, and the first 100 faults.
func (db *DB) Check() (rows map[string]int, faults []error) {
	rows = map[string]int{}
	report := func(err error) {
		if len(faults) < 100 {
			faults = append(faults, err)
		}
	}
	err := db.View(func(tx *Tx) error {
		for err := range tx.bolt.Check() {
			report(err)
		}
		tx.counts = map[string]int64{}
		for _, t := range db.opts.Schema.Tables {
			rows[t.buckets()[0]] = t.check(tx, report)
		}
		tx.checkCounts(report)
		return nil
	})
	if err != nil {
		report(err)
	}
	return rows, faults
}

