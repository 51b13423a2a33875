package license

import (
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"sync"
	"time"

	"goldfish/license/cardkey"
	"goldfish/license/fault"
	"goldfish/store"
)

// Budgets for calls that name an unknown card key (protocol §12): beyond them, calls with a card key get 429.
const (
	missesByAddress = 20
	missWindow      = 10 * time.Minute
	missesByAccount = 10
	missHour        = time.Hour
	missesKept      = 100_000 // entries; the oldest window goes first
)

// misses counts wrong card keys by address (/64 in IPv6) and by account.
type misses struct {
	clock func() time.Time
	mu    sync.Mutex
	by    map[string]*window
}

type window struct {
	from  time.Time
	count int
}

func newMisses(clock func() time.Time) *misses { return &misses{clock: clock, by: map[string]*window{}} }

func networkOf(addr netip.Addr) string {
	addr = addr.Unmap()
	if !addr.IsValid() {
		return ""
	}
	if addr.Is6() {
		if p, err := addr.Prefix(64); err == nil {
			return p.String()
		}
	}
	return addr.String()
}

type budget struct {
	key  string
	most int
	span time.Duration
}

func budgets(who Actor) []budget {
	var out []budget
	if n := networkOf(who.Address); n != "" {
		out = append(out, budget{"n" + n, missesByAddress, missWindow})
	}
	if who.Account != 0 {
		out = append(out, budget{"a" + string(who.Account.Key()), missesByAccount, missHour})
	}
	return out
}

// allow refuses a call that names a card key from where too many were wrong: 429 rate_limited.
func (m *misses) allow(who Actor, cardKey string) error {
	if cardKey == "" {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.clock()
	for _, b := range budgets(who) {
		w := m.by[b.key]
		if w == nil {
			continue
		}
		left := w.from.Add(b.span).Sub(now)
		if left <= 0 {
			delete(m.by, b.key)
		} else if w.count >= b.most {
			return fault.New(fault.Limited, "rate_limited").After(left)
		}
	}
	return nil
}

// note counts an outcome that was a miss.
func (m *misses) note(who Actor, o *outcome) {
	if o.refusal == nil || o.refusal.Code != cardkey.CodeUnknown {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.clock()
	for _, b := range budgets(who) {
		w := m.by[b.key]
		if w == nil || now.Sub(w.from) >= b.span {
			if len(m.by) >= missesKept {
				m.forget(now)
			}
			w = &window{from: now}
			m.by[b.key] = w
		}
		w.count++
	}
}

// forget makes room: all windows that ended, or else any one.
func (m *misses) forget(now time.Time) {
	for key, w := range m.by {
		if now.Sub(w.from) >= missHour {
			delete(m.by, key)
		}
	}
	for key := range m.by {
		if len(m.by) < missesKept {
			return
		}
		delete(m.by, key)
	}
}

// repeats remembers for a day which card and device an Idempotency-Key was used with.
type repeats struct {
	clock func() time.Time
	mu    sync.Mutex
	used  map[[32]byte]usedKey
}

type usedKey struct {
	with [32]byte
	at   time.Time
}

const repeatsKept = 100_000

func newRepeats(clock func() time.Time) *repeats {
	return &repeats{clock: clock, used: map[[32]byte]usedKey{}}
}

// check refuses an Idempotency-Key that came before with another card or device: 422 idempotency_mismatch.
func (r *repeats) check(h *hearing, o *outcome) error {
	key := h.Request.IdempotencyKey
	if key == "" || o.card == nil {
		return nil
	}
	var account [8]byte
	binary.BigEndian.PutUint64(account[:], uint64(h.who.Account))
	id := sha256.Sum256([]byte(string(account[:]) + key))
	device := h.key
	if device == "" {
		device = h.facts.ID().String()
	}
	with := sha256.Sum256(append(o.card.ID.Key(), device...))
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clock()
	if u, ok := r.used[id]; ok && now.Sub(u.at) < 24*time.Hour {
		if u.with != with {
			return fault.New(fault.Unprocessable, "idempotency_mismatch").In("Idempotency-Key")
		}
		return nil
	}
	if o.refusal != nil {
		return nil // refusals are not kept
	}
	if len(r.used) >= repeatsKept {
		r.forget(now)
	}
	r.used[id] = usedKey{with, now}
	return nil
}

func (r *repeats) forget(now time.Time) {
	for k, u := range r.used {
		if now.Sub(u.at) >= 24*time.Hour || len(r.used) >= repeatsKept {
			delete(r.used, k)
		}
	}
}

// refusalsKept bounds what waits between two flushes; what comes beyond is counted, not kept.
const refusalsKept = 1000

type refusals struct {
	mu     sync.Mutex
	events []refusedCall
	over   int
}

type refusedCall struct {
	who   Actor
	event Event
}

// refused notes a refused device call for the log; it is written within a second, many in one transaction.
func (a *Authority) refused(h *hearing, o *outcome) {
	e := about(CardRefused, 0, 0, 0).because(o.refusal.Code)
	if o.card != nil {
		e.Noun, e.Object = NounCard, o.card.ID
	}
	if o.app != nil {
		e.App = o.app.ID
	}
	a.refusals.mu.Lock()
	defer a.refusals.mu.Unlock()
	if len(a.refusals.events) >= refusalsKept {
		a.refusals.over++
		return
	}
	a.refusals.events = append(a.refusals.events, refusedCall{h.who, e})
}

func (a *Authority) flushRefusals() error {
	a.refusals.mu.Lock()
	waiting, over := a.refusals.events, a.refusals.over
	a.refusals.events, a.refusals.over = nil, 0
	a.refusals.mu.Unlock()
	if len(waiting) == 0 {
		return nil
	}
	return a.db.Update(func(tx *store.Tx) error {
		for _, r := range waiting {
			if err := record(tx, r.who, r.event); err != nil {
				return err
			}
		}
		if over == 0 {
			return nil
		}
		e := about(CardRefused, 0, 0, 0).because("not_listed").at(LevelWarning).with("count", seqText(uint64(over)))
		return record(tx, System, e)
	})
}
