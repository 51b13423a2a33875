package license_test

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"goldfish/license"
	"goldfish/license/licensetest"
)

// fleet is some devices that run.
type fleet struct {
	*licensetest.World
	app      *license.App
	devices  []*licensetest.Device
	cards    []string
	bindings []license.ID
}

func newFleet(t testing.TB, n int) *fleet {
	t.Helper()
	w := licensetest.New(t)
	f := &fleet{World: w, app: w.App(nil)}
	who := w.Customer()
	for i, key := range w.Keys(f.app, n, licensetest.Month) {
		d := w.Device(f.app, i)
		got, err := d.Activate(who, key, nil)
		w.Must(err)
		f.devices, f.cards = append(f.devices, d), append(f.cards, got.CardID)
		f.bindings = append(f.bindings, w.CardOf(key).Bindings[0].Binding.ID)
	}
	return f
}

// offlines counts the events of a device that went offline.
func (f *fleet) offlines(i int) (n int) {
	f.T.Helper()
	for _, kind := range f.Events(license.NounDevice, f.bindings[i]) {
		if kind == license.DeviceOffline {
			n++
		}
	}
	return n
}

func (f *fleet) view(i int) license.DeviceView {
	f.T.Helper()
	v, err := f.World.Authority.Device(f.Owner, f.bindings[i])
	f.Must(err)
	return v
}

func (f *fleet) online() int64 {
	f.T.Helper()
	figures, err := f.AppFigures(f.app)
	f.Must(err)
	all, err := f.Overview(f.Owner)
	f.Must(err)
	if all.Online != figures.Online {
		f.T.Errorf("%d online in the only app, %d in all", figures.Online, all.Online)
	}
	return figures.Online
}

func (f *fleet) ticket(i int, version string) license.DeviceTicket {
	f.T.Helper()
	from := license.Actor{Address: netip.MustParseAddr("198.51.100.9")}
	a, err := f.Heartbeat(from, f.devices[i].Call(beatPath, func(c *license.DeviceCall) {
		c.CardID, c.Ticket, c.Version = f.cards[i], true, version
	}))
	f.Must(err)
	got, err := f.TakeDeviceTicket(a.Ticket)
	f.Must(err)
	if _, err := f.TakeDeviceTicket(a.Ticket); codeOf(err) != "ticket_invalid" {
		f.T.Errorf("a ticket was taken twice: %v", err)
	}
	return got
}

func TestTicketEnds(t *testing.T) {
	f := newFleet(t, 1)
	a, err := f.Verify(license.Actor{}, f.devices[0].Call(verifyPath, func(c *license.DeviceCall) { c.CardID, c.Ticket = f.cards[0], true }))
	f.Must(err)
	f.Clock.Advance(license.TicketLife + time.Millisecond)
	if _, err := f.TakeDeviceTicket(a.Ticket); codeOf(err) != "ticket_invalid" {
		t.Errorf("after its minute: %v", err)
	}
}

func TestSocketIsPresence(t *testing.T) {
	f := newFleet(t, 1)
	left := f.Connect(f.ticket(0, "2.3.4"))
	second := f.Connect(f.ticket(0, "2.3.4"))
	f.Clock.Advance(24 * time.Hour)
	f.Must(f.SweepOffline())
	v := f.view(0)
	if !v.Presence.Online || v.Presence.Version != "2.3.4" || v.Presence.Addr().String() != "198.51.100.9" {
		t.Errorf("with an open socket: %+v", v.Presence)
	}
	left()
	left() // once is once
	f.Clock.Advance(24 * time.Hour)
	f.Must(f.SweepOffline())
	if !f.view(0).Presence.Online {
		t.Error("offline with a socket still open")
	}
	second()
	f.Clock.Advance(15 * time.Minute)
	f.Must(f.SweepOffline())
	if !f.view(0).Presence.Online {
		t.Error("offline 15 minutes after its socket closed; the rule says longer")
	}
	f.Clock.Advance(time.Second)
	f.Must(f.SweepOffline())
	v = f.view(0)
	if v.Presence.Online || f.offlines(0) != 1 || f.online() != 0 {
		t.Errorf("silent since its socket closed: %+v, %d events", v.Presence, f.offlines(0))
	}
	if v.Presence.Version != "2.3.4" || v.Presence.Seen == 0 {
		t.Errorf("what was known of it is lost: %+v", v.Presence)
	}
}

// TestRestartAfterAPause: nobody could be heard while the appliance was down, so nobody is offline for that.
func TestRestartAfterAPause(t *testing.T) {
	f := newFleet(t, 2)
	f.Must(f.Close())
	f.Clock.Advance(time.Hour)
	f.World = licensetest.Open(t, f.Path, f.Clock)
	f.Owner = license.System
	f.Must(f.SweepOffline())
	if f.online() != 2 {
		t.Fatalf("%d online right after the start", f.online())
	}
	f.Clock.Advance(10 * time.Minute)
	_, err := f.World.Device(f.app, 0).Verify(f.cards[0])
	f.Must(err)
	f.Clock.Advance(5*time.Minute + time.Second)
	for range 3 {
		f.Must(f.SweepOffline())
	}
	if f.offlines(0) != 0 || f.offlines(1) != 1 || f.online() != 1 {
		t.Errorf("offline: %d and %d times, online: %d", f.offlines(0), f.offlines(1), f.online())
	}
}

