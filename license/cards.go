package license

import (
	"slices"

	"goldfish/license/cardkey"
	"goldfish/license/fault"
	"goldfish/store"
)

// Mark is one entry of a card's own history, kept with the card so that the log may expire.
type Mark struct {
	At   int64     `cbor:"1,keyasint"`
	Kind EventKind `cbor:"2,keyasint"`
	By   store.ID  `cbor:"3,keyasint,omitempty"` // account; 0: the appliance
	Why  string    `cbor:"4,keyasint,omitempty"`
}

const marksKept = 50

// CardView is a card with what a list shows beside it.
type CardView struct {
	Card     *Card
	Text     *CardText
	Batch    *Batch
	App      *App
	Licence  *Licence // nil before activation
	Account  *Account // nil where there is none
	State    CardState
	Bound    int
	Bindings []DeviceView // of one card's detail alone
	History  []Mark       // of one card's detail alone, oldest first
}

// CardFilter narrows a list of cards. Zero members ask for everything.
type CardFilter struct {
	App    *App
	Batch  *Batch
	State  CardState
	Key    string // an exact card key in any typing
	Before store.ID
	Limit  int
}

// ListCards gives cards, newest first, and the cursor of the next page (0: none). A page may be short and
// still have a next one where the filter hits rarely.
func (a *Authority) ListCards(who Actor, f CardFilter) (out []CardView, next store.ID, err error) {
	if err := who.Authorise(ReadCards); err != nil {
		return nil, 0, err
	}
	err = a.db.View(func(tx *store.Tx) error {
		if f.Key != "" {
			out, err = a.oneCard(tx, f)
			return err
		}
		out, next, err = a.scanCards(tx, f)
		return err
	})
	return out, next, err
}

