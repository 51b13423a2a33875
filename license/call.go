package license

import (
	"errors"
	"time"

	"github.com/Masterminds/semver/v3"
	"github.com/google/uuid"

	"goldfish/license/cardkey"
	"goldfish/license/fault"
	"goldfish/license/fingerprint"
	"goldfish/license/verdict"
	"goldfish/store"
)

// DeviceCall is what a device asks (protocol §5), as it came.
type DeviceCall struct {
	Request  verdict.Request // method, path, app id, Idempotency-Key, bearer and body as sent
	Proof    string          // the header's value, "" without one
	Nonce    string
	Kids     []string
	Version  string
	Session  string
	Platform string
	CPU      string
	Board    string
	MAC      string
	CardKey  string
	CardID   string
	Replace  bool
	Ticket   bool
}

// bare says that the call names no app and wants no verdict (the fixed points).
func (c DeviceCall) bare() bool { return c.Request.AppID == "" && c.Nonce == "" && len(c.Kids) == 0 }

// DeviceAnswer is what the device gets when it may run.
type DeviceAnswer struct {
	DeviceID string
	CardID   string
	Verdict  string // "" after a bare activation
	Ticket   string // "" unless one was asked for
	Replayed bool
	Ends     int64 // Unix milliseconds, 0: never
	State    CardState
	Tier     string
	Features []string
}

// Refusal is a fault with the signed verdict that tells the device so.
type Refusal struct {
	Fault   *fault.Error
	Verdict string
}

func (r *Refusal) Error() string { return r.Fault.Error() }

// Unwrap gives the fault.
func (r *Refusal) Unwrap() error { return r.Fault }

func refuse(k fault.Kind, code string) *fault.Error { return fault.New(k, code) }

// acts says what a client does on each code of protocol §7. A code that is not here is never signed.
var acts = map[string]string{
	"app_disabled": verdict.Stop, cardkey.CodeUnknown: verdict.Stop,
	"device_info_invalid": verdict.Wait, "proof_time": verdict.Wait, "proof_invalid": verdict.Wait, "proof_required": verdict.Wait,
	"account_disabled": verdict.Stop, "card_taken": verdict.Stop,
	"card_deleted": verdict.Stop, "card_disabled": verdict.Stop, "card_expired": verdict.Stop, "card_unused": verdict.Stop,
	"device_key_mismatch": verdict.Stop, "device_mismatch": verdict.Stop, "device_unbound": verdict.Stop,
	"device_limit": verdict.Stop, "device_already_bound": verdict.Wait, "unbind_limit": verdict.Wait,
}

// hearing is a call whose outer form is good, with everything that can be judged without the file.
type hearing struct {
	DeviceCall
	who      Actor
	app      *App // nil for a bare call
	signer   *verdict.Signer
	key      string // the proved device public key, "" without a proof that can be read
	proofErr error
	facts    fingerprint.Facts
	factsErr error
}

// hear judges what is answered without a signature: app, keys, the members' form. Proof and device facts are
// only looked at here; they are judged after the card (§7).
func (a *Authority) hear(who Actor, c DeviceCall) (*hearing, error) {
	h := &hearing{DeviceCall: c, who: who}
	h.facts, h.factsErr = fingerprint.Parse(c.CPU, c.Board, c.MAC)
	if k := c.Request.IdempotencyKey; k != "" && !verdict.ValidIdempotencyKey(k) {
		return nil, refuse(fault.Invalid, "idempotency_key_invalid").In("Idempotency-Key")
	}
	if c.bare() {
		return h, nil
	}
	if err := checkMembers(c); err != nil {
		return nil, err
	}
	id, err := uuid.Parse(c.Request.AppID)
	if err != nil || id.String() != c.Request.AppID {
		return nil, refuse(fault.Invalid, "app_unknown").In("app_id")
	}
	h.app, err = store.Read(a.db, func(tx *store.Tx) (*App, error) { return a.appByUUID(tx, id) })
	if err != nil {
		if f := fault.Of(err); f.Code == "app_unknown" {
			return nil, refuse(fault.Invalid, "app_unknown").In("app_id")
		}
		return nil, err
	}
	if h.signer, err = a.signer(h.app, c.Kids); err != nil {
		return nil, err
	}
	if h.signer == nil {
		return nil, refuse(fault.Invalid, "keys_unknown").In("kids")
	}
	h.proof(a.Now())
	return h, nil
}

