package verdict

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// Claims are the payload of a verdict (protocol §6), in the order in which they
// are written. All are always there, but for Card.
type Claims struct {
	Version  int64     `json:"v"`     // 1
	Issuer   string    `json:"iss"`   // the appliance's UUID; clients do not check it
	Audience string    `json:"aud"`   // the app's UUID
	Subject  string    `json:"sub"`   // the account's UUID or ""
	IssuedAt int64     `json:"iat"`   // server time
	Expires  int64     `json:"exp"`   // end of the lease; IssuedAt unless Act is Run
	Nonce    string    `json:"nonce"` // the client's
	Req      string    `json:"req"`   // Request.Hash
	Act      string    `json:"act"`   // Run, Wait, Hold, Stop
	Code     string    `json:"code"`  // why (§7)
	Device   string    `json:"dev"`   // device id, 32 hex digits, or ""
	Key      string    `json:"key"`   // device public key of the proof, or ""
	Parts    [3]string `json:"parts"` // part hashes of this request
	Tol      int64     `json:"tol"`   // how many of them may differ
	Card     *Card     `json:"card,omitempty"`
	Beat     int64     `json:"beat"` // seconds to the next heartbeat or attempt
	Epoch    int64     `json:"ep"`
	Seq      int64     `json:"seq"`  // the app's push counter
	News     int64     `json:"news"` // seq of the last notice
}

// Card is what a verdict tells of the licence. It is there with Run, and in
// refusals to the device that holds the binding.
type Card struct {
	ID       string   `json:"id"`         // opaque, ≤ 36, never used again
	State    string   `json:"state"`      // unused, active, expired, disabled, deleted
	Validity string   `json:"validity"`   // permanent, duration, until
	Expires  *int64   `json:"expires_at"` // nil: it does not end
	Tier     string   `json:"tier"`       // ≤ 32 of A–Z a–z 0–9 . _ - or ""
	Features []string `json:"features"`   // ≤ 32 of the same
}

// Order is the payload of an order to one device (protocol §10).
type Order struct {
	Version  int64  `json:"v"`
	Issuer   string `json:"iss"`
	Audience string `json:"aud"`
	IssuedAt int64  `json:"iat"`
	Epoch    int64  `json:"ep"`
	Seq      int64  `json:"seq"`
	Key      string `json:"key"`     // the device public key it is for
	Card     string `json:"card"`    // the card's id
	Session  string `json:"session"` // one process, or "" for all of them
	Act      string `json:"act"`     // Stop, Hold or Wait; never Run
	Code     string `json:"code"`
	Spread   int64  `json:"spread"` // the heartbeat follows after a random 0–Spread s
}

// Notice is the payload of a notice to an app (protocol §10).
type Notice struct {
	Version  int64           `json:"v"`
	Issuer   string          `json:"iss"`
	Audience string          `json:"aud"`
	IssuedAt int64           `json:"iat"`
	Expires  *int64          `json:"exp"` // nil: it does not end
	Epoch    int64           `json:"ep"`
	Seq      int64           `json:"seq"`
	Kind     string          `json:"kind"` // announcement, withdrawn, maintenance, release, config
	Data     json.RawMessage `json:"data"` // one JSON object, its form given by Kind
}

// checked is a payload that knows its own limits. They are ours to keep: what
// reaches a token has been judged before, so a failure here is a mistake.
type checked interface{ fits() error }

func (c Claims) fits() error {
	switch {
	case c.Version != 1:
		return fmt.Errorf("v is %d", c.Version)
	case !ValidNonce(c.Nonce):
		return errors.New("nonce is malformed")
	case c.Key != "" && !ValidPublic(c.Key):
		return errors.New("key is malformed")
	case c.Act != Run && c.Act != Wait && c.Act != Hold && c.Act != Stop:
		return fmt.Errorf("act is %q", c.Act)
	case c.Act == Run && c.Card == nil:
		return errors.New("run without a card")
	case c.Act != Run && c.Expires != c.IssuedAt:
		return errors.New("a lease without run")
	case c.Expires < c.IssuedAt || c.Expires-c.IssuedAt > MaxLease:
		return fmt.Errorf("a lease of %d s", c.Expires-c.IssuedAt)
	case c.Tol < 0 || c.Tol > 2:
		return fmt.Errorf("tol is %d", c.Tol)
	}
	if c.Card == nil {
		return nil
	}
	return c.Card.fits()
}

func (c Card) fits() error {
	if !ValidCardID(c.ID) {
		return errors.New("card.id is malformed")
	}
	if c.Tier != "" && !ValidFeature(c.Tier) {
		return errors.New("card.tier is malformed")
	}
	if len(c.Features) > 32 {
		return fmt.Errorf("%d features", len(c.Features))
	}
	for _, feature := range c.Features {
		if !ValidFeature(feature) {
			return errors.New("a feature is malformed")
		}
	}
	return nil
}

func (o Order) fits() error {
	switch {
	case o.Version != 1:
		return fmt.Errorf("v is %d", o.Version)
	case !ValidPublic(o.Key):
		return errors.New("key is malformed")
	case o.Session != "" && !ValidNonce(o.Session):
		return errors.New("session is malformed")
	case o.Act != Wait && o.Act != Hold && o.Act != Stop:
		return fmt.Errorf("act is %q", o.Act)
	case o.Spread < 0:
		return fmt.Errorf("spread is %d", o.Spread)
	}
	return nil
}

// noticeKinds are the words that a notice's kind may have.
var noticeKinds = map[string]bool{"announcement": true, "withdrawn": true, "maintenance": true, "release": true, "config": true}

func (n Notice) fits() error {
	switch {
	case n.Version != 1:
		return fmt.Errorf("v is %d", n.Version)
	case !noticeKinds[n.Kind]:
		return fmt.Errorf("kind is %q", n.Kind)
	case len(n.Data) == 0 || n.Data[0] != '{':
		return errors.New("data is no object")
	}
	return nil
}

// MarshalJSON writes a card's features as [] where there are none.
func (c Card) MarshalJSON() ([]byte, error) {
	type plain Card
	if c.Features == nil {
		c.Features = []string{}
	}
	return encode(plain(c))
}

// encode is compact JSON with < > & as they are.
func encode(payload any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(payload); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// Means is what the client is told to do: Act, and Stop for any unknown word.
func (c Claims) Means() string {
	switch c.Act {
	case Run, Wait, Hold:
		return c.Act
	}
	return Stop
}
