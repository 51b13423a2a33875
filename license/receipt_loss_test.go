package license_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"goldfish/license"
	"goldfish/license/licensetest"
)

// TestRestoresInARow: every loss is made good, also by what was made good between two of them.
func TestRestoresInARow(t *testing.T) {
	l := newLoss(t, license.Terms{Kind: license.Permanent, Devices: 1}, 6)
	l.backup()
	first := l.copy
	one, two := l.activate(1, l.keys[0]), l.activate(2, l.keys[1])
	l.restore()
	l.comesBack(one) // two is not heard of before the next loss
	l.Clock.Advance(time.Hour)
	three := l.activate(3, l.keys[2])
	l.backup()
	second := l.copy
	four := l.activate(4, l.keys[3])
	l.restore() // of a copy from after the first restore
	l.says(one, "", "run", "valid")
	l.says(three, "", "run", "valid")
	l.comesBack(two)
	l.comesBack(four)
	l.Clock.Advance(time.Hour)
	five := l.activate(5, l.keys[4])
	l.Clock.Advance(time.Hour)
	l.copy = first
	l.restore() // the oldest copy once more: all of it is lost
	if l.DB().Epoch() != 4 {
		t.Errorf("epoch %d", l.DB().Epoch())
	}
	for _, h := range []holder{one, two, three, four, five} {
		l.comesBack(h)
	}
	l.copy = second
	l.restore()
	for _, h := range []holder{four, five, two} {
		l.comesBack(h)
	}
	l.says(one, "", "run", "valid")
}

// TestLeaseOfAnAdoptedDeviceIsAReceiptToo: it was renewed in the epoch that is lost next.
func TestLeaseOfAnAdoptedDeviceIsAReceiptToo(t *testing.T) {
	l := newLoss(t, twoSeats, 1)
	l.backup()
	h := l.activate(1, l.keys[0])
	l.restore()
	l.comesBack(h)
	l.Clock.Advance(time.Hour)
	_, h.lease = l.ask(h, "")
	l.restore() // the same copy
	if c := l.comesBack(h); c.Epoch != 3 {
		t.Errorf("epoch %d", c.Epoch)
	}
}

// TestClockFellBackAroundALoss: epochs that the clock began are no losses, and stand in nobody's way.
func TestClockFellBackAroundALoss(t *testing.T) {
	l := newLoss(t, license.Terms{Kind: license.Permanent, Devices: 1}, 3)
	l.backup()
	h, late := l.activate(1, l.keys[0]), l.activate(2, l.keys[1])
	l.Clock.Advance(-20 * time.Minute)
	l.Must(l.CheckClock()) // in the lost time
	lost := l.activate(3, l.keys[2])
	l.restore()
	l.comesBack(h)
	l.comesBack(lost)
	epoch := l.DB().Epoch()
	l.Clock.Advance(-30 * time.Minute)
	l.Must(l.CheckClock()) // after it
	if l.DB().Epoch() != epoch+1 {
		t.Fatalf("epoch %d", l.DB().Epoch())
	}
	l.comesBack(late)
	if got := l.told(license.ReceiptKept, license.ReceiptAdopted); got != "receipt.adopted receipt.adopted receipt.adopted" {
		t.Errorf("told of %s", got)
	}
}

// TestDeviceUnknownAfterTheClockFellBack: no restore happened, so a token of an epoch below proves nothing.
func TestDeviceUnknownAfterTheClockFellBack(t *testing.T) {
	l := newLoss(t, twoSeats, 1)
	h := l.activate(1, l.keys[0])
	l.Clock.Advance(-time.Hour)
	l.Must(l.CheckClock())
	l.Must(l.PurgeCard(l.CardOf(l.keys[0]).Card))
	l.Must(l.ForgetTraces())
	l.says(h, "", "stop", "device_unbound")
	l.says(h, h.lease, "stop", "device_unbound")
}

