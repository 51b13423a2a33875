package license

import (
	"time"

	"goldfish/license/fault"
	"goldfish/store"
)

// Activate binds a card to the caller's account and device (CK5). Of racing first activations the first in
// commit order wins. A repeated Idempotency-Key for the same card and device acts once. Errors are a Refusal
// or an unsigned fault, as for Verify.
func (a *Authority) Activate(who Actor, c DeviceCall) (*DeviceAnswer, error) {
	if err := who.Authorise(OwnLicences); err != nil {
		return nil, err
	}
	if who.Account == 0 { // a licence belongs to somebody, which the appliance itself is not
		return nil, refuse(fault.Unauthenticated, "sign_in_required")
	}
	if err := a.misses.allow(who, c.CardKey); err != nil {
		return nil, err
	}
	h, err := a.hear(who, c)
	if err != nil {
		return nil, err
	}
	// Look first without the writer: a refusal changes nothing and must not wait for the disk.
	o, err := store.Read(a.db, func(tx *store.Tx) (*outcome, error) { return a.mayActivate(tx, h) })
	if err != nil {
		return nil, err
	}
	if err := a.repeats.check(h, o); err != nil {
		return nil, err
	}
	if o.refusal == nil && !o.replayed {
		if o, err = a.act(h, o); err != nil {
			return nil, err
		}
	}
	a.misses.note(who, o)
	if o.refusal == nil && !h.bare() {
		a.seen(h, o)
	}
	return a.answer(h, o)
}

// act judges once more in the transaction that writes.
func (a *Authority) act(h *hearing, seen *outcome) (*outcome, error) {
	o, err := store.Write(a.db, func(tx *store.Tx) (*outcome, error) {
		o, err := a.mayActivate(tx, h)
		if err != nil || o.refusal != nil || o.replayed {
			return o, err
		}
		return o, a.bind(tx, h, o)
	})
	if err != nil || o.refusal != nil {
		a.repeats.release(h, seen)
	}
	return o, err
}

// mayActivate judges an activation. Without a refusal o.binding is the seat to replay or to put a new key
// on; nil means that a new one is to be made.
func (a *Authority) mayActivate(tx *store.Tx, h *hearing) (*outcome, error) {
	o, err := a.find(tx, h, true)
	if err == nil && o.refusal == nil {
		o.refusal = o.mayBind(h)
	}
	return o, err
}

func (o *outcome) mayBind(h *hearing) *fault.Error {
	if o.binding != nil {
		if f := o.mismatch(); f != nil {
			return f
		}
		if o.licence.Account != h.who.Account { // it is nobody's: the key's holder becomes the owner of what its device has
			return nil
		}
		return o.already(o.binding, h)
	}
	if h.Replace && h.key != "" {
		if o.binding = o.seats.nearest(o.hashes, o.app.Policy.Tolerance); o.binding != nil {
			return o.mayReplace()
		}
	}
	if same := o.seats.ofDevice(h.facts.ID()); same != nil {
		return o.already(same, h)
	}
	if most := o.seatsAllowed(); len(o.seats) >= most {
		return refuse(fault.Conflict, "device_limit").With("seats", most)
	}
	return nil
}

// already answers the same card on the same device: its first answer to the same Idempotency-Key, else that
// it is bound.
func (o *outcome) already(b *Binding, h *hearing) *fault.Error {
	if b.Key == h.key { // the caller is the one that holds it
		o.binding = b
	}
	if k := h.Request.IdempotencyKey; k != "" && b.Repeat == k && b.Key == h.key && b.Account == h.who.Account {
		o.replayed = true
		return nil
	}
	return refuse(fault.Conflict, "device_already_bound")
}

func (o *outcome) seatsAllowed() int {
	if o.licence != nil {
		return o.licence.Seats
	}
	return o.batch.Terms.Devices
}

// mayReplace judges a new key on an old binding by the app's limit. A keyless binding gets its key uncounted.
func (o *outcome) mayReplace() *fault.Error {
	if o.binding.Key == "" {
		return nil
	}
	now := o.now.UnixMilli()
	free := o.licence.unbindFree(o.app.Policy, now)
	if free == 0 {
		return nil
	}
	o.binding = nil // the caller does not hold it
	return refuse(fault.Conflict, "unbind_limit").With("next", stamp(free)).After(time.Duration(free-now) * time.Millisecond)
}

