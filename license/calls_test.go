package license_test

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"goldfish/license"
	"goldfish/license/fault"
	"goldfish/license/licensetest"
	"goldfish/license/verdict"
)

const (
	activatePath = "/api/v1/card-keys/activate"
	verifyPath   = "/api/v1/card-keys/verify"
	beatPath     = "/api/v1/devices/heartbeat"
)

func codeOf(err error) string {
	if err == nil {
		return "valid"
	}
	return fault.Of(err).Code
}

// want checks code and, where one must be signed, what the verdict says.
func want(t *testing.T, d *licensetest.Device, c license.DeviceCall, got *license.DeviceAnswer, err error, code, act string) verdict.Claims {
	t.Helper()
	if codeOf(err) != code {
		t.Fatalf("code %q (%v), want %q", codeOf(err), err, code)
	}
	token := ""
	if r, ok := errors.AsType[*license.Refusal](err); ok {
		token = r.Verdict
	} else if got != nil {
		token = got.Verdict
	}
	if act == "" {
		if token != "" {
			t.Fatal("a verdict was signed for what is no answer")
		}
		return verdict.Claims{}
	}
	claims := d.Read(c, token)
	if claims.Code != code || claims.Act != act {
		t.Fatalf("the verdict says %s %s, want %s %s", claims.Act, claims.Code, act, code)
	}
	if act != verdict.Run && claims.Expires != claims.IssuedAt {
		t.Error("a refusal gives a lease")
	}
	return claims
}

func TestActivateThenVerify(t *testing.T) {
	w := licensetest.New(t)
	app := w.App(nil)
	key := w.Keys(app, 3, licensetest.Month)[0]
	who, d := w.Customer(), w.Device(app, 1)

	call := d.Call(activatePath, func(c *license.DeviceCall) { c.CardKey = key })
	got, err := w.Activate(who, call)
	claims := want(t, d, call, got, err, "valid", verdict.Run)
	if claims.Card.State != "active" || claims.Card.Validity != "duration" || *claims.Card.Expires != w.Clock.Now().Unix()+30*24*3600 {
		t.Errorf("the verdict's card: %+v", claims.Card)
	}
	if claims.Expires != claims.IssuedAt+7*24*3600 || claims.Device != got.DeviceID || claims.Card.ID != got.CardID {
		t.Errorf("the verdict: %+v", claims)
	}

	w.Clock.Advance(time.Hour)
	call = d.Call(verifyPath, func(c *license.DeviceCall) { c.CardID = got.CardID })
	answer, err := w.Verify(license.Actor{}, call)
	want(t, d, call, answer, err, "valid", verdict.Run)
	call = d.Call(verifyPath, func(c *license.DeviceCall) { c.CardKey = key })
	answer, err = w.Verify(license.Actor{}, call)
	want(t, d, call, answer, err, "valid", verdict.Run)
	call = d.Call(beatPath, func(c *license.DeviceCall) { c.CardID = got.CardID })
	answer, err = w.Heartbeat(license.Actor{}, call)
	want(t, d, call, answer, err, "valid", verdict.Run)

	v := w.CardOf(key)
	if v.State != license.CardActive || v.Bound != 1 || v.Account == nil || v.Account.Username == "" {
		t.Errorf("the back office sees %+v", v)
	}
	if got := w.Events(license.NounCard, v.Card.ID); fmt.Sprint(got) != "[card_key.activated]" {
		t.Errorf("events %v", got)
	}
}

