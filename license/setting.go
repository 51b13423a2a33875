package license

// Setting is one group of the vendor's choices, as CBOR under a name. The row lies sealed: passwords of other systems
// may stand in it.
type Setting struct {
	Name  string `cbor:"1,keyasint"`
	Value []byte `cbor:"2,keyasint"`
}
