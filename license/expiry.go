package license

import "goldfish/store"

// sweepRows is how many ended licences go into one commit; each moves entries of two indexes.
const sweepRows = 500

// SweepExpired marks every licence whose end has passed, with its card, and records it: on time while
// running, caught up after a pause, exactly once each. What a device is told never waits for it.
func (a *Authority) SweepExpired() error {
	for {
		due, err := store.Read(a.db, func(tx *store.Tx) ([]store.ID, error) { return dueLicences(tx, sweepRows) })
		if err != nil || len(due) == 0 {
			return err
		}
		if err := a.eachLicence(due, expire); err != nil || len(due) < sweepRows {
			return err
		}
	}
}

// eachLicence calls fn for each licence in one transaction.
func (a *Authority) eachLicence(ids []store.ID, fn func(*store.Tx, *Licence) error) error {
	return a.db.Update(func(tx *store.Tx) error {
		for _, id := range ids {
			l, err := licences.Get(tx, id.Key())
			if err != nil {
				return err
			}
			if err := fn(tx, l); err != nil {
				return err
			}
		}
		return nil
	})
}

func dueLicences(tx *store.Tx, most int) ([]store.ID, error) {
	var due []store.ID
	for e, err := range licences.ScanBy(tx, licenceByEnd, store.Range{}) {
		if err != nil {
			return nil, err
		}
		if e.Row.Ends > tx.Now.UnixMilli() || len(due) == most {
			break
		}
		due = append(due, e.Row.ID)
	}
	return due, nil
}

func expire(tx *store.Tx, l *Licence) error {
	if l.Lapsed || l.Ends == 0 || l.Ends > tx.Now.UnixMilli() {
		return nil
	}
	card, err := cards.Get(tx, l.Card.Key())
	if err != nil {
		return err
	}
	l.Lapsed = true
	if err := licences.Put(tx, l); err != nil {
		return err
	}
	if card.State != CardActive {
		return nil // a disabled card shows its end, with the event, when it is enabled again
	}
	card.State = CardLapsed
	if err := cards.Put(tx, card); err != nil {
		return err
	}
	seq, err := nextPush(tx, l.App, false)
	if err != nil {
		return err
	}
	return record(tx, System, about(CardExpired, NounCard, card.ID, l.App).with("seq", seqText(seq)))
}

// reviveLicences takes back what the sweep has marked while the clock was ahead of the true time.
func (a *Authority) reviveLicences() error {
	wrong, err := store.Read(a.db, func(tx *store.Tx) (ids []store.ID, err error) {
		for l, err := range licences.Scan(tx, store.Range{}) {
			if err != nil {
				return nil, err
			}
			if l.Lapsed && l.Ends > tx.Now.UnixMilli() {
				ids = append(ids, l.ID)
			}
		}
		return ids, nil
	})
	for ; err == nil && len(wrong) > 0; wrong = wrong[min(sweepRows, len(wrong)):] {
		err = a.eachLicence(wrong[:min(sweepRows, len(wrong))], revive)
	}
	return err
}

func revive(tx *store.Tx, l *Licence) error {
	if !l.Lapsed || l.Ends <= tx.Now.UnixMilli() {
		return nil
	}
	card, err := cards.Get(tx, l.Card.Key())
	if err != nil {
		return err
	}
	l.Lapsed = false
	if err := licences.Put(tx, l); err != nil {
		return err
	}
	if card.State != CardLapsed {
		return nil
	}
	card.State = CardActive
	if err := cards.Put(tx, card); err != nil {
		return err
	}
	return record(tx, System, about(CardEnabled, NounCard, card.ID, l.App).because(codeClockBack))
}
