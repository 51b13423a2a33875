package license_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"goldfish/license"
	"goldfish/license/licensetest"
	"goldfish/license/verdict"
)

// machineOf is another machine. Its state folder may be shared.
func machineOf(l *loss, number byte, state string) license.Options {
	return license.Options{
		Clock: l.Clock.Now, Rand: rand.Reader, MachineKey: bytes.Repeat([]byte{number}, 32), BcryptCost: 4, Argon: licensetest.Argon, Release: "test",
		StateDir: state,
	}
}

// opened is the appliance that a sealed file becomes on another machine.
func (l *loss) opened(path string, o license.Options, came license.Arrival) *loss {
	l.T.Helper()
	if _, err := license.Open(path, o); !errors.Is(err, license.ErrMachineKey) {
		l.T.Fatalf("it is not sealed: %v", err)
	}
	sealed, err := license.OpenSealed(path, o)
	l.Must(err)
	a, err := sealed.SignIn(l.T.Context(), netip.MustParseAddr("127.0.0.1"), "admin", licensetest.Password, came)
	l.Must(err)
	l.T.Cleanup(func() { l.Must(a.Close()) })
	next := *l
	next.World = &licensetest.World{Authority: a, T: l.T, Clock: l.Clock, Path: path, Owner: l.Owner}
	return &next
}

func (l *loss) iss() string { return l.DB().UUID().String() }

// TestOneFileMovedAndCopied: of one file come two appliances that can be told apart, by what they sign too.
func TestOneFileMovedAndCopied(t *testing.T) {
	l := newLoss(t, license.Terms{Kind: license.Permanent, Devices: 1}, 4)
	plan, err := l.BackupPlan(l.Owner)
	l.Must(err)
	plan.SecondFolder = t.TempDir()
	plan, err = l.SetBackupPlan(l.Owner, plan)
	l.Must(err)
	before := l.activate(1, l.keys[0])
	l.backup()
	late := l.activate(2, l.keys[1]) // the original went on after the copy was taken
	state, original := t.TempDir(), l.iss()
	l.Must(l.Close())
	l.Clock.Advance(time.Hour)

	moved := l.opened(duplicate(t, l.copy), machineOf(l, 7, state), license.Moved)
	copied := l.opened(duplicate(t, l.copy), machineOf(l, 8, state), license.Copied)
	if moved.iss() != original || copied.iss() == original {
		t.Errorf("the original is %s, the moved file %s, the copy %s", original, moved.iss(), copied.iss())
	}
	if m, c := moved.DB().Epoch(), copied.DB().Epoch(); m != 2 || c != 3 { // no id is given out by both
		t.Errorf("epochs %d and %d", m, c)
	}
	for _, c := range []struct {
		of     *loss
		code   string
		args   map[string]string
		second string
		at     int64
	}{
		{moved, "", nil, plan.SecondFolder, 0},
		{copied, "copied", map[string]string{"original": original}, "", l.Clock.Now().UnixMilli()},
	} {
		got, err := c.of.RecentEvents(1, 100, func(e *license.Event) bool { return e.Kind == license.SystemUnsealed })
		c.of.Must(err)
		if e := got[0].Event; e.Code != c.code || e.Args["original"] != c.args["original"] {
			t.Errorf("the event is %+v", e)
		}
		p, err := c.of.BackupPlan(c.of.Owner)
		c.of.Must(err)
		want := plan
		if want.SecondFolder = c.second; p != want {
			t.Errorf("the plan is %+v", p)
		}
		at, err := c.of.CopiedAt(c.of.Owner)
		c.of.Must(err)
		if at != c.at {
			t.Errorf("copied at %d, want %d", at, c.at)
		}
		if _, err := c.of.CopiedAt(c.of.who); err == nil {
			t.Error("a customer is told")
		}
	}
	if got := copied.told(license.SystemSetting, license.SystemError); got != "system.setting.changed system.setting.changed:copied" {
		t.Errorf("the copy tells %q", got)
	}
	for _, of := range []*loss{moved, copied} {
		c := of.says(before, before.lease, "run", "valid")
		if c.Issuer != of.iss() || c.Epoch != int64(of.DB().Epoch()) {
			t.Errorf("signed by %s in epoch %d", c.Issuer, c.Epoch)
		}
		of.comesBack(late) // its lease has the original's iss
	}

	path := copied.Path
	copied.Must(copied.Close()) // it stays what it became
	again, err := license.Open(path, machineOf(l, 8, state))
	l.Must(err)
	defer again.Close()
	if again.DB().UUID().String() != copied.iss() || again.DB().Epoch() != 3 {
		t.Errorf("opened again it is %s in epoch %d", again.DB().UUID(), again.DB().Epoch())
	}
}

