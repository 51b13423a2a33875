package license_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"goldfish/license"
	"goldfish/license/licensetest"
	"goldfish/license/verdict"
)

const unbindPath = "/api/v1/devices/unbind"

func TestUnbind(t *testing.T) {
	w := licensetest.New(t)
	app := w.App(nil)
	key := w.Keys(app, 1, license.Terms{Kind: license.Permanent, Devices: 1})[0]
	who, d := w.Customer(), w.Device(app, 1)
	got, err := d.Activate(who, key, nil)
	w.Must(err)
	unbind := func(d *licensetest.Device, repeat string) (license.DeviceCall, *license.DeviceAnswer, error) {
		c := d.Call(unbindPath, func(c *license.DeviceCall) { c.CardID, c.Request.IdempotencyKey = got.CardID, repeat })
		a, err := w.Unbind(license.Actor{}, c)
		return c, a, err
	}

	c, a, err := unbind(w.Device(app, 2), "unbind-by-a-stranger")
	want(t, w.Device(app, 2), c, a, err, "device_unbound", verdict.Stop)
	binding := w.CardOf(key).Bindings[0].Binding.ID

	c, a, err = unbind(d, "unbind-the-first-time")
	w.Must(err)
	if claims := d.Read(c, a.Verdict); claims.Act != verdict.Stop || claims.Code != "device_unbound" || a.Replayed {
		t.Errorf("%+v %+v", claims, a)
	}
	c, a, err = unbind(d, "unbind-the-first-time")
	w.Must(err)
	if claims := d.Read(c, a.Verdict); claims.Code != "device_unbound" || !a.Replayed {
		t.Errorf("repeated: %+v %+v", claims, a)
	}
	if v := w.CardOf(key); v.Bound != 0 || v.State != license.CardActive {
		t.Errorf("bound %d, %v", v.Bound, v.State)
	}
	if got := w.Events(license.NounDevice, binding); fmt.Sprint(got) != "[device.registered device.unbound]" {
		t.Errorf("events %v", got)
	}
	if dv, err := w.Authority.Device(w.Owner, binding); err != nil || dv.Presence.Online {
		t.Errorf("it shows as online (%v)", err)
	}
	w.Clock.Advance(time.Hour)
	w.Must(w.SweepOffline())
	if got := w.Events(license.NounDevice, binding); len(got) != 2 {
		t.Errorf("events after a sweep: %v", got)
	}

	for i := range 2 { // the seat goes to others, and the limit of three in 30 days is one for the licence
		next := w.Device(app, 10+i)
		_, err := next.Activate(who, key, nil)
		w.Must(err)
		_, _, err = unbind(next, fmt.Sprintf("unbind-number-%06d", i))
		w.Must(err)
	}
	last := w.Device(app, 20)
	_, err = last.Activate(who, key, nil)
	w.Must(err)
	c, a, err = unbind(last, "unbind-once-too-often")
	want(t, last, c, a, err, "unbind_limit", verdict.Wait)
	if v := w.CardOf(key); v.Bound != 1 {
		t.Errorf("bound %d", v.Bound)
	}
	w.Clock.Advance(30 * 24 * time.Hour)
	_, _, err = unbind(last, "unbind-a-month-later1")
	w.Must(err)
}

