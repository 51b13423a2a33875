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

// page collects up to limit rows that keep lets pass (nil: all). A damaged row ends the page with its error.
func page[T any](rows iter.Seq2[*T, error], limit int, keep func(*T) bool) ([]*T, error) {
	var out []*T
	if limit <= 0 {
		return nil, nil
	}
	for row, err := range rows {
		if err != nil {
			return nil, err
		}
		if keep == nil || keep(row) {
			if out = append(out, row); len(out) == limit {
				break
			}
		}
	}
	return out, nil
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
