package verdict_test

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"strings"
	"testing"

	"goldfish/license/fault"
	"goldfish/license/verdict"
)

type tokenSection struct {
	About  string          `json:"about"`
	Expect tokenExpect     `json:"expect"`
	Claims json.RawMessage `json:"claims"`
	Cases  []tokenCase     `json:"cases"`
}

type tokenExpect struct {
	App   string `json:"app_id"`
	Nonce string `json:"nonce"`
	Req   string `json:"req"`
	Key   string `json:"key"`
}

type storedTime struct {
	Epoch int64 `json:"ep"`
	Iat   int64 `json:"iat"`
}

type tokenCase struct {
	Name   string      `json:"name"`
	Place  string      `json:"place"`
	Stored *storedTime `json:"stored"`
	Result string      `json:"result"`
	Check  int         `json:"check"`
	Act    string      `json:"act"`
	Token  string      `json:"token"`
}

const (
	typVerdict = "goldfish-verdict+jwt"
	typOrder   = "goldfish-order+jwt"
	typNotice  = "goldfish-notice+jwt"
)

// allTypes are the names that a token's header may carry anywhere in the
// protocol; three of them have a place here.
var allTypes = []string{
	typVerdict, typOrder, typNotice, "goldfish-lease+jwt", "goldfish-revoked+jwt",
	"goldfish-keys+jwt", "goldfish-config+jwt", "goldfish-release+jwt", "goldfish-access+jwt", "JWT",
}

// part is a compact JSON text as a token's part.
func part(text string) string { return verdict.Encode64([]byte(text)) }

// rawToken signs anything, apart from the code under test.
func rawToken(key, head, payload string) string {
	signed := part(head) + "." + part(payload)
	return signed + "." + verdict.Encode64(ed25519.Sign(private(key), []byte(signed)))
}

func head(key, typ string) string {
	kid := verdict.KeyID(private(key).Public().(ed25519.PublicKey))
	return `{"alg":"EdDSA","kid":"` + kid + `","typ":"` + typ + `"}`
}

func goodClaims() verdict.Claims {
	end := start + 30*dayLong
	return verdict.Claims{
		Version: 1, Issuer: issuer, Audience: appID, Subject: "", IssuedAt: start, Expires: start + 7*dayLong,
		Nonce: nonce, Req: theReq, Act: "run", Code: "valid", Device: "d48ea1ea6b2cd331adb54bb8513bb175", Key: public("device"),
		Parts: [3]string{"HedFE2yLmfE", "OhTcmLTdYcM", "o6kuy88fT7I"}, Tol: 1,
		Card: &verdict.Card{ID: "Zk3sV0q8yTn1mWc5xRb7Lg", State: "active", Validity: "duration", Expires: &end, Tier: "pro", Features: []string{"export", "batch.2"}},
		Beat: 300, Epoch: 1, Seq: 41, News: 7,
	}
}

// orderText and noticeText are written by hand, so that the names of the
// members do not come from the code under test.
func orderText(change string) string {
	return edit(`{"v":1,"iss":"`+issuer+`","aud":"`+appID+`","iat":1800000060,"ep":1,"seq":42,"key":"`+public("device")+
		`","card":"Zk3sV0q8yTn1mWc5xRb7Lg","session":"","act":"stop","code":"card_disabled","spread":60}`, change)
}

func noticeText(change string) string {
	return edit(`{"v":1,"iss":"`+issuer+`","aud":"`+appID+
		`","iat":1800000060,"exp":1800086400,"ep":1,"seq":8,"kind":"announcement","data":{"id":"n8","title":{"zh":"今晚维护","en":"Maintenance tonight"}}}`, change)
}

const verdictText = `{"v":1,"iss":"` + issuer + `","aud":"` + appID + `","sub":"","iat":1800000000,"exp":1800604800,"nonce":"` + nonce + `","req":"` + theReq +
	`","act":"run","code":"valid","dev":"d48ea1ea6b2cd331adb54bb8513bb175","key":"PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw","parts":["HedFE2yLmfE","OhTcmLTdYcM","o6kuy88fT7I"],"tol":1,` +
	`"card":{"id":"Zk3sV0q8yTn1mWc5xRb7Lg","state":"active","validity":"duration","expires_at":1802592000,"tier":"pro","features":["export","batch.2"]},"beat":300,"ep":1,"seq":41,"news":7}`

