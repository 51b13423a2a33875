package verdict

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"

	"goldfish/license/fault"
)

// KeyID is the kid of a raw public key: hex(SHA-256(key))[:16]. It is always
// computed, never believed.
func KeyID(public ed25519.PublicKey) string {
	sum := sha256.Sum256(public)
	return hex.EncodeToString(sum[:8])
}

// header is the one first part that a token of this type by this key may have.
func header(kid, typ string) string {
	return Encode64([]byte(`{"alg":"EdDSA","kid":"` + kid + `","typ":"` + typ + `"}`))
}

// limit is the most bytes a token of this type may have; 0 for an unknown type.
func limit(typ string) int {
	switch typ {
	case TypVerdict, TypOrder:
		return MaxToken
	case TypNotice:
		return MaxNotice
	}
	return 0
}

// Signer signs tokens with one Ed25519 key (RFC 8032). It is safe for use by
// several goroutines and prints as its key id.
type Signer struct {
	private ed25519.PrivateKey
	kid     string
	headers map[string]string // by type, with the dot that follows
}

// NewSigner makes a Signer from the 32-byte seed of its key.
func NewSigner(seed []byte) (*Signer, error) {
	if len(seed) != ed25519.SeedSize {
		return nil, fault.New(fault.Internal, "signing_key_invalid").Because(fmt.Errorf("a seed of %d bytes", len(seed)))
	}
	private := ed25519.NewKeyFromSeed(seed)
	s := &Signer{private: private, kid: KeyID(private.Public().(ed25519.PublicKey)), headers: map[string]string{}}
	for _, typ := range []string{TypVerdict, TypOrder, TypNotice} {
		s.headers[typ] = header(s.kid, typ) + "."
	}
	return s, nil
}

// KeyID is the kid of this signer's key.
func (s *Signer) KeyID() string { return s.kid }

// Public is the public key as vendors embed it: b64u, 43 characters.
func (s *Signer) Public() string { return Encode64(s.private.Public().(ed25519.PublicKey)) }

// String is the key id: the key itself is never printed.
func (s *Signer) String() string { return "verdict.Signer(" + s.kid + ")" }

// GoString is the same for %#v.
func (s *Signer) GoString() string { return s.String() }

// LogValue is the same for slog.
func (s *Signer) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Sign makes a token of a type (TypVerdict with Claims, TypOrder with Order,
// TypNotice with Notice). A payload that breaks its own limits, a type that is
// not ours or a token above its size is an internal fault: nothing is signed.
func (s *Signer) Sign(typ string, payload any) (string, error) {
	head, ok := s.headers[typ]
	if !ok {
		return "", malformed(fmt.Errorf("no token type %q", typ))
	}
	if own, ok := payload.(checked); ok {
		if err := own.fits(); err != nil {
			return "", malformed(fmt.Errorf("%s: %w", typ, err))
		}
	}
	body, err := encode(payload)
	if err != nil {
		return "", malformed(err)
	}
	if body[0] != '{' {
		return "", malformed(fmt.Errorf("%s: the payload is no object", typ))
	}
	b64 := base64.RawURLEncoding
	size := len(head) + b64.EncodedLen(len(body)) + 1 + b64.EncodedLen(ed25519.SignatureSize)
	if size > limit(typ) {
		return "", malformed(fmt.Errorf("%s of %d bytes", typ, size))
	}
	token := make([]byte, 0, size)
	token = append(token, head...)
	token = b64.AppendEncode(token, body)
	signature := ed25519.Sign(s.private, token)
	token = append(token, '.')
	return string(b64.AppendEncode(token, signature)), nil
}

func malformed(cause error) error {
	return fault.New(fault.Internal, "token_malformed").Because(cause)
}
