package license

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/binary"

	"goldfish/license/fault"
	"goldfish/store"
)

// ID is an id inside the file. Packages that may not see the store call it by this name.
type ID = store.ID

// Noun says of what an outer id is. The numbers are in every id given out and are never used again.
type Noun uint8

// The nouns with outer ids.
const (
	NounAccount      Noun = 1
	NounSession      Noun = 2
	NounBatch        Noun = 3
	NounCard         Noun = 4
	NounLicence      Noun = 5
	NounDevice       Noun = 6 // a binding: what the back office calls a device
	NounAnnouncement Noun = 7
	NounJob          Noun = 8
	NounApp          Noun = 9 // for the log; outside, apps go by their UUID
	NounReceipt      Noun = 10
)

var nounNames = map[Noun]string{
	NounAccount: "account", NounSession: "session", NounBatch: "batch", NounCard: "card", NounLicence: "licence",
	NounDevice: "device", NounAnnouncement: "announcement", NounJob: "job", NounApp: "app",
	NounReceipt: "receipt",
}

// String is the noun's name on the wire.
func (n Noun) String() string { return nounNames[n] }

// IDs turns the file's ids into outer ones and back: one AES block over noun and id, written in 22
// characters. They need no index, tell no sales figures, and one that was not given out does not decode.
type IDs struct{ block cipher.Block }

func newIDs(key []byte) (*IDs, error) {
	block, err := aes.NewCipher(key)
	return &IDs{block}, err
}

// Out is the outer form; the empty string for id 0.
func (x *IDs) Out(n Noun, id store.ID) string {
	if id == 0 {
		return ""
	}
	var b [aes.BlockSize]byte
	b[0] = byte(n)
	binary.BigEndian.PutUint64(b[8:], uint64(id))
	x.block.Encrypt(b[:], b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// In reads an outer id of a noun. Anything else is NotFound not_found, just as an object that is not there.
func (x *IDs) In(n Noun, outer string) (store.ID, error) {
	var b [aes.BlockSize]byte
	raw, err := base64.RawURLEncoding.Strict().DecodeString(outer)
	if err != nil || len(raw) != len(b) {
		return 0, notFound(n)
	}
	x.block.Decrypt(b[:], raw)
	id := store.ID(binary.BigEndian.Uint64(b[8:]))
	if b[0] != byte(n) || binary.BigEndian.Uint64(b[:8]) != uint64(n)<<56 || id == 0 {
		return 0, notFound(n)
	}
	return id, nil
}

func notFound(n Noun) *fault.Error {
	return fault.New(fault.NotFound, "not_found").With("noun", n.String())
}
