package license_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"goldfish/license"
	"goldfish/license/fault"
	"goldfish/license/licensetest"
	"goldfish/license/verdict"
)

// TestStrangersAreToldNothing: in a refusal, card and account are told to the device that holds the binding and to
// nobody else, whoever else knows the card key or its id.
func TestStrangersAreToldNothing(t *testing.T) {
	w := licensetest.New(t)
	app := w.App(nil)
	key := w.Keys(app, 1, licensetest.Month)[0]
	owner, stranger := w.Customer(), w.Customer()
	holder := w.Device(app, 1)
	got, err := holder.Activate(owner, key, nil)
	w.Must(err)
	thief := w.Device(app, 2)
	copied := w.Device(app, 3)
	copied.CPU, copied.Board, copied.MAC = holder.CPU, holder.Board, holder.MAC
	disable := func(kind license.CardAct) {
		_, _, err := w.ActOnCards(w.Owner, kind, []string{got.CardID}, "")
		w.Must(err)
	}
	for _, try := range []struct {
		name    string
		d       *licensetest.Device
		who     license.Actor
		path    string
		code    string
		act     string
		told    bool
		prepare func()
	}{
		{"another device of the owner's", thief, owner, activatePath, "device_limit", verdict.Stop, false, nil},
		{"another account", thief, stranger, activatePath, "card_taken", verdict.Stop, false, nil},
		{"another account on the very device", holder, stranger, activatePath, "card_taken", verdict.Stop, true, nil},
		{"a copied fingerprint", copied, stranger, verifyPath, "device_key_mismatch", verdict.Stop, false, nil},
		{"no binding", thief, license.Actor{}, verifyPath, "device_unbound", verdict.Stop, false, nil},
		{"the holder", holder, license.Actor{}, verifyPath, "valid", verdict.Run, true, nil},
		{"the holder again", holder, owner, activatePath, "device_already_bound", verdict.Wait, true, nil},
		{"a stranger, disabled", thief, license.Actor{}, verifyPath, "card_disabled", verdict.Stop, false, func() { disable(license.DisableCard) }},
		{"the holder, disabled", holder, license.Actor{}, verifyPath, "card_disabled", verdict.Stop, true, nil},
	} {
		if try.prepare != nil {
			try.prepare()
		}
		c := try.d.Call(try.path, func(c *license.DeviceCall) { c.CardKey = key })
		ask := w.Verify
		if try.path == activatePath {
			ask = w.Activate
		}
		a, err := ask(try.who, c)
		claims := want(t, try.d, c, a, err, try.code, try.act)
		if told := claims.Card != nil; told != try.told || (claims.Subject != "") != try.told {
			t.Errorf("%s: card %v, account %q", try.name, claims.Card, claims.Subject)
		}
		if !try.told && claims.Device == got.DeviceID && try.d != copied {
			t.Errorf("%s: told the holder's device id", try.name)
		}
	}
	disable(license.EnableCard)
	holder.Board = "ANOTHERBOARD" // no proof, no word
	c := holder.Call(verifyPath, func(c *license.DeviceCall) { c.CardID = got.CardID })
	c.Request.Body = append(c.Request.Body, ' ')
	_, err = w.Verify(license.Actor{}, c)
	if r := err.(*license.Refusal); r.Fault.Code != "proof_invalid" || strings.Contains(payload(t, app, r.Verdict), `"card"`) {
		t.Errorf("without a good proof: %s", payload(t, app, r.Verdict))
	}
}

