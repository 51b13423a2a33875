package license_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"goldfish/license"
)

// TestAllLaterActivationsComeBack: whatever was activated between a backup and its restore is taken up again, each
// device by itself and many at a time; and once more after the next restore.
func TestAllLaterActivationsComeBack(t *testing.T) {
	count := 30
	if long() {
		count = 1000
	}
	l := newLoss(t, license.Terms{Kind: license.Permanent, Devices: 2}, count)
	for n := range count / 2 { // half of the cards have a device before
		l.activate(10_000+n, l.keys[n])
	}
	l.backup()
	var all []holder
	ends := map[string]*int64{}
	for n, key := range l.keys {
		l.Clock.Advance(time.Second)
		h := l.activate(n, key)
		if n%3 == 0 {
			_, h.lease = l.ask(h, "") // its lease is one of a heartbeat
		}
		c, _ := l.ask(h, "")
		ends[h.card] = c.Card.Expires
		all = append(all, h)
	}
	for round := range 2 {
		l.restore()
		var together sync.WaitGroup
		for part := range slices.Chunk(all, max(1, count/8)) {
			together.Go(func() {
				for _, h := range part {
					l.ask(h, "")
					l.ask(h, h.lease)
				}
			})
		}
		together.Wait()
		back := 0
		for _, h := range all {
			if c, _ := l.ask(h, ""); c.Act == "run" && c.Code == "valid" && fmt.Sprint(c.Card.Expires) == fmt.Sprint(ends[h.card]) {
				back++
			}
		}
		adopted, err := l.RecentEvents(10*count, 100*count, func(e *license.Event) bool { return e.Kind == license.ReceiptAdopted })
		if l.Must(err); back != count || len(adopted) != count || rowsOf(l.World, "receipts") != 0 {
			t.Fatalf("round %d: %d of %d came back, %d were adopted, %d kept", round, back, count, len(adopted), rowsOf(l.World, "receipts"))
		}
	}
	t.Logf("%d of %d came back, twice", count, count)
}

// timeline is what truly happened, whatever the file remembers of it.
type timeline struct {
	*loss
	rand    *rand.Rand
	seats   map[string]int             // of each card, by its key
	bound   map[string]map[int]*holder // who holds a card, by its key
	copies  []past
	log     []string
	devices int
}

// past is a copy, with the cards that it knows.
type past struct {
	path  string
	cards int
}

func (w *timeline) note(format string, args ...any) {
	w.log = append(w.log, fmt.Sprintf(format, args...))
}

func (w *timeline) pick() string { return w.keys[w.rand.IntN(len(w.keys))] }

// step does one thing at random.
func (w *timeline) step() {
	w.Clock.Advance(time.Duration(1+w.rand.IntN(3600)) * time.Second)
	switch n := w.rand.IntN(22); {
	case n > 19:
		w.rekey(w.pick())
	case n < 9:
		w.begin(w.pick())
	case n < 12:
		w.part(w.pick())
	case n < 15:
		for _, h := range w.bound[w.pick()] {
			_, h.lease = w.ask(*h, "")
		}
	case n < 17:
		w.copies = append(w.copies, past{w.Copy(), len(w.keys)})
		w.note("copy %d", len(w.copies))
	case n < 18:
		for _, key := range w.Keys(w.app, 1, license.Terms{Kind: license.Permanent, Devices: 1}) {
			w.keys, w.seats[key], w.bound[key] = append(w.keys, key), 1, map[int]*holder{}
		}
	default:
		w.lose()
	}
}

// begin binds a new device to a card, if a seat is free.
func (w *timeline) begin(key string) {
	if len(w.bound[key]) >= w.seats[key] {
		return
	}
	w.devices++
	got, err := w.device(w.devices).Activate(w.who, key, nil)
	if codeOf(err) == "device_limit" && w.CardOf(key).Bound > len(w.bound[key]) {
		return // the file still has a device that left in a time that was lost
	}
	w.Must(err)
	w.bound[key][w.devices] = &holder{w.devices, got.CardID, got.Verdict}
	w.note("device %d on %s", w.devices, key)
}

// part unbinds a device of a card.
func (w *timeline) part(key string) {
	for n, h := range w.bound[key] {
		_, err := w.Unbind(license.Actor{}, w.device(n).Call("/api/v1/devices/unbind", func(c *license.DeviceCall) { c.CardID = h.card }))
		if codeOf(err) == "unbind_limit" {
			return
		}
		w.Must(err)
		delete(w.bound[key], n)
		w.note("device %d leaves %s", n, key)
		return
	}
}

