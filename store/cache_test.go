package store_test

import (
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"

	"goldfish/store"
	"goldfish/store/storetest"
)

// A reader that starts after an acknowledged write never sees an older version, and no reader sees through
// the cache anything but its own snapshot. Some writes fail after their put, the sealer is set anew, and the
// cache is small enough to forget.
func TestCachedRowsAreNeverStale(t *testing.T) {
	const rows, writes = 16, 150
	db := open(t, storetest.WithCache(1<<16))
	var acknowledged [rows]atomic.Uint64
	for i := range rows {
		put(t, db, &thing{ID: store.ID(i + 1)})
	}
	var writers, readers sync.WaitGroup
	done := make(chan struct{})
	for i := range rows {
		writers.Go(func() {
			for v := uint64(1); v <= writes; v++ {
				if v%5 == 0 {
					_ = db.Update(func(tx *store.Tx) error {
						_ = things.Put(tx, &thing{ID: store.ID(i + 1), Version: 1 << 40})
						return errWant
					})
				}
				if err := db.Update(putting(&thing{ID: store.ID(i + 1), Version: v})); err != nil {
					t.Error(err)
				}
				acknowledged[i].Store(v)
			}
		})
	}
	for range 4 {
		readers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				if err := readBoth(db, &acknowledged[n%rows], store.ID(n%rows+1)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	readers.Go(func() {
		for range 200 {
			db.SetSealer(db.Ring)
		}
	})
	writers.Wait()
	close(done)
	readers.Wait()
}

// readBoth reads a row through the cache and past it, in one transaction.
func readBoth(db *storetest.File, acknowledged *atomic.Uint64, id store.ID) error {
	least := acknowledged.Load()
	return db.View(func(tx *store.Tx) error {
		for range 2 {
			v, err := things.Get(tx, id.Key())
			if err != nil {
				return err
			}
			if v.Version < least || v.Version >= 1<<40 {
				return fmt.Errorf("row %d at version %d after %d was acknowledged", id, v.Version, least)
			}
			for stored, err := range things.Scan(tx, store.Range{Prefix: id.Key()}) {
				if err != nil || !reflect.DeepEqual(stored, v) {
					return fmt.Errorf("the cache gives %+v, the file %+v, %w", v, stored, err)
				}
			}
		}
		return nil
	})
}

func TestTheCacheIsUsed(t *testing.T) {
	db := open(t)
	put(t, db, &thing{ID: 1})
	first, second := get(t, db, 1), get(t, db, 1)
	for first != second { // the cache takes a row in when it gets to it
		first, second = second, get(t, db, 1)
	}
	plain := open(t, storetest.WithCache(0))
	put(t, plain, &thing{ID: 1})
	first, second = get(t, plain, 1), get(t, plain, 1)
	if first == second {
		t.Error("rows are shared without a cache")
	}
}

// Tables whose names and keys run into each other have nothing in common in the cache.
func TestTheCacheKeepsTablesApart(t *testing.T) {
	type row struct{ K, V string }
	table := func(name string) *store.Table[row] {
		return &store.Table[row]{Name: name, Cached: true, Key: func(v *row) []byte { return []byte(v.K) }}
	}
	one, two := table("t"), table("ta")
	db := storetestOpen(t, &store.Schema{Magic: "x", Tables: []store.Described{one, two}})
	if err := db.Update(func(tx *store.Tx) error {
		if err := one.Put(tx, &row{"ab", "one"}); err != nil {
			return err
		}
		return two.Put(tx, &row{"b", "two"})
	}); err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		_ = db.View(func(tx *store.Tx) error {
			a, _ := one.Get(tx, []byte("ab"))
			b, _ := two.Get(tx, []byte("b"))
			if a.V != "one" || b.V != "two" {
				t.Fatalf("%+v, %+v", a, b)
			}
			return nil
		})
	}
}