// TestOldCopyByHandShowsInAReceipt: nothing outside the file remembers, so the first device that shows a token of
// the file's own epoch does. What was lost is taken up from then on.
func TestOldCopyByHandShowsInAReceipt(t *testing.T) {
	l := newLoss(t, license.Terms{Kind: license.Permanent, Devices: 1}, 10)
	l.backup()
	l.restore() // so that the file has a loss, and asks
	l.backup()
	var all []holder
	for n := range 10 {
		all = append(all, l.activate(n, l.keys[n]))
	}
	l.Clock.Advance(time.Hour)
	l.World = l.PutBack(l.copy, 0)
	if l.DB().Epoch() != 2 {
		t.Fatalf("epoch %d", l.DB().Epoch())
	}
	l.says(all[0], "", "wait", "receipt_wanted")
	if c := l.says(all[0], all[0].lease, "wait", "receipt_kept"); c.Epoch != 2 || l.DB().Epoch() != 3 {
		t.Errorf("a verdict of epoch %d in epoch %d", c.Epoch, l.DB().Epoch())
	}
	if got := l.receiptEvents(); got != "system.error:file_rolled_back receipt.kept:file_rolled_back" {
		t.Errorf("told of %s", got)
	}
	for _, h := range all {
		l.comesBack(h)
	}
	if l.DB().Epoch() != 3 || rowsOf(l.World, "receipts") != 1 {
		t.Errorf("epoch %d, %d receipts", l.DB().Epoch(), rowsOf(l.World, "receipts"))
	}
}

// TestOldCopyByHandIsOneEpoch: many devices find it out at the same moment.
func TestOldCopyByHandIsOneEpoch(t *testing.T) {
	l := newLoss(t, license.Terms{Kind: license.Permanent, Devices: 1}, 10)
	l.backup()
	l.restore()
	l.backup()
	var all []holder
	for n := range 10 {
		all = append(all, l.activate(n, l.keys[n]))
	}
	l.World = l.PutBack(l.copy, 0)
	var together sync.WaitGroup
	for _, h := range all {
		together.Go(func() { l.ask(h, h.lease) })
	}
	together.Wait()
	if l.DB().Epoch() != 3 || l.told(license.SystemError) != "system.error:file_rolled_back" {
		t.Errorf("epoch %d, told of %s", l.DB().Epoch(), l.told(license.SystemError))
	}
	for _, h := range all {
		l.says(h, h.lease, "run", "valid")
	}
}

// TestOldCopyByHandWithARecordOutside: it is known at the start, so all come back at once.
func TestOldCopyByHandWithARecordOutside(t *testing.T) {
	l := newLoss(t, twoSeats, 1)
	owner, who := l.Owner, l.who
	l.Must(l.Close())
	l.World = licensetest.OpenWith(t, l.Path, l.Clock, t.TempDir())
	l.Owner, l.who = owner, who
	l.backup()
	h := l.activate(1, l.keys[0])
	l.Clock.Advance(time.Hour)
	l.World = l.PutBack(l.copy, 0)
	l.comesBack(h)
	if got := l.receiptEvents(); got != "system.error:file_rolled_back receipt.adopted" {
		t.Errorf("told of %s", got)
	}
}

// TestReceiptsAtTheSameTime: one binding and one event come of many calls, and a seat is never held twice.
func TestReceiptsAtTheSameTime(t *testing.T) {
	l := newLoss(t, license.Terms{Kind: license.Permanent, Devices: 1}, 1)
	l.backup()
	first := l.activate(1, l.keys[0])
	_, err := l.Unbind(license.Actor{}, l.device(1).Call("/api/v1/devices/unbind", func(c *license.DeviceCall) { c.CardID = first.card }))
	l.Must(err)
	l.Clock.Advance(time.Second)
	second := l.activate(2, l.keys[0])
	l.restore()
	var together sync.WaitGroup
	for n := range 16 {
		together.Go(func() {
			h := []holder{first, second}[n%2]
			l.ask(h, h.lease)
		})
	}
	together.Wait()
	l.says(second, second.lease, "run", "valid")
	v := l.CardOf(l.keys[0])
	if v.Bound != 1 || v.State != license.CardActive {
		t.Errorf("%d devices, %v", v.Bound, v.State)
	}
	if n := rowsOf(l.World, "licences"); n != 1 {
		t.Errorf("%d licences", n)
	}
	got := l.told(license.ReceiptAdopted)
	if got != "receipt.adopted" && got != "receipt.adopted receipt.adopted" {
		t.Errorf("told of %s", got)
	}
}

