package license

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"goldfish/store"
)

// Presence is when and from where a device was last heard. The file holds it as of the last flush; between
// flushes it is in memory alone, so that a crash costs at most half a minute of heartbeats (DV3).
type Presence struct {
	Binding store.ID `cbor:"1,keyasint"`
	Seen    int64    `cbor:"2,keyasint"` // Unix milliseconds, 0: never
	Online  bool     `cbor:"3,keyasint,omitempty"`
	Version string   `cbor:"4,keyasint,omitempty"`
	Address []byte   `cbor:"5,keyasint,omitempty"`
	App     store.ID `cbor:"6,keyasint"`
	Session string   `cbor:"7,keyasint,omitempty"`
}

// Addr is the address last heard from; invalid if none was.
func (p Presence) Addr() netip.Addr {
	addr, _ := netip.AddrFromSlice(p.Address)
	return addr
}

// PresenceFlush is how often presence goes to the file.
const PresenceFlush = 30 * time.Second

type presence struct {
	mu      sync.Mutex
	devices map[store.ID]*present
	watch   []func(binding store.ID, online bool)
}

type present struct {
	Presence
	silence time.Duration
	sockets int
	dirty   bool
}

func newPresence() *presence { return &presence{devices: map[store.ID]*present{}} }

// OnPresence has fn called, outside all locks, when a device comes online or goes offline. Call it before
// serving; fn must not block.
func (a *Authority) OnPresence(fn func(binding store.ID, online bool)) {
	a.presence.mu.Lock()
	defer a.presence.mu.Unlock()
	a.presence.watch = append(a.presence.watch, fn)
}

func (p *presence) tell(id store.ID, online bool) {
	p.mu.Lock()
	watch := p.watch
	p.mu.Unlock()
	for _, fn := range watch {
		fn(id, online)
	}
}

// seen notes that a device was heard in a call that may run.
func (a *Authority) seen(h *hearing, o *outcome) {
	a.presence.hear(Presence{
		Binding: o.binding.ID, Seen: o.now.UnixMilli(), Version: h.Version, Address: h.who.Address.Unmap().AsSlice(),
		App: o.app.ID, Session: h.Session,
	}, o.app.Policy.silence())
}

func (p *presence) hear(now Presence, silence time.Duration) {
	p.mu.Lock()
	d := p.devices[now.Binding]
	if d == nil {
		d = &present{}
		p.devices[now.Binding] = d
	}
	was := d.Online
	now.Online, now.Seen = true, max(now.Seen, d.Seen)
	d.Presence, d.silence, d.dirty = now, silence, true
	p.mu.Unlock()
	if !was {
		p.tell(now.Binding, true)
	}
}

// Connect notes an open socket of a device, which counts as presence until the returned function is called.
func (a *Authority) Connect(t DeviceTicket) (left func()) {
	a.presence.hear(Presence{
		Binding: t.Binding, Seen: a.Now().UnixMilli(), Version: t.Version, Address: t.Address, App: t.App, Session: t.Session,
	}, t.Silence)
	a.presence.socket(t.Binding, 1, a.Now())
	var once sync.Once
	return func() { once.Do(func() { a.presence.socket(t.Binding, -1, a.Now()) }) }
}

func (p *presence) socket(id store.ID, by int, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d := p.devices[id]; d != nil {
		d.sockets += by
		d.Seen, d.dirty = max(d.Seen, now.UnixMilli()), true
	}
}

func (p *presence) online(id store.ID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	d := p.devices[id]
	return d != nil && d.Online
}

// newer replaces what the file says by what memory knows.
func (p *presence) newer(id store.ID, into *Presence) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d := p.devices[id]; d != nil {
		*into = d.Presence
	}
}

func (p *presence) bindingsOf(app store.ID) []store.ID {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []store.ID
	for id, d := range p.devices {
		if d.App == app && d.Online {
			out = append(out, id)
		}
	}
	return out
}

// count is how many devices of an app (0: of all) are online.
func (p *presence) count(app store.ID) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range p.devices {
		if d.Online && (app == 0 || d.App == app) {
			n++
		}
	}
	return n
}

// silent are the online devices that have no socket and were not heard for too long.
func (p *presence) silent(now time.Time) []Presence {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []Presence
	for _, d := range p.devices {
		if d.Online && d.sockets == 0 && now.Sub(time.UnixMilli(d.Seen)) > d.silence {
			out = append(out, d.Presence)
		}
	}
	return out
}

// loadPresence brings back who was online when the appliance stopped: those who do not come back in time go
// offline with their one event.
func (a *Authority) loadPresence() error {
	return a.db.View(func(tx *store.Tx) error {
		for row, err := range presences.Scan(tx, store.Range{}) {
			if err != nil {
				return err
			}
			if !row.Online {
				continue
			}
			silence := DefaultPolicy.silence()
			if app := a.appByID(tx, row.App); app != nil {
				silence = app.Policy.silence()
			}
			a.presence.devices[row.Binding] = &present{Presence: *row, silence: silence}
		}
		return nil
	})
}

// FlushPresence writes what was heard since the last flush, in one transaction.
func (a *Authority) FlushPresence() error {
	a.presence.mu.Lock()
	var rows []Presence
	for _, d := range a.presence.devices {
		if d.dirty {
			rows = append(rows, d.Presence)
			d.dirty = false
		}
	}
	a.presence.mu.Unlock()
	if len(rows) == 0 {
		return nil
	}
	err := a.db.Update(func(tx *store.Tx) error {
		for i := range rows {
			if err := presences.Put(tx, &rows[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		a.presence.mu.Lock()
		for _, r := range rows {
			if d := a.presence.devices[r.Binding]; d != nil {
				d.dirty = true
			}
		}
		a.presence.mu.Unlock()
	}
	return err
}

// SweepOffline marks devices offline that were not heard for 15 minutes, each with exactly one event.
func (a *Authority) SweepOffline() error {
	gone := a.presence.silent(a.Now())
	if len(gone) == 0 {
		return nil
	}
	err := a.db.Update(func(tx *store.Tx) error {
		for i := range gone {
			row := gone[i]
			row.Online = false
			if err := presences.Put(tx, &row); err != nil {
				return err
			}
			if err := record(tx, System, about(DeviceOffline, NounDevice, row.Binding, row.App)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, row := range gone {
		if a.presence.drop(row) {
			a.presence.tell(row.Binding, false)
		}
	}
	return nil
}

// drop forgets a device that went offline, unless it was heard again meanwhile.
func (p *presence) drop(row Presence) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	d := p.devices[row.Binding]
	if d == nil || d.Seen != row.Seen || d.sockets > 0 {
		if d != nil {
			d.dirty = true
		}
		return false
	}
	delete(p.devices, row.Binding)
	return true
}

// Run does what time demands until ctx ends: heartbeats to the file, silent devices offline, ended licences
// marked, refusals recorded. Every step is safe to repeat; a failing one is logged and tried again.
func (a *Authority) Run(ctx context.Context) {
	fast, slow := time.NewTicker(time.Second), time.NewTicker(PresenceFlush)
	defer fast.Stop()
	defer slow.Stop()
	step := func(what string, fn func() error) {
		if err := fn(); err != nil && ctx.Err() == nil {
			a.log.Error("a regular step failed and will be tried again", "step", what, "err", err)
		}
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-fast.C:
			step("expiry", a.SweepExpired)
			step("refusals", a.flushRefusals)
		case <-slow.C:
			step("presence", a.FlushPresence)
			step("offline", a.SweepOffline)
			step("clock", a.checkClock)
		}
	}
}
