package backup

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"goldfish/license"
	"goldfish/license/licensetest"
)

// BenchmarkBackup measures what is done to a file with 100,000 card keys, or as many as GOLDFISH_BENCH_KEYS says.
func BenchmarkBackup(b *testing.B) {
	count := 100_000
	if text := os.Getenv("GOLDFISH_BENCH_KEYS"); text != "" {
		var err error
		if count, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	w := licensetest.New(b)
	app := w.App(nil)
	_, job, err := w.CreateBatch(w.Owner, license.NewBatch{App: app.UUID, Count: count, Terms: licensetest.Month})
	w.Must(err)
	for job.State == license.JobRunning { // longer than Await has patience
		<-time.After(50 * time.Millisecond)
		job, err = w.Job(w.Owner, job.ID)
		w.Must(err)
	}
	o, dir := options(w), b.TempDir()
	raw, packed := filepath.Join(dir, "raw"), filepath.Join(dir, "b.db.zst")
	w.Must(w.DB().Snapshot(raw))
	_, err = Make(w.Authority, o, packed)
	w.Must(err)
	for _, path := range []string{raw, packed} {
		info, err := os.Stat(path)
		w.Must(err)
		b.Logf("%d keys: %s has %d bytes", count, filepath.Base(path), info.Size())
	}
	for _, step := range []struct {
		name string
		do   func(to string) error
	}{
		{"snapshot", func(to string) error { return w.DB().Snapshot(to) }},
		{"compress", func(to string) error { _, err := pack(b.Context(), raw, to); return err }},
		{"unpack", func(to string) error { _, err := unpack(packed, to); return err }},
		{"make", func(to string) error { _, err := Make(w.Authority, o, to+".db.zst"); return err }},
		{"verify", func(string) error { _, err := Verify(packed, o); return err }},
		{"restore", func(to string) error { _, err := Restore(packed, filepath.Join(to, "goldfish.db"), o); return err }},
		{"compact", func(string) error { return w.DB().Compact() }},
	} {
		b.Run(step.name, func(b *testing.B) {
			for n := 0; b.Loop(); n++ {
				to := filepath.Join(b.TempDir(), fmt.Sprint(n))
				if err := step.do(to); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
