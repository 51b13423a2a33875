package license

import (
	"math"
	"strings"
	"testing"
	"time"

	"goldfish/license/fault"
	"goldfish/license/fingerprint"
	"goldfish/license/verdict"
)

const (
	noon  = int64(1_780_000_000_000)
	hour  = int64(3_600_000)
	never = int64(0)
)

func nameOfFault(f *fault.Error) string {
	if f == nil {
		return "valid"
	}
	return f.Code
}

func TestStateAt(t *testing.T) {
	for _, try := range []struct {
		name        string
		state       CardState
		ends, until int64
		want        CardState
		code        string
	}{
		{"unused", CardUnused, never, never, CardUnused, "card_unused"},
		{"unused before its date", CardUnused, never, noon + 1, CardUnused, "card_unused"},
		{"unused at its date", CardUnused, never, noon, CardLapsed, "card_expired"},
		{"active for ever", CardActive, never, never, CardActive, "valid"},
		{"active before its end", CardActive, noon + 1, never, CardActive, "valid"},
		{"active at its end", CardActive, noon, never, CardLapsed, "card_expired"},
		{"active after its end", CardActive, noon - 1, never, CardLapsed, "card_expired"},
		{"marked as ended", CardLapsed, noon - 1, never, CardLapsed, "card_expired"},
		{"marked as ended by a wrong clock", CardLapsed, noon + 1, never, CardActive, "valid"},
		{"disabled", CardOff, noon + 1, never, CardOff, "card_disabled"},
		{"disabled and ended", CardOff, noon - 1, noon - 1, CardOff, "card_disabled"},
		{"deleted", CardRemoved, noon - 1, never, CardRemoved, "card_deleted"},
		{"a state that is none", CardState(77), never, never, CardState(77), "card_expired"},
	} {
		c := Card{State: try.state, Ends: try.ends}
		got := c.stateAt(noon, try.until)
		if got != try.want || nameOfFault(got.refusal()) != try.code {
			t.Errorf("%s: %v %s, want %v %s", try.name, got, nameOfFault(got.refusal()), try.want, try.code)
		}
	}
}

// TestApply has every act in every state.
func TestApply(t *testing.T) {
	ended, ahead := noon-hour, noon+hour
	for _, try := range []struct {
		name  string
		card  Card
		until int64
		want  map[CardAct]string // the state then, or the code of the refusal
	}{
		{"unused", Card{State: CardUnused}, never, map[CardAct]string{
			EnableCard: "card_not_disabled", DisableCard: "disabled", DeleteCard: "deleted",
		}},
		{"unused and ended", Card{State: CardUnused}, ended, map[CardAct]string{
			EnableCard: "card_not_disabled", DisableCard: "disabled", DeleteCard: "deleted",
		}},
		{"active", Card{State: CardActive, Ends: ahead}, never, map[CardAct]string{
			EnableCard: "card_not_disabled", DisableCard: "disabled", DeleteCard: "deleted",
		}},
		{"ended", Card{State: CardActive, Ends: ended}, never, map[CardAct]string{
			EnableCard: "card_not_disabled", DisableCard: "disabled", DeleteCard: "deleted",
		}},
		{"ended and marked", Card{State: CardLapsed, Ends: ended}, never, map[CardAct]string{
			EnableCard: "card_not_disabled", DisableCard: "disabled", DeleteCard: "deleted",
		}},
		{"disabled from unused", Card{State: CardOff, Was: CardUnused}, never, map[CardAct]string{
			EnableCard: "unused", DisableCard: "card_already_disabled", DeleteCard: "deleted",
		}},
		{"disabled from unused, ended since", Card{State: CardOff, Was: CardUnused}, ended, map[CardAct]string{
			EnableCard: "expired", DisableCard: "card_already_disabled", DeleteCard: "deleted",
		}},
		{"disabled from active", Card{State: CardOff, Was: CardActive, Ends: ahead}, never, map[CardAct]string{
			EnableCard: "active", DisableCard: "card_already_disabled", DeleteCard: "deleted",
		}},
		{"disabled from active, ended since", Card{State: CardOff, Was: CardActive, Ends: ended}, never, map[CardAct]string{
			EnableCard: "expired", DisableCard: "card_already_disabled", DeleteCard: "deleted",
		}},
		{"disabled when ended", Card{State: CardOff, Was: CardLapsed, Ends: ended}, never, map[CardAct]string{
			EnableCard: "expired", DisableCard: "card_already_disabled", DeleteCard: "deleted",
		}},
		{"disabled when a wrong clock had ended it", Card{State: CardOff, Was: CardLapsed, Ends: ahead}, never, map[CardAct]string{
			EnableCard: "active", DisableCard: "card_already_disabled", DeleteCard: "deleted",
		}},
		{"deleted", Card{State: CardRemoved, Was: CardActive}, never, map[CardAct]string{
			EnableCard: "card_deleted", DisableCard: "card_deleted", DeleteCard: "card_deleted",
		}},
	} {
		for act, want := range try.want {
			c := try.card
			err := c.apply(act, noon, try.until)
			got := c.stateAt(noon, try.until).String()
			if err != nil {
				if got = fault.Of(err).Code; c != try.card {
					t.Errorf("%s, act %d: refused, but changed to %+v", try.name, act, c)
				}
			}
			if got != want {
				t.Errorf("%s, act %d: %s, want %s", try.name, act, got, want)
			}
		}
	}
}

