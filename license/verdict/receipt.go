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
