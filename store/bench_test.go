package store_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"goldfish/store"
	"goldfish/store/storetest"
)

// A row like a card: a sequential key, one random index entry, about 120 bytes.
type benchRow struct {
	ID    store.ID `cbor:"1,keyasint"`
	Code  uint64   `cbor:"2,keyasint"`
	Note  []byte   `cbor:"3,keyasint"`
	Count uint64   `cbor:"4,keyasint"`
}

func benchTable(name string, sealed, cached bool) *store.Table[benchRow] {
	return &store.Table[benchRow]{
		Name: name, Sealed: sealed, Cached: cached, Sequential: true, Key: func(v *benchRow) []byte { return v.ID.Key() },
		Indexes: []*store.Index[benchRow]{{Name: "code", Unique: true, Keys: func(_ *store.Tx, v *benchRow) ([][]byte, error) {
			return [][]byte{binary.BigEndian.AppendUint64(nil, v.Code)}, nil
		}}},
		Counts: func(*benchRow) []string { return []string{"all"} },
	}
}

var (
	benchPlain, benchSealed = benchTable("plain", false, false), benchTable("sealed", true, false)
	benchCached, benchCold  = benchTable("cached", false, true), benchTable("cold", true, true)
	benchLog                = &store.Log[event]{Name: "log"}
)

const benchRows = 20_000

func benchOpen(b *testing.B, tables ...*store.Table[benchRow]) *storetest.File {
	b.Helper()
	db := storetest.Open(b, &store.Schema{Magic: "bench", Tables: []store.Described{
		benchPlain, benchSealed, benchCached, benchCold, benchLog,
	}}, storetest.WithCache(64<<20))
	for _, t := range tables {
		benchFill(b, db, t, benchRows)
	}
	return db
}

func benchNew(id store.ID) *benchRow {
	return &benchRow{ID: id, Code: rand.Uint64(), Note: make([]byte, 80)}
}

func benchFill(b *testing.B, db *storetest.File, t *store.Table[benchRow], n int) {
	b.Helper()
	for at := 0; at < n; at += 2000 {
		if err := db.Update(func(tx *store.Tx) error {
			first, err := t.NextIDs(tx, 2000)
			for i := 0; i < 2000 && err == nil; i++ {
				err = t.Put(tx, benchNew(first+store.ID(i)))
			}
			return err
		}); err != nil {
			b.Fatal(err)
		}
	}
}

func benchID(n uint64) store.ID { return store.ID(1<<48 | n%benchRows + 1) }

// change is an activation's shape: read a row, put it back, append to the log.
func change(t *store.Table[benchRow]) func(*store.Tx) error {
	id := benchID(rand.Uint64())
	return func(tx *store.Tx) error {
		v, err := t.Get(tx, id.Key())
		if err != nil {
			return err
		}
		v.Count++
		if err := t.Put(tx, v); err != nil {
			return err
		}
		_, err = benchLog.Append(tx, &event{Op: int(v.Count)})
		return err
	}
}

func BenchmarkWrite(b *testing.B) {
	for name, t := range map[string]*store.Table[benchRow]{"plain": benchPlain, "sealed": benchSealed} {
		for _, callers := range []int{1, 64, 1000} {
			b.Run(fmt.Sprintf("%s/callers=%d", name, callers), func(b *testing.B) {
				db := benchOpen(b, t)
				b.ResetTimer()
				before := db.Stats().Commits.Load()
				var next atomic.Int64
				var wg sync.WaitGroup
				for range callers {
					wg.Go(func() {
						for next.Add(1) <= int64(b.N) {
							if err := db.Update(change(t)); err != nil {
								b.Error(err)
							}
						}
					})
				}
				wg.Wait()
				b.StopTimer()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "writes/s")
				b.ReportMetric(float64(b.N)/float64(db.Stats().Commits.Load()-before), "writes/sync")
			})
		}
	}
}

func BenchmarkRead(b *testing.B) {
	for name, t := range map[string]*store.Table[benchRow]{
		"plain": benchPlain, "sealed": benchSealed, "plain cached": benchCached, "sealed cached": benchCold,
	} {
		b.Run(name, func(b *testing.B) {
			db := benchOpen(b, t)
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				hot := rand.NewZipf(rand.New(rand.NewPCG(1, rand.Uint64())), 1.1, 1, benchRows-1)
				for pb.Next() {
					if err := db.View(func(tx *store.Tx) error {
						_, err := t.Get(tx, benchID(hot.Uint64()).Key())
						return err
					}); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

func BenchmarkLoad100k(b *testing.B) {
	for name, t := range map[string]*store.Table[benchRow]{"plain": benchPlain, "sealed": benchSealed} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				db := benchOpen(b)
				b.StartTimer()
				benchFill(b, db, t, 100_000)
				b.StopTimer()
				b.ReportMetric(float64(db.Size())/100_000, "B/row")
				_ = db.Close()
				b.StartTimer()
			}
		})
	}
}
