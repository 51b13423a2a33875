// Package keyring keeps the keys under which the file's sensitive rows lie sealed.
//
// A ring holds the data keys (one is current, older ones still open what they sealed) and one stable secret,
// apart from them and never rotated. The ring lies in the file sealed under a root key, and the root lies there
// once per slot, sealed to the public half of the slot's own key pair (RFC 9180). The private half is wrapped
// by something that is not in the file: a machine key kept outside the data folder, an owner's password, a
// recovery code. So the file alone opens nothing, and root and data key can be renewed for all slots without
// anybody's secret. Ring and slots together are a Chest.
//
// Keys, and from what each comes:
//
//	data key             random, per ring; AES-256-GCM over whole rows, table and key as associated data
//	root                 random; AES-256-GCM over the ring
//	slot tags            HKDF(root): HMAC over each slot, so that a root is never sealed to a stranger's key
//	machine slot         HKDF(machine key, salt)
//	password slot        Argon2id(password, salt)
//	recovery slot        HKDF(recovery code, salt)
//	look-up keys         HMAC(stable secret, use and value), cut to 16 bytes
//	all others           HKDF(stable secret, purpose): outer ids, sign-in tokens, … (Derive)
//
// Sealing is AES-256-GCM with a random 96-bit nonce; NIST SP 800-38D bounds one key to 2^32 of them, the rules
// rotate at SealsMost. Derivation is HKDF-SHA-256 (RFC 5869); look-up keys are HMAC-SHA-256 (RFC 2104).
package keyring

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/fxamacker/cbor/v2"
)

const keySize = 32

// SealsMost is how often one data key may seal before it should be renewed: half of what the random nonces
// allow, for the count is kept roughly.
const SealsMost = 1 << 31

// ErrKey is the answer to a wrong key, and to ciphertext that was changed or moved.
var ErrKey = errors.New("keyring: this key does not open it")

// ErrWorn is the answer to a ring that has used up its key numbers.
var ErrWorn = errors.New("keyring: no number is left for another key")

// secrets is what lies sealed in the file. Numbers are never used again.
type secrets struct {
	Current uint16            `cbor:"1,keyasint"`
	Data    map[uint16][]byte `cbor:"2,keyasint"`
	Stable  []byte            `cbor:"3,keyasint"`
	Created int64             `cbor:"4,keyasint,omitempty"` // of the current data key, Unix milliseconds
}

// Ring is an opened key ring. It implements the file's sealer and is safe for concurrent use. It does not
// change: With and Only give another.
type Ring struct {
	rand    io.Reader
	secrets secrets
	aead    map[uint16]cipher.AEAD
	seals   atomic.Uint64
}

// Format keeps the keys out of every log and message, whatever the verb.
func (r *Ring) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "keyring.Ring") }

// New makes a ring with fresh keys and the root that opens it.
func New(rand io.Reader) (*Ring, *Root, error) {
	data, err := fresh(rand, keySize)
	if err != nil {
		return nil, nil, err
	}
	stable, err := fresh(rand, keySize)
	if err != nil {
		return nil, nil, err
	}
	root, err := fresh(rand, keySize)
	if err != nil {
		return nil, nil, err
	}
	ring, err := open(secrets{Current: 1, Data: map[uint16][]byte{1: data}, Stable: stable}, rand)
	return ring, &Root{key: root}, err
}

func open(s secrets, rand io.Reader) (*Ring, error) {
	r := &Ring{rand: rand, secrets: s, aead: map[uint16]cipher.AEAD{}}
	for id, key := range s.Data {
		if len(key) != keySize {
			return nil, errors.New("keyring: the ring is incomplete")
		}
		a, err := newAEAD(key)
		if err != nil {
			return nil, err
		}
		r.aead[id] = a
	}
	if r.aead[s.Current] == nil || len(s.Stable) != keySize {
		return nil, errors.New("keyring: the ring is incomplete")
	}
	return r, nil
}

// Sealed is the ring as it lies in the file.
func (r *Ring) Sealed(root *Root) ([]byte, error) {
	plain, err := cbor.Marshal(r.secrets)
	if err != nil {
		return nil, err
	}
	return wrap(r.rand, root.key, "goldfish ring v1", plain)
}

// Open opens a ring that Sealed made; ErrKey if root is not the one.
func Open(sealed []byte, root *Root, rand io.Reader) (*Ring, error) {
	plain, err := unwrap(root.key, "goldfish ring v1", sealed)
	if err != nil {
		return nil, err
	}
	var s secrets
	if err := cbor.Unmarshal(plain, &s); err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	return open(s, rand)
}

