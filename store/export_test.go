package store

import (
	"bytes"
	"time"
)

// Queued is how many functions wait for the next commit.
func (db *DB) Queued() int { return len(db.queue) }

// Raw is a stored value as it lies in the file.
func (db *DB) Raw(bucket string, key []byte) (raw []byte) {
	_ = db.View(func(tx *Tx) error {
		raw = bytes.Clone(tx.bucket(bucket).Get(key))
		return nil
	})
	return raw
}

// PutRaw stores a value past every check.
func (db *DB) PutRaw(bucket string, key, raw []byte) error {
	return db.Update(func(tx *Tx) error {
		_ = tx.change()
		return tx.bucket(bucket).Put(key, raw)
	})
}

// Remove takes a stored value away past every check.
func (db *DB) Remove(bucket string, key []byte) error {
	return db.Update(func(tx *Tx) error {
		_ = tx.change()
		return tx.bucket(bucket).Delete(key)
	})
}

// Frame is a plain value as it would lie under a key.
func (db *DB) Frame(bucket string, key, payload []byte) []byte { return framed(bucket, key, payload) }

// Break has the file behave as after a failed last sync.
func (db *DB) Break() { db.broken.Store(true) }

// PinClock has the age of what is kept for copies measured by another clock.
func (db *DB) PinClock(now func() time.Time) { db.pins.now = now }

// SmallMap has the file begin with a map that it soon outgrows.
func SmallMap(o *Options) { o.mapBytes = 1 }

// CloseToSwap has Compact exchange files as on a system where an open one can be neither renamed nor replaced.
func CloseToSwap(o *Options) { o.closeToSwap = true }

// Plain has the file behave as bbolt does by itself: nothing is kept for copies.
func Plain(o *Options) { o.Window, o.listFree = -1, true }
