package license_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"goldfish/license"
	"goldfish/license/licensetest"
	"goldfish/license/verdict"
)

const repeatKey = "0123456789abcdef"

func repeating(c *license.DeviceCall) { c.Request.IdempotencyKey = repeatKey }

func TestIdempotentActivation(t *testing.T) {
	w := licensetest.New(t)
	app := w.App(nil)
	keys := w.Keys(app, 2, licensetest.Month)
	who, d := w.Customer(), w.Device(app, 1)
	withKey := func(c *license.DeviceCall) { c.Request.IdempotencyKey = "0123456789abcdef" }
	first, err := d.Activate(who, keys[0], withKey)
	w.Must(err)
	before := len(w.Events(license.NounCard, w.CardOf(keys[0]).Card.ID))
	again, err := d.Activate(who, keys[0], withKey)
	w.Must(err)
	if first.Replayed || !again.Replayed || again.CardID != first.CardID || again.DeviceID != first.DeviceID {
		t.Errorf("first %+v, again %+v", first, again)
	}
	if again.Verdict == first.Verdict {
		t.Error("the repeated call got the old verdict")
	}
	if n := len(w.Events(license.NounCard, w.CardOf(keys[0]).Card.ID)); n != before {
		t.Error("the repetition was recorded as a change")
	}
	_, err = d.Activate(who, keys[1], withKey)
	if codeOf(err) != "idempotency_mismatch" {
		t.Errorf("with another card: %v", err)
	}
	if v := w.CardOf(keys[1]); v.State != license.CardUnused {
		t.Errorf("the other card is %v", v.State)
	}
}

// TestRepeatOnAnotherDevice: the key of one device's call, sent by another, does nothing.
func TestRepeatOnAnotherDevice(t *testing.T) {
	w := licensetest.New(t)
	app := w.App(nil)
	terms := licensetest.Month
	terms.Devices = 5
	key := w.Keys(app, 1, terms)[0]
	who := w.Customer()
	_, err := w.Device(app, 1).Activate(who, key, repeating)
	w.Must(err)
	if _, err := w.Device(app, 2).Activate(who, key, repeating); codeOf(err) != "idempotency_mismatch" {
		t.Errorf("from another device: %v", err)
	}
	if v := w.CardOf(key); v.Bound != 1 {
		t.Errorf("%d are bound", v.Bound)
	}
	// Another account's equal key is another key.
	other := w.Keys(app, 1, terms)[0]
	_, err = w.Device(app, 3).Activate(w.Customer(), other, repeating)
	w.Must(err)
	w.Clock.Advance(24 * time.Hour)
	_, err = w.Device(app, 2).Activate(who, key, repeating)
	w.Must(err)
}

// TestRefusedRepeatIsNotKept: a key whose call was refused, at the first look or in the write, is free.
func TestRefusedRepeatIsNotKept(t *testing.T) {
	w := licensetest.New(t)
	app := w.App(nil)
	keys := w.Keys(app, 3, licensetest.Month)
	who, d := w.Customer(), w.Device(app, 1)
	_, err := w.Device(app, 2).Activate(who, keys[0], nil)
	w.Must(err)
	if _, err := d.Activate(who, keys[0], repeating); codeOf(err) != "device_limit" {
		t.Fatal(err)
	}
	_, err = d.Activate(who, keys[1], repeating)
	w.Must(err)

	// Fifty devices race for one seat; each loser then uses its key for a card of its own.
	var wg sync.WaitGroup
	more := w.Keys(app, 50, licensetest.Month)
	for i, own := range more {
		wg.Go(func() {
			repeat := func(c *license.DeviceCall) { c.Request.IdempotencyKey = fmt.Sprintf("racing-for-a-seat-%d", i) }
			d := w.Device(app, 100+i)
			_, err := d.Activate(who, keys[2], repeat)
			if codeOf(err) == "valid" {
				return
			}
			if codeOf(err) != "device_limit" {
				t.Errorf("a loser got %v", err)
			}
			if _, err := d.Activate(who, own, repeat); err != nil {
				t.Errorf("its key for another card: %v", err)
			}
		})
	}
	wg.Wait()
}

// TestRacingRepeats: many sendings of one call act once, and all get its answer.
func TestRacingRepeats(t *testing.T) {
	w := licensetest.New(t)
	app := w.App(nil)
	terms := licensetest.Month
	terms.Devices = 50
	key := w.Keys(app, 1, terms)[0]
	who, d := w.Customer(), w.Device(app, 1)
	var wg sync.WaitGroup
	replayed := make([]bool, 50)
	for i := range replayed {
		wg.Go(func() {
			c := d.Call(activatePath, func(c *license.DeviceCall) { c.CardKey = key; repeating(c) })
			a, err := w.Activate(who, c)
			if err != nil {
				t.Error(err)
				return
			}
			replayed[i] = a.Replayed
			if claims := d.Read(c, a.Verdict); claims.Act != verdict.Run {
				t.Errorf("one was told %s", claims.Code)
			}
		})
	}
	wg.Wait()
	first := 0
	for _, again := range replayed {
		if !again {
			first++
		}
	}
	if v := w.CardOf(key); first != 1 || v.Bound != 1 || len(w.Events(license.NounCard, v.Card.ID)) != 1 {
		t.Errorf("%d were the first, %d are bound", first, v.Bound)
	}
}

// TestReplayTellsThePresent: a repeated activation gives its first answer, but the verdict is of now.
func TestReplayTellsThePresent(t *testing.T) {
	w := licensetest.New(t)
	app := w.App(nil)
	key := w.Keys(app, 1, licensetest.Month)[0]
	who, d := w.Customer(), w.Device(app, 1)
	got, err := d.Activate(who, key, repeating)
	w.Must(err)
	again := func() (license.DeviceCall, *license.DeviceAnswer, error) {
		c := d.Call(activatePath, func(c *license.DeviceCall) { c.CardKey = key; repeating(c) })
		a, err := w.Activate(who, c)
		return c, a, err
	}
	w.Clock.Advance(time.Hour)
	c, a, err := again()
	if claims := want(t, d, c, a, err, "valid", verdict.Run); claims.IssuedAt != w.Clock.Now().Unix() || !a.Replayed {
		t.Errorf("%+v", claims)
	}
	_, _, err = w.ActOnCards(w.Owner, license.DisableCard, []string{got.CardID}, "")
	w.Must(err)
	c, a, err = again()
	want(t, d, c, a, err, "card_disabled", verdict.Stop)
	_, _, err = w.ActOnCards(w.Owner, license.EnableCard, []string{got.CardID}, "")
	w.Must(err)
	d.Board = "ANOTHERBOARD"
	c, a, err = again()
	want(t, d, c, a, err, "device_mismatch", verdict.Stop)
	w = reopen(w) // the key lies in the binding
	d = w.Device(app, 1)
	c, a, err = again()
	if want(t, d, c, a, err, "valid", verdict.Run); !a.Replayed {
		t.Error("after a restart it is no repetition")
	}
}