// edit replaces one piece of a JSON text: "old => new", several parted by " ;; ".
func edit(text, changes string) string {
	if changes == "" {
		return text
	}
	for change := range strings.SplitSeq(changes, " ;; ") {
		old, replacement, ok := strings.Cut(change, " => ")
		if !ok || strings.Count(text, old) != 1 {
			panic("this edit does not fit once: " + change)
		}
		text = strings.Replace(text, old, replacement, 1)
	}
	return text
}

func makeTokens(t *testing.T) tokenSection {
	out := tokenSection{
		About: "A token in a place (verdict: the answer to the call of request_text \"protocol\"; order and notice: protocol §10, with everything else fitting the sections orders and notices). " +
			"result is ok or unverifiable; check is the check of protocol §8 that fails first (for information: a client has one outcome), 0 for ok; act is what an accepted verdict tells the client to do, any unknown word being stop. " +
			"stored is the last accepted verdict's epoch and time, null if there is none. claims is the payload of \"run\".",
		Expect: tokenExpect{appID, nonce, theReq, public("device")},
		Claims: json.RawMessage(verdictText),
	}
	signer, err := verdict.NewSigner(private("signing").Seed())
	if err != nil {
		t.Fatal(err)
	}
	run, err := signer.Sign(verdict.TypVerdict, goodClaims())
	if err != nil || run != rawToken("signing", head("signing", typVerdict), verdictText) {
		t.Fatalf("the signer and the text written by hand differ: %s, %v", run, err)
	}
	all := goodTokens(run)
	all = append(all, misshapen(run)...)
	all = append(all, wrongHeaders(run)...)
	all = append(all, wrongPlaces()...)
	all = append(all, wrongSignatures(run)...)
	all = append(all, wrongClaims()...)
	for _, c := range all {
		if c.Result == "" {
			c.Result = "unverifiable"
		}
		got, check, act := try(t, c)
		if got != c.Result || check != c.Check || act != c.Act {
			t.Errorf("token %s: %s, check %d, act %q; expected %s, %d, %q", c.Name, got, check, act, c.Result, c.Check, c.Act)
		}
		out.Cases = append(out.Cases, c)
	}
	return out
}

// try judges one case by the reference.
func try(t *testing.T, c tokenCase) (result string, check int, act string) {
	t.Helper()
	var err error
	var claims verdict.Claims
	switch c.Place {
	case "order":
		_, err = verdict.CheckOrder(c.Token, verdict.ExpectOrder{Pins: pins(t), AppID: appID, Key: public("device"), Session: nonce, Epoch: 1, Seq: 41})
	case "notice":
		_, err = verdict.CheckNotice(c.Token, pins(t), appID, 7)
	default:
		want := verdict.Expect{Pins: pins(t), AppID: appID, Nonce: nonce, Req: theReq, Key: public("device")}
		if c.Stored != nil {
			want.Last = verdict.Known{Epoch: c.Stored.Epoch, IssuedAt: c.Stored.Iat}
		}
		claims, err = verdict.Check(c.Token, want)
	}
	if err == nil && claims.Version == 0 { // an order or a notice
		return "ok", 0, ""
	}
	if err == nil {
		return "ok", 0, claims.Means()
	}
	check, _ = fault.Of(err).Args["check"].(int)
	return fault.Of(err).Code, check, ""
}

// signed is a case in the verdict's place with an edited payload.
func signed(name string, check int, changes string) tokenCase {
	return tokenCase{Name: name, Place: "verdict", Check: check, Token: rawToken("signing", head("signing", typVerdict), edit(verdictText, changes))}
}

func accepted(c tokenCase, act string, stored *storedTime) tokenCase {
	c.Result, c.Act, c.Stored = "ok", act, stored
	return c
}

const noLease = `"exp":1800604800 => "exp":1800000000 ;; `

