package license

import (
	"sync"
	"testing"
	"time"

	"goldfish/license/fault"
)

const nextPassword = "Battery-8-staple"

// changed signs the first account in and gives it its own password.
func changed(t *testing.T, a *Authority) (Tokens, Actor) {
	t.Helper()
	tokens, me, err := a.SignIn(t.Context(), near, SignInIn{Name: FirstUsername, Password: FirstPassword})
	if err != nil || !me.MustChange {
		t.Fatalf("signed in as %+v, %v", me, err)
	}
	who, err := a.Authenticate(tokens.Access, near.Address, true)
	if err != nil || !who.MustChange {
		t.Fatalf("the actor is %+v, %v", who, err)
	}
	tokens, me, err = a.ChangePassword(t.Context(), who, FirstPassword, goodPassword, "")
	if err != nil || me.MustChange || me.Hash != nil {
		t.Fatalf("changed to %+v, %v", me, err)
	}
	return tokens, who
}

func TestFirstAccountOpensOnlyFromTheMachineItself(t *testing.T) {
	a, _ := people(t)
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			for range 100 {
				_, _, right := a.SignIn(t.Context(), far, SignInIn{Name: "Admin", Password: FirstPassword})
				for fault.Has(right, "busy") { // a full queue for hashing is no answer
					_, _, right = a.SignIn(t.Context(), far, SignInIn{Name: "Admin", Password: FirstPassword})
				}
				if f := fault.Of(right); f == nil || f.Kind != fault.Unauthenticated || f.Code != "credentials_wrong" || f.Args != nil || f.Cause != nil {
					t.Errorf("from afar: %v", right)
				}
			}
		})
	}
	all.Wait()
	ctx, once := &counted{Context: t.Context()}, oneBcrypt(t, a)
	_, _, _ = a.SignIn(ctx, far, SignInIn{Name: "admin", Password: FirstPassword})
	tokens, _, err := a.SignIn(ctx, near, SignInIn{Name: "admin", Password: FirstPassword})
	if err != nil {
		t.Fatal(err)
	}
	if ctx.asked != 2*once.asked {
		t.Errorf("two sign-ins asked for bcrypt %d times, want %d", ctx.asked, 2*once.asked)
	}
	_, err = a.Authenticate(tokens.Access, far.Address, false)
	wantFault(t, err, fault.Unauthenticated, "session_ended")
	_, _, err = a.Refresh(far, tokens.Refresh)
	wantFault(t, err, fault.Unauthenticated, "session_ended")
	who, err := a.Authenticate(tokens.Access, near.Address, true)
	if err != nil {
		t.Fatal(err)
	}
	wantFault(t, who.Authorise(ReadApps), fault.Forbidden, "password_change_required")
	who.Local = false
	_, _, err = a.ChangePassword(t.Context(), who, FirstPassword, goodPassword, "")
	wantFault(t, err, fault.Unauthenticated, "session_ended")
	if stands, err := a.FirstPasswordStands(); err != nil || !stands {
		t.Error("attempts took the first password away:", err)
	}
}

func TestFirstPasswordIsGoneOnceChanged(t *testing.T) {
	a, _ := people(t)
	tokens, _ := changed(t, a)
	if stands, err := a.FirstPasswordStands(); err != nil || stands {
		t.Fatal("the first password still stands:", err)
	}
	for _, who := range []Actor{near, far} {
		_, _, err := a.SignIn(t.Context(), who, SignInIn{Name: FirstUsername, Password: FirstPassword})
		wantFault(t, err, fault.Unauthenticated, "credentials_wrong")
		if _, _, err := a.SignIn(t.Context(), who, SignInIn{Name: FirstUsername, Password: goodPassword}); err != nil {
			t.Error("its own password is refused:", err)
		}
	}
	who := mustBe(t, a, tokens.Access) // from afar as well now
	if who.MustChange || who.Authorise(WriteApps) != nil {
		t.Errorf("the owner is %+v", who)
	}
	_, _, err := a.ChangePassword(t.Context(), who, FirstPassword, nextPassword, "")
	wantFault(t, err, fault.Invalid, "password_wrong")
	_, _, err = a.ChangePassword(t.Context(), who, goodPassword, FirstPassword, "")
	wantFault(t, err, fault.Invalid, "password_weak")
	if err := a.ensureFirstAccount(); err != nil {
		t.Fatal(err)
	}
	if stands, err := a.FirstPasswordStands(); err != nil || stands {
		t.Error("the next start brings it back:", err)
	}
}

