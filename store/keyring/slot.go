package keyring

import (
	"crypto/hkdf"
	"crypto/sha256"
	"io"
)

// Kind says what opens a slot. The numbers lie in files and are never used again.
type Kind uint8

// Machine is a slot that the machine key opens.
const Machine Kind = 1

// Slot is one way to the root key, as it lies in the file. Numbers of members are never used again.
type Slot struct {
	ID      uint16 `cbor:"1,keyasint"`
	Kind    Kind   `cbor:"2,keyasint"`
	Created int64  `cbor:"3,keyasint"` // Unix milliseconds
	Salt    []byte `cbor:"4,keyasint"`
	Wrapped []byte `cbor:"5,keyasint"`
}

// NewMachineSlot wraps root for a machine key and proves that the slot opens before it gives it out.
func NewMachineSlot(id uint16, root *Root, machineKey []byte, created int64, rand io.Reader) (*Slot, error) {
	if len(machineKey) != keySize {
		return nil, ErrKey
	}
	salt, err := fresh(rand, 16)
	if err != nil {
		return nil, err
	}
	s := &Slot{ID: id, Kind: Machine, Created: created, Salt: salt}
	if s.Wrapped, err = wrap(rand, s.key(machineKey), "goldfish slot v1", root.key); err != nil {
		return nil, err
	}
	_, err = s.Open(machineKey)
	return s, err
}

// Open gives the root key, or ErrKey.
func (s *Slot) Open(machineKey []byte) (*Root, error) {
	if s.Kind != Machine || len(machineKey) != keySize {
		return nil, ErrKey
	}
	root, err := unwrap(s.key(machineKey), "goldfish slot v1", s.Wrapped)
	if err != nil || len(root) != keySize {
		return nil, ErrKey
	}
	return &Root{root}, nil
}

func (s *Slot) key(machineKey []byte) []byte {
	key, err := hkdf.Key(sha256.New, machineKey, s.Salt, "goldfish machine slot", keySize)
	if err != nil {
		panic(err) // only a length beyond 255 blocks fails
	}
	return key
}
