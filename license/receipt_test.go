package license_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"goldfish/license"
	"goldfish/license/licensetest"
	"goldfish/license/verdict"
)

// loss is an appliance that was restored: what happened in the time after the copy is lost.
type loss struct {
	*licensetest.World
	app  *license.App
	who  license.Actor
	keys []string // cards of two seats, of before the copy
	copy string
}

var twoSeats = license.Terms{Kind: license.Duration, Seconds: 30 * 24 * 3600, Devices: 2}

func newLoss(t *testing.T, terms license.Terms, cards int) *loss {
	w := licensetest.New(t)
	l := &loss{World: w, app: w.App(nil)}
	l.keys = w.Keys(l.app, cards, terms)
	l.who = w.Customer()
	return l
}

// backup begins the time that is going to be lost.
func (l *loss) backup() {
	l.T.Helper()
	l.copy = l.Copy()
	l.Clock.Advance(time.Hour)
}

// restore ends it.
func (l *loss) restore() {
	l.T.Helper()
	l.Clock.Advance(time.Hour)
	l.World = l.Restored(l.copy)
}

// device is a machine on the appliance as it is now.
func (l *loss) device(n int) *licensetest.Device {
	d := l.Device(l.app, n)
	if n >= rekeyed {
		own := l.Device(l.app, n%rekeyed)
		d.CPU, d.Board, d.MAC = own.CPU, own.Board, own.MAC
	}
	return d
}

// rekeyed is added to a machine's number for the same machine with another device key.
const rekeyed = 1 << 20

// holder is a device with its lease.
type holder struct {
	n     int
	card  string // its outer id
	lease string
}

// activate binds device n to a card in the time that goes on.
func (l *loss) activate(n int, key string) holder {
	l.T.Helper()
	got, err := l.device(n).Activate(l.who, key, nil)
	l.Must(err)
	return holder{n, got.CardID, got.Verdict}
}

// replace puts the next key on the binding of a machine.
func (l *loss) replace(h holder, key string) (holder, error) {
	next := h.n + rekeyed
	got, err := l.device(next).Activate(l.who, key, func(c *license.DeviceCall) { c.Replace = true })
	if err != nil {
		return holder{}, err
	}
	return holder{next, got.CardID, got.Verdict}, nil
}

// mustReplace is replace where nothing speaks against it.
func (l *loss) mustReplace(h holder, key string) holder {
	l.T.Helper()
	next, err := l.replace(h, key)
	l.Must(err)
	return next
}

// ask verifies a holder with a receipt ("" for none) and gives the verdict's claims, beside the token.
func (l *loss) ask(h holder, receipt string) (verdict.Claims, string) {
	l.T.Helper()
	d := l.device(h.n)
	c := d.Call(verifyPath, func(c *license.DeviceCall) { c.CardID, c.Receipt = h.card, receipt })
	got, err := l.Verify(license.Actor{}, c)
	token := ""
	if r, ok := errors.AsType[*license.Refusal](err); ok {
		token = r.Verdict
	} else if l.Must(err); got != nil {
		token = got.Verdict
	}
	return d.Read(c, token), token
}

// says fails the test unless the answer is this act and code.
func (l *loss) says(h holder, receipt, act, code string) verdict.Claims {
	l.T.Helper()
	c, _ := l.ask(h, receipt)
	if c.Act != act || c.Code != code {
		l.T.Fatalf("device %d hears %s %s, want %s %s", h.n, c.Act, c.Code, act, code)
	}
	return c
}

// comesBack fails the test unless the device is asked for its receipt, shows it and runs.
func (l *loss) comesBack(h holder) verdict.Claims {
	l.T.Helper()
	l.says(h, "", "wait", "receipt_wanted")
	l.says(h, h.lease, "run", "valid")
	return l.says(h, "", "run", "valid")
}

// told are the events of some kinds, oldest first, with their codes.
func (l *loss) told(kinds ...license.EventKind) string {
	l.T.Helper()
	got, err := l.RecentEvents(1000, 100_000, func(e *license.Event) bool { return slices.Contains(kinds, e.Kind) })
	l.Must(err)
	var out []string
	for _, r := range slices.Backward(got) {
		out = append(out, strings.TrimSuffix(r.Event.Kind.String()+":"+r.Event.Code, ":"))
	}
	return strings.Join(out, " ")
}

