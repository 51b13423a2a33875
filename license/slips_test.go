package license_test

import (
	"fmt"
	"testing"
	"time"

	"goldfish/license"
	"goldfish/license/licensetest"
)

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
