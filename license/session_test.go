package license

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"goldfish/license/fault"
	"goldfish/store"
)

func mustSignIn(t *testing.T, a *Authority, name string) Tokens {
	t.Helper()
	tokens, _, err := a.SignIn(t.Context(), far, SignInIn{Name: name, Password: goodPassword})
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func mustBe(t *testing.T, a *Authority, access string) Actor {
	t.Helper()
	who, err := a.Authenticate(access, far.Address, false)
	if err != nil {
		t.Fatal(err)
	}
	return who
}

// wantOver checks that neither token of a session opens anything.
func wantOver(t *testing.T, a *Authority, tokens Tokens) {
	t.Helper()
	_, err := a.Authenticate(tokens.Access, far.Address, false)
	wantFault(t, err, fault.Unauthenticated, "session_ended")
	_, _, err = a.Refresh(far, tokens.Refresh)
	wantFault(t, err, fault.Unauthenticated, "session_ended")
}

func (c *Account) rewrite(t *testing.T, a *Authority, change func(*Account)) {
	t.Helper()
	if err := a.db.Update(func(tx *store.Tx) error {
		row, err := accounts.Get(tx, c.ID.Key())
		if err != nil {
			return err
		}
		change(row)
		return accounts.Put(tx, row)
	}); err != nil {
		t.Fatal(err)
	}
}

// counted counts how often the pool for bcrypt asks a call's context: so often for each piece of work.
type counted struct {
	context.Context
	asked int
}

func (c *counted) Err() error {
	c.asked++
	return c.Context.Err()
}

func oneBcrypt(t *testing.T, a *Authority) *counted {
	t.Helper()
	ctx := &counted{Context: t.Context()}
	if _, err := a.passwords.Verify(ctx, "", goodPassword); err != nil || ctx.asked == 0 {
		t.Fatalf("asked %d times, %v", ctx.asked, err)
	}
	return ctx
}

func TestSignIn(t *testing.T) {
	a, clock := people(t)
	app, err := a.CreateApp(System, NewApp{Name: Text{ZH: "画图"}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := a.Register(t.Context(), far, RegisterIn{Username: "Alice", Password: goodPassword, Email: "a@Example.com"})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"alice", " ALICE ", "a@example.COM"} {
		tokens, me, err := a.SignIn(t.Context(), far, SignInIn{Name: name, Password: goodPassword, App: &app.UUID, Agent: "test\x00\u202e 金"})
		if err != nil {
			t.Fatal(name, err)
		}
		if me.ID != c.ID || me.Hash != nil || me.LastLogin != clock.Now().UnixMilli() {
			t.Errorf("signed in as %+v", me)
		}
		if tokens.AccessEnds.Sub(clock.Now()) != 2*time.Hour || tokens.RefreshEnds.Sub(clock.Now()) != 7*24*time.Hour {
			t.Errorf("tokens end at %v and %v", tokens.AccessEnds, tokens.RefreshEnds)
		}
		who := mustBe(t, a, tokens.Access)
		if who.Kind != ActorAccount || who.Account != c.ID || who.Role != RoleCustomer || who.MustChange || who.Local || who.Address != far.Address {
			t.Errorf("the actor is %+v", who)
		}
		if err := a.db.View(func(tx *store.Tx) error {
			s, err := sessions.Get(tx, who.Session.Key())
			if err == nil && (s.Agent != "test 金" || string(s.Address) != "\xcb\x00\x71\x09" || s.Created != clock.Now().UnixMilli()) {
				t.Errorf("the session is %+v", s)
			}
			if !memberships.Has(tx, pair(c.ID, app.ID)) {
				t.Error("no member of the app it signed in from")
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	told := recorded(t, a, UserLogin)
	if len(told) != 3 || told[0].ActorID != c.ID || told[0].Object != c.ID || told[0].App != app.ID {
		t.Errorf("%d events, the first %+v", len(told), told[0])
	}
	nowhere := uuid.MustParse("3f0c1f0e-6c0b-4f5e-9d5a-0b8f5b1c2d3e")
	_, _, err = a.SignIn(t.Context(), far, SignInIn{Name: "alice", Password: goodPassword, App: &nowhere})
	wantFault(t, err, fault.NotFound, "app_unknown")
}

func TestRefusedSignInsAreAlike(t *testing.T) {
	a, _ := people(t)
	c := mustRegister(t, a, "alice")
	gone := mustRegister(t, a, "gone")
	gone.rewrite(t, a, func(c *Account) { c.Disabled = true })
	hashless := mustRegister(t, a, "hashless")
	hashless.rewrite(t, a, func(c *Account) { c.Hash = nil })
	long := string(make([]byte, 300))
	once := oneBcrypt(t, a)
	for _, in := range []SignInIn{
		{Name: "alice", Password: "Wrong-7-horse"},
		{Name: "alice"},
		{Name: "alice", Password: goodPassword + long},
		{Name: "nobody", Password: goodPassword},
		{Name: "nobody@example.com", Password: goodPassword},
		{},
		{Name: long, Password: goodPassword},
		{Name: "alice\x00", Password: goodPassword},
		{Name: "gone", Password: "Wrong-7-horse"},
		{Name: "hashless"},
		{Name: "hashless", Password: FirstPassword},
		{Name: "admin", Password: goodPassword},
	} {
		for _, who := range []Actor{near, far} {
			ctx := &counted{Context: t.Context()}
			tokens, me, err := a.SignIn(ctx, who, in)
			wantFault(t, err, fault.Unauthenticated, "credentials_wrong")
			if tokens != (Tokens{}) || me != nil || fault.Of(err).Field != "" {
				t.Errorf("%q: a refusal gives %v, %v, %+v", in.Name, tokens, me, err)
			}
			if ctx.asked != once.asked {
				t.Errorf("%q, %d bytes: asked for bcrypt %d times, want %d", in.Name, len(in.Password), ctx.asked, once.asked)
			}
		}
	}
	ctx := &counted{Context: t.Context()}
	if _, _, err := a.SignIn(ctx, far, SignInIn{Name: "alice", Password: goodPassword}); err != nil || ctx.asked != once.asked {
		t.Errorf("a good sign-in asked for bcrypt %d times, %v", ctx.asked, err)
	}
	told := recorded(t, a, UserLoginRefused)
	if len(told) != 24 {
		t.Fatalf("%d events", len(told))
	}
	for _, e := range told {
		if e.Level != LevelWarning || e.Actor != ActorNobody || e.ActorID != 0 || len(e.Address) != 4 || e.Args != nil || e.Code != "credentials_wrong" {
			t.Errorf("the event is %+v", e)
		}
	}
	if told[0].Object != c.ID || told[6].Object != 0 {
		t.Errorf("the events are of %d and %d", told[0].Object, told[6].Object)
	}
}

// Without a turn at bcrypt nothing is decided: that is no wrong password, and no event.
func TestNoTurnIsNoAnswer(t *testing.T) {
	a, _ := people(t)
	mustRegister(t, a, "alice")
	who := mustBe(t, a, mustSignIn(t, a, "alice").Access)
	before, err := a.LastEvent()
	if err != nil {
		t.Fatal(err)
	}
	ctx, hangUp := context.WithCancel(t.Context())
	hangUp()
	_, err = a.Register(ctx, far, RegisterIn{Username: "bob", Password: goodPassword})
	wantFault(t, err, fault.Unavailable, "busy")
	for _, name := range []string{"alice", "nobody", "admin"} {
		_, _, err = a.SignIn(ctx, near, SignInIn{Name: name, Password: FirstPassword})
		wantFault(t, err, fault.Unavailable, "busy")
	}
	_, _, err = a.ChangePassword(ctx, who, goodPassword, nextPassword, "")
	wantFault(t, err, fault.Unavailable, "busy")
	if after, err := a.LastEvent(); err != nil || after != before {
		t.Errorf("%d events, %v", after-before, err)
	}
	mustBe(t, a, mustSignIn(t, a, "alice").Access)
}

func TestDisabledAccount(t *testing.T) {
	a, _ := people(t)
	c := mustRegister(t, a, "alice")
	tokens := mustSignIn(t, a, "alice")
	c.rewrite(t, a, func(c *Account) { c.Disabled = true })
	_, err := a.Authenticate(tokens.Access, far.Address, false)
	wantFault(t, err, fault.Forbidden, "account_disabled")
	_, _, err = a.Refresh(far, tokens.Refresh)
	wantFault(t, err, fault.Forbidden, "account_disabled")
	_, _, err = a.SignIn(t.Context(), far, SignInIn{Name: "alice", Password: goodPassword})
	wantFault(t, err, fault.Forbidden, "account_disabled")
	_, _, err = a.SignIn(t.Context(), far, SignInIn{Name: "alice", Password: "Wrong-7-horse"})
	wantFault(t, err, fault.Unauthenticated, "credentials_wrong")
	if told := recorded(t, a, UserLoginRefused); len(told) != 2 || told[0].Code != "account_disabled" {
		t.Errorf("events: %+v", told)
	}
}

// The password that was compared must still be the one that stands when the session begins.
func TestAdmitSignIn(t *testing.T) {
	row := Account{ID: 7, Hash: []byte("h")}
	for name, c := range map[string]struct {
		change    func(*Account)
		unproven  bool
		seen, now bool // whether there is such an account
		want      string
	}{
		"good":                  {seen: true, now: true},
		"wrong":                 {unproven: true, seen: true, now: true, want: "credentials_wrong"},
		"unknown":               {unproven: true, want: "credentials_wrong"},
		"gone meanwhile":        {seen: true, want: "credentials_wrong"},
		"come meanwhile":        {now: true, want: "credentials_wrong"},
		"changed meanwhile":     {seen: true, now: true, change: func(c *Account) { c.Hash = []byte("n") }, want: "credentials_wrong"},
		"another meanwhile":     {seen: true, now: true, change: func(c *Account) { c.ID = 8 }, want: "credentials_wrong"},
		"disabled":              {seen: true, now: true, change: func(c *Account) { c.Disabled = true }, want: "account_disabled"},
		"disabled, not proven":  {unproven: true, seen: true, now: true, change: func(c *Account) { c.Disabled = true }, want: "credentials_wrong"},
		"first password gone":   {seen: true, now: true, change: func(c *Account) { c.Hash = nil }, want: "credentials_wrong"},
		"proven, but no longer": {now: false, seen: false, want: "credentials_wrong"},
	} {
		var seen, now *Account
		if c.seen {
			seen = &row
		}
		if c.now {
			next := row
			if now = &next; c.change != nil {
				c.change(now)
			}
		}
		got := admitSignIn(seen, now, !c.unproven)
		if c.want == "" && got != nil || c.want != "" && (got == nil || got.Code != c.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestFourthSessionTakesTheOldestsPlace(t *testing.T) {
	a, _ := people(t)
	mustRegister(t, a, "alice")
	mustRegister(t, a, "bob")
	bob := mustSignIn(t, a, "bob")
	var all []Tokens
	for range 5 {
		all = append(all, mustSignIn(t, a, "alice"))
	}
	wantOver(t, a, all[0])
	wantOver(t, a, all[1])
	for _, tokens := range append(all[2:], bob) {
		mustBe(t, a, tokens.Access)
	}
	told := recorded(t, a, SessionEnded)
	if len(told) != 2 || told[0].Code != "too_many_sessions" || told[0].Noun != NounSession || told[0].Object == 0 || told[0].Object == told[1].Object {
		t.Errorf("events: %+v", told)
	}
}

func TestCrowd(t *testing.T) {
	const day, now = int64(24 * 3600 * 1000), int64(1_800_000_000_000)
	s := func(n int, ends int64) *Session { return &Session{ID: store.ID(1<<48 | n), Ends: ends} }
	for name, c := range map[string]struct {
		all         []*Session
		over, yield int
	}{
		"none":                  {},
		"two":                   {all: []*Session{s(1, now+day), s(2, now+day)}},
		"three":                 {all: []*Session{s(1, now+day), s(2, now+day), s(3, now+day)}, yield: 1},
		"six":                   {all: []*Session{s(1, now+1), s(2, now+1), s(3, now+1), s(4, now+1), s(5, now+1), s(6, now+1)}, yield: 4},
		"over ones do not push": {all: []*Session{s(1, now), s(2, now+day), s(3, now-day), s(4, now+day)}, over: 2},
		"of an older epoch":     {all: []*Session{{ID: 7, Ends: now + day}, s(2, now+day), s(3, now+day)}, over: 1},
	} {
		over, yield := crowd(c.all, now, 1)
		if len(over) != c.over || len(yield) != c.yield {
			t.Errorf("%s: %d over and %d yield, want %d and %d", name, len(over), len(yield), c.over, c.yield)
		}
		for i, y := range yield {
			if y != c.all[i] {
				t.Errorf("%s: not the oldest yields", name)
			}
		}
	}
}

func TestRefreshTurnsTheSession(t *testing.T) {
	a, clock := people(t)
	c := mustRegister(t, a, "alice")
	tokens := mustSignIn(t, a, "alice")
	for range 5 {
		clock.Advance(3 * 24 * time.Hour)
		_, err := a.Authenticate(tokens.Access, far.Address, false)
		wantFault(t, err, fault.Unauthenticated, "token_expired")
		next, me, err := a.Refresh(far, tokens.Refresh)
		if err != nil {
			t.Fatal(err)
		}
		if next.Access == tokens.Access || next.Refresh == tokens.Refresh || me.ID != c.ID || me.Hash != nil {
			t.Errorf("refreshed as %+v", me)
		}
		if next.RefreshEnds.Sub(clock.Now()) != 7*24*time.Hour {
			t.Errorf("ends at %v", next.RefreshEnds)
		}
		mustBe(t, a, next.Access)
		tokens = next
	}
	clock.Advance(7 * 24 * time.Hour)
	_, _, err := a.Refresh(far, tokens.Refresh)
	wantFault(t, err, fault.Unauthenticated, "token_expired")
	_, err = a.Authenticate(tokens.Access, far.Address, false)
	wantFault(t, err, fault.Unauthenticated, "token_expired")
}

// Within one second too, a used token is another one than its successor.
func TestUsedRefreshTokenEndsTheSession(t *testing.T) {
	a, _ := people(t)
	c := mustRegister(t, a, "alice")
	other := mustSignIn(t, a, "alice")
	first := mustSignIn(t, a, "alice")
	second, _, err := a.Refresh(far, first.Refresh)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = a.Refresh(far, first.Refresh)
	wantFault(t, err, fault.Unauthenticated, "session_ended")
	wantOver(t, a, first)
	wantOver(t, a, second)
	mustBe(t, a, other.Access)
	told := recorded(t, a, SessionEnded)
	if len(told) != 1 || told[0].Code != "session_reused" || told[0].Level != LevelWarning || told[0].ActorID != c.ID || len(told[0].Address) != 4 {
		t.Errorf("events: %+v", told)
	}
}

func TestConcurrentRefreshesOfOneToken(t *testing.T) {
	a, _ := people(t)
	mustRegister(t, a, "alice")
	tokens := mustSignIn(t, a, "alice")
	got := make([]Tokens, 50)
	errs := make([]error, len(got))
	var all sync.WaitGroup
	for i := range got {
		all.Go(func() { got[i], _, errs[i] = a.Refresh(far, tokens.Refresh) })
	}
	all.Wait()
	won := 0
	for i, err := range errs {
		if err == nil {
			won++
			wantOver(t, a, got[i])
			continue
		}
		wantFault(t, err, fault.Unauthenticated, "session_ended")
	}
	if won != 1 || len(recorded(t, a, SessionEnded)) != 1 {
		t.Errorf("%d of 50 won, %d events", won, len(recorded(t, a, SessionEnded)))
	}
}

func TestEachTokenOpensOnlyItsOwnDoor(t *testing.T) {
	a, _ := people(t)
	mustRegister(t, a, "alice")
	tokens := mustSignIn(t, a, "alice")
	b, _ := people(t)
	mustRegister(t, b, "alice")
	foreign := mustSignIn(t, b, "alice")
	for _, access := range []string{tokens.Refresh, "", "x", "a.b.c", tokens.Access + "x", foreign.Access, tokens.Access[:len(tokens.Access)-2]} {
		_, err := a.Authenticate(access, far.Address, false)
		wantFault(t, err, fault.Unauthenticated, "token_invalid")
	}
	for _, refresh := range []string{tokens.Access, "", "x", "a.b.c", tokens.Refresh + "x", foreign.Refresh} {
		_, _, err := a.Refresh(far, refresh)
		wantFault(t, err, fault.Unauthenticated, "token_invalid")
	}
	mustBe(t, a, tokens.Access) // none of it did harm
}

func TestLogout(t *testing.T) {
	a, _ := people(t)
	c := mustRegister(t, a, "alice")
	tokens, other := mustSignIn(t, a, "alice"), mustSignIn(t, a, "alice")
	who := mustBe(t, a, tokens.Access)
	for range 2 { // the second finds it done
		if err := a.Logout(who); err != nil {
			t.Fatal(err)
		}
	}
	wantOver(t, a, tokens)
	mustBe(t, a, other.Access)
	if told := recorded(t, a, UserLogout); len(told) != 1 || told[0].ActorID != c.ID || told[0].Object != who.Session {
		t.Errorf("events: %+v", told)
	}
	for _, nobody := range []Actor{far, near, System} {
		wantFault(t, a.Logout(nobody), fault.Unauthenticated, "sign_in_required")
	}
}

// A file that is restored begins a new epoch: sessions of the old one may have ended since.
func TestNewEpochEndsAllSessions(t *testing.T) {
	a, _ := people(t)
	mustRegister(t, a, "alice")
	old := mustSignIn(t, a, "alice")
	if _, err := a.db.NextEpoch(); err != nil {
		t.Fatal(err)
	}
	wantOver(t, a, old)
	mustBe(t, a, mustSignIn(t, a, "alice").Access)
}

func TestAgentIsCut(t *testing.T) {
	for in, want := range map[string]string{"": "", "Mozilla/5.0": "Mozilla/5.0", "a\r\nb\xff\u202ec": "abc"} {
		if got := cutAgent(in); got != want {
			t.Errorf("%q became %q", in, got)
		}
	}
	if got := cutAgent("x" + strings.Repeat("金鱼", 100)); got != "x"+strings.Repeat("金鱼", 33) {
		t.Errorf("kept %q", got)
	}
}
