package license

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"goldfish/license/fault"
	"goldfish/store/keyring"
)

// ownerWithCode is an owner whose recovery code is in force.
func ownerWithCode(t *testing.T, a *Authority) (Actor, string) {
	t.Helper()
	tokens, _ := changed(t, a)
	who := mustBe(t, a, tokens.Access)
	code, err := a.RecoveryCode(t.Context(), who, goodPassword)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.ConfirmRecoveryCode(who, code); err != nil {
		t.Fatal(err)
	}
	return who, code
}

// A recovery code is in force once it was typed again, and not before; then the older one is not any more.
func TestRecoveryCodeMustBeTypedAgain(t *testing.T) {
	a, clock := people(t)
	who, first := ownerWithCode(t, a)
	if got := slotsOf(t, a); got != "machine, password admin, recovery" || !mustView(t, a).RecoverySet {
		t.Fatalf("slots: %s", got)
	}
	_, err := a.RecoveryCode(t.Context(), who, "wrong")
	wantFault(t, err, fault.Invalid, "password_wrong")
	second, err := a.RecoveryCode(t.Context(), who, goodPassword)
	if err != nil || second == first {
		t.Fatal(err)
	}
	before := copied(t, a)
	for typed, code := range map[string]string{"": "recovery_code_form", second[:40]: "recovery_code_form", first: "recovery_code_other"} {
		if err := a.ConfirmRecoveryCode(who, typed); !fault.Has(err, code) || fault.Of(err).Field != "code" {
			t.Errorf("%d characters: %v", len(typed), err)
		}
	}
	clock.Advance(codeLife - time.Second)
	if err := a.ConfirmRecoveryCode(who, strings.ToLower(strings.ReplaceAll(second, "-", " "))); err != nil {
		t.Fatal(err)
	}
	wantFault(t, a.ConfirmRecoveryCode(who, second), fault.Conflict, "recovery_code_late") // once
	for _, r := range []struct {
		path, code string
		opens      bool
	}{{before, first, true}, {before, second, false}, {copied(t, a), first, false}, {copied(t, a), second, true}} {
		s, err := OpenSealed(r.path, machine('x', clock))
		if err != nil {
			t.Fatal(err)
		}
		b, err := s.Recover(t.Context(), elsewhere, r.code, "admin", nextPassword, Moved)
		if (err == nil) != r.opens || err != nil && !fault.Has(err, "recovery_wrong") {
			t.Errorf("opens: %v", err)
		}
		if err == nil {
			err = b.Close()
		} else {
			err = s.Close()
		}
		if err != nil {
			t.Error(err)
		}
		if r.path == before && r.opens { // it is this machine's now
			before = copied(t, a)
		}
	}
	if told := recorded(t, a, KeyringRecoverySet); len(told) != 2 || told[0].Object != who.Account {
		t.Errorf("events: %+v", told)
	}
}

func TestRecoveryCodeWaitsFifteenMinutes(t *testing.T) {
	a, clock := people(t)
	tokens, _ := changed(t, a)
	who := mustBe(t, a, tokens.Access)
	wantFault(t, a.ConfirmRecoveryCode(who, someCode(t)), fault.Conflict, "recovery_code_late")
	code, err := a.RecoveryCode(t.Context(), who, goodPassword)
	if err != nil {
		t.Fatal(err)
	}
	second := mustRegister(t, a, "second")
	second.rewrite(t, a, func(c *Account) { c.Role = RoleOwner })
	other := mustBe(t, a, mustSignIn(t, a, "second").Access)
	wantFault(t, a.ConfirmRecoveryCode(other, code), fault.Conflict, "recovery_code_late") // it is the first owner's
	clock.Advance(codeLife)
	wantFault(t, a.ConfirmRecoveryCode(who, code), fault.Conflict, "recovery_code_late")
	if got := slotsOf(t, a); strings.Contains(got, "recovery") {
		t.Errorf("slots: %s", got)
	}
	mustRegister(t, a, "alice")
	alice := mustBe(t, a, mustSignIn(t, a, "alice").Access)
	_, err = a.RecoveryCode(t.Context(), alice, goodPassword)
	wantFault(t, err, fault.Forbidden, "permission_denied")
	wantFault(t, a.ConfirmRecoveryCode(alice, code), fault.Forbidden, "permission_denied")
	_, err = a.Keyring(alice)
	wantFault(t, err, fault.Forbidden, "permission_denied")
}

