// Package password says which passwords are good enough, hashes them with
// bcrypt, and keeps that costly work from taking the whole machine.
//
// A password is normalised to NFC before anything else, so that it works from
// every keyboard and system. bcrypt looks at 72 bytes; more is refused both
// when hashing and when comparing, never cut off.
package password

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/text/unicode/norm"

	"goldfish/license/fault"
)

const (
	// MinChars is the fewest characters of a password.
	MinChars = 8
	// MaxBytes is the most bytes of a password after NFC.
	MaxBytes = 72
	// maxRaw is the most bytes that are normalised at all. No text of that
	// length comes down to MaxBytes.
	maxRaw = 1024

	// MinCost and MaxCost bound what may be set as bcrypt's cost.
	MinCost = bcrypt.MinCost
	MaxCost = 16

	// first is the documented password of a new appliance's first account.
	first = "admin1314159"
)

// CodeWeak is the code of a password that breaks a rule. Its argument "rules"
// is a []string of the codes below, every one that is broken, in this order.
const CodeWeak = "password_weak"

// The rules.
const (
	TooShort     = "password_too_short"     // fewer than 8 characters
	TooLong      = "password_too_long"      // more than 72 bytes
	NeedsLower   = "password_needs_lower"   // no a–z
	NeedsUpper   = "password_needs_upper"   // no A–Z
	NeedsDigit   = "password_needs_digit"   // no 0–9
	NeedsSpecial = "password_needs_special" // nothing else than these
	HasControl   = "password_has_control"   // a control character, or not UTF-8
	WellKnown    = "password_well_known"    // the documented first password
	HasName      = "password_has_name"      // the user name is part of it
)

// Check says whether plain may become a password of the account with these
// names (user name, e-mail address; names under three bytes do not count). The
// fault is password_weak with every broken rule.
func Check(plain string, names ...string) error {
	if len(plain) > maxRaw {
		return weak(TooLong)
	}
	text := norm.NFC.String(plain)
	var lower, upper, digit, special, control bool
	for _, r := range text {
		switch {
		case r >= 'a' && r <= 'z':
			lower = true
		case r >= 'A' && r <= 'Z':
			upper = true
		case r >= '0' && r <= '9':
			digit = true
		case unicode.IsControl(r):
			control = true
		default:
			special = true
		}
	}
	var broken []string
	for _, rule := range []struct {
		code string
		hit  bool
	}{
		{TooShort, utf8.RuneCountInString(text) < MinChars},
		{TooLong, len(text) > MaxBytes},
		{NeedsLower, !lower},
		{NeedsUpper, !upper},
		{NeedsDigit, !digit},
		{NeedsSpecial, !special},
		{HasControl, control || !utf8.ValidString(text)},
		{WellKnown, IsFirst(strings.ToLower(text))},
		{HasName, contains(text, names)},
	} {
		if rule.hit {
			broken = append(broken, rule.code)
		}
	}
	if broken != nil {
		return weak(broken...)
	}
	return nil
}

func weak(rules ...string) error {
	return fault.New(fault.Invalid, CodeWeak).In("password").With("rules", rules)
}

// contains says whether one of the names is part of text in any case.
func contains(text string, names []string) bool {
	text = strings.ToLower(text)
	for _, name := range names {
		name = strings.ToLower(norm.NFC.String(name))
		if len(name) >= 3 && strings.Contains(text, name) {
			return true
		}
	}
	return false
}

// IsFirst says whether plain is the documented password of a new appliance. It
// takes the same time wherever the two differ. No account may ever choose it;
// before its first change the first account has no hash and is asked for this.
func IsFirst(plain string) bool {
	return subtle.ConstantTimeCompare([]byte(plain), []byte(first)) == 1
}

// ready is plain as bcrypt sees it, or false if that is too long.
func ready(plain string) ([]byte, bool) {
	if len(plain) > maxRaw {
		return nil, false
	}
	text := norm.NFC.String(plain)
	return []byte(text), len(text) <= MaxBytes
}

// Bytes is plain as bcrypt sees it: whatever else is made of a password is made of these. The fault is
// password_weak with the rule password_too_long.
func Bytes(plain string) ([]byte, error) {
	text, ok := ready(plain)
	if !ok {
		return nil, weak(TooLong)
	}
	return text, nil
}

// Hash is the bcrypt hash of plain at a cost from MinCost to MaxCost. It judges
// the length alone; Check judges the rest. Use a Pool where requests come in.
func Hash(plain string, cost int) (string, error) {
	text, ok := ready(plain)
	if !ok {
		return "", weak(TooLong)
	}
	if cost < MinCost || cost > MaxCost {
		return "", fmt.Errorf("password: a bcrypt cost of %d", cost)
	}
	hash, err := bcrypt.GenerateFromPassword(text, cost)
	if err != nil {
		return "", fmt.Errorf("password: %w", err)
	}
	return string(hash), nil
}

// Verify says whether hash was made of plain. A hash that is none never fits.
func Verify(hash, plain string) bool {
	text, ok := ready(plain)
	return ok && bcrypt.CompareHashAndPassword([]byte(hash), text) == nil
}

// Decoy is a hash that no password fits, for the account that does not exist:
// verifying against it costs the same as against a real hash of that cost.
func Decoy(cost int) (string, error) {
	if cost < MinCost || cost > MaxCost {
		return "", errors.New("password: no such bcrypt cost")
	}
	return fmt.Sprintf("$2a$%02d$%s", cost, strings.Repeat(".", 22+31)), nil
}
