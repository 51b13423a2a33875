package license

import (
	"encoding/hex"
	"strconv"

	"github.com/google/uuid"

	"goldfish/license/fault"
	"goldfish/license/verdict"
	"goldfish/store"
)

// settle does what a call's receipt has led to, and judges the call again. judge reads and decides all of it, so
// that of two calls at a time one adopts and the other finds the binding.
func (a *Authority) settle(h *hearing, o *outcome, judge func(*store.Tx) (*outcome, error)) (*outcome, error) {
	if o.claim == nil || o.claim.answered(o) {
		return o, nil
	}
	o, err := store.Write(a.db, func(tx *store.Tx) (*outcome, error) {
		o, err := judge(tx)
		if err != nil || o.claim == nil || o.claim.answered(o) {
			return o, err
		}
		if o.claim.fate != adopted {
			return o, a.keep(tx, h, o)
		}
		took, err := a.adopt(tx, Actor{Kind: ActorDevice, Address: h.who.Address}, o.adoption(h))
		if err != nil {
			return nil, err
		}
		if o, err = judge(tx); err == nil {
			o.took = took
		}
		return o, err
	})
	if err != nil {
		return nil, err
	}
	if o.took != nil {
		a.presence.forget(o.took.ID)
		a.tellPresence()
	}
	if o.claim != nil && o.claim.fate == rolledBack {
		return o, a.keepOutside()
	}
	return o, nil
}

// answered says that a receipt changes nothing in the file, and what the device is told.
func (c *claim) answered(o *outcome) bool {
	switch c.fate {
	case keptBefore:
		o.refusal = refuse(fault.Conflict, "receipt_kept")
	case tooMany: // as long as there is no room it is still wanted
		o.refusal = refuse(fault.Conflict, "receipt_wanted")
	default:
		return false
	}
	return true
}

// keep puts a receipt where the vendor finds it. One that shows that the file is an old copy raises the epoch above
// its own first, and says so.
func (a *Authority) keep(tx *store.Tx, h *hearing, o *outcome) error {
	c := o.claim
	if c.fate == rolledBack {
		next, err := tx.RaiseEpoch(uint16(c.Epoch))
		if err != nil {
			return err
		}
		if err := knowEpoch(tx, next, Loss{next, a.opened.From, a.opened.To}); err != nil {
			return err
		}
		e := about(SystemError, 0, 0, o.app.ID).at(LevelError).because(codeRolledBack).with("epoch", strconv.Itoa(int(next)))
		if err := record(tx, System, e); err != nil {
			return err
		}
	}
	o.refusal = refuse(fault.Conflict, "receipt_kept")
	row, _, err := receiptsOf(tx, h.key, c.card)
	if err != nil {
		return err
	}
	if row == nil {
		row = &Receipt{App: o.app.ID, Card: c.card, Key: h.key}
		if row.ID, err = receipts.NextID(tx); err != nil {
			return err
		}
	}
	row.Token, row.Kept, row.Code, row.State, row.Decided, row.By = c.token, tx.Now.UnixMilli(), c.code, ReceiptWaiting, 0, 0
	row.Parts, row.Platform = sameParts(h, o, c.Parts), h.Platform
	if err := receipts.Put(tx, row); err != nil {
		return err
	}
	return record(tx, h.who, about(ReceiptKept, NounReceipt, row.ID, o.app.ID).because(c.code).at(LevelWarning))
}

// sameParts are the device's parts as far as they are still those of the lease.
func sameParts(h *hearing, o *outcome, hashes [3]string) (out [3]string) {
	for i, part := range h.facts.Parts() {
		if o.hashes[i] == hashes[i] {
			out[i] = part
		}
	}
	return out
}

// adoption is all that a binding is made of anew.
type adoption struct {
	verdict.Claims
	app      *App
	card     *Card
	batch    *Batch
	licence  *Licence // nil where the card has none yet
	takes    *Binding // the seat that ends, nil where one is free
	key      string
	parts    [3]string
	platform string
	standsIn bool // the card is another than the lease's
}

func (o *outcome) adoption(h *hearing) adoption {
	return adoption{
		Claims: o.claim.Claims, app: o.app, card: o.card, batch: o.batch, licence: o.licence, takes: o.claim.takes,
		key: h.key, parts: sameParts(h, o, o.claim.Parts), platform: h.Platform,
	}
}

