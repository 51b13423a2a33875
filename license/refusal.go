package license

import (
	"strconv"
	"sync"

	"goldfish/store"
)

// refusalsKept bounds what waits between two flushes; what comes beyond is counted, not listed.
const refusalsKept = 1000

// refusals gathers refused device calls for the log. Those that differ in nothing are one event with a count,
// so that whoever asks the same thing over and over does not fill the disk.
type refusals struct {
	mu      sync.Mutex
	waiting []refusedCall // in the order of the first of each
	count   map[refusedCall]int
	over    int
}

// refusedCall is all that the event of a refusal says.
type refusedCall struct {
	who       Actor
	app, card store.ID
	code      string
}

// refused notes a refused device call for the log; it is written within a second, many in one transaction.
func (a *Authority) refused(h *hearing, o *outcome) {
	if c := o.refusal.Code; c == "receipt_wanted" || c == "receipt_kept" {
		return // a step of the protocol; that a receipt is kept has an event of its own
	}
	r := refusedCall{who: Actor{Kind: h.who.Kind, Account: h.who.Account, Address: h.who.Address}, code: o.refusal.Code}
	if o.card != nil {
		r.card = o.card.ID
	}
	if o.app != nil {
		r.app = o.app.ID
	}
	a.refusals.add(r, 1)
}

func (s *refusals) add(r refusedCall, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count[r] == 0 {
		if len(s.waiting) >= refusalsKept {
			s.over += n
			return
		}
		if s.count == nil {
			s.count = map[refusedCall]int{}
		}
		s.waiting = append(s.waiting, r)
	}
	s.count[r] += n
}

func (s *refusals) take() *refusals {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &refusals{waiting: s.waiting, count: s.count, over: s.over}
	s.waiting, s.count, s.over = nil, nil, 0
	return out
}

// flushRefusals writes what was gathered; what cannot be written waits on.
func (a *Authority) flushRefusals() error {
	taken := a.refusals.take()
	if len(taken.waiting) == 0 {
		return nil
	}
	err := a.db.UpdateSpare(taken.record)
	if err != nil {
		for _, r := range taken.waiting {
			a.refusals.add(r, taken.count[r])
		}
	}
	return unlessFull(err)
}

func (s *refusals) record(tx *store.Tx) error {
	for _, r := range s.waiting {
		e := about(CardRefused, 0, 0, r.app).because(r.code).at(LevelWarning)
		if r.card != 0 {
			e.Noun, e.Object = NounCard, r.card
		}
		if n := s.count[r]; n > 1 {
			e = e.with("count", strconv.Itoa(n))
		}
		if err := record(tx, r.who, e); err != nil {
			return err
		}
	}
	if s.over == 0 {
		return nil
	}
	return record(tx, System, about(CardRefused, 0, 0, 0).because("not_listed").at(LevelWarning).with("count", strconv.Itoa(s.over)))
}