func goodTokens(run string) []tokenCase {
	longest := func(size int) string {
		for n := range size {
			token := rawToken("signing", head("signing", typVerdict), edit(verdictText, `"news":7 => "news":7,"x":"`+strings.Repeat("x", n)+`"`))
			if len(token) >= size {
				return token
			}
		}
		panic("no token is long enough")
	}
	standby := tokenCase{Name: "by the standby key", Place: "verdict", Token: rawToken("standby", head("standby", typVerdict), verdictText)}
	return []tokenCase{
		accepted(tokenCase{Name: "run", Place: "verdict", Token: run}, "run", nil),
		accepted(standby, "run", nil),
		accepted(tokenCase{Name: "order in its place", Place: "order", Token: rawToken("signing", head("signing", typOrder), orderText(""))}, "", nil),
		accepted(tokenCase{Name: "notice in its place", Place: "notice", Token: rawToken("signing", head("signing", typNotice), noticeText(""))}, "", nil),
		accepted(signed("wait", 0, noLease+`"act":"run","code":"valid" => "act":"wait","code":"proof_time"`), "wait", nil),
		accepted(signed("hold", 0, noLease+`"act":"run","code":"valid" => "act":"hold","code":"session_limit"`), "hold", nil),
		accepted(signed("stop", 0, noLease+`"act":"run","code":"valid" => "act":"stop","code":"card_disabled"`), "stop", nil),
		accepted(signed("stop without a card, parts or device", 0, noLease+`"act":"run","code":"valid" => "act":"stop","code":"card_unknown" ;; `+
			`"dev":"d48ea1ea6b2cd331adb54bb8513bb175" => "dev":"" ;; "HedFE2yLmfE","OhTcmLTdYcM","o6kuy88fT7I" => "","","" ;; `+
			`"card":{"id":"Zk3sV0q8yTn1mWc5xRb7Lg","state":"active","validity":"duration","expires_at":1802592000,"tier":"pro","features":["export","batch.2"]}, => `), "stop", nil),
		accepted(signed("an unknown act means stop", 0, `"act":"run" => "act":"dance"`), "stop", nil),
		accepted(signed("an act in capitals means stop", 0, `"act":"run" => "act":"RUN"`), "stop", nil),
		accepted(signed("a card without end", 0, `1802592000 => null`), "run", nil),
		accepted(signed("an account", 0, `"sub":"" => "sub":"b1946ac9-2d3e-4f50-8a6b-7c8d9e0f1a2b"`), "run", nil),
		accepted(signed("unknown claims are ignored", 0, `"news":7 => "news":7,"later":{"a":[1,2]},"crit":["later"]`), "run", nil),
		accepted(signed("claims in another order, with blanks", 0, `"act":"run","code":"valid" => "code" : "valid", "act" : "run"`), "run", nil),
		accepted(signed("a lease of no time", 0, `"exp":1800604800 => "exp":1800000000`), "run", nil),
		accepted(signed("a lease of 400 days", 0, `"exp":1800604800 => "exp":1834560000`), "run", nil),
		accepted(tokenCase{Name: "4096 bytes", Place: "verdict", Token: longest(4096)}, "run", nil),
		accepted(signed("900 s older in the same epoch", 0, ``), "run", &storedTime{1, start + 900}),
		accepted(signed("a year older in a higher epoch", 0, `"ep":1 => "ep":2`), "run", &storedTime{1, start + 365*dayLong}),
		accepted(signed("a year older in a lower epoch", 0, ``), "run", &storedTime{2, start + 365*dayLong}),
		accepted(signed("a year newer in the same epoch", 0, ``), "run", &storedTime{1, start - 365*dayLong}),
		{Name: "more than 4096 bytes", Place: "verdict", Check: 1, Token: longest(4097)},
	}
}

func misshapen(run string) []tokenCase {
	bad := func(name, token string) tokenCase {
		return tokenCase{Name: name, Place: "verdict", Check: 1, Token: token}
	}
	parts := strings.Split(run, ".")
	last := run[len(run)-1:]
	// The last character of 64 bytes carries four unused bits, which are zero.
	next := string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[strings.Index("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", last)+1])
	return []tokenCase{
		bad("empty", ""),
		bad("dots alone", ".."),
		bad("two parts", parts[0]+"."+parts[1]),
		bad("four parts", run+"."+parts[2]),
		bad("no signature", parts[0]+"."+parts[1]+"."),
		bad("padding after the signature", run+"=="),
		bad("padding after the header", parts[0]+"=."+parts[1]+"."+parts[2]),
		bad("padding after the payload", parts[0]+"."+parts[1]+"="+"."+parts[2]),
		bad("blank before", " "+run),
		bad("line break after", run+"\n"),
		bad("line break inside the payload", parts[0]+"."+parts[1][:40]+"\n"+parts[1][40:]+"."+parts[2]),
		bad("unused bits of the signature set", run[:len(run)-1]+next),
		bad("standard alphabet", strings.ReplaceAll(strings.ReplaceAll(run, "-", "+"), "_", "/")),
		bad("JSON serialisation", `{"protected":"`+parts[0]+`","payload":"`+parts[1]+`","signature":"`+parts[2]+`"}`),
	}
}

