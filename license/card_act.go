package license

import (
	"goldfish/license/fault"
	"goldfish/store"
)

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
	card, batch, err := cardOrNotFound(tx, id)
	if err != nil {
		return err
	}
	was := card.Was
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
	if err := record(tx, who, e); err != nil || was != CardActive || card.State != CardLapsed {
		return err
	}
	return record(tx, System, about(CardExpired, NounCard, id, card.App)) // it ended while it was disabled
}
