package verdict

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"goldfish/license/fault"
)

// Pins are the signing keys that a client trusts: built in, never learned.
type Pins struct {
	kids []string
	keys map[string]ed25519.PublicKey // by kid
}

// NewPins takes 1–8 public keys in b64u; no key or a malformed one is an error.
func NewPins(publics ...string) (*Pins, error) {
	if len(publics) == 0 || len(publics) > MaxKids {
		return nil, fault.New(fault.Invalid, "public_key_invalid").Because(fmt.Errorf("%d keys", len(publics)))
	}
	pins := &Pins{keys: map[string]ed25519.PublicKey{}}
	for _, text := range publics {
		public, ok := Decode64(text)
		if !ok || len(public) != ed25519.PublicKeySize {
			return nil, fault.New(fault.Invalid, "public_key_invalid").Because(errors.New("a key is not b64u of 32 bytes"))
		}
		kid := KeyID(public)
		pins.kids, pins.keys[kid] = append(pins.kids, kid), public
	}
	return pins, nil
}

// KeyIDs are the kids to list in a call, in the order in which keys were given.
func (p *Pins) KeyIDs() []string { return slices.Clone(p.kids) }

// Open makes the checks 1–3 of protocol §8 for the place where typ belongs:
// length, three parts, strict b64u; the first part equals the constant for a
// pinned key; the signature. It gives the payload. The header is compared and
// never parsed.
func (p *Pins) Open(token, typ string) ([]byte, error) {
	if len(token) > limit(typ) {
		return nil, unverifiable(1, errors.New("too long"))
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, unverifiable(1, fmt.Errorf("%d parts", len(parts)))
	}
	var raw [3][]byte
	for i, part := range parts {
		var ok bool
		if raw[i], ok = Decode64(part); !ok || part == "" {
			return nil, unverifiable(1, fmt.Errorf("part %d is not b64u", i+1))
		}
	}
	for kid, public := range p.keys {
		if parts[0] != header(kid, typ) {
			continue
		}
		signed := token[:len(parts[0])+1+len(parts[1])]
		if len(raw[2]) != ed25519.SignatureSize || !ed25519.Verify(public, []byte(signed), raw[2]) {
			return nil, unverifiable(3, errors.New("the signature does not fit"))
		}
		return raw[1], nil
	}
	return nil, unverifiable(2, errors.New("the first part is not the one of this place and a pinned key"))
}

// unverifiable is the one outcome of a failed check: it is no answer and
// changes nothing. Args tell which of the checks of protocol §8 it was.
func unverifiable(check int, cause error) error {
	return fault.New(fault.Forbidden, "unverifiable").With("check", check).Because(cause)
}

// Known is the last accepted verdict's epoch and time; the zero value is none.
type Known struct {
	Epoch, IssuedAt int64
}

// Expect is what a client knows of its own call when an answer comes in.
type Expect struct {
	Pins  *Pins
	AppID string
	Nonce string // made for this call; it counts once and for 60 s, which the caller sees to
	Req   string // Request.Req of this call
	Key   string // the own device public key
	Last  Known
}

// Check makes the six checks of protocol §8 in their order. Any failure is
// fault unverifiable: no answer at all, which changes nothing.
func Check(token string, want Expect) (Claims, error) {
	payload, err := want.Pins.Open(token, TypVerdict)
	if err != nil {
		return Claims{}, err
	}
	m, err := read(payload)
	if err != nil {
		return Claims{}, unverifiable(4, err)
	}
	for _, claim := range []struct{ name, want string }{
		{"aud", want.AppID},
		{"nonce", want.Nonce},
		{"req", want.Req},
		{"key", want.Key},
	} {
		if got := m.text(claim.name); m.err != nil || got != claim.want || got == "" {
			return Claims{}, unverifiable(4, fmt.Errorf("%s is another", claim.name))
		}
	}
	epoch, iat := m.number("ep"), m.number("iat")
	if m.err == nil && want.Last != (Known{}) && epoch == want.Last.Epoch && iat < want.Last.IssuedAt-Slack {
		return Claims{}, unverifiable(5, fmt.Errorf("iat is %d s older", want.Last.IssuedAt-iat))
	}
	claims, err := m.claims()
	if err != nil {
		return Claims{}, unverifiable(6, err)
	}
	return claims, nil
}

// ExpectOrder is what an order is held against.
type ExpectOrder struct {
	Pins       *Pins
	AppID      string
	Key        string // the own device public key
	Session    string // this process's
	Epoch, Seq int64  // of the last accepted verdict
}

// CheckOrder opens an order and says whether it counts (protocol §10): for this
// key and session, and newer than the last verdict. One that is not signed for
// this place is fault unverifiable, one that does not count is not_counted.
func CheckOrder(token string, want ExpectOrder) (Order, error) {
	payload, err := want.Pins.Open(token, TypOrder)
	if err != nil {
		return Order{}, err
	}
	m, err := read(payload)
	if err != nil {
		return Order{}, unverifiable(4, err)
	}
	order := m.order()
	switch {
	case m.err != nil:
		return Order{}, unverifiable(6, m.err)
	case order.Audience != want.AppID:
		return Order{}, unverifiable(4, errors.New("aud is another"))
	case order.Key == "" || order.Key != want.Key:
		return Order{}, notCounted("key is another")
	case order.Session != "" && order.Session != want.Session:
		return Order{}, notCounted("session is another")
	case !above(order.Epoch, order.Seq, want.Epoch, want.Seq):
		return Order{}, notCounted("not above the last verdict")
	case order.Act != Stop && order.Act != Hold && order.Act != Wait:
		return Order{}, notCounted("act is none of an order's")
	}
	return order, nil
}

