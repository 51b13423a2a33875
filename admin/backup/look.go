package backup

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"goldfish/license"
	"goldfish/license/fault"
	"goldfish/store"
)

const (
	mostFaults       = 100
	machineKeyLength = 32
	runningTries     = 3 // copies of a file in use, each perhaps torn by its writer
)

// look is a child's work: it judges the file of a question and does not change it. What is wrong with the file is in
// the report; an error says why nothing can be said of it.
func look(q question, tell func(done, total int64)) (*Report, error) {
	info, err := os.Stat(q.Path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %s is not a regular file", store.ErrNotOurs, q.Path)
	}
	for n := 1; ; n++ {
		r := &Report{Path: q.Path, Bytes: info.Size(), Changed: info.ModTime().UTC()}
		err := r.judge(q, tell)
		if !r.Running || n == runningTries || (err == nil && r.Good()) {
			return r, err
		}
	}
}

func (r *Report) judge(q question, tell func(done, total int64)) error {
	db, err := r.open(q)
	if serr := r.sum(q, err); serr != nil {
		if db != nil {
			_ = db.Close()
		}
		return serr
	}
	if errors.Is(err, store.ErrDamaged) || errors.Is(err, store.ErrTruncated) {
		r.wrong(err)
		return nil
	}
	if err != nil {
		return err
	}
	r.read(db, q, tell)
	if err := db.Close(); err != nil {
		r.wrong(err)
	}
	return nil
}

// wrong notes a fault; the first decides on the code.
func (r *Report) wrong(err error) {
	if r.Code == "" {
		r.Code = "file_damaged"
		if errors.Is(err, store.ErrTruncated) {
			r.Code = "file_truncated"
		}
	}
	if len(r.Faults) < mostFaults {
		r.Faults = append(r.Faults, err.Error())
	}
}

// open opens the file itself for reading or, where that cannot be, a copy: of one that is compressed, in use, or to
// be brought up to date first.
func (r *Report) open(q question) (*store.DB, error) {
	o := store.Options{Schema: license.Schema(q.Release), Clock: time.Now, Rand: rand.Reader, MustExist: true}
	packed, err := beginsPacked(q.Path)
	if err != nil {
		return nil, err
	}
	source := q.Path
	if packed {
		source = filepath.Join(q.Scratch, "unpacked.db")
		if _, err := unpack(q.Path, source); err != nil {
			return nil, err
		}
	}
	if q.Older {
		older := filepath.Join(q.Scratch, "older.db")
		if err := store.Salvage(source, older); err != nil {
			return nil, err
		}
		return store.Open(older, o)
	}
	o.ReadOnly = true
	db, err := store.Open(source, o)
	r.Running = errors.Is(err, store.ErrLocked)
	if (!r.Running || q.Place) && !errors.Is(err, store.ErrOlder) {
		return db, err
	}
	copied := filepath.Join(q.Scratch, "copy.db")
	if err := os.RemoveAll(copied); err != nil {
		return nil, err
	}
	if left, err := room(q.Scratch); err == nil && left < r.Bytes+spareRoom {
		return nil, fault.New(fault.Unavailable, "disk_full").With("path", q.Scratch)
	}
	if _, err := copyFile(source, copied); err != nil {
		return nil, err
	}
	o.ReadOnly = false
	return store.Open(copied, o)
}

// sum digests the file as it lies and compares that with what lies beside it. A wrong sum says more than what is
// wrong inside; of a file that is nothing of ours, or that is written to, there is none.
func (r *Report) sum(q question, opened error) error {
	if !q.Sum || r.Running {
		return nil
	}
	if _, err := os.Lstat(checksumPath(q.Path)); err != nil && errors.Is(opened, store.ErrNotOurs) {
		return nil
	}
	sum, err := sumFile(q.Path)
	if err != nil {
		return err
	}
	r.SHA256 = sum
	return compare(q.Path, sum)
}

// beginsPacked says whether a file is compressed, whatever it is called.
func beginsPacked(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	head := make([]byte, len(zstdMagic))
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false, err
	}
	return bytes.Equal(head[:n], zstdMagic), nil
}

// read takes everything out of an open file.
func (r *Report) read(db *store.DB, q question, tell func(done, total int64)) {
	r.Appliance, r.Epoch, r.Clean = db.UUID().String(), db.Epoch(), db.Clean()
	r.Schema, r.Release = db.Found()
	unlocked := r.unlock(db, q.Key)
	total := db.Size()
	rows, faults := db.CheckTold(func(read int64) { tell(min(read, total), total) })
	r.Rows = rows
	sealed := license.Schema(q.Release).SealedTables()
	if !unlocked {
		for _, table := range sealed {
			r.Sealed += rows[table]
		}
	}
	for _, err := range faults {
		if !errors.Is(err, store.ErrSealed) {
			r.wrong(err)
		}
	}
	var err error
	if r.Newest, err = license.Newest(db); err != nil && r.Good() {
		r.wrong(err)
	}
	if r.Seal == "" && slices.ContainsFunc(sealed, func(table string) bool { return rows[table] > 0 }) {
		r.wrong(fmt.Errorf("%w: there are sealed rows and no key ring", store.ErrDamaged))
	}
}

// unlock opens the sealed tables if the key does that. A file that was made and never opened has no key ring.
func (r *Report) unlock(db *store.DB, key []byte) bool {
	r.Seal = SealOther
	if len(key) == 0 { // nobody's: only to learn whether there is a ring
		key = make([]byte, machineKeyLength)
		_, _ = rand.Read(key)
	}
	var err error
	if r.Password, r.Recovery, err = license.Slots(db); err == nil {
		err = license.Unlock(db, key, rand.Reader)
	}
	switch {
	case err == nil:
		r.Seal = SealThis
		return true
	case errors.Is(err, store.ErrNotFound):
		r.Seal = ""
	case !errors.Is(err, license.ErrMachineKey):
		r.wrong(err)
	}
	return false
}
