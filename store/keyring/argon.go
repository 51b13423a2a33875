package keyring

import (
	"errors"

	"golang.org/x/crypto/argon2"
)

// Argon is the cost of Argon2id (RFC 9106): memory in KiB, passes, lanes. The zero value is the usual cost.
type Argon struct {
	Memory uint32 `cbor:"1,keyasint"`
	Time   uint32 `cbor:"2,keyasint"`
	Lanes  uint8  `cbor:"3,keyasint"`
}

// UsualArgon takes 64 MiB and three passes: RFC 9106's second recommendation with one lane, about 150 ms.
var UsualArgon = Argon{Memory: 64 << 10, Time: 3, Lanes: 1}

// Bounds of what a file may ask for. A weaker slot is not opened, so that nobody can put one there for a password
// to be guessed by; one beyond the ceiling is not either, so that a hostile file cannot take the memory away.
const (
	argonFloor   = 19 << 10 // KiB: OWASP's least
	argonCeiling = 256 << 10
	argonWork    = 1 << 20 // KiB times passes: about five times what is usual
	argonLanes   = 4
)

// ErrCost is the answer to a slot whose Argon2id cost is beyond what is done for a file.
var ErrCost = errors.New("keyring: a slot of that cost is not opened")

func (a Argon) orUsual() Argon {
	if a == (Argon{}) {
		return UsualArgon
	}
	return a
}

// admits says whether a slot of the cost b is opened where a is what new ones get. The floor is below only where a
// itself is, as in tests.
func (a Argon) admits(b Argon) error {
	a = a.orUsual()
	floor := min(argonFloor, a.Memory)
	work := uint64(b.Memory) * uint64(b.Time)
	if b.Memory < floor || b.Memory > argonCeiling || work < 1 || work > argonWork || b.Lanes < 1 || b.Lanes > argonLanes {
		return ErrCost
	}
	return nil
}

// Below says whether a takes less work than b.
func (a Argon) Below(b Argon) bool {
	b = b.orUsual()
	return uint64(a.Memory)*uint64(a.Time) < uint64(b.Memory)*uint64(b.Time)
}

func (a Argon) key(password, salt []byte) []byte {
	return argon2.IDKey(password, salt, a.Time, a.Memory, a.Lanes, keySize)
}

// Waste does the work of one password slot for nothing: an unknown name must cost what a known one does.
func (a Argon) Waste(password []byte) {
	a.orUsual().key(password, make([]byte, 16))
}