// TestGuessesAreCountedAfterALoss: no receipt makes a guess free, and no lost device spends the guesses of others.
func TestGuessesAreCountedAfterALoss(t *testing.T) {
	l := newLoss(t, twoSeats, 1)
	l.backup()
	key := l.Keys(l.app, 1, twoSeats)[0]
	h := l.activate(1, key)
	l.restore()
	from := l.who
	ask := func(change func(*license.DeviceCall)) string {
		_, err := l.Verify(license.Actor{Address: from.Address}, l.device(1).Call(verifyPath, change))
		return codeOf(err)
	}
	for range 30 {
		if got := ask(func(c *license.DeviceCall) { c.CardID = h.card }); got != "receipt_wanted" {
			t.Fatal(got)
		}
		if got := ask(func(c *license.DeviceCall) { c.CardID, c.Receipt = h.card, h.lease }); got != "receipt_kept" {
			t.Fatal(got)
		}
	}
	guess := func(n int) string {
		return ask(func(c *license.DeviceCall) { c.CardKey, c.Receipt = fmt.Sprintf("AAAA-BBBB-CCCC-%04d", n), h.lease })
	}
	for n := range 20 {
		if got := guess(n); got != "card_unknown" {
			t.Fatalf("guess %d: %s", n, got)
		}
	}
	if got := guess(20); got != "rate_limited" {
		t.Errorf("beyond the budget: %s", got)
	}
	if got := ask(func(c *license.DeviceCall) { c.CardID, c.Receipt = h.card, h.lease }); got != "receipt_kept" {
		t.Errorf("by card id: %s", got)
	}
}

// TestReceiptsAreBounded: by device key and by app; what has no room is still wanted, and its lease runs on.
func TestReceiptsAreBounded(t *testing.T) {
	l := newLoss(t, twoSeats, 1)
	l.backup()
	var mine []holder
	for _, key := range l.Keys(l.app, 10, twoSeats) {
		mine = append(mine, l.activate(1, key))
	}
	other := l.activate(2, l.Keys(l.app, 1, twoSeats)[0])
	l.restore()
	for n, h := range mine {
		want := "receipt_kept"
		if n >= 8 {
			want = "receipt_wanted"
		}
		l.says(h, h.lease, "wait", want)
	}
	l.Must(l.LeaveReceipts(l.app.ID, 10_000-8))
	l.says(other, other.lease, "wait", "receipt_wanted")
	l.says(mine[0], mine[0].lease, "wait", "receipt_kept") // it is in there
	if got := rowsOf(l.World, "receipts"); got != 10_000 {
		t.Errorf("%d rows", got)
	}
	l.Clock.Advance(400*24*time.Hour + time.Second)
	for range 11 {
		l.Must(l.Purge())
	}
	if got := rowsOf(l.World, "receipts"); got != 0 {
		t.Errorf("%d rows after 400 days", got)
	}
}

// TestOwnerIsLostToo: the account is from the lost time. The licence runs, and whoever has the key owns it.
func TestOwnerIsLostToo(t *testing.T) {
	l := newLoss(t, twoSeats, 1)
	l.backup()
	l.who = l.Customer()
	h := l.activate(1, l.keys[0])
	l.restore()
	if c := l.comesBack(h); c.Subject != "" {
		t.Errorf("the account is %q", c.Subject)
	}
	l.who = l.Customer()
	repeat := func(c *license.DeviceCall) { c.Request.IdempotencyKey = "owner-again-000001" }
	for _, replayed := range []bool{false, true} {
		got, err := l.device(1).Activate(l.who, l.keys[0], repeat)
		if l.Must(err); got.Replayed != replayed {
			t.Errorf("replayed %v", got.Replayed)
		}
	}
	mine, _, err := l.OwnCards(l.who, license.CardFilter{Limit: 10})
	if l.Must(err); len(mine) != 1 || mine[0].Bound != 1 {
		t.Errorf("the owner sees %d cards", len(mine))
	}
	if c := l.says(h, "", "run", "valid"); c.Subject == "" {
		t.Error("no account in the verdict")
	}
	if _, err := l.device(2).Activate(l.Customer(), l.keys[0], nil); codeOf(err) != "card_taken" {
		t.Errorf("another account: %v", err)
	}
	l.activate(2, l.keys[0])
}

