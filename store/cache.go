package store

import (
	"hash/maphash"

	"github.com/dgraph-io/ristretto/v2"
)

// cached is a decoded row with the transaction in which it was read.
type cached struct {
	row  any
	read uint64
}

var cacheSeed = maphash.MakeSeed()

// slotOf is where changes of such a row are noted. Two rows may share a slot: then one's change only makes
// the other be read again.
func slotOf(table string, key []byte) uint32 {
	var h maphash.Hash
	h.SetSeed(cacheSeed)
	_, _ = h.WriteString(table)
	_ = h.WriteByte(0)
	_, _ = h.Write(key)
	return uint32(h.Sum64() % (1 << 14))
}

// newRowCache makes a cache of about bytes; ristretto really takes three to four times what it is told.
func newRowCache(bytes int64) (*rowCache, error) {
	rows, err := ristretto.NewCache(&ristretto.Config[string, cached]{
		NumCounters: max(bytes/20, 1000), MaxCost: max(bytes/4, 1<<16), BufferItems: 64, IgnoreInternalCost: true,
	})
	if err != nil {
		return nil, err
	}
	return &rowCache{rows: rows}, nil
}

// get gives a row only if it is certainly the one of tx's snapshot: no transaction up to the later of both
// reads has touched it. A row that was touched after tx began is not used either.
func (c *rowCache) get(tx *Tx, table string, key []byte) (any, bool) {
	e, ok := c.rows.Get(table + string(key))
	if !ok {
		return nil, false
	}
	changed := c.changed[slotOf(table, key)].Load()
	if changed > e.read || changed > uint64(tx.bolt.ID()) {
		return nil, false
	}
	return e.row, true
}

func (c *rowCache) put(tx *Tx, table string, key []byte, row any, size int64) {
	c.rows.Set(table+string(key), cached{row: row, read: uint64(tx.bolt.ID())}, 2*size+64)
}

// touched notes what the transaction changed. It is called before the commit, so that no reader of the new
// state can meet an unmarked old row; if the commit then fails, rows are merely read again.
func (c *rowCache) touched(slots []uint32, txid uint64) {
	for _, s := range slots {
		c.changed[s].Store(txid)
	}
}

func (c *rowCache) clear() { c.rows.Clear() }
func (c *rowCache) close() { c.rows.Close() }
