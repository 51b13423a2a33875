package license

import (
	"goldfish/license/fault"
	"goldfish/license/verdict"
	"goldfish/store"
)

// ReceiptView is a receipt with what a list of them shows beside it.
type ReceiptView struct {
	Receipt *Receipt
	Lease   verdict.Claims // what the lease says
	App     *App           // nil if it is gone
	Card    *Card          // that the lease names; nil if the file does not know it
	State   CardState      // of that card, 0 if there is none
	Masked  string         // its key with the middle hidden
	Stand   *Card          // the card that took its place
	Adopt   bool           // AdoptReceipt can do it without another card
}

// ReceiptFilter narrows a list of receipts. Zero members ask for everything.
type ReceiptFilter struct {
	App    *App
	State  ReceiptState
	Before store.ID
	Limit  int
}

// ListReceipts gives the receipts that were kept, newest first, and the cursor of the next page (0: none).
func (a *Authority) ListReceipts(who Actor, f ReceiptFilter) (out []ReceiptView, next store.ID, err error) {
	if err := who.Authorise(ReadReceipts); err != nil {
		return nil, 0, err
	}
	if f.Limit <= 0 {
		return nil, 0, nil
	}
	err = a.db.View(func(tx *store.Tx) error {
		out, next = nil, 0
		scan, last := scanMost, store.ID(0)
		for r, err := range receipts.Scan(tx, backFrom(f.Before)) {
			if err != nil {
				return err
			}
			wanted := (f.App == nil || r.App == f.App.ID) && (f.State == 0 || r.State == f.State)
			if scan == 0 || wanted && len(out) == f.Limit {
				next = last
				return nil
			}
			if scan, last = scan-1, r.ID; !wanted {
				continue
			}
			v, err := a.receiptView(tx, r)
			if err != nil {
				return err
			}
			out = append(out, v)
		}
		return nil
	})
	return out, next, err
}

func (a *Authority) receiptView(tx *store.Tx, r *Receipt) (ReceiptView, error) {
	v := ReceiptView{Receipt: r, App: a.appByID(tx, r.App)}
	v.Lease, _ = r.lease(v.App)
	card, batch, err := cardByID(tx, r.Card)
	if err != nil && !isNotFound(err) {
		return v, err
	}
	if err == nil {
		v.Card, v.State = card, card.stateAt(tx.Now.UnixMilli(), batch.until())
		v.Adopt = r.State == ReceiptWaiting && v.App != nil && (v.State == CardUnused || v.State == CardActive)
		if text, err := cardTexts.Get(tx, card.ID.Key()); err == nil {
			v.Masked = text.Masked()
		}
	}
	if r.StandIn == 0 {
		return v, nil
	}
	if v.Stand, _, err = cardByID(tx, r.StandIn); isNotFound(err) {
		return v, nil
	}
	return v, err
}

// lease opens the receipt's lease once more. It fails for an app that is gone, or whose key was withdrawn since.
func (r *Receipt) lease(app *App) (verdict.Claims, error) {
	if app == nil {
		return verdict.Claims{}, notFound(NounApp)
	}
	pins, err := app.pins()
	if err != nil {
		return verdict.Claims{}, err
	}
	return verdict.OpenReceipt(r.Token, verdict.ExpectReceipt{Pins: pins, AppID: app.UUID.String(), Key: r.Key})
}

// ReceiptAdoption is how the vendor wants a receipt adopted.
type ReceiptAdoption struct {
	Card store.ID // an unused card that takes the place of one that the file does not know; 0: none
	// Replace ends what holds the seat: the same machine's binding by another key, else, where all seats are held, the
	// device that was not heard for the longest time.
	Replace bool
}

// AdoptReceipt makes a binding of a receipt that waits, whatever it waits for. From its next call on the device
// runs. Errors: not_found, receipt_decided, receipt_card (name a card), stand_in_used, device_limit, receipt_machine
// (the machine is bound by another key), and why the card runs nothing.
func (a *Authority) AdoptReceipt(who Actor, id store.ID, how ReceiptAdoption) (ReceiptView, error) {
	if err := who.Authorise(WriteReceipts); err != nil {
		return ReceiptView{}, err
	}
	var took *Binding
	v, err := store.Write(a.db, func(tx *store.Tx) (ReceiptView, error) {
		r, err := undecided(tx, id)
		if err != nil {
			return ReceiptView{}, err
		}
		in, err := a.adoptionOf(tx, r, how)
		if err != nil {
			return ReceiptView{}, err
		}
		took = nil
		if in != nil {
			if took, err = a.adopt(tx, who, *in); err != nil {
				return ReceiptView{}, err
			}
		}
		return a.decideReceipt(tx, who, r, ReceiptTaken, how.Card)
	})
	if err == nil && took != nil {
		a.presence.forget(took.ID)
		a.tellPresence()
	}
	return v, err
}

