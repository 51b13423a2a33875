package keyring

import (
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/hpke"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/fxamacker/cbor/v2"
)

// Kind says what opens a slot. The numbers lie in files and are never used again.
type Kind uint8

// What opens a slot: the machine key, the password of an account, the recovery code.
const (
	Machine  Kind = 1
	Password Kind = 2
	Recovery Kind = 3
)

var kindNames = map[Kind]string{Machine: "machine", Password: "password", Recovery: "recovery"}

// String is the kind's name on the wire.
func (k Kind) String() string { return kindNames[k] }

// Slot is one way to the root key, as it lies in the file. Numbers of members are never used again.
//
// A slot without a Public half is of the first form, a machine's only: Wrapped holds the root itself.
type Slot struct {
	ID      uint32   `cbor:"1,keyasint"`
	Kind    Kind     `cbor:"2,keyasint"`
	Created int64    `cbor:"3,keyasint"` // Unix milliseconds
	Salt    []byte   `cbor:"4,keyasint"`
	Wrapped []byte   `cbor:"5,keyasint"`            // the private half, under a key from the slot's secret
	Public  []byte   `cbor:"6,keyasint,omitempty"`  // X25519
	Root    []byte   `cbor:"7,keyasint,omitempty"`  // HPKE to Public: encapsulated key, ciphertext
	Argon   Argon    `cbor:"8,keyasint,omitzero"`   // of a password slot
	Owner   uint64   `cbor:"9,keyasint,omitempty"`  // of a password slot: the account
	Hints   [][]byte `cbor:"10,keyasint,omitempty"` // by which a password slot is found (hint)
	Used    int64    `cbor:"11,keyasint,omitempty"` // when it last opened the file, Unix milliseconds, roughly
	Tag     []byte   `cbor:"12,keyasint,omitempty"` // the root vouches for all of the above
}

// Root is the key that opens a ring. It is in memory only; the file holds it once per slot.
type Root struct {
	id  uint32 // how often the chest's root was renewed before this one
	key []byte
}

// Format keeps the key out of every log and message, whatever the verb.
func (r *Root) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "keyring.Root") }

// Turn says of which of the chest's roots this is one: the chest's Turn while it is the present one.
func (r *Root) Turn() uint32 { return r.id }

// Wipe overwrites the key.
func (r *Root) Wipe() { clear(r.key) }

// Draft is a slot that still lacks the root. Making one is the slow part (a password's is Argon2id), so it is done
// before the transaction that puts it into the chest.
type Draft struct {
	slot    Slot
	secret  []byte // what wraps the private half
	private *ecdh.PrivateKey
}

// Format keeps the keys out of every log and message, whatever the verb.
func (d *Draft) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "keyring.Draft") }

// DraftMachine drafts the slot of a machine key, which has 32 bytes.
func DraftMachine(machineKey []byte, rand io.Reader) (*Draft, error) {
	if len(machineKey) != keySize {
		return nil, errors.New("keyring: a machine key has 32 bytes")
	}
	return draft(Slot{Kind: Machine}, rand, func(s *Slot) []byte { return s.machineSecret(machineKey) })
}

// DraftPassword drafts the slot of a password, given as the bytes that are hashed elsewhere too. It costs what a
// says: one at a time.
func DraftPassword(password []byte, a Argon, rand io.Reader) (*Draft, error) {
	a = a.orUsual()
	if err := a.admits(a); err != nil {
		return nil, err
	}
	return draft(Slot{Kind: Password, Argon: a}, rand, func(s *Slot) []byte { return a.key(password, s.Salt) })
}

// DraftRecovery drafts the slot of a recovery code.
func DraftRecovery(code Code, rand io.Reader) (*Draft, error) {
	if code.IsZero() {
		return nil, errors.New("keyring: no recovery code")
	}
	return draft(Slot{Kind: Recovery}, rand, func(s *Slot) []byte { return s.recoverySecret(code) })
}

