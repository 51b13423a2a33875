package keyring

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"pgregory.net/rapid"
)

// cheap is the cost of password slots in tests.
var cheap = Argon{Memory: 64, Time: 1, Lanes: 1}

var (
	machineKey = bytes.Repeat([]byte{7}, 32)
	good       = []byte("Correct-7-horse")
)

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// filled is a chest with one slot of each kind.
func filled(t testing.TB) (*Chest, *Root, Code) {
	t.Helper()
	c, _, root, err := NewChest(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	code := must[Code](t)(NewCode(rand.Reader))
	for _, d := range []*Draft{
		must[*Draft](t)(DraftMachine(machineKey, rand.Reader)),
		must[*Draft](t)(DraftPassword(good, cheap, rand.Reader)),
		must[*Draft](t)(DraftRecovery(code, rand.Reader)),
	} {
		g := Grant{Now: 5}
		if d.slot.Kind == Password {
			g.Owner, g.Names = 42, []string{"admin", "a@b.cn", ""}
		}
		must[*Slot](t)(c.Add(root, d, g))
	}
	return c, root, code
}

// opens says which of the three ways still open the chest, and checks that each gives the ring.
func opens(t testing.TB, c *Chest, machine, password []byte, code Code) string {
	t.Helper()
	out := ""
	try := func(name string, root *Root, err error) {
		if err != nil {
			return
		}
		if _, err := c.Open(root, rand.Reader); err != nil {
			t.Errorf("%s gives a root that does not open the ring: %v", name, err)
		}
		out += name
	}
	root, _, err := c.OpenMachine(machine)
	try("M", root, err)
	for _, s := range c.Named("admin") {
		root, err := c.OpenPassword(s, password, cheap)
		try("P", root, err)
	}
	root, _, err = c.OpenRecovery(code)
	try("R", root, err)
	return out
}

func TestEverySlotOpensWithItsSecretAlone(t *testing.T) {
	c, _, code := filled(t)
	raw := must[[]byte](t)(cbor.Marshal(c))
	again := &Chest{} // as it lies in a file
	if err := cbor.Unmarshal(raw, again); err != nil {
		t.Fatal(err)
	}
	other := must[Code](t)(NewCode(rand.Reader))
	for _, test := range []struct {
		machine, password []byte
		code              Code
		want              string
	}{
		{machineKey, good, code, "MPR"},
		{machineKey, []byte("Correct-7-horsf"), other, "M"},
		{bytes.Repeat([]byte{8}, 32), good, other, "P"},
		{nil, nil, code, "R"},
		{machineKey[:31], []byte{}, Code{}, ""},
	} {
		if got := opens(t, again, test.machine, test.password, test.code); got != test.want {
			t.Errorf("%q open it, want %q", got, test.want)
		}
	}
	if len(again.Named("a@b.cn")) != 1 || len(again.Named("")) != 0 {
		t.Error("a slot is not found by its names alone")
	}
	if s := again.Of(42); s == nil || s.Owner != 42 || again.Of(0) != nil || !again.Has(Recovery) {
		t.Error("the account's slot is not found")
	}
}

// A name that has no slot finds one by chance once in 32,768 times: it must not be often, or unknown names could be
// told from others by the time that two Argon2id take.
func TestHintsRarelyMeet(t *testing.T) {
	c, _, _ := filled(t)
	met := 0
	for i := range 20_000 {
		met += len(c.Named(fmt.Sprint("nobody", i)))
	}
	if met > 8 {
		t.Errorf("%d of 20,000 unknown names find a slot", met)
	}
}

func TestRenewedRootGoesToEverySlotWithoutASecret(t *testing.T) {
	c, root, code := filled(t)
	before := *c
	old := must[*Ring](t)(c.Open(root, rand.Reader))
	for turn := range 3 {
		next, gone, err := c.Renew(root, rand.Reader)
		if err != nil || len(gone) != 0 || next.Turn() != uint32(turn+1) {
			t.Fatalf("turn %d: %v, %v", next.Turn(), gone, err)
		}
		if got := opens(t, c, machineKey, good, code); got != "MPR" {
			t.Errorf("after turn %d only %q open it", turn, got)
		}
		if _, err := c.Open(root, rand.Reader); !errors.Is(err, ErrKey) {
			t.Errorf("the root before opens it: %v", err)
		}
		if _, err := Open(c.Ring, root, rand.Reader); !errors.Is(err, ErrKey) {
			t.Errorf("the root before opens the ring itself: %v", err)
		}
		root = next
	}
	if got := opens(t, &before, machineKey, good, code); got != "MPR" {
		t.Errorf("an old copy opens by %q", got)
	}
	ring := must[*Ring](t)(c.Open(root, rand.Reader))
	if !bytes.Equal(ring.Derive("x", 32), old.Derive("x", 32)) {
		t.Error("other keys are derived")
	}
}

// Whoever can write to the file could put a slot of his own there, or his public half into one that is there, and wait
// for the next root.
func TestNoRootIsGivenToAStranger(t *testing.T) {
	c, root, code := filled(t)
	mine, _, _ := filled(t)
	c.Slots[1].Public = mine.Slots[1].Public
	c.Slots = append(c.Slots, mine.Slots[0])
	next, gone, err := c.Renew(root, rand.Reader)
	if err != nil || len(gone) != 2 || len(c.Slots) != 2 {
		t.Fatalf("%d gone, %v", len(gone), err)
	}
	if got := opens(t, c, machineKey, good, code); got != "MR" {
		t.Errorf("%q open it", got)
	}
	for _, s := range c.Slots {
		s.Tag[0] ^= 1
	}
	was := *c
	if _, _, err := c.Renew(next, rand.Reader); err == nil || c.Turn != was.Turn || len(c.Slots) != 2 {
		t.Errorf("a chest that nothing would open: %v", err)
	}
}

func TestChestHasRoomForSixtyFour(t *testing.T) {
	c, root, _ := filled(t)
	d := must[*Draft](t)(DraftMachine(machineKey, rand.Reader))
	for len(c.Slots) < SlotsMost {
		must[*Slot](t)(c.Add(root, d, Grant{}))
	}
	if _, err := c.Add(root, d, Grant{}); !errors.Is(err, ErrFull) {
		t.Errorf("one too many: %v", err)
	}
	c.Remove(func(s *Slot) bool { return s.ID == 64 })
	if s := must[*Slot](t)(c.Add(root, d, Grant{})); s.ID != 65 {
		t.Errorf("id %d was given again", s.ID)
	}
	_, stranger, _ := New(rand.Reader)
	c.Remove(func(s *Slot) bool { return s.ID > 3 })
	stranger.id = 9
	if _, err := c.Add(stranger, d, Grant{}); !errors.Is(err, ErrKey) {
		t.Errorf("with another root: %v", err)
	}
}

// A file of the first release has a machine slot that holds the root itself.
func TestSlotOfTheFirstFormOpens(t *testing.T) {
	c, _, root, err := NewChest(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := &Slot{ID: 1, Kind: Machine, Salt: bytes.Repeat([]byte{1}, 16)}
	s.Wrapped = must[[]byte](t)(wrap(rand.Reader, s.machineSecret(machineKey), "goldfish slot v1", root.key))
	c.Slots = []*Slot{s}
	got, from, err := c.OpenMachine(machineKey)
	if err != nil || from != s || !bytes.Equal(got.key, root.key) {
		t.Fatalf("%v", err)
	}
	if c.Vouched(got, s) {
		t.Error("the root stands behind a slot without a public half")
	}
	if _, _, err := c.OpenMachine(bytes.Repeat([]byte{8}, 32)); !errors.Is(err, ErrKey) {
		t.Errorf("another machine: %v", err)
	}
	must[*Slot](t)(c.Add(root, must[*Draft](t)(DraftMachine(machineKey, rand.Reader)), Grant{}))
	if _, gone, err := c.Renew(root, rand.Reader); err != nil || len(gone) != 1 {
		t.Errorf("%d gone, %v", len(gone), err)
	}
}

// Every bit of a slot counts, and none that is flipped makes us panic or open.
func TestNoChangedSlotOpens(t *testing.T) {
	c, root, _ := filled(t)
	raw := must[[]byte](t)(cbor.Marshal(c.Slots[0]))
	for i := range len(raw) * 8 {
		bad := bytes.Clone(raw)
		bad[i/8] ^= 1 << (i % 8)
		s := &Slot{}
		if err := cbor.Unmarshal(bad, s); err != nil {
			continue
		}
		changed := &Chest{Ring: c.Ring, Slots: []*Slot{s}}
		got, _, err := changed.OpenMachine(machineKey)
		if err == nil && !bytes.Equal(got.key, root.key) {
			t.Fatalf("bit %d flipped gives another root", i)
		}
		if same := must[[]byte](t)(cbor.Marshal(s)); changed.Vouched(root, s) && !bytes.Equal(same, raw) {
			t.Fatalf("bit %d flipped and the root stands behind it", i)
		}
	}
}

// A hostile chest is an error or opens nothing, whatever stands in it.
func TestHostileChests(t *testing.T) {
	good, _, code := filled(t)
	raw := must[[]byte](t)(cbor.Marshal(good))
	rapid.Check(t, func(t *rapid.T) {
		bad := bytes.Clone(raw)
		for range rapid.IntRange(1, 8).Draw(t, "changes") {
			bad[rapid.IntRange(0, len(bad)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "to")
		}
		c := &Chest{}
		if cbor.Unmarshal(bad, c) != nil || c.Valid() != nil {
			return
		}
		for _, s := range c.Named("admin") {
			_, _ = c.OpenPassword(s, []byte("x"), cheap)
		}
		_, _, _ = c.OpenRecovery(code)
		if root, _, err := c.OpenMachine(machineKey); err == nil {
			_, _, _ = c.Renew(root, rand.Reader)
		}
	})
	for _, c := range []*Chest{{Slots: []*Slot{nil}}, {Slots: make([]*Slot, 65)}} {
		if c.Valid() == nil {
			t.Error("taken for a chest")
		}
	}
}

// What a file may ask for is bounded on both sides.
func TestCostsThatAreNotDone(t *testing.T) {
	c, _, _ := filled(t)
	s := c.Of(42)
	for _, a := range []Argon{
		{},
		{Memory: 63, Time: 1, Lanes: 1},
		{Memory: 64, Lanes: 1},
		{Memory: 64, Time: 1},
		{Memory: 1 << 31, Time: 1, Lanes: 1},
		{Memory: 64, Time: 1 << 30, Lanes: 1},
		{Memory: 64, Time: 1, Lanes: 255},
	} {
		s.Argon = a
		if _, err := c.OpenPassword(s, good, cheap); !errors.Is(err, ErrCost) {
			t.Errorf("%+v: %v", a, err)
		}
	}
	for a, want := range map[Argon]error{
		{Memory: 19 << 10, Time: 2, Lanes: 1}: nil, {Memory: 19<<10 - 1, Time: 2, Lanes: 1}: ErrCost,
		{Memory: 256 << 10, Time: 3, Lanes: 4}: nil, {Memory: 256<<10 + 1, Time: 3, Lanes: 1}: ErrCost,
	} {
		if err := (Argon{}).admits(a); !errors.Is(err, want) {
			t.Errorf("%+v where the usual cost is meant: %v", a, err)
		}
	}
	if !cheap.Below(Argon{}) || UsualArgon.Below(Argon{}) {
		t.Error("costs are compared wrongly")
	}
}

// The one test at the cost of a real appliance.
func TestTheUsualCost(t *testing.T) {
	d, err := DraftPassword(good, Argon{}, rand.Reader)
	if err != nil || d.slot.Argon != (Argon{Memory: 65536, Time: 3, Lanes: 1}) {
		t.Fatalf("%+v %v", d.slot.Argon, err)
	}
	c, _, root, err := NewChest(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := must[*Slot](t)(c.Add(root, d, Grant{Owner: 1, Names: []string{"admin"}}))
	if got, err := c.OpenPassword(s, good, Argon{}); err != nil || !bytes.Equal(got.key, root.key) {
		t.Error(err)
	}
	if _, err := c.OpenPassword(s, []byte("other"), Argon{}); !errors.Is(err, ErrKey) {
		t.Error(err)
	}
}

func TestDataKeysComeAndGo(t *testing.T) {
	r, root := ring(t)
	first := must[[]byte](t)(r.Seal(nil, nil, []byte("a")))
	next := must[*Ring](t)(r.With(77))
	if id, made, others := next.DataKey(); id != 2 || made != 77 || others != 1 {
		t.Errorf("%d %d %d", id, made, others)
	}
	second := must[[]byte](t)(next.Seal(nil, nil, []byte("b")))
	if r.KeyOf(first) != 1 || r.KeyOf(second) != 2 || r.KeyOf([]byte("x")) != 0 {
		t.Error("what was sealed names another key")
	}
	only := must[*Ring](t)(next.Only())
	only = must[*Ring](t)(Open(must[[]byte](t)(only.Sealed(root)), root, rand.Reader))
	for _, test := range []struct {
		r        *Ring
		one, two bool
	}{{r, true, false}, {next, true, true}, {only, false, true}} {
		_, one := test.r.Open(nil, first)
		_, two := test.r.Open(nil, second)
		if (one == nil) != test.one || (two == nil) != test.two {
			t.Errorf("opens %v %v, want %v %v", one, two, test.one, test.two)
		}
	}
	if next.Seals() != 1 || r.Seals() != 1 || only.Seals() != 0 {
		t.Error("the count is wrong")
	}
	worn := &Ring{rand: rand.Reader, secrets: secrets{Current: 65535, Data: r.secrets.Data, Stable: r.secrets.Stable}}
	if _, err := worn.With(0); !errors.Is(err, ErrWorn) {
		t.Errorf("the 65,536th key: %v", err)
	}
}

func TestWipedKeysAreGone(t *testing.T) {
	r, root := ring(t)
	key, stable := r.secrets.Data[1], r.secrets.Stable
	r.Wipe()
	root.Wipe()
	if zero := make([]byte, 32); !bytes.Equal(key, zero) || !bytes.Equal(stable, zero) || !bytes.Equal(root.key, zero) {
		t.Error("a key is still there")
	}
}
