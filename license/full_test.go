package license_test

import (
	"crypto/rand"
	"os"
	"testing"
	"time"

	"goldfish/license"
	"goldfish/license/licensetest"
)

// reopenWith opens the world's file anew.
func reopenWith(w *licensetest.World, reserve int64) {
	w.T.Helper()
	w.Must(w.Close())
	a, err := license.Open(w.Path, license.Options{
		Clock: w.Clock.Now, Rand: rand.Reader, MachineKey: licensetest.MachineKey, BcryptCost: 4, Argon: licensetest.Argon,
		CacheBytes: 1 << 20, Release: "test", Reserve: reserve,
	})
	w.Must(err)
	w.T.Cleanup(func() { _ = a.Close() })
	w.Authority = a
}

// TestLowDisk: activations, and all that people do, are written to the last; heartbeats, refusals and new cards wait in
// their places and are there when the disk has room.
func TestLowDisk(t *testing.T) {
	w := licensetest.New(t)
	app, who := w.App(nil), w.Customer()
	keys := w.Keys(app, 2, licensetest.Month)
	w.Must(os.MkdirAll(w.Path+".reserve/taken", 0o700)) // so that no reserve can be made: the disk counts as low
	reopenWith(w, 1<<20)
	if !w.Low() || w.Ready() != nil {
		t.Fatalf("low %v, ready %v", w.Low(), w.Ready())
	}
	d := w.Device(app, 1)
	got, err := d.Activate(who, keys[0], nil)
	w.Must(err)
	_, err = d.Verify(got.CardID)
	w.Must(err)
	if _, err := w.Device(app, 2).Verify(got.CardID); codeOf(err) != "device_unbound" {
		t.Fatal(err)
	}
	w.Must(w.FlushPresence())
	w.Must(w.FlushRefusals())
	card := w.CardOf(keys[0])
	if n := count(w.Events(license.NounCard, card.Card.ID), license.CardRefused); n != 0 {
		t.Errorf("%d refusals were written to a disk with little room", n)
	}
	_, job, err := w.CreateBatch(w.Owner, license.NewBatch{App: app.UUID, Count: 5, Terms: licensetest.Month})
	w.Must(err)
	w.HastenJobs()
	for end := time.Now().Add(20 * time.Millisecond); time.Now().Before(end); {
		j, err := w.Job(w.Owner, job.ID)
		if err != nil || j.State != license.JobRunning || j.Done != 0 {
			t.Fatalf("%+v %v", j, err)
		}
	}
	w.Await("the job to say that it waits", func() bool {
		j, err := w.Job(w.Owner, job.ID)
		w.Must(err)
		return j.Waits == license.WaitsForRoom
	})
	w.Must(w.SweepOffline()) // going offline is for good and is written
	if id := card.Bindings[0].Binding.ID; !online(w, id) {
		t.Error("heard, but not online")
	}

	// The disk has room again: the job goes on by itself.
	reopenWith(w, 0)
	w.Await("the batch", func() bool {
		j, err := w.Job(w.Owner, job.ID)
		w.Must(err)
		return j.State == license.JobDone
	})
	if w.Low() {
		t.Error("still low")
	}
}

func count(kinds []license.EventKind, kind license.EventKind) (n int) {
	for _, k := range kinds {
		if k == kind {
			n++
		}
	}
	return n
}

func online(w *licensetest.World, id license.ID) bool {
	w.T.Helper()
	v, err := w.Authority.Device(w.Owner, id)
	w.Must(err)
	return v.Presence.Online
}
