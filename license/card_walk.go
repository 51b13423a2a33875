package license

import (
	"iter"

	"goldfish/store"
)

// batchCard is a card with its batch.
type batchCard struct {
	card  *Card
	batch *Batch
}

// walk gives the cards in the batches that a filter may mean, from beyond a card's id (0: all), upwards or
// back. The cards of a batch lie together, in the order of the batches, so whatever is not ready, belongs to
// another app or has no card in the state asked for is passed over batch by batch.
func (f CardFilter) walk(tx *store.Tx, from store.ID, back bool) iter.Seq2[batchCard, error] {
	return func(yield func(batchCard, error) bool) {
		for b, err := range f.batchesFrom(tx, from, back) {
			some := true
			if err == nil {
				some, err = f.mayHold(tx, b)
			}
			if err != nil {
				yield(batchCard{}, err)
				return
			}
			if some && !walkBatch(tx, b, from, back, yield) {
				return
			}
		}
	}
}

// walkBatch gives one batch's cards beyond an id; false when no more are wanted.
func walkBatch(tx *store.Tx, b *Batch, from store.ID, back bool, yield func(batchCard, error) bool) bool {
	r := store.Range{Back: back, After: max(from, b.First-1).Key()}
	if end := b.First + store.ID(b.Count); back {
		if from == 0 || from > end {
			from = end
		}
		r.After = from.Key()
	}
	for card, err := range cards.Scan(tx, r) {
		if err == nil && card.Batch != b.ID {
			return true
		}
		if !yield(batchCard{card, b}, err) || err != nil {
			return false
		}
	}
	return true
}

// batchesFrom gives the batches of the filter's batch or app, or all, from the one in which a card id lies.
func (f CardFilter) batchesFrom(tx *store.Tx, from store.ID, back bool) iter.Seq2[*Batch, error] {
	if f.Batch != nil {
		return func(yield func(*Batch, error) bool) {
			if b, err := batches.Get(tx, f.Batch.ID.Key()); !isNotFound(err) {
				yield(b, err)
			}
		}
	}
	var prefix, after []byte
	if f.App != nil {
		prefix = f.App.ID.Key()
	}
	if card, err := cards.Get(tx, from.Key()); err == nil {
		beside := card.Batch - 1
		if back {
			beside = card.Batch + 1
		}
		after = append(after, prefix...)
		after = append(after, beside.Key()...)
	}
	r := store.Range{Prefix: prefix, After: after, Back: back}
	if f.App != nil {
		return rowsBy(tx, batches, batchByApp, r)
	}
	return batches.Scan(tx, r)
}

// mayHold says whether a batch can have a card that the filter asks for, by its counters. What counts by now as
// expired or active may still be counted as the other.
func (f CardFilter) mayHold(tx *store.Tx, b *Batch) (bool, error) {
	if b.State != BatchIsReady || f.App != nil && b.App != f.App.ID {
		return false, nil
	}
	over := b.until() != 0 && tx.Now.UnixMilli() >= b.until() // what was not used by then counts as expired
	var counted []CardState
	switch {
	case f.State == 0:
		return true, nil
	case f.State == CardUnused && over:
		return false, nil
	case f.State == CardLapsed && over:
		counted = []CardState{CardUnused, CardActive, CardLapsed}
	case f.State == CardLapsed, f.State == CardActive:
		counted = []CardState{CardActive, CardLapsed}
	default:
		counted = []CardState{f.State}
	}
	for _, s := range counted {
		if n, err := cards.Count(tx, cardCounter(b.ID, s)); n > 0 || err != nil {
			return n > 0, err
		}
	}
	return false, nil
}

// exportRows is how many cards are read in one transaction.
const exportRows = 1000

// ExportCards calls fn for every card of the filter, oldest first, in pages read each in a transaction of its
// own, and records the export before the first.
func (a *Authority) ExportCards(who Actor, f CardFilter, fn func([]CardView) error) error {
	if err := who.Authorise(ExportCards); err != nil {
		return err
	}
	e := about(CardsExported, 0, 0, 0).at(LevelWarning)
	if f.App != nil {
		e.App = f.App.ID
	}
	if f.Batch != nil {
		e.Noun, e.Object, e.App = NounBatch, f.Batch.ID, f.Batch.App
	}
	if err := a.Record(who, e); err != nil {
		return err
	}
	for after, more := store.ID(0), true; more; {
		var views []CardView
		var err error
		if views, after, more, err = a.exportPage(f, after); err != nil {
			return err
		}
		if len(views) > 0 {
			if err := fn(views); err != nil {
				return err
			}
		}
	}
	return nil
}

// exportPage looks at the next cards after an id, and says at which it ended and whether there are more.
func (a *Authority) exportPage(f CardFilter, after store.ID) (out []CardView, last store.ID, more bool, err error) {
	err = a.db.View(func(tx *store.Tx) error {
		looked := 0
		for c, err := range f.walk(tx, after, false) {
			if err != nil {
				return err
			}
			if looked++; looked > exportRows {
				more = true
				return nil
			}
			last = c.card.ID
			if !f.lets(tx, c.card, c.batch) {
				continue
			}
			v, err := a.cardView(tx, c.card, c.batch)
			if err != nil {
				return err
			}
			out = append(out, v)
		}
		return nil
	})
	return out, last, more, err
}
