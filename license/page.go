package license

import (
	"iter"
	"sync"

	"goldfish/store"
)

// scanMost bounds how many rows one page may look at: a filter that hits rarely gives a short page with a
// cursor instead of a long wait.
const scanMost = 50_000

// backFrom scans from the newest row, or from before the cursor.
func backFrom(before store.ID) store.Range {
	if before == 0 {
		return store.Range{Back: true}
	}
	return store.Range{Back: true, After: before.Key()}
}

// page collects up to limit rows. A damaged row ends the page with its error.
func page[T any](rows iter.Seq2[*T, error], limit int) ([]*T, error) {
	var out []*T
	if limit <= 0 {
		return nil, nil
	}
	for row, err := range rows {
		if err != nil {
			return nil, err
		}
		if out = append(out, row); len(out) == limit {
			break
		}
	}
	return out, nil
}

// rowsBy gives the rows that an index holds in the range, without the entries' keys.
func rowsBy[T any](tx *store.Tx, t *store.Table[T], ix *store.Index[T], r store.Range) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		for e, err := range t.ScanBy(tx, ix, r) {
			if !yield(e.Row, err) {
				return
			}
		}
	}
}

// rowOf gives a row by its id; for one that is not there, the caller's answer instead of the store's.
func rowOf[T any](tx *store.Tx, t *store.Table[T], id store.ID, n Noun) (*T, error) {
	row, err := t.Get(tx, id.Key())
	if isNotFound(err) {
		return nil, notFound(n)
	}
	return row, err
}

// syncMap is sync.Map with types.
type syncMap[K comparable, V any] struct{ m sync.Map }

func (s *syncMap[K, V]) Load(k K) (V, bool) {
	v, ok := s.m.Load(k)
	if !ok {
		var zero V
		return zero, false
	}
	return v.(V), true
}

func (s *syncMap[K, V]) Store(k K, v V) { s.m.Store(k, v) }