// checkMembers judges the common members' form: 400 bad_request with the member.
func checkMembers(c DeviceCall) error {
	bad := func(field string) error { return refuse(fault.Invalid, "bad_request").In(field) }
	switch {
	case c.Request.AppID == "":
		return bad("app_id")
	case !verdict.ValidNonce(c.Nonce):
		return bad("nonce")
	case !verdict.ValidKids(c.Kids):
		return bad("kids")
	case c.Session != "" && !verdict.ValidNonce(c.Session):
		return bad("session")
	case !verdict.ValidPlatform(c.Platform):
		return bad("platform")
	}
	if c.Version != "" {
		if _, err := semver.StrictNewVersion(c.Version); err != nil || len(c.Version) > 64 {
			return bad("version")
		}
	}
	return nil
}

func (h *hearing) proof(now time.Time) {
	if h.Proof == "" {
		h.proofErr = refuse(fault.Unauthenticated, "proof_required")
		return
	}
	p, err := verdict.ParseProof(h.Proof)
	if err != nil {
		h.proofErr = err
		return
	}
	h.key = p.Key
	h.proofErr = p.Verify(h.Request, now.Unix())
}

// request is R as the client knows it.
func (h *hearing) request() verdict.Request {
	r := h.Request
	if p, err := verdict.ParseProof(h.Proof); err == nil {
		r = r.ProvedBy(p)
	}
	return r
}

// outcome is what one transaction found and decided about a call.
type outcome struct {
	now      time.Time
	app      *App
	push     PushCounter
	card     *Card
	batch    *Batch
	licence  *Licence
	account  *Account
	seats    seats
	binding  *Binding // the one that the caller holds, or that was made for it
	refusal  *fault.Error
	replayed bool
}

// refuses notes the first fault and says that there is one. What is no refusal of §7 is given back.
func (o *outcome) refuses(err error) (bool, error) {
	if err == nil {
		return false, nil
	}
	f := fault.Of(err)
	if f.Kind == fault.Internal {
		return true, err
	}
	o.refusal = f
	return true, nil
}

// verdict signs what the outcome says to the caller of h.
func (a *Authority) verdict(h *hearing, o *outcome) (string, error) {
	act, code := verdict.Run, "valid"
	if o.refusal != nil {
		code = o.refusal.Code
		if act = acts[code]; act == "" {
			return "", nil
		}
	}
	iat := o.now.Unix()
	c := verdict.Claims{
		Version: 1, Issuer: a.db.UUID().String(), Audience: o.app.UUID.String(), IssuedAt: iat, Expires: iat,
		Nonce: h.Nonce, Req: h.request().Req(), Act: act, Code: code, Key: h.key,
		Tol: int64(o.app.Policy.Tolerance), Beat: int64(o.app.Policy.Beat), Epoch: int64(a.db.Epoch()),
		Seq: int64(o.push.Seq), News: int64(o.push.News),
	}
	if o.account != nil {
		c.Subject = o.account.id().String()
	}
	if h.factsErr == nil {
		c.Parts, c.Device = h.facts.Hashes(o.app.UUID.String()), h.facts.ID().String()
	}
	if o.binding != nil {
		c.Device, c.Card = o.binding.DeviceID(), a.cardClaim(o)
		if act == verdict.Run {
			c.Expires = verdict.Lease(iat, int64(o.app.Policy.grace().Seconds()), c.Beat, c.Card.Expires)
		}
	}
	return h.signer.Sign(verdict.TypVerdict, c)
}

func (a *Authority) cardClaim(o *outcome) *verdict.Card {
	c := &verdict.Card{
		ID: a.ids.Out(NounCard, o.card.ID), State: o.card.stateAt(o.now.UnixMilli(), o.batch.until()).String(),
		Validity: o.batch.Terms.Kind.String(),
	}
	if o.licence != nil {
		c.Tier, c.Features = o.licence.Tier, o.licence.Features
	}
	if o.card.Ends != 0 {
		ends := o.card.Ends / 1000
		c.Expires = &ends
	}
	return c
}

