package license

import (
	"cmp"
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
	Receipt  string // the stored lease, where the appliance wanted it (§11)
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
	"receipt_wanted": verdict.Wait, "receipt_kept": verdict.Wait,
}

// hearing is a call whose outer form is good, with everything that can be judged without the file.
type hearing struct {
	DeviceCall
	who        Actor
	epoch      uint16         // read before any clock: no verdict carries a time from before a fall into the epoch after it
	appID      uuid.UUID      // zero for a bare call
	key        string         // the device public key of the proof, "" without one that can be read
	proof      *verdict.Proof // nil once it is judged
	proofFault *fault.Error
	facts      fingerprint.Facts
	factsFault *fault.Error
	signer     *verdict.Signer // the app's newest key that the caller trusts, nil for a bare call
}

// hear judges the members' form. Proof and device facts are only looked at here; they are judged after the card
// (§7).
func (a *Authority) hear(who Actor, c DeviceCall) (*hearing, error) {
	h := &hearing{DeviceCall: c, who: who, epoch: a.db.Epoch()}
	facts, err := fingerprint.Parse(c.CPU, c.Board, c.MAC)
	h.facts, h.factsFault = facts, fault.Of(err)
	if k := c.Request.IdempotencyKey; k != "" && !verdict.ValidIdempotencyKey(k) {
		return nil, refuse(fault.Invalid, "idempotency_key_invalid").In("Idempotency-Key")
	}
	if err := checkMembers(c); err != nil || c.bare() {
		return h, err
	}
	if h.appID, err = uuid.Parse(c.Request.AppID); err != nil || h.appID.String() != c.Request.AppID {
		return nil, appUnknown()
	}
	h.readProof()
	return h, nil
}

func appUnknown() error { return refuse(fault.Invalid, "app_unknown").In("app_id") }

// checkMembers judges the common members' form: 400 bad_request with the member. A bare call has none of
// those that a verdict needs.
func checkMembers(c DeviceCall) error {
	bad := func(field string) error { return refuse(fault.Invalid, "bad_request").In(field) }
	full := !c.bare()
	switch {
	case full && c.Request.AppID == "":
		return bad("app_id")
	case full && !verdict.ValidNonce(c.Nonce):
		return bad("nonce")
	case full && !verdict.ValidKids(c.Kids):
		return bad("kids")
	case (full || c.Session != "") && !verdict.ValidNonce(c.Session):
		return bad("session")
	case (full || c.Version != "") && !validVersion(c.Version):
		return bad("version")
	case !verdict.ValidPlatform(c.Platform):
		return bad("platform")
	case len(c.Receipt) > verdict.MaxToken:
		return bad("receipt")
	case c.CardKey != "" && c.CardID != "": // one or the other: they could name two cards
		return bad("card_key")
	}
	return nil
}

func validVersion(s string) bool {
	if len(s) > 64 {
		return false
	}
	_, err := semver.StrictNewVersion(s)
	return err == nil
}

// readProof reads the proof's header, and makes Request R as the client knows it.
func (h *hearing) readProof() {
	h.Request.DeviceKey, h.Request.Time = "", 0
	if h.Proof == "" {
		h.proofFault = refuse(fault.Unauthenticated, "proof_required")
		return
	}
	p, err := verdict.ParseProof(h.Proof)
	if err != nil {
		h.proofFault = fault.Of(err)
		return
	}
	h.key, h.proof, h.Request = p.Key, &p, h.Request.ProvedBy(p)
}

// judgeProof checks the proof's time and signature, once.
func (h *hearing) judgeProof(now time.Time) *fault.Error {
	if p := h.proof; p != nil {
		h.proof, h.proofFault = nil, fault.Of(p.Verify(h.Request, now.Unix()))
	}
	return h.proofFault
}

// outcome is what one transaction found and decided about a call.
type outcome struct {
	now      time.Time
	app      *App
	appID    string // its UUID
	push     PushCounter
	card     *Card
	batch    *Batch
	licence  *Licence
	account  *Account
	hashes   [3]string // of the caller's parts, where they are good
	seats    seats
	binding  *Binding // the one that the caller holds, or that was made for it
	refusal  *fault.Error
	replayed bool
	claim    *claim   // the good receipt of a device that the file has lost
	took     *Binding // that ended for it
}

// state is the card's at the time of the call.
func (o *outcome) state() CardState { return o.card.stateAt(o.now.UnixMilli(), o.batch.until()) }

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
		Version: 1, Issuer: a.issuer, Audience: o.appID, IssuedAt: iat, Expires: iat,
		Nonce: h.Nonce, Req: h.Request.Req(), Act: act, Code: code, Key: h.key, Parts: o.hashes,
		Tol: int64(o.app.Policy.Tolerance), Beat: int64(o.app.Policy.Beat), Epoch: int64(h.epoch),
		Seq: int64(o.push.Seq), News: int64(o.push.News),
	}
	if h.factsFault == nil {
		c.Device = h.facts.ID().String()
	}
	if o.binding != nil { // nobody else is told a word about card and account
		c.Device, c.Card = o.binding.DeviceID(), a.cardClaim(o)
		if o.account != nil {
			c.Subject = o.account.id().String()
		}
		if act == verdict.Run {
			c.Expires = verdict.Lease(iat, int64(o.app.Policy.grace().Seconds()), c.Beat, c.Card.Expires)
		}
	}
	a.raiseClock(o.now, h.epoch)
	return h.signer.Sign(verdict.TypVerdict, c)
}

