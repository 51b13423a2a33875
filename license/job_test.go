package license_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"goldfish/license"
	"goldfish/license/licensetest"
	"goldfish/store/storetest"
)

// moody is a random source that can be made to fail for some reads, or to give the same bytes over and over.
type moody struct {
	fails atomic.Int64
	stuck atomic.Bool
}

func (m *moody) Read(p []byte) (int, error) {
	for n := m.fails.Load(); n > 0; n = m.fails.Load() {
		if m.fails.CompareAndSwap(n, n-1) {
			return 0, errors.New("no randomness")
		}
	}
	if m.stuck.Load() {
		for i := range p {
			p[i] = byte(i)
		}
		return len(p), nil
	}
	return rand.Read(p)
}

func moodyWorld(t *testing.T) (*licensetest.World, *moody, *license.App) {
	t.Helper()
	source := &moody{}
	clock := storetest.NewClock(storetest.Start)
	a, err := license.Open(filepath.Join(t.TempDir(), "goldfish.db"), license.Options{
		Clock: clock.Now, Rand: source, MachineKey: licensetest.MachineKey, BcryptCost: 4,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	a.HastenJobs()
	w := &licensetest.World{Authority: a, T: t, Clock: clock, Owner: license.System}
	return w, source, w.App(nil)
}

func (s jobStory) String() string { return fmt.Sprintf("%v %v %v", s.state, s.done, s.events) }

type jobStory struct {
	state  string
	done   int
	events []license.EventKind
}

// story tells how a job ended, and requires that nothing is left unless it is done.
func story(w *licensetest.World, batch *license.Batch, job *license.Job) jobStory {
	w.T.Helper()
	w.Await("the job's end", func() bool {
		var err error
		job, err = w.Job(w.Owner, job.ID)
		w.Must(err)
		return job.State != license.JobRunning && job.State != license.JobCancelling
	})
	rows, faults := w.DB().Check()
	if len(faults) > 0 {
		w.T.Error(faults)
	}
	if job.State != license.JobDone && rows["cards"]+rows["card_texts"]+rows["batches"] != 0 {
		w.T.Errorf("%v left rows: %v", job.State, rows)
	}
	return jobStory{job.State.String(), job.Done, w.Events(license.NounBatch, batch.ID)}
}

func TestJobThatCannotGoOnFails(t *testing.T) {
	w, source, app := moodyWorld(t)
	source.stuck.Store(true) // every key but the first 256 of a block is one that exists
	batch, job, err := w.CreateBatch(w.Owner, license.NewBatch{App: app.UUID, Count: 5000, Terms: licensetest.Month})
	w.Must(err)
	if got := story(w, batch, job).String(); got != "failed 0 [batch.created batch.failed]" {
		t.Error(got)
	}
	job, err = w.Job(w.Owner, job.ID)
	if err != nil || job.Code != "write_failed" || job.Finished == 0 {
		t.Errorf("%+v %v", job, err)
	}
	if _, err := w.CancelJob(w.Owner, job.ID); codeOf(err) != "job_not_running" {
		t.Errorf("cancelled once it had failed: %v", err)
	}
}

func TestJobOutlivesAShortFailure(t *testing.T) {
	w, source, app := moodyWorld(t)
	var once sync.Once
	w.OnJob(func(license.Job) { once.Do(func() { source.fails.Store(3) }) })
	batch, job, err := w.CreateBatch(w.Owner, license.NewBatch{App: app.UUID, Count: 5000, Terms: licensetest.Month})
	w.Must(err)
	if got := story(w, batch, job).String(); got != "done 5000 [batch.created batch.ready]" {
		t.Error(got)
	}
	if n := w.DB().Stats().Failed.Load(); n != 3 {
		t.Errorf("%d steps failed", n)
	}
}

// TestWaitingJobIsCancelledAtOnce: it need not wait for the one before it.
func TestWaitingJobIsCancelledAtOnce(t *testing.T) {
	w := licensetest.New(t)
	app := w.App(nil)
	moved, goOn := make(chan struct{}), make(chan struct{})
	var first atomic.Bool
	w.OnJob(func(j license.Job) {
		if j.State == license.JobRunning && first.CompareAndSwap(false, true) {
			close(moved)
			<-goOn
		}
	})
	_, running, err := w.CreateBatch(w.Owner, license.NewBatch{App: app.UUID, Count: 5000, Terms: licensetest.Month})
	w.Must(err)
	<-moved
	batch, waiting, err := w.CreateBatch(w.Owner, license.NewBatch{App: app.UUID, Count: 5000, Terms: licensetest.Month})
	w.Must(err)
	who := license.Actor{Kind: license.ActorAccount, Account: w.Owner.Account, Role: license.RoleOwner}
	got, err := w.CancelJob(who, waiting.ID)
	if err != nil || got.State != license.JobCancelled {
		t.Errorf("%+v %v", got, err)
	}
	if _, err := w.Batch(w.Owner, batch.ID); codeOf(err) != "not_found" {
		t.Errorf("the batch: %v", err)
	}
	last, err := w.RecentEvents(1, 10, nil)
	if e := last[0].Event; err != nil || e.Kind != license.BatchCancelled || e.ActorID != who.Account || e.Object != batch.ID {
		t.Errorf("recorded %+v (%v)", e, err)
	}
	close(goOn)
	w.Await("the first job", func() bool {
		j, err := w.Job(w.Owner, running.ID)
		w.Must(err)
		return j.State == license.JobDone
	})
}

// TestCancelOutlivesAStop: a job that was taking its rows away goes on with that after a restart.
func TestCancelOutlivesAStop(t *testing.T) {
	w := licensetest.New(t)
	app := w.App(nil)
	moved, goOn := make(chan struct{}), make(chan struct{})
	var held atomic.Bool
	w.OnJob(func(j license.Job) {
		if j.Done > 2000 && held.CompareAndSwap(false, true) {
			close(moved)
			<-goOn
		}
	})
	batch, job, err := w.CreateBatch(w.Owner, license.NewBatch{App: app.UUID, Count: 100_000, Terms: licensetest.Month})
	w.Must(err)
	<-moved
	_, err = w.CancelJob(w.Owner, job.ID)
	w.Must(err)
	stopped := make(chan error)
	go func() { stopped <- w.Close() }()
	w.Await("the stop", func() bool { // the job is not cancelled by the time it is told to stop
		select {
		case goOn <- struct{}{}:
			return true
		default:
			return false
		}
	})
	w.Must(<-stopped)
	again := licensetest.Open(t, w.Path, w.Clock)
	again.Owner = w.Owner
	if got := story(again, batch, job).String(); got != "cancelled 0 [batch.created batch.cancelled]" {
		t.Error(got)
	}
}
