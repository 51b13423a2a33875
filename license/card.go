package license

import (
	"encoding/hex"

	"goldfish/license/cardkey"
	"goldfish/license/fault"
	"goldfish/store"
)

// CardState is where a card key stands (CK4). The numbers lie in the file and are never used again.
type CardState uint8

// The states of CK4.
const (
	CardUnused  CardState = 1
	CardActive  CardState = 2
	CardLapsed  CardState = 3
	CardOff     CardState = 4
	CardRemoved CardState = 5
)

var cardStates = map[CardState]string{
	CardUnused: "unused", CardActive: "active", CardLapsed: "expired", CardOff: "disabled", CardRemoved: "deleted",
}

// String is the state's name on the wire.
func (s CardState) String() string { return cardStates[s] }

// ParseCardState reads a state's name; the empty one gives 0, which means any.
func ParseCardState(s string) (CardState, error) {
	if s == "" {
		return 0, nil
	}
	for state, name := range cardStates {
		if name == s {
			return state, nil
		}
	}
	return 0, fault.New(fault.Invalid, "value_unknown").In("state")
}

// Card is the hot row of a card key: what changes. Its id is sequential within its batch. What clients call
// card_id is this row's outer id.
type Card struct {
	ID        store.ID  `cbor:"1,keyasint"`
	App       store.ID  `cbor:"2,keyasint"`
	Batch     store.ID  `cbor:"3,keyasint"`
	State     CardState `cbor:"4,keyasint"`
	Was       CardState `cbor:"5,keyasint,omitempty"` // the state that a disabled or deleted card goes back to
	Licence   store.ID  `cbor:"6,keyasint,omitempty"`
	Activated int64     `cbor:"7,keyasint,omitempty"`
	Ends      int64     `cbor:"8,keyasint,omitempty"` // 0: never, or not begun
	WasOff    CardState `cbor:"9,keyasint,omitempty"` // Was of the disabled state that a deleted card goes back to
}

// CardText is the cold row: the key itself and what the vendor wrote beside it. It lies sealed and is found
// through a look-up key of the code.
type CardText struct {
	Card store.ID `cbor:"1,keyasint"`
	Code []byte   `cbor:"2,keyasint"` // 16 characters
	Note string   `cbor:"3,keyasint,omitempty"`
	// History is who did what to the card and why, newest last, at most marksKept.
	History []Mark `cbor:"4,keyasint,omitempty"`
}

// Key is the card key in its shown form.
func (t *CardText) Key() string {
	k, err := cardkey.Parse(string(t.Code))
	if err != nil {
		return ""
	}
	return k.String()
}

// Masked is the card key with its middle hidden.
func (t *CardText) Masked() string {
	k, err := cardkey.Parse(string(t.Code))
	if err != nil {
		return ""
	}
	return k.Masked()
}

func cardCounter(batch store.ID, s CardState) string {
	return hex.EncodeToString(batch.Key()) + "." + s.String()
}

// TermKind says how long a card is good for (CK3). The numbers lie in the file and are never used again.
type TermKind uint8

// The three validities.
const (
	Permanent TermKind = 1
	Duration  TermKind = 2
	Until     TermKind = 3
)

var termKinds = map[TermKind]string{Permanent: "permanent", Duration: "duration", Until: "until"}

// String is the validity's name on the wire and in verdicts.
func (k TermKind) String() string { return termKinds[k] }

// ParseTermKind reads a validity's name.
func ParseTermKind(s string) (TermKind, error) {
	for k, name := range termKinds {
		if name == s {
			return k, nil
		}
	}
	return 0, fault.New(fault.Invalid, "value_unknown").In("validity.kind")
}

// Terms are what a batch's cards give.
type Terms struct {
	Kind     TermKind `cbor:"1,keyasint"`
	Seconds  int64    `cbor:"2,keyasint,omitempty"` // of Duration, from activation
	Until    int64    `cbor:"3,keyasint,omitempty"` // of Until, Unix milliseconds
	Devices  int      `cbor:"4,keyasint"`           // seats
	Tier     string   `cbor:"5,keyasint,omitempty"`
	Features []string `cbor:"6,keyasint,omitempty"`
}

// ends is when a card that is activated at now ends; 0 means never.
func (t Terms) ends(now int64) int64 {
	switch t.Kind {
	case Duration:
		return now + t.Seconds*1000
	case Until:
		return t.Until
	}
	return 0
}

// stateAt is the state that counts at a time. Whether a card has ended says its end alone: it counts at once,
// whether or not the sweep has written it, and does not count while it lies ahead, though a clock that was
// wrong had it written. until is the batch's fixed end, 0 if it has none.
func (c *Card) stateAt(now, until int64) CardState {
	switch c.State {
	case CardActive, CardLapsed:
		if c.Ends != 0 && now >= c.Ends {
			return CardLapsed
		}
		return CardActive
	case CardUnused:
		if until != 0 && now >= until {
			return CardLapsed
		}
	}
	return c.State
}

// refusal says why a card in this state runs nothing; nil for an active one.
func (s CardState) refusal() *fault.Error {
	switch s {
	case CardActive:
		return nil
	case CardUnused:
		return refuse(fault.Forbidden, "card_unused")
	case CardRemoved:
		return refuse(fault.Forbidden, "card_deleted")
	case CardOff:
		return refuse(fault.Forbidden, "card_disabled")
	}
	return refuse(fault.Forbidden, "card_expired")
}

// activate starts an unused card's term.
func (c *Card) activate(t Terms, licence store.ID, now int64) {
	c.State, c.Licence, c.Activated, c.Ends = CardActive, licence, now, t.ends(now)
}

// CardAct is what the back office does to cards.
type CardAct uint8

// The acts on a card.
const (
	EnableCard CardAct = iota + 1
	DisableCard
	DeleteCard
)

// apply changes the card's state, or says why it cannot be.
func (c *Card) apply(act CardAct, now, until int64) error {
	state := c.stateAt(now, until)
	switch {
	case state == CardRemoved:
		return fault.New(fault.Conflict, "card_deleted")
	case act == DisableCard && state == CardOff:
		return fault.New(fault.Conflict, "card_already_disabled")
	case act == EnableCard && state != CardOff:
		return fault.New(fault.Conflict, "card_not_disabled").With("state", state.String())
	}
	switch act {
	case DisableCard:
		c.State, c.Was = CardOff, c.State
	case EnableCard:
		c.State, c.Was = c.Was, 0
		c.State = c.stateAt(now, 0)
	case DeleteCard:
		c.State, c.Was, c.WasOff = CardRemoved, c.State, c.Was
	}
	return nil
}

// cardByCode finds the card of a key in a batch that is ready, or store.ErrNotFound.
func cardByCode(tx *store.Tx, key cardkey.Key) (*Card, *Batch, error) {
	code := key.Canonical()
	lookup, err := tx.Lookup("card.code", code[:])
	if err != nil {
		return nil, nil, err
	}
	text, err := cardTexts.Find(tx, textByCode, lookup)
	if err != nil {
		return nil, nil, err
	}
	return cardByID(tx, text.Card)
}

// cardByID finds a card in a batch that is ready, or store.ErrNotFound: to everybody, a card that is still
// being made is not there.
func cardByID(tx *store.Tx, id store.ID) (*Card, *Batch, error) {
	card, err := cards.Get(tx, id.Key())
	if err != nil {
		return nil, nil, err
	}
	batch, err := batches.Get(tx, card.Batch.Key())
	if err == nil && batch.State != BatchIsReady {
		err = store.ErrNotFound
	}
	return card, batch, err
}
