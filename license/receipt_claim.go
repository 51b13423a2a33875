package license

import (
	"cmp"
	"math"

	"goldfish/license/cardkey"
	"goldfish/license/fault"
	"goldfish/license/verdict"
	"goldfish/store"
)

// claim is a device's receipt whose signature is good, with what is to become of it.
type claim struct {
	verdict.Claims
	token string
	card  store.ID // that it names
	fate  fate
	code  string   // why it is kept
	takes *Binding // the older device whose seat it takes
}

// fate is what becomes of a receipt.
type fate uint8

const (
	adopted    fate = iota + 1 // the binding is made anew
	kept                       // the vendor decides
	keptBefore                 // the same, and it is in the file already
	rolledBack                 // kept; and the file is an old copy
	tooMany                    // it would be kept if there were room
)

// forgotten looks at a refusal that may come from what the file has lost: the device is asked for its receipt, or
// the one that it brings is weighed. A refusal that does not come from there stays.
func (a *Authority) forgotten(tx *store.Tx, h *hearing, o *outcome) error {
	lost, err := a.mayBeLost(tx, h, o)
	if err != nil || !lost {
		return err
	}
	if f := cmp.Or(h.factsFault, o.proofFault(h)); f != nil { // an unknown card is told before these are judged
		o.refusal = f
		return nil
	}
	if h.Receipt == "" {
		o.refusal = refuse(fault.Conflict, "receipt_wanted")
		return nil
	}
	o.claim, err = a.weigh(tx, h, o)
	return err
}

// mayBeLost says whether a refusal is one that a device may get because the file has lost its binding: some loss
// is not long ago, and the file has no trace of the device on this card. A mistyped key never is.
func (a *Authority) mayBeLost(tx *store.Tx, h *hearing, o *outcome) (bool, error) {
	if o.refusal == nil || h.bare() || h.key == "" {
		return false, nil
	}
	switch o.refusal.Code {
	case cardkey.CodeUnknown, "device_key_mismatch": // the second: another key may have taken the place of the file's
		if h.CardID == "" {
			return false, nil
		}
	case "card_unused", "device_unbound":
	default:
		return false, nil
	}
	if lost, err := losses(tx); err != nil || len(lost) == 0 {
		return false, err
	}
	card, licence := store.ID(0), store.ID(0)
	if o.card != nil {
		card, licence = o.card.ID, o.card.Licence
	} else if id, err := a.ids.In(NounCard, h.CardID); err == nil {
		card = id
	}
	found, err := traced(tx, h.key, card, licence)
	return err == nil && !found, err
}

// weigh decides on the receipt of a call; nil for one that is none.
func (a *Authority) weigh(tx *store.Tx, h *hearing, o *outcome) (*claim, error) {
	c, err := a.readReceipt(h, o)
	if err != nil || c == nil || old(tx.Now, c.IssuedAt*1000) {
		return nil, err
	}
	before, count, err := receiptsOf(tx, h.key, c.card)
	if err != nil || before != nil && before.State == ReceiptDismissed {
		return nil, err
	}
	if err := a.decide(tx, o, c); err != nil {
		return nil, err
	}
	if c.fate != kept {
		return c, nil
	}
	waiting, err := receipts.Count(tx, waitingCounter(o.app.ID))
	switch {
	case err != nil:
		return nil, err
	case before != nil && before.State == ReceiptWaiting && !before.older(o.app, c):
		c.fate = keptBefore
	case before == nil && count >= receiptsPerKey, waiting >= receiptsPerApp:
		c.fate = tooMany
	}
	return c, nil
}

// older says whether a device that shows a claim has more to tell than what was kept of it: a lease that was signed
// later, or another reason for the same one. So nobody who has kept many leases can have them written in turns.
func (r *Receipt) older(app *App, c *claim) bool {
	if r.Token == c.token {
		return r.Code != c.code
	}
	was, err := r.lease(app)
	return err != nil || was.IssuedAt < c.IssuedAt
}

// readReceipt opens the receipt of a call; nil if it is none of the app's, the device's or the card's.
func (a *Authority) readReceipt(h *hearing, o *outcome) (*claim, error) {
	pins, err := o.app.pins()
	if err != nil {
		return nil, err
	}
	claims, err := verdict.OpenReceipt(h.Receipt, verdict.ExpectReceipt{Pins: pins, AppID: o.appID, Key: h.key})
	if err != nil {
		return nil, nil // a bad receipt is as good as none
	}
	card, err := a.ids.In(NounCard, claims.Card.ID)
	if err != nil || o.card == nil && claims.Card.ID != h.CardID || o.card != nil && card != o.card.ID {
		return nil, nil
	}
	if claims.Epoch < 1 || claims.Epoch >= math.MaxUint16 {
		return nil, nil
	}
	return &claim{Claims: claims, token: h.Receipt, card: card}, nil
}

// decide says what becomes of a good receipt.
func (a *Authority) decide(tx *store.Tx, o *outcome, c *claim) error {
	epoch, err := epochNow(tx)
	if err != nil {
		return err
	}
	covered, err := covered(tx, c.Epoch, c.IssuedAt)
	if err != nil {
		return err
	}
	switch {
	case c.Epoch >= epoch:
		c.fate, c.code = rolledBack, codeRolledBack
	case o.card == nil:
		c.fate, c.code = kept, receiptCard
	case !covered:
		c.fate, c.code = kept, receiptTime
	default:
		c.fate, c.code = kept, receiptSeat
		var room bool
		if c.takes, room = a.room(tx, o, c); room {
			c.fate, c.code = adopted, ""
		}
	}
	return nil
}

// room says whether there is a seat for a receipt's device, and which one ends for it, nil for a free one. A machine
// holds one seat: if the receipt's has one by another key, it is that one or none. Else, where all are held, it is the
// one whose device was not heard for the longest time. Only a seat that is older than the receipt ends.
func (a *Authority) room(tx *store.Tx, o *outcome, c *claim) (ends *Binding, found bool) {
	if same := o.seats.ofMachine(c.Device); same != nil {
		return same, c.follows(same)
	}
	if len(o.seats) < o.seatsAllowed() {
		return nil, true
	}
	var older seats
	for _, b := range o.seats {
		if c.follows(b) {
			older = append(older, b)
		}
	}
	ends = a.quietest(tx, older)
	return ends, ends != nil
}

// follows says that a binding was made before the receipt was signed or, as that is told in whole seconds, in the
// same one.
func (c *claim) follows(b *Binding) bool { return b.Bound < (c.IssuedAt+1)*1000 }

// quietest is the seat whose device was not heard for the longest time; nil among none.
func (a *Authority) quietest(tx *store.Tx, held seats) *Binding {
	var out *Binding
	var heard int64
	for _, b := range held {
		if seen := a.heard(tx, b); out == nil || seen < heard {
			out, heard = b, seen
		}
	}
	return out
}

// heard is when a device was last heard, Unix milliseconds.
func (a *Authority) heard(tx *store.Tx, b *Binding) int64 {
	var row Presence
	if p, err := presences.Get(tx, b.ID.Key()); err == nil {
		row = *p
	}
	return max(b.Bound, a.presence.now(b.ID, row).Seen)
}