// answer turns an outcome into what the device gets; a verdict is signed after the commit it tells of.
func (a *Authority) answer(h *hearing, o *outcome) (*DeviceAnswer, error) {
	var signed string
	if h.signer != nil {
		var err error
		if signed, err = a.verdict(h, o); err != nil {
			return nil, err
		}
	}
	if o.refusal != nil {
		a.refused(h, o)
		if signed == "" {
			return nil, o.refusal
		}
		return nil, &Refusal{Fault: o.refusal, Verdict: signed}
	}
	out := &DeviceAnswer{
		DeviceID: o.binding.DeviceID(), CardID: a.ids.Out(NounCard, o.card.ID), Verdict: signed, Replayed: o.replayed,
		Ends: o.card.Ends, State: o.card.State, Tier: o.licence.Tier, Features: o.licence.Features,
	}
	if h.Ticket && h.signer != nil && h.key != "" {
		ticket, err := a.deviceTicket(o, h)
		if err != nil {
			return nil, err
		}
		out.Ticket = ticket
	}
	return out, nil
}

// find fills in card, licence, account and seats, and judges everything up to the card's state: the part of
// §7 that all calls share. unusedMay is true for an activation.
func (a *Authority) find(tx *store.Tx, h *hearing, unusedMay bool) (*outcome, error) {
	o := &outcome{now: tx.Now}
	if h.app != nil {
		if err := o.inApp(tx, h.app.ID); err != nil || o.refusal != nil {
			return o, err
		}
	}
	if err := a.findCard(tx, h, o); err != nil || o.refusal != nil {
		return o, err
	}
	if stop, err := o.refuses(firstError(h.factsErr, a.proofRefusal(h, o))); stop {
		return o, err
	}
	if err := o.holder(tx, h.key); err != nil {
		return o, err
	}
	if o.account != nil && o.account.Disabled {
		o.refusal = refuse(fault.Forbidden, "account_disabled")
		return o, nil
	}
	if unusedMay && o.licence != nil && o.licence.Account != h.who.Account {
		o.refusal = refuse(fault.Conflict, "card_taken")
		o.binding = nil
		return o, nil
	}
	_, err := o.refuses(o.card.stateAt(tx.Now.UnixMilli(), o.batch.until()).usable(unusedMay))
	return o, err
}

func (o *outcome) inApp(tx *store.Tx, id store.ID) error {
	app, err := apps.Get(tx, id.Key())
	if err != nil {
		return err
	}
	push, err := pushes.Get(tx, id.Key())
	if err != nil {
		return err
	}
	o.app, o.push = app, *push
	if app.Disabled {
		o.refusal = refuse(fault.Forbidden, "app_disabled")
	}
	return nil
}

func (a *Authority) findCard(tx *store.Tx, h *hearing, o *outcome) error {
	var err error
	switch {
	case h.CardKey != "":
		var key cardkey.Key
		if key, err = cardkey.Parse(h.CardKey); err == nil {
			o.card, _, o.batch, err = a.cardByCode(tx, key)
		}
	case h.CardID != "":
		var id store.ID
		if id, err = a.ids.In(NounCard, h.CardID); err == nil {
			o.card, o.batch, err = a.cardByID(tx, id)
		} else {
			err = cardUnknown()
		}
	default:
		err = cardUnknown()
	}
	if err == nil && o.app != nil && o.card.App != o.app.ID {
		o.card, o.batch = nil, nil
		err = cardUnknown()
	}
	if stop, err := o.refuses(err); stop {
		return err
	}
	if o.app == nil { // a bare call: the card names the app
		return o.inApp(tx, o.card.App)
	}
	return nil
}

// proofRefusal is why the proof does not do. Without one, only a bare activation and a keyless binding in an
// app that allows it go on.
func (a *Authority) proofRefusal(h *hearing, o *outcome) error {
	if h.app == nil || h.Proof == "" && o.app.Policy.KeyOptional && h.CardKey != "" {
		return nil
	}
	return h.proofErr
}

// holder loads licence, its account and its seats, and the caller's own binding among them.
func (o *outcome) holder(tx *store.Tx, key string) error {
	if o.card.Licence == 0 {
		return nil
	}
	var err error
	if o.licence, err = licences.Get(tx, o.card.Licence.Key()); err != nil {
		return err
	}
	if o.licence.Account != 0 {
		if o.account, err = accounts.Get(tx, o.licence.Account.Key()); err != nil {
			return err
		}
	}
	if o.seats, err = seatsOf(tx, o.licence.ID); err != nil {
		return err
	}
	o.binding = o.seats.withKey(key)
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func isNotFound(err error) bool { return errors.Is(err, store.ErrNotFound) }
