package license

import (
	"encoding/hex"
	"time"

	"goldfish/store"
)

// begunCounter counts the licences that began on a UTC day, in an app (0: in all).
func begunCounter(app store.ID, at int64) string {
	day := time.UnixMilli(at).UTC().Format("20060102")
	if app == 0 {
		return day
	}
	return hex.EncodeToString(app.Key()) + "." + day
}

// DayCount is how many licences began on a UTC day.
type DayCount struct {
	Day   time.Time
	Count int64
}

// Overview is what the back office sees first.
type Overview struct {
	Apps, Accounts int64
	Cards          Counts
	Bound, Online  int64
	Days           []DayCount // the last 30 days, oldest first
	Recent         []Recorded
	HasApp         bool
	HasKeys        bool
	Connected      bool // some device has activated
}

// Overview gives the appliance at a glance.
func (a *Authority) Overview(who Actor) (*Overview, error) {
	if err := who.Authorise(ReadDashboard); err != nil {
		return nil, err
	}
	out := &Overview{Online: int64(a.presence.count(0))}
	err := a.db.View(func(tx *store.Tx) error {
		for app, err := range apps.Scan(tx, store.Range{}) {
			if err != nil {
				return err
			}
			out.Apps++
			n, err := bindings.Count(tx, boundCounter(app.ID))
			if err != nil {
				return err
			}
			out.Bound += n
		}
		var err error
		if out.Cards, err = countCards(tx, batches.Scan(tx, store.Range{})); err != nil {
			return err
		}
		for _, r := range []Role{RoleCustomer, RoleOwner} {
			n, err := accounts.Count(tx, r.String())
			if err != nil {
				return err
			}
			out.Accounts += n
		}
		for _, err := range licences.Scan(tx, store.Range{}) {
			out.Connected = err == nil
			break
		}
		out.Days, err = begunDays(tx, 0, 30)
		return err
	})
	if err != nil {
		return nil, err
	}
	out.HasApp, out.HasKeys = out.Apps > 0, out.Cards.Total() > 0
	out.Recent, err = a.RecentEvents(20, 2000, func(e *Event) bool { return e.Kind != CardRefused })
	return out, err
}

func begunDays(tx *store.Tx, app store.ID, days int) ([]DayCount, error) {
	today := tx.Now.UTC().Truncate(24 * time.Hour)
	var out []DayCount
	for i := days - 1; i >= 0; i-- {
		day := today.AddDate(0, 0, -i)
		n, err := licences.Count(tx, begunCounter(app, day.UnixMilli()))
		if err != nil {
			return nil, err
		}
		out = append(out, DayCount{day, n})
	}
	return out, nil
}

// AppFigures are an app's cards and devices.
type AppFigures struct {
	Cards         Counts
	Bound, Online int64
}

// AppFigures counts an app's cards and devices.
func (a *Authority) AppFigures(app *App) (AppFigures, error) {
	return store.Read(a.db, func(tx *store.Tx) (AppFigures, error) {
		f := AppFigures{Online: int64(a.presence.count(app.ID))}
		var err error
		if f.Cards, err = countCards(tx, rowsBy(tx, batches, batchByApp, store.Range{Prefix: app.ID.Key()})); err != nil {
			return f, err
		}
		f.Bound, err = bindings.Count(tx, boundCounter(app.ID))
		return f, err
	})
}

// Names resolves the inner ids of an event for showing: the actor's user name and the app.
func (a *Authority) Names(e *Event) (actor string, app *App) {
	_ = a.db.View(func(tx *store.Tx) error {
		if e.Actor == ActorAccount {
			if acc, err := accounts.Get(tx, e.ActorID.Key()); err == nil {
				actor = acc.Username
			}
		}
		if e.App != 0 {
			app = a.appByID(tx, e.App)
		}
		return nil
	})
	return actor, app
}

// AccountName gives an account's user name and its UUID, empty where there is none.
func (a *Authority) AccountName(id store.ID) (name, outer string) {
	_ = a.db.View(func(tx *store.Tx) error {
		if acc, err := accounts.Get(tx, id.Key()); err == nil {
			name, outer = acc.Username, acc.id().String()
		}
		return nil
	})
	return name, outer
}

// OwnFigures are what a customer's overview counts.
type OwnFigures struct{ Licences, Active, Bound, Online int }

// OwnFigures counts the caller's own licences and devices, up to scanMost of each.
func (a *Authority) OwnFigures(who Actor) (f OwnFigures, err error) {
	if err := who.Authorise(OwnLicences); err != nil {
		return f, err
	}
	err = a.db.View(func(tx *store.Tx) error {
		for e, err := range licences.ScanBy(tx, licenceByAccount, store.Range{Prefix: who.Account.Key()}) {
			if err != nil || f.Licences == scanMost {
				return err
			}
			f.Licences++
			card, err := cards.Get(tx, e.Row.Card.Key())
			if err != nil {
				return err
			}
			if card.stateAt(tx.Now.UnixMilli(), 0) == CardActive {
				f.Active++
			}
			held, err := seatsOf(tx, e.Row.ID)
			if err != nil {
				return err
			}
			for _, b := range held {
				f.Bound++
				if a.presence.isOnline(b.ID) {
					f.Online++
				}
			}
		}
		return nil
	})
	return f, err
}
