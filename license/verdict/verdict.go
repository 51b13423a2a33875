// Package verdict is everything that the appliance signs and that a client
// proves: keys and tokens (protocol §3), the request text and its proof (§4),
// verdicts, orders and notices (§6, §10), and a reference for what a client
// does with them (§8): the checks, the lease, the time and the state's seal.
//
// The server uses Signer, Request, Proof, Lease and the Valid… functions. The
// client's half (Pins, Check, Judge, Clock, SealState) is for tests, for the
// vectors that every SDK is held to, and for the appliance's own benchmark.
//
// All times are whole Unix seconds of the server unless said otherwise.
package verdict

import (
	"encoding/base64"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The types of token. A token of one type is worth nothing in the place of
// another: the first part of each place is a constant that names the type.
const (
	TypVerdict = "goldfish-verdict+jwt"
	TypOrder   = "goldfish-order+jwt"
	TypNotice  = "goldfish-notice+jwt"
)

// What a verdict tells the client to do. A client takes any other word for Stop.
const (
	Run  = "run"  // go on, and keep this verdict as the lease
	Wait = "wait" // change nothing and ask again after beat
	Hold = "hold" // end or do not start; the lease stays
	Stop = "stop" // the same, and the lease is deleted
)

// Limits of this page of the protocol.
const (
	MaxToken  = 4096      // bytes of a verdict or an order
	MaxNotice = 64 * 1024 // bytes of a notice
	MaxKids   = 8         // pinned keys, and kids in a call

	Window   = 300       // seconds a proof's time may be off, either way
	Slack    = 900       // seconds a verdict may be older than the last one in its epoch
	MaxLease = 400 * day // seconds from iat to exp
	MaxGrace = 90 * day  // seconds a policy may allow offline
	MinBeat  = 30        // seconds; clients clamp what a verdict says
	MaxBeat  = 3600

	day = 24 * 60 * 60
)

// Encode64 is b64u: base64url without padding.
func Encode64(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

// Decode64 reads strict b64u: the alphabet alone, no padding, no line breaks,
// and unused bits zero, so that encoding the result gives text again.
func Decode64(text string) ([]byte, bool) {
	if strings.ContainsAny(text, "\r\n") { // which the standard library skips
		return nil, false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return raw, err == nil
}

// ValidNonce says whether text is b64u of exactly 16 bytes: a nonce or a session.
func ValidNonce(text string) bool { return isB64u(text, 16) }

// ValidPublic says whether text is b64u of exactly 32 bytes: a public key.
func ValidPublic(text string) bool { return isB64u(text, 32) }

func isB64u(text string, size int) bool {
	if len(text) != base64.RawURLEncoding.EncodedLen(size) {
		return false
	}
	_, ok := Decode64(text)
	return ok
}

// ValidIdempotencyKey says whether text has 16–64 of A–Z a–z 0–9 - _.
func ValidIdempotencyKey(text string) bool {
	return len(text) >= 16 && len(text) <= 64 && only(text, "-_")
}

// ValidKeyID says whether text has 16 lower-case hex digits.
func ValidKeyID(text string) bool {
	return len(text) == 16 && strings.Trim(text, "0123456789abcdef") == ""
}

// ValidKids says whether a call lists 1–8 well-formed key ids.
func ValidKids(kids []string) bool {
	for _, kid := range kids {
		if !ValidKeyID(kid) {
			return false
		}
	}
	return len(kids) >= 1 && len(kids) <= MaxKids
}

// ValidPlatform says whether text is at most 32 printable characters. It may be "".
func ValidPlatform(text string) bool {
	if !utf8.ValidString(text) || utf8.RuneCountInString(text) > 32 {
		return false
	}
	return strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// ValidFeature says whether text has 1–32 of A–Z a–z 0–9 . _ -: a feature, or a
// tier that is not "".
func ValidFeature(text string) bool {
	return text != "" && len(text) <= 32 && only(text, "._-")
}

// ValidCardID says whether text can be a card's outer id: 1–36 of A–Z a–z 0–9 - _.
func ValidCardID(text string) bool {
	return text != "" && len(text) <= 36 && only(text, "-_")
}

// only says whether text is made of ASCII letters, digits and the given signs.
func only(text, signs string) bool {
	for i := range len(text) {
		c := text[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && strings.IndexByte(signs, c) < 0 {
			return false
		}
	}
	return true
}

// Lease is the exp of a run verdict (protocol §6): iat + max(grace, 3 × beat),
// never after the card's end (nil: it has none) and never before iat. grace and
// beat are seconds; a grace above 90 days counts as 90.
func Lease(iat, grace, beat int64, cardEnd *int64) int64 {
	end := iat + max(min(grace, MaxGrace), 3*beat)
	if cardEnd != nil {
		end = min(end, *cardEnd)
	}
	return max(end, iat)
}

// Beat is what a client makes of a verdict's beat: clamped to 30–3,600 seconds.
func Beat(said int64) int64 { return min(max(said, MinBeat), MaxBeat) }