func someCode(t *testing.T) string {
	t.Helper()
	code, err := keyring.NewCode(strings.NewReader(strings.Repeat("k", 20)))
	if err != nil {
		t.Fatal(err)
	}
	return code.Text()
}

// Forgotten, and on a new machine: the recovery code opens the file and sets an owner's password.
func TestRecoveryOnAnotherMachine(t *testing.T) {
	a, clock := people(t)
	who, code := ownerWithCode(t, a)
	mustRegister(t, a, "alice")
	tokens := mustSignIn(t, a, "admin")
	path := copied(t, a)
	s := sealedAt(t, path, machine('x', clock))
	if !s.HasRecovery() {
		t.Error("nobody knows of the code")
	}
	network := byte(0)
	for _, r := range []struct {
		code, name, plain string
		kind              fault.Kind
		want, field       string
	}{
		{"", "admin", nextPassword, fault.Invalid, "recovery_code_form", "recovery_code"},
		{code + "0", "admin", nextPassword, fault.Invalid, "recovery_code_form", "recovery_code"},
		{code, "admin", "short", fault.Invalid, "password_weak", "new_password"},
		{code, "admin", FirstPassword, fault.Invalid, "password_weak", "new_password"},
		{code, "admin", "Admin-2026-x", fault.Invalid, "password_weak", "new_password"},
		{code, "admin", "Aa1!" + strings.Repeat("x", 69), fault.Invalid, "password_weak", "new_password"},
		{someCode(t), "admin", nextPassword, fault.Unauthenticated, "recovery_wrong", ""},
		{code, "nobody", nextPassword, fault.Unauthenticated, "recovery_wrong", ""},
		{code, "alice", nextPassword, fault.Unauthenticated, "recovery_wrong", ""},
		{code, "", nextPassword, fault.Unauthenticated, "recovery_wrong", ""},
	} {
		network++
		_, err := s.Recover(t.Context(), netip.AddrFrom4([4]byte{10, 0, network, 1}), r.code, r.name, r.plain, Moved)
		wantFault(t, err, r.kind, r.want)
		if f := fault.Of(err); f.Field != r.field {
			t.Errorf("%s names the field %q", r.want, f.Field)
		}
	}
	_, err := s.Recover(t.Context(), netip.AddrFrom4([4]byte{10, 0, network, 7}), code, "admin", nextPassword, Moved)
	wantFault(t, err, fault.Limited, "rate_limited")
	b := opened(t)(s.Recover(t.Context(), elsewhere, strings.ToLower(code), "Admin", nextPassword, Moved))
	wantOver(t, b, tokens)
	_, _, err = b.SignIn(t.Context(), far, SignInIn{Name: "admin", Password: goodPassword})
	wantFault(t, err, fault.Unauthenticated, "credentials_wrong")
	if _, _, err := b.SignIn(t.Context(), far, SignInIn{Name: "admin", Password: nextPassword}); err != nil {
		t.Error(err)
	}
	if got := slotsOf(t, b); got != "machine, password admin, recovery" {
		t.Errorf("slots: %s", got)
	}
	if opensWith(t, b, "admin", goodPassword) || !opensWith(t, b, "admin", nextPassword) {
		t.Error("the slot is not the new password's")
	}
	told := recorded(t, b, UserPassword)
	if last := told[len(told)-1]; last.Code != "recovered" || last.Object != who.Account || len(recorded(t, b, SystemUnsealed)) != 1 {
		t.Errorf("events: %+v", told)
	}
	if n := len(recorded(t, b, UserLoginRefused)); n < 4 {
		t.Errorf("%d refusals are recorded", n)
	}
}

// The code sets no password of an owner who may not act.
func TestRecoveryOfADisabledOwner(t *testing.T) {
	a, clock := people(t)
	who, code := ownerWithCode(t, a)
	(&Account{ID: who.Account}).rewrite(t, a, func(c *Account) { c.Disabled = true })
	_, err := sealedAt(t, copied(t, a), machine('x', clock)).Recover(t.Context(), elsewhere, code, "admin", nextPassword, Moved)
	wantFault(t, err, fault.Unauthenticated, "recovery_wrong")
}
