package license

import (
	"crypto/sha256"
	"encoding/base64"
	"io"
	"sync"
	"time"

	"goldfish/license/fault"
	"goldfish/store"
)

// TicketLife is how long a WebSocket ticket may be used, once.
const TicketLife = 60 * time.Second

const ticketsKept = 50_000 // that are remembered at least

// DeviceTicket is what a device's ticket is bound to (protocol §10).
type DeviceTicket struct {
	App     store.ID
	Binding store.ID
	Key     string // the device public key
	Kid     string // the app key with which its notices and orders are signed
	Session string
	Version string
	Address []byte
	Silence time.Duration
}

// tickets are in memory alone, by the SHA-256 of what was given out.
type tickets[T any] struct {
	mu    sync.Mutex
	given remembered[[sha256.Size]byte, ticket[T]]
}

type ticket[T any] struct {
	what T
	ends time.Time
}

// issue gives a fresh ticket: b64u of 32 random bytes.
func (t *tickets[T]) issue(rand io.Reader, now time.Time, what T) (string, error) {
	var raw [32]byte
	if _, err := io.ReadFull(rand, raw[:]); err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.EncodeToString(raw[:])
	t.mu.Lock()
	defer t.mu.Unlock()
	t.given.life, t.given.most = TicketLife, ticketsKept
	t.given.put(now, sha256.Sum256([]byte(text)), ticket[T]{what, now.Add(TicketLife)})
	return text, nil
}

// take uses a ticket up. Unknown, used and ended ones are all ticket_invalid.
func (t *tickets[T]) take(text string, now time.Time) (T, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := sha256.Sum256([]byte(text))
	got, ok := t.given.get(key)
	t.given.drop(key)
	if !ok || now.After(got.ends) {
		var zero T
		return zero, fault.New(fault.Unauthenticated, "ticket_invalid")
	}
	return got.what, nil
}

func (a *Authority) deviceTicket(o *outcome, h *hearing) (string, error) {
	return a.deviceTickets.issue(a.opts.Rand, o.now, DeviceTicket{
		App: o.app.ID, Binding: o.binding.ID, Key: h.key, Kid: h.signer.KeyID(), Session: h.Session,
		Version: h.Version, Address: h.who.Address.Unmap().AsSlice(), Silence: o.app.Policy.silence(),
	})
}

// TakeDeviceTicket uses a device's ticket up: 401 ticket_invalid unless it is good. What the device missed since
// says StandingOrder.
func (a *Authority) TakeDeviceTicket(ticket string) (DeviceTicket, error) {
	return a.deviceTickets.take(ticket, a.Now())
}

// ConsoleTicket gives a back-office account a ticket for the console's live socket.
func (a *Authority) ConsoleTicket(who Actor) (string, error) {
	if err := who.Authorise(ReadEvents); err != nil {
		return "", err
	}
	return a.consoleTickets.issue(a.opts.Rand, a.Now(), who)
}

// TakeConsoleTicket uses a console's ticket up and gives whose it is.
func (a *Authority) TakeConsoleTicket(ticket string) (Actor, error) {
	return a.consoleTickets.take(ticket, a.Now())
}

// StillSignedIn refuses an actor whose session has ended since it was authenticated. Whoever keeps an actor for
// longer than a call, as the console's socket does, asks first; of an end after that the log tells.
//
// Faults: token_expired, session_ended, account_disabled.
func (a *Authority) StillSignedIn(who Actor) error {
	if err := who.self(); err != nil {
		return err
	}
	return a.db.View(func(tx *store.Tx) error {
		_, _, err := liveSession(tx, who.Session, who.Local)
		return err
	})
}
