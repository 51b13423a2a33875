package license_test

import (
	"testing"
	"time"

	"goldfish/license"
)

// waiting gives the receipts that wait, newest first.
func (l *loss) waiting() []license.ReceiptView {
	l.T.Helper()
	out, _, err := l.ListReceipts(l.Owner, license.ReceiptFilter{State: license.ReceiptWaiting, Limit: 100})
	l.Must(err)
	return out
}

// adopt is the vendor's yes; it gives the code of what came of it.
func (l *loss) adopt(id license.ID, how license.ReceiptAdoption) string {
	l.T.Helper()
	_, err := l.AdoptReceipt(l.Owner, id, how)
	return codeOf(err)
}

// lostCard is a device on a card that was made in the lost time: its receipt is kept.
func lostCard(t *testing.T, terms license.Terms) (*loss, holder, license.ReceiptView) {
	l := newLoss(t, terms, 3)
	l.backup()
	h := l.activate(1, l.Keys(l.app, 1, terms)[0])
	l.restore()
	l.says(h, h.lease, "wait", "receipt_kept")
	all := l.waiting()
	if len(all) != 1 {
		t.Fatalf("%d receipts wait", len(all))
	}
	return l, h, all[0]
}

func TestVendorPutsACardInThePlaceOfALostOne(t *testing.T) {
	l, h, v := lostCard(t, twoSeats)
	if v.Card != nil || v.Adopt || v.Lease.Card.ID != h.card || v.App.ID != l.app.ID || v.Receipt.Code != "receipt_card" {
		t.Errorf("the list shows %+v", v)
	}
	used := l.activate(2, l.keys[1])
	other := l.App(nil)
	foreign := l.CardOf(l.Keys(other, 1, twoSeats)[0]).Card.ID
	stand := l.CardOf(l.keys[0]).Card.ID
	for name, c := range map[string]struct {
		card license.ID
		want string
	}{
		"none": {0, "receipt_card"}, "one in use": {l.CardOf(l.keys[1]).Card.ID, "stand_in_used"},
		"another app's": {foreign, "stand_in_used"}, "one that is not there": {stand + 1000, "not_found"},
	} {
		if got := l.adopt(v.Receipt.ID, license.ReceiptAdoption{Card: c.card}); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	if got := l.adopt(v.Receipt.ID, license.ReceiptAdoption{Card: stand}); got != "valid" {
		t.Fatal(got)
	}
	c := l.says(h, "", "run", "valid")
	if c.Card.ID != l.OuterID(stand) || *c.Card.Expires != *v.Lease.Card.Expires {
		t.Errorf("the verdict names card %s until %d", c.Card.ID, *c.Card.Expires)
	}
	l.says(holder{1, c.Card.ID, ""}, "", "run", "valid")
	l.says(holder{2, h.card, used.lease}, used.lease, "stop", "card_unknown") // the name is another device's
	if got := l.adopt(v.Receipt.ID, license.ReceiptAdoption{Card: stand}); got != "receipt_decided" {
		t.Errorf("once more: %s", got)
	}
	if got := l.told(license.ReceiptKept, license.ReceiptAdopted, license.ReceiptDecided); got != "receipt.kept:receipt_card receipt.adopted receipt.decided:adopted" {
		t.Errorf("told of %s", got)
	}
	if len(l.waiting()) != 0 {
		t.Error("it still waits")
	}
	if card := l.CardOf(l.keys[0]); card.State != license.CardActive || card.Card.Activated != v.Lease.IssuedAt*1000 || card.Bound != 1 {
		t.Errorf("the card is %+v", card.Card)
	}
}

func TestVendorDismisses(t *testing.T) {
	l, h, v := lostCard(t, twoSeats)
	if _, err := l.DismissReceipt(l.Customer(), v.Receipt.ID); codeOf(err) != "permission_denied" {
		t.Errorf("a customer: %v", err)
	}
	got, err := l.DismissReceipt(l.Owner, v.Receipt.ID)
	if l.Must(err); got.Receipt.State != license.ReceiptDismissed || got.Receipt.By != l.Owner.Account {
		t.Errorf("%+v", got.Receipt)
	}
	l.says(h, "", "stop", "card_unknown")
	l.says(h, h.lease, "stop", "card_unknown")
	if _, err := l.DismissReceipt(l.Owner, v.Receipt.ID); codeOf(err) != "receipt_decided" {
		t.Errorf("once more: %v", err)
	}
	if got := l.adopt(v.Receipt.ID, license.ReceiptAdoption{}); got != "receipt_decided" {
		t.Errorf("adopting it then: %s", got)
	}
	if _, err := l.DismissReceipt(l.Owner, v.Receipt.ID+1); codeOf(err) != "not_found" {
		t.Errorf("one that is not there: %v", err)
	}
}

// TestVendorDecidesOnASeat: a device that is not older holds it.
func TestVendorDecidesOnASeat(t *testing.T) {
	l := newLoss(t, license.Terms{Kind: license.Permanent, Devices: 1}, 1)
	l.backup()
	older := l.activate(1, l.keys[0])
	l.restore()
	newer := l.activate(2, l.keys[0]) // its customer typed the key again
	l.says(older, older.lease, "wait", "receipt_kept")
	id := l.waiting()[0].Receipt.ID
	if v := l.waiting()[0]; !v.Adopt || v.Receipt.Code != "receipt_seat" || v.State != license.CardActive || v.Masked == "" {
		t.Errorf("the list shows %+v", v)
	}
	if got := l.adopt(id, license.ReceiptAdoption{}); got != "device_limit" {
		t.Errorf("without a word on the seat: %s", got)
	}
	if got := l.adopt(id, license.ReceiptAdoption{Card: l.CardOf(l.keys[0]).Card.ID}); got != "stand_in_needless" {
		t.Errorf("with a card where none is needed: %s", got)
	}
	l.says(newer, "", "run", "valid")
	if got := l.adopt(id, license.ReceiptAdoption{Replace: true}); got != "valid" {
		t.Error(got)
	}
	l.says(older, "", "run", "valid")
	l.says(newer, newer.lease, "stop", "device_unbound")
	if o, err := l.Overview(l.Owner); err != nil || o.Online != 1 {
		t.Errorf("%d online, %v", o.Online, err)
	}
}

// TestVendorAdoptsWhatSettledItself: the device has activated again meanwhile, or its card cannot run.
func TestVendorAdoptsWhatSettledItself(t *testing.T) {
	l := newLoss(t, license.Terms{Kind: license.Permanent, Devices: 1}, 2)
	early, off := l.activate(1, l.keys[0]), l.activate(2, l.keys[1])
	l.Clock.Advance(time.Hour)
	l.App(nil)
	for _, key := range l.keys {
		l.Must(l.PurgeCard(l.CardOf(key).Card))
	}
	l.Must(l.ForgetTraces())
	l.backup()
	l.restore()
	for _, h := range []holder{early, off} {
		l.says(h, h.lease, "wait", "receipt_kept")
	}
	all := l.waiting()
	l.activate(1, l.keys[0])
	if got := l.adopt(all[1].Receipt.ID, license.ReceiptAdoption{}); got != "valid" {
		t.Error(got)
	}
	if v := l.CardOf(l.keys[0]); v.Bound != 1 {
		t.Errorf("%d devices", v.Bound)
	}
	_, _, err := l.ActOnCards(l.Owner, license.DisableCard, []string{off.card}, "")
	l.Must(err)
	if v := l.waiting()[0]; v.Adopt {
		t.Error("a disabled card may be adopted")
	}
	if got := l.adopt(all[0].Receipt.ID, license.ReceiptAdoption{}); got != "card_disabled" {
		t.Error(got)
	}
}

func TestListOfReceipts(t *testing.T) {
	l := newLoss(t, twoSeats, 1)
	other := l.App(nil)
	l.backup()
	var all []holder
	for n, key := range l.Keys(l.app, 7, twoSeats) {
		all = append(all, l.activate(n, key))
	}
	l.restore()
	for _, h := range all {
		l.says(h, h.lease, "wait", "receipt_kept")
	}
	_, err := l.DismissReceipt(l.Owner, l.waiting()[3].Receipt.ID)
	l.Must(err)
	list := func(f license.ReceiptFilter) (pages, rows int) {
		t.Helper()
		seen := map[license.ID]bool{}
		for {
			out, next, err := l.ListReceipts(l.Owner, f)
			l.Must(err)
			for _, v := range out {
				if seen[v.Receipt.ID] {
					t.Fatal("a receipt comes twice")
				}
				seen[v.Receipt.ID] = true
			}
			pages, f.Before = pages+1, next
			if next == 0 {
				return pages, len(seen)
			}
		}
	}
	for _, c := range []struct {
		f           license.ReceiptFilter
		pages, rows int
	}{
		{license.ReceiptFilter{Limit: 3}, 3, 7},
		{license.ReceiptFilter{Limit: 3, State: license.ReceiptWaiting}, 2, 6},
		{license.ReceiptFilter{Limit: 3, State: license.ReceiptDismissed, App: l.app}, 1, 1},
		{license.ReceiptFilter{Limit: 3, App: other}, 1, 0},
		{license.ReceiptFilter{Limit: 7, App: l.app}, 1, 7},
	} {
		if pages, rows := list(c.f); pages != c.pages || rows != c.rows {
			t.Errorf("%+v: %d pages, %d rows", c.f, pages, rows)
		}
	}
	if _, _, err := l.ListReceipts(l.Customer(), license.ReceiptFilter{Limit: 1}); codeOf(err) != "permission_denied" {
		t.Errorf("a customer: %v", err)
	}
}
