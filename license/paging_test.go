package license_test

import (
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"goldfish/license"
	"goldfish/license/licensetest"
)

// library is a file with cards of all kinds, and what its lists should hold.
type library struct {
	*licensetest.World
	apps    []*license.App
	batches []*license.Batch
	cards   []license.CardView // all that can be seen, newest first
	devices []license.DeviceView
	who     license.Actor
	release func() // lets the last batch's job go on
}

// newLibrary makes three apps with batches of all sizes, one of them cancelled, so that there is a gap, and one
// still being made at the newest end; cards in all states; two accounts with licences; devices on and off line.
func newLibrary(t *testing.T) *library {
	w := licensetest.New(t)
	l := &library{World: w, who: w.Customer()}
	hold, held := make(chan struct{}), make(chan struct{})
	var holding atomic.Bool
	w.OnJob(func(j license.Job) {
		if j.State == license.JobRunning && holding.CompareAndSwap(true, false) {
			close(held)
			<-hold
		}
	})
	l.release = func() { close(hold) }
	for range 3 {
		l.apps = append(l.apps, w.App(nil))
	}
	other := w.Customer()
	later := func() { // what is active has ended, and all devices were silent for long
		w.Clock.Advance(2 * time.Hour)
		w.Must(w.SweepOffline())
	}
	for i, n := range []int{1, 40, 7, 30, 20, 1, 3} {
		terms := []license.Terms{
			{Kind: license.Permanent, Devices: 2},
			{Kind: license.Duration, Seconds: 3600, Devices: 1},
			{Kind: license.Until, Until: w.Clock.Now().Add(time.Hour).UnixMilli(), Devices: 1},
		}[i%3]
		app := l.apps[i%2]
		keys := w.Keys(app, n, terms)
		for k := 0; k < n; k += 3 {
			who := []license.Actor{l.who, other}[k%2]
			_, err := w.Device(app, 100*i+k).Activate(who, keys[k], nil)
			w.Must(err)
		}
		if i == 2 {
			_, job, err := w.CreateBatch(w.Owner, license.NewBatch{App: app.UUID, Count: 4000, Terms: terms})
			w.Must(err)
			_, _ = w.CancelJob(w.Owner, job.ID)
			later()
			w.Must(w.SweepExpired())
		}
	}
	later() // and no sweep has marked it yet
	l.learn()
	l.disturb()
	l.learn()
	holding.Store(true)
	_, _, err := w.CreateBatch(w.Owner, license.NewBatch{App: l.apps[0].UUID, Count: 10_000, Terms: licensetest.Month})
	w.Must(err)
	<-held
	return l
}

// disturb disables and deletes some cards and brings some devices online.
func (l *library) disturb() {
	var off, gone []string
	for i, v := range l.cards {
		if i%7 == 0 {
			off = append(off, l.OuterID(v.Card.ID))
		} else if i%11 == 0 {
			gone = append(gone, l.OuterID(v.Card.ID))
		}
	}
	for act, ids := range map[license.CardAct][]string{license.DisableCard: off, license.DeleteCard: gone} {
		_, failed, err := l.ActOnCards(l.Owner, act, ids, "")
		l.Must(err)
		if len(failed) > 0 {
			l.T.Fatal(failed)
		}
	}
	for i, d := range l.devices {
		if i%4 == 0 {
			l.Connect(license.DeviceTicket{App: d.Binding.App, Binding: d.Binding.ID})
		}
	}
}

// learn reads everything in one page.
func (l *library) learn() {
	var err error
	l.batches, err = l.ListBatches(l.Owner, [16]byte{}, 0, 1000)
	l.Must(err)
	l.cards = nil
	for _, b := range l.batches {
		var of []license.CardView
		l.Must(l.ExportCards(l.Owner, license.CardFilter{Batch: b}, func(v []license.CardView) error {
			of = append(of, v...)
			return nil
		}))
		slices.Reverse(of)
		l.cards = append(l.cards, of...)
	}
	l.devices = nil
	for _, v := range l.cards {
		detail, err := l.CardByID(l.Owner, v.Card.ID)
		l.Must(err)
		l.devices = append(l.devices, detail.Bindings...)
	}
	slices.SortFunc(l.devices, func(x, y license.DeviceView) int { return int(y.Binding.ID) - int(x.Binding.ID) })
}

func cardIDs(views []license.CardView) (ids []license.ID) {
	for _, v := range views {
		ids = append(ids, v.Card.ID)
	}
	return ids
}

