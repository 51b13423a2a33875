package license

import "goldfish/store"

// Licence is what an account holds: the right to run an app, paid for by one or more cards.
type Licence struct {
	ID       store.ID `cbor:"1,keyasint"`
	App      store.ID `cbor:"2,keyasint"`
	Account  store.ID `cbor:"3,keyasint,omitempty"` // 0 in apps where the key alone is the login
	Card     store.ID `cbor:"4,keyasint"`           // the card that began it
	Tier     string   `cbor:"5,keyasint,omitempty"`
	Features []string `cbor:"6,keyasint,omitempty"`
	Ends     int64    `cbor:"7,keyasint,omitempty"` // 0: never
	Points   int64    `cbor:"8,keyasint,omitempty"`
	Seats    int      `cbor:"9,keyasint"`
	Created  int64    `cbor:"10,keyasint"`
	Lapsed   bool     `cbor:"11,keyasint,omitempty"` // its end has been recorded
	Replaced []int64  `cbor:"12,keyasint,omitempty"` // when the customer put a new device key on a binding
}

// Grant is what one card has paid into a licence, so that it can be taken back exactly.
type Grant struct {
	Licence store.ID `cbor:"1,keyasint"`
	Card    store.ID `cbor:"2,keyasint"`
	Seconds int64    `cbor:"3,keyasint,omitempty"`
	Points  int64    `cbor:"4,keyasint,omitempty"`
	At      int64    `cbor:"5,keyasint"`
}

// replacedSince are the replacements that still count in the app's limit.
func (l *Licence) replacedSince(p Policy, now int64) []int64 {
	var out []int64
	for _, at := range l.Replaced {
		if at > now-p.unbindSpan() {
			out = append(out, at)
		}
	}
	return out
}

// unbindFree says when the customer may unbind or replace again, in Unix milliseconds: 0 for now.
func (l *Licence) unbindFree(p Policy, now int64) int64 {
	counted := l.replacedSince(p, now)
	if len(counted) < p.Unbinds {
		return 0
	}
	if p.Unbinds < 1 {
		return now + p.unbindSpan()
	}
	return counted[len(counted)-p.Unbinds] + p.unbindSpan()
}