func wrongHeaders(run string) []tokenCase {
	bad := func(name, header string) tokenCase {
		return tokenCase{Name: name, Place: "verdict", Check: 2, Token: rawToken("signing", header, verdictText)}
	}
	good := head("signing", typVerdict)
	none := part(edit(good, `EdDSA => none`)) + "." + part(verdictText) + "."
	return []tokenCase{
		bad("header re-ordered", `{"typ":"goldfish-verdict+jwt","alg":"EdDSA","kid":"21fe31dfa154a261"}`),
		bad("header with blanks", `{"alg": "EdDSA", "kid": "21fe31dfa154a261", "typ": "goldfish-verdict+jwt"}`),
		bad("header with a line break", good+"\n"),
		bad("header longer", edit(good, `"typ" => "x":1,"typ"`)),
		bad("header with a member twice", edit(good, `"typ" => "alg":"EdDSA","typ"`)),
		bad("header without kid", `{"alg":"EdDSA","typ":"goldfish-verdict+jwt"}`),
		bad("header with an embedded key", edit(good, `"typ" => "jwk":{"kty":"OKP","crv":"Ed25519","x":"`+public("foreign")+`"},"typ"`)),
		bad("header escaped", edit(good, `"alg" => "\u0061lg"`)),
		bad("kid in capitals", edit(good, `21fe31dfa154a261 => 21FE31DFA154A261`)),
		bad("typ in capitals", edit(good, `goldfish-verdict+jwt => GOLDFISH-VERDICT+JWT`)),
		bad("alg Ed25519", edit(good, `EdDSA => Ed25519`)),
		bad("alg none, with a signature", edit(good, `EdDSA => none`)),
		{Name: "alg none, without a signature", Place: "verdict", Check: 1, Token: none},
		{Name: "HS256 with the public key as text", Place: "verdict", Check: 2, Token: hmacToken(edit(good, `EdDSA => HS256`), []byte(public("signing")))},
		{Name: "HS256 with the raw public key", Place: "verdict", Check: 2, Token: hmacToken(edit(good, `EdDSA => HS256`), private("signing").Public().(ed25519.PublicKey))},
		{Name: "HS256 under the constant header", Place: "verdict", Check: 3, Token: hmacToken(good, private("signing").Public().(ed25519.PublicKey))},
		{Name: "another key with its own kid", Place: "verdict", Check: 2, Token: rawToken("foreign", head("foreign", typVerdict), verdictText)},
		{Name: "the device's own key", Place: "verdict", Check: 2, Token: rawToken("device", head("device", typVerdict), verdictText)},
		{Name: "header and payload exchanged", Place: "verdict", Check: 2, Token: strings.Join([]string{strings.Split(run, ".")[1], strings.Split(run, ".")[0], strings.Split(run, ".")[2]}, ".")},
	}
}

func hmacToken(head string, secret []byte) string {
	text := part(head) + "." + part(verdictText)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(text))
	return text + "." + verdict.Encode64(mac.Sum(nil))
}

func wrongPlaces() []tokenCase {
	payloads := map[string]string{typVerdict: verdictText, typOrder: orderText(""), typNotice: noticeText("")}
	var out []tokenCase
	for _, place := range []string{typVerdict, typOrder, typNotice} {
		short := strings.TrimSuffix(strings.TrimPrefix(place, "goldfish-"), "+jwt")
		for _, typ := range allTypes {
			if typ != place {
				out = append(out, tokenCase{
					Name: typ + " in the place of a " + short, Place: short, Check: 2,
					Token: rawToken("signing", head("signing", typ), payloads[place]),
				})
			}
		}
	}
	return out
}

