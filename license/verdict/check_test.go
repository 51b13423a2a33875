package verdict_test

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"goldfish/license/fault"
	"goldfish/license/verdict"
)

func TestPins(t *testing.T) {
	if _, err := verdict.NewPins(); err == nil {
		t.Error("a client without a key can start")
	}
	nine := make([]string, 9)
	for i := range nine {
		nine[i] = public("signing")
	}
	if _, err := verdict.NewPins(nine...); err == nil {
		t.Error("nine keys were taken")
	}
	if got := pins(t).KeyIDs(); len(got) != 2 || got[0] != "21fe31dfa154a261" || got[1] != "dac073e0123bdea5" {
		t.Errorf("kids %v", got)
	}
}

// Any single changed character of a good verdict makes it no answer.
func TestNoCharacterOfAVerdictMayChange(t *testing.T) {
	good, err := newSigner(t).Sign(verdict.TypVerdict, goodClaims())
	if err != nil {
		t.Fatal(err)
	}
	want := verdict.Expect{Pins: pins(t), AppID: appID, Nonce: nonce, Req: theReq, Key: public("device")}
	rapid.Check(t, func(t *rapid.T) {
		at := rapid.IntRange(0, len(good)-1).Draw(t, "at")
		c := rapid.Byte().Draw(t, "character")
		bad := good[:at] + string([]byte{c}) + good[at+1:]
		claims, err := verdict.Check(bad, want)
		if bad == good && err == nil {
			return
		}
		if !fault.Has(err, "unverifiable") || claims.Act != "" {
			t.Fatalf("character %d as %q: %+v, %v", at, c, claims, err)
		}
	})
}

// A client that has lost track of its own call accepts nothing.
func TestNothingExpectedNothingAccepted(t *testing.T) {
	for name, forget := range map[string]func(*verdict.Expect){
		"nonce": func(e *verdict.Expect) { e.Nonce = "" },
		"req":   func(e *verdict.Expect) { e.Req = "" },
		"key":   func(e *verdict.Expect) { e.Key = "" },
		"aud":   func(e *verdict.Expect) { e.AppID = "" },
	} {
		want := verdict.Expect{Pins: pins(t), AppID: appID, Nonce: nonce, Req: theReq, Key: public("device")}
		was := map[string]string{"nonce": want.Nonce, "req": want.Req, "key": want.Key, "aud": want.AppID}[name]
		forget(&want)
		token := rawToken("signing", head("signing", typVerdict), edit(verdictText, `"`+name+`":"`+was+`" => "`+name+`":""`))
		if _, err := verdict.Check(token, want); !fault.Has(err, "unverifiable") {
			t.Errorf("an empty %s on both sides: %v", name, err)
		}
	}
}

