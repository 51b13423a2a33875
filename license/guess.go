package license

import (
	"net/netip"
	"sync"
	"time"

	"goldfish/license/cardkey"
	"goldfish/license/fault"
)

// Budgets for calls that name an unknown card key (protocol §12): beyond them, calls with a card key get 429.
const (
	missesByAddress = 20
	missWindow      = 10 * time.Minute
	missesByAccount = 10
	missHour        = time.Hour
	missesKept      = 50_000 // windows that are remembered at least
)

// misses counts wrong card keys by address (/64 in IPv6) and by account.
type misses struct {
	clock func() time.Time
	mu    sync.Mutex
	by    remembered[string, *window]
}

type window struct {
	from  time.Time
	count int
}

// left is how much of the window lies ahead; nothing also when the clock fell back behind its beginning.
func (w *window) left(now time.Time, span time.Duration) time.Duration {
	if now.Before(w.from) {
		return 0
	}
	return w.from.Add(span).Sub(now)
}

func newMisses(clock func() time.Time) *misses {
	return &misses{clock: clock, by: remembered[string, *window]{life: missHour, most: missesKept}}
}

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
		if w, ok := m.by.get(b.key); ok && w.count >= b.most {
			if left := w.left(now, b.span); left > 0 {
				return fault.New(fault.Limited, "rate_limited").After(left)
			}
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
		w, ok := m.by.get(b.key)
		if !ok || w.left(now, b.span) <= 0 {
			w = &window{from: now}
			m.by.put(now, b.key, w)
		}
		w.count++
	}
}
