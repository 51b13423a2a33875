package store

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"slices"
)

// Described is what the schema knows of a table or log of any row type.
type Described interface {
	// Describe draws the table for the schema's comment, one line per bucket.
	Describe() []string
	buckets() []string
	check(tx *Tx, report func(error)) (rows int)
	scrubs() []scrubbed
}

// Index finds rows by something else than their key. Keys derives all entries of a row from the row alone
// (and the sealer's look-up keys), and nothing else does. An index that is not unique needs index keys or row
// keys of one length: where two rows would share an entry, the second is refused with ErrConflict.
type Index[T any] struct {
	Name   string
	Unique bool
	Keys   func(tx *Tx, v *T) ([][]byte, error)
}

// Table keeps rows of one type under Key(row). Fill them in a package variable; they hold no state.
type Table[T any] struct {
	Name       string
	Key        func(v *T) []byte
	Sealed     bool // rows lie sealed: they are found through look-up keys only
	Cached     bool // decoded rows are shared between readers, which must not change them
	Sequential bool // keys rise: pages are filled
	Indexes    []*Index[T]
	Counts     func(v *T) []string // names of the counters in which the row stands
}

func (ix *Index[T]) bucket(t *Table[T]) string { return t.Name + "." + ix.Name }

// Describe draws the table and its indexes.
func (t *Table[T]) Describe() []string {
	kind := "plain"
	if t.Sealed {
		kind = "sealed"
	}
	out := []string{fmt.Sprintf("%-24s %s", t.Name, kind)}
	for _, ix := range t.Indexes {
		kind = "index"
		if ix.Unique {
			kind = "unique index"
		}
		out = append(out, fmt.Sprintf("%-24s %s", ix.bucket(t), kind))
	}
	return out
}

func (t *Table[T]) buckets() []string {
	names := []string{t.Name}
	for _, ix := range t.Indexes {
		names = append(names, ix.bucket(t))
	}
	return names
}

// Get gives the row, or ErrNotFound. A row of a cached table that is read outside a write belongs to all
// readers: do not change it.
func (t *Table[T]) Get(tx *Tx, key []byte) (*T, error) {
	if t.Cached && !tx.writable && tx.db.cache != nil {
		if v, ok := tx.db.cache.get(tx, t.Name, key); ok {
			return v.(*T), nil
		}
	}
	raw := tx.bucket(t.Name).Get(key)
	if raw == nil {
		return nil, ErrNotFound
	}
	v := new(T)
	if err := tx.decode(t.Name, key, raw, t.Sealed, v); err != nil {
		return nil, err
	}
	if t.Cached && !tx.writable && tx.db.cache != nil {
		tx.db.cache.put(tx, t.Name, key, v, int64(len(raw)))
	}
	return v, nil
}

// Has says whether a row is there, without reading it.
func (t *Table[T]) Has(tx *Tx, key []byte) bool { return tx.bucket(t.Name).Get(key) != nil }

// Put stores v and moves its index entries and counters with it: both are derived from the old and the new
// row by the same function. ErrConflict, before anything is changed, if another row holds a unique key.
func (t *Table[T]) Put(tx *Tx, v *T) error {
	if !tx.writable {
		return ErrReadOnly
	}
	key := t.Key(v)
	old, err := t.Get(tx, key)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	moves, err := t.moves(tx, key, old, v)
	if err != nil {
		return err
	}
	value, err := tx.encode(t.Name, key, t.Sealed, v)
	if err != nil {
		return err
	}
	return t.apply(tx, key, value, moves, old, v)
}

// Delete takes the row and everything derived from it away; ErrNotFound if there is none.
func (t *Table[T]) Delete(tx *Tx, key []byte) error {
	if !tx.writable {
		return ErrReadOnly
	}
	old, err := t.Get(tx, key)
	if err != nil {
		return err
	}
	moves, err := t.moves(tx, key, old, nil)
	if err != nil {
		return err
	}
	return t.apply(tx, key, nil, moves, old, nil)
}

// move is one index's change by a put: entries that go and entries that come.
type move struct {
	bucket    string
	gone, new [][]byte
}

// moves derives the index changes and refuses a unique key that another row holds.
func (t *Table[T]) moves(tx *Tx, key []byte, old, v *T) ([]move, error) {
	var out []move
	for _, ix := range t.Indexes {
		before, err := t.entries(tx, ix, key, old)
		if err != nil {
			return nil, err
		}
		after, err := t.entries(tx, ix, key, v)
		if err != nil {
			return nil, err
		}
		m := move{bucket: ix.bucket(t), gone: without(before, after), new: without(after, before)}
		if len(m.gone) == 0 && len(m.new) == 0 {
			continue
		}
		for _, e := range m.new {
			if tx.bucket(m.bucket).Get(e) != nil {
				return nil, fmt.Errorf("%w: %s", ErrConflict, m.bucket)
			}
		}
		out = append(out, m)
	}
	return out, nil
}

