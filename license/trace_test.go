package license_test

import (
	"testing"
	"time"

	"goldfish/license"
	"goldfish/license/licensetest"
	"goldfish/license/verdict"
)

func keyOf(d *licensetest.Device) string {
	_, r := verdict.MakeProof(d.Private, verdict.Request{})
	return r.DeviceKey
}

func traced(w *licensetest.World, d *licensetest.Device, key string) bool {
	w.T.Helper()
	found, err := w.Traced(keyOf(d), w.CardOf(key).Card)
	w.Must(err)
	return found
}

// rowsOf counts the rows of a table.
func rowsOf(w *licensetest.World, table string) int {
	w.T.Helper()
	rows, faults := w.DB().Check()
	if len(faults) > 0 {
		w.T.Fatalf("the file has faults: %v", faults)
	}
	return rows[table]
}

const year = 365 * 24 * time.Hour

func TestEndedBindingIsATraceFor400Days(t *testing.T) {
	w := licensetest.New(t)
	app := w.App(nil)
	forever := license.Terms{Kind: license.Permanent, Devices: 2}
	key := w.Keys(app, 1, forever)[0]
	who, d, stays := w.Customer(), w.Device(app, 1), w.Device(app, 2)
	got, err := d.Activate(who, key, nil)
	w.Must(err)
	_, err = stays.Activate(who, key, nil)
	w.Must(err)
	if traced(w, d, key) {
		t.Error("a bound device has a trace")
	}
	_, err = w.Unbind(license.Actor{}, d.Call("/api/v1/devices/unbind", func(c *license.DeviceCall) { c.CardID = got.CardID }))
	w.Must(err)
	if !traced(w, d, key) || traced(w, stays, key) || traced(w, w.Device(app, 3), key) {
		t.Error("the trace of the device that left is missing, or others have one")
	}
	w.Clock.Advance(400*24*time.Hour - time.Second)
	w.Must(w.Purge())
	if !traced(w, d, key) || rowsOf(w, "bindings") != 2 {
		t.Errorf("before 400 days: %d rows", rowsOf(w, "bindings"))
	}
	w.Clock.Advance(2 * time.Second)
	w.Must(w.Purge())
	if traced(w, d, key) || rowsOf(w, "bindings") != 1 || rowsOf(w, "traces") != 0 || rowsOf(w, "presence") > 1 {
		t.Errorf("after 400 days: %d rows, %d traces", rowsOf(w, "bindings"), rowsOf(w, "traces"))
	}
	if _, err := stays.Verify(got.CardID); err != nil {
		t.Errorf("the other device: %v", err)
	}
}

func TestPurgedBindingLeavesATrace(t *testing.T) {
	w := licensetest.New(t)
	app := w.App(nil)
	key := w.Keys(app, 1, license.Terms{Kind: license.Permanent, Devices: 2})[0]
	who := w.Customer()
	for n := range 2 {
		_, err := w.Device(app, n).Activate(who, key, nil)
		w.Must(err)
	}
	w.Must(w.FlushPresence())
	w.Must(w.PurgeCard(w.CardOf(key).Card))
	if rowsOf(w, "bindings") != 0 || rowsOf(w, "presence") != 0 || rowsOf(w, "traces") != 2 {
		t.Errorf("%d bindings, %d of presence, %d traces", rowsOf(w, "bindings"), rowsOf(w, "presence"), rowsOf(w, "traces"))
	}
	for n, want := range []bool{true, true, false} {
		if got := traced(w, w.Device(app, n), key); got != want {
			t.Errorf("device %d: %v", n, got)
		}
	}
	w.Clock.Advance(400*24*time.Hour + time.Second)
	if traced(w, w.Device(app, 0), key) {
		t.Error("a trace counts after 400 days")
	}
	w.Must(w.Purge())
	if n := rowsOf(w, "traces"); n != 0 {
		t.Errorf("%d traces after 400 days", n)
	}
}

func TestReplacedKeyLeavesATrace(t *testing.T) {
	w := licensetest.New(t)
	app := w.App(nil)
	key := w.Keys(app, 1, licensetest.Month)[0]
	who, before, after := w.Customer(), w.Device(app, 1), w.Device(app, 2)
	_, err := before.Activate(who, key, nil)
	w.Must(err)
	after.CPU, after.Board, after.MAC = before.CPU, before.Board, before.MAC
	_, err = after.Activate(who, key, func(c *license.DeviceCall) { c.Replace = true })
	w.Must(err)
	if !traced(w, before, key) || traced(w, after, key) {
		t.Error("the key that went has no trace, or the one that came has")
	}
}

// TestPurgeGoesSliceBySlice: a table of more rows than one step looks at is looked through from end to end, and
// again.
func TestPurgeGoesSliceBySlice(t *testing.T) {
	w := licensetest.New(t)
	const many = 2500
	w.Must(w.LeaveTraces(many))
	w.Clock.Advance(400*24*time.Hour + time.Second)
	w.Must(w.LeaveTraces(1)) // young
	for _, want := range []int{1501, 501, 1, 1, 1} {
		w.Must(w.Purge())
		if got := rowsOf(w, "traces"); got != want {
			t.Errorf("%d traces are left, want %d", got, want)
		}
	}
	w.Clock.Advance(2 * year)
	w.Must(w.Purge())
	w.Must(w.Purge())
	if got := rowsOf(w, "traces"); got != 0 {
		t.Errorf("%d traces are left", got)
	}
}

// TestNothingIsPurgedByAClockThatJumped: protocol §12.
func TestNothingIsPurgedByAClockThatJumped(t *testing.T) {
	w := licensetest.New(t)
	held := func() bool {
		w.T.Helper()
		is, err := w.PurgeHeld()
		w.Must(err)
		return is != nil
	}
	w.Must(w.LeaveTraces(1))
	right := w.Clock.Now()
	w.Clock.Advance(2 * year)
	w.Must(w.CheckClock())
	w.Must(w.Purge())
	if w = reopen(w); !held() || rowsOf(w, "traces") != 1 {
		t.Fatal("a clock two years ahead purges")
	}
	w.Clock.Set(right)
	w.Must(w.CheckClock())
	if held() {
		t.Error("purges wait though the clock is right again")
	}
	w.Clock.Advance(2 * year)
	w.Must(w.CheckClock())
	if err := w.ConfirmClock(w.Customer()); codeOf(err) != "permission_denied" || !held() {
		t.Errorf("a customer confirms the clock: %v", err)
	}
	w.Must(w.ConfirmClock(w.Owner))
	w.Must(w.Purge())
	if held() || rowsOf(w, "traces") != 0 {
		t.Error("nothing is purged though the owner has confirmed the clock")
	}
}
