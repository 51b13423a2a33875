package cardkey_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"goldfish/license/cardkey"
	"goldfish/license/fault"
)

const plain = "ABCD2345EFGH6789"

func TestParseForgives(t *testing.T) {
	for name, typed := range map[string]string{
		"as shown":                   "ABCD-2345-EFGH-6789",
		"bare":                       plain,
		"lower case":                 "abcd-2345-efgh-6789",
		"blanks":                     "  ABCD 2345\tEFGH\r\n6789 ",
		"full width":                 "ＡＢＣＤ－２３４５－ｅｆｇｈ－６７８９",
		"ideographic blank":          "ABCD\u30002345\u3000EFGH\u30006789",
		"no-break blanks":            "ABCD\u00a02345\u202fEFGH\u20076789",
		"U+2010 to U+2015":           "AB\u2010CD\u20112345\u2012EF\u2013GH\u201467\u201589",
		"minus, hyphen-minus, swung": "ABCD\u22122345\ufe63EFGH\u301c6789",
		"soft hyphen":                "ABCD\u00ad2345EFGH6789",
		"zero width":                 "\ufeffABCD\u200b2345\u200cEFGH\u200d67\u206089",
		"direction marks":            "\u200eABCD-2345-EFGH-6789\u202c\u2069",
		"line separators":            "ABCD2345\u2028EFGH\u20296789\u0085",
	} {
		t.Run(name, func(t *testing.T) {
			key, err := cardkey.Parse(typed)
			if err != nil || key.Canonical() != [16]byte([]byte(plain)) {
				t.Errorf("%q became %v, %v", typed, key, err)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for name, typed := range map[string]string{
		"nothing":             "",
		"only blanks":         " \t - ",
		"15 characters":       plain[:15],
		"17 characters":       plain + "A",
		"NUL inside":          "ABCD2345\x00EFGH6789",
		"NUL for a character": "ABCD2345EFGH678\x00",
		"dotless i":           "ABCD2345EFGH678ı",
		"long s":              "ABCD2345EFGH678ſ",
		"Kelvin sign":         "ABCD2345EFGH678\u212a",
		"Cyrillic A":          "\u0410BCD2345EFGH6789",
		"Arabic digit":        "ABCD2345EFGH678\u0669",
		"mathematical A":      "\U0001d400BCD2345EFGH6789",
		"underscore":          "ABCD_2345_EFGH_6789",
		"full stop":           "ABCD.2345.EFGH.6789",
		"not UTF-8":           "ABCD2345EFGH678\xff",
		"broken UTF-8 beside": plain + "\xe2\x80",
		"full width sign":     "ABCD2345EFGH678！",
		"129 bytes":           plain + strings.Repeat(" ", 113),
	} {
		t.Run(name, func(t *testing.T) {
			key, err := cardkey.Parse(typed)
			if !fault.Has(err, "card_unknown") || !key.IsZero() {
				t.Fatalf("%q became %v, %v", typed, key, err)
			}
			if f := fault.Of(err); f.Kind != fault.Invalid || f.Field != "card_key" || len(f.Args) != 0 || f.Error() != "card_unknown" {
				t.Errorf("the fault says %+v", *f)
			}
		})
	}
	if _, err := cardkey.Parse(plain + strings.Repeat(" ", 112)); err != nil {
		t.Errorf("128 bytes: %v", err)
	}
}

func TestAll36CharactersAreTaken(t *testing.T) {
	for _, typed := range []string{"0123456789ABCDEF", "GHIJKLMNOPQRSTUV", "WXYZ01OILWXYZ01O"} {
		key, err := cardkey.Parse(typed)
		if got := key.Canonical(); err != nil || string(got[:]) != typed {
			t.Errorf("%s became %s, %v: no look-alike may be replaced", typed, got, err)
		}
	}
}

func TestShownFormParsesBack(t *testing.T) {
	decor := rapid.SampledFrom([]string{"", " ", "-", "—", "\u200b", "\u3000", "\u00ad", "\n"})
	rapid.Check(t, func(t *rapid.T) {
		code := rapid.StringMatching(`[0-9A-Z]{16}`).Draw(t, "code")
		var typed strings.Builder
		for _, r := range code {
			switch rapid.IntRange(0, 2).Draw(t, "form") {
			case 1:
				r = []rune(strings.ToLower(string(r)))[0]
			case 2:
				r += 0xFF01 - 0x21
			}
			typed.WriteString(decor.Draw(t, "decor") + string(r))
		}
		key, err := cardkey.Parse(typed.String())
		if typed.Len() > cardkey.MaxTyped {
			if err == nil {
				t.Fatalf("%d bytes were taken", typed.Len())
			}
			return
		}
		if got := key.Canonical(); err != nil || string(got[:]) != code {
			t.Fatalf("%q became %s, %v, want %s", typed.String(), got, err, code)
		}
		again, err := cardkey.Parse(key.String())
		if err != nil || again != key {
			t.Fatalf("%s does not parse back: %v", key, err)
		}
	})
}

func TestShowingAndHiding(t *testing.T) {
	key, err := cardkey.Parse(plain)
	if err != nil {
		t.Fatal(err)
	}
	if key.String() != "ABCD-2345-EFGH-6789" || key.Masked() != "ABCD-****-****-6789" {
		t.Errorf("shown as %s and %s", key.String(), key.Masked())
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("activate", "key", key)
	for _, out := range []string{log.String(), fmt.Sprintf("%#v", key)} {
		if strings.Contains(out, "2345") || !strings.Contains(out, "ABCD-****-****-6789") {
			t.Errorf("the middle is not masked: %s", out)
		}
	}
	var none cardkey.Key
	if none.String() != "" || none.Masked() != "" || !none.IsZero() || key.IsZero() {
		t.Error("the zero key is not none")
	}
}

func TestGeneratedKeysAvoidLookAlikes(t *testing.T) {
	if len(cardkey.Alphabet) != 31 || strings.ContainsAny(cardkey.Alphabet, "0O1IL") {
		t.Fatalf("the alphabet is %s", cardkey.Alphabet)
	}
	generator := cardkey.NewGenerator(rand.Reader)
	seen := map[cardkey.Key]bool{}
	for range 10_000 {
		key, err := generator.Next()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := cardkey.Parse(key.String()); err != nil || again != key {
			t.Fatalf("%s does not parse back: %v", key, err)
		}
		code := key.Canonical()
		if seen[key] || strings.ContainsAny(string(code[:]), "0O1IL") {
			t.Fatalf("%s came twice or holds a look-alike", key)
		}
		seen[key] = true
	}
}

// With a fixed source the count of each character is fixed too: this fails
// when a change brings bias, never by chance.
func TestGeneratorIsUnbiased(t *testing.T) {
	const keys = 50_000
	generator := cardkey.NewGenerator(mathrand.NewChaCha8([32]byte{7}))
	var counts [256]int
	for range keys {
		key, err := generator.Next()
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range key.Canonical() {
			counts[c]++
		}
	}
	expected := float64(keys*16) / 31
	chi := 0.0
	for _, c := range []byte(cardkey.Alphabet) {
		d := float64(counts[c]) - expected
		chi += d * d / expected
	}
	if chi > 59.7 { // 0.1 % bound for 30 degrees of freedom
		t.Errorf("chi² is %.1f", chi)
	}
}

func TestGenerateTellsOfABadSource(t *testing.T) {
	if _, err := cardkey.Generate(bytes.NewReader(make([]byte, 5))); err == nil {
		t.Error("a source that ends gave a key")
	}
	broken := errors.New("no entropy")
	if _, err := cardkey.Generate(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("the cause is lost: %v", err)
	}
	if _, err := cardkey.Generate(strings.NewReader(strings.Repeat("\xff", 4096))); err == nil {
		t.Error("a source of ones alone gave a key")
	}
	key, err := cardkey.Generate(rand.Reader)
	if err != nil || key.IsZero() {
		t.Errorf("%v, %v", key, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", plain, "ABCD-2345-EFGH-6789", "ＡＢＣＤ－２３４５－ｅｆｇｈ－６７８９", "ABCD2345EFGH678ı", "\x00", "\xff\xfe"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		key, err := cardkey.Parse(typed)
		if err != nil {
			if !key.IsZero() || !fault.Has(err, "card_unknown") {
				t.Fatalf("%q: %v beside %v", typed, key, err)
			}
			return
		}
		for _, c := range key.Canonical() {
			if (c < '0' || c > '9') && (c < 'A' || c > 'Z') {
				t.Fatalf("%q became %q", typed, key.String())
			}
		}
	})
}

func BenchmarkGenerator(b *testing.B) {
	generator := cardkey.NewGenerator(rand.Reader)
	for b.Loop() {
		if _, err := generator.Next(); err != nil {
			b.Fatal(err)
		}
	}
}
