package password_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"goldfish/license/fault"
	"goldfish/license/password"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func rules(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	f := fault.Of(err)
	broken, ok := f.Args["rules"].([]string)
	if f.Code != "password_weak" || f.Kind != fault.Invalid || f.Field != "password" || !ok {
		t.Fatalf("the fault is %+v", *f)
	}
	return broken
}

func TestCheck(t *testing.T) {
	for _, test := range []struct {
		name, plain string
		names       []string
		want        []string
	}{
		{"good", "Goldfish-1", nil, nil},
		{"eight characters", "Aa1!aaaa", nil, nil},
		{"72 bytes", "Aa1!" + strings.Repeat("x", 68), nil, nil},
		{"a Chinese character is special", "Goldfish1鱼", nil, nil},
		{"a blank is special", "Gold fish 1", nil, nil},
		{"empty", "", nil, []string{"password_too_short", "password_needs_lower", "password_needs_upper", "password_needs_digit", "password_needs_special"}},
		{"seven characters", "Aa1!aaa", nil, []string{"password_too_short"}},
		{"seven characters in 11 bytes", "Aa1!鱼鱼a", nil, []string{"password_too_short"}},
		{"73 bytes", "Aa1!" + strings.Repeat("x", 69), nil, []string{"password_too_long"}},
		{"a megabyte", strings.Repeat("Aa1!", 1<<18), nil, []string{"password_too_long"}},
		{"no lower case", "GOLDFISH-1", nil, []string{"password_needs_lower"}},
		{"no upper case", "goldfish-1", nil, []string{"password_needs_upper"}},
		{"no digit", "Goldfish-x", nil, []string{"password_needs_digit"}},
		{"no special", "Goldfish1", nil, []string{"password_needs_special"}},
		{"full-width letters are no letters", "ＧＯＬＤｆｉｓｈ１", nil, []string{"password_needs_lower", "password_needs_upper", "password_needs_digit"}},
		{"control character", "Goldfish-1\x00", nil, []string{"password_has_control"}},
		{"not UTF-8", "Goldfish-1\xff", nil, []string{"password_has_control"}},
		{"the first password", "admin1314159", nil, []string{"password_needs_upper", "password_needs_special", "password_well_known"}},
		{"the first password in capitals", "ADMIN1314159", []string{"admin"}, []string{"password_needs_lower", "password_needs_special", "password_well_known", "password_has_name"}},
		{"the name inside", "x-LiMing-99", []string{"liming"}, []string{"password_has_name"}},
		{"a Chinese name inside", "Aa1!张三张三", []string{"张三"}, []string{"password_has_name"}},
		{"the second name inside", "a@B.cn-1234", []string{"li", "A@b.cn"}, []string{"password_has_name"}},
		{"a name too short to matter", "Goldfish-1", []string{"go", ""}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := rules(t, password.Check(test.plain, test.names...)); !slices.Equal(got, test.want) {
				t.Errorf("broken rules %v, want %v", got, test.want)
			}
		})
	}
}

func TestLengthIsThatOfTheComposedText(t *testing.T) {
	composed := "Aa1!" + strings.Repeat("\u00e9", 34)    // 4 + 68 bytes
	decomposed := "Aa1!" + strings.Repeat("e\u0301", 34) // 4 + 102 bytes
	for _, plain := range []string{composed, decomposed} {
		if err := password.Check(plain); err != nil {
			t.Errorf("%d bytes: %v", len(plain), err)
		}
	}
	hash, err := password.Hash(composed, 4)
	if err != nil {
		t.Fatal(err)
	}
	if !password.Verify(hash, decomposed) {
		t.Error("the same password typed decomposed does not fit")
	}
}

func TestHashAndVerify(t *testing.T) {
	long := "Aa1!" + strings.Repeat("x", 68)
	hash, err := password.Hash(long, 4)
	if err != nil || !strings.HasPrefix(hash, "$2a$04$") {
		t.Fatalf("%s, %v", hash, err)
	}
	for plain, want := range map[string]bool{
		long: true, long[:71]: false, "": false,
		long + "y": false, // bcrypt itself would cut this off and say yes
	} {
		if password.Verify(hash, plain) != want {
			t.Errorf("%d bytes: want %v", len(plain), want)
		}
	}
	if got := rules(t, func() error { _, err := password.Hash(long+"y", 4); return err }()); !slices.Equal(got, []string{"password_too_long"}) {
		t.Errorf("73 bytes: %v", got)
	}
	for _, cost := range []int{0, 3, 17, 31} {
		if _, err := password.Hash(long, cost); err == nil {
			t.Errorf("cost %d was taken", cost)
		}
	}
	for _, none := range []string{"", "plain", "$2a$04$", "$2a$99$" + strings.Repeat(".", 53)} {
		if password.Verify(none, "") || password.Verify(none, long) {
			t.Errorf("%q fits", none)
		}
	}
}

