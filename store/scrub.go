package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// scrubTime is how long one step of a scrub holds its read transaction: a longer one would keep pages from being
// used anew, and writers from growing the map.
const scrubTime = 5 * time.Millisecond

// scrubbed is a bucket with what there is to say of each of its values.
type scrubbed struct {
	bucket string
	value  func(tx *Tx, k, raw []byte, report func(error))
}

// Scrub reads every value of a file that is in use, in steps of a few milliseconds, and calls rest between them:
// checksums, seals, and whether each row has its index entries and each entry its row. What takes the whole file
// as of one moment (its pages, the numbers of entries, the counters) is Check's. It gives how many values it
// read, and the first 100 faults; it ends early when ctx does, and when the file is closed. Sealed rows are
// passed over while the file has no sealer.
func (db *DB) Scrub(ctx context.Context, rest func()) (values int, faults []error) {
	report := func(err error) {
		if len(faults) < 100 && !errors.Is(err, ErrSealed) {
			faults = append(faults, err)
		}
	}
	list := []scrubbed{{metaBucket, scrubFrame(metaBucket)}, {countBucket, scrubFrame(countBucket)}}
	for _, t := range db.opts.Schema.Tables {
		list = append(list, t.scrubs()...)
	}
	for _, s := range list {
		for after, more := []byte(nil), true; more; rest() {
			if ctx.Err() != nil {
				return values, faults
			}
			n, err := 0, error(nil)
			n, after, more, err = db.scrubStep(s, after, report)
			values += n
			if errors.Is(err, ErrClosed) {
				return values, faults
			}
			if err != nil {
				report(fmt.Errorf("%w: in %s", err, s.bucket))
				break
			}
		}
	}
	return values, faults
}

// scrubStep reads on from after, until its time is up (more) or the bucket ends.
func (db *DB) scrubStep(s scrubbed, after []byte, report func(error)) (n int, last []byte, more bool, err error) {
	last = after
	err = db.View(func(tx *Tx) error {
		began := time.Now()
		for k, raw := range tx.walk(s.bucket, Range{After: after}) {
			s.value(tx, k, raw, report)
			n++
			if time.Since(began) > scrubTime {
				last, more = bytes.Clone(k), true
				break
			}
		}
		return nil
	})
	return n, last, more, err
}

func scrubFrame(bucket string) func(*Tx, []byte, []byte, func(error)) {
	return func(_ *Tx, k, raw []byte, report func(error)) {
		if _, err := unframed(bucket, k, raw); err != nil {
			report(err)
		}
	}
}

func (t *Table[T]) scrubs() []scrubbed {
	out := []scrubbed{{t.Name, t.scrubRow}}
	for _, ix := range t.Indexes {
		bucket := ix.bucket(t)
		out = append(out, scrubbed{bucket, func(tx *Tx, k, raw []byte, report func(error)) {
			pk, err := unframed(bucket, k, raw)
			if err == nil && !t.Has(tx, pk) {
				err = fmt.Errorf("%w: %s: entry %x names row %x, which is not there", ErrDamaged, bucket, k, pk)
			}
			if err != nil {
				report(err)
			}
		}})
	}
	return out
}

func (t *Table[T]) scrubRow(tx *Tx, k, raw []byte, report func(error)) {
	v := new(T)
	if err := tx.decode(t.Name, k, raw, t.Sealed, v); err != nil {
		report(err)
		return
	}
	if !bytes.Equal(t.Key(v), k) {
		report(fmt.Errorf("%w: %s: row %x lies under %x", ErrDamaged, t.Name, t.Key(v), k))
	}
	for _, ix := range t.Indexes {
		t.checkEntries(tx, ix, k, v, report)
	}
}

func (l *Log[T]) scrubs() []scrubbed {
	return []scrubbed{{l.Name, func(tx *Tx, k, raw []byte, report func(error)) {
		if len(k) != 8 || binary.BigEndian.Uint64(k) == 0 {
			report(damaged(l.Name, k))
		} else if err := tx.decode(l.Name, k, raw, l.Sealed, new(T)); err != nil {
			report(err)
		}
	}}}
}
