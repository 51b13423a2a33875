package license

import (
	"context"
	"errors"
	"sync"
	"time"

	"goldfish/license/fault"
	"goldfish/store"
)

// JobKind says what a job does. The numbers lie in the file and are never used again.
type JobKind uint8

// The kinds of a job: one makes a batch's cards, the other seals everything anew.
const (
	JobGenerate JobKind = 1
	JobRotate   JobKind = 2
)

var jobKinds = []string{"", "batch.generate", "keyring.rotate"}

// String is the kind's name on the wire.
func (k JobKind) String() string { return nameOf(jobKinds, uint8(k)) }

// JobState is where a job stands.
type JobState uint8

// The states of a job. A cancelling or failing one is taking its rows away.
const (
	JobRunning    JobState = 1
	JobDone       JobState = 2
	JobCancelled  JobState = 3
	JobFailed     JobState = 4
	JobCancelling JobState = 5
)

var jobStates = []string{"", "running", "done", "cancelled", "failed", "cancelling"}

// String is the state's name on the wire.
func (s JobState) String() string { return nameOf(jobStates, uint8(s)) }

// Job is long work in the background. Its state is in the file: a restart goes on where it stood.
type Job struct {
	ID       store.ID `cbor:"1,keyasint"`
	Kind     JobKind  `cbor:"2,keyasint"`
	State    JobState `cbor:"3,keyasint"`
	Done     int      `cbor:"4,keyasint"`
	Total    int      `cbor:"5,keyasint"`
	Object   store.ID `cbor:"6,keyasint"`           // the batch; of a rotation the session that stays
	Code     string   `cbor:"7,keyasint,omitempty"` // why it failed
	By       store.ID `cbor:"8,keyasint,omitempty"`
	Created  int64    `cbor:"9,keyasint"`
	Finished int64    `cbor:"10,keyasint,omitempty"`
	Waits    string   `cbor:"-"` // why it does not go on for now: WaitsForRoom or ""
}

// WaitsForRoom is the code of a job that waits until the disk has room.
const WaitsForRoom = "disk_low"

func newJob(tx *store.Tx, who Actor, kind JobKind, object store.ID, total int) (*Job, error) {
	id, err := jobs.NextID(tx)
	if err != nil {
		return nil, err
	}
	j := &Job{ID: id, Kind: kind, State: JobRunning, Total: total, Object: object, By: who.Account, Created: tx.Now.UnixMilli()}
	return j, jobs.Put(tx, j)
}

// jobRunner runs one batch's job after another, and a rotation beside them. Where each stands is in the file alone.
type jobRunner struct {
	authority *Authority
	mu        sync.Mutex
	watch     []func(Job)
	ctx       context.Context // ends when the appliance stops
	stop      context.CancelFunc
	pause     time.Duration // after a failed slice, doubling
	turn      sync.Mutex
	waiting   map[store.ID]bool // for room on the disk
	wg        sync.WaitGroup
}

func (r *jobRunner) begin(a *Authority) {
	r.authority, r.pause, r.waiting = a, time.Second, map[store.ID]bool{}
	r.ctx, r.stop = context.WithCancel(context.Background())
}

// OnJob has fn called, outside all locks, whenever a job has moved on. Call it before serving; fn must not
// block.
func (a *Authority) OnJob(fn func(Job)) {
	a.jobs.mu.Lock()
	defer a.jobs.mu.Unlock()
	a.jobs.watch = append(a.jobs.watch, fn)
}

func (r *jobRunner) tell(j *Job) {
	r.mu.Lock()
	watch := r.watch
	r.mu.Unlock()
	j = r.seen(j)
	for _, fn := range watch {
		r.authority.guarded("job", func() { fn(*j) })
	}
}

// seen is a job with what only memory knows of it.
func (r *jobRunner) seen(j *Job) *Job {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := *j
	if out.Waits = ""; r.waiting[j.ID] && j.State == JobRunning {
		out.Waits = WaitsForRoom
	}
	return &out
}

// wait notes whether a job waits for room on the disk, and says so once.
func (r *jobRunner) wait(id store.ID, waits bool) {
	r.mu.Lock()
	was := r.waiting[id]
	if waits {
		r.waiting[id] = true
	} else {
		delete(r.waiting, id)
	}
	r.mu.Unlock()
	a := r.authority
	switch {
	case waits == was:
	case !waits:
		a.log.Info("a job that waited goes on: the disk has room", "job", a.ids.Out(NounJob, id))
	default:
		a.log.Warn("a job waits until the disk has room", "job", a.ids.Out(NounJob, id))
		if j, err := store.Read(a.db, func(tx *store.Tx) (*Job, error) { return jobs.Get(tx, id.Key()) }); err == nil {
			r.tell(j)
		}
	}
}

func (r *jobRunner) start(id store.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ctx.Err() != nil {
		return // it goes on after the next start
	}
	r.wg.Go(func() { r.run(id) })
}

