// Package cardkey reads, makes and shows card keys (卡密): 16 characters out of
// 0–9 and A–Z, shown in four groups of four.
//
// Typing is forgiven where no meaning is lost (protocol §5, "Card key"): full
// width, blanks, zero-width characters, dashes of every kind, lower case. No
// look-alike is replaced: all 36 characters are valid in a key, only the keys
// made here avoid the five that are easily misread.
package cardkey

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"unicode"

	"goldfish/license/fault"
)

const (
	// Length is the number of characters of a key.
	Length = 16
	// MaxTyped is the most bytes that are looked at as a typed key.
	MaxTyped = 128
	// CodeUnknown is the one answer to a malformed and to an unknown key.
	CodeUnknown = "card_unknown"
	// Alphabet is what generated keys are made of: 0–9 and A–Z without 0 and O,
	// and without 1, I and L. 31 characters, so a key carries 79 bits.
	Alphabet = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
)

// Key is a well-formed card key. A value comes from Parse, Generate or a
// Generator; the zero Key means "none". Keys are comparable.
type Key struct {
	code [Length]byte
}

// Parse reads what a person typed. Anything but exactly 16 characters of 0–9
// A–Z after forgiving is fault card_unknown, so that a malformed key is
// answered like one that does not exist. The error never repeats the input.
func Parse(typed string) (Key, error) {
	if len(typed) > MaxTyped {
		return Key{}, unknown()
	}
	var key Key
	n := 0
	for _, r := range typed {
		if r >= 0xFF01 && r <= 0xFF5E {
			r -= 0xFF01 - 0x21
		}
		if forgiven(r) {
			continue
		}
		if r >= 'a' && r <= 'z' {
			r -= 'a' - 'A'
		}
		if n == Length || !valid(r) {
			return Key{}, unknown()
		}
		key.code[n] = byte(r)
		n++
	}
	if n != Length {
		return Key{}, unknown()
	}
	return key, nil
}

func unknown() error { return fault.New(fault.Invalid, CodeUnknown).In("card_key") }

func valid(r rune) bool { return r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' }

// forgiven says whether r is dropped: Unicode's White_Space and Dash
// properties, the soft hyphen, and the characters that occupy no width and
// travel along unseen when text is copied from a page, a chat or a table.
func forgiven(r rune) bool {
	if r < 0x80 {
		return r == '-' || r == ' ' || r >= '\t' && r <= '\r'
	}
	switch {
	case r == 0x00AD, r == 0x180E, r == 0xFEFF, // soft hyphen, vowel separator, byte order mark
		r >= 0x200B && r <= 0x200F, // zero-width space and joiners, direction marks
		r >= 0x202A && r <= 0x202E, // direction embeddings
		r >= 0x2060 && r <= 0x206F: // word joiner, invisible operators, direction isolates
		return true
	}
	return unicode.Is(unicode.White_Space, r) || unicode.Is(unicode.Dash, r)
}

// Canonical is the 16 characters without dashes: what is hashed and stored.
func (k Key) Canonical() [Length]byte { return k.code }

// IsZero says whether k holds no key.
func (k Key) IsZero() bool { return k == Key{} }

// String is the whole key as it is handed out, XXXX-XXXX-XXXX-XXXX; a secret.
// The zero Key is "".
func (k Key) String() string {
	if k.IsZero() {
		return ""
	}
	c := string(k.code[:])
	return c[0:4] + "-" + c[4:8] + "-" + c[8:12] + "-" + c[12:16]
}

// Masked shows the first and the last group alone, for logs and lists.
func (k Key) Masked() string {
	if k.IsZero() {
		return ""
	}
	c := string(k.code[:])
	return c[0:4] + "-****-****-" + c[12:16]
}

// LogValue masks the key in slog.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.Masked()) }

// GoString masks the key in %#v.
func (k Key) GoString() string { return fmt.Sprintf("cardkey.Key(%s)", k.Masked()) }

// Generate makes one key from a cryptographic source. For many keys use a
// Generator, which asks the source for whole blocks.
func Generate(rand io.Reader) (Key, error) {
	return newGenerator(rand, 2*Length).Next()
}

// Generator makes many keys. It is not safe for use by several goroutines. Two
// keys of one generator may be equal with a chance of 2⁻⁷⁹: whoever stores
// them refuses the second.
type Generator struct {
	rand  io.Reader
	block []byte
	rest  []byte
}

// NewGenerator makes a Generator that draws from a cryptographic source.
func NewGenerator(rand io.Reader) *Generator { return newGenerator(rand, 4096) }

func newGenerator(rand io.Reader, block int) *Generator {
	return &Generator{rand: rand, block: make([]byte, block)}
}

// errDeadSource tells of a source that repeats the one value in 32 that is
// thrown away; by chance that happens once in 2³²⁰ characters.
var errDeadSource = errors.New("cardkey: the random source does not vary")

// Next makes one key. Each character takes five bits of a fresh byte; the
// value 31 is thrown away, so that all 31 characters are equally likely.
func (g *Generator) Next() (Key, error) {
	var key Key
	for n, rejected := 0, 0; n < Length; {
		if len(g.rest) == 0 {
			if _, err := io.ReadFull(g.rand, g.block); err != nil {
				return Key{}, fmt.Errorf("cardkey: random source: %w", err)
			}
			g.rest = g.block
		}
		five := g.rest[0] & 31
		g.rest = g.rest[1:]
		if int(five) < len(Alphabet) {
			key.code[n] = Alphabet[five]
			n, rejected = n+1, 0
			continue
		}
		if rejected++; rejected == 64 {
			return Key{}, errDeadSource
		}
	}
	return key, nil
}
