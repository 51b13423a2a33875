package license

import (
	"encoding/hex"
	"iter"
	"slices"

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

// ofMachine is the binding with this device id.
func (s seats) ofMachine(device string) *Binding {
	i := slices.IndexFunc(s, func(b *Binding) bool { return b.DeviceID() == device })
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

// ListDevices gives devices, newest first, and the cursor of the next page (0: none). A page may be short and
// still have a next one where the filter hits rarely.
func (a *Authority) ListDevices(who Actor, f DeviceFilter) (out []DeviceView, next store.ID, err error) {
	if err := who.Authorise(ReadDevices); err != nil {
		return nil, 0, err
	}
	if f.Limit <= 0 {
		return nil, 0, nil
	}
	err = a.db.View(func(tx *store.Tx) error {
		out, next, err = a.pageOfDevices(tx, f, scanMost)
		return err
	})
	return out, next, err
}

// pageOfDevices looks at no more than scan devices. There is a next page if one more device would be on it, or
// if the rest was not looked at.
func (a *Authority) pageOfDevices(tx *store.Tx, f DeviceFilter, scan int) (out []DeviceView, next store.ID, err error) {
	rows, err := a.devicesBack(tx, f)
	if err != nil {
		return nil, 0, err
	}
	var last store.ID
	for b, err := range rows {
		if err != nil {
			return nil, 0, err
		}
		wanted := f.lets(b, a.presence)
		if scan == 0 || wanted && len(out) == f.Limit {
			return out, last, nil
		}
		if scan, last = scan-1, b.ID; wanted {
			out = append(out, a.deviceView(tx, b))
		}
	}
	return out, 0, nil
}

// devicesBack gives the devices that a filter may mean, newest first: those online from memory, a card's by
// its licence, else all.
func (a *Authority) devicesBack(tx *store.Tx, f DeviceFilter) (iter.Seq2[*Binding, error], error) {
	if f.Card != 0 {
		card, _, err := cardByID(tx, f.Card)
		if isNotFound(err) || err == nil && card.Licence == 0 {
			return func(func(*Binding, error) bool) {}, nil
		}
		if err != nil {
			return nil, err
		}
		r := store.Range{Prefix: card.Licence.Key(), Back: true}
		if f.Before != 0 {
			r.After = pair(card.Licence, f.Before)
		}
		return rowsBy(tx, bindings, bindingByLicence, r), nil
	}
	if f.Online != nil && *f.Online {
		return a.onlineBack(tx, f), nil
	}
	return bindings.Scan(tx, backFrom(f.Before)), nil
}

func (a *Authority) onlineBack(tx *store.Tx, f DeviceFilter) iter.Seq2[*Binding, error] {
	var app store.ID
	if f.App != nil {
		app = f.App.ID
	}
	return func(yield func(*Binding, error) bool) {
		for _, id := range a.presence.bindings(app) {
			if f.Before != 0 && id >= f.Before {
				continue
			}
			if b, err := bindings.Get(tx, id.Key()); !isNotFound(err) && !yield(b, err) {
				return
			}
		}
	}
}

func (f DeviceFilter) lets(b *Binding, p *presence) bool {
	if f.App != nil && b.App != f.App.ID || f.Card != 0 && b.Card != f.Card {
		return false
	}
	return f.Online == nil || p.isOnline(b.ID) == *f.Online
}

func (a *Authority) deviceView(tx *store.Tx, b *Binding) DeviceView {
	v := DeviceView{Binding: b, App: a.appByID(tx, b.App)}
	if p, err := presences.Get(tx, b.ID.Key()); err == nil {
		v.Presence = *p
	}
	v.Presence = a.presence.now(b.ID, v.Presence)
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
		b, err := rowOf(tx, bindings, id, NounDevice)
		if err != nil {
			return DeviceView{}, err
		}
		return a.deviceView(tx, b), nil
	})
}