// run carries a job on until it is over or the appliance stops.
func (r *jobRunner) run(id store.ID) {
	a := r.authority
	j, err := store.Read(a.db, func(tx *store.Tx) (*Job, error) { return jobs.Get(tx, id.Key()) })
	switch {
	case err != nil:
		if !errors.Is(err, store.ErrClosed) {
			a.log.Error("a job was not found", "job", a.ids.Out(NounJob, id), "err", err)
		}
	case j.Kind == JobRotate:
		r.drive(id, a.newRotation(id).step, func() { a.rotationStalls() })
	default:
		r.turn.Lock()
		defer r.turn.Unlock()
		r.drive(id, a.generator(id), func() { a.giveUp(id) })
	}
}

// drive takes one step after another. One that fails is tried again, later each time; stuck is called once it has
// failed too often.
func (r *jobRunner) drive(id store.ID, step func() (*Job, error), stuck func()) {
	for try := 0; r.ctx.Err() == nil; {
		job, err := step()
		if errors.Is(err, store.ErrClosed) {
			return
		}
		if errors.Is(err, store.ErrFull) { // it goes on when the disk has room
			r.wait(id, true)
			if !r.rest(triesMost) {
				return
			}
			continue
		}
		if err != nil {
			r.authority.log.Error("a job's step failed", "job", r.authority.ids.Out(NounJob, id), "err", err)
			if try++; try == triesMost+1 {
				stuck()
			}
			if !r.rest(try) {
				return
			}
			continue
		}
		try = 0
		r.wait(id, false)
		r.tell(job)
		if job.State != JobRunning && job.State != JobCancelling {
			return
		}
	}
}

// end stops all jobs after their present slice; they go on at the next start.
func (r *jobRunner) end() {
	r.mu.Lock()
	r.stop()
	r.mu.Unlock()
	r.wg.Wait()
}

// rest waits before a failed slice is tried again; false when the appliance stops meanwhile.
func (r *jobRunner) rest(try int) bool {
	t := time.NewTimer(r.pause << min(try, 5))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.ctx.Done():
		return false
	}
}

// resumeJobs goes on with what a stop or crash interrupted.
func (a *Authority) resumeJobs() error {
	return a.db.View(func(tx *store.Tx) error {
		for j, err := range jobs.Scan(tx, store.Range{}) {
			if err != nil {
				return err
			}
			if j.State == JobRunning || j.State == JobCancelling {
				a.jobs.start(j.ID)
			}
		}
		return nil
	})
}

// Job gives one job.
func (a *Authority) Job(who Actor, id store.ID) (*Job, error) {
	if err := who.Authorise(ReadJobs); err != nil {
		return nil, err
	}
	j, err := store.Read(a.db, func(tx *store.Tx) (*Job, error) { return rowOf(tx, jobs, id, NounJob) })
	if err != nil {
		return nil, err
	}
	return a.jobs.seen(j), nil
}

// ListJobs gives up to limit jobs, newest first.
func (a *Authority) ListJobs(who Actor, before store.ID, limit int) ([]*Job, error) {
	if err := who.Authorise(ReadJobs); err != nil {
		return nil, err
	}
	rows, err := store.Read(a.db, func(tx *store.Tx) ([]*Job, error) {
		return page(jobs.Scan(tx, backFrom(before)), limit)
	})
	for i, j := range rows {
		rows[i] = a.jobs.seen(j)
	}
	return rows, err
}

// CancelJob stops a running job; what it has made is taken away again, and nothing is left of it. A rotation cannot be
// stopped: rows lie under two keys then.
func (a *Authority) CancelJob(who Actor, id store.ID) (*Job, error) {
	if err := who.Authorise(WriteJobs); err != nil {
		return nil, err
	}
	job, err := store.Write(a.db, func(tx *store.Tx) (*Job, error) {
		j, err := rowOf(tx, jobs, id, NounJob)
		if err != nil {
			return nil, err
		}
		if j.Kind == JobRotate {
			return nil, fault.New(fault.Conflict, "job_not_cancellable")
		}
		if j.State != JobRunning {
			return nil, fault.New(fault.Conflict, "job_not_running").With("state", j.State.String())
		}
		return j, turnRound(tx, who, j, "")
	})
	if err == nil {
		a.jobs.tell(job)
	}
	return job, err
}

// turnRound makes a job take away what it has made, and records who wanted it: code is why it failed, "" when
// somebody cancelled it.
func turnRound(tx *store.Tx, who Actor, j *Job, code string) error {
	b, err := batches.Get(tx, j.Object.Key())
	if err != nil {
		return err
	}
	j.State, j.Code, b.State = JobCancelling, code, BatchUndoing
	e := about(BatchCancelled, NounBatch, b.ID, b.App)
	if code != "" {
		e = about(BatchFailed, NounBatch, b.ID, b.App).because(code).at(LevelError)
	}
	if err := record(tx, who, e); err != nil {
		return err
	}
	if j.Done == 0 { // it need not wait for its turn
		return undone(tx, j, b)
	}
	if err := batches.Put(tx, b); err != nil {
		return err
	}
	return jobs.Put(tx, j)
}

// undone ends a job that has taken everything away.
func undone(tx *store.Tx, j *Job, b *Batch) error {
	j.State, j.Finished = JobCancelled, tx.Now.UnixMilli()
	if j.Code != "" {
		j.State = JobFailed
	}
	if err := batches.Delete(tx, b.ID.Key()); err != nil {
		return err
	}
	return jobs.Put(tx, j)
}