// TestStoppedDevicesGoOffline: a device that was told to stop does not count as online for another 15 minutes.
func TestStoppedDevicesGoOffline(t *testing.T) {
	w := licensetest.New(t)
	app := w.App(nil)
	key := w.Keys(app, 1, licensetest.Month)[0]
	d := w.Device(app, 1)
	got, err := d.Activate(w.Customer(), key, nil)
	w.Must(err)
	v := w.CardOf(key)
	online := func() bool {
		dv, err := w.Authority.Device(w.Owner, v.Bindings[0].Binding.ID)
		w.Must(err)
		return dv.Presence.Online
	}
	act := func(kind license.CardAct) {
		_, failed, err := w.ActOnCards(w.Owner, kind, []string{w.OuterID(v.Card.ID)}, "")
		if err != nil || len(failed) > 0 {
			t.Fatal(err, failed)
		}
	}
	act(license.DisableCard)
	w.Must(w.SweepOffline())
	if !online() {
		t.Error("offline before it was told anything")
	}
	if _, err := d.Verify(got.CardID); codeOf(err) != "card_disabled" {
		t.Fatal(err)
	}
	w.Must(w.SweepOffline())
	w.Must(w.SweepOffline())
	if online() {
		t.Error("online although it was told to stop")
	}
	if got := w.Events(license.NounDevice, v.Bindings[0].Binding.ID); fmt.Sprint(got) != "[device.registered device.offline]" {
		t.Errorf("events %v", got)
	}
	act(license.EnableCard)
	_, err = d.Verify(got.CardID)
	w.Must(err)
	w.Must(w.SweepOffline())
	if !online() {
		t.Error("offline although it runs again")
	}
}

func TestVendorsSlipsAreNotSwallowed(t *testing.T) {
	w := licensetest.New(t)
	if _, err := w.CreateApp(w.Owner, license.NewApp{Name: license.Text{ZH: "\u200b\u200b"}}); codeOf(err) != "text_required" {
		t.Errorf("an invisible name: %v", err)
	}
	app := w.App(nil)
	for name, terms := range map[string]license.Terms{
		"seconds for ever":     {Kind: license.Permanent, Seconds: 60, Devices: 1},
		"a date for a length":  {Kind: license.Duration, Seconds: 60, Until: 1 << 42, Devices: 1},
		"a length with a date": {Kind: license.Until, Seconds: 60, Until: w.Clock.Now().Add(time.Hour).UnixMilli(), Devices: 1},
	} {
		if _, _, err := w.CreateBatch(w.Owner, license.NewBatch{App: app.UUID, Count: 1, Terms: terms}); codeOf(err) != "value_invalid" {
			t.Errorf("%s: %v", name, err)
		}
	}
	in := license.NewAnnouncement{
		Type: "notice", Priority: "low", Title: license.Text{ZH: "题"}, Body: license.Text{ZH: "文"},
		Ends: w.Clock.Now().AddDate(101, 0, 0).UnixMilli(),
	}
	if _, err := w.CreateAnnouncement(w.Owner, in); codeOf(err) != "until_past" {
		t.Errorf("an end in another century: %v", err)
	}
	key := w.Keys(app, 1, license.Terms{Kind: license.Permanent, Devices: 1, Features: []string{"a", "b", "a"}})[0]
	d := w.Device(app, 1)
	got, err := d.Activate(w.Customer(), key, nil)
	w.Must(err)
	if fmt.Sprint(got.Features) != "[a b]" {
		t.Errorf("features %v", got.Features)
	}
	both := d.Call(verifyPath, func(c *license.DeviceCall) { c.CardKey, c.CardID = key, got.CardID })
	if _, err := w.Verify(license.Actor{}, both); codeOf(err) != "bad_request" {
		t.Errorf("a card named twice: %v", err)
	}
}

// TestAFailingHandlerHarmsNobody: EV3, for those who follow the log.
func TestAFailingHandlerHarmsNobody(t *testing.T) {
	w := licensetest.New(t)
	last, err := w.LastEvent()
	w.Must(err)
	ctx, cancel := context.WithCancel(t.Context())
	heard := make(chan license.EventKind, 10)
	done := make(chan error)
	go func() {
		done <- w.Follow(ctx, last, func(_ uint64, e *license.Event) {
			heard <- e.Kind
			if e.Kind == license.AppCreated {
				panic("a handler that fails")
			}
		})
	}()
	w.App(nil)
	w.Keys(w.App(nil), 1, licensetest.Month)
	for _, want := range []license.EventKind{license.AppCreated, license.AppCreated, license.BatchCreated, license.BatchReady} {
		if got := <-heard; got != want {
			t.Errorf("heard %v, want %v", got, want)
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
}
