package license

import (
	"net/netip"
	"slices"
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

// presenceRows is how many devices go into one commit: more would make interactive changes wait.
const presenceRows = 2000

// presence is who is online now.
type presence struct {
	mu     sync.Mutex
	online map[store.ID]*present // by binding: whoever is online, and nobody else
	perApp map[store.ID]int

	news    []turn // comings and goings that the watchers have not been told yet, in their order
	telling bool
	watch   []func(binding store.ID, online bool)

	writing sync.Mutex // one flush or sweep at a time, so that no older row follows a newer one into the file
}

// present is a device that is online.
type present struct {
	Presence
	heard   int64 // what silence counts from, Unix milliseconds
	silence time.Duration
	sockets int
	stopped bool // told to stop since it was heard: once its socket is closed it is offline
	dirty   bool // not in the file yet
}

type turn struct {
	binding store.ID
	online  bool
}

func newPresence() *presence {
	return &presence{online: map[store.ID]*present{}, perApp: map[store.ID]int{}}
}

// OnPresence has fn called, outside all locks, when a device comes online or goes offline, in that order. Call
// it before serving; fn must not block.
func (a *Authority) OnPresence(fn func(binding store.ID, online bool)) {
	a.presence.mu.Lock()
	defer a.presence.mu.Unlock()
	a.presence.watch = append(a.presence.watch, fn)
}

// tellPresence tells the watchers what is new. One caller at a time tells, for the others too: what is told
// last of a device is what holds.
func (a *Authority) tellPresence() {
	p := a.presence
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.telling {
		return
	}
	p.telling = true
	for len(p.news) > 0 {
		news, watch := p.news, p.watch
		p.news = nil
		p.mu.Unlock()
		for _, n := range news {
			for _, fn := range watch {
				a.guarded("presence", func() { fn(n.binding, n.online) })
			}
		}
		p.mu.Lock()
	}
	p.telling = false
}

// seen notes that a device was heard in a call that may run.
func (a *Authority) seen(h *hearing, o *outcome) {
	a.presence.hear(Presence{
		Binding: o.binding.ID, Seen: o.now.UnixMilli(), Version: h.Version, Address: h.who.Address.Unmap().AsSlice(),
		App: o.app.ID, Session: h.Session,
	}, o.app.Policy.silence(), 0)
	a.tellPresence()
}

// hear notes a device that was heard, and a socket that it opened.
func (p *presence) hear(now Presence, silence time.Duration, sockets int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	d := p.online[now.Binding]
	if d == nil {
		d = &present{}
		p.enter(now.Binding, now.App, d)
	}
	now.Online = true
	d.Presence, d.heard, d.silence, d.stopped, d.dirty = now, now.Seen, silence, false, true
	d.sockets += sockets
}

func (p *presence) enter(id, app store.ID, d *present) {
	p.online[id] = d
	p.perApp[app]++
	p.news = append(p.news, turn{id, true})
}

func (p *presence) leave(d *present) {
	delete(p.online, d.Binding)
	if p.perApp[d.App]--; p.perApp[d.App] == 0 {
		delete(p.perApp, d.App)
	}
	p.news = append(p.news, turn{d.Binding, false})
}

// Connect notes an open socket of a device, which counts as presence until the returned function is called.
func (a *Authority) Connect(t DeviceTicket) (left func()) {
	a.presence.hear(Presence{
		Binding: t.Binding, Seen: a.Now().UnixMilli(), Version: t.Version, Address: t.Address, App: t.App, Session: t.Session,
	}, t.Silence, 1)
	a.tellPresence()
	return sync.OnceFunc(func() { a.presence.disconnect(t.Binding, a.Now().UnixMilli()) })
}

func (p *presence) disconnect(id store.ID, now int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d := p.online[id]; d != nil {
		d.sockets--
		d.Seen, d.heard, d.dirty = now, now, true
	}
}

// Stopped notes that a device was told to stop: it counts as online no longer than its socket is open.
func (a *Authority) Stopped(binding store.ID) {
	p := a.presence
	p.mu.Lock()
	defer p.mu.Unlock()
	if d := p.online[binding]; d != nil {
		d.stopped = true
	}
}

func (p *presence) isOnline(id store.ID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.online[id] != nil
}

// now is a device's presence as of now: row is what the file says.
func (p *presence) now(id store.ID, row Presence) Presence {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d := p.online[id]; d != nil {
		return d.Presence
	}
	row.Online = false
	return row
}

// bindings are the devices of an app (0: of all) that are online, newest binding first.
func (p *presence) bindings(app store.ID) []store.ID {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []store.ID
	for id, d := range p.online {
		if app == 0 || d.App == app {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	slices.Reverse(out)
	return out
}

// count is how many devices of an app (0: of all) are online.
func (p *presence) count(app store.ID) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if app == 0 {
		return len(p.online)
	}
	return p.perApp[app]
}
