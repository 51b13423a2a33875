package license

import (
	"time"

	"goldfish/store"
)

// SweepExpired marks every licence whose end has passed, with its card, and records it: on time while
// running, caught up after a pause, exactly once each. What a device is told never waits for it.
func (a *Authority) SweepExpired() error {
	for {
		due, err := store.Read(a.db, func(tx *store.Tx) ([]store.ID, error) { return dueLicences(tx, sliceRows) })
		if err != nil || len(due) == 0 {
			return err
		}
		err = a.db.Update(func(tx *store.Tx) error {
			for _, id := range due {
				if err := expire(tx, id); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || len(due) < sliceRows {
			return err
		}
	}
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

func expire(tx *store.Tx, id store.ID) error {
	l, err := licences.Get(tx, id.Key())
	if err != nil || l.Lapsed || l.Ends == 0 || l.Ends > tx.Now.UnixMilli() {
		return err
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
		return nil // a disabled card shows its end when it is enabled again
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

// Marker keeps one number of the appliance's own under a name.
type Marker struct {
	Name  string `cbor:"1,keyasint"`
	Value int64  `cbor:"2,keyasint"`
}

const (
	clockMark  = "clock" // the highest time that this file has seen, Unix milliseconds
	clockSlack = 10 * time.Minute
)

// checkClock starts a new epoch when the clock fell back behind what the file has already told its devices
// (protocol §12), so that they take the new times.
func (a *Authority) checkClock() error {
	m, err := store.Read(a.db, func(tx *store.Tx) (*Marker, error) { return marks.Get(tx, []byte(clockMark)) })
	if err != nil && !isNotFound(err) {
		return err
	}
	if m != nil && a.Now().Before(time.UnixMilli(m.Value).Add(-clockSlack)) {
		if _, err := a.db.NextEpoch(); err != nil {
			return err
		}
		if err := a.Record(System, about(SystemError, 0, 0, 0).at(LevelError).because("clock_back")); err != nil {
			return err
		}
		a.log.Error("the clock is behind what this file has seen: a new epoch begins", "seen", time.UnixMilli(m.Value).UTC())
	}
	return a.putClock()
}

func (a *Authority) putClock() error {
	return a.db.Update(func(tx *store.Tx) error {
		return marks.Put(tx, &Marker{Name: clockMark, Value: tx.Now.UnixMilli()})
	})
}