// TestRefusals walks protocol §7: each case changes one thing about a device that could run.
func TestRefusals(t *testing.T) {
	w := licensetest.New(t)
	app, other := w.App(nil), w.App(nil)
	keys := w.Keys(app, 20, licensetest.Month)
	foreign := w.Keys(other, 1, licensetest.Month)[0]
	who := w.Customer()
	next := 0
	// bound activates the next key on a device of its own.
	bound := func() (*licensetest.Device, string, string) {
		key := keys[next]
		next++
		d := w.Device(app, 100+next)
		got, err := d.Activate(who, key, nil)
		w.Must(err)
		return d, key, got.CardID
	}
	verifyID := func(d *licensetest.Device, id string, change func(*license.DeviceCall)) (license.DeviceCall, *license.DeviceAnswer, error) {
		c := d.Call(verifyPath, func(c *license.DeviceCall) {
			c.CardID = id
			if change != nil {
				change(c)
			}
		})
		a, err := w.Verify(license.Actor{}, c)
		return c, a, err
	}
	act := func(kind license.CardAct, key string) {
		_, failed, err := w.ActOnCards(w.Owner, kind, []string{w.OuterID(w.CardOf(key).Card.ID)}, "test")
		w.Must(err)
		if len(failed) > 0 {
			t.Fatal(failed[0].Fault)
		}
	}

	t.Run("another device", func(t *testing.T) {
		_, key, _ := bound()
		d := w.Device(app, 900)
		c := d.Call(activatePath, func(c *license.DeviceCall) { c.CardKey = key })
		a, err := w.Activate(who, c)
		if claims := want(t, d, c, a, err, "device_limit", verdict.Stop); claims.Card != nil {
			t.Error("a stranger is told of the card")
		}
	})
	t.Run("another account", func(t *testing.T) {
		d, key, _ := bound()
		c := d.Call(activatePath, func(c *license.DeviceCall) { c.CardKey = key })
		a, err := w.Activate(w.Customer(), c)
		want(t, d, c, a, err, "card_taken", verdict.Stop)
	})
	t.Run("the same device again", func(t *testing.T) {
		d, key, _ := bound()
		c := d.Call(activatePath, func(c *license.DeviceCall) { c.CardKey = key })
		a, err := w.Activate(who, c)
		if claims := want(t, d, c, a, err, "device_already_bound", verdict.Wait); claims.Card == nil {
			t.Error("the holder is not told of its card")
		}
	})
	t.Run("a copied fingerprint", func(t *testing.T) {
		d, _, id := bound()
		thief := w.Device(app, 901)
		thief.CPU, thief.Board, thief.MAC = d.CPU, d.Board, d.MAC
		c, a, err := verifyID(thief, id, nil)
		if claims := want(t, thief, c, a, err, "device_key_mismatch", verdict.Stop); claims.Card != nil {
			t.Error("the thief is told of the card")
		}
	})
	t.Run("a copied device key", func(t *testing.T) {
		d, _, id := bound()
		d.CPU = "OTHERCPU"
		c, a, err := verifyID(d, id, nil)
		want(t, d, c, a, err, "device_mismatch", verdict.Stop)
	})
	t.Run("an unbound device", func(t *testing.T) {
		_, _, id := bound()
		d := w.Device(app, 902)
		c, a, err := verifyID(d, id, nil)
		want(t, d, c, a, err, "device_unbound", verdict.Stop)
	})
	t.Run("disabled, enabled, deleted", func(t *testing.T) {
		d, key, id := bound()
		act(license.DisableCard, key)
		c, a, err := verifyID(d, id, nil)
		if claims := want(t, d, c, a, err, "card_disabled", verdict.Stop); claims.Card == nil || claims.Card.State != "disabled" {
			t.Error("the holder is not told of its card")
		}
		act(license.EnableCard, key)
		c, a, err = verifyID(d, id, nil)
		want(t, d, c, a, err, "valid", verdict.Run)
		act(license.DeleteCard, key)
		c, a, err = verifyID(d, id, nil)
		want(t, d, c, a, err, "card_deleted", verdict.Stop)
	})
	t.Run("an unused card", func(t *testing.T) {
		d := w.Device(app, 903)
		c, a, err := verifyID(d, w.OuterID(w.CardOf(keys[19]).Card.ID), nil)
		want(t, d, c, a, err, "card_unused", verdict.Stop)
	})
	t.Run("unknown cards look alike", func(t *testing.T) {
		d := w.Device(app, 904)
		for name, key := range map[string]string{
			"malformed": "INVALID-KEY", "unknown": "AAAA-BBBB-CCCC-DDDD", "another app's": foreign, "empty": "",
		} {
			c := d.Call(activatePath, func(c *license.DeviceCall) { c.CardKey = key })
			a, err := w.Activate(who, c)
			want(t, d, c, a, err, "card_unknown", verdict.Stop)
			if f := fault.Of(err); f.Field != "card_key" || len(f.Args) != 0 {
				t.Errorf("%s: field %q args %v", name, f.Field, f.Args)
			}
		}
		c, a, err := verifyID(d, "AAAAAAAAAAAAAAAAAAAAAA", nil)
		want(t, d, c, a, err, "card_unknown", verdict.Stop)
	})
	t.Run("bad device info", func(t *testing.T) {
		d, _, id := bound()
		d.Board, d.MAC = "To be filled by O.E.M.", ""
		c, a, err := verifyID(d, id, nil)
		want(t, d, c, a, err, "device_info_invalid", verdict.Wait)
	})
	t.Run("a clock that is off", func(t *testing.T) {
		d, _, id := bound()
		for _, off := range []int64{-301, 301, 1 << 40} {
			d.Off = off
			c, a, err := verifyID(d, id, nil)
			want(t, d, c, a, err, "proof_time", verdict.Wait)
		}
		for _, off := range []int64{-300, 300} {
			d.Off = off
			c, a, err := verifyID(d, id, nil)
			want(t, d, c, a, err, "valid", verdict.Run)
		}
	})
	t.Run("an altered request", func(t *testing.T) {
		d, _, id := bound()
		c := d.Call(verifyPath, func(c *license.DeviceCall) { c.CardID = id })
		c.Request.Body = append(c.Request.Body, ' ')
		_, err := w.Verify(license.Actor{}, c)
		if codeOf(err) != "proof_invalid" {
			t.Errorf("code %q", codeOf(err))
		}
		c.Proof = ""
		_, err = w.Verify(license.Actor{}, c)
		if codeOf(err) != "proof_required" {
			t.Errorf("without a proof: %q", codeOf(err))
		}
	})
	t.Run("an app that is off", func(t *testing.T) {
		off := w.App(nil)
		key := w.Keys(off, 1, licensetest.Month)[0]
		d := w.Device(off, 905)
		got, err := d.Activate(who, key, nil)
		w.Must(err)
		yes, no := true, false
		_, err = w.ChangeApp(w.Owner, off.UUID, license.AppChange{Disabled: &yes})
		w.Must(err)
		c, a, err := verifyID(d, got.CardID, nil)
		want(t, d, c, a, err, "app_disabled", verdict.Stop)
		_, err = w.ChangeApp(w.Owner, off.UUID, license.AppChange{Disabled: &no})
		w.Must(err)
		c, a, err = verifyID(d, got.CardID, nil)
		want(t, d, c, a, err, "valid", verdict.Run)
	})
	t.Run("what is no answer", func(t *testing.T) {
		d, _, id := bound()
		for code, change := range map[string]func(*license.DeviceCall){
			"app_unknown":             func(c *license.DeviceCall) { c.Request.AppID = "3f0c1f0e-6c0b-4f5e-9d5a-0b8f5b1c2d3e" },
			"keys_unknown":            func(c *license.DeviceCall) { c.Kids = []string{"0123456789abcdef"} },
			"bad_request":             func(c *license.DeviceCall) { c.Nonce = "short" },
			"idempotency_key_invalid": func(c *license.DeviceCall) { c.Request.IdempotencyKey = "short" },
		} {
			c, a, err := verifyID(d, id, change)
			if r, ok := errors.AsType[*license.Refusal](err); ok {
				t.Errorf("%s was signed: %v", code, r)
			}
			if codeOf(err) != code || a != nil {
				t.Errorf("code %q, want %q (%v)", codeOf(err), code, c.Kids)
			}
		}
	})
}

