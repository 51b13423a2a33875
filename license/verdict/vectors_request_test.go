package verdict_test

import (
	"strings"
	"testing"

	"goldfish/license/fault"
	"goldfish/license/verdict"
)

type requestCase struct {
	Name           string `json:"name"`
	Method         string `json:"method"`
	Path           string `json:"path"`
	App            string `json:"app_id"`
	Time           *int64 `json:"t"`
	Device         string `json:"device_key"`
	IdempotencyKey string `json:"idempotency_key"`
	Bearer         string `json:"bearer"`
	Body           string `json:"body"`
	Text           string `json:"text"`
	Bytes          int    `json:"bytes"`
	Req            string `json:"req"`
	Signature      string `json:"signature"`
	Proof          string `json:"proof"`
}

// theCall is the call that the protocol spells out.
func theCall() verdict.Request {
	return verdict.Request{Method: "POST", Path: "/api/v1/card-keys/verify", AppID: appID, Time: start, Body: []byte(body)}
}

// theReq is what a verdict for that call repeats.
const theReq = "NV5KfDb6ntlAfb4-DW-piWwj_UL-LA9_VyG0l6Xz75M"

const theSignature = "BlJJe41THsBkZBYi1koVy1N9H6SHNCYYCmxH7OTEgKxNKu0UsD4mKGN6umMYC0TWyiC24neEuVnscsKg1-RZDQ"

func requestSection(t *testing.T) section[requestCase] {
	out := section[requestCase]{About: "Request text R (protocol §4): text is R, bytes its length, req the claim. " +
		"With a proof, device_key is the key \"device\" and signature its signature over R; without, t is null and device_key, signature and proof are \"\". bearer is the access token that is sent, or \"\"; body is UTF-8."}
	add := func(name string, r verdict.Request, proved bool) *requestCase {
		one := requestCase{
			Name: name, Method: r.Method, Path: r.Path, App: r.AppID,
			IdempotencyKey: r.IdempotencyKey, Bearer: r.Bearer, Body: string(r.Body),
		}
		if proved {
			one.Proof, r = verdict.MakeProof(private("device"), r)
			one.Time, one.Device = &r.Time, r.DeviceKey
			one.Signature = one.Proof[strings.LastIndex(one.Proof, ".")+1:]
		}
		one.Text, one.Req = r.Text(), r.Req()
		one.Bytes = len(one.Text)
		out.Cases = append(out.Cases, one)
		return &out.Cases[len(out.Cases)-1]
	}
	first := add("protocol", theCall(), true)
	if first.Bytes != 208 || first.Req != theReq || first.Signature != theSignature {
		t.Errorf("the protocol's request came out as %+v", *first)
	}
	call := theCall()
	add("without a proof", call, false)
	call.Bearer = "an.access.token"
	add("bearer without a proof", call, false)
	call.Path, call.IdempotencyKey = "/api/v1/card-keys/activate", "0123456789abcdef"
	full := add("every field", call, true)
	if strings.Count(full.Text, "\n") != 8 {
		t.Errorf("R has not nine fields: %q", full.Text)
	}
	call = theCall()
	call.Body = nil
	add("empty body", call, true)
	call.Body = []byte(`{"card_key":"ＡＢＣＤ－2345", "x":1}` + "\n")
	add("body as sent, with blanks and characters outside ASCII", call, true)
	call = theCall()
	call.Time = 0
	add("t is zero", call, true)
	return out
}

type proofCase struct {
	Name   string `json:"name"`
	Header string `json:"header"`
	Now    int64  `json:"now"`
	Body   string `json:"body"`
	Result string `json:"result"`
}