func TestProofCoversEveryField(t *testing.T) {
	call := theCall()
	call.IdempotencyKey, call.Bearer = "0123456789abcdef", "a.b.c"
	text, signed := verdict.MakeProof(private("device"), call)
	proof, err := verdict.ParseProof(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := proof.Verify(call, start); err != nil {
		t.Fatal(err)
	}
	if call.ProvedBy(proof).Req() != signed.Req() || signed.DeviceKey != public("device") {
		t.Error("server and client differ over R")
	}
	for name, change := range map[string]func(*verdict.Request){
		"method":          func(r *verdict.Request) { r.Method = "PUT" },
		"path":            func(r *verdict.Request) { r.Path += "x" },
		"app":             func(r *verdict.Request) { r.AppID = otherAppID },
		"idempotency key": func(r *verdict.Request) { r.IdempotencyKey = "" },
		"bearer":          func(r *verdict.Request) { r.Bearer = "" },
		"body":            func(r *verdict.Request) { r.Body = append([]byte(" "), r.Body...) },
	} {
		other := call
		change(&other)
		if err := proof.Verify(other, start); !fault.Has(err, "proof_invalid") {
			t.Errorf("another %s: %v", name, err)
		}
	}
}

// Without the refusal of line breaks these two calls would have one R.
func TestNoFieldMayHoldALineBreak(t *testing.T) {
	one := theCall()
	one.Path, one.AppID = "/api/v1/x\n"+appID, ""
	two := theCall()
	two.Path = "/api/v1/x"
	two.AppID = appID + "\n"
	for _, call := range []verdict.Request{one, two} {
		text, _ := verdict.MakeProof(private("device"), call)
		proof, err := verdict.ParseProof(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := proof.Verify(call, start); !fault.Has(err, "proof_invalid") {
			t.Errorf("a field with a line break: %v", err)
		}
	}
}

func TestZeroProofProvesNothing(t *testing.T) {
	if err := (verdict.Proof{Time: start}).Verify(theCall(), start); !fault.Has(err, "proof_invalid") {
		t.Errorf("%v", err)
	}
	for _, at := range []int64{math.MinInt64, math.MaxInt64} {
		if err := (verdict.Proof{Time: at}).Verify(theCall(), start); !fault.Has(err, "proof_time") {
			t.Errorf("t %d: %v", at, err)
		}
	}
}

// Offline, time never runs slower than the machine does, whatever the clock says.
func TestOfflineTimeNeverStandsStill(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		anyTime := rapid.Int64Range(-1<<40, 1<<40)
		iat, at := rapid.Int64Range(1, 1<<40).Draw(t, "iat"), anyTime.Draw(t, "at")
		clock := verdict.StartClock(verdict.Record{}, 0)
		clock.Accept(iat, 1, at, 0)
		mono, stored := int64(0), iat
		for range rapid.IntRange(1, 8).Draw(t, "steps") {
			mono += rapid.Int64Range(0, 1<<20).Draw(t, "ran")
			local := anyTime.Draw(t, "local")
			if now := clock.Now(local, mono); now < iat+mono || now < local+iat-at {
				t.Fatalf("now is %d after %d s", now, mono)
			}
			record := clock.Save(local, mono)
			if record.High < stored {
				t.Fatalf("high fell from %d to %d", stored, record.High)
			}
			stored = record.High
		}
		next := verdict.StartClock(clock.Save(at, mono), 100)
		local := anyTime.Draw(t, "next local")
		if now := next.Now(local, 100); now < stored {
			t.Fatalf("the next process begins at %d, before %d", now, stored)
		}
		if next.SetBack(local) != (local+iat-at < stored-600) {
			t.Fatalf("set back: %v at %d", next.SetBack(local), local)
		}
	})
}

func TestClockWithoutARecord(t *testing.T) {
	clock := verdict.StartClock(verdict.Record{}, 7)
	if clock.Now(1234, 99) != 1234 || clock.SetBack(-5) || clock.Save(1234, 99) != (verdict.Record{}) || clock.Known() != (verdict.Known{}) {
		t.Error("a client that has seen no verdict knows something")
	}
}

func FuzzParseProof(f *testing.F) {
	good, _ := verdict.MakeProof(private("device"), theCall())
	for _, seed := range []string{"", good, "v1...", strings.Replace(good, "v1.", "v1.-", 1), good + "."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		proof, err := verdict.ParseProof(text)
		if err != nil {
			if !fault.Has(err, "proof_invalid") {
				t.Fatal(err)
			}
			return
		}
		if proof.Verify(theCall(), start) == nil && text != good {
			t.Fatalf("%q proves what another header proves", text)
		}
	})
}

func FuzzCheck(f *testing.F) {
	good, err := newSigner(f).Sign(verdict.TypVerdict, goodClaims())
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"", "..", good, good + ".", good[:100], rawToken("foreign", head("foreign", typVerdict), verdictText)} {
		f.Add(seed)
	}
	want := verdict.Expect{Pins: pins(f), AppID: appID, Nonce: nonce, Req: theReq, Key: public("device")}
	f.Fuzz(func(t *testing.T, token string) {
		if claims, err := verdict.Check(token, want); err == nil && token != good {
			t.Fatalf("%q is taken for %+v", token, claims)
		}
	})
}

// FuzzPayload feeds what a signed payload might hold: nothing may panic, and
// what is accepted keeps the bounds.
func FuzzPayload(f *testing.F) {
	for _, seed := range []string{verdictText, "{}", "null", `{"v":1,"card":[]}`, `{"v":1e400}`, orderText(""), noticeText("")} {
		f.Add(seed)
	}
	want := verdict.Expect{Pins: pins(f), AppID: appID, Nonce: nonce, Req: theReq, Key: public("device")}
	f.Fuzz(func(t *testing.T, text string) {
		claims, err := verdict.Check(rawToken("signing", head("signing", typVerdict), text), want)
		if err == nil && (claims.Expires < claims.IssuedAt || claims.Nonce != nonce || claims.Version != 1) {
			t.Fatalf("%q is taken for %+v", text, claims)
		}
		_, _ = verdict.CheckOrder(rawToken("signing", head("signing", typOrder), text), verdict.ExpectOrder{Pins: want.Pins, AppID: appID})
		_, _ = verdict.CheckNotice(rawToken("signing", head("signing", typNotice), text), want.Pins, appID, 0)
	})
}
