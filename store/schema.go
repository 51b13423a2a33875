package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/google/uuid"
	bolt "go.etcd.io/bbolt"
)

const metaBucket = "meta"

// create makes the file under another name, syncs it and gives it its own: making a file is the one moment at
// which a power cut could leave something that does not open. Of two processes that do it at once, one's
// file stays and both open that.
func create(path string, opts *Options) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	tmp, err := scratch(path, "new")
	if err != nil {
		return err
	}
	bdb, err := bolt.Open(tmp, 0o600, &bolt.Options{Timeout: time.Second, FreelistType: bolt.FreelistArrayType})
	if err == nil {
		err = bdb.Update(func(btx *bolt.Tx) error {
			tx := &Tx{db: &DB{opts: *opts}, bolt: btx, Now: opts.Clock(), writable: true}
			return tx.initialise(opts)
		})
		err = errors.Join(err, bdb.Close())
	}
	if err != nil {
		_ = os.Remove(tmp)
		return err
	}
	if err := publish(tmp, path); !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
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

// buckets names all buckets of the file.
func (s *Schema) buckets() []string {
	names := []string{metaBucket, countBucket}
	for _, t := range s.Tables {
		names = append(names, t.buckets()...)
	}
	return names
}

// valid finds two tables or indexes that would share a bucket, and names that would blur a value's place.
func (s *Schema) valid() error {
	seen := map[string]bool{}
	for _, name := range s.buckets() {
		if name == "" || strings.ContainsRune(name, 0) || seen[name] {
			return fmt.Errorf("store: the schema has a bad or a second bucket %q", name)
		}
		seen[name] = true
	}
	return nil
}

func (tx *Tx) ensureBuckets(s *Schema) error {
	for _, name := range s.buckets() {
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
	err := db.reading(func(tx *Tx) (err error) {
		version, err = tx.identity()
		if err == nil && int(version) == len(db.opts.Schema.Migrations) {
			err = tx.hasBuckets(db.opts.Schema)
		}
		return err
	})
	if err != nil {
		return err
	}
	unsettled := db.settle()
	if int(version) != len(db.opts.Schema.Migrations) {
		if db.opts.ReadOnly {
			return fmt.Errorf("%w: %s", ErrOlder, db.path)
		}
		if unsettled != nil {
			return unsettled
		}
		return db.migrate(int(version))
	}
	if unsettled != nil { // a disk that takes nothing can still be read; the first change tries again
		db.opts.Log.Warn("the file can be read but not written for now", "path", db.path, "err", unsettled)
	}
	return nil
}

// reading runs fn in a read transaction before the file is given out.
func (db *DB) reading(fn func(*Tx) error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer db.caught(&err)
	b := db.body.Load()
	return b.bolt.View(func(btx *bolt.Tx) error { return fn(&Tx{db: db, body: b, bolt: btx}) })
}

// identity reads who the file is, into db, and its schema's version.
func (tx *Tx) identity() (version uint32, err error) {
	db := tx.db
	if tx.bolt.Bucket([]byte(metaBucket)) == nil {
		return 0, fmt.Errorf("%w: %s", ErrNotOurs, db.path)
	}
	if magic, err := tx.meta("magic", 0); err != nil || string(magic) != db.opts.Schema.Magic {
		return 0, fmt.Errorf("%w: %s", ErrNotOurs, db.path)
	}
	v, err := tx.meta("version", 4)
	if err != nil {
		return 0, err
	}
	release, _ := tx.meta("release", 0)
	if version = binary.BigEndian.Uint32(v); uint64(version) > uint64(len(db.opts.Schema.Migrations)) {
		return 0, &NewerError{Path: db.path, Release: string(release)}
	}
	db.foundVersion, db.foundRelease = version, string(release)
	id, err := tx.meta("uuid", 16)
	if err != nil {
		return 0, err
	}
	own := uuid.UUID(id)
	db.uuid.Store(&own)
	e, err := tx.meta("epoch", 2)
	if err != nil {
		return 0, err
	}
	db.epoch.Store(uint32(binary.BigEndian.Uint16(e)))
	return version, nil
}

// Found is the schema's version that the file had when it was opened, before it was brought up to date, and the
// release of the program that had done that before.
func (db *DB) Found() (version int, release string) { return int(db.foundVersion), db.foundRelease }

// hasBuckets finds a table that was added to the schema without a migration, before a call runs into it.
func (tx *Tx) hasBuckets(s *Schema) error {
	for _, name := range s.buckets() {
		if tx.bolt.Bucket([]byte(name)) == nil {
			return fmt.Errorf("%w: %s has no table %q, and no migration would make it", ErrDamaged, tx.db.path, name)
		}
	}
	return nil
}

// NewerError is ErrNewer with the release that wrote the file, which is the one to use.
type NewerError struct{ Path, Release string }

func (e *NewerError) Error() string {
	return fmt.Sprintf("%v: %s was written by %s", ErrNewer, e.Path, e.Release)
}

// Is makes errors.Is(err, ErrNewer) hold.
func (e *NewerError) Is(target error) bool { return target == ErrNewer }

// NextEpoch raises the epoch by one, for good: after a restore, on another machine, or when the clock fell
// back. Ids given out from then on carry it.
func (db *DB) NextEpoch() (uint16, error) {
	return Write(db, func(tx *Tx) (uint16, error) { return tx.NextEpoch() })
}

// NextEpoch is the same as a part of a greater change. Epoch still gives the old one until the commit.
func (tx *Tx) NextEpoch() (uint16, error) {
	v, err := tx.meta("epoch", 2)
	if err != nil {
		return 0, err
	}
	next := binary.BigEndian.Uint16(v) + 1
	if next == 0 {
		return 0, errors.New("store: the file has used up its epochs")
	}
	if err := tx.change(); err != nil {
		return 0, err
	}
	tx.After(func() { tx.db.epoch.Store(uint32(next)) })
	return next, tx.putMeta("epoch", binary.BigEndian.AppendUint16(nil, next))
}