func TestReplace(t *testing.T) {
	w := licensetest.New(t)
	app := w.App(nil)
	key := w.Keys(app, 1, licensetest.Month)[0]
	who, old := w.Customer(), w.Device(app, 1)
	got, err := old.Activate(who, key, nil)
	w.Must(err)
	replace := func(c *license.DeviceCall) { c.Replace = true }
	reinstalled := func(n int) *licensetest.Device {
		d := w.Device(app, n)
		d.CPU, d.Board, d.MAC = old.CPU, old.Board, old.MAC
		return d
	}
	if _, err := reinstalled(2).Activate(who, key, nil); codeOf(err) != "device_already_bound" {
		t.Fatalf("without replace: %v", err)
	}
	if _, err := reinstalled(2).Activate(w.Customer(), key, replace); codeOf(err) != "card_taken" {
		t.Fatalf("by another account: %v", err)
	}
	for i := range 3 {
		next, err := reinstalled(2+i).Activate(who, key, replace)
		if err != nil || next.DeviceID != got.DeviceID {
			t.Fatalf("replacement %d: %+v, %v", i+1, next, err)
		}
	}
	if _, err := old.Verify(got.CardID); codeOf(err) != "device_key_mismatch" {
		t.Errorf("the old key: %v", err)
	}
	if _, err := reinstalled(4).Verify(got.CardID); err != nil {
		t.Errorf("the new key: %v", err)
	}
	c := reinstalled(5).Call(activatePath, func(c *license.DeviceCall) { c.CardKey, c.Replace = key, true })
	a, err := w.Activate(who, c)
	want(t, reinstalled(5), c, a, err, "unbind_limit", verdict.Wait)
	if next := fault.Of(err).Args["next"]; next != w.Clock.Now().Add(30*24*time.Hour).UTC().Format(time.RFC3339) {
		t.Errorf("next is %v", next)
	}
	w.Clock.Advance(30*24*time.Hour - time.Minute)
	w.Clock.Advance(time.Minute)
	if _, err := reinstalled(5).Activate(who, key, replace); codeOf(err) != "card_expired" {
		t.Errorf("after the card's end: %v", err)
	}
	if v := w.CardOf(key); v.Bound != 1 {
		t.Errorf("%d seats are taken", v.Bound)
	}
}

