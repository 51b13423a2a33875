package license

import (
	"context"
	"sync"
	"time"

	"goldfish/license/fault"
	"goldfish/store"
)

// JobKind says what a job does. The numbers lie in the file and are never used again.
type JobKind uint8

// JobGenerate makes a batch's cards.
const JobGenerate JobKind = 1

// String is the kind's name on the wire.
func (k JobKind) String() string {
	if k == JobGenerate {
		return "batch.generate"
	}
	return ""
}

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
	Object   store.ID `cbor:"6,keyasint"`
	Code     string   `cbor:"7,keyasint,omitempty"` // why it failed
	By       store.ID `cbor:"8,keyasint,omitempty"`
	Created  int64    `cbor:"9,keyasint"`
	Finished int64    `cbor:"10,keyasint,omitempty"`
}

func newJob(tx *store.Tx, who Actor, kind JobKind, object store.ID, total int) (*Job, error) {
	id, err := jobs.NextID(tx)
	if err != nil {
		return nil, err
	}
	j := &Job{ID: id, Kind: kind, State: JobRunning, Total: total, Object: object, By: who.Account, Created: tx.Now.UnixMilli()}
	return j, jobs.Put(tx, j)
}

// jobRunner runs one job after another and can be stopped at any slice.
type jobRunner struct {
	authority *Authority
	mu        sync.Mutex
	watch     []func(Job)
	cancels   map[store.ID]context.CancelFunc
	ctx       context.Context
	stopAll   context.CancelFunc
	turn      sync.Mutex
	wg        sync.WaitGroup
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
	for _, fn := range watch {
		fn(*j)
	}
}

func (r *jobRunner) start(j *Job) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ctx == nil {
		r.ctx, r.stopAll = context.WithCancel(context.Background())
		r.cancels = map[store.ID]context.CancelFunc{}
	}
	if r.ctx.Err() != nil {
		return // it goes on after the next start
	}
	ctx, cancel := context.WithCancel(r.ctx)
	r.cancels[j.ID] = cancel
	r.wg.Add(1)
	go func() {
		defer r.wg.Done()
		defer cancel()
		r.turn.Lock()
		defer r.turn.Unlock()
		r.authority.generate(ctx, r.ctx, j.ID)
	}()
}

// stop ends all jobs after their present slice; they go on at the next start.
func (r *jobRunner) stop() {
	r.mu.Lock()
	if r.ctx == nil {
		r.ctx, r.stopAll = context.WithCancel(context.Background())
	}
	r.stopAll()
	r.mu.Unlock()
	r.wg.Wait()
}

// resumeJobs goes on with what a stop or crash interrupted.
func (a *Authority) resumeJobs() error {
	open, err := store.Read(a.db, func(tx *store.Tx) ([]*Job, error) {
		return page(jobs.Scan(tx, store.Range{}), CountMost, func(j *Job) bool {
			return j.State == JobRunning || j.State == JobCancelling
		})
	})
	for _, j := range open {
		a.jobs.start(j)
	}
	return err
}

// Job gives one job.
func (a *Authority) Job(who Actor, id store.ID) (*Job, error) {
	if err := who.Authorise(ReadJobs); err != nil {
		return nil, err
	}
	return store.Read(a.db, func(tx *store.Tx) (*Job, error) { return found(jobs.Get(tx, id.Key()))(NounJob) })
}

// ListJobs gives up to limit jobs, newest first.
func (a *Authority) ListJobs(who Actor, before store.ID, limit int) ([]*Job, error) {
	if err := who.Authorise(ReadJobs); err != nil {
		return nil, err
	}
	return store.Read(a.db, func(tx *store.Tx) ([]*Job, error) {
		return page(jobs.Scan(tx, backFrom(before)), limit, nil)
	})
}

// CancelJob stops a running job; what it has made is taken away again, and nothing is left of it.
func (a *Authority) CancelJob(who Actor, id store.ID) (*Job, error) {
	if err := who.Authorise(WriteJobs); err != nil {
		return nil, err
	}
	job, err := store.Write(a.db, func(tx *store.Tx) (*Job, error) {
		j, err := found(jobs.Get(tx, id.Key()))(NounJob)
		if err != nil {
			return nil, err
		}
		if j.State != JobRunning {
			return nil, fault.New(fault.Conflict, "job_not_running").With("state", j.State.String())
		}
		return j, markUndoing(tx, j, "")
	})
	if err != nil {
		return nil, err
	}
	a.jobs.mu.Lock()
	cancel := a.jobs.cancels[id]
	a.jobs.mu.Unlock()
	if cancel != nil {
		cancel()
	}
	a.jobs.tell(job)
	return job, nil
}

// markUndoing turns a job and its batch round. code is why it failed, "" when somebody cancelled it.
func markUndoing(tx *store.Tx, j *Job, code string) error {
	b, err := batches.Get(tx, j.Object.Key())
	if err != nil {
		return err
	}
	j.State, j.Code, b.State = JobCancelling, code, BatchUndoing
	if err := batches.Put(tx, b); err != nil {
		return err
	}
	return jobs.Put(tx, j)
}

// patience waits before a failed slice is tried again; false when the appliance stops meanwhile.
func patience(ctx context.Context, try int) bool {
	t := time.NewTimer(time.Second << min(try, 5))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
