package license

import (
	"errors"

	"goldfish/license/cardkey"
	"goldfish/store"
)

const (
	sliceRows = 500 // cards in one commit: with more, interactive changes wait longer and nothing is won
	triesMost = 3   // of a slice that fails, before the job is turned round
	drawsMost = 8   // of a card key that exists already
)

// generator makes a batch's cards slice by slice, or takes them away again when the job was turned round.
func (a *Authority) generator(id store.ID) func() (*Job, error) {
	keys := cardkey.NewGenerator(a.opts.Rand)
	return func() (job *Job, err error) {
		update := a.db.UpdateSpare // more cards can wait until the disk has room
		j, err := store.Read(a.db, func(tx *store.Tx) (*Job, error) { return jobs.Get(tx, id.Key()) })
		if err == nil && j.State == JobCancelling {
			update = a.db.Update
		}
		err = update(func(tx *store.Tx) (err error) {
			job, err = step(tx, id, keys)
			return err
		})
		return job, err
	}
}

// giveUp turns a job round that cannot go on.
func (a *Authority) giveUp(id store.ID) {
	err := a.db.Update(func(tx *store.Tx) error {
		j, err := jobs.Get(tx, id.Key())
		if err != nil || j.State != JobRunning {
			return err
		}
		return turnRound(tx, System, j, "write_failed")
	})
	if err != nil {
		a.log.Error("a job could not be turned round and will be tried again", "err", err)
	}
}

// step does one slice of a job in one transaction, forwards or backwards, and says where it stands then.
func step(tx *store.Tx, id store.ID, keys *cardkey.Generator) (*Job, error) {
	j, err := jobs.Get(tx, id.Key())
	if err != nil || j.State != JobRunning && j.State != JobCancelling {
		return j, err
	}
	b, err := batches.Get(tx, j.Object.Key())
	if err != nil {
		return nil, err
	}
	if j.State == JobRunning {
		return j, makeSlice(tx, j, b, keys)
	}
	return j, takeSlice(tx, j, b)
}

func makeSlice(tx *store.Tx, j *Job, b *Batch, keys *cardkey.Generator) error {
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
		return jobs.Put(tx, j)
	}
	j.State, j.Finished, b.State = JobDone, tx.Now.UnixMilli(), BatchIsReady
	if err := jobs.Put(tx, j); err != nil {
		return err
	}
	if err := batches.Put(tx, b); err != nil {
		return err
	}
	return record(tx, System, about(BatchReady, NounBatch, b.ID, b.App))
}

// newCardText draws card keys until one is new: at 79 bits the first is. A source that gives nothing new is
// broken, and must not hold up the writer for ever.
func newCardText(tx *store.Tx, id store.ID, keys *cardkey.Generator) error {
	for try := 1; ; try++ {
		key, err := keys.Next()
		if err != nil {
			return err
		}
		code := key.Canonical()
		err = cardTexts.Put(tx, &CardText{Card: id, Code: code[:]})
		if !errors.Is(err, store.ErrConflict) || try == drawsMost {
			return err
		}
	}
}

func takeSlice(tx *store.Tx, j *Job, b *Batch) error {
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
		return jobs.Put(tx, j)
	}
	return undone(tx, j, b)
}
