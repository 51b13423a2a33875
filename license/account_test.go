package license

import (
	"crypto/rand"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"goldfish/license/fault"
	"goldfish/store"
	"goldfish/store/keyring"
	"goldfish/store/storetest"
)

const goodPassword = "Correct-7-horse"

var (
	near = Actor{Address: netip.MustParseAddr("127.0.0.1"), Local: true}
	far  = Actor{Address: netip.MustParseAddr("203.0.113.9")}
)

// peopleAt opens an authority on a real file, with the row cache on: rows that are shared must not change.
func peopleAt(t *testing.T, path string, clock *storetest.Clock) *Authority {
	t.Helper()
	a, err := Open(path, Options{
		Clock: clock.Now, Rand: rand.Reader, MachineKey: []byte(strings.Repeat("k", 32)), BcryptCost: 4, CacheBytes: 1 << 20,
		Argon: keyring.Argon{Memory: 64, Time: 1, Lanes: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	return a
}

func people(t *testing.T) (*Authority, *storetest.Clock) {
	t.Helper()
	mine := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, mine) })
	clock := storetest.NewClock(storetest.Start)
	return peopleAt(t, filepath.Join(t.TempDir(), "goldfish.db"), clock), clock
}

func mustRegister(t *testing.T, a *Authority, name string) *Account {
	t.Helper()
	c, err := a.Register(t.Context(), far, RegisterIn{Username: name, Password: goodPassword})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// wantFault checks kind and code together: both are promised.
func wantFault(t *testing.T, err error, kind fault.Kind, code string) {
	t.Helper()
	if f := fault.Of(err); f == nil || f.Kind != kind || f.Code != code {
		t.Fatalf("got %v, want %v %s", err, kind, code)
	}
}

// recorded gives the events of a kind, oldest first.
func recorded(t *testing.T, a *Authority, kind EventKind) (out []*Event) {
	t.Helper()
	rows, err := a.RecentEvents(1<<20, 1<<20, func(e *Event) bool { return e.Kind == kind })
	if err != nil {
		t.Fatal(err)
	}
	for i := len(rows) - 1; i >= 0; i-- {
		out = append(out, rows[i].Event)
	}
	return out
}

func TestUsernames(t *testing.T) {
	for in, want := range map[string]string{
		"bob": "bob", "  Alice.B-7_x ": "Alice.B-7_x", "王小明": "王小明", "小明ABC": "小明ABC", "Жанна": "Жанна",
		"Ze\u0301ro": "Zéro", "田中さん": "田中さん", "ラーメン": "ラーメン", "김철수": "김철수", "สมชาย": "สมชาย", "नमस्ते": "नमस्ते",
		"7777": "7777", "_x_": "_x_", strings.Repeat("金", 32): strings.Repeat("金", 32),
	} {
		if got, err := usernameOf(in); err != nil || got != want {
			t.Errorf("%q: got %q, %v", in, got, err)
		}
	}
	for why, in := range map[string]string{
		"short": "ab", "empty": "", "blanks": "   ", "long": strings.Repeat("a", 33), "at": "a@b.c", "inner blank": "a b c",
		"control": "ab\x00c", "line break": "ab\ncd", "not UTF-8": "ab\xffcd", "slash": "a/b/c", "signs alone": "._-",
		"full width": "ａｄｍｉｎ", "mathematical": "𝐚𝐝𝐦𝐢𝐧", "ligature": "oﬃce", "long s": "paſs",
		"Cyrillic in Latin": "аdmin", "Greek in Latin": "αdmin", "Cyrillic with Han": "王Ж明",
		"zero width space": "ad\u200bmin", "joiner": "ad\u200dmin", "soft hyphen": "ad\u00admin", "BOM": "admin\ufeff",
		"right to left": "ad\u202emin", "Hangul filler": "ab\u3164c",
		"filler in Hangul": "김\u115f철수", "Khmer inherent": "ក\u17b4ខគ", "variation": "abc\ufe0f",
		"grapheme joiner": "ab\u034fc", "mark that fits any letter": "ax\u030cb", "mark in front": "\u0e31สมช", "marks piled": "ก่่่ก",
		"emoji": "abc😀", "other digits": "ab١٢", "private": "ab\ue000c",
	} {
		if got, err := usernameOf(in); !fault.Has(err, "username_invalid") {
			t.Errorf("%s: %q became %q, %v", why, in, got, err)
		}
	}
}

func TestEmails(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "  ": "", " a@b.cn ": "a@b.cn", "First.Last+tag@Example.COM": "First.Last+tag@Example.COM",
		"用户@例子.中国": "用户@例子.中国", "a@x-y.z9": "a@x-y.z9",
	} {
		if got, err := emailOf(in); err != nil || got != want {
			t.Errorf("%q: got %q, %v", in, got, err)
		}
	}
	for _, in := range []string{
		"a", "@b.cn", "a@", "a@b", "a@b.", "a@.b", "a@-b.cn", "a@b-.cn", "a@b..cn", "a b@c.cn", "a@b@c.cn", `"a"@b.cn`,
		"Bob <a@b.cn>", "a@[127.0.0.1]", "a@b.cn\r\nBcc: x@y.cn", "a\u200b@b.cn", "a@b_c.cn", "a@b.cn,c@d.cn", ".a@b.cn", "\xff@b.cn",
		strings.Repeat("a", 65) + "@b.cn", "a@" + strings.Repeat("b.", 130) + "cn", "a@" + strings.Repeat("b", 64) + ".cn",
	} {
		if got, err := emailOf(in); !fault.Has(err, "email_invalid") {
			t.Errorf("%q became %q, %v", in, got, err)
		}
	}
}

func TestFoldingTwiceChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		if once := foldName(s); foldName(once) != once {
			t.Fatalf("%q folds to %q, then to %q", s, once, foldName(once))
		}
	})
	if foldName(" Ze\u0301RO ") != foldName("zéro") {
		t.Error("one name in two typings is two")
	}
}

func TestRegister(t *testing.T) {
	a, clock := people(t)
	app, err := a.CreateApp(System, NewApp{Name: Text{ZH: "画图"}})
	if err != nil {
		t.Fatal(err)
	}
	in := RegisterIn{Username: " Alice ", Password: goodPassword, Email: "Alice@Example.com", App: &app.UUID}
	c, err := a.Register(t.Context(), far, in)
	if err != nil {
		t.Fatal(err)
	}
	if c.Username != "Alice" || c.Email != in.Email || c.Role != RoleCustomer || c.MustChange || c.Disabled ||
		c.Created != clock.Now().UnixMilli() || c.id() == uuid.Nil {
		t.Errorf("registered %+v", c)
	}
	if c.Hash != nil {
		t.Error("the hash left the package")
	}
	if err := a.db.View(func(tx *store.Tx) error {
		m, err := memberships.Get(tx, pair(c.ID, app.ID))
		if err == nil && m.Joined != c.Created {
			t.Errorf("joined at %d", m.Joined)
		}
		return err
	}); err != nil {
		t.Error("no membership:", err)
	}
	told := recorded(t, a, UserRegister)
	if e := told[len(told)-1]; e.Object != c.ID || e.App != app.ID || e.Actor != ActorNobody || string(e.Address) != "\xcb\x00\x71\x09" {
		t.Errorf("the event is %+v", e)
	}
	if _, _, err := a.SignIn(t.Context(), far, SignInIn{Name: "ALICE", Password: goodPassword}); err != nil {
		t.Error("registered and not let in:", err)
	}
}

