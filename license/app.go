package license

import (
	"crypto/ed25519"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/google/uuid"

	"goldfish/license/fault"
	"goldfish/license/verdict"
	"goldfish/store"
)

// App is a desktop program that is sold by card key. Only the seeds of its signing keys are secret, but the
// row lies sealed whole.
type App struct {
	ID       store.ID     `cbor:"1,keyasint"`
	UUID     uuid.UUID    `cbor:"2,keyasint"`
	Name     Text         `cbor:"3,keyasint"`
	About    Text         `cbor:"4,keyasint,omitempty"`
	Disabled bool         `cbor:"5,keyasint,omitempty"`
	Created  int64        `cbor:"6,keyasint"`
	Policy   Policy       `cbor:"7,keyasint"`
	Keys     []SigningKey `cbor:"8,keyasint"`
}

// KeyState says what a signing key is for. The numbers lie in the file and are never used again.
type KeyState uint8

// A new client pins the current and the standby key; older ones serve builds that know no newer.
const (
	KeyCurrent KeyState = 1
	KeyStandby KeyState = 2
	KeyOld     KeyState = 3
)

var keyStates = map[KeyState]string{KeyCurrent: "current", KeyStandby: "standby", KeyOld: "old"}

// String is the state's name on the wire.
func (s KeyState) String() string { return keyStates[s] }

// SigningKey is one Ed25519 key of an app (RFC 8032); the newest stands first.
type SigningKey struct {
	Seed    []byte   `cbor:"1,keyasint"` // 32 bytes, secret
	Public  []byte   `cbor:"2,keyasint"` // 32 bytes
	State   KeyState `cbor:"3,keyasint"`
	Created int64    `cbor:"4,keyasint"`
}

// Tolerance is how many of a device's three parts may differ from those it was bound with.
type Tolerance uint8

// The three tolerances by their names on the wire.
var toleranceNames = [...]string{"exact", "two_of_three", "any"}

// String is the tolerance's name on the wire.
func (t Tolerance) String() string {
	if int(t) < len(toleranceNames) {
		return toleranceNames[t]
	}
	return toleranceNames[0]
}

// ParseTolerance reads a tolerance's name.
func ParseTolerance(s string) (Tolerance, error) {
	for i, name := range toleranceNames {
		if s == name {
			return Tolerance(i), nil
		}
	}
	return 0, fault.New(fault.Invalid, "value_unknown").In("policy.device_tolerance")
}

// Policy is what the vendor decides for all licences of an app.
type Policy struct {
	Tolerance   Tolerance `cbor:"1,keyasint"`
	GraceDays   int       `cbor:"2,keyasint"` // 0–90: how long a lease lasts offline
	Beat        int       `cbor:"3,keyasint"` // 30–3600 seconds between heartbeats
	KeyOptional bool      `cbor:"4,keyasint"` // devices without a device key may activate
	Unbinds     int       `cbor:"5,keyasint"` // unbindings and replacements by the customer …
	UnbindDays  int       `cbor:"6,keyasint"` // … in so many days
}

// DefaultPolicy is what a new app starts with.
var DefaultPolicy = Policy{GraceDays: 7, Beat: 300, Unbinds: 3, UnbindDays: 30}

func (p Policy) check() error {
	switch {
	case p.GraceDays < 0 || p.GraceDays > 90:
		return fault.New(fault.Invalid, "value_range").In("policy.grace_days").With("least", 0).With("most", 90)
	case p.Beat < 30 || p.Beat > 3600:
		return fault.New(fault.Invalid, "value_range").In("policy.heartbeat_seconds").With("least", 30).With("most", 3600)
	case p.Tolerance > 2:
		return fault.New(fault.Invalid, "value_unknown").In("policy.device_tolerance")
	}
	return nil
}

// beat and grace as durations.
func (p Policy) beat() time.Duration  { return time.Duration(p.Beat) * time.Second }
func (p Policy) grace() time.Duration { return time.Duration(p.GraceDays) * 24 * time.Hour }

// unbindSpan is the time in which unbindings count, in milliseconds.
func (p Policy) unbindSpan() int64 { return int64(p.UnbindDays) * 24 * 3600 * 1000 }

// silence is how long a device may be unheard before it counts as offline: 15 minutes at the usual beat.
func (p Policy) silence() time.Duration { return max(15*time.Minute, 3*p.beat()) }

// NewApp is what a vendor gives to register an app.
type NewApp struct{ Name, About Text }

// CreateApp registers an app with a UUID and two signing keys of its own, current and standby. Announcements to
// all apps are for it too.
func (a *Authority) CreateApp(who Actor, in NewApp) (*App, error) {
	if err := who.Authorise(WriteApps); err != nil {
		return nil, err
	}
	app := &App{Policy: DefaultPolicy, Created: a.Now().UnixMilli()}
	var err error
	if app.Name, err = textOf(in.Name, "name", 80, true, false); err != nil {
		return nil, err
	}
	if app.About, err = textOf(in.About, "description", 2000, false, true); err != nil {
		return nil, err
	}
	if app.UUID, err = uuid.NewRandomFromReader(a.opts.Rand); err != nil {
		return nil, err
	}
	for _, state := range []KeyState{KeyCurrent, KeyStandby} {
		key, err := newSigningKey(a.opts.Rand, state, app.Created)
		if err != nil {
			return nil, err
		}
		app.Keys = append(app.Keys, key)
	}
	return store.Write(a.db, func(tx *store.Tx) (*App, error) {
		row := *app
		if row.ID, err = apps.NextID(tx); err != nil {
			return nil, err
		}
		if err := apps.Put(tx, &row); err != nil {
			return nil, err
		}
		if err := pushes.Put(tx, &PushCounter{App: row.ID}); err != nil {
			return nil, err
		}
		if err := record(tx, who, about(AppCreated, NounApp, row.ID, row.ID)); err != nil {
			return nil, err
		}
		return &row, greet(tx, who, row.ID)
	})
}

