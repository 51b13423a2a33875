package keyring

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// Code is a recovery code: 160 random bits. Written down it is 35 characters in seven groups of five, of which the
// last three check the others. A secret: Text alone shows it.
type Code struct {
	bits [20]byte
	set  bool
}

// codeAlphabet is Crockford's: no I, L, O or U, which are read for others.
const codeAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

const (
	codeData  = 32 // characters for the bits
	codeCheck = 3
	codeGroup = 5
	codeTyped = 256 // bytes that are looked at
)

// ErrCode is the answer to what is no recovery code: too short, too long, or a character is wrong.
var ErrCode = errors.New("keyring: not a recovery code")

// NewCode draws a recovery code.
func NewCode(rand io.Reader) (Code, error) {
	c := Code{set: true}
	_, err := io.ReadFull(rand, c.bits[:])
	return c, err
}

// IsZero says whether c is no code.
func (c Code) IsZero() bool { return !c.set }

// Equal compares without telling where two codes differ.
func (c Code) Equal(o Code) bool {
	return c.set && o.set && subtle.ConstantTimeCompare(c.bits[:], o.bits[:]) == 1
}

// Format keeps the code out of every log and message, whatever the verb.
func (c Code) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "keyring.Code") }

// Text is the code as it is shown once: ABCDE-FGH0J-…
func (c Code) Text() string {
	if !c.set {
		return ""
	}
	letters := c.letters()
	var b strings.Builder
	for i, letter := range letters {
		if i > 0 && i%codeGroup == 0 {
			b.WriteByte('-')
		}
		b.WriteByte(letter)
	}
	return b.String()
}

func (c Code) letters() []byte {
	out := spell(c.bits[:])
	return append(out, spell(c.check())...)
}

// check is 15 bits of a hash, which finds 32,767 of 32,768 slips.
func (c Code) check() []byte {
	sum := sha256.Sum256(append([]byte("goldfish recovery code\x00"), c.bits[:]...))
	return []byte{sum[0], sum[1] &^ 1}
}

// spell writes five bits a letter, the first first; bits that do not fill a letter are left out.
func spell(bits []byte) []byte {
	var out []byte
	var acc, n uint
	for _, b := range bits {
		acc, n = acc<<8|uint(b), n+8
		for n >= 5 {
			n -= 5
			out = append(out, codeAlphabet[acc>>n&31])
		}
	}
	return out
}

// ParseCode reads what a person typed: any case, blanks and dashes anywhere, full width, O for 0, I and L for 1.
// Anything else is ErrCode, which repeats nothing of it.
func ParseCode(typed string) (Code, error) {
	if len(typed) > codeTyped {
		return Code{}, ErrCode
	}
	var values []byte
	for _, r := range typed {
		if r >= 0xFF01 && r <= 0xFF5E {
			r -= 0xFF01 - 0x21
		}
		if unicode.IsSpace(r) || unicode.Is(unicode.Dash, r) || r == 0x200B || r == 0xFEFF {
			continue
		}
		v := strings.IndexRune(codeAlphabet, asWritten(unicode.ToUpper(r)))
		if v < 0 || len(values) == codeData+codeCheck {
			return Code{}, ErrCode
		}
		values = append(values, byte(v))
	}
	if len(values) != codeData+codeCheck {
		return Code{}, ErrCode
	}
	c := Code{set: true}
	var acc, n uint
	at := 0
	for _, v := range values[:codeData] {
		acc, n = acc<<5|uint(v), n+5
		if n >= 8 {
			n -= 8
			c.bits[at] = byte(acc >> n)
			at++
		}
	}
	var typedCheck []byte
	for _, v := range values[codeData:] {
		typedCheck = append(typedCheck, codeAlphabet[v])
	}
	if subtle.ConstantTimeCompare(typedCheck, spell(c.check())) != 1 {
		return Code{}, ErrCode
	}
	return c, nil
}

func asWritten(r rune) rune {
	switch r {
	case 'O':
		return '0'
	case 'I', 'L':
		return '1'
	}
	return r
}
