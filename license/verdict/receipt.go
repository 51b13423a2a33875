package verdict

import "errors"

// ExpectReceipt is what a receipt is held against (protocol §11).
type ExpectReceipt struct {
	Pins  *Pins // the app's keys that are not withdrawn
	AppID string
	Key   string // the device public key that the call was proved with
}

// OpenReceipt is the server's half of a lease that comes back to it: whether it signed this once, to let this very
// device run (the checks 1–3 of protocol §8, then v, aud, key, act, types). Whether it is adopted is another
// question, and so is whether the lease still holds. Anything else is fault unverifiable.
func OpenReceipt(token string, want ExpectReceipt) (Claims, error) {
	payload, err := want.Pins.Open(token, TypVerdict)
	if err != nil {
		return Claims{}, err
	}
	m, err := read(payload)
	if err != nil {
		return Claims{}, unverifiable(4, err)
	}
	c, err := m.claims()
	switch {
	case err != nil:
		return Claims{}, unverifiable(6, err)
	case c.Audience != want.AppID || c.Act != Run || c.Key == "" || c.Key != want.Key:
		return Claims{}, unverifiable(4, errors.New("it is not a lease of this app and device key"))
	}
	return c, nil
}

// Lost is a span of time whose changes the appliance has lost, and the epoch that
// began after it. From is the last event that it still has, To when it went on.
type Lost struct {
	Epoch, From, To int64
}

// lostSlack is how far clocks may be apart, in seconds.
const lostSlack = 600

// Covers says whether what was signed in an epoch at iat may have been lost: it
// is of an epoch before, and of that time (protocol §11).
func (l Lost) Covers(epoch, iat int64) bool {
	return epoch < l.Epoch && iat >= l.From-lostSlack && iat <= l.To+lostSlack
}
