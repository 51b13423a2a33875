package license_test

import (
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
