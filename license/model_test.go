package license_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"goldfish/license"
	"goldfish/license/licensetest"
)

// modelCard is all that a simple mind knows of a card.
type modelCard struct {
	key, id  string
	terms    license.Terms
	state    string // as counted: unused, active, expired, disabled, deleted
	was      string // before it was disabled
	account  int    // who has it, −1: nobody
	ends     int64
	seats    map[int]int // which key each machine holds
	replaced []int64
	events   []string
}

// shown is the state that counts at a time.
func (c *modelCard) shown(now int64) string {
	switch {
	case c.state == "active" && c.ends != 0 && now >= c.ends:
		return "expired"
	case c.state == "unused" && c.terms.Until != 0 && now >= c.terms.Until:
		return "expired"
	}
	return c.state
}

// refusal is what a card in this state answers, "" for an active one.
func refusalOf(state string) string {
	return map[string]string{
		"unused": "card_unused", "expired": "card_expired", "disabled": "card_disabled", "deleted": "card_deleted",
	}[state]
}

// machine runs an app and its model side by side.
type machine struct {
	t        *testing.T
	w        *licensetest.World
	app      *license.App
	accounts []license.Actor
	cards    []*modelCard
	batches  []*license.Batch
}

const machines, keysEach = 3, 2

func (m *machine) now() int64 { return m.w.Clock.Now().UnixMilli() }

// device is machine n with its key number k.
func (m *machine) device(n, k int) *licensetest.Device {
	d, body := m.w.Device(m.app, 10*n+k), m.w.Device(m.app, 10*n)
	d.CPU, d.Board, d.MAC = body.CPU, body.Board, body.MAC
	return d
}

func newMachine(t *testing.T, w *licensetest.World, accounts []license.Actor) *machine {
	m := &machine{t: t, w: w, app: w.App(nil), accounts: accounts}
	for _, terms := range []license.Terms{
		{Kind: license.Permanent, Devices: 2},
		{Kind: license.Duration, Seconds: 3 * 3600, Devices: 1},
		{Kind: license.Until, Until: m.now() + 10*3600_000, Devices: 2},
	} {
		for _, key := range w.Keys(m.app, 2, terms) {
			v := w.CardOf(key)
			c := &modelCard{key: key, id: w.OuterID(v.Card.ID), terms: terms, state: "unused", account: -1, seats: map[int]int{}}
			m.cards = append(m.cards, c)
			if len(m.cards)%2 == 0 {
				m.batches = append(m.batches, v.Batch)
			}
		}
	}
	return m
}

// activate says what must come of an activation, and does it to the model.
func (m *machine) activate(c *modelCard, who, n, k int, replace bool) string {
	state := c.shown(m.now())
	held, taken := c.seats[n]
	switch {
	case c.account >= 0 && c.account != who:
		return "card_taken"
	case state != "unused" && state != "active":
		return refusalOf(state)
	case taken && held == k, taken && !replace:
		return "device_already_bound"
	case taken:
		var counted []int64
		for _, at := range c.replaced {
			if at > m.now()-30*24*3600_000 {
				counted = append(counted, at)
			}
		}
		if len(counted) >= 3 {
			return "unbind_limit"
		}
		c.replaced = append(counted, m.now())
	case len(c.seats) >= c.terms.Devices:
		return "device_limit"
	}
	if state == "unused" {
		c.state, c.account = "active", who
		c.events = append(c.events, "card_key.activated")
		switch c.terms.Kind {
		case license.Duration:
			c.ends = m.now() + c.terms.Seconds*1000
		case license.Until:
			c.ends = c.terms.Until
		}
	}
	c.seats[n] = k
	return "valid"
}

func (m *machine) verify(c *modelCard, n, k int) string {
	if code := refusalOf(c.shown(m.now())); code != "" {
		return code
	}
	held, taken := c.seats[n]
	switch {
	case !taken:
		return "device_unbound"
	case held != k:
		return "device_key_mismatch"
	}
	return "valid"
}

func (m *machine) act(c *modelCard, act license.CardAct) string {
	state := c.shown(m.now())
	switch {
	case state == "deleted":
		return "card_deleted"
	case act == license.DisableCard && state == "disabled":
		return "card_already_disabled"
	case act == license.EnableCard && state != "disabled":
		return "card_not_disabled"
	}
	switch act {
	case license.DisableCard:
		c.state, c.was = "disabled", c.state
		c.events = append(c.events, "card_key.disabled")
	case license.DeleteCard:
		c.state = "deleted"
		c.events = append(c.events, "card_key.deleted")
	case license.EnableCard:
		c.state = c.was
		c.events = append(c.events, "card_key.enabled")
		if c.state == "active" && c.shown(m.now()) == "expired" {
			c.state = "expired"
			c.events = append(c.events, "card_key.expired")
		}
	}
	return "valid"
}

func (m *machine) sweep() {
	for _, c := range m.cards {
		if c.state == "active" && c.shown(m.now()) == "expired" {
			c.state = "expired"
			c.events = append(c.events, "card_key.expired")
		}
	}
}

