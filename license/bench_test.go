package license_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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

// BenchmarkActivate is one activation with its proof, on the disk when it is acknowledged: on a file that keeps past
// states for plain copies and, in turns, on one that does not. The ratio is to the second.
func BenchmarkActivate(b *testing.B) {
	for _, callers := range []int{1, 64, 1000} {
		b.Run(fmt.Sprintf("%d callers", callers), func(b *testing.B) {
			with := newActivateBench(b, callers)
			without := newActivateBench(b, callers, func(o *license.Options) { o.Window = -1 })
			b.ResetTimer()
			for from := 0; from < b.N; from += 2000 {
				for _, w := range []*activateBench{with, without} {
					w.run(w.calls[from:min(from+2000, b.N)])
				}
			}
			rate := func(w *activateBench) float64 { return float64(b.N) / w.took.Seconds() }
			b.ReportMetric(rate(with), "activations/s")
			b.ReportMetric(rate(with)/rate(without), "ratio")
			b.ReportMetric(float64(with.DB().Size())/(1<<20), "MB")
			b.ReportMetric(float64(without.DB().Size())/(1<<20), "MB-without")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// activateBench is one of the files that are compared, with b.N cards to be activated.
type activateBench struct {
	*licensetest.World
	who     license.Actor
	calls   []license.DeviceCall
	callers int
	took    time.Duration
}

func newActivateBench(b *testing.B, callers int, set ...func(*license.Options)) *activateBench {
	w := &activateBench{World: licensetest.New(b, set...), callers: callers}
	app := w.App(nil)
	d := w.Device(app, 1)
	w.who = w.Customer()
	for _, key := range w.Keys(app, b.N, licensetest.Month) {
		w.calls = append(w.calls, d.Call(activatePath, func(c *license.DeviceCall) { c.CardKey = key }))
	}
	return w
}

func (w *activateBench) run(calls []license.DeviceCall) {
	var next atomic.Int64
	var wg sync.WaitGroup
	began := time.Now()
	for range w.callers {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(len(calls)); i = next.Add(1) {
				if _, err := w.Activate(w.who, calls[i-1]); err != nil {
					w.T.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	w.took += time.Since(began)
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