func (a *Authority) cardClaim(o *outcome) *verdict.Card {
	c := &verdict.Card{
		ID: a.ids.Out(NounCard, o.card.ID), State: o.state().String(), Validity: o.batch.Terms.Kind.String(),
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
		Ends: o.card.Ends, State: o.state(), Tier: o.licence.Tier, Features: o.licence.Features,
	}
	if h.Ticket && h.key != "" {
		ticket, err := a.deviceTicket(o, h)
		if err != nil {
			return nil, err
		}
		out.Ticket = ticket
	}
	return out, nil
}

// find fills in card, licence, account and seats, and judges everything up to the card's state: the part of
// §7 that all calls share. activating says that an unused card will do, and that the card must be the caller's.
func (a *Authority) find(tx *store.Tx, h *hearing, activating bool) (*outcome, error) {
	o := &outcome{now: tx.Now}
	if !h.bare() {
		if err := a.forApp(tx, h, o); err != nil || o.refusal != nil {
			return o, err
		}
	}
	if err := a.findCard(tx, h, o); err != nil || o.refusal != nil {
		return o, err
	}
	if o.refusal = cmp.Or(h.factsFault, o.proofFault(h)); o.refusal != nil {
		return o, nil
	}
	if err := o.holder(tx, h, activating); err != nil {
		return o, err
	}
	switch state := o.state(); {
	case o.account != nil && o.account.Disabled:
		o.refusal = refuse(fault.Forbidden, "account_disabled")
	case activating && o.licence != nil && o.licence.Account != 0 && o.licence.Account != h.who.Account:
		o.refusal = refuse(fault.Conflict, "card_taken")
	case !activating || state != CardUnused:
		o.refusal = state.refusal()
	}
	return o, nil
}

// forApp finds the app that the call names and the key to sign with: without them there is no signature.
func (a *Authority) forApp(tx *store.Tx, h *hearing, o *outcome) error {
	app, err := apps.Find(tx, appByUUID, h.appID[:])
	if isNotFound(err) {
		return appUnknown()
	}
	if err != nil {
		return err
	}
	if h.signer, err = a.signer(app, h.Kids); err != nil {
		return err
	}
	if h.signer == nil {
		return refuse(fault.Invalid, "keys_unknown").In("kids")
	}
	return o.inApp(tx, h, app)
}

func (o *outcome) inApp(tx *store.Tx, h *hearing, app *App) error {
	push, err := pushes.Get(tx, app.ID.Key())
	if err != nil {
		return err
	}
	o.app, o.appID, o.push = app, app.UUID.String(), *push
	if h.factsFault == nil {
		o.hashes = h.facts.Hashes(o.appID)
	}
	if app.Disabled {
		o.refusal = refuse(fault.Forbidden, "app_disabled")
	}
	return nil
}

// findCard finds the card that the call names. A malformed, an unknown and another app's card are one answer.
func (a *Authority) findCard(tx *store.Tx, h *hearing, o *outcome) error {
	card, batch, err := a.cardOf(tx, h)
	switch {
	case isNotFound(err) || err == nil && o.app != nil && card.App != o.app.ID:
		o.refusal = refuse(fault.Invalid, cardkey.CodeUnknown).In(h.cardField())
		return nil
	case err != nil:
		return err
	}
	o.card, o.batch = card, batch
	if o.app != nil {
		return nil
	}
	app, err := apps.Get(tx, card.App.Key()) // a bare call: the card names the app
	if err != nil {
		return err
	}
	return o.inApp(tx, h, app)
}

func (a *Authority) cardOf(tx *store.Tx, h *hearing) (*Card, *Batch, error) {
	if h.cardField() == "card_id" {
		id, err := a.ids.In(NounCard, h.CardID)
		if err != nil {
			return nil, nil, store.ErrNotFound
		}
		card, batch, err := cardByID(tx, id)
		if !isNotFound(err) {
			return card, batch, err
		}
		if id, err = standIn(tx, h.key, id); err != nil {
			return nil, nil, err
		}
		return cardByID(tx, id)
	}
	key, err := cardkey.Parse(h.CardKey)
	if err != nil {
		return nil, nil, store.ErrNotFound
	}
	return cardByCode(tx, key)
}

// cardField is the member by which the call names its card.
func (h *hearing) cardField() string {
	if h.CardKey == "" && h.CardID != "" {
		return "card_id"
	}
	return "card_key"
}

// proofFault is why the proof does not do. Without one, only a bare activation and, in an app that allows it, a
// call with a card key for a keyless binding go on.
func (o *outcome) proofFault(h *hearing) *fault.Error {
	if h.bare() || h.Proof == "" && o.app.Policy.KeyOptional && h.CardKey != "" {
		return nil
	}
	return h.judgeProof(o.now)
}

// holder loads whose the card is: licence, account, seats, and the caller's own binding among them. A card that
// nobody has is about to be the caller's.
func (o *outcome) holder(tx *store.Tx, h *hearing, activating bool) error {
	var err error
	if o.card.Licence == 0 {
		if activating {
			o.account, err = accountByID(tx, h.who.Account)
		}
		return err
	}
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
	o.binding = o.seats.withKey(h.key)
	return nil
}

func isNotFound(err error) bool { return errors.Is(err, store.ErrNotFound) }
