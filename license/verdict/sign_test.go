package verdict_test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"goldfish/license/fault"
	"goldfish/license/verdict"
)

func TestSignerSignsNothingMalformed(t *testing.T) {
	signer := newSigner(t)
	good := func(change func(*verdict.Claims)) verdict.Claims {
		c := goodClaims()
		card := *c.Card
		c.Card = &card
		change(&c)
		return c
	}
	order := verdict.Order{Version: 1, Audience: appID, Key: public("device"), Act: "stop"}
	notice := verdict.Notice{Version: 1, Audience: appID, Kind: "release", Data: json.RawMessage(`{}`)}
	for name, try := range map[string]struct {
		typ     string
		payload any
	}{
		"v 0":                   {verdict.TypVerdict, good(func(c *verdict.Claims) { c.Version = 0 })},
		"no nonce":              {verdict.TypVerdict, good(func(c *verdict.Claims) { c.Nonce = "" })},
		"odd key":               {verdict.TypVerdict, good(func(c *verdict.Claims) { c.Key = "x" })},
		"unknown act":           {verdict.TypVerdict, good(func(c *verdict.Claims) { c.Act = "dance" })},
		"run without a card":    {verdict.TypVerdict, good(func(c *verdict.Claims) { c.Card = nil })},
		"a lease with stop":     {verdict.TypVerdict, good(func(c *verdict.Claims) { c.Act = "stop" })},
		"exp before iat":        {verdict.TypVerdict, good(func(c *verdict.Claims) { c.Expires = c.IssuedAt - 1 })},
		"a lease of 401 days":   {verdict.TypVerdict, good(func(c *verdict.Claims) { c.Expires = c.IssuedAt + 401*dayLong })},
		"tol 3":                 {verdict.TypVerdict, good(func(c *verdict.Claims) { c.Tol = 3 })},
		"card id with a quote":  {verdict.TypVerdict, good(func(c *verdict.Claims) { c.Card.ID = `"` })},
		"tier with a blank":     {verdict.TypVerdict, good(func(c *verdict.Claims) { c.Card.Tier = "a b" })},
		"33 features":           {verdict.TypVerdict, good(func(c *verdict.Claims) { c.Card.Features = strings.Split(strings.Repeat("a ", 32)+"a", " ") })},
		"an empty feature":      {verdict.TypVerdict, good(func(c *verdict.Claims) { c.Card.Features = []string{""} })},
		"a subject without end": {verdict.TypVerdict, good(func(c *verdict.Claims) { c.Subject = strings.Repeat("x", 4096) })},
		"an order to run":       {verdict.TypOrder, func() verdict.Order { o := order; o.Act = "run"; return o }()},
		"an order to nobody":    {verdict.TypOrder, func() verdict.Order { o := order; o.Key = ""; return o }()},
		"an order of v 2":       {verdict.TypOrder, func() verdict.Order { o := order; o.Version = 2; return o }()},
		"an odd session":        {verdict.TypOrder, func() verdict.Order { o := order; o.Session = "x"; return o }()},
		"a negative spread":     {verdict.TypOrder, func() verdict.Order { o := order; o.Spread = -1; return o }()},
		"a notice of v 2":       {verdict.TypNotice, func() verdict.Notice { n := notice; n.Version = 2; return n }()},
		"an unknown kind":       {verdict.TypNotice, func() verdict.Notice { n := notice; n.Kind = "joke"; return n }()},
		"data is text":          {verdict.TypNotice, func() verdict.Notice { n := notice; n.Data = json.RawMessage(`"x"`); return n }()},
		"data is broken":        {verdict.TypNotice, func() verdict.Notice { n := notice; n.Data = json.RawMessage(`{`); return n }()},
		"a notice above 64 KiB": {verdict.TypNotice, func() verdict.Notice {
			n := notice
			n.Data = json.RawMessage(`{"x":"` + strings.Repeat("x", 50_000) + `"}`)
			return n
		}()},
		"an unknown type":        {"goldfish-config+jwt", map[string]any{}},
		"no object":              {verdict.TypVerdict, []int{1}},
		"what is not to be JSON": {verdict.TypVerdict, func() {}},
	} {
		token, err := signer.Sign(try.typ, try.payload)
		if f := fault.Of(err); token != "" || err == nil || f.Code != "token_malformed" || f.Kind != fault.Internal {
			t.Errorf("%s: %q, %v", name, token, err)
		}
	}
	for name, payload := range map[string]any{verdict.TypOrder: order, verdict.TypNotice: notice} {
		if _, err := signer.Sign(name, payload); err != nil {
			t.Errorf("the model of the malformed ones is not good itself: %s: %v", name, err)
		}
	}
}

func TestSignerHidesItsKey(t *testing.T) {
	seed := make([]byte, 32)
	if _, err := rand.Read(seed); err != nil {
		t.Fatal(err)
	}
	signer, err := verdict.NewSigner(seed)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "signer", signer)
	for _, out := range []string{log.String(), fmt.Sprintf("%v", signer), fmt.Sprintf("%+v", signer), fmt.Sprintf("%#v", signer)} {
		if !strings.Contains(out, signer.KeyID()) || strings.Contains(out, hex.EncodeToString(seed[:4])) ||
			strings.Contains(out, strings.Trim(fmt.Sprint(seed[:4]), "[]")) {
			t.Errorf("a signer prints as %s", out)
		}
	}
	if !verdict.ValidPublic(signer.Public()) || !verdict.ValidKeyID(signer.KeyID()) {
		t.Errorf("public %s, kid %s", signer.Public(), signer.KeyID())
	}
	for _, size := range []int{0, 31, 33, 64} {
		if _, err := verdict.NewSigner(make([]byte, size)); err == nil {
			t.Errorf("a seed of %d bytes was taken", size)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	signer, claims := newSigner(b), goodClaims()
	for b.Loop() {
		if _, err := signer.Sign(verdict.TypVerdict, claims); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkProof(b *testing.B) {
	text, call := verdict.MakeProof(private("device"), theCall())
	for b.Loop() {
		proof, err := verdict.ParseProof(text)
		if err == nil {
			err = proof.Verify(call, start)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
