package license

import (
	"time"

	"goldfish/license/fault"
	"goldfish/store"
)

// Unbind frees the caller's own seat within the app's limit (protocol §5). The verdict of a success says
// stop device_unbound: that is what the device is from then on. The same Idempotency-Key acts once; its trace
// is the ended binding.
func (a *Authority) Unbind(who Actor, c DeviceCall) (*DeviceAnswer, error) {
	c.CardKey = ""
	h, err := a.hear(who, c)
	if err != nil {
		return nil, err
	}
	if h.bare() {
		return nil, refuse(fault.Invalid, "bad_request").In("app_id")
	}
	judge := func(tx *store.Tx) (*outcome, error) { return a.mayUnbind(tx, h) }
	o, err := store.Read(a.db, judge)
	if err == nil {
		o, err = a.settle(h, o, judge)
	}
	if err != nil {
		return nil, err
	}
	if o.refusal == nil && !o.replayed {
		o, err = store.Write(a.db, func(tx *store.Tx) (*outcome, error) {
			o, err := a.mayUnbind(tx, h)
			if err != nil || o.refusal != nil || o.replayed {
				return o, err
			}
			return o, a.endBinding(tx, h, o)
		})
		if err != nil {
			return nil, err
		}
	}
	if o.refusal != nil {
		return a.answer(h, o)
	}
	a.presence.forget(o.binding.ID)
	a.tellPresence()
	return a.unbound(h, o)
}

// unbound is the answer to a device whose seat is free now.
func (a *Authority) unbound(h *hearing, o *outcome) (*DeviceAnswer, error) {
	out := &DeviceAnswer{
		DeviceID: o.binding.DeviceID(), CardID: a.ids.Out(NounCard, o.card.ID), Replayed: o.replayed,
		Ends: o.card.Ends, State: o.state(), Tier: o.licence.Tier, Features: o.licence.Features,
	}
	o.refusal = refuse(fault.Forbidden, "device_unbound")
	var err error
	out.Verdict, err = a.verdict(h, o)
	return out, err
}

// mayUnbind judges an unbinding: the caller must hold the binding, and the app's limit must have room.
func (a *Authority) mayUnbind(tx *store.Tx, h *hearing) (*outcome, error) {
	o, err := a.find(tx, h, false)
	if err != nil {
		return nil, err
	}
	if o.refusal != nil {
		return o, a.forgotten(tx, h, o)
	}
	if o.refusal = o.mayRun(h); o.refusal == nil {
		now := o.now.UnixMilli()
		if free := o.licence.unbindFree(o.app.Policy, now); free != 0 {
			o.refusal = refuse(fault.Conflict, "unbind_limit").With("next", stamp(free)).After(time.Duration(free-now) * time.Millisecond)
		}
		return o, nil
	}
	if err := o.unboundBefore(tx, h); err != nil {
		return nil, err
	}
	return o, a.forgotten(tx, h, o)
}

// unboundBefore looks for the trace of the same call: then it is answered as the first time.
func (o *outcome) unboundBefore(tx *store.Tx, h *hearing) error {
	if o.refusal.Code != "device_unbound" || h.Request.IdempotencyKey == "" {
		return nil
	}
	for e, err := range bindings.ScanBy(tx, bindingByLicence, store.Range{Prefix: o.licence.ID.Key()}) {
		if err != nil {
			return err
		}
		if b := e.Row; b.Ended != 0 && b.Key == h.key && b.Repeat == h.Request.IdempotencyKey {
			o.binding, o.replayed, o.refusal = b, true, nil
			return nil
		}
	}
	return nil
}

func (a *Authority) endBinding(tx *store.Tx, h *hearing, o *outcome) error {
	b, l, now := *o.binding, *o.licence, tx.Now.UnixMilli()
	b.Ended, b.EndCode, b.Repeat = now, "unbound", h.Request.IdempotencyKey
	l.Replaced = append(l.replacedSince(o.app.Policy, now), now)
	if err := bindings.Put(tx, &b); err != nil {
		return err
	}
	if err := licences.Put(tx, &l); err != nil {
		return err
	}
	o.binding, o.licence = &b, &l
	if err := offline(tx, b.ID); err != nil {
		return err
	}
	var err error
	if o.push.Seq, err = nextPush(tx, o.app.ID, false); err != nil {
		return err
	}
	who := Actor{Kind: ActorDevice, Account: b.ID, Address: h.who.Address}
	return record(tx, who, about(DeviceUnbound, NounDevice, b.ID, o.app.ID).with("seq", seqText(o.push.Seq)))
}

// offline says in the file that a device is not online.
func offline(tx *store.Tx, binding store.ID) error {
	row, err := presences.Get(tx, binding.Key())
	if isNotFound(err) || err == nil && !row.Online {
		return nil
	}
	if err != nil {
		return err
	}
	row.Online = false
	return presences.Put(tx, row)
}

// forget takes a device offline that is bound no more; its unbinding is the event that says so.
func (p *presence) forget(id store.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d := p.online[id]; d != nil {
		p.leave(d)
	}
}