func (l *loss) receiptEvents() string {
	l.T.Helper()
	return l.told(license.ReceiptAdopted, license.ReceiptKept, license.ReceiptDecided, license.DeviceUnbound, license.SystemError)
}

func TestLostActivationIsAdopted(t *testing.T) {
	l := newLoss(t, twoSeats, 1)
	l.backup()
	h := l.activate(1, l.keys[0])
	lease, _ := l.ask(h, "")
	before := l.CardOf(l.keys[0])
	l.restore()
	if v := l.CardOf(l.keys[0]); v.State != license.CardUnused {
		t.Fatalf("the restored card is %v", v.State)
	}
	c := l.comesBack(h)
	after := l.CardOf(l.keys[0])
	if *c.Card.Expires != *lease.Card.Expires || c.Device != lease.Device || c.Subject != lease.Subject || c.Subject == "" {
		t.Errorf("the verdict %+v, before the loss %+v", c, lease)
	}
	if after.State != license.CardActive || after.Card.Ends != before.Card.Ends/1000*1000 || after.Card.Activated != before.Card.Activated/1000*1000 {
		t.Errorf("the card is %+v, before %+v", after.Card, before.Card)
	}
	if after.Licence.Account != before.Licence.Account || after.Licence.Seats != 2 || after.Licence.Ends != after.Card.Ends || after.Bound != 1 {
		t.Errorf("the licence is %+v with %d devices, before %+v", after.Licence, after.Bound, before.Licence)
	}
	b, was := after.Bindings[0].Binding, before.Bindings[0].Binding
	if b.Key != was.Key || b.Hashes != was.Hashes || b.Parts != was.Parts || b.Device != was.Device || b.Platform != was.Platform {
		t.Errorf("the binding is %+v, before %+v", b, was)
	}
	if got := l.receiptEvents(); got != "receipt.adopted" {
		t.Errorf("told of %s", got)
	}
	mine, _, err := l.OwnCards(l.who, license.CardFilter{Limit: 10})
	if l.Must(err); len(mine) != 1 {
		t.Errorf("the owner sees %d cards", len(mine))
	}
	l.activate(2, l.keys[0]) // the second seat is free
}

func TestLostSeatOfAKnownLicenceIsAdopted(t *testing.T) {
	l := newLoss(t, twoSeats, 1)
	first := l.activate(1, l.keys[0])
	l.backup()
	second := l.activate(2, l.keys[0])
	l.restore()
	l.says(first, "", "run", "valid")
	l.comesBack(second)
	l.says(first, "", "run", "valid")
	if v := l.CardOf(l.keys[0]); v.Bound != 2 {
		t.Errorf("%d devices", v.Bound)
	}
	if got := l.receiptEvents(); got != "receipt.adopted" {
		t.Errorf("told of %s", got)
	}
}

// TestNewerDeviceTakesTheSeat: in the lost time the seat had moved. The device that held it before is ended, by
// order, and flagged; with two seats that of the device that was not heard.
func TestNewerDeviceTakesTheSeat(t *testing.T) {
	for _, seats := range []int{1, 2} {
		l := newLoss(t, license.Terms{Kind: license.Permanent, Devices: seats}, 1)
		moved := l.activate(1, l.keys[0])
		others := []holder{}
		for n := 1; n < seats; n++ {
			others = append(others, l.activate(1+n, l.keys[0]))
		}
		l.backup()
		_, err := l.Unbind(license.Actor{}, l.device(1).Call("/api/v1/devices/unbind", func(c *license.DeviceCall) { c.CardID = moved.card }))
		l.Must(err)
		newer := l.activate(9, l.keys[0])
		l.restore()
		for _, h := range others {
			l.says(h, "", "run", "valid") // heard since
		}
		l.comesBack(newer)
		for _, h := range others {
			l.says(h, "", "run", "valid")
		}
		l.says(moved, "", "stop", "device_unbound")
		l.says(moved, moved.lease, "stop", "device_unbound") // it has a trace: no receipt brings it back
		if got := l.receiptEvents(); got != "device.unbound:receipt_adopted receipt.adopted" {
			t.Errorf("told of %s", got)
		}
		if v := l.CardOf(l.keys[0]); v.Bound != seats {
			t.Errorf("%d devices on %d seats", v.Bound, seats)
		}
		ended, err := l.RecentEvents(1, 1000, func(e *license.Event) bool { return e.Kind == license.DeviceUnbound })
		l.Must(err)
		orders, err := l.Orders(ended[0].Event, func(license.ID) bool { return true })
		if l.Must(err); len(orders) != 1 || orders[0].Key != keyOf(l.device(1)) || orders[0].Code != "device_unbound" || orders[0].Act != verdict.Stop {
			t.Errorf("the order is %+v", orders)
		}
	}
}

