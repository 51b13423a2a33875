package store

import (
	"time"

	bolt "go.etcd.io/bbolt"
)

// Tx is one transaction. It belongs to the function it was given to and ends with it.
type Tx struct {
	// Now is the one clock reading of this transaction.
	Now time.Time

	db       *DB
	body     *body
	bolt     *bolt.Tx
	writable bool
	dirty    bool  // the running function has put something
	took     bool  // the running function has taken an id, which is no harm if it then fails
	half     error // the running function's put broke off half-way: it cannot succeed any more
	any      bool  // some function of the group has put or taken something
	logged   bool
	changes  int // puts so far; a walk whose table changed under it looks for its place anew
	after    []func()
	counts   map[string]int64
	touched  []uint32

	// Of a check: what is told of each value, and the tables that could not be judged.
	read     func(k, v []byte)
	unjudged map[string]bool
}

// After has fn run when the commit has succeeded, before the caller is answered, in the order of the log. It
// runs in the writer: keep it short, and do not call Update or Close from it. In a read transaction it does
// nothing.
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

func (tx *Tx) bucket(name string) *bolt.Bucket {
	b := tx.bolt.Bucket([]byte(name))
	if b == nil {
		panic("store: no bucket " + name + ": it is missing from the schema or its migration")
	}
	return b
}

// change comes before the first put of a kind.
func (tx *Tx) change() error {
	if !tx.writable {
		return ErrReadOnly
	}
	tx.dirty = true
	tx.changes++
	return nil
}
