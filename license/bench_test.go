package license_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"goldfish/license"
	"goldfish/license/licensetest"
)

// BenchmarkVerify is a whole answer without HTTP: look-ups, the device's proof where there is one, the signed
// verdict.
func BenchmarkVerify(b *testing.B) {
	policy := license.DefaultPolicy
	policy.KeyOptional = true
	w := licensetest.New(b)
	app := w.App(&policy)
	keys := w.Keys(app, 2, licensetest.Month)
	d, who := w.Device(app, 1), w.Customer()
	got, err := d.Activate(who, keys[0], nil)
	w.Must(err)
	bare := func(path string) license.DeviceCall {
		c := w.Device(app, 2).Call(path, func(c *license.DeviceCall) { c.CardKey = keys[1] })
		c.Proof, c.Request.DeviceKey, c.Request.Time = "", "", 0
		return c
	}
	_, err = w.Activate(who, bare(activatePath))
	w.Must(err)
	for name, call := range map[string]license.DeviceCall{
		"proved":  d.Call(verifyPath, func(c *license.DeviceCall) { c.CardID = got.CardID }),
		"keyless": bare(verifyPath),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := w.Verify(license.Actor{}, call); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/parallel", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					if _, err := w.Verify(license.Actor{}, call); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

// BenchmarkActivate is one activation with its proof, on the disk when it is acknowledged.
func BenchmarkActivate(b *testing.B) {
	for _, callers := range []int{1, 64, 1000} {
		b.Run(fmt.Sprintf("%d callers", callers), func(b *testing.B) {
			b.ReportAllocs()
			w := licensetest.New(b)
			app := w.App(nil)
			d, who := w.Device(app, 1), w.Customer()
			var calls []license.DeviceCall
			for _, key := range w.Keys(app, b.N, licensetest.Month) {
				calls = append(calls, d.Call(activatePath, func(c *license.DeviceCall) { c.CardKey = key }))
			}
			var next atomic.Int64
			var wg sync.WaitGroup
			b.ResetTimer()
			for range callers {
				wg.Go(func() {
					for i := next.Add(1); i <= int64(len(calls)); i = next.Add(1) {
						if _, err := w.Activate(who, calls[i-1]); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "activations/s")
		})
	}
}

// BenchmarkGenerate is a batch of 100,000 card keys.
func BenchmarkGenerate(b *testing.B) {
	const n = 100_000
	w := licensetest.New(b)
	app := w.App(nil)
	b.ReportAllocs()
	for b.Loop() {
		_, job, err := w.CreateBatch(w.Owner, license.NewBatch{App: app.UUID, Count: n, Terms: licensetest.Month})
		w.Must(err)
		w.Await("the batch", func() bool {
			job, err = w.Job(w.Owner, job.ID)
			w.Must(err)
			return job.State == license.JobDone
		})
	}
	b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "cards/s")
}