// TestOlderDeviceWaitsForTheVendor: two devices held the one seat in the lost time, one after the other, and the
// later one comes back first.
func TestOlderDeviceWaitsForTheVendor(t *testing.T) {
	for _, laterFirst := range []bool{true, false} {
		l := newLoss(t, license.Terms{Kind: license.Permanent, Devices: 1}, 1)
		l.backup()
		older := l.activate(1, l.keys[0])
		l.Clock.Advance(time.Minute)
		_, err := l.Unbind(license.Actor{}, l.device(1).Call("/api/v1/devices/unbind", func(c *license.DeviceCall) { c.CardID = older.card }))
		l.Must(err)
		later := l.activate(2, l.keys[0])
		l.restore()
		if laterFirst {
			l.comesBack(later)
			l.says(older, "", "wait", "receipt_wanted")
			l.says(older, older.lease, "wait", "receipt_kept")
			l.says(later, "", "run", "valid")
			if got := l.receiptEvents(); got != "receipt.adopted receipt.kept:receipt_seat" {
				t.Errorf("told of %s", got)
			}
			continue
		}
		l.comesBack(older)
		l.comesBack(later)
		l.says(older, older.lease, "stop", "device_unbound")
		if got := l.receiptEvents(); got != "receipt.adopted device.unbound:receipt_adopted receipt.adopted" {
			t.Errorf("told of %s", got)
		}
	}
}

func TestReceiptOfALostCardIsKept(t *testing.T) {
	l := newLoss(t, twoSeats, 1)
	l.backup()
	key := l.Keys(l.app, 1, twoSeats)[0]
	h := l.activate(1, key)
	early := h.lease
	l.Clock.Advance(time.Minute)
	_, h.lease = l.ask(h, "")
	l.restore()
	l.says(h, "", "wait", "receipt_wanted")
	for range 3 {
		l.says(h, early, "wait", "receipt_kept")
		if c := l.says(h, h.lease, "wait", "receipt_kept"); c.Card != nil || c.Subject != "" {
			t.Errorf("told of the card: %+v", c)
		}
	}
	if got := l.receiptEvents(); got != "receipt.kept:receipt_card receipt.kept:receipt_card" { // the later lease once more
		t.Errorf("told of %s", got)
	}
	if n := rowsOf(l.World, "receipts"); n != 1 || l.waiting()[0].Receipt.Token != h.lease {
		t.Errorf("%d rows", n)
	}
}

// TestReceiptOfAnotherTimeIsKept: good, but neither from what was lost nor from after it.
func TestReceiptOfAnotherTimeIsKept(t *testing.T) {
	l := newLoss(t, twoSeats, 2)
	early := l.activate(1, l.keys[0])
	l.Clock.Advance(time.Hour)
	l.App(nil) // the last event before the copy
	l.Must(l.PurgeCard(l.CardOf(l.keys[0]).Card))
	l.Must(l.ForgetTraces())
	l.backup()
	h := l.activate(2, l.keys[1])
	l.restore()
	l.says(early, "", "wait", "receipt_wanted")
	l.says(early, early.lease, "wait", "receipt_kept")
	l.comesBack(h)
	if got := l.receiptEvents(); got != "receipt.kept:receipt_time receipt.adopted" {
		t.Errorf("told of %s", got)
	}
}