// adopt makes a binding anew as its lease says, with card, licence and grant where the file has lost their
// activation too. The device whose seat it takes is ended by order. It gives that one's binding.
func (a *Authority) adopt(tx *store.Tx, who Actor, in adoption) (took *Binding, err error) {
	if in.licence == nil {
		err = a.beginAgain(tx, &in)
	} else {
		err = prolong(tx, &in)
	}
	if err != nil {
		return nil, err
	}
	b := &Binding{
		Licence: in.licence.ID, Card: in.card.ID, App: in.app.ID, Key: in.key, Hashes: in.Parts, Parts: in.parts,
		Platform: in.platform, Bound: in.IssuedAt * 1000, Account: in.licence.Account,
	}
	if raw, err := hex.DecodeString(in.Device); err == nil {
		copy(b.Device[:], raw)
	}
	if b.ID, err = bindings.NextID(tx); err != nil {
		return nil, err
	}
	if err := bindings.Put(tx, b); err != nil {
		return nil, err
	}
	e := about(ReceiptAdopted, NounDevice, b.ID, in.app.ID).with("epoch", strconv.FormatInt(in.Epoch, 10))
	if in.takes != nil {
		if err := a.endSeat(tx, in.takes); err != nil {
			return nil, err
		}
		e = e.with("ended", a.ids.Out(NounDevice, in.takes.ID)).at(LevelWarning)
	}
	if who.Kind == ActorDevice {
		who.Account = b.ID
	}
	if err := record(tx, who, e); err != nil {
		return nil, err
	}
	return in.takes, taken(tx, in.key, in.card.ID)
}

// taken notes that a receipt that was kept need not be decided any more.
func taken(tx *store.Tx, key string, card store.ID) error {
	row, _, err := receiptsOf(tx, key, card)
	if err != nil || row == nil || row.State != ReceiptWaiting {
		return err
	}
	row.State, row.Decided = ReceiptTaken, tx.Now.UnixMilli()
	return receipts.Put(tx, row)
}

// beginAgain makes the licence of a card whose activation is lost.
func (a *Authority) beginAgain(tx *store.Tx, in *adoption) error {
	id, err := licences.NextID(tx)
	if err != nil {
		return err
	}
	card, began := *in.card, in.IssuedAt*1000
	card.State, card.Licence, card.Ends = CardActive, id, in.ends()
	if in.batch.Terms.Kind == Duration && card.Ends != 0 && !in.standsIn {
		began = min(began, card.Ends-in.batch.Terms.Seconds*1000)
	}
	card.Activated = began
	l := &Licence{
		ID: id, App: in.app.ID, Card: card.ID, Tier: in.Card.Tier, Features: in.Card.Features, Ends: card.Ends,
		Seats: in.batch.Terms.Devices, Created: began,
	}
	if l.Account, err = ownerOf(tx, in.Subject); err != nil {
		return err
	}
	g := &Grant{Licence: id, Card: card.ID, At: began}
	if card.Ends != 0 {
		g.Seconds = (card.Ends - began) / 1000
	}
	if err := licences.Put(tx, l); err != nil {
		return err
	}
	if err := grants.Put(tx, g); err != nil {
		return err
	}
	if err := cards.Put(tx, &card); err != nil {
		return err
	}
	in.card, in.licence = &card, l
	if l.Account == 0 {
		return nil
	}
	return a.join(tx, l.Account, in.app.ID)
}

// ends is the card's end as the lease says, Unix milliseconds; 0 for never.
func (in *adoption) ends() int64 {
	if in.Card.Expires == nil {
		return 0
	}
	return *in.Card.Expires * 1000
}

// ownerOf is the account that a lease names; 0 if it names none, or one that the file has lost: whoever activates
// the card's key next is its owner then.
func ownerOf(tx *store.Tx, subject string) (store.ID, error) {
	id, err := uuid.Parse(subject)
	if err != nil {
		return 0, nil
	}
	account, err := accounts.Find(tx, accountByUUID, id[:])
	if isNotFound(err) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return account.ID, nil
}

// prolong takes over the end of the lease where it is later than the one in the file: what came on top is lost. A
// lease tells whole seconds.
func prolong(tx *store.Tx, in *adoption) error {
	ends := in.ends()
	if in.card.Ends == 0 || ends != 0 && ends < in.card.Ends+1000 {
		return nil
	}
	card, l := *in.card, *in.licence
	card.Ends, l.Ends = ends, ends
	if err := cards.Put(tx, &card); err != nil {
		return err
	}
	in.card, in.licence = &card, &l
	return licences.Put(tx, &l)
}

// endSeat ends the binding of a device that another one proved to have followed, and tells it by order.
func (a *Authority) endSeat(tx *store.Tx, held *Binding) error {
	b := *held
	b.Ended, b.EndCode = tx.Now.UnixMilli(), "receipt_adopted"
	if err := bindings.Put(tx, &b); err != nil {
		return err
	}
	if err := offline(tx, b.ID); err != nil {
		return err
	}
	seq, err := nextPush(tx, b.App, false)
	if err != nil {
		return err
	}
	e := about(DeviceUnbound, NounDevice, b.ID, b.App).because(b.EndCode).at(LevelWarning)
	return record(tx, System, e.with("seq", seqText(seq)))
}