// TestDeletedCardRemembersWhatItWas is what restoring it will need.
func TestDeletedCardRemembersWhatItWas(t *testing.T) {
	c := Card{State: CardActive}
	for _, act := range []CardAct{DisableCard, DeleteCard} {
		if err := c.apply(act, noon, never); err != nil {
			t.Fatal(err)
		}
	}
	if c.Was != CardOff || c.WasOff != CardActive {
		t.Errorf("%+v", c)
	}
}

func TestTerms(t *testing.T) {
	now := time.UnixMilli(noon)
	good := func(change func(*Terms)) Terms {
		terms := Terms{Kind: Duration, Seconds: 60, Devices: 1}
		change(&terms)
		return terms
	}
	many := make([]string, 33)
	for i := range many {
		many[i] = "f"
	}
	for _, try := range []struct {
		name  string
		terms Terms
		field string // at fault, "" when it is good
		ends  int64
	}{
		{"a minute", good(func(*Terms) {}), "", noon + 60_000},
		{"a century", good(func(t *Terms) { t.Seconds = secondsMost }), "", noon + secondsMost*1000},
		{"more", good(func(t *Terms) { t.Seconds = secondsMost + 1 }), "validity.seconds", 0},
		{"what would overflow", good(func(t *Terms) { t.Seconds = math.MaxInt64 }), "validity.seconds", 0},
		{"less than a minute", good(func(t *Terms) { t.Seconds = 59 }), "validity.seconds", 0},
		{"negative", good(func(t *Terms) { t.Seconds = math.MinInt64 }), "validity.seconds", 0},
		{"permanent", good(func(t *Terms) { t.Kind, t.Seconds = Permanent, 0 }), "", 0},
		{"permanent for a minute", good(func(t *Terms) { t.Kind = Permanent }), "validity.seconds", 0},
		{"permanent until", good(func(t *Terms) { t.Kind, t.Seconds, t.Until = Permanent, 0, 5 }), "validity.until", 0},
		{"until", good(func(t *Terms) { t.Kind, t.Seconds, t.Until = Until, 0, noon+1 }), "", noon + 1},
		{"until now", good(func(t *Terms) { t.Kind, t.Seconds, t.Until = Until, 0, noon }), "validity.until", 0},
		{"until far", good(func(t *Terms) { t.Kind, t.Seconds, t.Until = Until, 0, math.MaxInt64 }), "validity.until", 0},
		{"no kind", good(func(t *Terms) { t.Kind, t.Seconds = 0, 0 }), "validity.kind", 0},
		{"no device", good(func(t *Terms) { t.Devices = 0 }), "devices", 0},
		{"1000 devices", good(func(t *Terms) { t.Devices = 1000 }), "", noon + 60_000},
		{"1001 devices", good(func(t *Terms) { t.Devices = 1001 }), "devices", 0},
		{"a tier", good(func(t *Terms) { t.Tier = "Pro_1.0-x" }), "", noon + 60_000},
		{"a tier with a line break", good(func(t *Terms) { t.Tier = "pro\n" }), "tier", 0},
		{"a long tier", good(func(t *Terms) { t.Tier = strings.Repeat("x", 33) }), "tier", 0},
		{"a feature in Chinese", good(func(t *Terms) { t.Features = []string{"专业"} }), "features", 0},
		{"an empty feature", good(func(t *Terms) { t.Features = []string{""} }), "features", 0},
		{"32 features", good(func(t *Terms) { t.Features = many[:32] }), "", noon + 60_000},
		{"33 features", good(func(t *Terms) { t.Features = many }), "features", 0},
	} {
		err := try.terms.check(now)
		field := ""
		if err != nil {
			field = fault.Of(err).Field
		}
		if field != try.field {
			t.Errorf("%s: field %q (%v), want %q", try.name, field, err, try.field)
		} else if err == nil && try.terms.ends(noon) != try.ends {
			t.Errorf("%s: ends %d, want %d", try.name, try.terms.ends(noon), try.ends)
		}
	}
}