func TestRegisterRefusesAndChangesNothing(t *testing.T) {
	a, _ := people(t)
	if _, err := a.Register(t.Context(), far, RegisterIn{Username: "alice", Password: goodPassword, Email: "alice@example.com"}); err != nil {
		t.Fatal(err)
	}
	nowhere := uuid.MustParse("3f0c1f0e-6c0b-4f5e-9d5a-0b8f5b1c2d3e")
	before, err := a.LastEvent()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		in          RegisterIn
		kind        fault.Kind
		code, field string
	}{
		{RegisterIn{Username: "ALICE", Password: goodPassword}, fault.Conflict, "username_taken", "username"},
		{RegisterIn{Username: "Admin", Password: goodPassword}, fault.Conflict, "username_taken", "username"},
		{RegisterIn{Username: "bob", Password: goodPassword, Email: "ALICE@example.COM"}, fault.Conflict, "email_taken", "email"},
		{RegisterIn{Username: "bob", Password: goodPassword, App: &nowhere}, fault.NotFound, "app_unknown", "app_id"},
		{RegisterIn{Username: "b", Password: goodPassword}, fault.Invalid, "username_invalid", "username"},
		{RegisterIn{Username: "bob", Password: goodPassword, Email: "x"}, fault.Invalid, "email_invalid", "email"},
		{RegisterIn{Username: "bob", Password: "short"}, fault.Invalid, "password_weak", "password"},
		{RegisterIn{Username: "bob", Password: FirstPassword}, fault.Invalid, "password_weak", "password"},
		{RegisterIn{Username: "bob", Password: strings.Repeat("aB3-", 19)}, fault.Invalid, "password_weak", "password"},
	} {
		_, err := a.Register(t.Context(), far, c.in)
		wantFault(t, err, c.kind, c.code)
		if f := fault.Of(err); f.Field != c.field {
			t.Errorf("%s names the field %q, want %q", c.code, f.Field, c.field)
		}
	}
	if after, err := a.LastEvent(); err != nil || after != before {
		t.Errorf("refusals wrote %d events: %v", after-before, err)
	}
}

func TestOneNameHasOneWinner(t *testing.T) {
	a, _ := people(t)
	errs := make([]error, 50)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() {
			for { // a full queue for hashing is no answer
				_, errs[i] = a.Register(t.Context(), far, RegisterIn{Username: []string{"winner", "WINNER"}[i%2], Password: goodPassword})
				if !fault.Has(errs[i], "busy") {
					return
				}
			}
		})
	}
	all.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
			continue
		}
		wantFault(t, err, fault.Conflict, "username_taken")
	}
	if won != 1 || len(recorded(t, a, UserRegister)) != 2 { // the first account and the winner
		t.Errorf("%d of 50 won, %d events", won, len(recorded(t, a, UserRegister)))
	}
}

func TestFirstAccountIsMadeOnce(t *testing.T) {
	mine := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, mine) })
	clock := storetest.NewClock(storetest.Start)
	path := filepath.Join(t.TempDir(), "goldfish.db")
	var ids []uuid.UUID
	for range 2 {
		a := peopleAt(t, path, clock)
		if stands, err := a.FirstPasswordStands(); err != nil || !stands {
			t.Fatalf("the first password does not stand: %v", err)
		}
		rows, next, err := a.ListAccounts(System, AccountFilter{}, 10)
		if err != nil || len(rows) != 1 || next != 0 {
			t.Fatalf("%d accounts, next %d: %v", len(rows), next, err)
		}
		c := rows[0].Account
		if c.Username != FirstUsername || c.Role != RoleOwner || !c.MustChange {
			t.Fatalf("the first account is %+v", c)
		}
		ids = append(ids, c.id())
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if ids[0] != ids[1] {
		t.Error("the second start made another account")
	}
}

// An account without a hash has no password, unless it is the first one as it was made.
func TestEmptyHashIsNoPassword(t *testing.T) {
	first := Account{Username: FirstUsername, Role: RoleOwner, MustChange: true}
	if !first.onFirstPassword() {
		t.Fatal("the first account does not take its first password")
	}
	for name, change := range map[string]func(*Account){
		"a hash": func(c *Account) { c.Hash = []byte("x") }, "another name": func(c *Account) { c.Username = "owner" },
		"a customer": func(c *Account) { c.Role = RoleCustomer }, "changed once": func(c *Account) { c.MustChange = false },
	} {
		c := first
		if change(&c); c.onFirstPassword() {
			t.Errorf("with %s the documented password is taken", name)
		}
	}
}

func TestMe(t *testing.T) {
	a, _ := people(t)
	mustRegister(t, a, "alice")
	tokens, _, err := a.SignIn(t.Context(), far, SignInIn{Name: "alice", Password: goodPassword})
	if err != nil {
		t.Fatal(err)
	}
	who, err := a.Authenticate(tokens.Access, far.Address, false)
	if err != nil {
		t.Fatal(err)
	}
	c, err := a.Me(who)
	if err != nil || c.Username != "alice" || c.Hash != nil {
		t.Fatalf("got %+v, %v", c, err)
	}
	c.Username, c.Role, c.UUID[0] = "root", RoleOwner, c.UUID[0]+1 // the caller's own copy
	if again, err := a.Me(who); err != nil || again.Username != "alice" || again.UUID[0] == c.UUID[0] {
		t.Errorf("a caller changed the row: %+v, %v", again, err)
	}
	for _, nobody := range []Actor{far, near, System, {Kind: ActorDevice}} {
		_, err := a.Me(nobody)
		wantFault(t, err, fault.Unauthenticated, "sign_in_required")
	}
}

