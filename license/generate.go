package license

import (
	"context"
	"errors"

	"goldfish/license/cardkey"
	"goldfish/store"
)

// sliceRows is how many cards go into one commit: more would make interactive changes wait.
const sliceRows = 2000

// generate makes a batch's cards slice by slice. cancelled ends when somebody cancels the job or the
// appliance stops, stopping only in the latter case: then the job goes on at the next start.
func (a *Authority) generate(cancelled, stopping context.Context, id store.ID) {
	keys := cardkey.NewGenerator(a.opts.Rand)
	for try := 0; ; {
		if stopping.Err() != nil {
			return
		}
		job, err := store.Write(a.db, func(tx *store.Tx) (*Job, error) { return a.step(tx, id, keys) })
		if errors.Is(err, store.ErrClosed) {
			return
		}
		if err != nil {
			a.log.Error("a job's step failed", "job", a.ids.Out(NounJob, id), "err", err)
			if try++; try > 3 {
				a.giveUp(id)
			}
			if !patience(stopping, try) {
				return
			}
			continue
		}
		try = 0
		a.jobs.tell(job)
		if job.State != JobRunning && job.State != JobCancelling {
			return
		}
	}
}

// giveUp turns a job round that cannot go on.
func (a *Authority) giveUp(id store.ID) {
	err := a.db.Update(func(tx *store.Tx) error {
		j, err := jobs.Get(tx, id.Key())
		if err != nil || j.State != JobRunning {
			return err
		}
		return markUndoing(tx, j, "write_failed")
	})
	if err != nil {
		a.log.Error("a job could not be turned round and will be tried again", "err", err)
	}
}

// step does one slice of a job in one transaction, forwards or backwards, and says where it stands then.
func (a *Authority) step(tx *store.Tx, id store.ID, keys *cardkey.Generator) (*Job, error) {
	j, err := jobs.Get(tx, id.Key())
	if err != nil {
		return nil, err
	}
	b, err := batches.Get(tx, j.Object.Key())
	if err != nil {
		return nil, err
	}
	switch j.State {
	case JobRunning:
		err = a.makeSlice(tx, j, b, keys)
	case JobCancelling:
		err = a.takeSlice(tx, j, b)
	default:
		return j, nil
	}
	if err != nil {
		return nil, err
	}
	return j, jobs.Put(tx, j)
}

func (a *Authority) makeSlice(tx *store.Tx, j *Job, b *Batch, keys *cardkey.Generator) error {
	for range min(sliceRows, j.Total-j.Done) {
		id := b.First + store.ID(j.Done)
		if err := newCardText(tx, id, keys); err != nil {
			return err
		}
		if err := cards.Put(tx, &Card{ID: id, App: b.App, Batch: b.ID, State: CardUnused}); err != nil {
			return err
		}
		j.Done++
	}
	if j.Done < j.Total {
		return nil
	}
	j.State, j.Finished, b.State = JobDone, tx.Now.UnixMilli(), BatchIsReady
	if err := batches.Put(tx, b); err != nil {
		return err
	}
	return record(tx, System, about(BatchReady, NounBatch, b.ID, b.App))
}

// newCardText draws card keys until one is new; at 79 bits the first is.
func newCardText(tx *store.Tx, id store.ID, keys *cardkey.Generator) error {
	for {
		key, err := keys.Next()
		if err != nil {
			return err
		}
		code := key.Canonical()
		err = cardTexts.Put(tx, &CardText{Card: id, Code: code[:]})
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}

func (a *Authority) takeSlice(tx *store.Tx, j *Job, b *Batch) error {
	for range min(sliceRows, j.Done) {
		key := (b.First + store.ID(j.Done-1)).Key()
		if err := cards.Delete(tx, key); err != nil {
			return err
		}
		if err := cardTexts.Delete(tx, key); err != nil {
			return err
		}
		j.Done--
	}
	if j.Done > 0 {
		return nil
	}
	kind, level := BatchCancelled, LevelInfo
	j.State = JobCancelled
	if j.Code != "" {
		kind, level, j.State = BatchFailed, LevelError, JobFailed
	}
	j.Finished = tx.Now.UnixMilli()
	if err := batches.Delete(tx, b.ID.Key()); err != nil {
		return err
	}
	return record(tx, System, about(kind, NounBatch, b.ID, b.App).because(j.Code).at(level))
}
