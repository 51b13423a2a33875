package store

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// Salvage makes a file of the state before the last commit, which the file at path still holds in most cases:
// a copy that was cut short, or whose newest pages are damaged, is then as good as one of a moment earlier. The
// copy appears at out, which must not exist (os.ErrExist); the file itself is only read. Whether the newest
// state is damaged is for the caller to know, by ErrOlderState of Open or by Check.
//
// All pages and the checksums of all plain values are examined before, so that a file with a fault there is
// refused (ErrDamaged); the seals and what rows, indexes and counters say of one another are left to Check.
func Salvage(path, out string) error {
	f, err := openRegular(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := lockShared(path, f); err != nil {
		return err
	}
	defer releaseShared(f)
	m, err := older(path, f)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(out); err == nil {
		return &os.PathError{Op: "salvage", Path: out, Err: os.ErrExist}
	}
	tmp, err := scratch(out, "part")
	if err != nil {
		return err
	}
	if err := m.copyTo(tmp, f); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	return publish(tmp, out)
}

// salvageable says whether Salvage would succeed.
func salvageable(path string) bool {
	f, err := openRegular(path)
	if err != nil {
		return false
	}
	defer f.Close()
	_, err = older(path, f)
	return err == nil
}

// older finds the state before the newest, if it is whole.
func older(path string, f *os.File) (meta, error) {
	info, err := f.Stat()
	if err != nil {
		return meta{}, err
	}
	states := metas(f)
	if len(states) == 0 {
		return meta{}, fmt.Errorf("%w: %s", beginning(f, info.Size()), path)
	}
	if len(states) < 2 {
		return meta{}, fmt.Errorf("%w: %s has no older state", ErrDamaged, path)
	}
	m := states[1]
	if !m.fits(info.Size()) {
		return meta{}, fmt.Errorf("%w: %s has %d bytes of %d", ErrTruncated, path, info.Size(), m.bytes())
	}
	if !m.rootFits(f) {
		return meta{}, fmt.Errorf("%w: %s: its first pages make no sense", ErrDamaged, path)
	}
	var bad error
	err = m.whole(f, func(bucket, key, value []byte) {
		if bad == nil && !plausible(string(bucket), key, value) {
			bad = damaged(string(bucket), key)
		}
	})
	return m, errors.Join(err, bad)
}

// plausible judges a value as far as that goes without a key: a plain one by its checksum, a sealed one by its
// being there.
func plausible(bucket string, key, value []byte) bool {
	if len(value) > 1 && value[0] == frameSealed {
		return true
	}
	_, err := unframed(bucket, key, value)
	return err == nil
}

// copyTo writes the file's pages as of the state to path, with this state as its only one.
func (m meta) copyTo(path string, f *os.File) error {
	out, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer out.Close()
	if _, err := io.Copy(out, io.NewSectionReader(f, 0, m.bytes())); err != nil {
		return err
	}
	before := m
	before.txid--
	m.freelist, before.freelist = noFreelist, noFreelist // what is free follows from the trees
	if err := errors.Join(m.write(out), before.write(out), out.Sync()); err != nil {
		return err
	}
	return out.Close()
}
