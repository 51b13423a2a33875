package store

import (
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

const (
	groupMost = 512                  // functions in one commit
	groupTime = 5 * time.Millisecond // work in one commit; what remains goes into the next
)

// op is one function that waits for the disk.
type op struct {
	fn     func(*Tx) error
	err    error
	spare  bool // no harm if it is lost: not taken while the disk has little room
	failed bool // out of the group
	alone  bool // it failed before anything was put, so its error stands whatever becomes of the commit
	done   chan struct{}
}

// Update runs fn in the next commit and returns when the disk has it. fn checks first and then puts; one
// that fails leaves nothing behind. It may be run more than once, so it must not touch anything outside the
// transaction but variables that it sets anew each time. It must not call Update or Close, and Update must
// not be called from inside a View: the writer may have to wait for that very reader.
//
// An error of fn itself comes back as it is. When the commit fails, all of its functions get that error; the
// file is then as before, and the next call tries anew. Only after ErrBroken is the outcome open.
func (db *DB) Update(fn func(*Tx) error) error {
	return db.hand(&op{fn: fn, done: make(chan struct{})})
}

func (db *DB) hand(o *op) error {
	if db.opts.ReadOnly {
		return ErrReadOnly
	}
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
// long one keeps the file from reusing pages, and Close waits for it. Do not call View inside View: bbolt
// locks up when the file outgrows its map between the two. A file whose pages make no sense gives ErrDamaged.
func (db *DB) View(fn func(*Tx) error) (err error) {
	b := db.enter()
	if b == nil {
		return ErrClosed
	}
	defer b.leave()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer db.caught(&err)
	btx, err := b.bolt.Begin(false)
	if err != nil {
		return err
	}
	defer func() { _ = btx.Rollback() }()
	return fn(&Tx{db: db, body: b, bolt: btx, Now: db.opts.Clock()})
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
	debug.SetPanicOnFault(true)
	var carried []*op
	for {
		select {
		case done := <-db.compacts: // also while there is always something to write
			done <- db.compact()
		default:
		}
		group := carried
		if len(group) == 0 {
			select {
			case o := <-db.queue:
				group = append(group, o)
			case done := <-db.compacts:
				done <- db.compact()
				continue
			case <-db.pins.due():
				db.pins.expire()
				continue
			case <-db.room.due():
				db.room.remake()
				continue
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
	select {
	case done := <-db.compacts:
		done <- ErrClosed
	default:
	}
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
// function fails after its first put, the transaction is rolled back and the others are run again, with the
// same reading of the clock, so that they decide as before.
func (db *DB) commit(group []*op) (carried []*op) {
	now := db.opts.Clock()
	db.room.remake()
	for try := 0; ; {
		tx, rest, again, err := db.run(group, now)
		if again {
			db.stats.Replays.Add(1)
			continue
		}
		if err == nil {
			err = db.finish(tx)
		}
		if db.makeRoom(err, try) {
			try++
			continue
		}
		err = db.room.wrote(err)
		done := group[:len(group)-len(rest)]
		db.answer(done, err)
		if err == nil {
			for _, fn := range tx.after {
				db.hook(fn)
			}
			if tx.logged {
				db.ring()
			}
		}
		for _, o := range done {
			close(o.done)
		}
		return rest
	}
}

// run calls the functions of the group, up to rest, which is for the next commit. again: one of them failed
// after a put, all is rolled back, and the group is to be run without it.
func (db *DB) run(group []*op, now time.Time) (tx *Tx, rest []*op, again bool, err error) {
	if db.broken.Load() {
		return nil, nil, false, ErrBroken
	}
	if err := db.room.refusal(); err != nil {
		return nil, nil, false, err
	}
	b := db.body.Load()
	db.pins.begin(b.bolt)
	btx, err := b.bolt.Begin(true)
	if err != nil {
		return nil, nil, false, err
	}
	tx = &Tx{db: db, body: b, bolt: btx, Now: now, writable: true}
	began := time.Now()
	for i, o := range group {
		if i > 0 && time.Since(began) > groupTime {
			return tx, group[i:], false, nil
		}
		if o.failed {
			continue
		}
		if o.spare && db.Low() { // the group is run again with what the reserve left
			o.err, o.failed, o.alone = ErrFull, true, true
			continue
		}
		hooks, logged := len(tx.after), tx.logged
		tx.dirty, tx.took, tx.half = false, false, nil
		if o.err = db.guarded(o.fn, tx); o.err == nil {
			o.err = tx.half
		}
		if o.err == nil {
			tx.any = tx.any || tx.dirty || tx.took
			continue
		}
		o.failed, o.alone = true, !tx.any
		tx.after, tx.logged = tx.after[:hooks], logged
		if tx.dirty {
			_ = btx.Rollback()
			return nil, nil, true, nil
		}
	}
	return tx, nil, false, nil
}

// guarded turns a panic of one function into its own error, so that it cannot take the writer along.
func (db *DB) guarded(fn func(*Tx) error, tx *Tx) (err error) {
	returned := false
	defer func() {
		p := recover()
		if p == nil && !returned { // runtime.Goexit, as by t.Fatal: every later call would wait for ever
			panic("store: a write function ended the writer's goroutine")
		}
		if p != nil {
			db.opts.Log.Error("a write function panicked", "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("store: a write function panicked: %v", p)
		}
	}()
	err = fn(tx)
	returned = true
	return err
}

// hook calls what After was given. The change is on the disk: a panic here cannot undo it.
func (db *DB) hook(fn func()) {
	defer func() {
		if p := recover(); p != nil {
			db.opts.Log.Error("a function after a commit panicked", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	fn()
}

// finish writes the counters and commits; a transaction that changed nothing costs no sync.
func (db *DB) finish(tx *Tx) error {
	if !tx.any {
		return tx.bolt.Rollback()
	}
	if err := errors.Join(db.settle(), tx.flushCounts()); err != nil {
		_ = tx.bolt.Rollback()
		return err
	}
	txid := tx.bolt.ID()
	if db.cache != nil {
		db.cache.touched(tx.touched, uint64(txid))
	}
	began := time.Now()
	if err := db.pins.guard(tx.body, func() error { return db.sync(tx) }); err != nil {
		if tx.body.reached(txid) {
			db.broken.Store(true)
			return fmt.Errorf("%w: %w", ErrBroken, err)
		}
		return fmt.Errorf("store: the change could not be written: %w", err)
	}
	stats := tx.bolt.Stats()
	db.pins.add(tx.body.bolt, stats.GetPageAlloc())
	tx.body.stock()
	db.stats.CommitTime.Add(int64(time.Since(began)))
	db.stats.Commits.Add(1)
	return nil
}

// sync is bbolt's commit. It panics on a file whose pages make no sense.
func (db *DB) sync(tx *Tx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			db.broken.Store(true)
			_ = tx.bolt.Rollback()
			err = fmt.Errorf("%w: %v", ErrDamaged, p)
		}
	}()
	return tx.bolt.Commit()
}

// reached says whether readers see the transaction whose commit failed. Then its last page was written and
// only the last sync failed: nobody knows what the disk has, and a next commit would reuse pages that the
// state on the disk may still need. A failure before that (a full disk) leaves the state before in force.
func (b *body) reached(txid int) bool {
	if m := metas(b.file); len(m) == 0 || m[0].txid >= uint64(txid) { // part of it may be on the disk though the write failed
		return true
	}
	btx, err := b.bolt.Begin(false)
	if err != nil {
		return true
	}
	defer func() { _ = btx.Rollback() }()
	return btx.ID() >= txid
}

// answer gives the commit's error to every function that stood in it, also to those that refused because of
// what a neighbour had put.
func (db *DB) answer(group []*op, err error) {
	for _, o := range group {
		db.stats.Ops.Add(1)
		if err != nil && !(o.failed && o.alone) {
			o.err = err
		}
		if o.err != nil {
			db.stats.Failed.Add(1)
		}
	}
}