// check compares what the back office sees with the model.
func (m *machine) check(t *rapid.T) {
	views, next, err := m.w.ListCards(m.w.Owner, license.CardFilter{App: m.app, Limit: len(m.cards)})
	if err != nil || next != 0 || len(views) != len(m.cards) {
		t.Fatalf("%d cards are listed, and %d (%v)", len(views), next, err)
	}
	slices.Reverse(views)
	counted := map[string]int64{}
	for i, c := range m.cards {
		state := c.state
		if state == "unused" {
			state = c.shown(m.now())
		}
		counted[state]++
		v := views[i]
		if v.State.String() != c.shown(m.now()) || v.Bound != len(c.seats) || (v.Account != nil) != (c.account >= 0) {
			t.Fatalf("%s is %v with %d seats, want %s with %d", c.key, v.State, v.Bound, c.shown(m.now()), len(c.seats))
		}
	}
	var n license.Counts
	for _, b := range m.batches {
		c, err := m.w.CountBatch(b)
		if err != nil {
			t.Fatal(err)
		}
		n.Unused, n.Active, n.Expired = n.Unused+c.Unused, n.Active+c.Active, n.Expired+c.Expired
		n.Disabled, n.Deleted = n.Disabled+c.Disabled, n.Deleted+c.Deleted
	}
	want := license.Counts{
		Unused: counted["unused"], Active: counted["active"], Expired: counted["expired"],
		Disabled: counted["disabled"], Deleted: counted["deleted"],
	}
	if n != want {
		t.Fatalf("counted %+v, want %+v", n, want)
	}
}

func (m *machine) checkEvents(t *rapid.T) {
	for _, c := range m.cards {
		kinds := m.w.Events(license.NounCard, m.w.CardOf(c.key).Card.ID)
		kinds = slices.DeleteFunc(kinds, func(k license.EventKind) bool { return k == license.CardRefused })
		if fmt.Sprint(kinds) != fmt.Sprint(c.events) {
			t.Errorf("%s: events %v, want %v", c.key, kinds, c.events)
		}
	}
}

func (m *machine) actions() map[string]func(*rapid.T) {
	some := func(t *rapid.T, n int, what string) int { return rapid.IntRange(0, n-1).Draw(t, what) }
	card := func(t *rapid.T) *modelCard { return m.cards[some(t, len(m.cards), "card")] }
	expect := func(t *rapid.T, err error, want string) {
		if codeOf(err) != want {
			t.Fatalf("got %v, want %s", err, want)
		}
	}
	return map[string]func(*rapid.T){
		"": m.check,
		"activate": func(t *rapid.T) {
			c, who, n, k := card(t), some(t, len(m.accounts), "account"), some(t, machines, "machine"), some(t, keysEach, "key")
			replace := rapid.Bool().Draw(t, "replace")
			want := m.activate(c, who, n, k, replace)
			_, err := m.device(n, k).Activate(m.accounts[who], c.key, func(d *license.DeviceCall) { d.Replace = replace })
			expect(t, err, want)
		},
		"verify": func(t *rapid.T) {
			c, n, k := card(t), some(t, machines, "machine"), some(t, keysEach, "key")
			_, err := m.device(n, k).Verify(c.id)
			expect(t, err, m.verify(c, n, k))
		},
		"act": func(t *rapid.T) {
			c := card(t)
			act := rapid.SampledFrom([]license.CardAct{license.DisableCard, license.EnableCard, license.EnableCard, license.DeleteCard}).Draw(t, "act")
			want := m.act(c, act)
			changed, failed, err := m.w.ActOnCards(m.w.Owner, act, []string{c.id}, "")
			if err == nil && len(failed) > 0 {
				err = failed[0].Fault
			}
			expect(t, err, want)
			if (changed == 1) != (want == "valid") {
				t.Fatalf("%d changed", changed)
			}
		},
		"time": func(*rapid.T) { m.w.Clock.Advance(time.Hour) },
		"sweep": func(*rapid.T) {
			m.sweep()
			m.w.Must(m.w.SweepExpired())
		},
		"restart": func(t *rapid.T) {
			if some(t, 5, "whether") > 0 { // it takes its time
				return
			}
			owner := m.w.Owner
			m.w.Must(m.w.Close())
			m.w = licensetest.Open(m.t, m.w.Path, m.w.Clock)
			m.w.Owner = owner
		},
	}
}

// TestCardsAgainstAModel lets accounts, devices, the vendor and time do what they like with an app's cards: every
// answer, state, seat, counter and event is what a simple model says.
func TestCardsAgainstAModel(t *testing.T) {
	w := licensetest.New(t)
	accounts := []license.Actor{w.Customer(), w.Customer()}
	rapid.Check(t, func(rt *rapid.T) {
		m := newMachine(t, w, accounts)
		defer func() { w = m.w }()
		rt.Repeat(m.actions())
		m.checkEvents(rt)
	})
}