// payload opens a verdict without judging what it answers.
func payload(t *testing.T, app *license.App, token string) string {
	t.Helper()
	pins, err := verdict.NewPins(verdict.Encode64(app.Keys[0].Public))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := pins.Open(token, verdict.TypVerdict)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestUnknownCardNamesItsMember(t *testing.T) {
	w := licensetest.New(t)
	app := w.App(nil)
	foreign := w.OuterID(w.CardOf(w.Keys(w.App(nil), 1, licensetest.Month)[0]).Card.ID)
	d := w.Device(app, 1)
	for _, try := range []struct{ id, key, field string }{
		{"AAAAAAAAAAAAAAAAAAAAAA", "", "card_id"},
		{foreign, "", "card_id"},
		{"", "AAAA-BBBB-CCCC-DDDD", "card_key"},
		{strings.Repeat("A", 16<<10), "", "card_id"},
		{"", strings.Repeat("A", 16<<10), "card_key"},
		{"", "", "card_key"},
	} {
		c := d.Call(verifyPath, func(c *license.DeviceCall) { c.CardID, c.CardKey = try.id, try.key })
		a, err := w.Verify(license.Actor{}, c)
		want(t, d, c, a, err, "card_unknown", verdict.Stop)
		if f := fault.Of(err); f.Field != try.field || f.Kind != fault.Invalid || len(f.Args) != 0 {
			t.Errorf("field %q, want %q", f.Field, try.field)
		}
	}
}

func TestDisabledAccountStops(t *testing.T) {
	w := licensetest.New(t)
	app := w.App(nil)
	keys := w.Keys(app, 2, licensetest.Month)
	who, d := w.Customer(), w.Device(app, 1)
	got, err := d.Activate(who, keys[0], nil)
	w.Must(err)
	w.Must(w.DisableAccount(who.Account))
	c := d.Call(beatPath, func(c *license.DeviceCall) { c.CardID = got.CardID })
	a, err := w.Heartbeat(license.Actor{}, c)
	want(t, d, c, a, err, "account_disabled", verdict.Stop)
	// A sign-in from before starts nothing new either.
	c = d.Call(activatePath, func(c *license.DeviceCall) { c.CardKey = keys[1] })
	a, err = w.Activate(who, c)
	want(t, d, c, a, err, "account_disabled", verdict.Stop)
	if v := w.CardOf(keys[1]); v.State != license.CardUnused {
		t.Errorf("the card is %v", v.State)
	}
}

// TestApplianceActivatesNothing: a licence belongs to an account.
func TestApplianceActivatesNothing(t *testing.T) {
	w := licensetest.New(t)
	app := w.App(nil)
	_, err := w.Device(app, 1).Activate(license.System, w.Keys(app, 1, licensetest.Month)[0], nil)
	if f := fault.Of(err); f.Code != "sign_in_required" || f.Kind != fault.Unauthenticated {
		t.Errorf("%v", err)
	}
}

// refused are the refusals in the log, oldest first, as code × count.
func refused(w *licensetest.World) string {
	w.T.Helper()
	got, err := w.RecentEvents(100, 10_000, func(e *license.Event) bool { return e.Kind == license.CardRefused })
	w.Must(err)
	var out []string
	for _, r := range got {
		if r.Event.Level != license.LevelWarning {
			w.T.Errorf("%s is %v", r.Event.Code, r.Event.Level)
		}
		out = append([]string{r.Event.Code + "×" + r.Event.Args["count"]}, out...)
	}
	return fmt.Sprint(out)
}

// TestRefusalsAreGathered: equal ones are one event, and none is lost by a file that fails or closes.
func TestRefusalsAreGathered(t *testing.T) {
	w := licensetest.New(t)
	app := w.App(nil)
	d, key := w.Device(app, 1), w.Keys(app, 1, licensetest.Month)[0]
	ask := func(from string) {
		_, err := w.Verify(license.Actor{Address: netip.MustParseAddr(from)}, d.Call(verifyPath, func(c *license.DeviceCall) { c.CardKey = key }))
		if codeOf(err) != "card_unused" {
			t.Error(err)
		}
	}
	for range 3 {
		ask("203.0.113.1")
	}
	ask("203.0.113.2")
	w.Must(w.FlushRefusals())
	if got := refused(w); got != "[card_unused×3 card_unused×]" {
		t.Errorf("recorded %s", got)
	}
	ask("203.0.113.1")
	w.Must(w.Close())
	w = licensetest.Open(t, w.Path, w.Clock)
	if got := refused(w); got != "[card_unused×3 card_unused× card_unused×]" {
		t.Errorf("after a stop: %s", got)
	}
}

func TestRefusalsWaitForTheDisk(t *testing.T) {
	w := licensetest.New(t)
	_, err := w.Device(w.App(nil), 1).Verify("AAAAAAAAAAAAAAAAAAAAAA")
	if codeOf(err) != "card_unknown" {
		t.Fatal(err)
	}
	w.Must(w.DB().Close())
	for range 2 {
		if w.FlushRefusals() == nil {
			t.Error("a closed file took refusals, or they were dropped")
		}
	}
}

// TestReplaceTellsTheOldKey: the order goes to the key that was put out, not to the one that is in.
func TestReplaceTellsTheOldKey(t *testing.T) {
	f := newFleet(t, 1)
	old := f.devices[0]
	reinstalled := f.World.Device(f.app, 50)
	reinstalled.CPU, reinstalled.Board, reinstalled.MAC = old.CPU, old.Board, old.MAC
	who := license.Actor{Kind: license.ActorAccount, Account: f.view(0).Account.ID, Role: license.RoleCustomer}
	v, err := f.CardByID(f.Owner, f.view(0).Binding.Card)
	f.Must(err)
	c := reinstalled.Call(activatePath, func(c *license.DeviceCall) { c.CardKey, c.Replace = v.Text.Key(), true })
	a, err := f.Activate(who, c)
	claims := want(t, reinstalled, c, a, err, "valid", verdict.Run)
	last, err := f.RecentEvents(1, 10, nil)
	f.Must(err)
	orders, err := f.Orders(last[0].Event, func(license.ID) bool { return true })
	if err != nil || len(orders) != 1 || orders[0].Key != old.Call(beatPath, nil).Request.DeviceKey || orders[0].Code != "device_key_mismatch" {
		t.Fatalf("%+v %v", orders, err)
	}
	if int64(orders[0].Seq) != claims.Seq {
		t.Errorf("the order has number %d, the verdict %d", orders[0].Seq, claims.Seq)
	}
	if none, err := f.Orders(last[0].Event, func(license.ID) bool { return false }); err != nil || len(none) != 0 {
		t.Errorf("orders to nobody: %v %v", none, err)
	}
}

func TestDisabledAppStopsThoseOnline(t *testing.T) {
	f := newFleet(t, 3)
	f.Clock.Advance(16 * time.Minute)
	_, err := f.devices[1].Verify(f.cards[1])
	f.Must(err)
	f.Must(f.SweepOffline())
	yes := true
	_, err = f.ChangeApp(f.Owner, f.app.UUID, license.AppChange{Disabled: &yes})
	f.Must(err)
	last, err := f.RecentEvents(1, 10, nil)
	f.Must(err)
	orders, err := f.Orders(last[0].Event, func(license.ID) bool { return true })
	if err != nil || len(orders) != 1 || orders[0].Binding != f.bindings[1] || orders[0].Code != "app_disabled" || orders[0].Spread != 60 {
		t.Errorf("%+v %v", orders, err)
	}
}
