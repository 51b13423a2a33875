package store

import (
	"fmt"
	"runtime/debug"
	"time"

	bolt "go.etcd.io/bbolt"
)

const (
	groupMost = 512                  // functions in one commit
	groupTime = 5 * time.Millisecond // work in one commit; what remains goes into the next
)

// op is one function that waits for the disk.
type op struct {
	fn     func(*Tx) error
	err    error
	failed bool // out of the group: its error stands
	done   chan struct{}
}

// Update runs fn in the next commit and returns when the disk has it. fn checks first and then puts; one
// that fails leaves nothing behind. It may be run more than once, so it must not touch anything outside the
// transaction but variables that it sets anew each time, and it must not call Update itself.
func (db *DB) Update(fn func(*Tx) error) error {
	o := &op{fn: fn, done: make(chan struct{})}
	db.closing.RLock()
	if db.closed {
		db.closing.RUnlock()
		return ErrClosed
	}
	db.queue <- o
	db.closing.RUnlock()
	<-o.done
	return o.err
}

// View runs fn in a read transaction: the state of the last commit, unmoved by later ones. Keep it short: a
// long one keeps the file from reusing pages.
func (db *DB) View(fn func(*Tx) error) error {
	db.closing.RLock()
	defer db.closing.RUnlock()
	if db.closed {
		return ErrClosed
	}
	btx, err := db.bolt.Begin(false)
	if err != nil {
		return err
	}
	defer func() { _ = btx.Rollback() }()
	return fn(&Tx{db: db, bolt: btx, Now: db.opts.Clock()})
}

// Write is Update for a function with a result. After an error the result is the zero value.
func Write[R any](db *DB, fn func(*Tx) (R, error)) (R, error) {
	var out R
	err := db.Update(func(tx *Tx) (err error) {
		out, err = fn(tx)
		return err
	})
	if err != nil {
		var zero R
		return zero, err
	}
	return out, nil
}

// Read is View for a function with a result.
func Read[R any](db *DB, fn func(*Tx) (R, error)) (R, error) {
	var out R
	err := db.View(func(tx *Tx) (err error) {
		out, err = fn(tx)
		return err
	})
	return out, err
}

// write is the one writer: it takes what queued while the last commit ran, without a timer.
func (db *DB) write() {
	defer close(db.stopped)
	var carried []*op
	for {
		group := carried
		if len(group) == 0 {
			select {
			case o := <-db.queue:
				group = append(group, o)
			case <-db.stop:
				db.drain()
				return
			}
		}
		carried = db.commit(db.gather(group))
	}
}

// gather adds to group what waits, up to groupMost.
func (db *DB) gather(group []*op) []*op {
	for len(group) < groupMost {
		select {
		case o := <-db.queue:
			group = append(group, o)
		default:
			return group
		}
	}
	return group
}

// drain commits what was handed in before Close.
func (db *DB) drain() {
	for {
		group := db.gather(nil)
		if len(group) == 0 {
			return
		}
		for len(group) > 0 {
			group = db.commit(group)
		}
	}
}

// commit runs the group in one transaction and answers it; it returns what did not fit into the time. When a
// function fails after its first put, the transaction is rolled back and the others are run again.
func (db *DB) commit(group []*op) (carried []*op) {
	for {
		tx, rest, again, err := db.run(group)
		if again {
			db.stats.Replays.Add(1)
			group = rest
			continue
		}
		if err == nil && tx != nil {
			err = db.finish(tx)
		}
		n := len(group) - len(rest)
		db.answer(group[:n], err)
		if err == nil && tx != nil {
			for _, fn := range tx.after {
				fn()
			}
			if tx.logged {
				db.ring()
			}
		}
		for _, o := range group[:n] {
			close(o.done)
		}
		return rest
	}
}

// run calls the functions of the group. again means: roll back, take rest as the group and start anew.
func (db *DB) run(group []*op) (tx *Tx, rest []*op, again bool, err error) {
	btx, err := db.bolt.Begin(true)
	if err != nil {
		return nil, nil, false, err
	}
	tx = &Tx{db: db, bolt: btx, Now: db.opts.Clock(), writable: true}
	began := time.Now()
	for i, o := range group {
		if i > 0 && time.Since(began) > groupTime {
			return tx, group[i:], false, nil
		}
		if o.failed {
			continue
		}
		hooks, logged := len(tx.after), tx.logged
		tx.dirty = false
		if o.err = db.guarded(o.fn, tx); o.err == nil {
			tx.any = tx.any || tx.dirty
			continue
		}
		o.failed = true
		tx.after, tx.logged = tx.after[:hooks], logged
		if tx.dirty {
			_ = btx.Rollback()
			return nil, group, true, nil
		}
	}
	return tx, nil, false, nil
}

// guarded turns a panic of one function into its own error, so that it cannot take the writer along.
func (db *DB) guarded(fn func(*Tx) error, tx *Tx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			db.opts.Log.Error("a write function panicked", "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("store: a write function panicked: %v", p)
		}
	}()
	return fn(tx)
}

// finish writes the counters and commits; a transaction that changed nothing costs no sync.
func (db *DB) finish(tx *Tx) error {
	if !tx.any {
		return tx.bolt.Rollback()
	}
	if err := tx.flushCounts(); err != nil {
		_ = tx.bolt.Rollback()
		return err
	}
	if db.cache != nil {
		db.cache.touched(tx.touched, uint64(tx.bolt.ID()))
	}
	began := time.Now()
	if err := tx.bolt.Commit(); err != nil {
		return fmt.Errorf("store: the change could not be written: %w", err)
	}
	db.stats.CommitTime.Add(int64(time.Since(began)))
	db.stats.Commits.Add(1)
	return nil
}

// answer gives the commit's own error to every function that had none of its own.
func (db *DB) answer(group []*op, err error) {
	for _, o := range group {
		db.stats.Ops.Add(1)
		if err != nil && !o.failed {
			o.err = err
		}
		if o.err != nil {
			db.stats.Failed.Add(1)
		}
	}
}

// Tx is one transaction. It belongs to the function it was given to and ends with it.
type Tx struct {
	// Now is the one clock reading of this transaction.
	Now time.Time

	db       *DB
	bolt     *bolt.Tx
	writable bool
	dirty    bool // the running function has put something
	any      bool // some function of the group has
	logged   bool
	after    []func()
	counts   map[string]int64
	touched  []uint32
}

// After has fn run when the commit has succeeded, before the caller is answered, in the order of the log.
// In a read transaction it does nothing.
func (tx *Tx) After(fn func()) {
	if tx.writable {
		tx.after = append(tx.after, fn)
	}
}

// Lookup is the sealer's: 16 bytes that find a secret value again. It fails with ErrSealed.
func (tx *Tx) Lookup(name string, value []byte) ([]byte, error) {
	s, err := tx.db.seal()
	if err != nil {
		return nil, err
	}
	return s.Lookup(name, value), nil
}

// Epoch is the file's present epoch.
func (tx *Tx) Epoch() uint16 { return tx.db.Epoch() }

func (tx *Tx) change() error {
	if !tx.writable {
		return ErrReadOnly
	}
	tx.dirty = true
	return nil
}