func above(epoch, seq, thanEpoch, thanSeq int64) bool {
	return epoch > thanEpoch || epoch == thanEpoch && seq > thanSeq
}

func notCounted(why string) error {
	return fault.New(fault.Conflict, "not_counted").Because(errors.New(why))
}

// CheckNotice opens a notice and says whether it is one to show: signed for
// this app, and its seq above seen.
func CheckNotice(token string, pins *Pins, appID string, seen int64) (Notice, error) {
	payload, err := pins.Open(token, TypNotice)
	if err != nil {
		return Notice{}, err
	}
	m, err := read(payload)
	if err != nil {
		return Notice{}, unverifiable(4, err)
	}
	notice := m.notice()
	switch {
	case m.err != nil:
		return Notice{}, unverifiable(6, m.err)
	case notice.Audience != appID:
		return Notice{}, unverifiable(4, errors.New("aud is another"))
	case notice.Seq <= seen:
		return Notice{}, notCounted("not above the last notice seen")
	}
	return notice, nil
}

// members are the claims of one payload by their exact names: encoding/json
// alone would also take another case for a name. The first wrong type is kept.
type members struct {
	raw map[string]json.RawMessage
	err error
}

// read opens a payload and checks that it is one object with "v":1.
func read(payload []byte) (*members, error) {
	m := &members{}
	if err := json.Unmarshal(payload, &m.raw); err != nil || m.raw == nil {
		return nil, errors.New("the payload is no object")
	}
	if v := m.number("v"); m.err != nil || v != 1 {
		return nil, errors.New("v is not 1")
	}
	return m, nil
}

func (m *members) into(name string, value any) {
	raw, ok := m.raw[name]
	if m.err != nil {
		return
	}
	if !ok || bytes.Equal(raw, []byte("null")) {
		m.err = fmt.Errorf("%s is missing", name)
	} else if json.Unmarshal(raw, value) != nil {
		m.err = fmt.Errorf("%s has the wrong type", name)
	}
}

func (m *members) text(name string) (value string) {
	m.into(name, &value)
	return value
}

func (m *members) number(name string) (value int64) {
	m.into(name, &value)
	return value
}

// numberOrNull is nil for null; a missing member is an error here too.
func (m *members) numberOrNull(name string) *int64 {
	if raw, ok := m.raw[name]; ok && bytes.Equal(raw, []byte("null")) {
		return nil
	}
	value := m.number(name)
	return &value
}

func (m *members) texts(name string) []string {
	var found []*string
	m.into(name, &found)
	value := make([]string, 0, len(found))
	for _, text := range found {
		if text == nil {
			m.err = fmt.Errorf("%s has the wrong type", name)
			return nil
		}
		value = append(value, *text)
	}
	return value
}

func (m *members) claims() (Claims, error) {
	c := Claims{
		Version: m.number("v"), Issuer: m.text("iss"), Audience: m.text("aud"), Subject: m.text("sub"),
		IssuedAt: m.number("iat"), Expires: m.number("exp"), Nonce: m.text("nonce"), Req: m.text("req"),
		Act: m.text("act"), Code: m.text("code"), Device: m.text("dev"), Key: m.text("key"),
		Tol: m.number("tol"), Card: m.card(), Beat: m.number("beat"), Epoch: m.number("ep"),
		Seq: m.number("seq"), News: m.number("news"),
	}
	parts := m.texts("parts")
	switch {
	case m.err != nil:
		return Claims{}, m.err
	case len(parts) != 3:
		return Claims{}, fmt.Errorf("%d parts", len(parts))
	case c.Act == Run && c.Card == nil:
		return Claims{}, errors.New("run without a card")
	case c.Expires < c.IssuedAt || c.Expires-c.IssuedAt > MaxLease:
		return Claims{}, fmt.Errorf("a lease of %d s", c.Expires-c.IssuedAt)
	}
	c.Parts = [3]string(parts)
	return c, nil
}

func (m *members) card() *Card {
	raw, ok := m.raw["card"]
	if !ok || bytes.Equal(raw, []byte("null")) {
		return nil
	}
	inner := &members{}
	m.into("card", &inner.raw)
	card := &Card{
		ID: inner.text("id"), State: inner.text("state"), Validity: inner.text("validity"),
		Expires: inner.numberOrNull("expires_at"), Tier: inner.text("tier"), Features: inner.texts("features"),
	}
	if m.err == nil && inner.err != nil {
		m.err = fmt.Errorf("card: %w", inner.err)
	}
	return card
}

func (m *members) order() Order {
	return Order{
		Version: m.number("v"), Issuer: m.text("iss"), Audience: m.text("aud"), IssuedAt: m.number("iat"),
		Epoch: m.number("ep"), Seq: m.number("seq"), Key: m.text("key"), Card: m.text("card"),
		Session: m.text("session"), Act: m.text("act"), Code: m.text("code"), Spread: m.number("spread"),
	}
}

func (m *members) notice() Notice {
	n := Notice{
		Version: m.number("v"), Issuer: m.text("iss"), Audience: m.text("aud"), IssuedAt: m.number("iat"),
		Expires: m.numberOrNull("exp"), Epoch: m.number("ep"), Seq: m.number("seq"), Kind: m.text("kind"),
	}
	var object map[string]json.RawMessage
	m.into("data", &object)
	n.Data = m.raw["data"]
	return n
}