func TestCostTwelve(t *testing.T) {
	hash, err := password.Hash("Goldfish-1", 12)
	if err != nil || !strings.HasPrefix(hash, "$2a$12$") || !password.Verify(hash, "Goldfish-1") {
		t.Errorf("%s, %v", hash, err)
	}
}

func TestHashFitsItsPasswordAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[ -~À-ÿ鱼\x{0301}]{0,18}`)
		one, other := text.Draw(t, "one"), text.Draw(t, "other")
		hash, err := password.Hash(one, 4)
		if err != nil {
			t.Fatal(err)
		}
		if !password.Verify(hash, one) {
			t.Fatalf("%q does not fit its own hash", one)
		}
		same := norm.NFC.String(one) == norm.NFC.String(other)
		if password.Verify(hash, other) != same {
			t.Fatalf("%q against the hash of %q: want %v", other, one, same)
		}
	})
}

func TestIsFirst(t *testing.T) {
	for plain, want := range map[string]bool{"admin1314159": true, "admin131415": false, "admin1314159 ": false, "": false, "Admin1314159": false} {
		if password.IsFirst(plain) != want {
			t.Errorf("%q: want %v", plain, want)
		}
	}
}

func TestDecoy(t *testing.T) {
	decoy, err := password.Decoy(4)
	if err != nil || len(decoy) != 60 || password.Verify(decoy, "") || password.Verify(decoy, "Goldfish-1") {
		t.Errorf("%s, %v", decoy, err)
	}
	if _, err := password.Decoy(3); err == nil {
		t.Error("cost 3 was taken")
	}
	// It must do real work: bcrypt doubles with each step of the cost, and what
	// is no hash at all returns at once.
	cost := func(hash string) time.Duration {
		least := time.Hour
		for range 5 {
			began := time.Now()
			password.Verify(hash, "Goldfish-1")
			least = min(least, time.Since(began))
		}
		return least
	}
	real, err := password.Hash("Goldfish-2", 7)
	if err != nil {
		t.Fatal(err)
	}
	decoy, err = password.Decoy(7)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := cost(real), cost(decoy); b < a/4 {
		t.Errorf("a real hash takes %v, the decoy %v", a, b)
	}
}

func TestPoolHashesAndVerifies(t *testing.T) {
	pool, err := password.NewPool(4, 2, 4)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	hash, err := pool.Hash(ctx, "Goldfish-1")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		hash, plain string
		want        bool
	}{{hash, "Goldfish-1", true}, {hash, "Goldfish-2", false}, {"", "Goldfish-1", false}, {"", "", false}} {
		if got, err := pool.Verify(ctx, test.hash, test.plain); err != nil || got != test.want {
			t.Errorf("%q against %q: %v, %v", test.plain, test.hash, got, err)
		}
	}
	if _, err := pool.Hash(ctx, strings.Repeat("x", 73)); !fault.Has(err, "password_weak") {
		t.Errorf("73 bytes: %v", err)
	}
}

func TestNewPoolRefuses(t *testing.T) {
	if _, err := password.NewPool(2, 1, 3); err == nil {
		t.Error("cost 3 was taken")
	}
	if _, err := password.NewPool(2, -1, 4); err == nil {
		t.Error("a negative queue was taken")
	}
}

func TestBytesAreWhatIsHashed(t *testing.T) {
	for plain, want := range map[string]string{"Goldfish-1": "Goldfish-1", "e\u0301": "\u00e9", "": "", strings.Repeat("x", 72): strings.Repeat("x", 72)} {
		if got, err := password.Bytes(plain); err != nil || string(got) != want {
			t.Errorf("%q became %q, %v", plain, got, err)
		}
	}
	for _, plain := range []string{strings.Repeat("x", 73), strings.Repeat("\u00e9", 37), strings.Repeat("x", 1<<20)} {
		if got := rules(t, func() error { _, err := password.Bytes(plain); return err }()); !slices.Equal(got, []string{"password_too_long"}) {
			t.Errorf("%d bytes: %v", len(plain), got)
		}
	}
}
