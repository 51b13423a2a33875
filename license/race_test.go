package license_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"goldfish/license"
	"goldfish/license/licensetest"
	"goldfish/license/verdict"
)

// TestDisableRacesActivateAndVerify: from the moment when the vendor is told that a card is disabled, nobody is
// told that it runs; before that, either may be. What was activated meanwhile is active again once enabled, what
// was not is unused, and in the log each change stands once.
func TestDisableRacesActivateAndVerify(t *testing.T) {
	const n = 40
	w := licensetest.New(t)
	app := w.App(nil)
	who := w.Customer()
	keys := w.Keys(app, n, licensetest.Month)
	ids := make([]string, n)
	for i, key := range keys {
		ids[i] = w.OuterID(w.CardOf(key).Card.ID)
	}
	activated := make([]bool, n)
	var wg sync.WaitGroup
	for i := range n {
		var disabled atomic.Bool
		d := w.Device(app, i)
		wg.Go(func() {
			after := disabled.Load()
			_, err := d.Activate(who, keys[i], nil)
			activated[i] = err == nil
			if code := codeOf(err); code != "card_disabled" && (after || code != "valid") {
				t.Errorf("activated after the disabling %v: %s", after, code)
			}
		})
		wg.Go(func() {
			if i%2 == 0 {
				_, _ = d.Verify(ids[i]) // shifts the race
			}
			changed, _, err := w.ActOnCards(w.Owner, license.DisableCard, ids[i:i+1], "")
			if err != nil || changed != 1 {
				t.Errorf("disabled %d (%v)", changed, err)
			}
			disabled.Store(true)
		})
		wg.Go(func() {
			for last := int64(0); ; {
				after := disabled.Load()
				c := d.Call(verifyPath, func(c *license.DeviceCall) { c.CardID = ids[i] })
				a, err := w.Verify(license.Actor{}, c)
				code := codeOf(err)
				seq := seqOf(d, c, a, err)
				if seq < last {
					t.Errorf("the push number fell from %d to %d", last, seq)
				}
				if last = seq; after {
					if code != "card_disabled" {
						t.Errorf("after the disabling: %s", code)
					}
					return
				}
			}
		})
	}
	wg.Wait()
	_, failed, err := w.ActOnCards(w.Owner, license.EnableCard, ids, "")
	if err != nil || len(failed) > 0 {
		t.Fatal(failed, err)
	}
	w.Must(w.FlushRefusals())
	for i, key := range keys {
		v := w.CardOf(key)
		state, events := license.CardUnused, "[card_key.disabled card_key.enabled]"
		if activated[i] {
			state, events = license.CardActive, "[card_key.activated card_key.disabled card_key.enabled]"
		}
		var changes []license.EventKind
		for _, k := range w.Events(license.NounCard, v.Card.ID) {
			if k != license.CardRefused {
				changes = append(changes, k)
			}
		}
		if v.State != state || (v.Bound == 1) != activated[i] || fmt.Sprint(changes) != events {
			t.Errorf("card %d, activated %v: %v, %d bound, %v", i, activated[i], v.State, v.Bound, changes)
		}
	}
}

// seqOf is the push number in the verdict of an answer.
func seqOf(d *licensetest.Device, c license.DeviceCall, a *license.DeviceAnswer, err error) int64 {
	if r, ok := err.(*license.Refusal); ok {
		return d.Read(c, r.Verdict).Seq
	}
	return d.Read(c, a.Verdict).Seq
}

// TestOrdersAreNewerThanTheVerdictBefore: whoever was told to run just before a card was disabled gets an order
// that counts, and whoever asks afterwards has a verdict that outdates it (protocol §10).
func TestOrdersAreNewerThanTheVerdictBefore(t *testing.T) {
	f := newFleet(t, 1)
	d := f.devices[0]
	ask := func() verdict.Claims {
		c := d.Call(beatPath, func(c *license.DeviceCall) { c.CardID = f.cards[0] })
		a, err := f.Heartbeat(license.Actor{}, c)
		if r, ok := err.(*license.Refusal); ok {
			return d.Read(c, r.Verdict)
		}
		f.Must(err)
		return d.Read(c, a.Verdict)
	}
	for _, act := range []license.CardAct{license.DisableCard, license.EnableCard, license.DeleteCard} {
		before := ask()
		_, _, err := f.ActOnCards(f.Owner, act, f.cards, "")
		f.Must(err)
		last, err := f.RecentEvents(1, 10, nil)
		f.Must(err)
		orders, err := f.Orders(last[0].Event, func(license.ID) bool { return true })
		f.Must(err)
		after := ask()
		if act == license.EnableCard {
			if len(orders) != 0 || after.Act != verdict.Run {
				t.Errorf("enabled: %d orders, then %s", len(orders), after.Code)
			}
			continue
		}
		if len(orders) != 1 || int64(orders[0].Seq) <= before.Seq || int64(orders[0].Seq) > after.Seq || after.Act != verdict.Stop {
			t.Errorf("act %d: before %d, order %+v, after %d %s", act, before.Seq, orders, after.Seq, after.Code)
		}
	}
}
