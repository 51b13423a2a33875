package license_test

import (
	"errors"
	"strings"
	"testing"

	"goldfish/license"
	"goldfish/license/fault"
	"goldfish/license/licensetest"
	"goldfish/license/verdict"
)

func TestBareActivation(t *testing.T) {
	w := licensetest.New(t)
	app := w.App(nil)
	keys := w.Keys(app, 2, licensetest.Month)
	who := w.Customer()
	bare := func(key, cpu string) license.DeviceCall {
		return license.DeviceCall{
			Request: verdict.Request{Method: "POST", Path: activatePath}, CardKey: key,
			CPU: cpu, Board: "test_mb_456", MAC: "00:11:22:33:44:55",
		}
	}
	if _, err := w.Activate(who, bare("INVALID-KEY", "")); codeOf(err) != "card_unknown" {
		t.Errorf("malformed: %v", err)
	}
	got, err := w.Activate(who, bare(keys[0], "test_cpu_123"))
	w.Must(err)
	if got.DeviceID != "d48ea1ea6b2cd331adb54bb8513bb175" || got.Verdict != "" || got.Ticket != "" {
		t.Errorf("%+v", got)
	}
	if _, err := w.Activate(who, bare(keys[0], "test_cpu_123")); codeOf(err) != "device_already_bound" {
		t.Errorf("again: %v", err)
	}
	if _, err := w.Activate(who, bare(keys[0], "another")); codeOf(err) != "device_limit" {
		t.Errorf("on another device: %v", err)
	}
	if _, err := w.Activate(license.Actor{}, bare(keys[1], "test_cpu_123")); codeOf(err) != "sign_in_required" {
		t.Errorf("as nobody: %v", err)
	}
	// The keyless binding gets its key by replace, uncounted.
	d := w.Device(app, 7)
	d.CPU, d.Board, d.MAC = "test_cpu_123", "test_mb_456", "00:11:22:33:44:55"
	if _, err := d.Verify(got.CardID); codeOf(err) != "device_key_mismatch" {
		t.Errorf("before replace: %v", err)
	}
	_, err = d.Activate(who, keys[0], func(c *license.DeviceCall) { c.Replace = true })
	w.Must(err)
	if v := w.CardOf(keys[0]); v.Bound != 1 || len(v.Licence.Replaced) != 0 {
		t.Errorf("bound %d, counted %d", v.Bound, len(v.Licence.Replaced))
	}
	_, err = d.Verify(got.CardID)
	w.Must(err)
}

func TestKeyOptional(t *testing.T) {
	w := licensetest.New(t)
	policy := license.DefaultPolicy
	policy.KeyOptional = true
	app := w.App(&policy)
	key := w.Keys(app, 1, licensetest.Month)[0]
	d, who := w.Device(app, 1), w.Customer()
	keyless := func(path string) license.DeviceCall {
		c := d.Call(path, func(c *license.DeviceCall) { c.CardKey = key })
		c.Proof, c.Request.DeviceKey, c.Request.Time = "", "", 0
		return c
	}
	a, err := w.Activate(who, keyless(activatePath))
	w.Must(err)
	pins, err := verdict.NewPins(verdict.Encode64(app.Keys[0].Public))
	w.Must(err)
	payload, err := pins.Open(a.Verdict, verdict.TypVerdict)
	w.Must(err)
	if !strings.Contains(string(payload), `"act":"run"`) || !strings.Contains(string(payload), `"key":""`) {
		t.Errorf("the verdict is %s", payload)
	}
	_, err = w.Verify(license.Actor{}, keyless(verifyPath))
	w.Must(err)
	_, err = d.Activate(who, key, func(c *license.DeviceCall) { c.Replace = true })
	w.Must(err)
	if _, err = w.Verify(license.Actor{}, keyless(verifyPath)); codeOf(err) != "proof_required" {
		t.Errorf("once the binding has a key: %v", err)
	}
}

// TestBareMembersAreJudged: what a bare call sends beside key and device goes into the file and the console.
func TestBareMembersAreJudged(t *testing.T) {
	w := licensetest.New(t)
	key := w.Keys(w.App(nil), 1, licensetest.Month)[0]
	for field, change := range map[string]func(*license.DeviceCall){
		"platform": func(c *license.DeviceCall) { c.Platform = strings.Repeat("x", 33) },
		"version":  func(c *license.DeviceCall) { c.Version = "one" },
		"session":  func(c *license.DeviceCall) { c.Session = "short" },
	} {
		c := bareCall(key, 1)
		change(&c)
		if _, err := w.Activate(w.Owner, c); codeOf(err) != "bad_request" || fault.Of(err).Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	_, err := w.Activate(w.Owner, bareCall(key, 1))
	w.Must(err)
	if o, err := w.Overview(w.Owner); err != nil || o.Bound != 1 || o.Online != 0 {
		t.Errorf("a bare activation is no presence: %+v %v", o, err)
	}
}

// TestMembersOfAFullCall: all that protocol §5 calls common must be there, and well-formed.
func TestMembersOfAFullCall(t *testing.T) {
	w := licensetest.New(t)
	app := w.App(nil)
	d := w.Device(app, 1)
	got, err := d.Activate(w.Customer(), w.Keys(app, 1, licensetest.Month)[0], nil)
	w.Must(err)
	long := "1.0.0-" + strings.Repeat("x", 60)
	for _, try := range []struct {
		field  string
		change func(*license.DeviceCall)
	}{
		{"app_id", func(c *license.DeviceCall) { c.Request.AppID = "" }},
		{"nonce", func(c *license.DeviceCall) { c.Nonce = "" }},
		{"nonce", func(c *license.DeviceCall) { c.Nonce += "A" }},
		{"kids", func(c *license.DeviceCall) { c.Kids = nil }},
		{"kids", func(c *license.DeviceCall) { c.Kids = []string{"ABCDEF0123456789"} }},
		{"kids", func(c *license.DeviceCall) { c.Kids = make([]string, 9) }},
		{"version", func(c *license.DeviceCall) { c.Version = "" }},
		{"version", func(c *license.DeviceCall) { c.Version = "1.0" }},
		{"version", func(c *license.DeviceCall) { c.Version = long }},
		{"session", func(c *license.DeviceCall) { c.Session = "" }},
		{"platform", func(c *license.DeviceCall) { c.Platform = "a\x00b" }},
	} {
		c := d.Call(verifyPath, func(c *license.DeviceCall) {
			c.CardID = got.CardID
			try.change(c)
		})
		_, err := w.Verify(license.Actor{}, c)
		if _, signed := errors.AsType[*license.Refusal](err); signed || codeOf(err) != "bad_request" || fault.Of(err).Field != try.field {
			t.Errorf("%s: %v in %q", try.field, err, fault.Of(err).Field)
		}
	}
}