func TestUnbindLimit(t *testing.T) {
	day := 24 * hour
	policy := Policy{Unbinds: 3, UnbindDays: 30}
	for _, try := range []struct {
		name     string
		policy   Policy
		replaced []int64
		free     int64
	}{
		{"never used", policy, nil, 0},
		{"two used", policy, []int64{noon - 2, noon - 1}, 0},
		{"three used", policy, []int64{noon - 3, noon - 2, noon - 1}, noon - 3 + 30*day},
		{"the first is 30 days old", policy, []int64{noon - 30*day, noon - 2, noon - 1}, 0},
		{"the first is a millisecond younger", policy, []int64{noon - 30*day + 1, noon - 2, noon - 1}, noon + 1},
		{"more than the limit, as after it was lowered", policy, []int64{noon - 5, noon - 4, noon - 3, noon - 2}, noon - 4 + 30*day},
		{"none allowed", Policy{UnbindDays: 30}, nil, noon + 30*day},
	} {
		l := Licence{Replaced: try.replaced}
		if got := l.unbindFree(try.policy, noon); got != try.free {
			t.Errorf("%s: %d, want %d", try.name, got, try.free)
		}
	}
}

func TestPolicy(t *testing.T) {
	for _, try := range []struct {
		change func(*Policy)
		field  string
	}{
		{func(*Policy) {}, ""},
		{func(p *Policy) { p.GraceDays, p.Beat, p.Tolerance = 0, 30, 2 }, ""},
		{func(p *Policy) { p.GraceDays, p.Beat = 90, 3600 }, ""},
		{func(p *Policy) { p.GraceDays = -1 }, "policy.grace_days"},
		{func(p *Policy) { p.GraceDays = 91 }, "policy.grace_days"},
		{func(p *Policy) { p.Beat = 29 }, "policy.heartbeat_seconds"},
		{func(p *Policy) { p.Beat = 3601 }, "policy.heartbeat_seconds"},
		{func(p *Policy) { p.Tolerance = 3 }, "policy.device_tolerance"},
	} {
		p := DefaultPolicy
		try.change(&p)
		field := ""
		if err := p.check(); err != nil {
			field = fault.Of(err).Field
		}
		if field != try.field {
			t.Errorf("%+v: %q, want %q", p, field, try.field)
		}
	}
	if got := (Policy{Beat: 3600}).silence(); got != 3*time.Hour {
		t.Errorf("silence at an hour's beat is %v", got)
	}
}

