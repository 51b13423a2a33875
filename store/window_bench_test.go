package store_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"goldfish/store"
	"goldfish/store/storetest"
)

func benchSchema() *store.Schema {
	return &store.Schema{Magic: "bench", Tables: []store.Described{benchPlain, benchLog}}
}

// windowBench is one of the files that are compared.
type windowBench struct {
	*storetest.File
	rows  uint64
	took  time.Duration
	first int64 // the file's length before
}

func newWindowBench(b *testing.B, rows int, set func(*store.Options)) *windowBench {
	w := &windowBench{File: storetest.Open(b, benchSchema(), storetest.With(set)), rows: uint64(rows)}
	benchFill(b, w.File, benchPlain, rows)
	if err := w.Compact(); err != nil {
		b.Fatal(err)
	}
	w.first = w.Size()
	return w
}

// run has the callers make n changes.
func (w *windowBench) run(b *testing.B, callers, n int) {
	var left atomic.Int64
	var wg sync.WaitGroup
	left.Store(int64(n))
	began := time.Now()
	for range callers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				id := store.ID(1<<48 | rand.Uint64N(w.rows) + 1)
				if err := w.Update(func(tx *store.Tx) error {
					v, err := benchPlain.Get(tx, id.Key())
					if err != nil {
						return err
					}
					v.Count++
					if err := benchPlain.Put(tx, v); err != nil {
						return err
					}
					_, err = benchLog.Append(tx, &event{Op: int(v.Count)})
					return err
				}); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	w.took += time.Since(began)
}

// What keeping past states for copies costs: the same changes on a file with and without it, in turns, beside
// bbolt's own way, in which every commit writes the list of free pages. The ratios are to the file without.
func BenchmarkCopyWindow(b *testing.B) {
	for _, callers := range []int{1, 64, 1000} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			without := newWindowBench(b, 100_000, func(o *store.Options) { o.Window = -1 })
			with := newWindowBench(b, 100_000, func(*store.Options) {})
			plain := newWindowBench(b, 100_000, store.Plain)
			b.ResetTimer()
			for left := b.N; left > 0; left -= 2000 {
				for _, w := range []*windowBench{without, with, plain} {
					w.run(b, callers, min(left, 2000))
				}
			}
			b.StopTimer()
			rate := func(w *windowBench) float64 { return float64(b.N) / w.took.Seconds() }
			b.ReportMetric(rate(with), "writes/s")
			b.ReportMetric(rate(with)/rate(without), "ratio")
			b.ReportMetric(rate(plain)/rate(without), "listed-ratio")
			b.ReportMetric(float64(with.Size()-with.first)/(1<<20), "MB-grown")
			b.ReportMetric(float64(without.Size()-without.first)/(1<<20), "MB-grown-without")
			b.ReportMetric(with.Copying().Window.Seconds(), "window-s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// Readers beside as many kept states as there can be: every end of a transaction passes them.
func BenchmarkReadBesidePins(b *testing.B) {
	for name, window := range map[string]time.Duration{"with": 0, "without": -1} {
		b.Run(name, func(b *testing.B) {
			w := newWindowBench(b, 10_000, func(o *store.Options) { o.Window = window })
			w.run(b, 1, 1200)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := w.View(func(tx *store.Tx) error {
						_, err := benchPlain.Get(tx, store.ID(1<<48|rand.Uint64N(w.rows)+1).Key())
						return err
					}); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

// How long writers wait while the file is compacted.
func BenchmarkCompact(b *testing.B) {
	for _, rows := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			w := newWindowBench(b, rows, func(*store.Options) {})
			for b.Loop() {
				if err := w.Compact(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(w.Size())/(1<<20), "MB")
		})
	}
}
