package license_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"goldfish/license"
	"goldfish/license/verdict"
)

var forever = license.Terms{Kind: license.Permanent, Devices: 1}

// TestReplacedKeyComesBack: the key was put on the binding in the lost time, so the file knows only the one before it.
// The machine keeps its one seat, whether or not another is free.
func TestReplacedKeyComesBack(t *testing.T) {
	for _, seats := range []int{1, 2, 3} {
		l := newLoss(t, license.Terms{Kind: license.Permanent, Devices: seats}, 1)
		old := l.activate(1, l.keys[0])
		var others []holder
		for n := 2; n <= min(seats, 2); n++ {
			others = append(others, l.activate(n, l.keys[0]))
		}
		l.backup()
		h := l.mustReplace(old, l.keys[0])
		before, _ := l.ask(h, "")
		l.restore()
		l.says(old, "", "run", "valid")
		after := l.comesBack(h)
		if after.Device != before.Device || after.Subject != before.Subject || after.Card.ID != before.Card.ID {
			t.Errorf("the verdict %+v, before the loss %+v", after, before)
		}
		for _, receipt := range []string{"", old.lease} { // it has a trace
			l.says(old, receipt, "stop", "device_key_mismatch")
		}
		for _, other := range others {
			l.says(other, "", "run", "valid")
		}
		if got := l.receiptEvents(); got != "device.unbound:receipt_adopted receipt.adopted" {
			t.Errorf("told of %s", got)
		}
		if v := l.CardOf(l.keys[0]); v.Bound != 1+len(others) {
			t.Errorf("%d devices on %d seats", v.Bound, seats)
		}
		ended, err := l.RecentEvents(1, 1000, func(e *license.Event) bool { return e.Kind == license.DeviceUnbound })
		l.Must(err)
		orders, err := l.Orders(ended[0].Event, func(license.ID) bool { return true })
		if l.Must(err); len(orders) != 1 || orders[0].Key != keyOf(l.device(old.n)) || orders[0].Act != verdict.Stop {
			t.Errorf("the order is %+v", orders)
		}
		l.Clock.Advance(time.Hour)
		l.mustReplace(h, l.keys[0]) // it is a binding like any
	}
}

// TestStrangerWithACopiedFingerprint: without a receipt it is asked for one, and then told what it always was.
func TestStrangerWithACopiedFingerprint(t *testing.T) {
	l := newLoss(t, twoSeats, 2)
	h := l.activate(1, l.keys[0])
	stranger := holder{h.n + rekeyed, h.card, ""}
	l.says(stranger, "", "stop", "device_key_mismatch")
	l.says(stranger, h.lease, "stop", "device_key_mismatch")
	l.backup()
	elsewhere := l.activate(stranger.n, l.keys[1]) // its own lease, of another card
	l.restore()
	rows := func() string {
		return fmt.Sprint(rowsOf(l.World, "receipts"), rowsOf(l.World, "bindings"), rowsOf(l.World, "traces"))
	}
	before := rows()
	if c := l.says(stranger, "", "wait", "receipt_wanted"); c.Card != nil || c.Subject != "" {
		t.Errorf("told of the card: %+v", c)
	}
	for _, receipt := range []string{"x", h.lease, h.lease + ".", elsewhere.lease, strings.Repeat("A", verdict.MaxToken)} {
		l.says(stranger, receipt, "stop", "device_key_mismatch")
	}
	c := l.device(stranger.n).Call(verifyPath, func(c *license.DeviceCall) { c.CardID = h.card })
	c.Request.Body = []byte("{}")
	if _, err := l.Verify(license.Actor{}, c); codeOf(err) != "proof_invalid" {
		t.Errorf("without its proof: %v", err)
	}
	for _, receipt := range []string{"", elsewhere.lease} { // whoever types the key lost nothing
		c := l.device(stranger.n).Call(verifyPath, func(c *license.DeviceCall) { c.CardKey, c.Receipt = l.keys[0], receipt })
		if _, err := l.Verify(license.Actor{}, c); codeOf(err) != "device_key_mismatch" {
			t.Errorf("by card key: %v", err)
		}
	}
	l.says(h, "", "run", "valid")
	if got := rows(); got != before || l.receiptEvents() != "" {
		t.Errorf("rows %s, before %s; told of %s", got, before, l.receiptEvents())
	}
}

// TestKeyReplacedBeforeTheCopy: the file knows that it holds the binding no more.
func TestKeyReplacedBeforeTheCopy(t *testing.T) {
	l := newLoss(t, twoSeats, 1)
	old := l.activate(1, l.keys[0])
	h := l.mustReplace(old, l.keys[0])
	l.backup()
	l.restore()
	for _, receipt := range []string{"", old.lease} {
		l.says(old, receipt, "stop", "device_key_mismatch")
	}
	l.says(h, "", "run", "valid")
}