// TestMayBind is the part of an activation that knows a good card of the caller's and decides about seats.
func TestMayBind(t *testing.T) {
	facts := func(parts ...string) fingerprint.Facts {
		f, err := fingerprint.Parse(parts[0], parts[1], parts[2])
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	own := facts("CPU1", "BOARD1", "00:11:22:33:44:55")
	moved := facts("CPU1", "BOARD2", "00:11:22:33:44:55")
	other := facts("CPU9", "BOARD9", "00:11:22:33:44:99")
	seat := func(f fingerprint.Facts, key, repeat string) *Binding {
		return &Binding{Device: f.ID().Bytes(), Hashes: f.Hashes("app"), Key: key, Repeat: repeat, Account: 7}
	}
	const again = "0123456789abcdef"
	for _, try := range []struct {
		name     string
		seats    seats
		most     int
		facts    fingerprint.Facts
		key      string
		replace  bool
		repeat   string
		tol      Tolerance
		replaced int // replacements that the limit counts
		code     string
		replayed bool
		on       int // the seat that the outcome names, -1: none
	}{
		{"a first device", nil, 1, own, "K", false, "", 0, 0, "valid", false, -1},
		{"a first device that asks to replace", nil, 1, own, "K", true, "", 0, 0, "valid", false, -1},
		{"a second device, seat free", seats{seat(other, "X", "")}, 2, own, "K", false, "", 0, 0, "valid", false, -1},
		{"a second device, no seat", seats{seat(other, "X", "")}, 1, own, "K", false, "", 0, 0, "device_limit", false, -1},
		{"a second device that replaces nothing near", seats{seat(other, "X", "")}, 1, own, "K", true, "", 2, 0, "device_limit", false, -1},
		{"the holder again", seats{seat(own, "K", again)}, 2, own, "K", false, "", 0, 0, "device_already_bound", false, 0},
		{"the holder repeats", seats{seat(own, "K", again)}, 2, own, "K", false, again, 0, 0, "valid", true, 0},
		{"the holder with another repeat key", seats{seat(own, "K", again)}, 2, own, "K", false, again + "x", 0, 0, "device_already_bound", false, 0},
		{"the holder asks to replace", seats{seat(own, "K", "")}, 2, own, "K", true, "", 0, 0, "device_already_bound", false, 0},
		{"the key on a changed machine", seats{seat(own, "K", again)}, 2, moved, "K", false, again, 0, 0, "device_mismatch", false, 0},
		{"the key on a changed machine, within tolerance", seats{seat(own, "K", again)}, 2, moved, "K", false, again, 1, 0, "valid", true, 0},
		{"the machine with a new key", seats{seat(own, "K", again)}, 2, own, "N", false, again, 0, 0, "device_already_bound", false, -1},
		{"it replaces", seats{seat(own, "K", "")}, 1, own, "N", true, "", 0, 2, "valid", false, 0},
		{"it replaces too often", seats{seat(own, "K", "")}, 1, own, "N", true, "", 0, 3, "unbind_limit", false, -1},
		{"it replaces none, uncounted", seats{seat(own, "", "")}, 1, own, "N", true, "", 0, 3, "valid", false, 0},
		{"a changed machine replaces", seats{seat(own, "K", "")}, 1, moved, "N", true, "", 1, 0, "valid", false, 0},
		{"a changed machine beyond the tolerance", seats{seat(own, "K", "")}, 1, moved, "N", true, "", 0, 0, "device_limit", false, -1},
		{"the nearest is replaced", seats{seat(moved, "A", ""), seat(own, "B", "")}, 2, own, "N", true, "", 2, 0, "valid", false, 1},
		{"keyless repeats", seats{seat(own, "", again)}, 1, own, "", false, again, 0, 0, "valid", true, 0},
		{"keyless where a key holds", seats{seat(own, "K", again)}, 1, own, "", false, again, 0, 0, "device_already_bound", false, -1},
		{"keyless cannot replace", seats{seat(own, "K", "")}, 1, own, "", true, "", 0, 0, "device_already_bound", false, -1},
	} {
		o := &outcome{
			now: time.UnixMilli(noon), app: &App{Policy: Policy{Tolerance: try.tol, Unbinds: 3, UnbindDays: 30}},
			licence: &Licence{Seats: try.most, Account: 7}, hashes: try.facts.Hashes("app"), seats: try.seats,
		}
		for range try.replaced {
			o.licence.Replaced = append(o.licence.Replaced, noon-1)
		}
		o.binding = o.seats.withKey(try.key)
		h := &hearing{who: Actor{Account: 7}, key: try.key, facts: try.facts, DeviceCall: DeviceCall{Replace: try.replace}}
		h.Request = verdict.Request{IdempotencyKey: try.repeat}
		code := nameOfFault(o.mayBind(h))
		on := -1
		for i, b := range try.seats {
			if b == o.binding {
				on = i
			}
		}
		if code != try.code || o.replayed != try.replayed || on != try.on {
			t.Errorf("%s: %s, replayed %v, seat %d; want %s, %v, %d", try.name, code, o.replayed, on, try.code, try.replayed, try.on)
		}
	}
}

func TestRemembered(t *testing.T) {
	at := time.UnixMilli(noon)
	r := remembered[int, int]{life: time.Hour, most: 100}
	for i := range 1000 {
		r.put(at, i, i)
		if len(r.young)+len(r.elder) > 200 {
			t.Fatalf("%d are kept", len(r.young)+len(r.elder))
		}
	}
	for i := 900; i < 1000; i++ {
		if v, ok := r.get(i); !ok || v != i {
			t.Fatalf("of the last hundred, %d is forgotten", i)
		}
	}
	r.put(at, 950, -1)
	if v, _ := r.get(950); v != -1 {
		t.Error("an older value shows through")
	}
	r.drop(950)
	if _, ok := r.get(950); ok {
		t.Error("what was dropped is there")
	}
	r = remembered[int, int]{life: time.Hour, most: 100}
	r.put(at, 1, 1)
	r.put(at.Add(59*time.Minute), 2, 2)
	r.put(at.Add(60*time.Minute), 3, 3)
	if _, ok := r.get(2); !ok {
		t.Error("forgotten after a minute")
	}
	r.put(at.Add(2*time.Hour), 4, 4)
	if _, ok := r.get(1); ok {
		t.Error("kept for two hours")
	}
	r.put(at.Add(-time.Hour), 5, 5) // the clock fell back
	r.put(at.Add(-2*time.Hour), 6, 6)
	if len(r.young) != 1 {
		t.Errorf("%d in a generation", len(r.young))
	}
}
