package license

import "goldfish/store"

// Trace is what remains of a binding that is gone from the file, so that its device is not taken for one that a
// restore has forgotten (protocol §11). It is kept for 400 days. Its numbers are never used again.
//
// An ended binding is its own trace while its row stays. A trace of its own comes with whatever takes a binding's
// row, or its device key, away before that.
type Trace struct {
	Binding store.ID `cbor:"1,keyasint"`
	Card    store.ID `cbor:"2,keyasint"`
	App     store.ID `cbor:"3,keyasint"`
	Key     string   `cbor:"4,keyasint,omitempty"` // the device key that held it
	Ended   int64    `cbor:"5,keyasint"`           // Unix milliseconds
}

// leaveTrace remembers that a device key no longer holds a card. The trace has an id of its own among the
// bindings.
func leaveTrace(tx *store.Tx, app, card store.ID, key string) error {
	id, err := bindings.NextID(tx)
	if err != nil {
		return err
	}
	return traces.Put(tx, &Trace{Binding: id, Card: card, App: app, Key: key, Ended: tx.Now.UnixMilli()})
}

// dropBinding takes a binding's row away, with its presence, and leaves a trace as long as one must be kept.
// Nothing else deletes a binding: whoever purges a card, its licence or its batch calls it for each of theirs.
func dropBinding(tx *store.Tx, b *Binding) error {
	ended := b.Ended
	if ended == 0 {
		ended = tx.Now.UnixMilli()
	}
	if err := bindings.Delete(tx, b.ID.Key()); err != nil {
		return err
	}
	if err := presences.Delete(tx, b.ID.Key()); err != nil && !isNotFound(err) {
		return err
	}
	if b.Key == "" || old(tx.Now, ended) {
		return nil
	}
	return traces.Put(tx, &Trace{Binding: b.ID, Card: b.Card, App: b.App, Key: b.Key, Ended: ended})
}

// traced says whether the file knows that a device key held a card and holds it no more. licence is the card's,
// 0 if it has none.
func traced(tx *store.Tx, key string, card, licence store.ID) (bool, error) {
	for t, err := range rowsBy(tx, traces, traceByKey, store.Range{Prefix: []byte(key)}) {
		if err != nil || t.Card == card && !old(tx.Now, t.Ended) {
			return err == nil, err
		}
	}
	if licence == 0 {
		return false, nil
	}
	for b, err := range rowsBy(tx, bindings, bindingByLicence, store.Range{Prefix: licence.Key()}) {
		if err != nil || b.Key == key && b.Ended != 0 && !old(tx.Now, b.Ended) {
			return err == nil, err
		}
	}
	return false, nil
}