func deviceIDs(views []license.DeviceView) (ids []license.ID) {
	for _, v := range views {
		ids = append(ids, v.Binding.ID)
	}
	return ids
}

// pages walks a list to its end and gives every id in the order of its coming. What is asked for n rows and
// looks at more than it may must stop with fewer; an empty last page is one too many.
func pages(t *testing.T, limit, scan int, ask func(before license.ID) (ids []license.ID, next license.ID, err error)) (all []license.ID) {
	t.Helper()
	for before, n := license.ID(0), 0; ; n++ {
		ids, next, err := ask(before)
		if err != nil {
			t.Fatal(err)
		}
		if all = append(all, ids...); len(ids) > limit || n > 2000 {
			t.Fatalf("page %d has %d rows of %d", n, len(ids), limit)
		}
		if len(ids) == 0 && n > 0 && scan > 10_000 {
			t.Fatal("a page was promised and is empty")
		}
		if next == 0 {
			return all
		}
		before = next
	}
}

func TestListsGiveEveryRowOnce(t *testing.T) {
	l := newLibrary(t)
	defer l.release()
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		limit, scan := 1+rnd.IntN(50), []int{1, 2, 13, 100_000}[rnd.IntN(4)]
		f := license.CardFilter{Limit: limit, State: license.CardState(rnd.IntN(6))}
		if n := rnd.IntN(2 * len(l.apps)); n < len(l.apps) {
			f.App = l.apps[n]
		}
		if n := rnd.IntN(2 * len(l.batches)); n < len(l.batches) {
			f.Batch = l.batches[n]
		}
		var want []license.ID
		for _, v := range l.cards {
			if (f.App == nil || v.App.ID == f.App.ID) && (f.Batch == nil || v.Batch.ID == f.Batch.ID) && (f.State == 0 || v.State == f.State) {
				want = append(want, v.Card.ID)
			}
		}
		got := pages(t, limit, scan, func(before license.ID) ([]license.ID, license.ID, error) {
			f.Before = before
			views, next, err := l.CardsScanning(f, scan)
			return cardIDs(views), next, err
		})
		if !slices.Equal(got, want) {
			t.Fatalf("limit %d, scan %d, state %v, app %v, batch %v: %d rows, want %d", limit, scan, f.State, f.App != nil, f.Batch != nil, len(got), len(want))
		}
		f.Before = 0
		var exported []license.CardView
		l.Must(l.ExportCards(l.Owner, f, func(v []license.CardView) error { exported = append(exported, v...); return nil }))
		if slices.Reverse(exported); !slices.Equal(cardIDs(exported), want) {
			t.Fatalf("%d rows are exported, want %d", len(exported), len(want))
		}
	}
}

func TestDeviceListsGiveEveryRowOnce(t *testing.T) {
	l := newLibrary(t)
	defer l.release()
	rnd := rand.New(rand.NewPCG(3, 4))
	online := map[license.ID]bool{}
	for i, d := range l.devices {
		online[d.Binding.ID] = i%4 == 0
	}
	for range 300 {
		limit, scan := 1+rnd.IntN(20), []int{1, 5, 100_000}[rnd.IntN(3)]
		f := license.DeviceFilter{Limit: limit}
		if n := rnd.IntN(2 * len(l.apps)); n < len(l.apps) {
			f.App = l.apps[n]
		}
		if n := rnd.IntN(2 * len(l.cards)); n < len(l.cards) {
			f.Card = l.cards[n].Card.ID
		}
		if n := rnd.IntN(3); n < 2 {
			is := n == 1
			f.Online = &is
		}
		var want []license.ID
		for _, d := range l.devices {
			if (f.App == nil || d.App.ID == f.App.ID) && (f.Card == 0 || d.Binding.Card == f.Card) && (f.Online == nil || online[d.Binding.ID] == *f.Online) {
				want = append(want, d.Binding.ID)
			}
		}
		got := pages(t, limit, scan, func(before license.ID) ([]license.ID, license.ID, error) {
			f.Before = before
			views, next, err := l.DevicesScanning(f, scan)
			for _, v := range views {
				if v.Presence.Online != online[v.Binding.ID] {
					t.Errorf("a device shows as online: %v", v.Presence.Online)
				}
			}
			return deviceIDs(views), next, err
		})
		if !slices.Equal(got, want) {
			t.Fatalf("limit %d, scan %d, card %v, online %v: %v, want %v", limit, scan, f.Card, f.Online, got, want)
		}
	}
}

