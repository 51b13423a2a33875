package store

import (
	"bytes"
	"errors"
)

// Renewing is a sealer that can tell under which of its keys something was sealed.
type Renewing interface {
	Sealer
	// KeyOf is the number of that key, 0 for what is no seal.
	KeyOf(sealed []byte) uint16
	// DataKey is the number of the key that seals now.
	DataKey() (id uint16, created int64, others int)
}

var errNotRenewing = errors.New("store: the sealer has one key only")

// SealedTables names the tables and logs whose rows lie sealed.
func (s *Schema) SealedTables() []string {
	var out []string
	for _, t := range s.Tables {
		if x, ok := t.(interface{ isSealed() bool }); ok && x.isSealed() {
			out = append(out, t.buckets()[0])
		}
	}
	return out
}

func (t *Table[T]) isSealed() bool { return t.Sealed }

func (l *Log[T]) isSealed() bool { return l.Sealed }

// Reseal looks at up to most rows of a sealed table after the key after (empty: from the first) and seals those anew
// that lie under another key than the one that seals now. It gives the key of the last row that it looked at, nil
// at the table's end, and how many rows it looked at. Nothing that is derived from a row changes. A row that does
// not open stays as it is: SealedUnder counts it.
func (tx *Tx) Reseal(table string, after []byte, most int) (next []byte, n int, err error) {
	if !tx.writable {
		return nil, 0, ErrReadOnly
	}
	s, err := tx.renewing()
	if err != nil {
		return nil, 0, err
	}
	current, _, _ := s.DataKey()
	for k, raw := range tx.walk(table, Range{After: after}) {
		if n == most {
			return next, n, nil
		}
		n++
		next = bytes.Clone(k)
		if len(raw) < 2 || raw[0] != frameSealed || s.KeyOf(raw[1:]) == current {
			continue
		}
		if err := tx.reseal(s, table, next, raw); err != nil {
			return nil, n, err
		}
	}
	return nil, n, nil
}

// Rows is how many rows a table holds. It walks the table's pages, not its rows.
func (tx *Tx) Rows(table string) int { return tx.bucket(table).Stats().KeyN }

func (tx *Tx) reseal(s Sealer, table string, key, raw []byte) error {
	plain, err := s.Open(place(table, key), raw[1:])
	if err != nil {
		return nil
	}
	value, err := s.Seal([]byte{frameSealed}, place(table, key), plain)
	if err != nil {
		return err
	}
	if err := tx.change(); err != nil {
		return err
	}
	if err := tx.bucket(table).Put(key, value); err != nil {
		tx.half = err
		return err
	}
	return nil
}

// SealedUnder counts up to most rows of a sealed table after the key after by the number of the key that sealed
// them, 0 for what is no seal. It gives the key of the last row that it looked at, nil at the table's end.
func (tx *Tx) SealedUnder(table string, after []byte, most int) (rows map[uint16]int, next []byte, err error) {
	s, err := tx.renewing()
	if err != nil {
		return nil, nil, err
	}
	rows = map[uint16]int{}
	n := 0
	for k, raw := range tx.walk(table, Range{After: after}) {
		if n == most {
			return rows, next, nil
		}
		n++
		next = bytes.Clone(k)
		id := uint16(0)
		if len(raw) > 1 && raw[0] == frameSealed {
			id = s.KeyOf(raw[1:])
		}
		rows[id]++
	}
	return rows, nil, nil
}

func (tx *Tx) renewing() (Renewing, error) {
	s, err := tx.db.seal()
	if err != nil {
		return nil, err
	}
	r, ok := s.(Renewing)
	if !ok {
		return nil, errNotRenewing
	}
	return r, nil
}

// Raw is a row as it lies in the file, frame and seal included; nil if there is none.
func (tx *Tx) Raw(table string, key []byte) []byte { return bytes.Clone(tx.bucket(table).Get(key)) }
