package license_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"goldfish/license"
	"goldfish/license/licensetest"
)

// A history is what several callers at once asked of a few cards, and what they were told. It is right if there is an
// order of the calls, each at some moment between its question and its answer, in which a simple card that knows
// nothing of concurrency gives the same answers.

// ask is one call: what a machine with one of its keys, an account or the vendor wants of a card.
type ask struct {
	do                          string // activate, replace, verify, unbind, disable, enable, delete, look
	card, account, machine, key int
	seats                       int // of the card
}

// changesFree is how many devices of a card may be unbound or given another key.
const changesFree = 3

// simpleCard is the state of a card. It is comparable.
type simpleCard struct {
	state, was string
	account    int            // who has it, −1: nobody
	held       [machines]int8 // which key each machine holds, from 1
	replaced   int
}

func (c simpleCard) bound() (n int) {
	for _, k := range c.held {
		if k != 0 {
			n++
		}
	}
	return n
}

// step gives the answer of a card that is asked, and what it is then.
func (c simpleCard) step(a ask) (string, simpleCard) {
	key := int8(a.key + 1)
	switch a.do {
	case "activate", "replace":
		return c.activate(a, key)
	case "verify", "unbind":
		if code := refusalOf(c.state); code != "" {
			return code, c
		}
		switch c.held[a.machine] {
		case key:
		case 0:
			return "device_unbound", c
		default:
			return "device_key_mismatch", c
		}
		if a.do == "unbind" {
			if c.replaced >= changesFree {
				return "unbind_limit", c
			}
			c.replaced++
			c.held[a.machine] = 0
		}
		return "valid", c
	case "look":
		return fmt.Sprintf("%s with %d", c.state, c.bound()), c
	}
	return c.act(a.do)
}

func (c simpleCard) activate(a ask, key int8) (string, simpleCard) {
	switch held := c.held[a.machine]; {
	case c.account >= 0 && c.account != a.account:
		return "card_taken", c
	case c.state != "unused" && c.state != "active":
		return refusalOf(c.state), c
	case held == key, held != 0 && a.do == "activate":
		return "device_already_bound", c
	case held != 0:
		if c.replaced >= changesFree {
			return "unbind_limit", c
		}
		c.replaced++
	case c.bound() >= a.seats:
		return "device_limit", c
	}
	c.state, c.account, c.held[a.machine] = "active", a.account, key
	return "valid", c
}

func (c simpleCard) act(do string) (string, simpleCard) {
	switch {
	case c.state == "deleted":
		return "card_deleted", c
	case do == "delete":
		c.state = "deleted"
	case do == "disable" && c.state == "disabled":
		return "card_already_disabled", c
	case do == "disable":
		c.state, c.was = "disabled", c.state
	case c.state != "disabled":
		return "card_not_disabled", c
	default:
		c.state, c.was = c.was, ""
	}
	return "valid", c
}

var cardModel = porcupine.Model{
	Init: func() any { return simpleCard{state: "unused", account: -1} },
	Step: func(state, input, output any) (bool, any) {
		code, next := state.(simpleCard).step(input.(ask))
		return code == output.(string), next
	},
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		byCard := map[int][]porcupine.Operation{}
		for _, op := range history {
			card := op.Input.(ask).card
			byCard[card] = append(byCard[card], op)
		}
		var parts [][]porcupine.Operation
		for _, part := range byCard {
			parts = append(parts, part)
		}
		return parts
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v: %s", input, output) },
}

// crowd asks the appliance.
type crowd struct {
	*machine
	keys, ids []string
	cards     []license.ID
	clock     atomic.Int64
}

// told is the answer's code. A device that the file knows nothing of may be asked for its receipt: it is not bound.
func told(err error) string {
	if code := codeOf(err); code != "receipt_wanted" {
		return code
	}
	return "device_unbound"
}

func (c *crowd) answer(a ask) string {
	key, id := c.keys[a.card], c.ids[a.card]
	switch d := c.device(a.machine, a.key); a.do {
	case "activate", "replace":
		_, err := d.Activate(c.accounts[a.account], key, func(call *license.DeviceCall) { call.Replace = a.do == "replace" })
		return told(err)
	case "verify":
		_, err := d.Verify(id)
		return told(err)
	case "unbind":
		_, err := c.w.Unbind(license.Actor{}, d.Call(unbindPath, func(call *license.DeviceCall) { call.CardID = id }))
		return told(err)
	case "look":
		v, err := c.w.CardByID(c.w.Owner, c.cards[a.card])
		c.w.Must(err)
		return fmt.Sprintf("%v with %d", v.State, v.Bound)
	}
	act := map[string]license.CardAct{"disable": license.DisableCard, "enable": license.EnableCard, "delete": license.DeleteCard}[a.do]
	_, failed, err := c.w.ActOnCards(c.w.Owner, act, []string{id}, "")
	if err == nil && len(failed) > 0 {
		err = failed[0].Fault
	}
	return told(err)
}

// drawAsk draws a call: mostly of machines that want in, so that there is something to fight for.
func drawAsk(rng *rand.Rand, first int, seats []int) ask {
	does := []string{
		"activate", "activate", "activate", "replace", "replace", "verify", "verify", "unbind", "unbind", "disable", "enable", "enable",
	}
	a := ask{do: does[rng.IntN(len(does))], account: 0, machine: rng.IntN(machines), key: rng.IntN(keysEach)}
	if rng.IntN(4) == 0 {
		a.account = 1
	}
	if rng.IntN(60) == 0 {
		a.do = "delete"
	}
	n := rng.IntN(len(seats))
	a.card, a.seats = first+n, seats[n]
	return a
}

