package license

import (
	"cmp"
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
		out, next, err = a.pageOfCards(tx, f, scanMost)
		return err
	})
	return out, next, err
}

func (a *Authority) oneCard(tx *store.Tx, f CardFilter) ([]CardView, error) {
	key, err := cardkey.Parse(f.Key)
	if err != nil {
		return nil, fault.New(fault.Invalid, "card_key_form").In("key")
	}
	card, batch, err := cardByCode(tx, key)
	if isNotFound(err) {
		return nil, nil
	}
	if err != nil || !f.lets(tx, card, batch) {
		return nil, err
	}
	v, err := a.cardView(tx, card, batch)
	return []CardView{v}, err
}

// lets says whether a card is among those that the filter asks for.
func (f CardFilter) lets(tx *store.Tx, card *Card, batch *Batch) bool {
	return (f.App == nil || card.App == f.App.ID) && (f.Batch == nil || card.Batch == f.Batch.ID) &&
		(f.State == 0 || card.stateAt(tx.Now.UnixMilli(), batch.until()) == f.State)
}

// pageOfCards looks at no more than scan cards. There is a next page if one more card would be on it, or if
// the rest was not looked at.
func (a *Authority) pageOfCards(tx *store.Tx, f CardFilter, scan int) (out []CardView, next store.ID, err error) {
	if f.Limit <= 0 {
		return nil, 0, nil
	}
	var last store.ID
	for c, err := range f.walk(tx, f.Before, true) {
		if err != nil {
			return nil, 0, err
		}
		wanted := f.lets(tx, c.card, c.batch)
		if scan == 0 || wanted && len(out) == f.Limit {
			return out, last, nil
		}
		scan, last = scan-1, c.card.ID
		if !wanted {
			continue
		}
		v, err := a.cardView(tx, c.card, c.batch)
		if err != nil {
			return nil, 0, err
		}
		out = append(out, v)
	}
	return out, 0, nil
}

func (a *Authority) cardView(tx *store.Tx, card *Card, batch *Batch) (CardView, error) {
	v := CardView{Card: card, Batch: batch, App: a.appByID(tx, card.App)}
	var err error
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
		card, batch, err := cardOrNotFound(tx, id)
		if err != nil {
			return CardView{}, err
		}
		v, err := a.cardView(tx, card, batch)
		if err != nil {
			return v, err
		}
		v.History = []Mark{{At: batch.Created, Kind: BatchCreated, By: batch.By}}
		if v.Licence != nil {
			err = a.addBindings(tx, &v)
		}
		v.History = append(v.History, v.Text.History...)
		slices.SortStableFunc(v.History, func(x, y Mark) int { return cmp.Compare(x.At, y.At) })
		return v, err
	})
}

// cardOrNotFound finds a card for the back office.
func cardOrNotFound(tx *store.Tx, id store.ID) (*Card, *Batch, error) {
	card, batch, err := cardByID(tx, id)
	if isNotFound(err) {
		return nil, nil, notFound(NounCard)
	}
	return card, batch, err
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

// OwnCards gives the caller's own cards, newest licence first; a back-office account sees all. The cursor is
// that of a licence, and of a card for the back office. Of the filter, a customer's call takes app and state.
func (a *Authority) OwnCards(who Actor, f CardFilter) (out []CardView, next store.ID, err error) {
	if err := who.Authorise(OwnLicences); err != nil {
		return nil, 0, err
	}
	if who.BackOffice() {
		return a.ListCards(who, f)
	}
	if f.Limit <= 0 {
		return nil, 0, nil
	}
	err = a.db.View(func(tx *store.Tx) error {
		out, next, err = a.pageOfLicences(tx, who.Account, f)
		return err
	})
	return out, next, err
}

func (a *Authority) pageOfLicences(tx *store.Tx, account store.ID, f CardFilter) (out []CardView, next store.ID, err error) {
	r := store.Range{Prefix: account.Key(), Back: true}
	if f.Before != 0 {
		r.After = pair(account, f.Before)
	}
	for l, err := range rowsBy(tx, licences, licenceByAccount, r) {
		if err != nil {
			return nil, 0, err
		}
		card, batch, err := cardByID(tx, l.Card)
		if err != nil {
			return nil, 0, err
		}
		if !f.lets(tx, card, batch) {
			continue
		}
		if len(out) == f.Limit {
			return out, next, nil
		}
		v, err := a.cardView(tx, card, batch)
		if err != nil {
			return nil, 0, err
		}
		out, next = append(out, v), l.ID
	}
	return out, 0, nil
}