// TestKeysReplacedOneAfterTheOther: whichever comes back first, the last one holds the machine's seat in the end, and
// one that had lost it can have it back from the vendor alone.
func TestKeysReplacedOneAfterTheOther(t *testing.T) {
	for _, lastFirst := range []bool{true, false} {
		l := newLoss(t, twoSeats, 1)
		first := l.activate(1, l.keys[0])
		l.backup()
		second := l.mustReplace(first, l.keys[0])
		l.Clock.Advance(time.Minute)
		third := l.mustReplace(second, l.keys[0])
		l.restore()
		if !lastFirst {
			l.comesBack(second)
			l.comesBack(third)
			for _, h := range []holder{first, second} {
				l.says(h, h.lease, "stop", "device_key_mismatch")
			}
			continue
		}
		l.comesBack(third)
		l.says(second, "", "wait", "receipt_wanted")
		l.says(second, second.lease, "wait", "receipt_kept") // though a seat is free
		l.says(third, "", "run", "valid")
		if got := l.receiptEvents(); got != "device.unbound:receipt_adopted receipt.adopted receipt.kept:receipt_seat" {
			t.Errorf("told of %s", got)
		}
		id := l.waiting()[0].Receipt.ID
		if got := l.adopt(id, license.ReceiptAdoption{}); got != "receipt_machine" {
			t.Error(got)
		}
		if got := l.adopt(id, license.ReceiptAdoption{Replace: true}); got != "valid" {
			t.Error(got)
		}
		l.says(second, "", "run", "valid")
		l.says(third, third.lease, "stop", "device_key_mismatch")
		if v := l.CardOf(l.keys[0]); v.Bound != 1 {
			t.Errorf("%d devices", v.Bound)
		}
	}
}

// TestReplacedKeyOfAnotherTime: its lease is good, but it is not from the time that was lost.
func TestReplacedKeyOfAnotherTime(t *testing.T) {
	l := newLoss(t, forever, 1)
	early := l.activate(1+rekeyed, l.keys[0])
	l.Clock.Advance(time.Hour)
	l.App(nil) // the last event before the copy
	l.Must(l.PurgeCard(l.CardOf(l.keys[0]).Card))
	l.Must(l.ForgetTraces())
	h := l.activate(1, l.keys[0])
	l.Clock.Advance(time.Hour)
	l.App(nil)
	l.backup()
	l.restore()
	l.says(early, "", "wait", "receipt_wanted")
	l.says(early, early.lease, "wait", "receipt_kept")
	l.says(h, "", "run", "valid")
	if got := l.receiptEvents(); got != "receipt.kept:receipt_time" {
		t.Errorf("told of %s", got)
	}
	_, err := l.DismissReceipt(l.Owner, l.waiting()[0].Receipt.ID)
	l.Must(err)
	for _, receipt := range []string{"", early.lease} {
		l.says(early, receipt, "stop", "device_key_mismatch")
	}
}

// TestKeyOfAKeylessBindingIsLost: a bare activation got its key in the lost time.
func TestKeyOfAKeylessBindingIsLost(t *testing.T) {
	l := newLoss(t, forever, 1)
	d := l.device(1)
	_, err := l.Activate(l.who, license.DeviceCall{
		Request: verdict.Request{Method: "POST", Path: activatePath}, CardKey: l.keys[0], CPU: d.CPU, Board: d.Board, MAC: d.MAC,
	})
	l.Must(err)
	l.backup()
	h := l.mustReplace(holder{n: 1}, l.keys[0])
	l.restore()
	l.comesBack(h)
	if v := l.CardOf(l.keys[0]); v.Bound != 1 {
		t.Errorf("%d devices", v.Bound)
	}
}

// TestReplacedOnAChangedMachine: with a new part within the app's tolerance it is the same machine, and has one seat.
// One that holds its binding and changed beyond is told so, and lost nothing.
func TestReplacedOnAChangedMachine(t *testing.T) {
	l := newLoss(t, twoSeats, 1)
	policy := license.DefaultPolicy
	policy.Tolerance = 1
	l.app = l.App(&policy)
	key := l.Keys(l.app, 1, twoSeats)[0]
	old := l.activate(1, key)
	l.backup()
	changed := func(receipt, board, cpu string) license.DeviceCall {
		d := l.device(1 + rekeyed)
		d.Board, d.CPU = board, cpu
		return d.Call(verifyPath, func(c *license.DeviceCall) { c.CardID, c.Receipt = old.card, receipt })
	}
	d := l.device(1 + rekeyed)
	d.Board = "NEWBOARD"
	got, err := d.Activate(l.who, key, func(c *license.DeviceCall) { c.Replace = true })
	l.Must(err)
	l.restore()
	for _, c := range []struct{ receipt, board, cpu, want string }{
		{"", "NEWBOARD", d.CPU, "receipt_wanted"},
		{got.Verdict, "NEWBOARD", d.CPU, "valid"},
		{got.Verdict, "ANOTHER", "ANOTHER", "device_mismatch"},
		{"", "ANOTHER", "ANOTHER", "device_mismatch"},
	} {
		if _, err := l.Verify(license.Actor{}, changed(c.receipt, c.board, c.cpu)); codeOf(err) != c.want {
			t.Errorf("with board %s: %v, want %s", c.board, err, c.want)
		}
	}
	l.says(old, "", "stop", "device_key_mismatch")
	if v := l.CardOf(key); v.Bound != 1 {
		t.Errorf("%d devices", v.Bound)
	}
}

// TestReplacedKeyUnbinds: the seat that it leaves is its own.
func TestReplacedKeyUnbinds(t *testing.T) {
	l := newLoss(t, forever, 1)
	old := l.activate(1, l.keys[0])
	l.backup()
	h := l.mustReplace(old, l.keys[0])
	l.restore()
	for _, c := range []struct{ receipt, want string }{{"", "receipt_wanted"}, {"x", "device_key_mismatch"}, {h.lease, "valid"}} {
		_, err := l.Unbind(license.Actor{}, l.device(h.n).Call(unbindPath, func(call *license.DeviceCall) { call.CardID, call.Receipt = h.card, c.receipt }))
		if got := codeOf(err); got != c.want {
			t.Errorf("with %.5q: %s, want %s", c.receipt, got, c.want)
		}
	}
	l.says(h, h.lease, "stop", "device_unbound")
	l.says(old, old.lease, "stop", "device_unbound")
	if v := l.CardOf(l.keys[0]); v.Bound != 0 {
		t.Errorf("%d devices", v.Bound)
	}
}