func (a *Authority) oneCard(tx *store.Tx, f CardFilter) ([]CardView, error) {
	key, err := cardkey.Parse(f.Key)
	if err != nil {
		return nil, fault.New(fault.Invalid, "card_key_form").In("key")
	}
	card, _, _, err := a.cardByCode(tx, key)
	if fault.Of(err) != nil && fault.Of(err).Code == cardkey.CodeUnknown {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	v, err := a.cardView(tx, card)
	if err != nil || !f.lets(&v) {
		return nil, err
	}
	return []CardView{v}, nil
}

func (f CardFilter) lets(v *CardView) bool {
	return (f.App == nil || v.Card.App == f.App.ID) && (f.Batch == nil || v.Card.Batch == f.Batch.ID) &&
		(f.State == 0 || v.State == f.State)
}

func (a *Authority) scanCards(tx *store.Tx, f CardFilter) (out []CardView, next store.ID, err error) {
	r := backFrom(f.Before)
	if f.Batch != nil && f.Before == 0 {
		r = backFrom(f.Batch.First + store.ID(f.Batch.Count))
	}
	scanned := 0
	for card, err := range cards.Scan(tx, r) {
		if err != nil {
			return nil, 0, err
		}
		if f.Batch != nil && card.ID < f.Batch.First {
			return out, 0, nil
		}
		if scanned++; scanned > scanMost || len(out) == f.Limit {
			return out, card.ID + 1, nil
		}
		if f.App != nil && card.App != f.App.ID {
			continue
		}
		batch, err := batches.Get(tx, card.Batch.Key())
		if err != nil {
			return nil, 0, err
		}
		if batch.State != BatchIsReady || f.State != 0 && card.stateAt(tx.Now.UnixMilli(), batch.until()) != f.State {
			continue
		}
		v, err := a.cardView(tx, card)
		if err != nil {
			return nil, 0, err
		}
		out = append(out, v)
	}
	return out, 0, nil
}

func (a *Authority) cardView(tx *store.Tx, card *Card) (CardView, error) {
	v := CardView{Card: card, App: a.appByID(tx, card.App)}
	var err error
	if v.Batch, err = batches.Get(tx, card.Batch.Key()); err != nil {
		return v, err
	}
	if v.Text, err = cardTexts.Get(tx, card.ID.Key()); err != nil {
		return v, err
	}
	v.State = card.stateAt(tx.Now.UnixMilli(), v.Batch.until())
	if card.Licence == 0 {
		return v, nil
	}
	if v.Licence, err = licences.Get(tx, card.Licence.Key()); err != nil {
		return v, err
	}
	if acc, err := accounts.Get(tx, v.Licence.Account.Key()); err == nil {
		v.Account = acc
	}
	held, err := seatsOf(tx, v.Licence.ID)
	v.Bound = len(held)
	return v, err
}

// CardByID gives one card with its devices and history.
func (a *Authority) CardByID(who Actor, id store.ID) (CardView, error) {
	if err := who.Authorise(ReadCards); err != nil {
		return CardView{}, err
	}
	return store.Read(a.db, func(tx *store.Tx) (CardView, error) {
		card, batch, err := a.cardByID(tx, id)
		if err != nil {
			if f := fault.Of(err); f.Code == cardkey.CodeUnknown {
				return CardView{}, notFound(NounCard)
			}
			return CardView{}, err
		}
		v, err := a.cardView(tx, card)
		if err != nil {
			return v, err
		}
		v.History = []Mark{{At: batch.Created, Kind: BatchCreated, By: batch.By}}
		if v.Licence != nil {
			err = a.addBindings(tx, &v)
		}
		v.History = append(v.History, v.Text.History...)
		slices.SortStableFunc(v.History, func(x, y Mark) int { return int(x.At - y.At) })
		return v, err
	})
}

func (a *Authority) addBindings(tx *store.Tx, v *CardView) error {
	v.History = append(v.History, Mark{At: v.Card.Activated, Kind: CardActivated, By: v.Licence.Account})
	if v.Licence.Lapsed {
		v.History = append(v.History, Mark{At: v.Licence.Ends, Kind: CardExpired})
	}
	for e, err := range bindings.ScanBy(tx, bindingByLicence, store.Range{Prefix: v.Licence.ID.Key()}) {
		if err != nil {
			return err
		}
		v.Bindings = append(v.Bindings, a.deviceView(tx, e.Row))
		v.History = append(v.History, Mark{At: e.Row.Bound, Kind: DeviceRegistered, By: e.Row.Account})
	}
	return nil
}

// OwnCards gives the caller's own cards, newest licence first; a back-office account sees all.
func (a *Authority) OwnCards(who Actor, f CardFilter) (out []CardView, next store.ID, err error) {
	if err := who.Authorise(OwnLicences); err != nil {
		return nil, 0, err
	}
	if who.BackOffice() {
		return a.ListCards(who, f)
	}
	err = a.db.View(func(tx *store.Tx) error {
		r := store.Range{Prefix: who.Account.Key(), Back: true}
		if f.Before != 0 {
			r.After = pair(who.Account, f.Before)
		}
		for e, err := range licences.ScanBy(tx, licenceByAccount, r) {
			if err != nil {
				return err
			}
			card, err := cards.Get(tx, e.Row.Card.Key())
			if err != nil {
				return err
			}
			v, err := a.cardView(tx, card)
			if err != nil {
				return err
			}
			if out = append(out, v); len(out) == f.Limit {
				next = e.Row.ID
				return nil
			}
		}
		return nil
	})
	return out, next, err
}

// ActFailure says why one card was left as it was.
type ActFailure struct {
	ID    string
	Fault *fault.Error
}

// ActsMost is how many cards one call may name.
const ActsMost = 500

var actEvents = map[CardAct]EventKind{EnableCard: CardEnabled, DisableCard: CardDisabled, DeleteCard: CardDeleted}

// ActOnCards enables, disables or deletes cards by their outer ids. Each stands for itself: those that cannot
// be changed are named with the reason, the others are changed in one transaction, each with its event.
func (a *Authority) ActOnCards(who Actor, act CardAct, outer []string, why string) (changed int, failed []ActFailure, err error) {
	if err := who.Authorise(WriteCards); err != nil {
		return 0, nil, err
	}
	if len(outer) == 0 || len(outer) > ActsMost {
		return 0, nil, fault.New(fault.Invalid, "value_range").In("ids").With("least", 1).With("most", ActsMost)
	}
	if why, err = line(why, "reason", 200, false); err != nil {
		return 0, nil, err
	}
	err = a.db.Update(func(tx *store.Tx) error {
		changed, failed = 0, nil
		for _, text := range outer {
			err := a.actOn(tx, who, act, text, why)
			switch f := fault.Of(err); {
			case err == nil:
				changed++
			case f.Kind == fault.Internal:
				return err
			default:
				failed = append(failed, ActFailure{text, f})
			}
		}
		return nil
	})
	if err != nil {
		return 0, nil, err
	}
	return changed, failed, nil
}

func (a *Authority) actOn(tx *store.Tx, who Actor, act CardAct, outer, why string) error {
	id, err := a.ids.In(NounCard, outer)
	if err != nil {
		return err
	}
	card, batch, err := a.cardByID(tx, id)
	if err != nil {
		if f := fault.Of(err); f.Code == cardkey.CodeUnknown {
			return notFound(NounCard)
		}
		return err
	}
	if err := card.apply(act, tx.Now.UnixMilli(), batch.until()); err != nil {
		return err
	}
	text, err := cardTexts.Get(tx, id.Key())
	if err != nil {
		return err
	}
	e := about(actEvents[act], NounCard, id, card.App)
	if act != EnableCard && card.Licence != 0 {
		seq, err := nextPush(tx, card.App, false)
		if err != nil {
			return err
		}
		e = e.with("seq", seqText(seq))
	}
	text.History = append(text.History, Mark{At: tx.Now.UnixMilli(), Kind: e.Kind, By: who.Account, Why: why})
	text.History = text.History[max(0, len(text.History)-marksKept):]
	if err := cards.Put(tx, card); err != nil {
		return err
	}
	if err := cardTexts.Put(tx, text); err != nil {
		return err
	}
	return record(tx, who, e)
}

// ExportCards calls fn for every card of the filter, oldest first, in pages read each in a transaction of its
// own, and records the export before the first.
func (a *Authority) ExportCards(who Actor, f CardFilter, fn func([]CardView) error) error {
	if err := who.Authorise(ExportCards); err != nil {
		return err
	}
	e := about(CardsExported, 0, 0, 0).at(LevelWarning)
	if f.App != nil {
		e.App = f.App.ID
	}
	if f.Batch != nil {
		e.Noun, e.Object, e.App = NounBatch, f.Batch.ID, f.Batch.App
	}
	if err := a.Record(who, e); err != nil {
		return err
	}
	var after store.ID
	if f.Batch != nil {
		after = f.Batch.First - 1
	}
	for {
		views, last, err := a.exportPage(f, after)
		if err != nil {
			return err
		}
		if len(views) > 0 {
			if err := fn(views); err != nil {
				return err
			}
		}
		if last == 0 {
			return nil
		}
		after = last
	}
}

// exportPage gives up to 1,000 rows after an id and the id from which to go on, 0 at the end.
func (a *Authority) exportPage(f CardFilter, after store.ID) (out []CardView, last store.ID, err error) {
	err = a.db.View(func(tx *store.Tx) error {
		scanned := 0
		for card, err := range cards.Scan(tx, store.Range{After: after.Key()}) {
			if err != nil {
				return err
			}
			if f.Batch != nil && card.ID >= f.Batch.First+store.ID(f.Batch.Count) {
				return nil
			}
			if scanned++; scanned > 1000 {
				return nil
			}
			last = card.ID
			batch, err := batches.Get(tx, card.Batch.Key())
			if err != nil {
				return err
			}
			if batch.State != BatchIsReady {
				continue
			}
			v, err := a.cardView(tx, card)
			if err != nil {
				return err
			}
			if f.lets(&v) {
				out = append(out, v)
			}
		}
		if scanned <= 1000 {
			last = 0
		}
		return nil
	})
	return out, last, err
}
