package license

import (
	"net/netip"
	"sync"
	"time"

	"goldfish/license/fault"
)

// Delays of a sealed file: an address that gave a wrong password waits a second, and twice as long each time after.
const (
	sealedDelay  = time.Second
	sealedLonger = 5 * time.Minute // at most
	sealedForget = time.Hour
	sealedKept   = 10_000 // networks that are remembered at least
)

// sealedDelays counts attempts by network: /24 in IPv4, /64 in IPv6.
type sealedDelays struct {
	clock func() time.Time
	mu    sync.Mutex
	by    remembered[string, *attempts]
}

type attempts struct {
	wrong int
	until time.Time
}

func newSealedDelays(clock func() time.Time) *sealedDelays {
	return &sealedDelays{clock: clock, by: remembered[string, *attempts]{life: sealedForget, most: sealedKept}}
}

func areaOf(addr netip.Addr) string {
	addr = addr.Unmap().WithZone("")
	bits := 24
	if addr.Is6() {
		bits = 64
	}
	p, err := addr.Prefix(bits)
	if err != nil {
		return ""
	}
	return p.String()
}

// try counts an attempt as a wrong one before it is made, so that many at once are not one; or refuses it with 429
// rate_limited.
func (d *sealedDelays) try(addr netip.Addr) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	now, key := d.clock(), areaOf(addr)
	t, ok := d.by.get(key)
	if !ok {
		t = &attempts{}
	}
	if left := t.until.Sub(now); ok && left > 0 && left <= sealedLonger {
		return fault.New(fault.Limited, "rate_limited").After(left)
	}
	t.wrong++
	t.until = now.Add(min(sealedDelay<<min(t.wrong-1, 20), sealedLonger))
	d.by.put(now, key, t)
	return nil
}

// undo takes an attempt back that was none: it was not judged.
func (d *sealedDelays) undo(addr netip.Addr) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if t, ok := d.by.get(areaOf(addr)); ok {
		t.wrong = max(0, t.wrong-1)
		t.until = time.Time{}
	}
}
