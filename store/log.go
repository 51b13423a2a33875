package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
)

// Log keeps rows of one type by a sequence number that starts at 1, never repeats and has no gaps between
// committed rows. It is append-only, and followers are woken after each commit that added to it.
type Log[T any] struct {
	Name   string
	Sealed bool
}

// Describe draws the log.
func (l *Log[T]) Describe() []string {
	kind := "plain"
	if l.Sealed {
		kind = "sealed"
	}
	return []string{fmt.Sprintf("%-24s %s log", l.Name, kind)}
}

func (l *Log[T]) buckets() []string { return []string{l.Name} }

// Append adds a row and gives its sequence number.
func (l *Log[T]) Append(tx *Tx, v *T) (uint64, error) {
	if !tx.writable {
		return 0, ErrReadOnly
	}
	b := tx.bucket(l.Name)
	seq := lastKey(b.Cursor()) + 1
	key := binary.BigEndian.AppendUint64(nil, seq)
	value, err := tx.encode(l.Name, key, l.Sealed, v)
	if err != nil {
		return 0, err
	}
	if err := tx.change(); err != nil {
		return 0, err
	}
	tx.logged = true
	b.FillPercent = 0.95
	return seq, b.Put(key, value)
}

// Last is the sequence number of the newest row, 0 for an empty log.
func (l *Log[T]) Last(tx *Tx) uint64 { return lastKey(tx.bucket(l.Name).Cursor()) }

func lastKey(c interface{ Last() ([]byte, []byte) }) uint64 {
	k, _ := c.Last()
	if len(k) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(k)
}

// Get gives one row, or ErrNotFound.
func (l *Log[T]) Get(tx *Tx, seq uint64) (*T, error) {
	key := binary.BigEndian.AppendUint64(nil, seq)
	raw := tx.bucket(l.Name).Get(key)
	if raw == nil {
		return nil, ErrNotFound
	}
	v := new(T)
	if err := tx.decode(l.Name, key, raw, l.Sealed, v); err != nil {
		return nil, err
	}
	return v, nil
}

// After gives the rows that follow seq, oldest first. A damaged row is left out and named in the program's
// log; a sealed log gives nothing before the file has its sealer.
func (l *Log[T]) After(tx *Tx, seq uint64) iter.Seq2[uint64, *T] {
	return l.scan(tx, Range{After: binary.BigEndian.AppendUint64(nil, seq)})
}

// Before gives the rows that precede seq (0: all), newest first, otherwise like After.
func (l *Log[T]) Before(tx *Tx, seq uint64) iter.Seq2[uint64, *T] {
	r := Range{Back: true}
	if seq > 0 {
		r.After = binary.BigEndian.AppendUint64(nil, seq)
	}
	return l.scan(tx, r)
}

// scan passes over a damaged row, says so in the program's log and goes on: a follower must not stop at it.
func (l *Log[T]) scan(tx *Tx, r Range) iter.Seq2[uint64, *T] {
	return func(yield func(uint64, *T) bool) {
		for k, raw := range tx.walk(l.Name, r) {
			v := new(T)
			err := tx.decode(l.Name, k, raw, l.Sealed, v)
			if err == nil && len(k) != 8 {
				err = damaged(l.Name, k)
			}
			if errors.Is(err, ErrSealed) {
				tx.db.opts.Log.Error("a sealed log was read without its key", "log", l.Name)
				return
			}
			if err != nil {
				tx.db.opts.Log.Error("a log row is damaged", "log", l.Name, "err", err)
				continue
			}
			if !yield(binary.BigEndian.Uint64(k), v) {
				return
			}
		}
	}
}

// Wait returns when the log holds a row after seq, or with the context's error, or ErrClosed.
func (l *Log[T]) Wait(ctx context.Context, db *DB, seq uint64) error {
	for {
		bell := db.listen()
		last, err := Read(db, func(tx *Tx) (uint64, error) { return l.Last(tx), nil })
		if err != nil || last > seq {
			return err
		}
		select {
		case <-bell:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// followPage is how many rows Follow reads in one transaction.
const followPage = 256

// Follow calls fn for every row after seq, in order, each outside any transaction, until the context ends
// (its error) or the file closes (nil). fn may read and write; Close does not wait for it, it meets ErrClosed.
// Following is how anything is told of a change: the bell only wakes, the log says what happened. A sealed
// log without its key is ErrSealed.
func (l *Log[T]) Follow(ctx context.Context, db *DB, seq uint64, fn func(seq uint64, v *T)) error {
	for {
		page, last, err := l.page(ctx, db, seq)
		if errors.Is(err, ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, r := range page {
			if err := ctx.Err(); err != nil {
				return err
			}
			fn(r.seq, r.v)
		}
		seq = last
	}
}

type logRow[T any] struct {
	seq uint64
	v   *T
}

// page waits for rows after seq and gives the first of them, and how far they reach: damaged rows at their
// end are passed over too.
func (l *Log[T]) page(ctx context.Context, db *DB, seq uint64) (rows []logRow[T], last uint64, err error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	if err := l.Wait(ctx, db, seq); err != nil {
		return nil, 0, err
	}
	err = db.View(func(tx *Tx) error {
		if l.Sealed {
			if _, err := db.seal(); err != nil {
				return err
			}
		}
		rows, last = nil, l.Last(tx)
		for n, v := range l.After(tx, seq) {
			if rows = append(rows, logRow[T]{n, v}); len(rows) == followPage {
				last = n
				break
			}
		}
		return nil
	})
	return rows, last, err
}

func (db *DB) listen() <-chan struct{} {
	db.bellMu.Lock()
	defer db.bellMu.Unlock()
	return db.bell
}

// ring wakes all that listen. It carries nothing: order and content come from the log.
func (db *DB) ring() {
	db.bellMu.Lock()
	defer db.bellMu.Unlock()
	close(db.bell)
	db.bell = make(chan struct{})
}
