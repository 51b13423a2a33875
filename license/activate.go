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
		o, err = store.Write(a.db, func(tx *store.Tx) (*outcome, error) {
			o, err := a.mayActivate(tx, h)
			if err != nil || o.refusal != nil || o.replayed {
				return o, err
			}
			return o, a.bind(tx, h, o)
		})
		if err != nil {
			return nil, err
		}
	}
	a.misses.note(who, o)
	if o.refusal == nil && h.key != "" {
		a.seen(h, o)
	}
	return a.answer(h, o)
}

// mayActivate judges an activation. Without a refusal o.binding is the seat to replay or to put a new key
// on; nil means that a new one is to be made.
func (a *Authority) mayActivate(tx *store.Tx, h *hearing) (*outcome, error) {
	o, err := a.find(tx, h, true)
	if err != nil || o.refusal != nil {
		return o, err
	}
	own := o.binding
	o.binding = nil
	same := o.seats.ofDevice(h.facts.ID())
	switch {
	case own != nil:
		o.already(own, h)
	case h.Replace && h.key != "" && o.seats.nearest(h.facts.Hashes(o.app.UUID.String()), o.app.Policy.Tolerance) != nil:
		o.binding = o.seats.nearest(h.facts.Hashes(o.app.UUID.String()), o.app.Policy.Tolerance)
		o.refusal = o.mayReplace()
	case same != nil:
		o.already(same, h)
	case len(o.seats) >= o.seatsAllowed():
		o.refusal = refuse(fault.Conflict, "device_limit").With("seats", o.seatsAllowed())
	}
	return o, nil
}

// already answers the same card on the same device: its first answer to the same Idempotency-Key, else that
// it is bound.
func (o *outcome) already(b *Binding, h *hearing) {
	if k := h.Request.IdempotencyKey; k != "" && b.Repeat == k && b.Key == h.key && b.Account == h.who.Account {
		o.binding, o.replayed = b, true
		return
	}
	o.refusal = refuse(fault.Conflict, "device_already_bound")
	if b.Key == h.key {
		o.binding = b
	}
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
	if free := o.licence.unbindFree(o.app.Policy, o.now.UnixMilli()); !free.IsZero() {
		o.binding = nil
		return refuse(fault.Conflict, "unbind_limit").With("next", free.UTC().Format(time.RFC3339)).After(free.Sub(o.now))
	}
	return nil
}

// bind writes what mayActivate allowed.
func (a *Authority) bind(tx *store.Tx, h *hearing, o *outcome) error {
	if o.binding != nil {
		return a.replaceKey(tx, h, o)
	}
	now := tx.Now.UnixMilli()
	if o.licence == nil {
		if err := a.beginLicence(tx, h, o, now); err != nil {
			return err
		}
	}
	b := &Binding{
		Licence: o.licence.ID, Card: o.card.ID, App: o.app.ID, Device: h.facts.ID().Bytes(), Key: h.key,
		Hashes: h.facts.Hashes(o.app.UUID.String()), Parts: h.facts.Parts(), Platform: h.Platform, Bound: now,
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
	if o.account, err = accounts.Get(tx, h.who.Account.Key()); err != nil {
		return err
	}
	o.card, o.licence = &card, l
	return record(tx, h.who, about(CardActivated, NounCard, card.ID, o.app.ID))
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
		seq, err := nextPush(tx, o.app.ID, false)
		if err != nil {
			return err
		}
		o.push.Seq = seq
		e = e.with("seq", seqText(seq)).with("key", b.Key).at(LevelWarning)
		l := *o.licence
		l.Replaced = append(recent(l.Replaced, o.app.Policy, tx.Now), tx.Now.UnixMilli())
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

// recent keeps the times that still count in the app's limit.
func recent(times []int64, p Policy, now time.Time) []int64 {
	var out []int64
	for _, t := range times {
		if t > now.AddDate(0, 0, -p.UnbindDays).UnixMilli() {
			out = append(out, t)
		}
	}
	return out
}

// ActivationMessage is the code of the sentence that says how an activation went.
const ActivationMessage = "card_activated"

