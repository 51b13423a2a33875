package license

import (
	"encoding/hex"
	"slices"

	"goldfish/license/fault"
	"goldfish/license/fingerprint"
	"goldfish/store"
)

// Binding is a seat of a licence taken by a device: what the back office calls a device. The device key
// belongs to the binding, not to the fingerprint; a binding made by a bare activation has none.
type Binding struct {
	ID       store.ID  `cbor:"1,keyasint"`
	Licence  store.ID  `cbor:"2,keyasint"`
	Card     store.ID  `cbor:"3,keyasint"`
	App      store.ID  `cbor:"4,keyasint"`
	Device   [16]byte  `cbor:"5,keyasint"` // MD5 fingerprint at the time of binding: the device id
	Key      string    `cbor:"6,keyasint,omitempty"`
	Hashes   [3]string `cbor:"7,keyasint"` // part hashes, salted by app
	Parts    [3]string `cbor:"8,keyasint"` // the normalised parts
	Platform string    `cbor:"9,keyasint,omitempty"`
	Bound    int64     `cbor:"10,keyasint"`
	Ended    int64     `cbor:"11,keyasint,omitempty"`
	EndCode  string    `cbor:"12,keyasint,omitempty"`
	Repeat   string    `cbor:"13,keyasint,omitempty"` // the Idempotency-Key that made it, or replaced its key last
	Account  store.ID  `cbor:"14,keyasint,omitempty"` // who activated it
}

// DeviceID is the binding's device id: 32 hex digits.
func (b *Binding) DeviceID() string { return hex.EncodeToString(b.Device[:]) }

func boundCounter(app store.ID) string { return hex.EncodeToString(app.Key()) + ".bound" }

func bindingCounters(b *Binding) []string {
	if b.Ended != 0 {
		return nil
	}
	return []string{boundCounter(b.App)}
}

// seats are the live bindings of a licence, in the order of their making.
type seats []*Binding

func seatsOf(tx *store.Tx, licence store.ID) (seats, error) {
	var out seats
	if licence == 0 {
		return nil, nil
	}
	for e, err := range bindings.ScanBy(tx, bindingByLicence, store.Range{Prefix: licence.Key()}) {
		if err != nil {
			return nil, err
		}
		if e.Row.Ended == 0 {
			out = append(out, e.Row)
		}
	}
	return out, nil
}

// withKey is the binding that a device key holds.
func (s seats) withKey(key string) *Binding {
	i := slices.IndexFunc(s, func(b *Binding) bool { return key != "" && b.Key == key })
	if i < 0 {
		return nil
	}
	return s[i]
}

// ofDevice is the binding of the same fingerprint.
func (s seats) ofDevice(id fingerprint.ID) *Binding {
	i := slices.IndexFunc(s, func(b *Binding) bool { return b.Device == id.Bytes() })
	if i < 0 {
		return nil
	}
	return s[i]
}

// nearest is the binding whose parts differ least from these, within the tolerance.
func (s seats) nearest(hashes [3]string, t Tolerance) *Binding {
	var best *Binding
	least := int(t) + 1
	for _, b := range s {
		if d := fingerprint.Differs(b.Hashes, hashes); d < least {
			best, least = b, d
		}
	}
	return best
}

// DeviceView is a binding with what a list of devices shows beside it.
type DeviceView struct {
	Binding  *Binding
	Presence Presence // as of now, from memory where it is newer
	Masked   string   // the card key with its middle hidden
	Account  *Account // nil where there is none
	App      *App
}

// DeviceFilter narrows a list of devices. Zero members ask for everything.
type DeviceFilter struct {
	App    *App
	Card   store.ID
	Online *bool
	Before store.ID
	Limit  int
}

// ListDevices gives devices, newest first, and the cursor of the next page (0: none).
func (a *Authority) ListDevices(who Actor, f DeviceFilter) (out []DeviceView, next store.ID, err error) {
	if err := who.Authorise(ReadDevices); err != nil {
		return nil, 0, err
	}
	err = a.db.View(func(tx *store.Tx) error {
		scanned := 0
		for b, err := range bindings.Scan(tx, backFrom(f.Before)) {
			if err != nil {
				return err
			}
			if scanned++; f.matches(b, a) {
				out = append(out, a.deviceView(tx, b))
			}
			if len(out) == f.Limit || scanned == scanMost {
				next = b.ID
				return nil
			}
		}
		return nil
	})
	return out, next, err
}

func (f DeviceFilter) matches(b *Binding, a *Authority) bool {
	if f.App != nil && b.App != f.App.ID || f.Card != 0 && b.Card != f.Card {
		return false
	}
	return f.Online == nil || a.presence.online(b.ID) == *f.Online
}

func (a *Authority) deviceView(tx *store.Tx, b *Binding) DeviceView {
	v := DeviceView{Binding: b, App: a.appByID(tx, b.App)}
	if p, err := presences.Get(tx, b.ID.Key()); err == nil {
		v.Presence = *p
	}
	a.presence.newer(b.ID, &v.Presence)
	if text, err := cardTexts.Get(tx, b.Card.Key()); err == nil {
		v.Masked = text.Masked()
	}
	if acc, err := accounts.Get(tx, b.Account.Key()); err == nil {
		v.Account = acc
	}
	return v
}

// Device gives one device.
func (a *Authority) Device(who Actor, id store.ID) (DeviceView, error) {
	if err := who.Authorise(ReadDevices); err != nil {
		return DeviceView{}, err
	}
	return store.Read(a.db, func(tx *store.Tx) (DeviceView, error) {
		b, err := found(bindings.Get(tx, id.Key()))(NounDevice)
		if err != nil {
			return DeviceView{}, err
		}
		return a.deviceView(tx, b), nil
	})
}

// found turns the store's "no such row" into the caller's: found(table.Get(…))(noun).
func found[T any](v *T, err error) func(Noun) (*T, error) {
	return func(n Noun) (*T, error) {
		if err != nil && fault.Of(err).Code == fault.CodeInternal && isNotFound(err) {
			return nil, notFound(n)
		}
		return v, err
	}
}