// lose restores one of the copies, and has every device come back.
func (w *timeline) lose() {
	if len(w.copies) == 0 {
		return
	}
	chosen := w.copies[w.rand.IntN(len(w.copies))]
	w.copy = chosen.path
	w.restore()
	w.note("restore of %s", chosen.path)
	for _, key := range w.keys[chosen.cards:] { // cards that nobody knows any more: their devices wait
		for _, h := range w.bound[key] {
			if c, _ := w.ask(*h, h.lease); c.Act != "wait" || c.Code != "receipt_kept" {
				w.fail("device %d of a lost card hears %s %s", h.n, c.Act, c.Code)
			}
		}
		delete(w.bound, key)
	}
	w.keys = w.keys[:chosen.cards]
	w.copies = slices.DeleteFunc(w.copies, func(p past) bool { return p.cards > chosen.cards })
	w.comeBack()
}

// comeBack lets first those ask that the file knows: a device that is heard holds on to its seat.
func (w *timeline) comeBack() {
	var forgotten []*holder
	for _, key := range w.keys {
		for _, h := range w.bound[key] {
			if c, token := w.ask(*h, ""); c.Act == "run" {
				h.lease = token
			} else {
				forgotten = append(forgotten, h)
			}
		}
	}
	slices.SortFunc(forgotten, func(a, b *holder) int { return a.n - b.n })
	w.rand.Shuffle(len(forgotten), func(i, j int) { forgotten[i], forgotten[j] = forgotten[j], forgotten[i] })
	for _, h := range forgotten {
		if c, _ := w.ask(*h, ""); c.Act != "wait" || c.Code != "receipt_wanted" {
			w.fail("device %d hears %s %s", h.n, c.Act, c.Code)
		}
		c, token := w.ask(*h, h.lease)
		if c.Act != "run" {
			w.fail("device %d shows its receipt and hears %s %s", h.n, c.Act, c.Code)
		}
		h.lease = token
	}
	for _, key := range w.keys {
		v := w.CardOf(key)
		if v.Bound > w.seats[key] {
			w.fail("%d devices on %d seats", v.Bound, w.seats[key])
		}
		machines := map[string]bool{}
		for _, b := range v.Bindings {
			if id := b.Binding.DeviceID(); b.Binding.Ended == 0 && machines[id] {
				w.fail("a machine holds two seats of %s", key)
			} else if b.Binding.Ended == 0 {
				machines[id] = true
			}
		}
		for _, h := range w.bound[key] {
			if c, _ := w.ask(*h, ""); c.Act != "run" {
				w.fail("device %d came back, and now hears %s %s", h.n, c.Act, c.Code)
			}
		}
	}
}

// rekey puts another device key on a binding, as after a reinstallation.
func (w *timeline) rekey(key string) {
	for n, h := range w.bound[key] {
		next, err := w.replace(*h, key)
		if codeOf(err) == "unbind_limit" {
			return
		}
		w.Must(err)
		delete(w.bound[key], n)
		w.bound[key][next.n] = &next
		w.note("device %d has another key on %s", n, key)
		return
	}
}

func (w *timeline) fail(format string, args ...any) {
	w.T.Helper()
	for _, line := range w.log {
		w.T.Log(line)
	}
	w.T.Fatalf(format, args...)
}

// TestWhateverIsLostComesBack plays histories of activations, unbindings, new device keys, copies and restores at random: after each
// restore all devices that held a seat come back, and nobody holds one too many.
func TestWhateverIsLostComesBack(t *testing.T) {
	histories, steps := 6, 40
	if long() {
		histories, steps = 300, 80
	}
	for seed := range uint64(histories) {
		w := &timeline{
			loss: newLoss(t, license.Terms{Kind: license.Permanent, Devices: 1}, 3), rand: rand.New(rand.NewPCG(seed, 7)),
			seats: map[string]int{}, bound: map[string]map[int]*holder{},
		}
		w.keys = append(w.keys, w.Keys(w.app, 3, license.Terms{Kind: license.Permanent, Devices: 3})...)
		for i, key := range w.keys {
			w.seats[key], w.bound[key] = 1, map[int]*holder{}
			if i >= 3 {
				w.seats[key] = 3
			}
		}
		w.note("history %d", seed)
		for range steps {
			w.step()
		}
		w.Must(w.Close())
	}
}
