package license_test

import (
	"fmt"
	"testing"

	"goldfish/license"
	"goldfish/license/licensetest"
)

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
