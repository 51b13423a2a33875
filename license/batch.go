package license

import (
	"iter"
	"regexp"
	"slices"
	"time"

	"github.com/google/uuid"

	"goldfish/license/fault"
	"goldfish/store"
)

// CountMost is the largest batch.
const CountMost = 1_000_000

// BatchState says whether a batch's cards can be seen. The numbers lie in the file.
type BatchState uint8

// A batch's cards exist for everybody else from the moment it is ready.
const (
	BatchGenerating BatchState = 1
	BatchIsReady    BatchState = 2
	BatchUndoing    BatchState = 3 // cancelled: its rows are being taken away
)

var batchStates = map[BatchState]string{BatchGenerating: "generating", BatchIsReady: "ready", BatchUndoing: "cancelled"}

// String is the state's name on the wire.
func (s BatchState) String() string { return batchStates[s] }

// Batch is one order of cards. Its cards have the ids First … First+Count-1.
type Batch struct {
	ID      store.ID   `cbor:"1,keyasint"`
	App     store.ID   `cbor:"2,keyasint"`
	Name    string     `cbor:"3,keyasint"`
	Note    string     `cbor:"4,keyasint,omitempty"`
	Price   string     `cbor:"5,keyasint,omitempty"` // a label such as ¥30
	Terms   Terms      `cbor:"6,keyasint"`
	Count   int        `cbor:"7,keyasint"`
	First   store.ID   `cbor:"8,keyasint"`
	State   BatchState `cbor:"9,keyasint"`
	Job     store.ID   `cbor:"10,keyasint"`
	Created int64      `cbor:"11,keyasint"`
	By      store.ID   `cbor:"12,keyasint,omitempty"`
}

// until is the fixed end of the batch's cards, 0 if they have none.
func (b *Batch) until() int64 {
	if b.Terms.Kind == Until {
		return b.Terms.Until
	}
	return 0
}

// NewBatch is what a vendor orders.
type NewBatch struct {
	App               uuid.UUID
	Name, Note, Price string
	Count             int
	Terms             Terms
}

var tierPattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,32}$`)

// check puts the order into its kept form or says which member is wrong.
func (in NewBatch) check(now time.Time) (NewBatch, error) {
	if in.Count < 1 || in.Count > CountMost {
		return in, fault.New(fault.Invalid, "value_range").In("count").With("least", 1).With("most", CountMost)
	}
	for _, f := range []struct {
		text  *string
		field string
		most  int
	}{{&in.Name, "name", 80}, {&in.Note, "note", 500}, {&in.Price, "price_label", 40}} {
		var err error
		if *f.text, err = line(*f.text, f.field, f.most, f.field == "note"); err != nil {
			return in, err
		}
	}
	if in.Name == "" {
		in.Name = now.UTC().Format("2006-01-02 15:04:05")
	}
	return in, in.Terms.check(now)
}

const secondsMost = 100 * 365 * 24 * 3600 // a term longer than a century is a slip

func (t *Terms) check(now time.Time) error {
	switch {
	case t.Seconds != 0 && t.Kind != Duration:
		return fault.New(fault.Invalid, "value_invalid").In("validity.seconds")
	case t.Until != 0 && t.Kind != Until:
		return fault.New(fault.Invalid, "value_invalid").In("validity.until")
	}
	switch t.Kind {
	case Permanent:
	case Duration:
		if t.Seconds < 60 || t.Seconds > secondsMost {
			return fault.New(fault.Invalid, "value_range").In("validity.seconds").With("least", 60).With("most", secondsMost)
		}
	case Until:
		if t.Until <= now.UnixMilli() || t.Until > now.AddDate(100, 0, 0).UnixMilli() {
			return fault.New(fault.Invalid, "until_past").In("validity.until")
		}
	default:
		return fault.New(fault.Invalid, "value_unknown").In("validity.kind")
	}
	if t.Devices < 1 || t.Devices > 1000 {
		return fault.New(fault.Invalid, "value_range").In("devices").With("least", 1).With("most", 1000)
	}
	if t.Tier != "" && !tierPattern.MatchString(t.Tier) {
		return fault.New(fault.Invalid, "value_pattern").In("tier")
	}
	if len(t.Features) > 32 {
		return fault.New(fault.Invalid, "value_range").In("features").With("least", 0).With("most", 32)
	}
	for _, f := range t.Features {
		if !tierPattern.MatchString(f) {
			return fault.New(fault.Invalid, "value_pattern").In("features")
		}
	}
	t.Features = once(t.Features)
	return nil
}

// once leaves out what stands in a list before.
func once(list []string) []string {
	var out []string
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// CreateBatch orders cards: the batch and the job that generates them are recorded at once, the cards are
// made in the background and seen by nobody until all are there.
func (a *Authority) CreateBatch(who Actor, in NewBatch) (*Batch, *Job, error) {
	if err := who.Authorise(WriteBatches); err != nil {
		return nil, nil, err
	}
	in, err := in.check(a.Now())
	if err != nil {
		return nil, nil, err
	}
	var job *Job
	batch, err := store.Write(a.db, func(tx *store.Tx) (*Batch, error) {
		app, err := a.appByUUID(tx, in.App)
		if err != nil {
			return nil, err
		}
		b := &Batch{
			App: app.ID, Name: in.Name, Note: in.Note, Price: in.Price, Terms: in.Terms, Count: in.Count,
			State: BatchGenerating, Created: tx.Now.UnixMilli(), By: who.Account,
		}
		if b.ID, err = batches.NextID(tx); err != nil {
			return nil, err
		}
		if b.First, err = cards.NextIDs(tx, in.Count); err != nil {
			return nil, err
		}
		if job, err = newJob(tx, who, JobGenerate, b.ID, in.Count); err != nil {
			return nil, err
		}
		b.Job = job.ID
		if err := batches.Put(tx, b); err != nil {
			return nil, err
		}
		return b, record(tx, who, about(BatchCreated, NounBatch, b.ID, b.App))
	})
	if err != nil {
		return nil, nil, err
	}
	a.jobs.start(job.ID)
	return batch, job, nil
}

// Batch gives one batch.
func (a *Authority) Batch(who Actor, id store.ID) (*Batch, error) {
	if err := who.Authorise(ReadBatches); err != nil {
		return nil, err
	}
	return store.Read(a.db, func(tx *store.Tx) (*Batch, error) { return batchByID(tx, id) })
}

func batchByID(tx *store.Tx, id store.ID) (*Batch, error) {
	return rowOf(tx, batches, id, NounBatch)
}

// ListBatches gives up to limit batches, newest first, of one app or (zero UUID) of all.
func (a *Authority) ListBatches(who Actor, app uuid.UUID, before store.ID, limit int) ([]*Batch, error) {
	if err := who.Authorise(ReadBatches); err != nil {
		return nil, err
	}
	return store.Read(a.db, func(tx *store.Tx) ([]*Batch, error) {
		if app == uuid.Nil {
			return page(batches.Scan(tx, backFrom(before)), limit)
		}
		of, err := a.appByUUID(tx, app)
		if err != nil {
			return nil, err
		}
		r := store.Range{Prefix: of.ID.Key(), Back: true}
		if before != 0 {
			r.After = pair(of.ID, before)
		}
		return page(rowsBy(tx, batches, batchByApp, r), limit)
	})
}

// Counts are the cards of a batch, an app or the appliance by state.
type Counts struct{ Unused, Active, Expired, Disabled, Deleted int64 }

// Total adds up all states.
func (c Counts) Total() int64 { return c.Unused + c.Active + c.Expired + c.Disabled + c.Deleted }

func (c *Counts) add(o Counts) {
	c.Unused += o.Unused
	c.Active += o.Active
	c.Expired += o.Expired
	c.Disabled += o.Disabled
	c.Deleted += o.Deleted
}

// countBatch reads a batch's counters. Cards that nobody activated before their fixed end count as expired.
func countBatch(tx *store.Tx, b *Batch) (c Counts, err error) {
	if b.State != BatchIsReady {
		return c, nil
	}
	for i, into := range []*int64{&c.Unused, &c.Active, &c.Expired, &c.Disabled, &c.Deleted} {
		if *into, err = cards.Count(tx, cardCounter(b.ID, CardUnused+CardState(i))); err != nil {
			return c, err
		}
	}
	if u := b.until(); u != 0 && tx.Now.UnixMilli() >= u {
		c.Expired, c.Unused = c.Expired+c.Unused, 0
	}
	return c, nil
}

// CountBatch gives the cards of a batch by state.
func (a *Authority) CountBatch(b *Batch) (Counts, error) {
	return store.Read(a.db, func(tx *store.Tx) (Counts, error) { return countBatch(tx, b) })
}

// countCards sums up batches.
func countCards(tx *store.Tx, of iter.Seq2[*Batch, error]) (sum Counts, err error) {
	for b, err := range of {
		if err != nil {
			return sum, err
		}
		c, err := countBatch(tx, b)
		if err != nil {
			return sum, err
		}
		sum.add(c)
	}
	return sum, nil
}
