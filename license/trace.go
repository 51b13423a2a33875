package license

import "goldfish/store"

// Trace is what remains of a binding that is gone from the file, so that its device is not taken for one that a
// restore has forgotten (protocol §11). It is kept for 400 days. Its numbers are never used again.
type Trace struct {
	Binding store.ID `cbor:"1,keyasint"`
	Card    store.ID `cbor:"2,keyasint"`
	App     store.ID `cbor:"3,keyasint"`
	Key     string   `cbor:"4,keyasint,omitempty"` // the device key that held it
	Ended   int64    `cbor:"5,keyasint"`           // Unix milliseconds
}