func proofSection(t *testing.T) section[proofCase] {
	out := section[proofCase]{About: "What the server makes of a Goldfish-Proof header for POST /api/v1/card-keys/verify with this body at server time now: ok, proof_time or proof_invalid. The time is judged before the signature."}
	good, _ := verdict.MakeProof(private("device"), theCall())
	other, _ := verdict.MakeProof(private("other_device"), theCall())
	head := good[:strings.LastIndex(good, ".")+1]
	signature := strings.TrimPrefix(good, head)
	early := theCall()
	early.Time = -1
	minus, _ := verdict.MakeProof(private("device"), early)
	for _, c := range []proofCase{
		{"good", good, start, body, "ok"},
		{"300 s late", good, start + 300, body, "ok"},
		{"300 s early", good, start - 300, body, "ok"},
		{"301 s late", good, start + 301, body, "proof_time"},
		{"301 s early", good, start - 301, body, "proof_time"},
		{"years off", good, start + 3*365*dayLong, body, "proof_time"},
		{"before 1970", minus, start, body, "proof_time"},
		{"late and for another body", good, start + 301, "{}", "proof_time"},
		{"another body", good, start, body + " ", "proof_invalid"},
		{"another key's signature", head + other[strings.LastIndex(other, ".")+1:], start, body, "proof_invalid"},
		{"another time than signed", strings.Replace(good, "1800000000", "1800000001", 1), start, body, "proof_invalid"},
		{"S + L", head + addOrder(signature), start, body, "proof_invalid"},
		{"a bit flipped", head + flip(signature, 5), start, body, "proof_invalid"},
		{"63 bytes of signature", head + verdict.Encode64(decode(signature)[:63]), start, body, "proof_invalid"},
		{"padding", good + "==", start, body, "proof_invalid"},
		{"trailing blank", good + " ", start, body, "proof_invalid"},
		{"leading zero", strings.Replace(good, "1800000000", "01800000000", 1), start, body, "proof_invalid"},
		{"plus sign", strings.Replace(good, "1800000000", "+1800000000", 1), start, body, "proof_invalid"},
		{"fraction", strings.Replace(good, "1800000000", "1800000000.0", 1), start, body, "proof_invalid"},
		{"hexadecimal time", strings.Replace(good, "1800000000", "0x6b49d200", 1), start, body, "proof_invalid"},
		{"time beyond 64 bits", strings.Replace(good, "1800000000", "99999999999999999999", 1), start, body, "proof_invalid"},
		{"version 2", "v2" + good[2:], start, body, "proof_invalid"},
		{"no version", good[3:], start, body, "proof_invalid"},
		{"five fields", good + ".AAAA", start, body, "proof_invalid"},
		{"key of 31 bytes", "v1.1800000000." + verdict.Encode64(make([]byte, 31)) + "." + signature, start, body, "proof_invalid"},
		{"empty", "", start, body, "proof_invalid"},
	} {
		call := theCall()
		call.Body = []byte(c.Body)
		proof, err := verdict.ParseProof(c.Header)
		if err == nil {
			err = proof.Verify(call, c.Now)
		}
		got := "ok"
		if err != nil {
			got = fault.Of(err).Code
		}
		if got != c.Result {
			t.Errorf("proof %s: %v", c.Name, err)
		}
		out.Cases = append(out.Cases, c)
	}
	return out
}

type stateSection struct {
	About string      `json:"about"`
	Seed  string      `json:"seed"`
	Cases []stateCase `json:"cases"`
}

type stateCase struct {
	Name string  `json:"name"`
	File string  `json:"file"`
	Line *string `json:"line"`
}

func makeState(t *testing.T) stateSection {
	seed := private("device").Seed()
	line := `{"v":1,"lease":null,"refusal":null,"iat":1800000000,"ep":1,"at":1736928000,"high":1800000900,"seq":41,"seen":7,"revoked":null,"pending":null}`
	mac := verdict.StateMAC(seed, []byte(line))
	out := stateSection{
		About: "state.json (protocol §9): file is its content, line the first line if the MAC under the device key's seed (hex) is good, null if there is no state. A line break at the very end is allowed. The second place has the same form.",
		Seed:  testKeys["device"].seed,
	}
	for _, c := range []struct {
		name, file string
		ok         bool
	}{
		{"good", line + "\n" + mac, true},
		{"good, with a line break at the end", line + "\n" + mac + "\n", true},
		{"high lowered by hand", strings.Replace(line, "1800000900", "1800000000", 1) + "\n" + mac + "\n", false},
		{"a blank added", line + " \n" + mac + "\n", false},
		{"carriage returns", line + "\r\n" + mac + "\r\n", false},
		{"MAC in capitals", line + "\n" + strings.ToUpper(mac) + "\n", false},
		{"MAC shortened", line + "\n" + mac[:32] + "\n", false},
		{"MAC under another seed", line + "\n" + verdict.StateMAC(private("other_device").Seed(), []byte(line)) + "\n", false},
		{"no MAC", line + "\n", false},
		{"first line alone", line, false},
		{"empty", "", false},
		{"a third line", line + "\n" + mac + "\n" + mac + "\n", false},
	} {
		got, ok := verdict.OpenState(seed, c.file)
		one := stateCase{Name: c.name, File: c.file}
		if ok {
			one.Line = &got
		}
		if ok != c.ok || ok && got != line {
			t.Errorf("state %s: %q, %v", c.name, got, ok)
		}
		out.Cases = append(out.Cases, one)
	}
	return out
}
