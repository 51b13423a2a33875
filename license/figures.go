package license

import "goldfish/store"

// Figures are counts of the whole appliance, for those who watch it from outside.
type Figures struct {
	Cards         Counts
	Bound, Online int64 // devices
}

// Figures reads counters and memory alone: it costs a few reads for each batch and app.
func (a *Authority) Figures() (f Figures, err error) {
	f.Online = int64(a.presence.count(0))
	err = a.db.View(func(tx *store.Tx) error {
		for app, err := range apps.Scan(tx, store.Range{}) {
			if err != nil {
				return err
			}
			n, err := bindings.Count(tx, boundCounter(app.ID))
			if err != nil {
				return err
			}
			f.Bound += n
		}
		var err error
		f.Cards, err = countCards(tx, batches.Scan(tx, store.Range{}))
		return err
	})
	return f, err
}