func TestOwnListsGiveEveryRowOnce(t *testing.T) {
	l := newLibrary(t)
	defer l.release()
	for limit := 1; limit < 40; limit++ {
		for state := range license.CardState(6) {
			f := license.CardFilter{Limit: limit, State: state}
			var want []license.ID
			for _, v := range l.cards {
				if v.Account != nil && v.Account.ID == l.who.Account && (state == 0 || v.State == state) {
					want = append(want, v.Card.ID)
				}
			}
			got := pages(t, limit, 100_000, func(before license.ID) ([]license.ID, license.ID, error) {
				f.Before = before
				views, next, err := l.OwnCards(l.who, f)
				return cardIDs(views), next, err
			})
			slices.Sort(got) // newest licence first, which is another order
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Fatalf("limit %d, state %v: %d rows, want %d", limit, state, len(got), len(want))
			}
		}
	}
	if _, _, err := l.OwnCards(license.Actor{}, license.CardFilter{Limit: 1}); codeOf(err) != "sign_in_required" {
		t.Errorf("as nobody: %v", err)
	}
}

func TestBatchListsGiveEveryRowOnce(t *testing.T) {
	l := newLibrary(t)
	defer l.release()
	all, err := l.ListBatches(l.Owner, [16]byte{}, 0, 1000)
	l.Must(err)
	for _, app := range append(l.apps, nil) {
		id := [16]byte{}
		var want []license.ID
		for _, b := range all {
			if app == nil || b.App == app.ID {
				want = append(want, b.ID)
			}
		}
		if app != nil {
			id = app.UUID
		}
		for limit := 1; limit < 10; limit++ {
			var got []license.ID
			for before := license.ID(0); ; {
				page, err := l.ListBatches(l.Owner, id, before, limit)
				l.Must(err)
				for _, b := range page {
					got = append(got, b.ID)
				}
				if len(page) < limit {
					break
				}
				before = page[limit-1].ID
			}
			if !slices.Equal(got, want) {
				t.Fatalf("limit %d: %v, want %v", limit, got, want)
			}
		}
	}
}

// TestNothingShowsBeforeItIsReady: a card that is being made is there for nobody, by any way.
func TestNothingShowsBeforeItIsReady(t *testing.T) {
	l := newLibrary(t)
	defer l.release()
	all, err := l.ListBatches(l.Owner, [16]byte{}, 0, 1)
	l.Must(err)
	hidden := all[0]
	if hidden.State != license.BatchGenerating {
		t.Fatalf("the newest batch is %v", hidden.State)
	}
	id := l.OuterID(hidden.First)
	if _, err := l.CardByID(l.Owner, hidden.First); codeOf(err) != "not_found" {
		t.Errorf("by id: %v", err)
	}
	if n, err := l.CountBatch(hidden); err != nil || n.Total() != 0 {
		t.Errorf("counted %+v %v", n, err)
	}
	if _, failed, err := l.ActOnCards(l.Owner, license.DisableCard, []string{id}, ""); err != nil || len(failed) != 1 || failed[0].Fault.Code != "not_found" {
		t.Errorf("disabled: %v %v", failed, err)
	}
	if _, err := l.Device(l.apps[0], 1).Verify(id); codeOf(err) != "card_unknown" {
		t.Errorf("verified: %v", err)
	}
	o, err := l.Overview(l.Owner)
	if err != nil || o.Cards.Total() != int64(len(l.cards)) {
		t.Errorf("%d cards in all, %d to be seen (%v)", o.Cards.Total(), len(l.cards), err)
	}
}

func TestNoLimitGivesNothing(t *testing.T) {
	l := newLibrary(t)
	l.release()
	for _, limit := range []int{0, -1} {
		cards, next, err := l.ListCards(l.Owner, license.CardFilter{Limit: limit})
		if len(cards) != 0 || next != 0 || err != nil {
			t.Errorf("%d cards, next %v, %v", len(cards), next, err)
		}
		own, next, err := l.OwnCards(l.who, license.CardFilter{Limit: limit})
		if len(own) != 0 || next != 0 || err != nil {
			t.Errorf("%d own cards, next %v, %v", len(own), next, err)
		}
		devices, next, err := l.ListDevices(l.Owner, license.DeviceFilter{Limit: limit})
		if len(devices) != 0 || next != 0 || err != nil {
			t.Errorf("%d devices, next %v, %v", len(devices), next, err)
		}
		batches, err := l.ListBatches(l.Owner, l.apps[0].UUID, 0, limit)
		if len(batches) != 0 || err != nil {
			t.Errorf("%d batches, %v", len(batches), err)
		}
	}
}
