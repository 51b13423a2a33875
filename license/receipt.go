package license

import "goldfish/store"

// Receipt is a lease that a device has shown, which the file could not take up by itself: it is kept for the vendor
// to decide (protocol §11). The row lies sealed. Its numbers are never used again.
type Receipt struct {
	ID    store.ID `cbor:"1,keyasint"`
	App   store.ID `cbor:"2,keyasint"`
	Card  store.ID `cbor:"3,keyasint"` // 0: the file does not know it
	Key   string   `cbor:"4,keyasint"` // the device's public key
	Token string   `cbor:"5,keyasint"` // the lease as it was signed
	Kept  int64    `cbor:"6,keyasint"` // Unix milliseconds
	Code  string   `cbor:"7,keyasint"` // why it was kept
}
