package token_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"goldfish/license/fault"
	"goldfish/license/token"
)

var (
	secret = []byte("0123456789abcdef0123456789abcdef")
	began  = time.Unix(1800000000, 700_000_000)
	who    = token.Who{Account: "acc-1", Session: "ses-1", Kind: "customer"}
)

// clock is a hand that a test moves.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func issuer(t testing.TB, hand *clock) *token.Issuer {
	t.Helper()
	i, err := token.NewIssuer(secret, "appliance-1", "goldfish", hand.now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestRoundTripAndExpiry(t *testing.T) {
	for typ, ttl := range map[token.Typ]time.Duration{token.Access: 2 * time.Hour, token.Refresh: 7 * 24 * time.Hour} {
		hand := &clock{began}
		i := issuer(t, hand)
		raw, made, err := i.Issue(typ, who, ttl)
		if err != nil {
			t.Fatal(err)
		}
		if made.Who != who || !made.IssuedAt.Equal(time.Unix(1800000000, 0)) || made.Expires.Sub(made.IssuedAt) != ttl || len(made.ID) != 22 {
			t.Errorf("made %+v", made)
		}
		hand.at = made.Expires.Add(-time.Nanosecond)
		if got, err := i.Parse(raw, typ); err != nil || got != made {
			t.Errorf("in its last second: %+v, %v, want %+v", got, err, made)
		}
		hand.at = made.Expires
		if _, err := i.Parse(raw, typ); !fault.Has(err, "token_expired") || fault.Of(err).Kind != fault.Unauthenticated {
			t.Errorf("at its end: %v", err)
		}
		hand.at = began.Add(-60 * time.Second)
		if _, err := i.Parse(raw, typ); err != nil {
			t.Errorf("after the clock was set back by a minute: %v", err)
		}
		hand.at = began.Add(-62 * time.Second)
		if _, err := i.Parse(raw, typ); !fault.Has(err, "token_invalid") {
			t.Errorf("before its issue: %v", err)
		}
	}
}

func TestFormIsTheDocumentedOne(t *testing.T) {
	i := issuer(t, &clock{began})
	raw, made, err := i.Issue(token.Access, who, 2*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(raw, ".")
	head, _ := base64.RawURLEncoding.DecodeString(parts[0])
	body, _ := base64.RawURLEncoding.DecodeString(parts[1])
	if string(head) != `{"alg":"HS256","typ":"goldfish-access+jwt"}` {
		t.Errorf("header %s", head)
	}
	want := `{"iss":"appliance-1","aud":"goldfish","sub":"acc-1","sid":"ses-1","jti":"` + made.ID + `","iat":1800000000,"exp":1800007200,"kind":"customer"}`
	if string(body) != want {
		t.Errorf("payload %s, want %s", body, want)
	}
}

// forge signs any header and payload with a secret.
func forge(head, body string, key []byte) string {
	b64 := base64.RawURLEncoding
	text := b64.EncodeToString([]byte(head)) + "." + b64.EncodeToString([]byte(body))
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return text + "." + b64.EncodeToString(mac.Sum(nil))
}

const (
	goodHead = `{"alg":"HS256","typ":"goldfish-access+jwt"}`
	goodBody = `{"iss":"appliance-1","aud":"goldfish","sub":"acc-1","sid":"ses-1","jti":"x","iat":1800000000,"exp":1800007200,"kind":"customer"}`
)

func TestForgeries(t *testing.T) {
	i := issuer(t, &clock{began})
	good := forge(goodHead, goodBody, secret)
	if _, err := i.Parse(good, token.Access); err != nil {
		t.Fatalf("the model of all forgeries is not good itself: %v", err)
	}
	swap := func(old, replacement string) string {
		if strings.Count(goodBody, old) != 1 {
			t.Fatalf("%s is not once in the body", old)
		}
		return forge(goodHead, strings.Replace(goodBody, old, replacement, 1), secret)
	}
	parts := strings.Split(good, ".")
	private := ed25519.NewKeyFromSeed(secret)
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"goldfish-access+jwt"}`)) + "." + parts[1] + "."
	eddsa := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"EdDSA","typ":"goldfish-access+jwt"}`)) + "." + parts[1]
	for name, raw := range map[string]string{
		"empty":                   "",
		"no token":                "x",
		"two parts":               parts[0] + "." + parts[1],
		"no signature":            parts[0] + "." + parts[1] + ".",
		"another secret":          forge(goodHead, goodBody, []byte(strings.Repeat("x", 32))),
		"empty secret":            forge(goodHead, goodBody, nil),
		"signature cut":           good[:len(good)-2],
		"trailing blank":          good + " ",
		"padding":                 good + "=",
		"line break":              parts[0] + "." + parts[1] + "\n." + parts[2],
		"line break in signature": good[:len(good)-5] + "\n" + good[len(good)-5:],
		"payload changed":         parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(goodBody, "acc-1", "acc-2", 1))) + "." + parts[2],
		"alg none":                none,
		"alg EdDSA":               eddsa + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(private, []byte(eddsa))),
		"alg HS512":               forge(`{"alg":"HS512","typ":"goldfish-access+jwt"}`, goodBody, secret),
		"alg missing":             forge(`{"typ":"goldfish-access+jwt"}`, goodBody, secret),
		"typ of a refresh token":  forge(`{"alg":"HS256","typ":"goldfish-refresh+jwt"}`, goodBody, secret),
		"typ of a verdict":        forge(`{"alg":"HS256","typ":"goldfish-verdict+jwt"}`, goodBody, secret),
		"typ JWT":                 forge(`{"alg":"HS256","typ":"JWT"}`, goodBody, secret),
		"typ missing":             forge(`{"alg":"HS256"}`, goodBody, secret),
		"typ in capitals":         forge(`{"alg":"HS256","typ":"GOLDFISH-ACCESS+JWT"}`, goodBody, secret),
		"a critical extension":    forge(`{"alg":"HS256","crit":["x"],"typ":"goldfish-access+jwt"}`, goodBody, secret),
		"an embedded key":         forge(`{"alg":"HS256","jwk":{},"typ":"goldfish-access+jwt"}`, goodBody, secret),
		"another issuer":          swap(`appliance-1`, `appliance-2`),
		"another audience":        swap(`"goldfish"`, `"portal"`),
		"a list of audiences":     swap(`"goldfish"`, `["goldfish"]`),
		"no issuer":               swap(`"iss":"appliance-1",`, ``),
		"no audience":             swap(`"aud":"goldfish",`, ``),
		"no account":              swap(`"sub":"acc-1",`, ``),
		"no session":              swap(`"sid":"ses-1",`, ``),
		"no id":                   swap(`"jti":"x",`, ``),
		"no kind":                 swap(`,"kind":"customer"`, ``),
		"no iat":                  swap(`"iat":1800000000,`, ``),
		"no exp":                  swap(`"exp":1800007200,`, ``),
		"exp as text":             swap(`1800007200`, `"1800007200"`),
		"exp with a fraction":     swap(`1800007200`, `1800007200.5`),
		"exp null":                swap(`1800007200`, `null`),
		"exp before iat":          swap(`1800007200`, `1799999999`),
		"iat in the future":       swap(`1800000000`, `1800000062`),
		"payload no object":       forge(goodHead, `[]`, secret),
		"expired and another aud": forge(goodHead, `{"iss":"appliance-1","aud":"portal","sub":"a","sid":"s","jti":"x","iat":1,"exp":2,"kind":"k"}`, secret),
		"expired, another secret": forge(goodHead, `{"iss":"appliance-1","aud":"goldfish","sub":"a","sid":"s","jti":"x","iat":1,"exp":2,"kind":"k"}`, nil),
		"more than 4 KiB":         forge(goodHead, strings.Replace(goodBody, `"x"`, `"`+strings.Repeat("x", 3000)+`"`, 1), secret),
	} {
		got, err := i.Parse(raw, token.Access)
		if f := fault.Of(err); err == nil || f.Code != "token_invalid" || f.Kind != fault.Unauthenticated || got != (token.Claims{}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestOneTypIsNothingInThePlaceOfAnother(t *testing.T) {
	i := issuer(t, &clock{began})
	for _, typ := range []token.Typ{token.Access, token.Refresh} {
		raw, _, err := i.Issue(typ, who, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		for _, place := range []token.Typ{token.Access, token.Refresh, "", "JWT"} {
			if _, err := i.Parse(raw, place); (err == nil) != (place == typ) {
				t.Errorf("%s in the place of %q: %v", typ, place, err)
			}
		}
	}
}

func TestIssueRefuses(t *testing.T) {
	i := issuer(t, &clock{began})
	for name, try := range map[string]struct {
		typ token.Typ
		who token.Who
		ttl time.Duration
	}{
		"no typ":      {"", who, time.Hour},
		"foreign typ": {"goldfish-verdict+jwt", who, time.Hour},
		"no account":  {token.Access, token.Who{Session: "s", Kind: "k"}, time.Hour},
		"no session":  {token.Access, token.Who{Account: "a", Kind: "k"}, time.Hour},
		"no kind":     {token.Access, token.Who{Account: "a", Session: "s"}, time.Hour},
		"no time":     {token.Access, who, 0},
		"too long":    {token.Access, token.Who{Account: strings.Repeat("a", 4096), Session: "s", Kind: "k"}, time.Hour},
	} {
		if raw, _, err := i.Issue(try.typ, try.who, try.ttl); err == nil || raw != "" {
			t.Errorf("%s gives a token", name)
		}
	}
	hand := &clock{began}
	deaf, err := token.NewIssuer(secret, "a", "b", hand.now, bytes.NewReader(nil))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := deaf.Issue(token.Access, who, time.Hour); err == nil {
		t.Error("a token without chance in its id")
	}
	if _, err := token.NewIssuer(secret[:31], "a", "b", hand.now, rand.Reader); err == nil {
		t.Error("a secret of 31 bytes was taken")
	}
	if _, err := token.NewIssuer(secret, "", "b", hand.now, rand.Reader); err == nil {
		t.Error("an issuer without a name was taken")
	}
}

func TestSecretIsNeverPrinted(t *testing.T) {
	i := issuer(t, &clock{began})
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "issuer", i)
	for _, out := range []string{log.String(), fmt.Sprintf("%v %+v %#v %s", i, i, i, i)} {
		if strings.Contains(out, string(secret)) || strings.Contains(out, "48 49 50") || strings.Contains(out, "0x30") {
			t.Errorf("printed: %s", out)
		}
	}
	_, err := i.Parse(forge(goodHead, goodBody, nil), token.Access)
	if strings.Contains(fmt.Sprint(err), "acc-1") {
		t.Errorf("the error repeats the token: %v", err)
	}
}

func TestEveryTokenHasItsOwnID(t *testing.T) {
	i := issuer(t, &clock{began})
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[ -~鱼]{1,40}`)
		who := token.Who{Account: text.Draw(t, "account"), Session: text.Draw(t, "session"), Kind: text.Draw(t, "kind")}
		ttl := time.Duration(rapid.IntRange(1, 1<<20).Draw(t, "seconds")) * time.Second
		raw, made, err := i.Issue(token.Refresh, who, ttl)
		if err != nil {
			t.Fatal(err)
		}
		got, err := i.Parse(raw, token.Refresh)
		if err != nil || got != made || got.Who != who {
			t.Fatalf("%+v, %v, want %+v", got, err, made)
		}
		_, again, err := i.Issue(token.Refresh, who, ttl)
		if err != nil || again.ID == made.ID {
			t.Fatalf("the id %s came twice, %v", made.ID, err)
		}
	})
}

func FuzzParse(f *testing.F) {
	good := forge(goodHead, goodBody, secret)
	for _, seed := range []string{"", "..", good, good + ".", forge(`{"alg":"none"}`, `{}`, nil)} {
		f.Add(seed)
	}
	i := issuer(f, &clock{began})
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := i.Parse(raw, token.Access)
		if err == nil && raw != good {
			text, _ := json.Marshal(got)
			t.Fatalf("%q is taken for %s", raw, text)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	i := issuer(b, &clock{began})
	raw, _, err := i.Issue(token.Access, who, time.Hour)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := i.Parse(raw, token.Access); err != nil {
			b.Fatal(err)
		}
	}
}