// With is the ring with another data key, made at now (Unix milliseconds), under which everything is sealed from
// then on; the old ones still open. ErrWorn after 65,535 of them.
func (r *Ring) With(now int64) (*Ring, error) {
	next := r.secrets.Current + 1
	if next == 0 {
		return nil, ErrWorn
	}
	key, err := fresh(r.rand, keySize)
	if err != nil {
		return nil, err
	}
	s := secrets{Current: next, Data: map[uint16][]byte{next: key}, Stable: r.secrets.Stable, Created: now}
	for id, old := range r.secrets.Data {
		s.Data[id] = old
	}
	return open(s, r.rand)
}

// Only is the ring without any data key but the current one.
func (r *Ring) Only() (*Ring, error) {
	s := r.secrets
	s.Data = map[uint16][]byte{s.Current: r.secrets.Data[s.Current]}
	return open(s, r.rand)
}

// DataKey says which data key is current, when it was made (Unix milliseconds, 0: with the file) and how many
// others the ring still holds.
func (r *Ring) DataKey() (id uint16, created int64, others int) {
	return r.secrets.Current, r.secrets.Created, len(r.secrets.Data) - 1
}

// Seals is how often this opened ring has sealed.
func (r *Ring) Seals() uint64 { return r.seals.Load() }

// KeyOf is the number of the data key under which sealed lies, 0 for what is no seal.
func (r *Ring) KeyOf(sealed []byte) uint16 {
	if len(sealed) < 2+12+16 {
		return 0
	}
	return binary.BigEndian.Uint16(sealed)
}

// Wipe overwrites the keys. The ring is of no use afterwards; nobody may be using it.
func (r *Ring) Wipe() {
	for _, key := range r.secrets.Data {
		clear(key)
	}
	clear(r.secrets.Stable)
}

// Seal appends key id (2 bytes), nonce (12), ciphertext and tag (16) to dst.
func (r *Ring) Seal(dst, aad, plain []byte) ([]byte, error) {
	r.seals.Add(1)
	id := r.secrets.Current
	out := make([]byte, 0, len(dst)+2+12+len(plain)+16)
	out = append(out, dst...)
	out = binary.BigEndian.AppendUint16(out, id)
	nonce := out[len(out) : len(out)+12]
	if _, err := io.ReadFull(r.rand, nonce); err != nil {
		return nil, err
	}
	return r.aead[id].Seal(out[:len(out)+12], nonce, plain, bound(id, aad)), nil
}

// Open gives back what Seal sealed at the same place, or ErrKey.
func (r *Ring) Open(aad, sealed []byte) ([]byte, error) {
	if len(sealed) < 2+12+16 {
		return nil, ErrKey
	}
	id := binary.BigEndian.Uint16(sealed)
	a := r.aead[id]
	if a == nil {
		return nil, ErrKey
	}
	plain, err := a.Open(nil, sealed[2:14], sealed[14:], bound(id, aad))
	if err != nil {
		return nil, ErrKey
	}
	return plain, nil
}

func bound(id uint16, aad []byte) []byte {
	return append(binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(aad)), id), aad...)
}

// Lookup maps a secret value to 16 bytes that find it again. name separates uses, so that the same value
// under two names gives two keys.
func (r *Ring) Lookup(name string, value []byte) []byte {
	mac := hmac.New(sha256.New, r.secrets.Stable)
	mac.Write([]byte("lookup\x00" + name + "\x00"))
	mac.Write(value)
	return mac.Sum(nil)[:16]
}

// Derive gives a key of n bytes for one purpose. It stays the same when the data key changes.
func (r *Ring) Derive(purpose string, n int) []byte {
	key, err := hkdf.Key(sha256.New, r.secrets.Stable, nil, "goldfish "+purpose, n)
	if err != nil {
		panic(err) // n is a constant of ours, far below the limit of 255 blocks
	}
	return key
}

func fresh(rand io.Reader, n int) ([]byte, error) {
	b := make([]byte, n)
	_, err := io.ReadFull(rand, b)
	return b, err
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// wrap seals plain once under key, which nothing else uses with the same label.
func wrap(rand io.Reader, key []byte, label string, plain []byte) ([]byte, error) {
	a, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	nonce, err := fresh(rand, a.NonceSize())
	if err != nil {
		return nil, err
	}
	return a.Seal(nonce, nonce, plain, []byte(label)), nil
}

func unwrap(key []byte, label string, sealed []byte) ([]byte, error) {
	a, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	if len(sealed) < a.NonceSize() {
		return nil, ErrKey
	}
	plain, err := a.Open(nil, sealed[:a.NonceSize()], sealed[a.NonceSize():], []byte(label))
	if err != nil {
		return nil, ErrKey
	}
	return plain, nil
}
