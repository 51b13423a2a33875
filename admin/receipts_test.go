package admin

import (
	"net/netip"
	"testing"
	"time"

	"goldfish/license"
	"goldfish/license/licensetest"
)

// lossDesk is a console on a restored file, with the receipts of n devices on cards that the file has lost.
func lossDesk(t *testing.T, n int) (d *desk, app *license.App, keys []string, devices []*licensetest.Device, ids []string) {
	t.Helper()
	d = &desk{World: licensetest.New(t), t: t}
	app = d.App(nil)
	keys = d.Keys(app, 2, licensetest.Month)
	copied := d.Copy()
	d.Clock.Advance(time.Hour)
	who := d.Customer()
	for i, key := range d.Keys(app, n, licensetest.Month) {
		got, err := d.Device(app, i).Activate(who, key, nil)
		d.Must(err)
		devices, ids = append(devices, d.Device(app, i)), append(ids, got.CardID+" "+got.Verdict)
	}
	d.World = d.Restored(copied)
	for i := range devices {
		devices[i] = d.Device(app, i)
		if code := d.shows(devices[i], ids[i]); code != "receipt_kept" {
			t.Fatalf("device %d hears %s", i, code)
		}
	}
	d.serve()
	d.owner = d.signIn("admin", licensetest.Password)
	return d, app, keys, devices, ids
}

// shows has a device ask with its receipt; id is its card and its lease.
func (d *desk) shows(dev *licensetest.Device, id string) string {
	d.t.Helper()
	_, err := d.Verify(license.Actor{Address: netip.MustParseAddr("203.0.113.7")}, dev.Call("/api/v1/card-keys/verify", func(c *license.DeviceCall) {
		c.CardID, c.Receipt = id[:22], id[23:]
	}))
	return faultCode(err)
}

func faultCode(err error) string {
	if err == nil {
		return "valid"
	}
	return err.Error()
}

func TestReceiptsAreDecided(t *testing.T) {
	d, app, keys, devices, ids := lossDesk(t, 3)
	a := d.get(adminPath + "/receipts?limit=2")
	if a.text("items.0.code") != "receipt_card" || a.text("items.0.app_id") != app.UUID.String() || a.text("items.0.card_state") != "" || a.text("items.0.card_id") != "" ||
		a.data("items.0.may_adopt") != false || a.text("items.0.state") != "waiting" || a.number("items.0.epoch") != 1 || a.text("items.0.platform") != "linux-amd64" ||
		len(a.text("items.0.device_id")) != 32 || a.text("items.0.issued_at") == "" || a.text("items.0.lease_ends_at") == "" || a.text("items.0.ends_at") == "" ||
		a.data("items.0.decided_at") != nil || a.text("next") == "" || a.data("items.2") != nil {
		t.Fatalf("%s", a.raw)
	}
	last := d.get(adminPath + "/receipts?limit=2&cursor=" + a.text("next"))
	if last.text("next") != "" || last.text("items.0.id") == "" || last.data("items.1") != nil {
		t.Fatalf("%s", last.raw)
	}
	stand := d.OuterID(d.CardOf(keys[0]).Card.ID)
	id := last.text("items.0.id") // of the first device
	done := d.want(200, "POST", adminPath+"/receipts/"+id+"/adopt", map[string]any{"card_id": stand})
	if done.text("state") != "adopted" || done.text("stand_in_id") != stand || done.text("decided_at") == "" {
		t.Errorf("%s", done.raw)
	}
	if code := d.shows(devices[0], ids[0]); code != "valid" {
		t.Errorf("the device hears %s", code)
	}
	id = a.text("items.0.id") // of the third
	if done := d.want(200, "POST", adminPath+"/receipts/"+id+"/dismiss", map[string]any{}); done.text("state") != "dismissed" {
		t.Errorf("%s", done.raw)
	}
	if code := d.shows(devices[2], ids[2]); code != "card_unknown" {
		t.Errorf("the device hears %s", code)
	}
	for query, want := range map[string]string{
		"": "waiting", "?state=waiting": "waiting", "?state=adopted": "adopted", "?state=dismissed": "dismissed", "?app_id=" + app.UUID.String(): "waiting",
	} {
		if a := d.get(adminPath + "/receipts" + query); a.text("items.0.state") != want || a.data("items.1") != nil {
			t.Errorf("%s: %s", query, a.raw)
		}
	}
	if a := d.get(adminPath + "/receipts?state=all"); a.data("items.2") == nil {
		t.Errorf("all: %s", a.raw)
	}
	if a := d.get(adminPath + "/dashboard"); a.status != 200 { // its newest events name receipts
		t.Errorf("%s", a.raw)
	}
}

func TestBadReceiptDecisions(t *testing.T) {
	d, _, keys, _, _ := lossDesk(t, 2)
	a := d.get(adminPath + "/receipts")
	waits, done := "/receipts/"+a.text("items.0.id"), "/receipts/"+a.text("items.1.id")
	d.want(200, "POST", adminPath+done+"/dismiss", nil)
	card := d.OuterID(d.CardOf(keys[0]).Card.ID)
	d.refused(t, []wrong{
		{"no card", "POST", waits + "/adopt", o{}, 409, "receipt_card", "card_id"},
		{"no body", "POST", waits + "/adopt", nil, 400, "body_missing", ""},
		{"a card that is none", "POST", waits + "/adopt", o{"card_id": "AAAAAAAAAAAAAAAAAAAAAA"}, 404, "not_found", "card_id"},
		{"a card of another kind", "POST", waits + "/adopt", o{"card_id": a.text("items.0.id")}, 404, "not_found", "card_id"},
		{"a word of no meaning", "POST", waits + "/adopt", o{"card": card}, 400, "unknown_field", "card"},
		{"a yes in text", "POST", waits + "/adopt", o{"replace": "true"}, 400, "wrong_type", "replace"},
		{"decided", "POST", done + "/adopt", o{"card_id": card}, 409, "receipt_decided", ""},
		{"decided twice", "POST", done + "/dismiss", nil, 409, "receipt_decided", ""},
		{"none", "POST", "/receipts/AAAAAAAAAAAAAAAAAAAAAA/adopt", o{}, 404, "not_found", ""},
		{"none to dismiss", "POST", "/receipts/" + card + "/dismiss", nil, 404, "not_found", ""},
		{"a state that is none", "GET", "/receipts?state=lost", nil, 400, "value_unknown", "state"},
		{"a foreign cursor", "GET", "/receipts?cursor=" + card, nil, 400, "cursor_invalid", "cursor"},
		{"an app that is none", "GET", "/receipts?app_id=3f0c1f0e-6c0b-4f5e-9d5a-0b8f5b1c2d3e", nil, 404, "app_unknown", "app_id"},
	})
}
