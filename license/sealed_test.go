package license

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"goldfish/license/fault"
	"goldfish/store"
	"goldfish/store/keyring"
	"goldfish/store/storetest"
)

var cheapArgon = keyring.Argon{Memory: 64, Time: 1, Lanes: 1}

// machine is one that opens files: number 'k' is where people lives.
func machine(number byte, clock *storetest.Clock) Options {
	return Options{
		Clock: clock.Now, Rand: rand.Reader, MachineKey: bytes.Repeat([]byte{number}, 32), BcryptCost: 4, Argon: cheapArgon,
	}
}

// copied is a copy of the running file, elsewhere.
func copied(t *testing.T, a *Authority) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "goldfish.db")
	if err := a.db.Snapshot(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// sealedAt opens a file on a machine whose key does not.
func sealedAt(t *testing.T, path string, o Options) *Sealed {
	t.Helper()
	if a, err := Open(path, o); !errors.Is(err, ErrMachineKey) {
		if err == nil {
			_ = a.Close()
		}
		t.Fatalf("the file is not sealed here: %v", err)
	}
	s, err := OpenSealed(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// opened is what a sealed file became; it is closed at the test's end.
func opened(t *testing.T) func(*Authority, error) *Authority {
	return func(a *Authority, err error) *Authority {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = a.Close() })
		return a
	}
}

// slotsOf names the slots of the file: kind, owner's user name.
func slotsOf(t *testing.T, a *Authority) string {
	t.Helper()
	v, err := a.Keyring(System)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, s := range v.Slots {
		out = append(out, strings.TrimSpace(s.Kind+" "+s.Username))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

var elsewhere = netip.MustParseAddr("198.51.100.7")

// The documented first password opens no file anywhere, and neither does one that somebody else has set.
func TestTheWellKnownPasswordMakesNoSlot(t *testing.T) {
	a, clock := people(t)
	if _, _, err := a.SignIn(t.Context(), near, SignInIn{Name: FirstUsername, Password: FirstPassword}); err != nil {
		t.Fatal(err)
	}
	if got := slotsOf(t, a); got != "machine" {
		t.Errorf("slots: %s", got)
	}
	s := sealedAt(t, copied(t, a), machine('x', clock))
	if s.HasPassword() || s.HasRecovery() {
		t.Error("something opens it")
	}
	_, err := s.SignIn(t.Context(), elsewhere, FirstUsername, FirstPassword, Moved)
	wantFault(t, err, fault.Unauthenticated, "credentials_wrong")
}

// An owner opens the file on another machine: this machine's slot is made, the other's goes, the epoch rises, and all
// sessions end.
func TestOwnerOpensTheFileElsewhere(t *testing.T) {
	a, clock := people(t)
	_, who := changed(t, a)
	mustRegister(t, a, "alice")
	tokens := mustSignIn(t, a, "alice")
	if got := slotsOf(t, a); got != "machine, password admin" {
		t.Fatalf("slots: %s", got)
	}
	path, o := copied(t, a), machine('x', clock)
	s := sealedAt(t, path, o)
	if !s.HasPassword() || s.HasRecovery() {
		t.Error("it is not known what opens it")
	}
	clock.Advance(time.Hour)
	b := opened(t)(s.SignIn(t.Context(), elsewhere, " ADMIN", goodPassword, Moved))
	if got := slotsOf(t, b); got != "machine, password admin" {
		t.Errorf("slots: %s", got)
	}
	wantOver(t, b, tokens)
	if b.db.Epoch() != a.db.Epoch()+1 {
		t.Errorf("epoch %d", b.db.Epoch())
	}
	if _, _, err := b.SignIn(t.Context(), far, SignInIn{Name: "alice", Password: goodPassword}); err != nil {
		t.Error(err)
	}
	if told := recorded(t, b, SystemUnsealed); len(told) != 1 || told[0].ActorID != who.Account || string(told[0].Address) != string(elsewhere.AsSlice()) {
		t.Errorf("events: %+v", told)
	}
	for _, slot := range mustView(t, b).Slots {
		if slot.Used != clock.Now().UnixMilli() {
			t.Errorf("the %s slot was last used at %d", slot.Kind, slot.Used)
		}
	}
	if _, err := s.SignIn(t.Context(), far.Address, "admin", goodPassword, Moved); !fault.Has(err, "busy") {
		t.Errorf("once more: %v", err)
	}
	if err := errors.Join(s.Close(), b.Close()); err != nil {
		t.Error(err)
	}
	opened(t)(Open(path, o))
	if _, err := Open(path, machine('k', clock)); err == nil || errors.Is(err, ErrMachineKey) {
		t.Errorf("the file is not held: %v", err)
	}
}

func mustView(t *testing.T, a *Authority) *KeyringView {
	t.Helper()
	v, err := a.Keyring(System)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// The machine that the file left is told so, and the original goes on undisturbed: two copies run apart.
func TestMovedFileNoLongerOpensWhereItWas(t *testing.T) {
	a, clock := people(t)
	tokens, _ := changed(t, a)
	path := copied(t, a)
	b := opened(t)(sealedAt(t, path, machine('x', clock)).SignIn(t.Context(), elsewhere, "admin", goodPassword, Moved))
	theirs, _, err := b.SignIn(t.Context(), far, SignInIn{Name: "admin", Password: goodPassword})
	if err != nil {
		t.Fatal(err)
	}
	wantOver(t, b, tokens)
	mustBe(t, a, tokens.Access)
	if _, err := a.Authenticate(theirs.Access, far.Address, false); err == nil {
		t.Error("a session of the copy is good at the original")
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	sealedAt(t, path, machine('k', clock))
}

// Names and passwords are read as at any sign-in: any case, the e-mail address too, composed or not.
func TestSealedFileReadsNamesAsUsual(t *testing.T) {
	a, clock := people(t)
	tokens, who := changed(t, a)
	(&Account{ID: who.Account}).rewrite(t, a, func(c *Account) { c.Email = "Owner@Example.com" })
	composed, decomposed := "Gold-7-caf\u00e9-fish", "Gold-7-cafe\u0301-fish"
	if _, _, err := a.ChangePassword(t.Context(), mustBe(t, a, tokens.Access), goodPassword, decomposed, ""); err != nil {
		t.Fatal(err)
	}
	for name, typed := range map[string]string{"admin": composed, "AdMin ": decomposed, " owner@example.COM": composed} {
		b := opened(t)(sealedAt(t, copied(t, a), machine('x', clock)).SignIn(t.Context(), elsewhere, name, typed, Moved))
		if _, _, err := b.SignIn(t.Context(), far, SignInIn{Name: name, Password: typed}); err != nil {
			t.Errorf("%q: opened, then %v", name, err)
		}
	}
	s := sealedAt(t, copied(t, a), machine('x', clock))
	for i, typed := range []string{composed + "x", strings.Repeat("x", 73), strings.Repeat("é", 37), strings.Repeat("x", 1<<20), ""} {
		_, err := s.SignIn(t.Context(), netip.AddrFrom4([4]byte{10, 0, byte(i), 1}), "admin", typed, Moved)
		wantFault(t, err, fault.Unauthenticated, "credentials_wrong")
	}
}

// Unknown names, customers and wrong passwords get one answer, which takes one Argon2id.
func TestSealedFileTellsNothing(t *testing.T) {
	a, clock := people(t)
	changed(t, a)
	mustRegister(t, a, "alice")
	o := machine('x', clock)
	o.Argon = keyring.Argon{Memory: 16 << 10, Time: 1, Lanes: 1} // what a name without a slot costs
	for _, slot := range mustView(t, a).Slots {
		if slot.Kind == "password" {
			draft, err := a.keys.heavier(t, o.Argon)
			if err != nil {
				t.Fatal(err)
			}
			if err := a.db.Update(func(tx *store.Tx) error {
				c, err := accounts.Get(tx, slot.Account.Key())
				if err != nil {
					return err
				}
				return a.keys.giveSlot(tx, System, c, draft)
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
	s := sealedAt(t, copied(t, a), o)
	// How often Argon2id ran shows in the memory that was asked for: time tells little on a busy machine.
	network := byte(0)
	runs := func(name, plain string) uint64 {
		network++
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := s.SignIn(t.Context(), netip.AddrFrom4([4]byte{10, 0, network, 1}), name, plain, Moved)
		runtime.ReadMemStats(&after)
		if f := fault.Of(err); f.Kind != fault.Unauthenticated || f.Code != "credentials_wrong" || f.Args != nil || f.Field != "" {
			t.Errorf("%s: %+v", name, f)
		}
		return (after.TotalAlloc - before.TotalAlloc) / (uint64(o.Argon.Memory) << 10)
	}
	for _, who := range [][2]string{
		{"admin", goodPassword + "x"},
		{"ADMIN ", "x"},
		{"nobody", goodPassword},
		{"alice", goodPassword},
		{"@", goodPassword},
		{strings.Repeat("x", 255), goodPassword},
		{"", goodPassword},
		{"admin", ""},
	} {
		if n := runs(who[0], who[1]); n != 1 {
			t.Errorf("%.10q costs %d Argon2id", who[0], n)
		}
	}
	refused := 0
	if err := s.db.View(func(tx *store.Tx) error {
		for _, e := range events.Before(tx, 0) {
			if e.Kind == UserLoginRefused && e.Object == 0 && len(e.Address) == 4 {
				refused++
			}
		}
		return nil
	}); err != nil || refused != 8 {
		t.Errorf("%d refusals are recorded, %v", refused, err)
	}
}

// heavier drafts a slot at another cost.
func (k *openKeys) heavier(t *testing.T, cost keyring.Argon) (*keyring.Draft, error) {
	t.Helper()
	return keyring.DraftPassword([]byte(goodPassword), cost, rand.Reader)
}

// Each wrong attempt from a network doubles the wait, up to five minutes; an hour later it is forgotten.
func TestSealedFileSlowsGuessingDown(t *testing.T) {
	a, clock := people(t)
	changed(t, a)
	s := sealedAt(t, copied(t, a), machine('x', clock))
	try := func(addr string) *fault.Error {
		_, err := s.SignIn(t.Context(), netip.MustParseAddr(addr), "admin", "wrong", Moved)
		return fault.Of(err)
	}
	for n := range 12 {
		if f := try("203.0.113.1"); f.Code != "credentials_wrong" {
			t.Fatalf("attempt %d: %v", n, f)
		}
		want := min(time.Second<<n, 5*time.Minute)
		if f := try("203.0.113.200"); f.Code != "rate_limited" || f.Kind != fault.Limited || f.Retry != want {
			t.Fatalf("after attempt %d: %v, wait %v, want %v", n, f, f.Retry, want)
		}
		clock.Advance(want)
	}
	if f := try("203.0.114.1"); f.Code != "credentials_wrong" {
		t.Errorf("another network: %v", f)
	}
	if try("2001:db8::1").Code != "credentials_wrong" || try("2001:db8::2:0").Code != "rate_limited" || try("2001:db8:0:1::1").Code != "credentials_wrong" {
		t.Error("a network in IPv6 is not a /64")
	}
	if try("::ffff:203.0.114.9").Code != "rate_limited" {
		t.Error("an IPv4 address in IPv6 is another one")
	}
	clock.Advance(2 * time.Hour)
	for i := range 2 { // what is old goes when something new comes, twice
		try(fmt.Sprintf("10.0.%d.1", i))
		clock.Advance(2 * time.Hour)
	}
	try("203.0.113.1")
	if f := try("203.0.113.1"); f.Retry != time.Second {
		t.Errorf("hours later the wait is %v", f.Retry)
	}
	clock.Advance(time.Hour)
	opened(t)(s.SignIn(t.Context(), netip.MustParseAddr("203.0.113.1"), "admin", goodPassword, Moved))
}

// One Argon2id runs at a time, a few wait, others hear that it is busy; that is no wrong attempt.
func TestSealedFileIsBusy(t *testing.T) {
	a, clock := people(t)
	changed(t, a)
	s := sealedAt(t, copied(t, a), machine('x', clock))
	for range cap(s.slots.room) {
		s.slots.room <- struct{}{}
	}
	for range 3 {
		_, err := s.SignIn(t.Context(), far.Address, "admin", goodPassword, Moved)
		wantFault(t, err, fault.Unavailable, "busy")
	}
	for range cap(s.slots.room) {
		<-s.slots.room
	}
	ended, end := context.WithCancel(t.Context())
	end()
	_, err := s.SignIn(ended, far.Address, "admin", goodPassword, Moved)
	wantFault(t, err, fault.Unavailable, "busy")
	var all sync.WaitGroup
	answers := make(chan error, slotQueue)
	for i := range slotQueue {
		all.Go(func() {
			_, err := s.SignIn(t.Context(), netip.AddrFrom4([4]byte{10, 1, byte(i), 1}), "admin", "wrong", Moved)
			answers <- err
		})
	}
	all.Wait()
	for range slotQueue {
		wantFault(t, <-answers, fault.Unauthenticated, "credentials_wrong")
	}
	opened(t)(s.SignIn(t.Context(), far.Address, "admin", goodPassword, Moved))
}

// Of two who open it at once one does; the file is opened once.
func TestOfTwoOpenersOneWins(t *testing.T) {
	a, clock := people(t)
	changed(t, a)
	path, o := copied(t, a), machine('x', clock)
	s := sealedAt(t, path, o)
	var all sync.WaitGroup
	var mu sync.Mutex
	var won []*Authority
	for i := range 6 {
		all.Go(func() {
			b, err := s.SignIn(t.Context(), netip.AddrFrom4([4]byte{10, 1, byte(i), 1}), "admin", goodPassword, Moved)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won = append(won, b)
			} else if !fault.Has(err, "busy") {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if len(won) != 1 {
		t.Fatalf("%d have the file", len(won))
	}
	if e := won[0].db.Epoch(); e != 2 {
		t.Errorf("epoch %d", e)
	}
	if err := won[0].Close(); err != nil {
		t.Error(err)
	}
}

// An owner who was disabled after the copy was made has a slot in it, and may use it there: whoever has the copy has it.
// But a slot whose owner is disabled in the same file opens nothing, even before it is swept away.
func TestDisabledOwnerOpensNothing(t *testing.T) {
	a, clock := people(t)
	_, who := changed(t, a)
	c := &Account{ID: who.Account}
	c.rewrite(t, a, func(c *Account) { c.Disabled = true })
	_, err := sealedAt(t, copied(t, a), machine('x', clock)).SignIn(t.Context(), elsewhere, "admin", goodPassword, Moved)
	wantFault(t, err, fault.Forbidden, "account_disabled")
	c.rewrite(t, a, func(c *Account) { c.Disabled, c.Role = false, RoleCustomer })
	_, err = sealedAt(t, copied(t, a), machine('x', clock)).SignIn(t.Context(), elsewhere, "admin", goodPassword, Moved)
	wantFault(t, err, fault.Unauthenticated, "credentials_wrong")
}

// With the file and an owner's password alone fifty fresh machines open it, at once, and a thousand wrong passwords none.
func TestFiftyFreshMachines(t *testing.T) {
	a, clock := people(t)
	_, who := changed(t, a)
	path := copied(t, a)
	for n := range 50 {
		o := machine(0, clock)
		if _, err := rand.Read(o.MachineKey); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "goldfish.db")
		raw, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(file, raw, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		b, err := sealedAt(t, file, o).SignIn(t.Context(), elsewhere, "admin", goodPassword, Moved)
		if err != nil {
			t.Fatalf("machine %d: %v", n, err)
		}
		if _, faults := b.db.Check(); len(faults) > 0 || time.Since(began) > time.Minute {
			t.Errorf("machine %d: %v after %v", n, faults, time.Since(began))
		}
		if c, err := store.Read(b.db, func(tx *store.Tx) (*Account, error) { return accountByID(tx, who.Account) }); err != nil || c.Username != FirstUsername {
			t.Errorf("machine %d: %v", n, err)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
	s := sealedAt(t, path, machine('x', clock))
	for n := range 1000 {
		_, err := s.SignIn(t.Context(), netip.AddrFrom4([4]byte{10, byte(n >> 8), byte(n), 1}), "admin", fmt.Sprint("Wrong-7-horse", n), Moved)
		wantFault(t, err, fault.Unauthenticated, "credentials_wrong")
	}
}