// TestADeviceThatAsksTheOriginalAndItsCopy does what protocol §8 says: it follows whichever answered last, whatever the
// epoch. What it bound at one of them the other knows nothing of.
func TestADeviceThatAsksTheOriginalAndItsCopy(t *testing.T) {
	l := newLoss(t, license.Terms{Kind: license.Permanent, Devices: 1}, 3)
	before := l.activate(1, l.keys[0])
	l.backup()
	copied := l.opened(l.copy, machineOf(l, 8, ""), license.Copied) // the original goes on

	var last verdict.Known
	clock := verdict.StartClock(verdict.Record{}, 0)
	for n, of := range []*loss{l, copied, l, copied} {
		d := of.device(1)
		c := d.Call(verifyPath, func(c *license.DeviceCall) { c.CardID = before.card })
		got, err := of.Verify(license.Actor{}, c)
		of.Must(err)
		claims, err := verdict.Check(got.Verdict, verdict.Expect{
			Pins: pinsOf(t, of.app), AppID: of.app.UUID.String(), Nonce: c.Nonce, Req: c.Request.Req(), Key: c.Request.DeviceKey, Last: last,
		})
		if err != nil || claims.Act != verdict.Run || claims.Issuer != of.iss() || claims.Epoch != int64(of.DB().Epoch()) {
			t.Fatalf("answer %d: %+v %v", n, claims, err)
		}
		clock.Accept(claims.IssuedAt, claims.Epoch, l.Clock.Now().Unix(), 0)
		if last = clock.Known(); last.Epoch != claims.Epoch { // also downwards
			t.Errorf("answer %d of epoch %d leaves %+v", n, claims.Epoch, last)
		}
		if _, err := verdict.Judge(got.Verdict, verdict.Own{Pins: pinsOf(t, of.app), AppID: of.app.UUID.String(), Key: c.Request.DeviceKey, Parts: claims.Parts}, l.Clock.Now().Unix()); err != nil {
			t.Errorf("the lease of answer %d: %v", n, err)
		}
	}

	there := copied.activate(2, l.keys[1]) // at the copy
	copied.says(there, "", "run", "valid")
	l.says(there, "", "stop", "card_unused") // the original has lost nothing, and asks for nothing
	l.says(there, there.lease, "stop", "card_unused")
	here := l.activate(3, l.keys[2]) // at the original
	copied.comesBack(here)           // the copy has its loss, and cannot know that this was after it was taken
}

func pinsOf(t *testing.T, app *license.App) *verdict.Pins {
	t.Helper()
	var publics []string
	for _, key := range app.Keys {
		publics = append(publics, verdict.Encode64(key.Public))
	}
	pins, err := verdict.NewPins(publics...)
	if err != nil {
		t.Fatal(err)
	}
	return pins
}

// TestAMovedFileHearsOfItsCopy: one that has a loss of its own asks for the receipt, and takes one of the copy's higher
// epoch for the sign of an old file put back. It is loud and harms nothing.
func TestAMovedFileHearsOfItsCopy(t *testing.T) {
	l := newLoss(t, license.Terms{Kind: license.Permanent, Devices: 1}, 2)
	l.backup()
	l.Must(l.Close())
	moved := l.opened(duplicate(t, l.copy), machineOf(l, 7, ""), license.Moved)
	copied := l.opened(duplicate(t, l.copy), machineOf(l, 8, ""), license.Copied)
	there := copied.activate(1, l.keys[0])
	moved.says(there, "", "wait", "receipt_wanted")
	moved.says(there, there.lease, "wait", "receipt_kept")
	if got := moved.receiptEvents(); got != "system.error:file_rolled_back receipt.kept:file_rolled_back" || moved.DB().Epoch() != 4 {
		t.Errorf("told of %s, epoch %d", got, moved.DB().Epoch())
	}
}

// TestBackupsOfACopy: those of before are the original's, are sealed here, and may be opened either way; those of after
// are the copy's own.
func TestBackupsOfACopy(t *testing.T) {
	l := newLoss(t, twoSeats, 2)
	l.backup()
	o := machineOf(l, 8, t.TempDir())
	copied := l.opened(duplicate(t, l.copy), o, license.Copied)
	own := copied.Copy()
	a, err := license.Open(own, o)
	l.Must(err)
	if a.DB().UUID() != copied.DB().UUID() {
		t.Errorf("a backup of %s says %s", copied.iss(), a.DB().UUID())
	}
	l.Must(a.Close())
	h := copied.activate(1, l.keys[0])
	copied.Must(copied.Close())
	l.Clock.Advance(time.Hour)
	restored := copied.opened(duplicate(t, l.copy), o, license.Copied)
	if id := restored.iss(); slices.Contains([]string{l.iss(), copied.iss()}, id) {
		t.Errorf("a backup of before was opened as %s", id)
	}
	// The copy's device stands in the time that this file has lost, but in an epoch that it had itself: kept, not lost.
	restored.says(h, "", "wait", "receipt_wanted")
	restored.says(h, h.lease, "wait", "receipt_kept")
}

// TestTheRecoveryCodeOpensACopyToo gives it an identity as a password does, and not where it is wrong.
func TestTheRecoveryCodeOpensACopyToo(t *testing.T) {
	l := newLoss(t, twoSeats, 1)
	code, err := l.RecoveryCode(t.Context(), l.Owner, licensetest.Password)
	l.Must(err)
	l.Must(l.ConfirmRecoveryCode(l.Owner, code))
	l.backup()
	sealed, err := license.OpenSealed(l.copy, machineOf(l, 8, ""))
	l.Must(err)
	wrong := "2" + code[1:]
	if code[0] == '2' {
		wrong = "3" + code[1:]
	}
	if _, err := sealed.Recover(t.Context(), netip.MustParseAddr("192.0.2.1"), wrong, "admin", "Another-2026!", license.Copied); err == nil {
		t.Fatal("another code opens it")
	}
	a, err := sealed.Recover(t.Context(), netip.MustParseAddr("192.0.2.2"), code, "admin", "Another-2026!", license.Copied)
	l.Must(err)
	defer a.Close()
	if a.DB().UUID() == l.DB().UUID() || a.DB().Epoch() != 3 {
		t.Errorf("it is %s in epoch %d", a.DB().UUID(), a.DB().Epoch())
	}
}
