package store

import (
	"hash/maphash"
	"sync/atomic"

	"github.com/dgraph-io/ristretto/v2"
)

// rowCache keeps decoded rows. It may forget, never lie.
type rowCache struct {
	rows    *ristretto.Cache[string, cached]
	changed [cacheSlots]atomic.Uint64 // the last transaction that touched a row of the slot
	sealer  atomic.Uint64             // counts sealers: rows of an earlier one are not used
}

const cacheSlots = 1 << 14

// cached is a decoded row with the transaction in which it was read.
type cached struct {
	row          any
	read, sealer uint64
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
	return uint32(h.Sum64() % cacheSlots)
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

// rowName separates table and key by a NUL, which no table's name holds.
func rowName(table string, key []byte) string { return table + "\x00" + string(key) }

// get gives a row only if it is certainly the one of tx's snapshot: no transaction up to the later of both
// reads has touched it. A row that was touched after tx began is not used either. A change is noted before
// its commit, so a reader of the new state always finds it noted.
func (c *rowCache) get(tx *Tx, table string, key []byte) (any, bool) {
	e, ok := c.rows.Get(rowName(table, key))
	if !ok || e.sealer != c.sealer.Load() {
		return nil, false
	}
	changed := c.changed[slotOf(table, key)].Load()
	if changed > e.read || changed > uint64(tx.bolt.ID()) {
		return nil, false
	}
	return e.row, true
}

func (c *rowCache) put(tx *Tx, table string, key []byte, row any, size int64) {
	e := cached{row: row, read: uint64(tx.bolt.ID()), sealer: c.sealer.Load()}
	c.rows.Set(rowName(table, key), e, 2*size+64)
}

// touched notes what the transaction is about to change. If its commit fails, rows are merely read again.
func (c *rowCache) touched(slots []uint32, txid uint64) {
	for _, s := range slots {
		c.changed[s].Store(txid)
	}
}

// forget makes all rows of now unused; ristretto's own Clear must not run beside readers.
func (c *rowCache) forget() { c.sealer.Add(1) }
func (c *rowCache) close()  { c.rows.Close() }