// bind writes what mayActivate allowed.
func (a *Authority) bind(tx *store.Tx, h *hearing, o *outcome) error {
	now := tx.Now.UnixMilli()
	switch {
	case o.licence == nil:
		if err := a.beginLicence(tx, h, o, now); err != nil {
			return err
		}
	case o.licence.Account == 0:
		if err := a.own(tx, h, o); err != nil {
			return err
		}
	}
	if o.binding != nil && o.binding.Key == h.key {
		return nil
	}
	if o.binding != nil {
		return a.replaceKey(tx, h, o)
	}
	b := &Binding{
		Licence: o.licence.ID, Card: o.card.ID, App: o.app.ID, Device: h.facts.ID().Bytes(), Key: h.key,
		Hashes: o.hashes, Parts: h.facts.Parts(), Platform: h.Platform, Bound: now,
		Repeat: h.Request.IdempotencyKey, Account: h.who.Account,
	}
	var err error
	if b.ID, err = bindings.NextID(tx); err != nil {
		return err
	}
	if err := bindings.Put(tx, b); err != nil {
		return err
	}
	o.binding = b
	return record(tx, h.who, about(DeviceRegistered, NounDevice, b.ID, o.app.ID))
}

// beginLicence makes the licence that the card's first activation starts.
func (a *Authority) beginLicence(tx *store.Tx, h *hearing, o *outcome, now int64) error {
	id, err := licences.NextID(tx)
	if err != nil {
		return err
	}
	card := *o.card
	card.activate(o.batch.Terms, id, now)
	l := &Licence{
		ID: id, App: o.app.ID, Account: h.who.Account, Card: card.ID, Tier: o.batch.Terms.Tier,
		Features: o.batch.Terms.Features, Ends: card.Ends, Seats: o.batch.Terms.Devices, Created: now,
	}
	g := &Grant{Licence: id, Card: card.ID, At: now}
	if card.Ends != 0 {
		g.Seconds = (card.Ends - now) / 1000
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
	if err := a.join(tx, h.who.Account, o.app.ID); err != nil {
		return err
	}
	o.card, o.licence = &card, l
	return record(tx, h.who, about(CardActivated, NounCard, card.ID, o.app.ID))
}

// own makes the caller the owner of a licence whose account the file has lost, and of the binding that it holds.
func (a *Authority) own(tx *store.Tx, h *hearing, o *outcome) error {
	l := *o.licence
	l.Account = h.who.Account
	if err := licences.Put(tx, &l); err != nil {
		return err
	}
	o.licence = &l
	if o.binding != nil {
		b := *o.binding
		b.Account = h.who.Account
		if b.Key == h.key {
			b.Repeat = h.Request.IdempotencyKey
		}
		if err := bindings.Put(tx, &b); err != nil {
			return err
		}
		o.binding = &b
	}
	if err := a.join(tx, l.Account, l.App); err != nil {
		return err
	}
	return record(tx, h.who, about(CardActivated, NounCard, l.Card, l.App).because("owner_again"))
}

// join makes the account a member of the app, once.
func (a *Authority) join(tx *store.Tx, account, app store.ID) error {
	if memberships.Has(tx, pair(account, app)) {
		return nil
	}
	return memberships.Put(tx, &Membership{Account: account, App: app, Joined: tx.Now.UnixMilli()})
}

// replaceKey puts the caller's device key on the binding; whoever held it with the old key is ended by order.
func (a *Authority) replaceKey(tx *store.Tx, h *hearing, o *outcome) error {
	b := *o.binding
	e := about(DeviceReplaced, NounDevice, b.ID, o.app.ID)
	if b.Key != "" {
		if err := leaveTrace(tx, o.app.ID, b.Card, b.Key); err != nil {
			return err
		}
		seq, err := nextPush(tx, o.app.ID, false)
		if err != nil {
			return err
		}
		o.push.Seq = seq
		e = e.with("seq", seqText(seq)).with("key", b.Key).at(LevelWarning)
		l := *o.licence
		l.Replaced = append(l.replacedSince(o.app.Policy, tx.Now.UnixMilli()), tx.Now.UnixMilli())
		if err := licences.Put(tx, &l); err != nil {
			return err
		}
		o.licence = &l
	}
	b.Key, b.Repeat, b.Account, b.Platform = h.key, h.Request.IdempotencyKey, h.who.Account, h.Platform
	if err := bindings.Put(tx, &b); err != nil {
		return err
	}
	o.binding = &b
	return record(tx, h.who, e)
}

// ActivationMessage is the code of the sentence that says how an activation went.
const ActivationMessage = "card_activated"
