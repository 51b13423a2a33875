package license

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"goldfish/license/fault"
	"goldfish/license/password"
	"goldfish/store"
	"goldfish/store/keyring"
)

// opensWith says whether a password opens a copy of the file elsewhere.
func opensWith(t *testing.T, a *Authority, name, plain string) bool {
	t.Helper()
	o := a.opts
	o.MachineKey = bytes.Repeat([]byte{'x'}, 32)
	s, err := OpenSealed(copied(t, a), o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b, err := s.SignIn(t.Context(), elsewhere, name, plain, Moved)
	if err != nil {
		if !fault.Has(err, "credentials_wrong") {
			t.Error(err)
		}
		return false
	}
	return b.Close() == nil
}

// A changed password takes its slot with it, in one transaction; a copy made before opens with the old one.
func TestPasswordChangeSwapsTheSlot(t *testing.T) {
	a, clock := people(t)
	tokens, who := changed(t, a)
	before := copied(t, a)
	was := mustView(t, a).Slots[1]
	clock.Advance(time.Minute)
	if _, _, err := a.ChangePassword(t.Context(), mustBe(t, a, tokens.Access), goodPassword, nextPassword, ""); err != nil {
		t.Fatal(err)
	}
	is := mustView(t, a).Slots
	if len(is) != 2 || is[1].ID <= was.ID || is[1].Account != who.Account || is[1].Created != clock.Now().UnixMilli() {
		t.Errorf("slots: %+v", is)
	}
	if opensWith(t, a, "admin", goodPassword) || !opensWith(t, a, "admin", nextPassword) {
		t.Error("a copy does not open with the present password alone")
	}
	opened(t)(sealedAt(t, before, machine('x', clock)).SignIn(t.Context(), elsewhere, "admin", goodPassword, Moved))
	added, gone := recorded(t, a, KeyringSlotAdded), recorded(t, a, KeyringSlotRemoved)
	if len(added) != 2 || len(gone) != 1 || added[1].Args["slot"] != "password" || gone[0].Object != who.Account || gone[0].ActorID != who.Account {
		t.Errorf("%+v %+v", added, gone)
	}
	if _, err := store.Read(a.db, func(tx *store.Tx) (*Marker, error) { return marks.Get(tx, []byte(compactMark)) }); err != nil {
		t.Errorf("nobody wishes for a compaction: %v", err)
	}
}

// A customer's password, and a refused change, touch no slot.
func TestOnlyAnOwnersPasswordMakesASlot(t *testing.T) {
	a, _ := people(t)
	tokens, _ := changed(t, a)
	mustRegister(t, a, "alice")
	alice := mustBe(t, a, mustSignIn(t, a, "alice").Access)
	if _, _, err := a.ChangePassword(t.Context(), alice, goodPassword, nextPassword, ""); err != nil {
		t.Fatal(err)
	}
	was := mustView(t, a).Slots
	who := mustBe(t, a, tokens.Access)
	for _, r := range []struct{ old, next, code string }{{"wrong", nextPassword, "password_wrong"}, {goodPassword, goodPassword, "password_same"}} {
		if _, _, err := a.ChangePassword(t.Context(), who, r.old, r.next, ""); !fault.Has(err, r.code) {
			t.Error(err)
		}
	}
	if is := mustView(t, a).Slots; len(is) != 2 || is[1] != was[1] {
		t.Errorf("slots: %+v, then %+v", was, is)
	}
}

// An owner without a slot gets one at the next own sign-in, after the right password only; so does one whose slot costs
// less than a new one.
func TestOwnSignInMakesTheMissingSlot(t *testing.T) {
	a, _ := people(t)
	_, who := changed(t, a)
	drop := func() {
		t.Helper()
		if err := a.db.Update(func(tx *store.Tx) error {
			return a.keys.dropSlot(tx, System, &Account{ID: who.Account})
		}); err != nil {
			t.Fatal(err)
		}
		if got := slotsOf(t, a); got != "machine" {
			t.Fatalf("slots: %s", got)
		}
	}
	drop()
	_, _, err := a.SignIn(t.Context(), far, SignInIn{Name: "admin", Password: "wrong"})
	wantFault(t, err, fault.Unauthenticated, "credentials_wrong")
	if got := slotsOf(t, a); got != "machine" {
		t.Errorf("a wrong password made a slot: %s", got)
	}
	mustSignIn(t, a, "admin")
	if !opensWith(t, a, "admin", goodPassword) {
		t.Error("no slot was made")
	}
	was := mustView(t, a).Slots[1].ID
	mustSignIn(t, a, "admin")
	if is := mustView(t, a).Slots[1].ID; is != was {
		t.Error("each sign-in makes a slot")
	}
	a.opts.Argon = keyring.Argon{Memory: 128, Time: 1, Lanes: 1}
	mustSignIn(t, a, "admin")
	if is := mustView(t, a).Slots[1].ID; is == was {
		t.Error("a slot of a lower cost stays")
	}
	a.opts.Argon = cheapArgon
	drop()
	leave, err := a.slots.enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range slotQueue {
		a.slots.room <- struct{}{}
	}
	mustSignIn(t, a, "admin") // a full queue keeps nobody out
	if got := slotsOf(t, a); got != "machine" {
		t.Errorf("slots: %s", got)
	}
	leave()
}

// Each owner has a slot of its own, made by its own hand; whoever loses the right loses the slot.
func TestSeveralOwners(t *testing.T) {
	a, _ := people(t)
	changed(t, a)
	second := mustRegister(t, a, "second")
	second.rewrite(t, a, func(c *Account) { c.Role = RoleOwner })
	if got := slotsOf(t, a); got != "machine, password admin" {
		t.Errorf("a role makes a slot: %s", got)
	}
	mustSignIn(t, a, "second")
	if got := slotsOf(t, a); got != "machine, password admin, password second" {
		t.Errorf("slots: %s", got)
	}
	if !opensWith(t, a, "admin", goodPassword) || !opensWith(t, a, "second", goodPassword) || opensWith(t, a, "second", nextPassword) {
		t.Error("the owners do not open the file")
	}
	for what, change := range map[string]func(*Account){
		"disabled": func(c *Account) { c.Disabled = true }, "a customer": func(c *Account) { c.Role = RoleCustomer },
		"a password set by others": func(c *Account) { c.MustChange = true },
	} {
		second.rewrite(t, a, change)
		if err := a.sweepSlots(); err != nil {
			t.Fatal(err)
		}
		if got := slotsOf(t, a); got != "machine, password admin" {
			t.Errorf("%s: %s", what, got)
		}
		second.rewrite(t, a, func(c *Account) { c.Disabled, c.Role, c.MustChange = false, RoleOwner, false })
		mustSignIn(t, a, "second")
	}
	if err := a.db.Update(func(tx *store.Tx) error { return accounts.Delete(tx, second.ID.Key()) }); err != nil {
		t.Fatal(err)
	}
	if err := a.sweepSlots(); err != nil {
		t.Fatal(err)
	}
	if got := slotsOf(t, a); got != "machine, password admin" {
		t.Errorf("of a deleted account: %s", got)
	}
}

// Who comes in by something else than a password has no slot, and opens the file by none: another owner's password or the
// recovery code must.
func TestOwnerWithoutAPasswordOpensNothing(t *testing.T) {
	a, clock := people(t)
	_, who := changed(t, a)
	(&Account{ID: who.Account}).rewrite(t, a, func(c *Account) { c.Hash = nil })
	if err := a.db.Update(func(tx *store.Tx) error { return a.keys.dropSlot(tx, System, &Account{ID: who.Account}) }); err != nil {
		t.Fatal(err)
	}
	if got := slotsOf(t, a); got != "machine" {
		t.Errorf("slots: %s", got)
	}
	s := sealedAt(t, copied(t, a), machine('x', clock))
	if s.HasPassword() || s.HasRecovery() {
		t.Error("something opens it")
	}
	for _, typed := range []string{"", goodPassword} {
		_, err := s.SignIn(t.Context(), netip.AddrFrom4([4]byte{10, 7, byte(len(typed)), 1}), "admin", typed, Moved)
		wantFault(t, err, fault.Unauthenticated, "credentials_wrong")
	}
	full := Account{Role: RoleOwner, Hash: []byte("x")}
	for what, change := range map[string]func(*Account){
		"no password": func(c *Account) { c.Hash = nil }, "a customer": func(c *Account) { c.Role = RoleCustomer },
		"disabled": func(c *Account) { c.Disabled = true }, "another's password": func(c *Account) { c.MustChange = true },
	} {
		c := full
		if change(&c); c.holdsSlot() || !full.holdsSlot() {
			t.Errorf("%s: holds a slot", what)
		}
	}
}

// Of more than 63 owners the last go without a slot, and lose nothing else by it.
func TestMoreOwnersThanSlots(t *testing.T) {
	a, _ := people(t)
	tokens, _ := changed(t, a)
	full := func() int { return len(mustView(t, a).Slots) }
	for full() < keyring.SlotsMost {
		c := mustRegister(t, a, "owner"+strings.Repeat("x", full()%20)+string(rune('a'+full()/20)))
		c.rewrite(t, a, func(c *Account) { c.Role = RoleOwner })
		mustSignIn(t, a, c.Username)
	}
	late := mustRegister(t, a, "late")
	late.rewrite(t, a, func(c *Account) { c.Role = RoleOwner })
	who := mustBe(t, a, mustSignIn(t, a, "late").Access)
	if _, _, err := a.ChangePassword(t.Context(), who, goodPassword, nextPassword, ""); err != nil {
		t.Error(err)
	}
	if _, _, err := a.ChangePassword(t.Context(), mustBe(t, a, tokens.Access), goodPassword, nextPassword, ""); err != nil {
		t.Error(err)
	}
	if full() != keyring.SlotsMost || !opensWith(t, a, "admin", nextPassword) {
		t.Error("whoever had a slot has none")
	}
}

// Forgotten, machine alive: whoever works on the machine gets a password that is good for choosing another.
func TestResetPassword(t *testing.T) {
	a, _ := people(t)
	tokens, who := changed(t, a)
	for _, name := range []string{"nobody", "", "no@body.cn", strings.Repeat("x", 300)} {
		_, err := a.ResetPassword(t.Context(), System, name)
		wantFault(t, err, fault.NotFound, "account_missing")
	}
	_, err := a.ResetPassword(t.Context(), who, "admin")
	wantFault(t, err, fault.Forbidden, "permission_denied")
	mustBe(t, a, tokens.Access)
	temporary, err := a.ResetPassword(t.Context(), System, "Admin ")
	if err != nil || password.Check(temporary, "admin") != nil {
		t.Fatalf("%v", err)
	}
	wantOver(t, a, tokens)
	if slotsOf(t, a) != "machine" || opensWith(t, a, "admin", temporary) || opensWith(t, a, "admin", goodPassword) {
		t.Error("a password that somebody else has set opens a file")
	}
	_, _, err = a.SignIn(t.Context(), far, SignInIn{Name: "admin", Password: goodPassword})
	wantFault(t, err, fault.Unauthenticated, "credentials_wrong")
	for range 2 {
		tokens, _, err = a.SignIn(t.Context(), far, SignInIn{Name: "admin", Password: temporary})
		if err != nil {
			t.Fatal(err)
		}
	}
	if slotsOf(t, a) != "machine" {
		t.Error("signing in with it makes a slot")
	}
	who = mustBe(t, a, tokens.Access)
	wantFault(t, who.Authorise(ReadKeyring), fault.Forbidden, "password_change_required")
	if _, _, err := a.ChangePassword(t.Context(), who, temporary, nextPassword, ""); err != nil {
		t.Fatal(err)
	}
	if !opensWith(t, a, "admin", nextPassword) {
		t.Error("the own password makes no slot")
	}
	if told := recorded(t, a, UserPassword); len(told) != 3 || told[1].Code != "reset" || told[1].Actor != ActorSystem || told[1].Level != LevelWarning {
		t.Errorf("events: %+v", told)
	}
}

func TestTemporaryPasswordsDiffer(t *testing.T) {
	a, _ := people(t)
	seen := map[string]bool{}
	for range 100 {
		p, err := temporaryPassword(a.opts.Rand)
		if err != nil || len(p) != 23 || password.Check(p) != nil || seen[p] {
			t.Fatalf("%d characters, %v", len(p), err)
		}
		seen[p] = true
	}
	if _, err := temporaryPassword(strings.NewReader("")); err == nil {
		t.Error("a password of no randomness")
	}
}

// A file of release 0.1, whose machine slot holds the root itself, gets a slot of today's form at its next open, and the
// old one leaves no bytes behind.
func TestSlotOfTheFirstReleaseIsReplaced(t *testing.T) {
	path, o := golden(t, 1), machine('k', goldenClock)
	o.MachineKey = goldenKey(t)
	db, err := store.Open(path, store.Options{Schema: Schema("test"), Clock: o.Clock, Rand: o.Rand})
	if err != nil {
		t.Fatal(err)
	}
	before, err := store.Read(db, readChest)
	if err != nil || len(before.Slots) != 1 || before.Slots[0].Public != nil {
		t.Fatalf("%+v %v", before, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	a := opened(t)(Open(path, o))
	after, err := store.Read(a.db, readChest)
	if err != nil || len(after.Slots) != 1 || after.Slots[0].Public == nil || after.Slots[0].ID <= before.Slots[0].ID {
		t.Errorf("%+v %v", after, err)
	}
	if err := a.CompactIfWished(); err != nil || holds(t, path, before.Slots[0].Wrapped) != 0 {
		t.Errorf("the old slot is still in the file, %v", err)
	}
	if j := mustRotate(t, a); j.State != JobDone {
		t.Errorf("%+v", j)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	b := opened(t)(Open(path, o))
	if again := mustView(t, b).Slots; len(again) != 1 || again[0].ID != after.Slots[0].ID {
		t.Error("each open makes a slot")
	}
	if _, faults := b.db.Check(); len(faults) > 0 {
		t.Error(faults)
	}
}

// A machine slot for which the root does not vouch is replaced at the next open, or the next rotation would drop it.
func TestChangedMachineSlotIsReplaced(t *testing.T) {
	a, clock := people(t)
	tokens, _ := changed(t, a)
	path, was := a.db.Path(), uint32(0)
	if err := a.db.Update(func(tx *store.Tx) error {
		c, err := readChest(tx)
		if err != nil {
			return err
		}
		was = c.Slots[0].ID
		c.Slots[0].Tag[0] ^= 1
		return rings.Put(tx, c)
	}); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	b := opened(t)(Open(path, machine('k', clock)))
	mustBe(t, b, tokens.Access)
	is := mustView(t, b).Slots
	if len(is) != 2 || is[0].Kind != "password" || is[1].Kind != "machine" || is[1].ID <= was {
		t.Errorf("slots: %+v", is)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if again := mustView(t, opened(t)(Open(path, machine('k', clock)))).Slots; again[1].ID != is[1].ID {
		t.Error("each open makes a slot")
	}
}

// A key ring that was overwritten is an error, not a way in and not a panic.
func TestHostileKeyRing(t *testing.T) {
	for _, c := range []*keyring.Chest{
		{Slots: []*keyring.Slot{nil}}, {}, {Slots: make([]*keyring.Slot, 70)}, {Ring: []byte("x"), Slots: []*keyring.Slot{{Kind: keyring.Machine}}},
	} {
		a, clock := people(t)
		if err := a.db.Update(func(tx *store.Tx) error { return rings.Put(tx, c) }); err != nil {
			t.Fatal(err)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		b, err := Open(a.db.Path(), machine('k', clock))
		if err == nil {
			_ = b.Close()
		}
		if !errors.Is(err, ErrMachineKey) && !errors.Is(err, store.ErrDamaged) {
			t.Errorf("%d slots: %v", len(c.Slots), err)
		}
	}
}