func TestNothingIsWantedWhereNothingWasLost(t *testing.T) {
	l := newLoss(t, twoSeats, 2)
	h := l.activate(1, l.keys[0])
	stranger := holder{2, h.card, h.lease}
	unused := holder{1, l.OuterID(l.CardOf(l.keys[1]).Card.ID), h.lease}
	unknown := holder{1, strings.Repeat("A", 22), h.lease}
	step := func(name string) {
		t.Helper()
		for _, receipt := range []string{"", h.lease} {
			l.says(stranger, receipt, "stop", "device_unbound")
			l.says(unused, receipt, "stop", "card_unused")
			l.says(unknown, receipt, "stop", "card_unknown")
		}
		if t.Failed() {
			t.Fatal(name)
		}
	}
	step("a new file")
	l.Clock.Advance(-time.Hour)
	l.Must(l.CheckClock())
	if l.DB().Epoch() != 2 {
		t.Fatal("the clock's fall began no epoch")
	}
	step("after the clock fell back")
	l.backup()
	l.restore()
	l.says(stranger, "", "wait", "receipt_wanted") // no trace of it
	l.says(stranger, h.lease, "stop", "device_unbound")
	l.Clock.Advance(400*24*time.Hour + time.Hour)
	if c, _ := l.ask(holder{2, unused.card, ""}, ""); c.Code != "card_unused" {
		t.Errorf("400 days after the restore: %s", c.Code)
	}
}

// TestBadReceipts: each is answered as none would be, and leaves nothing.
func TestBadReceipts(t *testing.T) {
	l := newLoss(t, twoSeats, 3)
	other := l.App(nil)
	foreignKey := l.Keys(other, 1, twoSeats)[0]
	l.backup()
	h, second := l.activate(1, l.keys[0]), l.activate(2, l.keys[1])
	foreign, err := l.Device(other, 1).Activate(l.who, foreignKey, nil)
	l.Must(err)
	_, _, err = l.ActOnCards(l.Owner, license.DisableCard, []string{h.card}, "")
	l.Must(err)
	_, refusal := l.ask(h, "")
	_, _, err = l.ActOnCards(l.Owner, license.EnableCard, []string{h.card}, "")
	l.Must(err)
	parts := strings.Split(h.lease, ".")
	l.restore()
	before := rowsOf(l.World, "events")
	for name, receipt := range map[string]string{
		"not a token": "x", "another device's": second.lease, "another app's": foreign.Verdict, "a refusal": refusal,
		"without its signature": parts[0] + "." + parts[1] + ".", "with another's signature": parts[0] + "." + parts[1] + "." + strings.Split(second.lease, ".")[2],
		"longer by a dot": h.lease + ".",
	} {
		if c, _ := l.ask(h, receipt); c.Act != "stop" || c.Code != "card_unused" {
			t.Errorf("%s: %s %s", name, c.Act, c.Code)
		}
	}
	l.says(holder{1, second.card, ""}, h.lease, "stop", "card_unused") // of another card
	l.says(holder{1, strings.Repeat("A", 22), ""}, h.lease, "stop", "card_unknown")
	l.Must(l.FlushRefusals())
	if rowsOf(l.World, "receipts") != 0 || rowsOf(l.World, "bindings") != 0 || l.receiptEvents() != "" {
		t.Errorf("%d events more: %s", rowsOf(l.World, "events")-before, l.receiptEvents())
	}
	l.comesBack(h)
}

// TestReceiptTooOld: a lease that no loss could explain any more, for all traces of that time are gone.
func TestReceiptTooOld(t *testing.T) {
	l := newLoss(t, license.Terms{Kind: license.Permanent, Devices: 1}, 1)
	l.backup()
	h := l.activate(1, l.keys[0])
	l.Clock.Advance(399 * 24 * time.Hour)
	l.restore()
	l.Clock.Advance(25 * time.Hour)
	l.says(h, "", "wait", "receipt_wanted")
	l.says(h, h.lease, "stop", "card_unused")
}