// history lets callers ask at once, and looks at the cards when all is over.
func (c *crowd) history(rng *rand.Rand, first int, seats []int) []porcupine.Operation {
	const callers, each = 5, 5
	var mu sync.Mutex
	var out []porcupine.Operation
	one := func(caller int, a ask) {
		op := porcupine.Operation{ClientId: caller, Input: a, Call: c.clock.Add(1)}
		op.Output = c.answer(a)
		op.Return = c.clock.Add(1)
		mu.Lock()
		defer mu.Unlock()
		out = append(out, op)
	}
	if rng.IntN(2) == 0 { // the limit of changes is near
		for i, do := range []string{"activate", "replace", "replace"} {
			for n := range seats {
				one(0, ask{do: do, card: first + n, seats: seats[n], key: i % 2})
			}
		}
	}
	var wg sync.WaitGroup
	start := make(chan struct{})
	for caller := range callers {
		var asks []ask
		for range each {
			asks = append(asks, drawAsk(rng, first, seats))
		}
		wg.Go(func() {
			<-start
			for _, a := range asks {
				one(caller, a)
			}
		})
	}
	close(start)
	wg.Wait()
	for n := range seats {
		one(0, ask{do: "look", card: first + n, seats: seats[n]})
	}
	return out
}

// TestHistoriesOfCards: over many histories of activations, changes of keys, unbindings and the vendor's acts, no card is
// activated twice, none has more devices than seats, and nobody is told what was not so at any moment of the call.
func TestHistoriesOfCards(t *testing.T) {
	histories := 100
	if long() {
		histories = 2500
	}
	w := licensetest.New(t)
	app := w.App(nil)
	c := &crowd{machine: &machine{t: t, w: w, app: app, accounts: []license.Actor{w.Customer(), w.Customer()}}}
	seats := []int{1, 2}
	batches := [][]string{
		w.Keys(app, histories, license.Terms{Kind: license.Permanent, Devices: seats[0]}),
		w.Keys(app, histories, license.Terms{Kind: license.Permanent, Devices: seats[1]}),
	}
	calls, refused := 0, map[string]int{}
	for n := range histories {
		for _, batch := range batches {
			v := w.CardOf(batch[n])
			c.keys, c.ids, c.cards = append(c.keys, batch[n]), append(c.ids, w.OuterID(v.Card.ID)), append(c.cards, v.Card.ID)
		}
		history := c.history(rand.New(rand.NewPCG(uint64(n), 5)), 2*n, seats)
		for _, op := range history {
			calls++
			refused[op.Output.(string)]++
		}
		if result := porcupine.CheckOperationsTimeout(cardModel, history, time.Minute); result != porcupine.Ok {
			for _, op := range history {
				t.Logf("%4d to %4d, caller %d: %+v: %s", op.Call, op.Return, op.ClientId, op.Input, op.Output)
			}
			t.Fatalf("history %d has no order: %s", n, result)
		}
	}
	activatedOnce(t, w)
	for _, code := range []string{"valid", "device_limit", "card_taken", "device_already_bound", "unbind_limit", "device_unbound", "card_disabled"} {
		if refused[code] < histories/50 { // how the callers meet differs from run to run
			t.Errorf("%s was answered %d times: the histories prove little", code, refused[code])
		}
	}
	t.Logf("%d histories, %d calls; no double activation, no limit exceeded, every answer in order", histories, calls)
}

// activatedOnce looks into the log: no card was activated more than once.
func activatedOnce(t *testing.T, w *licensetest.World) (cards int) {
	t.Helper()
	times := map[license.ID]int{}
	_, err := w.RecentEvents(1<<30, 1<<30, func(e *license.Event) bool {
		if e.Kind == license.CardActivated {
			times[e.Object]++
		}
		return false
	})
	w.Must(err)
	for id, n := range times {
		if n != 1 {
			t.Errorf("card %d was activated %d times", id, n)
		}
	}
	return len(times)
}

// TestModelSeesDoubles: the model is none that agrees with everything.
func TestModelSeesDoubles(t *testing.T) {
	valid := func(a ask, from, to int64) porcupine.Operation {
		return porcupine.Operation{Input: a, Output: "valid", Call: from, Return: to}
	}
	mine, yours := ask{do: "activate", seats: 1}, ask{do: "activate", seats: 1, account: 1, machine: 1}
	second := ask{do: "activate", seats: 1, machine: 1}
	for name, wrong := range map[string][]porcupine.Operation{
		"two accounts":    {valid(mine, 1, 3), valid(yours, 2, 4)},
		"beyond the seat": {valid(mine, 1, 3), valid(second, 2, 4)},
		"stale":           {valid(mine, 1, 2), valid(ask{do: "disable"}, 3, 4), valid(ask{do: "verify"}, 5, 6)},
	} {
		if porcupine.CheckOperations(cardModel, wrong) {
			t.Errorf("%s: taken for right", name)
		}
	}
	if !porcupine.CheckOperations(cardModel, []porcupine.Operation{
		valid(mine, 1, 2), valid(ask{do: "disable"}, 3, 6), valid(ask{do: "verify"}, 4, 5),
	}) {
		t.Error("what may be so was taken for wrong")
	}
}