func wrongSignatures(run string) []tokenCase {
	at := strings.LastIndex(run, ".") + 1
	text, signature := run[:at], run[at:]
	bad := func(name, token string) tokenCase {
		return tokenCase{Name: name, Place: "verdict", Check: 3, Token: token}
	}
	parts := strings.Split(run, ".")
	return []tokenCase{
		bad("another key under a pinned kid", rawToken("foreign", head("signing", typVerdict), verdictText)),
		bad("the standby key under the current kid", rawToken("standby", head("signing", typVerdict), verdictText)),
		bad("a bit of R flipped", text+flip(signature, 0)),
		bad("a bit of S flipped", text+flip(signature, 33)),
		bad("S + L", text+addOrder(signature)),
		bad("signature of zeros", text+verdict.Encode64(make([]byte, 64))),
		bad("signature of 63 bytes", text+verdict.Encode64(decode(signature)[:63])),
		bad("signature of 65 bytes", text+verdict.Encode64(append(decode(signature), 0))),
		bad("a claim changed after signing", parts[0]+"."+part(edit(verdictText, `1800604800 => 1900604800`))+"."+signature),
		bad("the signature of another token", text+strings.Split(rawToken("signing", head("signing", typVerdict), edit(verdictText, `"seq":41 => "seq":42`)), ".")[2]),
		bad("signed over the JSON instead", text+verdict.Encode64(ed25519.Sign(private("signing"), []byte(verdictText)))),
	}
}

func wrongClaims() []tokenCase {
	key := `"key":"` + public("device") + `"`
	card := `"card":{"id":"Zk3sV0q8yTn1mWc5xRb7Lg","state":"active","validity":"duration","expires_at":1802592000,"tier":"pro","features":["export","batch.2"]},`
	older := signed("901 s older in the same epoch", 5, "")
	older.Stored = &storedTime{1, start + 901}
	plain := func(name, payload string) tokenCase {
		return tokenCase{Name: name, Place: "verdict", Check: 4, Token: rawToken("signing", head("signing", typVerdict), payload)}
	}
	return []tokenCase{
		plain("payload is no JSON", "run"),
		plain("payload is an array", "["+verdictText+"]"),
		plain("payload is null", "null"),
		plain("payload and more", verdictText+"{}"),
		signed("v 2", 4, `"v":1 => "v":2`),
		signed("v as text", 4, `"v":1 => "v":"1"`),
		signed("v true", 4, `"v":1 => "v":true`),
		signed("v missing", 4, `"v":1, => `),
		signed("aud of another app", 4, `"aud":"`+appID+`" => "aud":"`+otherAppID+`"`),
		signed("aud a list", 4, `"aud":"`+appID+`" => "aud":["`+appID+`"]`),
		signed("aud in capitals", 4, `"aud":"`+appID+`" => "aud":"`+strings.ToUpper(appID)+`"`),
		signed("aud under another case of its name", 4, `"aud" => "AUD"`),
		signed("another nonce", 4, `"nonce":"`+nonce+`" => "nonce":"AAECAwQFBgcICQoLDA0OEA"`),
		signed("nonce empty", 4, `"nonce":"`+nonce+`" => "nonce":""`),
		signed("nonce missing", 4, `"nonce":"`+nonce+`", => `),
		signed("another req", 4, `"req":"NV5K => "req":"NV5L`),
		signed("req missing", 4, `"req":"`+theReq+`", => `),
		signed("another device's key", 4, key+` => "key":"`+public("other_device")+`"`),
		signed("key empty", 4, key+` => "key":""`),
		signed("key missing", 4, key+`, => `),
		older,
		signed("exp before iat", 6, `1800604800 => 1799999999`),
		signed("a lease of 400 days and a second", 6, `1800604800 => 1834560001`),
		signed("exp as text", 6, `"exp":1800604800 => "exp":"1800604800"`),
		signed("exp with a fraction", 6, `1800604800 => 1800604800.5`),
		signed("exp null", 6, `1800604800 => null`),
		signed("exp missing", 6, `"exp":1800604800, => `),
		signed("iat as text", 6, `"iat":1800000000 => "iat":"1800000000"`),
		signed("ep true", 6, `"ep":1 => "ep":true`),
		signed("act missing", 6, `"act":"run", => `),
		signed("act a number", 6, `"act":"run" => "act":1`),
		signed("code null", 6, `"code":"valid" => "code":null`),
		signed("two parts of a device", 6, `,"o6kuy88fT7I" => `),
		signed("four parts of a device", 6, `"o6kuy88fT7I" => "o6kuy88fT7I",""`),
		signed("a part that is no text", 6, `"o6kuy88fT7I" => null`),
		signed("tol as text", 6, `"tol":1 => "tol":"1"`),
		signed("beat missing", 6, `"beat":300, => `),
		signed("run without a card", 6, card+` => `),
		signed("card is text", 6, card+` => "card":"Zk3sV0q8yTn1mWc5xRb7Lg",`),
		signed("card without id", 6, `"id":"Zk3sV0q8yTn1mWc5xRb7Lg", => `),
		signed("features are text", 6, `["export","batch.2"] => "export"`),
	}
}