// TestReceiptNeedsItsProof: nothing is adopted, and no clock is locked out, by what the device did not sign.
func TestReceiptNeedsItsProof(t *testing.T) {
	l := newLoss(t, twoSeats, 1)
	l.backup()
	h, key := l.activate(1, l.keys[0]), l.Keys(l.app, 1, twoSeats)[0]
	lost := l.activate(1, key)
	l.restore()
	ask := func(h holder, change func(*licensetest.Device), spoil func(*license.DeviceCall)) string {
		t.Helper()
		d := l.device(h.n)
		change(d)
		c := d.Call(verifyPath, func(c *license.DeviceCall) { c.CardID, c.Receipt = h.card, h.lease })
		spoil(&c)
		_, err := l.Verify(license.Actor{}, c)
		return codeOf(err)
	}
	nothing := func(*license.DeviceCall) {}
	as := func(*licensetest.Device) {}
	for _, c := range []struct {
		name, want string
		h          holder
		change     func(*licensetest.Device)
		spoil      func(*license.DeviceCall)
	}{
		{"a wrong clock", "proof_time", h, func(d *licensetest.Device) { d.Off = 3600 }, nothing},
		{"a wrong clock and a lost card", "proof_time", lost, func(d *licensetest.Device) { d.Off = -3600 }, nothing},
		{"no proof", "proof_required", h, as, func(c *license.DeviceCall) { c.Proof = "" }},
		{"no proof and a lost card", "card_unknown", lost, as, func(c *license.DeviceCall) { c.Proof = "" }},
		{"another body", "proof_invalid", h, as, func(c *license.DeviceCall) { c.Request.Body = []byte("{}") }},
		{"another body and a lost card", "proof_invalid", lost, as, func(c *license.DeviceCall) { c.Request.Body = []byte("{}") }},
		{"no parts and a lost card", "device_info_invalid", lost, func(d *licensetest.Device) { d.CPU, d.MAC = "", "" }, nothing},
	} {
		if got := ask(c.h, c.change, c.spoil); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	if rowsOf(l.World, "bindings") != 0 || rowsOf(l.World, "receipts") != 0 {
		t.Error("something was adopted or kept")
	}
}

// TestAdoptedIsJudgedLikeAnyBinding: a receipt brings the binding back, not more.
func TestAdoptedIsJudgedLikeAnyBinding(t *testing.T) {
	l := newLoss(t, license.Terms{Kind: license.Duration, Seconds: 3 * 3600, Devices: 1}, 3)
	l.backup()
	moved, ended, off := l.activate(1, l.keys[0]), l.activate(2, l.keys[1]), l.activate(3, l.keys[2])
	l.restore()
	_, _, err := l.ActOnCards(l.Owner, license.DisableCard, []string{off.card}, "")
	l.Must(err)
	l.says(off, off.lease, "stop", "card_disabled")
	d := l.device(moved.n)
	d.CPU, d.Board = "NEWCPU", "NEWBOARD"
	c := d.Call(verifyPath, func(c *license.DeviceCall) { c.CardID, c.Receipt = moved.card, moved.lease })
	_, err = l.Verify(license.Actor{}, c)
	if codeOf(err) != "device_mismatch" {
		t.Errorf("on another machine: %v", err)
	}
	l.says(moved, "", "run", "valid") // on its own
	if b := l.CardOf(l.keys[0]).Bindings[0].Binding; b.Parts[0] != "" || b.Parts[2] == "" {
		t.Errorf("the parts of another machine are taken for its own: %v", b.Parts)
	}
	l.Clock.Advance(2 * time.Hour)
	l.says(ended, ended.lease, "stop", "card_expired")
	if v := l.CardOf(l.keys[1]); v.State != license.CardLapsed || v.Bound != 1 {
		t.Errorf("the card is %v with %d devices", v.State, v.Bound)
	}
	l.Must(l.SweepExpired())
	if got := fmt.Sprint(l.Events(license.NounCard, l.CardOf(l.keys[1]).Card.ID)); got != "[card_key.expired]" {
		t.Errorf("events %s", got)
	}
}