func TestListAccounts(t *testing.T) {
	a, _ := people(t)
	for _, name := range []string{"alice", "Bob", "王小明", "bobby"} {
		mustRegister(t, a, name)
	}
	if _, err := a.Register(t.Context(), far, RegisterIn{Username: "mail", Password: goodPassword, Email: "Bobo@example.com"}); err != nil {
		t.Fatal(err)
	}
	names := func(f AccountFilter, limit int) (string, store.ID) {
		t.Helper()
		rows, next, err := a.ListAccounts(System, f, limit)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, r := range rows {
			if r.Account.Hash != nil {
				t.Error("the hash left the package")
			}
			out = append(out, r.Account.Username)
		}
		return strings.Join(out, " "), next
	}
	for _, c := range []struct {
		f    AccountFilter
		want string
	}{
		{AccountFilter{}, "mail bobby 王小明 Bob alice admin"},
		{AccountFilter{Query: " BOB "}, "mail bobby Bob"},
		{AccountFilter{Query: "小"}, "王小明"},
		{AccountFilter{Query: "nobody"}, ""},
		{AccountFilter{Role: RoleOwner}, "admin"},
		{AccountFilter{Role: RoleOwner, Query: "bob"}, ""},
	} {
		if got, next := names(c.f, 50); got != c.want || next != 0 {
			t.Errorf("%+v: got %q, next %d; want %q", c.f, got, next, c.want)
		}
	}
	var pages []string
	f := AccountFilter{}
	for {
		got, next := names(f, 4)
		pages = append(pages, got)
		if next == 0 {
			break
		}
		f.Before = next
	}
	if got := strings.Join(pages, " | "); got != "mail bobby 王小明 Bob | alice admin" {
		t.Errorf("paged: %s", got)
	}
}

// A filter that hits rarely gives short pages that go on, not a long scan.
func TestListIsBounded(t *testing.T) {
	a, _ := people(t)
	for _, name := range []string{"alice", "bob", "carol"} {
		mustRegister(t, a, name)
	}
	if err := a.db.View(func(tx *store.Tx) error {
		rows, next, err := listAccounts(tx, AccountFilter{Query: "alice"}, 10, 2)
		if err != nil || len(rows) != 0 || next == 0 {
			t.Fatalf("after two rows: %d hits, next %d, %v", len(rows), next, err)
		}
		rows, next, err = listAccounts(tx, AccountFilter{Query: "alice", Before: next}, 10, 2)
		if len(rows) != 1 || next != 0 {
			t.Errorf("the rest: %d hits, next %d", len(rows), next)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func TestListCountsLicences(t *testing.T) {
	a, _ := people(t)
	c := mustRegister(t, a, "alice")
	if err := a.db.Update(func(tx *store.Tx) error {
		for n := range 3 {
			if err := licences.Put(tx, &Licence{ID: store.ID(n + 1), Account: c.ID, Seats: 1}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	rows, _, err := a.ListAccounts(System, AccountFilter{}, 10)
	if err != nil || rows[0].Licences != 3 || rows[1].Licences != 0 {
		t.Errorf("counted %+v, %v", rows, err)
	}
}

func TestListIsForTheBackOffice(t *testing.T) {
	a, _ := people(t)
	for _, c := range []struct {
		who  Actor
		kind fault.Kind
		code string
	}{
		{near, fault.Unauthenticated, "sign_in_required"},
		{Actor{Kind: ActorAccount, Role: RoleCustomer}, fault.Forbidden, "permission_denied"},
		{Actor{Kind: ActorAccount, Role: RoleOwner, MustChange: true}, fault.Forbidden, "password_change_required"},
	} {
		_, _, err := a.ListAccounts(c.who, AccountFilter{}, 10)
		wantFault(t, err, c.kind, c.code)
	}
	_, _, err := a.ListAccounts(System, AccountFilter{Query: strings.Repeat("x", 255)}, 10)
	wantFault(t, err, fault.Invalid, "text_too_long")
}