func TestTolerance(t *testing.T) {
	w := licensetest.New(t)
	for tol, most := range map[license.Tolerance]int{0: 0, 1: 1, 2: 2} {
		policy := license.DefaultPolicy
		policy.Tolerance = tol
		app := w.App(&policy)
		key := w.Keys(app, 1, licensetest.Month)[0]
		d := w.Device(app, 1)
		got, err := d.Activate(w.Customer(), key, nil)
		w.Must(err)
		for changed := 0; changed <= 3; changed++ {
			m := w.Device(app, 1)
			for i, part := range []*string{&m.CPU, &m.Board, &m.MAC} {
				if i < changed {
					*part = []string{"NEWCPU", "NEWBOARD", "00:aa:bb:cc:dd:ee"}[i]
				}
			}
			_, err := m.Verify(got.CardID)
			if ok := err == nil; ok != (changed <= most) {
				t.Errorf("%v with %d parts changed: %v", tol, changed, err)
			}
			if err == nil {
				c := m.Call(verifyPath, func(c *license.DeviceCall) { c.CardID = got.CardID })
				a, err := w.Verify(license.Actor{}, c)
				if claims := want(t, m, c, a, err, "valid", verdict.Run); claims.Device != got.DeviceID {
					t.Error("the device id moved with the parts")
				}
			}
		}
	}
}

func TestMissesAreLimited(t *testing.T) {
	w := licensetest.New(t)
	app := w.App(nil)
	key := w.Keys(app, 1, licensetest.Month)[0]
	d := w.Device(app, 1)
	from := license.Actor{Address: netip.MustParseAddr("2001:db8::1")}
	guess := func(from license.Actor, key string) error {
		_, err := w.Verify(from, d.Call(verifyPath, func(c *license.DeviceCall) { c.CardKey = key }))
		return err
	}
	for i := range 20 {
		if err := guess(from, fmt.Sprintf("AAAA-BBBB-CCCC-%04d", i)); codeOf(err) != "card_unknown" {
			t.Fatalf("guess %d: %v", i, err)
		}
	}
	neighbour := license.Actor{Address: netip.MustParseAddr("2001:db8::2")}
	for _, who := range []license.Actor{from, neighbour} {
		err := guess(who, key)
		if f := fault.Of(err); f.Code != "rate_limited" || f.Retry <= 0 || f.Retry > 10*time.Minute {
			t.Errorf("beyond the budget: %v after %v", err, f.Retry)
		}
	}
	if err := guess(license.Actor{Address: netip.MustParseAddr("2001:db8:1::1")}, key); codeOf(err) != "card_unused" {
		t.Errorf("from elsewhere: %v", err)
	}
	_, err := w.Verify(from, d.Call(verifyPath, func(c *license.DeviceCall) { c.CardID = w.OuterID(w.CardOf(key).Card.ID) }))
	if codeOf(err) != "card_unused" {
		t.Errorf("by card id: %v", err)
	}
	w.Clock.Advance(10 * time.Minute)
	if err := guess(from, key); codeOf(err) != "card_unused" {
		t.Errorf("after ten minutes: %v", err)
	}
}