func TestChangePassword(t *testing.T) {
	a, clock := people(t)
	c := mustRegister(t, a, "alice")
	mine, other := mustSignIn(t, a, "alice"), mustSignIn(t, a, "alice")
	who := mustBe(t, a, mine.Access)
	for _, r := range []struct{ old, next, code, field string }{
		{"Wrong-7-horse", nextPassword, "password_wrong", "old_password"},
		{"", nextPassword, "password_wrong", "old_password"},
		{FirstPassword, nextPassword, "password_wrong", "old_password"},
		{goodPassword, goodPassword, "password_same", "new_password"},
		{goodPassword, "short", "password_weak", "new_password"},
		{goodPassword, "", "password_weak", "new_password"},
		{goodPassword, FirstPassword, "password_weak", "new_password"},
	} {
		_, _, err := a.ChangePassword(t.Context(), who, r.old, r.next, "")
		wantFault(t, err, fault.Invalid, r.code)
		if f := fault.Of(err); f.Field != r.field {
			t.Errorf("%s names the field %q", r.code, f.Field)
		}
		mustBe(t, a, other.Access)
	}
	clock.Advance(time.Second)
	fresh, me, err := a.ChangePassword(t.Context(), who, goodPassword, nextPassword, "agent")
	if err != nil || me.ID != c.ID || me.Hash != nil || me.PasswordChanged != clock.Now().UnixMilli() {
		t.Fatalf("changed to %+v, %v", me, err)
	}
	wantOver(t, a, mine)
	wantOver(t, a, other)
	mustBe(t, a, fresh.Access)
	if _, _, err := a.Refresh(far, fresh.Refresh); err != nil {
		t.Error("the fresh session does not go on:", err)
	}
	_, _, err = a.SignIn(t.Context(), far, SignInIn{Name: "alice", Password: goodPassword})
	wantFault(t, err, fault.Unauthenticated, "credentials_wrong")
	if _, _, err := a.SignIn(t.Context(), far, SignInIn{Name: "alice", Password: nextPassword}); err != nil {
		t.Error(err)
	}
	told := recorded(t, a, UserPassword)
	if len(told) != 4 || told[2].Code != "password_wrong" || told[2].Level != LevelWarning || told[3].Code != "" || told[3].ActorID != c.ID {
		t.Errorf("events: %+v", told)
	}
	if ended := recorded(t, a, SessionEnded); len(ended) != 2 || ended[0].Code != "password_changed" {
		t.Errorf("sessions that ended: %+v", ended)
	}
	mixed := mustBe(t, a, mustSignIn(t, a, mustRegister(t, a, "bob").Username).Access)
	mixed.Account = c.ID
	_, _, err = a.ChangePassword(t.Context(), mixed, nextPassword, goodPassword, "")
	wantFault(t, err, fault.Unauthenticated, "session_ended")
	for _, nobody := range []Actor{far, near, System} {
		_, _, err := a.ChangePassword(t.Context(), nobody, nextPassword, goodPassword, "")
		wantFault(t, err, fault.Unauthenticated, "sign_in_required")
	}
}

// Two changes at once: the second finds its session ended by the first.
func TestOfTwoChangesOneWins(t *testing.T) {
	a, _ := people(t)
	mustRegister(t, a, "alice")
	who := mustBe(t, a, mustSignIn(t, a, "alice").Access)
	var errs [2]error
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() { _, _, errs[i] = a.ChangePassword(t.Context(), who, goodPassword, nextPassword+"xy"[i:i+1], "") })
	}
	all.Wait()
	won := 0
	for i, err := range errs {
		_, _, got := a.SignIn(t.Context(), far, SignInIn{Name: "alice", Password: nextPassword + "xy"[i:i+1]})
		if (err == nil) != (got == nil) {
			t.Errorf("the change gave %v, its password %v", err, got)
		}
		if err == nil {
			won++
		}
	}
	if won != 1 {
		t.Errorf("%d of 2 won: %v", won, errs)
	}
}
