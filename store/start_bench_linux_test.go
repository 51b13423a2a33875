package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"goldfish/store"
)

// The time until a file can be used: after it was closed, and after its process was killed (a plain copy of a running
// file is the same); with its pages in memory, and with none of them there, as after the machine has started.
func BenchmarkStart(b *testing.B) {
	for _, rows := range []int{100_000, 1_000_000} {
		w := newWindowBench(b, rows, func(*store.Options) {})
		w.run(b, 64, rows/10)
		killed := filepath.Join(b.TempDir(), "killed.db")
		file, err := os.ReadFile(w.Path())
		if err == nil {
			err = os.WriteFile(killed, file, 0o600)
		}
		if err != nil {
			b.Fatal(err)
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
		for name, path := range map[string]string{"clean": w.Path(), "killed": killed} {
			for _, pages := range []string{"warm", "cold"} {
				b.Run(fmt.Sprintf("rows=%d/%s/%s", rows, name, pages), func(b *testing.B) {
					for b.Loop() {
						if pages == "cold" {
							b.StopTimer()
							chill(b, path)
							b.StartTimer()
						}
						db, err := store.Open(path, options(benchSchema()))
						if err != nil {
							b.Fatal(err)
						}
						if db.Clean() != (name == "clean") {
							b.Fatal("the file is not what it should be")
						}
						_ = db.Close()
					}
					b.ReportMetric(float64(len(file))/(1<<20), "MB")
				})
			}
		}
	}
}

// chill has the system forget a file's pages.
func chill(b *testing.B, path string) {
	b.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		b.Fatal(err)
	}
	if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		b.Fatal(err)
	}
}
