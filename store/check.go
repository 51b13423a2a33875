package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

var errOvertaken = errors.New("store: two commits came between the beginning of a check and its first read")

// Check reads everything as of one moment, while writers go on: bbolt's pages, every value's checksum or
// seal, and whether indexes and counters are exactly what the rows say. It gives the number of rows by table,
// and the first 100 faults; a file whose pages make no sense is not read further. A sealed table cannot be
// judged before the file has its sealer: it is one fault, ErrSealed.
func (db *DB) Check() (rows map[string]int, faults []error) {
	return db.CheckTold(func(int64) {})
}

// CheckTold is Check that tells how many bytes of keys and values it has read so far, often.
func (db *DB) CheckTold(tell func(read int64)) (rows map[string]int, faults []error) {
	rows = map[string]int{}
	report := func(err error) {
		if len(faults) < 100 {
			faults = append(faults, err)
		}
	}
	check := func(tx *Tx) error {
		if !tx.checkStructure(report) {
			return errOvertaken
		}
		if len(faults) > 0 {
			return nil
		}
		tx.counts, tx.unjudged = map[string]int64{}, map[string]bool{}
		read := int64(0)
		tx.read = func(k, v []byte) {
			read += int64(len(k) + len(v))
			tell(read)
		}
		for k, raw := range tx.walk(metaBucket, Range{}) {
			scrubFrame(metaBucket)(tx, k, raw, report)
		}
		for _, t := range db.opts.Schema.Tables {
			rows[t.buckets()[0]] = t.check(tx, report)
		}
		tx.checkCounts(report)
		return nil
	}
	err := db.View(check)
	for n := 0; errors.Is(err, errOvertaken) && n < 1000; n++ {
		err = db.View(check)
	}
	if err != nil {
		report(err)
	}
	return rows, faults
}

// check reads every row and compares what the indexes hold with what the rows say they should.
func (t *Table[T]) check(tx *Tx, report func(error)) (rows int) {
	if _, err := tx.db.seal(); err != nil && t.Sealed {
		report(fmt.Errorf("%w: %s", err, t.Name))
		tx.unjudged[t.Name] = true
		return t.checkSealed(tx, report)
	}
	expected := make([]int, len(t.Indexes))
	for k, raw := range tx.walk(t.Name, Range{}) {
		rows++
		tx.read(k, raw)
		v := new(T)
		if err := tx.decode(t.Name, k, raw, t.Sealed, v); err != nil {
			report(err)
			continue
		}
		if !bytes.Equal(t.Key(v), k) {
			report(fmt.Errorf("store: %s: row %x lies under %x", t.Name, t.Key(v), k))
		}
		if t.Counts != nil {
			for _, name := range t.Counts(v) {
				tx.counts[t.Name+"\x00"+name]++
			}
		}
		for i, ix := range t.Indexes {
			expected[i] += t.checkEntries(tx, ix, k, v, report)
		}
	}
	for i, ix := range t.Indexes {
		n := 0
		for k, v := range tx.walk(ix.bucket(t), Range{}) {
			n++
			tx.read(k, v)
		}
		if n != expected[i] {
			report(fmt.Errorf("store: %s holds %d entries, its rows have %d", ix.bucket(t), n, expected[i]))
		}
	}
	return rows
}

// checkSealed is what can be said of a sealed table without its sealer: that each row is a sealed one and that
// the entries of its indexes have their checksums.
func (t *Table[T]) checkSealed(tx *Tx, report func(error)) (rows int) {
	for k, raw := range tx.walk(t.Name, Range{}) {
		rows++
		tx.read(k, raw)
		if len(raw) < 2 || raw[0] != frameSealed {
			report(damaged(t.Name, k))
		}
	}
	for _, ix := range t.Indexes {
		for k, raw := range tx.walk(ix.bucket(t), Range{}) {
			tx.read(k, raw)
			if _, err := unframed(ix.bucket(t), k, raw); err != nil {
				report(err)
			}
		}
	}
	return rows
}

func (t *Table[T]) checkEntries(tx *Tx, ix *Index[T], key []byte, v *T, report func(error)) int {
	entries, err := t.entries(tx, ix, key, v)
	if err != nil {
		report(err)
		return 0
	}
	bucket := ix.bucket(t)
	for _, e := range entries {
		pk, err := unframed(bucket, e, tx.bucket(bucket).Get(e))
		if err != nil {
			report(err)
		} else if !bytes.Equal(pk, key) {
			report(fmt.Errorf("store: %s: entry %x names row %x, not %x", bucket, e, pk, key))
		}
	}
	return len(entries)
}

// checkCounts compares the counters with the sums that the tables' checks made; those of a table that could not
// be judged are only read.
func (tx *Tx) checkCounts(report func(error)) {
	found := 0
	for k := range tx.walk(countBucket, Range{}) {
		table, _, _ := strings.Cut(string(k), "\x00")
		n, err := tx.storedCount(string(k))
		if !tx.unjudged[table] {
			found++
		}
		if err != nil {
			report(err)
		} else if want := tx.counts[string(k)]; n != want && !tx.unjudged[table] {
			report(fmt.Errorf("store: counter %q says %d, the rows say %d", k, n, want))
		}
	}
	if found != len(tx.counts) {
		report(fmt.Errorf("store: %d counters, the rows have %d", found, len(tx.counts)))
	}
	tx.counts = nil
}

func (l *Log[T]) check(tx *Tx, report func(error)) (rows int) {
	if _, err := tx.db.seal(); err != nil && l.Sealed {
		report(fmt.Errorf("%w: %s", err, l.Name))
		return tx.bucket(l.Name).Stats().KeyN
	}
	for k, raw := range tx.walk(l.Name, Range{}) {
		rows++
		tx.read(k, raw)
		if len(k) != 8 || binary.BigEndian.Uint64(k) == 0 {
			report(damaged(l.Name, k))
			continue
		}
		if err := tx.decode(l.Name, k, raw, l.Sealed, new(T)); err != nil {
			report(err)
		}
	}
	return rows
}