func draft(s Slot, rand io.Reader, secret func(*Slot) []byte) (*Draft, error) {
	var err error
	if s.Salt, err = fresh(rand, 16); err != nil {
		return nil, err
	}
	seed, err := fresh(rand, keySize)
	if err != nil {
		return nil, err
	}
	private, err := ecdh.X25519().NewPrivateKey(seed)
	if err != nil {
		return nil, err
	}
	s.Public = private.PublicKey().Bytes()
	d := &Draft{slot: s, secret: secret(&s), private: private}
	d.slot.Wrapped, err = wrap(rand, d.secret, s.label(), seed)
	return d, err
}

// label binds what is wrapped to the slot's kind, cost and public half.
func (s *Slot) label() string {
	return fmt.Sprintf("goldfish slot v2 %d %d/%d/%d %x", s.Kind, s.Argon.Memory, s.Argon.Time, s.Argon.Lanes, s.Public)
}

func (s *Slot) machineSecret(machineKey []byte) []byte {
	return expand(machineKey, s.Salt, "goldfish machine slot")
}

func (s *Slot) recoverySecret(code Code) []byte {
	return expand(code.bits[:], s.Salt, "goldfish recovery slot")
}

func expand(secret, salt []byte, purpose string) []byte {
	key, err := hkdf.Key(sha256.New, secret, salt, purpose, keySize)
	if err != nil {
		panic(err) // only a length beyond 255 blocks fails
	}
	return key
}

// seal puts the root into the slot (RFC 9180, base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM).
func (s *Slot) seal(root *Root) error {
	public, err := ecdh.X25519().NewPublicKey(s.Public)
	if err != nil {
		return ErrKey
	}
	to, err := hpke.NewDHKEMPublicKey(public)
	if err != nil {
		return err
	}
	s.Root, err = hpke.Seal(to, hpke.HKDFSHA256(), hpke.AES256GCM(), s.info(root.id), root.key)
	return err
}

func (s *Slot) info(root uint32) []byte {
	return fmt.Appendf(nil, "goldfish root %d for slot %d", root, s.ID)
}

// open gives the root with the key that wraps the private half, or ErrKey. root is the number of the chest's.
func (s *Slot) open(secret []byte, root uint32) (*Root, error) {
	seed, err := unwrap(secret, s.label(), s.Wrapped)
	if err != nil {
		return nil, ErrKey
	}
	defer clear(seed)
	private, err := ecdh.X25519().NewPrivateKey(seed)
	if err != nil {
		return nil, ErrKey
	}
	with, err := hpke.NewDHKEMPrivateKey(private)
	if err != nil {
		return nil, ErrKey
	}
	key, err := hpke.Open(with, hpke.HKDFSHA256(), hpke.AES256GCM(), s.info(root), s.Root)
	if err != nil || len(key) != keySize {
		return nil, ErrKey
	}
	return &Root{id: root, key: key}, nil
}

// openFirst opens a slot of the first form.
func (s *Slot) openFirst(machineKey []byte) (*Root, error) {
	key, err := unwrap(s.machineSecret(machineKey), "goldfish slot v1", s.Wrapped)
	if err != nil || len(key) != keySize {
		return nil, ErrKey
	}
	return &Root{key: key}, nil
}

// tag is the root's HMAC over the slot. Without it whoever can write to the file could put a public half of his
// own there and be given the next root.
func (s *Slot) tag(root *Root) ([]byte, error) {
	bare := *s
	bare.Tag = nil
	text, err := cbor.Marshal(&bare)
	if err != nil {
		return nil, err
	}
	return sign(expand(root.key, nil, "goldfish slot tags"), text), nil
}

// hint is two bytes of a hash: enough to pick a slot among 64, too little to tell a thief whose it is.
func (s *Slot) hint(name string) []byte {
	sum := sha256.New()
	sum.Write([]byte("goldfish slot name\x00"))
	sum.Write(s.Salt)
	sum.Write([]byte(name))
	return sum.Sum(nil)[:2]
}
