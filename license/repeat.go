package license

import (
	"crypto/sha256"
	"sync"
	"time"

	"goldfish/license/fault"
)

const (
	repeatLife  = 24 * time.Hour
	repeatsKept = 50_000 // that are remembered at least
)

// repeats remembers for a day with which card and device an account used an Idempotency-Key (protocol §5).
// What the key did is kept in the binding; this only tells a slip.
type repeats struct {
	clock func() time.Time
	mu    sync.Mutex
	used  remembered[[sha256.Size]byte, usedKey]
}

type usedKey struct {
	with [sha256.Size]byte
	at   time.Time
}

func newRepeats(clock func() time.Time) *repeats {
	return &repeats{clock: clock, used: remembered[[sha256.Size]byte, usedKey]{life: repeatLife, most: repeatsKept}}
}

// names are what the call's key is remembered by, and the card and device that it is for.
func (r *repeats) names(h *hearing, o *outcome) (id, with [sha256.Size]byte) {
	device := h.key
	if device == "" {
		device = h.facts.ID().String()
	}
	id = sha256.Sum256(append(h.who.Account.Key(), h.Request.IdempotencyKey...))
	return id, sha256.Sum256(append(o.card.ID.Key(), device...))
}

// check refuses an Idempotency-Key that came before with another card or device: 422 idempotency_mismatch.
// The key of a call that may go on is taken for it at once, so that of two at a time only one goes on.
func (r *repeats) check(h *hearing, o *outcome) error {
	if h.Request.IdempotencyKey == "" || o.card == nil {
		return nil
	}
	id, with := r.names(h, o)
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clock()
	u, ok := r.used.get(id)
	if ok && now.Sub(u.at).Abs() < repeatLife && u.with != with {
		return fault.New(fault.Unprocessable, "idempotency_mismatch").In("Idempotency-Key")
	}
	if o.refusal == nil { // refusals are not kept
		r.used.put(now, id, usedKey{with, now})
	}
	return nil
}

// release forgets the key of a call that was refused after all.
func (r *repeats) release(h *hearing, o *outcome) {
	if h.Request.IdempotencyKey == "" || o.card == nil {
		return
	}
	id, with := r.names(h, o)
	r.mu.Lock()
	defer r.mu.Unlock()
	if u, ok := r.used.get(id); ok && u.with == with {
		r.used.drop(id)
	}
}