// TestForgottenDeviceUnbinds: the seat that it leaves is its own.
func TestForgottenDeviceUnbinds(t *testing.T) {
	l := newLoss(t, license.Terms{Kind: license.Permanent, Devices: 1}, 1)
	l.backup()
	h := l.activate(1, l.keys[0])
	l.restore()
	unbind := func(receipt string) string {
		_, err := l.Unbind(license.Actor{}, l.device(1).Call("/api/v1/devices/unbind", func(c *license.DeviceCall) {
			c.CardID, c.Receipt, c.Request.IdempotencyKey = h.card, receipt, "unbind-0000000001"
		}))
		return codeOf(err)
	}
	for n, want := range []string{"receipt_wanted", "valid", "valid"} { // the third is the second repeated
		receipt := ""
		if n > 0 {
			receipt = h.lease
		}
		if got := unbind(receipt); got != want {
			t.Errorf("call %d: %s, want %s", n, got, want)
		}
	}
	l.says(h, h.lease, "stop", "device_unbound")
	if v := l.CardOf(l.keys[0]); v.State != license.CardActive || v.Bound != 0 {
		t.Errorf("the card is %v with %d devices", v.State, v.Bound)
	}
	l.activate(2, l.keys[0])
}

// TestLostByKey: a device that lost its state too asks by card key; a mistyped one is told what it always was.
func TestLostByKey(t *testing.T) {
	l := newLoss(t, twoSeats, 1)
	l.backup()
	lost := l.Keys(l.app, 1, twoSeats)[0]
	h := l.activate(1, l.keys[0])
	l.restore()
	ask := func(n int, key, receipt string) string {
		_, err := l.Verify(license.Actor{}, l.device(n).Call(verifyPath, func(c *license.DeviceCall) { c.CardKey, c.Receipt = key, receipt }))
		return codeOf(err)
	}
	if got := ask(1, lost, ""); got != "card_unknown" {
		t.Errorf("a lost key: %s", got)
	}
	if got := ask(1, l.keys[0], ""); got != "receipt_wanted" {
		t.Errorf("a card that is unused by now: %s", got)
	}
	if got := ask(1, l.keys[0], h.lease); got != "valid" {
		t.Errorf("with its receipt: %s", got)
	}
	if _, err := l.device(2).Activate(l.who, lost, func(c *license.DeviceCall) { c.Receipt = h.lease }); codeOf(err) != "card_unknown" {
		t.Errorf("activating a lost key: %v", err)
	}
}

// TestCopyOnAnotherMachine: the old machine went on after the copy was taken, and what it did is lost to the new.
func TestCopyOnAnotherMachine(t *testing.T) {
	l := newLoss(t, license.Terms{Kind: license.Permanent, Devices: 1}, 2)
	last := l.Clock.Now().UnixMilli()
	before := l.activate(1, l.keys[0])
	l.backup()
	h := l.activate(2, l.keys[1])
	l.Must(l.Close())
	l.Clock.Advance(time.Hour)
	o := license.Options{
		Clock: l.Clock.Now, Rand: rand.Reader, MachineKey: bytes.Repeat([]byte{7}, 32), BcryptCost: 4, Argon: licensetest.Argon, Release: "test",
	}
	sealed, err := license.OpenSealed(l.copy, o)
	l.Must(err)
	a, err := sealed.SignIn(t.Context(), netip.MustParseAddr("127.0.0.1"), "admin", licensetest.Password, license.Moved)
	l.Must(err)
	t.Cleanup(func() { l.Must(a.Close()) })
	l.World = &licensetest.World{Authority: a, T: t, Clock: l.Clock, Path: l.copy, Owner: l.Owner}
	got := lossesOf(l.World)
	if len(got) != 1 || got[0] != (license.Loss{Epoch: 2, From: last, To: l.Clock.Now().UnixMilli()}) {
		t.Fatalf("losses %+v", got)
	}
	l.says(before, "", "run", "valid")
	l.comesBack(h)
}
