package admin

import (
	"testing"
	"time"

	"goldfish/license"
	"goldfish/license/licensetest"
)

// purging says what the status tells of purges.
func (d *desk) purging() string {
	d.t.Helper()
	a := d.get(adminPath + "/status")
	if a.data("purge.held") != true {
		if a.data("purge.since") != nil || a.data("purge.last_seen") != nil {
			d.t.Errorf("nothing is held, and yet: %s", a.raw)
		}
		return "goes on"
	}
	return a.text("purge.last_seen") + " to " + a.text("purge.since")
}

// confirmations are who has said that the clock is right, as the log has it.
func (d *desk) confirmations() (n int) {
	d.t.Helper()
	got, err := d.RecentEvents(100, 1000, func(e *license.Event) bool {
		return e.Kind == license.SystemSetting && e.Code == "clock_confirmed" && e.ActorID == d.Owner.Account
	})
	d.Must(err)
	return len(got)
}

func TestClockThatJumpedAtTheStartIsConfirmed(t *testing.T) {
	d := &desk{World: licensetest.New(t), t: t}
	owner := d.Owner
	d.Must(d.Close())
	d.Clock.Advance(30*24*time.Hour + time.Minute)
	d.World = licensetest.Open(t, d.Path, d.Clock)
	d.Owner = owner
	d.serve()
	d.owner = d.signIn("admin", licensetest.Password)
	if got := d.purging(); got != "2026-06-01T12:00:00Z to 2026-07-01T12:01:00Z" {
		t.Errorf("purges: %s", got)
	}
	for range 2 { // whoever comes second has nothing left to confirm
		d.want(200, "POST", adminPath+"/clock/confirm", nil)
		if got, n := d.purging(), d.confirmations(); got != "goes on" || n != 1 {
			t.Errorf("purges: %s; %d confirmations are recorded", got, n)
		}
	}
}

func TestClockThatJumpsWhileRunningIsConfirmed(t *testing.T) {
	d := newDesk(t)
	later := func(by time.Duration) {
		t.Helper()
		d.Clock.Advance(by)
		d.Must(d.CheckClock())
		d.owner = d.signIn("admin", licensetest.Password)
	}
	later(0)
	later(23 * time.Hour)
	if got := d.purging(); got != "goes on" {
		t.Errorf("after less than a day: %s", got)
	}
	const first = "2026-06-02T11:00:00Z to 2026-06-03T11:01:00Z"
	for range 2 { // of jumps that nobody has judged the first is told
		later(24*time.Hour + time.Minute)
		if got := d.purging(); got != first {
			t.Errorf("purges: %s", got)
		}
	}
	d.want(200, "POST", adminPath+"/clock/confirm", nil)
	later(0)
	if got := d.purging(); got != "goes on" || d.confirmations() != 1 {
		t.Errorf("after the owner's word: %s", got)
	}
	later(25 * time.Hour)
	if got := d.purging(); got != "2026-06-04T11:02:00Z to 2026-06-05T12:02:00Z" {
		t.Errorf("the next jump: %s", got)
	}
	later(-25 * time.Hour)
	if got := d.purging(); got != "goes on" || d.confirmations() != 1 {
		t.Errorf("the clock fell back: %s", got)
	}
}
