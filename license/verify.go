package license

import (
	"goldfish/license/fault"
	"goldfish/license/fingerprint"
	"goldfish/license/verdict"
	"goldfish/store"
)

// Verify answers whether a device may run (CK6): by card id, or by card key when the device lost its state.
// It begins a session. Without a right to run the error is a Refusal with a signed verdict, or an unsigned
// fault (§7).
func (a *Authority) Verify(who Actor, c DeviceCall) (*DeviceAnswer, error) {
	return a.check(who, c)
}

// Heartbeat continues a session: the same question, by card id alone. A session that the appliance forgot is
// adopted.
func (a *Authority) Heartbeat(who Actor, c DeviceCall) (*DeviceAnswer, error) {
	c.CardKey = ""
	return a.check(who, c)
}

func (a *Authority) check(who Actor, c DeviceCall) (*DeviceAnswer, error) {
	if err := a.misses.allow(who, c.CardKey); err != nil {
		return nil, err
	}
	h, err := a.hear(who, c)
	if err != nil {
		return nil, err
	}
	if h.bare() {
		return nil, refuse(fault.Invalid, "bad_request").In("app_id")
	}
	judge := func(tx *store.Tx) (*outcome, error) {
		o, err := a.find(tx, h, false)
		if err != nil {
			return nil, err
		}
		if o.refusal == nil {
			o.refusal = o.mayRun(h)
		}
		return o, a.forgotten(tx, h, o)
	}
	o, err := store.Read(a.db, judge)
	if err == nil {
		o, err = a.settle(h, o, judge)
	}
	if err != nil {
		return nil, err
	}
	a.misses.note(who, o)
	switch {
	case o.refusal == nil:
		a.seen(h, o)
	case o.binding != nil && acts[o.refusal.Code] == verdict.Stop:
		a.Stopped(o.binding.ID)
	}
	return a.answer(h, o)
}

// mayRun judges the binding of a card that is good: nil, or why this device does not hold it.
func (o *outcome) mayRun(h *hearing) *fault.Error {
	same := o.seats.ofDevice(h.facts.ID())
	switch {
	case o.binding != nil:
		return o.mismatch()
	case same == nil:
		return refuse(fault.Forbidden, "device_unbound")
	case h.key == "" && same.Key == "":
		o.binding = same
		return nil
	case h.key == "":
		return refuse(fault.Unauthenticated, "proof_required")
	}
	return refuse(fault.Forbidden, "device_key_mismatch")
}

// mismatch says that more of the device's parts changed since it was bound than the app's policy lets.
func (o *outcome) mismatch() *fault.Error {
	if fingerprint.Differs(o.binding.Hashes, o.hashes) > int(o.app.Policy.Tolerance) {
		return refuse(fault.Forbidden, "device_mismatch")
	}
	return nil
}
