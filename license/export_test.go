package license

import (
	"fmt"
	"time"

	"goldfish/store"
)

// What tests of the package's outside need of its inside.

// KeepClock writes the mark of the highest signed time.
func (a *Authority) KeepClock(now time.Time) error {
	return a.keepClock(now.UnixMilli(), a.db.Epoch(), false)
}

// CompactAgain is how long a compaction that failed waits.
const CompactAgain = compactAgain

// FlushRefusals writes the refusals that were gathered.
func (a *Authority) FlushRefusals() error { return a.flushRefusals() }

// HastenJobs makes a failed slice of a job be tried again at once.
func (a *Authority) HastenJobs() { a.jobs.pause = time.Microsecond }

// CardsScanning is ListCards with another bound on the cards that one page looks at.
func (a *Authority) CardsScanning(f CardFilter, scan int) (out []CardView, next ID, err error) {
	err = a.db.View(func(tx *store.Tx) error {
		out, next, err = a.pageOfCards(tx, f, scan)
		return err
	})
	return out, next, err
}

// DevicesScanning is the same of ListDevices.
func (a *Authority) DevicesScanning(f DeviceFilter, scan int) (out []DeviceView, next ID, err error) {
	err = a.db.View(func(tx *store.Tx) error {
		out, next, err = a.pageOfDevices(tx, f, scan)
		return err
	})
	return out, next, err
}

// DisableAccount makes an account unusable, as its row says.
func (a *Authority) DisableAccount(id ID) error {
	return a.db.Update(func(tx *store.Tx) error {
		c, err := accounts.Get(tx, id.Key())
		if err != nil {
			return err
		}
		c.Disabled = true
		return accounts.Put(tx, c)
	})
}

// Losses are what the file has noted of its losses.
func (a *Authority) Losses() ([]Loss, error) { return store.Read(a.db, losses) }

// KeepOutside writes how far the file has come.
func (a *Authority) KeepOutside() error { return a.keepOutside() }

// Covers says whether a loss may have taken what was signed in an epoch at a time.
func (l Loss) Covers(epoch, iat int64) bool { return l.covers(epoch, iat) }

// Traced says whether the file knows that a device key held a card and holds it no more.
func (a *Authority) Traced(key string, card *Card) (bool, error) {
	return store.Read(a.db, func(tx *store.Tx) (bool, error) { return traced(tx, key, card.ID, card.Licence) })
}

// PurgeCard takes a card's bindings away, as a purge of the card does.
func (a *Authority) PurgeCard(c *Card) error {
	return a.db.Update(func(tx *store.Tx) error {
		var rows []*Binding
		for b, err := range rowsBy(tx, bindings, bindingByLicence, store.Range{Prefix: c.Licence.Key()}) {
			if err != nil {
				return err
			}
			rows = append(rows, b)
		}
		for _, b := range rows {
			if err := dropBinding(tx, b); err != nil {
				return err
			}
		}
		return nil
	})
}

// LeaveTraces leaves traces of devices that nobody knows.
func (a *Authority) LeaveTraces(n int) error {
	return a.db.Update(func(tx *store.Tx) error {
		for i := range n {
			if err := leaveTrace(tx, 1, 1, fmt.Sprintf("%043d", i)); err != nil {
				return err
			}
		}
		return nil
	})
}

// ForgetTraces takes all traces away, as 400 days do.
func (a *Authority) ForgetTraces() error {
	return a.db.Update(func(tx *store.Tx) error {
		var keys [][]byte
		for t, err := range traces.Scan(tx, store.Range{}) {
			if err != nil {
				return err
			}
			keys = append(keys, t.Binding.Key())
		}
		for _, key := range keys {
			if err := traces.Delete(tx, key); err != nil {
				return err
			}
		}
		return nil
	})
}

// LeaveReceipts keeps receipts of devices that nobody knows.
func (a *Authority) LeaveReceipts(app ID, n int) error {
	return a.db.Update(func(tx *store.Tx) error {
		for i := range n {
			id, err := receipts.NextID(tx)
			if err != nil {
				return err
			}
			r := &Receipt{ID: id, App: app, Card: 1, Key: fmt.Sprintf("%043d", i), Kept: tx.Now.UnixMilli(), State: ReceiptWaiting}
			if err := receipts.Put(tx, r); err != nil {
				return err
			}
		}
		return nil
	})
}