func newSigningKey(rand io.Reader, state KeyState, created int64) (SigningKey, error) {
	seed := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(rand, seed); err != nil {
		return SigningKey{}, err
	}
	public := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	return SigningKey{Seed: seed, Public: public, State: state, Created: created}, nil
}

// AppChange holds what a vendor may change; nil leaves a member as it is.
type AppChange struct {
	Name, About *Text
	Disabled    *bool
	Policy      *Policy
}

// ChangeApp changes an app. Running clients learn of it with their next verdict; those that a disabled app
// stops are told at once.
func (a *Authority) ChangeApp(who Actor, id uuid.UUID, in AppChange) (*App, error) {
	if err := who.Authorise(WriteApps); err != nil {
		return nil, err
	}
	return store.Write(a.db, func(tx *store.Tx) (*App, error) {
		old, err := a.appByUUID(tx, id)
		if err != nil {
			return nil, err
		}
		app, err := old.changed(in)
		if err != nil {
			return nil, err
		}
		e := about(AppChanged, NounApp, app.ID, app.ID)
		if app.Disabled != old.Disabled {
			seq, err := nextPush(tx, app.ID, false)
			if err != nil {
				return nil, err
			}
			e = e.because(stateName(app.Disabled)).with("seq", seqText(seq))
		}
		if err := apps.Put(tx, app); err != nil {
			return nil, err
		}
		return app, record(tx, who, e)
	})
}

func stateName(disabled bool) string {
	if disabled {
		return "disabled"
	}
	return "enabled"
}

// State is the app's state on the wire.
func (p *App) State() string { return stateName(p.Disabled) }

func (p *App) changed(in AppChange) (*App, error) {
	next := *p
	var err error
	if in.Name != nil {
		if next.Name, err = textOf(*in.Name, "name", 80, true, false); err != nil {
			return nil, err
		}
	}
	if in.About != nil {
		if next.About, err = textOf(*in.About, "description", 2000, false, true); err != nil {
			return nil, err
		}
	}
	if in.Disabled != nil {
		next.Disabled = *in.Disabled
	}
	if in.Policy != nil {
		next.Policy = *in.Policy
		next.Policy.Unbinds, next.Policy.UnbindDays = p.Policy.Unbinds, p.Policy.UnbindDays
	}
	return &next, next.Policy.check()
}

// appByUUID gives the app, or 404 app_unknown.
func (a *Authority) appByUUID(tx *store.Tx, id uuid.UUID) (*App, error) {
	app, err := apps.Find(tx, appByUUID, id[:])
	if errors.Is(err, store.ErrNotFound) {
		return nil, fault.New(fault.NotFound, "app_unknown").In("app_id")
	}
	return app, err
}

// App gives one app, for the back office.
func (a *Authority) App(who Actor, id uuid.UUID) (*App, error) {
	if err := who.Authorise(ReadApps); err != nil {
		return nil, err
	}
	return store.Read(a.db, func(tx *store.Tx) (*App, error) { return a.appByUUID(tx, id) })
}

// appByID gives an app by its inner id, for showing; nil if it is not there.
func (a *Authority) appByID(tx *store.Tx, id store.ID) *App {
	app, err := apps.Get(tx, id.Key())
	if err != nil {
		return nil
	}
	return app
}

// ListApps gives up to limit apps, newest first, before the cursor (0: from the newest).
func (a *Authority) ListApps(who Actor, before store.ID, limit int) ([]*App, error) {
	if err := who.Authorise(ReadApps); err != nil {
		return nil, err
	}
	return store.Read(a.db, func(tx *store.Tx) ([]*App, error) {
		return page(apps.Scan(tx, backFrom(before)), limit)
	})
}

// signerCache keeps the app keys that were used, expanded for signing, by their public keys.
type signerCache struct {
	byPublic syncMap[[ed25519.PublicKeySize]byte, *verdict.Signer]
}

// signer is the app's newest key among the pinned kids, or nil when it has none of them.
func (a *Authority) signer(app *App, kids []string) (*verdict.Signer, error) {
	for _, key := range app.Keys {
		s, err := a.signers.get(key)
		if err != nil || slices.Contains(kids, s.KeyID()) {
			return s, err
		}
	}
	return nil, nil
}

func (c *signerCache) get(key SigningKey) (*verdict.Signer, error) {
	var public [ed25519.PublicKeySize]byte
	copy(public[:], key.Public)
	if s, ok := c.byPublic.Load(public); ok {
		return s, nil
	}
	s, err := verdict.NewSigner(key.Seed)
	if err == nil {
		c.byPublic.Store(public, s)
	}
	return s, err
}