// entries are the keys in the index's bucket, each once; those of an index that is not unique end with the
// row's key.
func (t *Table[T]) entries(tx *Tx, ix *Index[T], key []byte, v *T) ([][]byte, error) {
	if v == nil {
		return nil, nil
	}
	keys, err := ix.Keys(tx, v)
	if err != nil {
		return nil, err
	}
	out := make([][]byte, 0, len(keys))
	for _, k := range keys {
		if !ix.Unique {
			k = slices.Concat(k, key)
		}
		if !slices.ContainsFunc(out, func(o []byte) bool { return bytes.Equal(o, k) }) {
			out = append(out, k)
		}
	}
	return out, nil
}

func without(all, some [][]byte) [][]byte {
	var out [][]byte
	for _, a := range all {
		if !slices.ContainsFunc(some, func(b []byte) bool { return bytes.Equal(a, b) }) {
			out = append(out, a)
		}
	}
	return out
}

// apply makes the change. Should it break off half-way, the function that called it fails even if it would
// hide that.
func (t *Table[T]) apply(tx *Tx, key, value []byte, moves []move, old, v *T) (err error) {
	if err := tx.change(); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			tx.half = err
		}
	}()
	rows := tx.bucket(t.Name)
	if t.Sequential {
		rows.FillPercent = 0.95
	}
	if value == nil {
		err = rows.Delete(key)
	} else {
		err = rows.Put(key, value)
	}
	if err != nil {
		return err
	}
	for _, m := range moves {
		b := tx.bucket(m.bucket)
		for _, e := range m.gone {
			if err := b.Delete(e); err != nil {
				return err
			}
		}
		for _, e := range m.new {
			if err := b.Put(e, framed(m.bucket, e, key)); err != nil {
				return err
			}
		}
	}
	t.count(tx, old, -1)
	t.count(tx, v, +1)
	if t.Cached {
		tx.touched = append(tx.touched, slotOf(t.Name, key))
	}
	return nil
}

func (t *Table[T]) count(tx *Tx, v *T, by int64) {
	if v == nil || t.Counts == nil {
		return
	}
	for _, name := range t.Counts(v) {
		tx.count(t.Name, name, by)
	}
}

// Count reads one of the table's counters as of this transaction.
func (t *Table[T]) Count(tx *Tx, name string) (int64, error) { return tx.counted(t.Name, name) }

// Find gives the row that a unique index holds under key, or ErrNotFound.
func (t *Table[T]) Find(tx *Tx, ix *Index[T], key []byte) (*T, error) {
	bucket := ix.bucket(t)
	raw := tx.bucket(bucket).Get(key)
	if raw == nil {
		return nil, ErrNotFound
	}
	pk, err := unframed(bucket, key, raw)
	if err != nil {
		return nil, err
	}
	v, err := t.Get(tx, pk)
	if errors.Is(err, ErrNotFound) {
		return nil, damaged(bucket, key)
	}
	return v, err
}

// Scan gives the rows of the range in the order of their keys. A damaged row gives its error and goes on.
func (t *Table[T]) Scan(tx *Tx, r Range) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		for k, raw := range tx.walk(t.Name, r) {
			v := new(T)
			if err := tx.decode(t.Name, k, raw, t.Sealed, v); err != nil {
				v = nil
				if !yield(nil, err) {
					return
				}
				continue
			}
			if !yield(v, nil) {
				return
			}
		}
	}
}

// ScanBy gives the rows that the index holds in the range, in the order of the index, each with the key of
// its entry, from which a later scan goes on.
func (t *Table[T]) ScanBy(tx *Tx, ix *Index[T], r Range) iter.Seq2[Entry[T], error] {
	bucket := ix.bucket(t)
	return func(yield func(Entry[T], error) bool) {
		for k, raw := range tx.walk(bucket, r) {
			e := Entry[T]{Key: bytes.Clone(k)}
			pk, err := unframed(bucket, k, raw)
			if err == nil {
				e.Row, err = t.Get(tx, pk)
			}
			if errors.Is(err, ErrNotFound) {
				err = damaged(bucket, k)
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// Entry is an index entry with its row.
type Entry[T any] struct {
	Key []byte
	Row *T
}

// NextIDs takes n ids of the table and gives the first; the others follow it. Ids taken by a change that
// fails may be left out or given again; those of one that succeeds are never given again.
func (t *Table[T]) NextIDs(tx *Tx, n int) (ID, error) {
	if !tx.writable {
		return 0, ErrReadOnly
	}
	b := tx.bucket(t.Name)
	last := b.Sequence()
	if n < 1 || last+uint64(n) >= 1<<48 {
		return 0, fmt.Errorf("store: %s cannot give %d ids", t.Name, n)
	}
	if err := b.SetSequence(last + uint64(n)); err != nil {
		return 0, err
	}
	tx.took = true
	return ID(uint64(tx.Epoch())<<48 | (last + 1)), nil
}

// NextID takes one id.
func (t *Table[T]) NextID(tx *Tx) (ID, error) { return t.NextIDs(tx, 1) }
