package verdict_test

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"goldfish/license/verdict"
)

func TestValidators(t *testing.T) {
	long := strings.Repeat("a", 65)
	kid := "21fe31dfa154a261"
	for _, test := range []struct {
		name string
		got  bool
		want bool
	}{
		{"nonce", verdict.ValidNonce(nonce), true},
		{"nonce of 15 bytes", verdict.ValidNonce(nonce[:20]), false},
		{"nonce of 17 bytes", verdict.ValidNonce(nonce + "A"), false},
		{"nonce with unused bits", verdict.ValidNonce(nonce[:21] + "x"), false},
		{"nonce padded", verdict.ValidNonce(nonce[:20] + "=="), false},
		{"nonce with a line break", verdict.ValidNonce(nonce[:21] + "\n"), false},
		{"no nonce", verdict.ValidNonce(""), false},
		{"public key", verdict.ValidPublic(public("device")), true},
		{"public key cut", verdict.ValidPublic(public("device")[:42]), false},
		{"idempotency key of 16", verdict.ValidIdempotencyKey("0123456789abc-_Z"), true},
		{"idempotency key of 64", verdict.ValidIdempotencyKey(long[:64]), true},
		{"idempotency key of 15", verdict.ValidIdempotencyKey(long[:15]), false},
		{"idempotency key of 65", verdict.ValidIdempotencyKey(long), false},
		{"idempotency key with a line break", verdict.ValidIdempotencyKey("0123456789abcde\n"), false},
		{"idempotency key with a dot", verdict.ValidIdempotencyKey("0123456789abcde."), false},
		{"idempotency key outside ASCII", verdict.ValidIdempotencyKey("0123456789abcdé"), false},
		{"kid", verdict.ValidKeyID(kid), true},
		{"kid in capitals", verdict.ValidKeyID(strings.ToUpper(kid)), false},
		{"kid of 15", verdict.ValidKeyID(kid[:15]), false},
		{"kid of 17", verdict.ValidKeyID(kid + "0"), false},
		{"kid not hex", verdict.ValidKeyID(kid[:15] + "g"), false},
		{"one kid", verdict.ValidKids([]string{kid}), true},
		{"eight kids", verdict.ValidKids([]string{kid, kid, kid, kid, kid, kid, kid, kid}), true},
		{"nine kids", verdict.ValidKids([]string{kid, kid, kid, kid, kid, kid, kid, kid, kid}), false},
		{"no kids", verdict.ValidKids(nil), false},
		{"a bad kid among good", verdict.ValidKids([]string{kid, "x"}), false},
		{"no platform", verdict.ValidPlatform(""), true},
		{"platform", verdict.ValidPlatform("Windows 11 (x64) 家庭版"), true},
		{"platform of 32", verdict.ValidPlatform(strings.Repeat("鱼", 32)), true},
		{"platform of 33", verdict.ValidPlatform(strings.Repeat("a", 33)), false},
		{"platform with a control character", verdict.ValidPlatform("win\x1b[0m"), false},
		{"platform with a direction mark", verdict.ValidPlatform("win\u202e"), false},
		{"platform not UTF-8", verdict.ValidPlatform("win\xff"), false},
		{"feature", verdict.ValidFeature("export.v2_x-1"), true},
		{"feature of 33", verdict.ValidFeature(long[:33]), false},
		{"feature with a blank", verdict.ValidFeature("a b"), false},
		{"no feature", verdict.ValidFeature(""), false},
		{"card id", verdict.ValidCardID("Zk3sV0q8yTn1mWc5xRb7Lg"), true},
		{"card id of 37", verdict.ValidCardID(long[:37]), false},
		{"card id with a quote", verdict.ValidCardID(`a"b`), false},
		{"no card id", verdict.ValidCardID(""), false},
	} {
		if test.got != test.want {
			t.Errorf("%s: %v", test.name, test.got)
		}
	}
}

