package license

import (
	"goldfish/license/verdict"
	"goldfish/store"
)

// StandingOrder is the order that a device has missed between its ticket and the moment its socket could be
// reached: nil while the device may run.
func (a *Authority) StandingOrder(t DeviceTicket) (*Order, error) {
	return store.Read(a.db, func(tx *store.Tx) (*Order, error) {
		b, err := bindings.Get(tx, t.Binding.Key())
		if err != nil {
			return nil, err
		}
		app, err := apps.Get(tx, b.App.Key())
		if err != nil {
			return nil, err
		}
		card, err := cards.Get(tx, b.Card.Key())
		if err != nil {
			return nil, err
		}
		code := ""
		switch {
		case app.Disabled:
			code = "app_disabled"
		case b.Ended != 0:
			code = "device_unbound"
		case b.Key != t.Key:
			code = "device_key_mismatch"
		default:
			why := card.stateAt(tx.Now.UnixMilli(), 0).refusal()
			if why == nil {
				return nil, nil
			}
			code = why.Code
		}
		p, err := pushes.Get(tx, b.App.Key())
		if err != nil {
			return nil, err
		}
		return &Order{App: app, Binding: b.ID, Card: b.Card, Key: t.Key, Act: verdict.Stop, Code: code, Seq: p.Seq, Spread: 5}, nil
	})
}