// DismissReceipt is the vendor's no: the device is told to stop with its next call, and leaves a trace.
func (a *Authority) DismissReceipt(who Actor, id store.ID) (ReceiptView, error) {
	if err := who.Authorise(WriteReceipts); err != nil {
		return ReceiptView{}, err
	}
	return store.Write(a.db, func(tx *store.Tx) (ReceiptView, error) {
		r, err := undecided(tx, id)
		if err != nil {
			return ReceiptView{}, err
		}
		if err := leaveTrace(tx, r.App, r.Card, r.Key); err != nil {
			return ReceiptView{}, err
		}
		return a.decideReceipt(tx, who, r, ReceiptDismissed, 0)
	})
}

func undecided(tx *store.Tx, id store.ID) (*Receipt, error) {
	r, err := rowOf(tx, receipts, id, NounReceipt)
	if err == nil && r.State != ReceiptWaiting {
		err = fault.New(fault.Conflict, "receipt_decided")
	}
	return r, err
}

func (a *Authority) decideReceipt(tx *store.Tx, who Actor, r *Receipt, s ReceiptState, stand store.ID) (ReceiptView, error) {
	r.State, r.Decided, r.By, r.StandIn = s, tx.Now.UnixMilli(), who.Account, stand
	if err := receipts.Put(tx, r); err != nil {
		return ReceiptView{}, err
	}
	if err := record(tx, who, about(ReceiptDecided, NounReceipt, r.ID, r.App).because(s.String())); err != nil {
		return ReceiptView{}, err
	}
	return a.receiptView(tx, r)
}

// adoptionOf is what a receipt's binding is to be made of; nil where the device holds one by now.
func (a *Authority) adoptionOf(tx *store.Tx, r *Receipt, how ReceiptAdoption) (*adoption, error) {
	app, err := apps.Get(tx, r.App.Key())
	if err != nil {
		return nil, err
	}
	in := &adoption{app: app, key: r.Key, parts: r.Parts, platform: r.Platform}
	if in.Claims, err = r.lease(app); err != nil {
		return nil, fault.New(fault.Conflict, "receipt_invalid").Because(err)
	}
	if err := in.onCard(tx, r, how.Card); err != nil {
		return nil, err
	}
	if in.card.Licence == 0 {
		return in, nil
	}
	if in.licence, err = licences.Get(tx, in.card.Licence.Key()); err != nil {
		return nil, err
	}
	held, err := seatsOf(tx, in.licence.ID)
	same := held.ofMachine(in.Device)
	switch {
	case err != nil:
		return nil, err
	case held.withKey(r.Key) != nil:
		return nil, nil
	case same != nil && !how.Replace:
		return nil, fault.New(fault.Conflict, "receipt_machine")
	case same != nil:
		in.takes = same
	case len(held) < in.licence.Seats:
	case !how.Replace:
		return nil, fault.New(fault.Conflict, "device_limit").With("seats", in.licence.Seats)
	default:
		in.takes = a.quietest(tx, held)
	}
	return in, nil
}

// onCard finds the card that the binding is for: that of the lease, or the unused one in its place.
func (in *adoption) onCard(tx *store.Tx, r *Receipt, stand store.ID) error {
	card, batch, err := cardByID(tx, r.Card)
	switch {
	case isNotFound(err) && stand == 0:
		return fault.New(fault.Conflict, receiptCard).In("card_id")
	case isNotFound(err):
		card, batch, err = cardOrNotFound(tx, stand)
		if err == nil && (card.App != r.App || card.stateAt(tx.Now.UnixMilli(), batch.until()) != CardUnused) {
			err = fault.New(fault.Conflict, "stand_in_used").In("card_id")
		}
	case stand != 0 && err == nil:
		err = fault.New(fault.Conflict, "stand_in_needless").In("card_id")
	}
	if err != nil {
		return err
	}
	in.card, in.batch, in.standsIn = card, batch, stand != 0
	state := card.stateAt(tx.Now.UnixMilli(), batch.until())
	if state == CardUnused {
		return nil
	}
	if f := state.refusal(); f != nil {
		return fault.New(fault.Conflict, f.Code)
	}
	return nil
}

// ParseReceiptState reads a state's name; the empty one means waiting, "all" gives 0 for any.
func ParseReceiptState(s string) (ReceiptState, error) {
	switch s {
	case "":
		return ReceiptWaiting, nil
	case "all":
		return 0, nil
	}
	n, err := parseName(receiptStates, s, "state")
	return ReceiptState(n), err
}
