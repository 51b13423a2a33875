// Package token makes and reads the sign-in tokens of people: access and
// refresh, both JWTs under HS256 with a secret of their own (RFC 7519). They
// have nothing in common with the signed licences of package verdict: each
// parser takes exactly one algorithm, one typ and one kind of key.
package token

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"goldfish/license/fault"
)

// Typ says what a token is for; it stands in the header. One typ is worth
// nothing in the place of another.
type Typ string

const (
	Access  Typ = "goldfish-access+jwt"  // sent as bearer with each call
	Refresh Typ = "goldfish-refresh+jwt" // exchanged for a new pair, once
)

const (
	// MaxSize is the most bytes of a token.
	MaxSize = 4096
	// MinSecret is the fewest bytes of an Issuer's secret (RFC 7518 §3.2).
	MinSecret = 32

	// CodeExpired is the code of a token that was good until its end.
	CodeExpired = "token_expired"
	// CodeInvalid is the code of every other token that is not taken.
	CodeInvalid = "token_invalid"
)

// Who is what a token says of its holder.
type Who struct {
	Account string // the account's outer id
	Session string // the session's outer id
	Kind    string // the sort of account, in the words of package license
}

// Claims are what a good token carries.
type Claims struct {
	Who
	ID       string    // this token alone, for rotation
	IssuedAt time.Time // whole seconds, UTC
	Expires  time.Time // the first moment at which it is no longer good
}

// wire is the payload. All members are required.
type wire struct {
	Issuer   string `json:"iss"`
	Audience string `json:"aud"`
	Subject  string `json:"sub"`
	Session  string `json:"sid"`
	ID       string `json:"jti"`
	IssuedAt int64  `json:"iat"`
	Expires  int64  `json:"exp"`
	Kind     string `json:"kind"`
}

// Issuer makes and reads tokens. It is safe for use by several goroutines if
// its random source is, and never prints its secret.
type Issuer struct {
	secret        []byte
	name, service string // iss and aud
	now           func() time.Time
	rand          io.Reader
	parser        *jwt.Parser
}

// NewIssuer makes an Issuer. name and service become iss and aud and are
// required of every token that is read; secret has at least 32 bytes and is
// used for nothing else.
func NewIssuer(secret []byte, name, service string, now func() time.Time, rand io.Reader) (*Issuer, error) {
	if len(secret) < MinSecret {
		return nil, fault.New(fault.Internal, "token_secret_short").Because(fmt.Errorf("%d bytes", len(secret)))
	}
	if name == "" || service == "" {
		return nil, fault.New(fault.Internal, "token_issuer_nameless")
	}
	return &Issuer{
		secret: append([]byte(nil), secret...), name: name, service: service, now: now, rand: rand,
		// The claims are judged below, in a fixed order and without leeway.
		parser: jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}), jwt.WithStrictDecoding(), jwt.WithoutClaimsValidation()),
	}, nil
}

// String hides the secret.
func (i *Issuer) String() string { return "token.Issuer(" + i.name + ")" }

// GoString hides it in %#v.
func (i *Issuer) GoString() string { return i.String() }

// LogValue hides it in slog.
func (i *Issuer) LogValue() slog.Value { return slog.StringValue(i.String()) }

// Issue makes a token of a typ that is good from now for ttl, in whole seconds.
// Every member of who is required.
func (i *Issuer) Issue(typ Typ, who Who, ttl time.Duration) (string, Claims, error) {
	if typ != Access && typ != Refresh || who.Account == "" || who.Session == "" || who.Kind == "" || ttl < time.Second {
		return "", Claims{}, fault.New(fault.Internal, "token_incomplete")
	}
	var id [16]byte
	if _, err := io.ReadFull(i.rand, id[:]); err != nil {
		return "", Claims{}, fmt.Errorf("token: random source: %w", err)
	}
	now := i.now().Unix()
	payload := wire{
		Issuer: i.name, Audience: i.service, Subject: who.Account, Session: who.Session,
		ID: base64.RawURLEncoding.EncodeToString(id[:]), IssuedAt: now, Expires: now + int64(ttl/time.Second), Kind: who.Kind,
	}
	made := jwt.NewWithClaims(jwt.SigningMethodHS256, payload)
	made.Header["typ"] = string(typ)
	raw, err := made.SignedString(i.secret)
	if err != nil {
		return "", Claims{}, fmt.Errorf("token: %w", err)
	}
	if len(raw) > MaxSize {
		return "", Claims{}, fault.New(fault.Internal, "token_incomplete").Because(fmt.Errorf("%d bytes", len(raw)))
	}
	return raw, payload.claims(), nil
}

// backstep is how many seconds the appliance's own clock may have been set back since a token was issued
// without everybody being signed out. The end of a token has no leeway.
const backstep = 60

// Parse reads a token in the place of a typ. The faults are Unauthenticated:
// token_invalid, or token_expired where all but its end is good.
func (i *Issuer) Parse(raw string, typ Typ) (Claims, error) {
	if len(raw) > MaxSize || strings.ContainsAny(raw, "\r\n") { // base64 would skip line breaks
		return Claims{}, invalid(errors.New("too long, or it holds a line break"))
	}
	var payload wire
	_, err := i.parser.ParseWithClaims(raw, &payload, func(t *jwt.Token) (any, error) {
		if len(t.Header) != 2 || t.Header["typ"] != string(typ) {
			return nil, errors.New("the header is not the one of this place")
		}
		return i.secret, nil
	})
	if err != nil {
		return Claims{}, invalid(err)
	}
	now := i.now().Unix()
	switch {
	case payload.Issuer != i.name || payload.Audience != i.service:
		return Claims{}, invalid(errors.New("iss or aud is another"))
	case payload.Subject == "" || payload.Session == "" || payload.ID == "" || payload.Kind == "":
		return Claims{}, invalid(errors.New("a claim is missing"))
	case payload.IssuedAt <= 0 || payload.Expires <= payload.IssuedAt:
		return Claims{}, invalid(errors.New("iat and exp are missing or out of order"))
	case payload.IssuedAt > now+backstep:
		return Claims{}, invalid(errors.New("iat is in the future"))
	case payload.Expires <= now:
		return Claims{}, fault.New(fault.Unauthenticated, CodeExpired)
	}
	return payload.claims(), nil
}

func invalid(cause error) error {
	return fault.New(fault.Unauthenticated, CodeInvalid).Because(cause)
}

func (w wire) claims() Claims {
	return Claims{
		Who: Who{Account: w.Subject, Session: w.Session, Kind: w.Kind}, ID: w.ID,
		IssuedAt: time.Unix(w.IssuedAt, 0).UTC(), Expires: time.Unix(w.Expires, 0).UTC(),
	}
}

// The library asks for these; the times and names are judged in Parse.

// GetExpirationTime is exp.
func (w wire) GetExpirationTime() (*jwt.NumericDate, error) {
	return jwt.NewNumericDate(time.Unix(w.Expires, 0)), nil
}

// GetIssuedAt is iat.
func (w wire) GetIssuedAt() (*jwt.NumericDate, error) {
	return jwt.NewNumericDate(time.Unix(w.IssuedAt, 0)), nil
}

// GetNotBefore is none.
func (w wire) GetNotBefore() (*jwt.NumericDate, error) { return nil, nil }

// GetIssuer is iss.
func (w wire) GetIssuer() (string, error) { return w.Issuer, nil }

// GetSubject is sub.
func (w wire) GetSubject() (string, error) { return w.Subject, nil }

// GetAudience is aud.
func (w wire) GetAudience() (jwt.ClaimStrings, error) { return jwt.ClaimStrings{w.Audience}, nil }
