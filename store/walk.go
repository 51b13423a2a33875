package store

import (
	"bytes"
	"iter"

	bolt "go.etcd.io/bbolt"
)

// Range bounds a scan: keys that begin with Prefix, after (when Back: before) the key After. After empty
// means from the end where the scan begins. Rows may be put and deleted during a scan of their own table; the
// scan goes on from its place in what is there then.
type Range struct {
	Prefix, After []byte
	Back          bool
}

// walk yields raw keys and values; both die with the transaction.
func (tx *Tx) walk(bucket string, r Range) iter.Seq2[[]byte, []byte] {
	return func(yield func([]byte, []byte) bool) {
		w := walker{Cursor: tx.bucket(bucket).Cursor(), r: r, changing: tx.writable}
		k, v := w.seek(r.After)
		for k != nil && bytes.HasPrefix(k, r.Prefix) {
			before := tx.changes
			if !yield(k, v) {
				return
			}
			if tx.changes != before { // a cursor does not survive a change
				k, v = w.seek(k)
			} else {
				k, v = w.step(k)
			}
		}
	}
}

type walker struct {
	*bolt.Cursor
	r        Range
	changing bool
}

func (w walker) step(from []byte) (k, v []byte) {
	if w.r.Back {
		return w.prev(from)
	}
	return w.Next()
}

// seek goes to the first key of the range that lies beyond after.
func (w walker) seek(after []byte) (k, v []byte) {
	if w.r.Back {
		return w.seekBack(after)
	}
	if len(after) == 0 || bytes.Compare(after, w.r.Prefix) < 0 {
		return w.Seek(w.r.Prefix)
	}
	if k, v = w.Seek(after); k != nil && bytes.Equal(k, after) {
		return w.Next()
	}
	return k, v
}

func (w walker) seekBack(before []byte) (k, v []byte) {
	end := following(w.r.Prefix)
	if len(before) > 0 && (end == nil || bytes.Compare(before, end) < 0) {
		end = before
	}
	if end == nil {
		return w.last()
	}
	if k, _ = w.Seek(end); k == nil {
		return w.last()
	}
	return w.prev(end)
}

// last is the cursor's Last, which never returns when all rows of several pages were deleted in this
// transaction.
func (w walker) last() (k, v []byte) {
	if w.changing {
		if k, _ = w.First(); k == nil {
			return nil, nil
		}
	}
	return w.Last()
}

// prev is the cursor's Prev, which also stops at a page whose rows were all deleted in this transaction;
// then it is asked again, as long as there is a key before from.
func (w walker) prev(from []byte) (k, v []byte) {
	k, v = w.Prev()
	if k != nil || !w.changing {
		return k, v
	}
	first, _ := w.Bucket().Cursor().First()
	for k == nil && first != nil && bytes.Compare(first, from) < 0 {
		k, v = w.Prev()
	}
	return k, v
}

// following is the first key after all that begin with prefix, nil if there is none.
func following(prefix []byte) []byte {
	p := bytes.Clone(prefix)
	for i := len(p) - 1; i >= 0; i-- {
		if p[i]++; p[i] != 0 {
			return p[:i+1]
		}
	}
	return nil
}
