package store

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/fxamacker/cbor/v2"
)

// The first byte of every value says how the rest is guarded.
const (
	framePlain  = 1 // CRC32C of place and payload (4 bytes), payload
	frameSealed = 2 // what Sealer.Seal made: key id, nonce, ciphertext, tag
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	encMode    = mustEnc()
	decMode    = mustDec()
)

func mustEnc() cbor.EncMode {
	m, err := cbor.EncOptions{}.EncMode()
	if err != nil {
		panic(err)
	}
	return m
}

func mustDec() cbor.DecMode {
	m, err := cbor.DecOptions{DupMapKey: cbor.DupMapKeyEnforcedAPF}.DecMode()
	if err != nil {
		panic(err)
	}
	return m
}

// place names where a value lies: bucket, NUL, key. Both guards cover it, so that a value moved to another
// row does not open there.
func place(bucket string, key []byte) []byte {
	b := make([]byte, 0, len(bucket)+1+len(key))
	b = append(b, bucket...)
	b = append(b, 0)
	return append(b, key...)
}

func checksum(bucket string, key, payload []byte) uint32 {
	sum := crc32.Update(0, castagnoli, place(bucket, key))
	return crc32.Update(sum, castagnoli, payload)
}

func framed(bucket string, key, payload []byte) []byte {
	b := make([]byte, 0, 5+len(payload))
	b = append(b, framePlain)
	b = binary.BigEndian.AppendUint32(b, checksum(bucket, key, payload))
	return append(b, payload...)
}

// unframed gives the payload of a plain value; it aliases raw.
func unframed(bucket string, key, raw []byte) ([]byte, error) {
	if len(raw) < 5 || raw[0] != framePlain || binary.BigEndian.Uint32(raw[1:]) != checksum(bucket, key, raw[5:]) {
		return nil, damaged(bucket, key)
	}
	return raw[5:], nil
}

func damaged(bucket string, key []byte) error {
	return fmt.Errorf("%w: %s %x", ErrDamaged, bucket, key)
}

func (tx *Tx) encode(bucket string, key []byte, sealed bool, v any) ([]byte, error) {
	payload, err := encMode.Marshal(v)
	if err != nil {
		return nil, err
	}
	if !sealed {
		return framed(bucket, key, payload), nil
	}
	s, err := tx.db.seal()
	if err != nil {
		return nil, err
	}
	return s.Seal([]byte{frameSealed}, place(bucket, key), payload)
}

func (tx *Tx) decode(bucket string, key, raw []byte, sealed bool, v any) error {
	var payload []byte
	var err error
	switch {
	case sealed && len(raw) > 1 && raw[0] == frameSealed:
		s, serr := tx.db.seal()
		if serr != nil {
			return serr
		}
		if payload, err = s.Open(place(bucket, key), raw[1:]); err != nil {
			return damaged(bucket, key)
		}
	case sealed:
		return damaged(bucket, key)
	default:
		if payload, err = unframed(bucket, key, raw); err != nil {
			return err
		}
	}
	if err := decMode.Unmarshal(payload, v); err != nil {
		return damaged(bucket, key)
	}
	return nil
}