func TestBase64RoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := rapid.SliceOf(rapid.Byte()).Draw(t, "raw")
		text := verdict.Encode64(raw)
		back, ok := verdict.Decode64(text)
		if !ok || string(back) != string(raw) {
			t.Fatalf("%x became %s became %x", raw, text, back)
		}
	})
}

func TestDecodedTextIsTheOnlyOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[A-Za-z0-9_\-+/=\r\n ]{0,12}`).Draw(t, "text")
		if raw, ok := verdict.Decode64(text); ok && verdict.Encode64(raw) != text {
			t.Fatalf("%q and %q are both taken for %x", text, verdict.Encode64(raw), raw)
		}
	})
}

func TestLeaseStaysInItsBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		iat := rapid.Int64Range(0, 1<<40).Draw(t, "iat")
		grace := rapid.Int64Range(-10, 1<<30).Draw(t, "grace")
		beat := rapid.Int64Range(30, 3600).Draw(t, "beat")
		var end *int64
		if rapid.Bool().Draw(t, "ends") {
			at := iat + rapid.Int64Range(-1000, 1<<24).Draw(t, "end")
			end = &at
		}
		exp := verdict.Lease(iat, grace, beat, end)
		if exp < iat || exp-iat > verdict.MaxGrace || end != nil && exp > max(*end, iat) {
			t.Fatalf("%d s from iat", exp-iat)
		}
		if end == nil && exp < iat+3*beat {
			t.Fatalf("%d s are less than three beats", exp-iat)
		}
	})
}

// The text of a payload is a promise to every client library.
func TestClaimsInJSON(t *testing.T) {
	claims := goodClaims()
	claims.Subject = "<a&b>" // which stays as it is
	claims.Card.Features = nil
	claims.Card.Expires = nil
	signer := newSigner(t)
	token, err := signer.Sign(verdict.TypVerdict, claims)
	if err != nil {
		t.Fatal(err)
	}
	want := edit(verdictText, `"sub":"" => "sub":"<a&b>" ;; ["export","batch.2"] => [] ;; 1802592000 => null`)
	if got := payload(t, token); got != want {
		t.Errorf("a verdict is %s, want %s", got, want)
	}
	claims.Act, claims.Code, claims.Expires, claims.Card = "stop", "card_unknown", claims.IssuedAt, nil
	if token, err = signer.Sign(verdict.TypVerdict, claims); err != nil || strings.Contains(payload(t, token), "card\":") {
		t.Errorf("a refusal without a card is %s, %v", payload(t, token), err)
	}
	order := verdict.Order{
		Version: 1, Issuer: issuer, Audience: appID, IssuedAt: start + 60, Epoch: 1, Seq: 42, Key: public("device"),
		Card: "Zk3sV0q8yTn1mWc5xRb7Lg", Act: verdict.Stop, Code: "card_disabled", Spread: 60,
	}
	if token, err = signer.Sign(verdict.TypOrder, order); err != nil || payload(t, token) != orderText("") {
		t.Errorf("an order is %s, %v", payload(t, token), err)
	}
	end := start + dayLong
	notice := verdict.Notice{
		Version: 1, Issuer: issuer, Audience: appID, IssuedAt: start + 60, Expires: &end, Epoch: 1, Seq: 8, Kind: "announcement",
		Data: json.RawMessage(`{"id":"n8","title":{"zh":"今晚维护","en":"Maintenance tonight"}}`),
	}
	if token, err = signer.Sign(verdict.TypNotice, notice); err != nil || payload(t, token) != noticeText("") {
		t.Errorf("a notice is %s, %v", payload(t, token), err)
	}
}

func newSigner(t testing.TB) *verdict.Signer {
	t.Helper()
	signer, err := verdict.NewSigner(private("signing").Seed())
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func payload(t testing.TB, token string) string {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is no token", token)
	}
	return string(decode(parts[1]))
}