// TestCrashLosesNoDevice: after kill −9 a device that had been flushed as online is, and goes offline once.
func TestCrashLosesNoDevice(t *testing.T) {
	f := newFleet(t, 1)
	f.Must(f.FlushPresence())
	f.Clock.Advance(16 * time.Minute)
	f.Must(f.SweepOffline())
	_, err := f.devices[0].Verify(f.cards[0])
	f.Must(err)
	f.Must(f.FlushPresence())
	f.World = reopen(f.World)
	if f.online() != 1 {
		t.Error("not online after the crash")
	}
	f.Clock.Advance(16 * time.Minute)
	f.Must(f.SweepOffline())
	f.World = reopen(f.World)
	f.Clock.Advance(16 * time.Minute)
	f.Must(f.SweepOffline())
	if n := f.offlines(0); n != 2 {
		t.Errorf("%d events for going offline twice", n)
	}
}

// TestHeartbeatsRaceTheSweep lets devices be heard while they are swept, flushed and looked at: in the log each
// goes offline exactly as often as its watchers were told so, and what they were told last is what holds.
func TestHeartbeatsRaceTheSweep(t *testing.T) {
	const devices, rounds = 8, 30
	f := newFleet(t, devices)
	var mu sync.Mutex
	told := map[license.ID][]bool{}
	f.OnPresence(func(id license.ID, online bool) {
		mu.Lock()
		defer mu.Unlock()
		told[id] = append(told[id], online)
	})
	for range rounds {
		f.Clock.Advance(16 * time.Minute)
		var wg sync.WaitGroup
		for i := range devices / 2 { // the others stay silent from the first round on
			wg.Go(func() {
				if _, err := f.devices[i].Verify(f.cards[i]); err != nil {
					t.Error(err)
				}
			})
		}
		for _, step := range []func() error{f.SweepOffline, f.FlushPresence, f.SweepOffline} {
			wg.Go(func() {
				if err := step(); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	var now int64
	for i, id := range f.bindings {
		online, offline := f.view(i).Presence.Online, 0
		if online {
			now++
		}
		for n, is := range told[id] {
			if n > 0 && told[id][n-1] == is {
				t.Errorf("device %d: told %v twice running", i, is)
			}
			if !is {
				offline++
			}
		}
		if last := len(told[id]) - 1; last >= 0 && told[id][last] != online {
			t.Errorf("device %d: told last %v, but it is %v", i, told[id][last], online)
		}
		if n := f.offlines(i); n != offline || i >= devices/2 && n != 1 {
			t.Errorf("device %d: %d events, watchers told %d times", i, n, offline)
		}
	}
	if now != f.online() {
		t.Errorf("%d are online, %d are counted", now, f.online())
	}
	f.Must(f.FlushPresence())
	f.World = reopen(f.World)
	f.Owner = license.System
	if f.online() != now {
		t.Errorf("%d online after a restart, %d before", f.online(), now)
	}
}

// TestFailingWatcherHarmsNobody is EV3.
func TestFailingWatcherHarmsNobody(t *testing.T) {
	f := newFleet(t, 1)
	var heard []bool
	f.OnPresence(func(license.ID, bool) { panic("a watcher") })
	f.OnPresence(func(_ license.ID, online bool) { heard = append(heard, online) })
	f.OnJob(func(license.Job) { panic("another") })
	f.Keys(f.app, 1, licensetest.Month)
	for range 2 {
		f.Clock.Advance(16 * time.Minute)
		f.Must(f.SweepOffline())
		_, err := f.devices[0].Verify(f.cards[0])
		f.Must(err)
	}
	if fmt.Sprint(heard) != "[false true false true]" {
		t.Errorf("the other heard %v", heard)
	}
}

// TestWhatCannotBeWrittenWaits: a flush or sweep that fails has changed nothing.
func TestWhatCannotBeWrittenWaits(t *testing.T) {
	f := newFleet(t, 1)
	var heard []bool
	f.OnPresence(func(_ license.ID, online bool) { heard = append(heard, online) })
	f.Must(f.DB().Close())
	for range 2 {
		if f.FlushPresence() == nil {
			t.Error("a closed file took heartbeats, or they were dropped")
		}
	}
	f.Clock.Advance(16 * time.Minute)
	for range 2 {
		if f.SweepOffline() == nil {
			t.Error("a closed file took the event, or the device was dropped")
		}
	}
	if fmt.Sprint(heard) != "[false true false true]" {
		t.Errorf("watchers heard %v", heard)
	}
}

// TestFirstStepsStayDone: once a device has connected, the guide's last step is done, also when it left again.
func TestFirstStepsStayDone(t *testing.T) {
	w := licensetest.New(t)
	steps := func() string {
		o, err := w.Overview(w.Owner)
		w.Must(err)
		return fmt.Sprint(o.HasApp, o.HasKeys, o.Connected)
	}
	if got := steps(); got != "false false false" {
		t.Errorf("at first %s", got)
	}
	app := w.App(nil)
	key := w.Keys(app, 1, licensetest.Month)[0]
	if got := steps(); got != "true true false" {
		t.Errorf("before any device %s", got)
	}
	d := w.Device(app, 1)
	a, err := d.Activate(w.Customer(), key, nil)
	w.Must(err)
	_, err = w.Unbind(license.Actor{}, d.Call(unbindPath, func(c *license.DeviceCall) { c.CardID = a.CardID }))
	w.Must(err)
	if got := steps(); got != "true true true" {
		t.Errorf("after a device came and went %s", got)
	}
}
