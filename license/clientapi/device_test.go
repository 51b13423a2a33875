package clientapi_test

import (
	"crypto/rand"
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"goldfish/license"
	"goldfish/license/licensetest"
	"goldfish/license/verdict"
)

const (
	activate  = "/api/v1/card-keys/activate"
	verify    = "/api/v1/card-keys/verify"
	heartbeat = "/api/v1/devices/heartbeat"
	unbind    = "/api/v1/devices/unbind"
)

// device is a customer's machine that calls over HTTP and believes verdicts alone.
type device struct {
	*licensetest.Device
	s       *site
	pins    *verdict.Pins
	session string
}

func (s *site) device(app *license.App, n int) *device {
	s.T.Helper()
	var publics []string
	for _, key := range app.Keys {
		publics = append(publics, verdict.Encode64(key.Public))
	}
	pins, err := verdict.NewPins(publics...)
	s.Must(err)
	return &device{Device: s.Device(app, n), s: s, pins: pins, session: nonce()}
}

func nonce() string {
	raw := make([]byte, 16)
	if _, err := rand.Read(raw); err != nil {
		panic(err)
	}
	return verdict.Encode64(raw)
}

type m = map[string]any

// letter is a device call before it is sent.
type letter struct {
	path   string
	body   m
	bearer string
	repeat string // Idempotency-Key
	naked  bool   // without a proof
	asked  verdict.Request
	proof  string
	raw    []byte
}

// letter writes a call with the common members and those of more.
func (d *device) letter(path string, more m) *letter {
	body := m{
		"app_id": d.App.UUID.String(), "nonce": nonce(), "kids": d.Kids, "version": "1.4.0", "session": d.session,
		"device_info": m{"cpu_id": d.CPU, "motherboard_id": d.Board, "mac_address": d.MAC},
	}
	maps.Copy(body, more)
	return &letter{path: path, body: body}
}

// seal makes body and proof; what is changed afterwards is changed on the way.
func (d *device) seal(l *letter) *letter {
	var err error
	l.raw, err = json.Marshal(l.body)
	d.s.Must(err)
	l.asked = verdict.Request{
		Method: "POST", Path: l.path, AppID: d.App.UUID.String(), Time: d.s.Clock.Now().Unix() + d.Off,
		IdempotencyKey: l.repeat, Bearer: l.bearer, Body: l.raw,
	}
	if !l.naked {
		l.proof, l.asked = verdict.MakeProof(d.Private, l.asked)
	}
	return l
}

// post sends a sealed call.
func (d *device) post(l *letter) reply {
	d.s.T.Helper()
	r, err := http.NewRequest("POST", d.s.http.URL+l.path, strings.NewReader(string(l.raw)))
	d.s.Must(err)
	r.Header.Set("Content-Type", "application/json")
	for name, value := range map[string]string{"Goldfish-Proof": l.proof, "Idempotency-Key": l.repeat} {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	if l.bearer != "" {
		r.Header.Set("Authorization", "Bearer "+l.bearer)
	}
	return d.s.do(r)
}

// answer is a reply with its verdict, checked as a client does.
type answer struct {
	reply
	verdict.Claims
	token string
}

// check makes the checks of protocol §8 on the verdict of success or refusal.
func (d *device) check(l *letter, r reply) (answer, error) {
	token := r.dataText("verdict")
	if token == "" {
		token = r.text("verdict")
	}
	claims, err := verdict.Check(token, verdict.Expect{
		Pins: d.pins, AppID: d.App.UUID.String(), Nonce: l.body["nonce"].(string), Req: l.asked.Req(), Key: l.asked.DeviceKey,
	})
	return answer{r, claims, token}, err
}

// ask sends a call and expects a good verdict of this act and code with this status.
func (d *device) ask(l *letter, status int, act, code string) answer {
	d.s.T.Helper()
	r := d.post(d.seal(l))
	a, err := d.check(l, r)
	if err != nil {
		d.s.T.Fatalf("no verdict: %v in %d %s", err, r.StatusCode, r.raw)
	}
	if r.StatusCode != status || a.Act != act || a.Code != code {
		d.s.T.Fatalf("answer is %d %s %s, want %d %s %s: %s", r.StatusCode, a.Act, a.Code, status, act, code, r.raw)
	}
	if act != verdict.Run && r.code() != code {
		d.s.T.Errorf("code beside the verdict %s is %s", code, r.code())
	}
	return a
}

// bound is a device with an active card of a customer.
func (s *site) bound(app *license.App, n int, bearer string) (*device, answer) {
	s.T.Helper()
	d := s.device(app, n)
	l := d.letter(activate, m{"card_key": s.Keys(app, 1, licensetest.Month)[0], "ticket": true})
	l.bearer = bearer
	return d, d.ask(l, 200, "run", "valid")
}

func TestADayOfADevice(t *testing.T) {
	s := serve(t)
	app := s.App(nil)
	key := s.Keys(app, 1, licensetest.Month)[0]
	d := s.device(app, 1)
	l := d.letter(activate, m{"card_key": strings.ToLower(key), "platform": "linux-amd64", "ext": m{"later": m{"a": 1}}})
	l.bearer, l.repeat = s.customer("xiaoyu"), "activation-0000001"
	a := d.ask(l, 200, "run", "valid")
	if a.message() != "卡密激活成功" || a.dataText("card_id") != a.Card.ID || a.dataText("device_id") != a.Device ||
		a.dataText("state") != "active" || a.dataText("expires_at") != "2026-07-01T12:00:00Z" || a.Expires-a.IssuedAt != 7*24*3600 {
		t.Errorf("answer is %s, verdict %+v", a.raw, a.Claims)
	}
	if a.data()["replayed"] != nil || a.data()["ticket"] != nil {
		t.Errorf("unasked members: %s", a.raw)
	}
	again := d.ask(l, 200, "run", "valid")
	if again.data()["replayed"] != true || again.message() != a.message() {
		t.Errorf("the repeated activation is answered %s", again.raw)
	}
	d.ask(d.letter(verify, m{"card_key": key}), 200, "run", "valid")
	d.ask(d.letter(verify, m{"card_id": a.Card.ID}), 200, "run", "valid")
	beat := d.ask(d.letter(heartbeat, m{"card_id": a.Card.ID, "ticket": true}), 200, "run", "valid")
	if len(beat.dataText("ticket")) != 43 {
		t.Errorf("no ticket: %s", beat.raw)
	}
	s.Clock.Advance(31 * 24 * time.Hour)
	if end := d.ask(d.letter(heartbeat, m{"card_id": a.Card.ID}), 403, "stop", "card_expired"); end.Card == nil {
		t.Error("the refusal to the holder does not tell of its card")
	}
}

func TestRefusalsAreSigned(t *testing.T) {
	s := serve(t)
	app := s.App(nil)
	bearer := s.customer("xiaoyu")
	d, a := s.bound(app, 1, bearer)
	card := a.Card.ID
	other := s.device(app, 2)
	unused := s.Keys(app, 1, licensetest.Month)[0]

	d.ask(d.letter(verify, m{"card_key": "nonsense"}), 400, "stop", "card_unknown")
	d.ask(d.letter(verify, m{"card_id": "AAAAAAAAAAAAAAAAAAAAAA"}), 400, "stop", "card_unknown")
	d.ask(d.letter(verify, m{}), 400, "stop", "card_unknown")
	d.ask(d.letter(verify, m{"card_key": unused}), 403, "stop", "card_unused")
	other.ask(other.letter(verify, m{"card_id": card}), 403, "stop", "device_unbound")
	thief := &device{Device: s.Device(app, 3), s: s, pins: d.pins, session: nonce()}
	thief.CPU, thief.Board, thief.MAC = d.CPU, d.Board, d.MAC
	thief.ask(thief.letter(verify, m{"card_id": card}), 403, "stop", "device_key_mismatch")
	l := d.letter(verify, m{"card_id": card})
	l.body["device_info"] = m{"cpu_id": "NEWCPU", "motherboard_id": "NEWBOARD", "mac_address": d.MAC}
	d.ask(l, 403, "stop", "device_mismatch")
	l = d.letter(verify, m{"card_id": card})
	l.body["device_info"] = m{}
	d.ask(l, 400, "wait", "device_info_invalid")
	l = d.letter(verify, m{"card_id": card})
	l.naked = true
	if r := d.post(d.seal(l)); r.StatusCode != 401 || r.code() != "proof_required" || r.text("verdict") == "" {
		t.Errorf("without a proof: %d %s", r.StatusCode, r.raw)
	} else if _, err := d.check(l, r); err == nil {
		t.Error("a client takes a verdict for no key")
	}
	l = other.letter(activate, m{"card_key": unused})
	l.bearer = bearer
	other.ask(l, 200, "run", "valid")
	full := s.device(app, 4)
	l = full.letter(activate, m{"card_key": unused})
	l.bearer = bearer
	full.ask(l, 409, "stop", "device_limit")
	l.bearer = s.customer("dayu")
	full.ask(l, 409, "stop", "card_taken")
}

// A clock that is off is told so by a signed answer, from which the client learns the time.
func TestProofTime(t *testing.T) {
	s := serve(t)
	d, a := s.bound(s.App(nil), 1, s.customer("xiaoyu"))
	d.Off = 4000 * 24 * 3600
	late := d.ask(d.letter(verify, m{"card_id": a.Card.ID}), 401, "wait", "proof_time")
	d.Off += late.IssuedAt - (s.Clock.Now().Unix() + d.Off)
	d.ask(d.letter(verify, m{"card_id": a.Card.ID}), 200, "run", "valid")
}

// What was altered on the way is refused, or answered with a verdict that the client does not take.
func TestAlteredOnTheWay(t *testing.T) {
	s := serve(t)
	app := s.App(nil)
	d, a := s.bound(app, 1, s.customer("xiaoyu"))
	other := s.device(app, 2)
	for name, change := range map[string]func(*letter){
		"another version": func(l *letter) { l.raw = []byte(strings.Replace(string(l.raw), "1.4.0", "9.9.9", 1)) },
		"a blank":         func(l *letter) { l.raw = append(l.raw, ' ') },
		"another path":    func(l *letter) { l.path = heartbeat },
		"a repeat key":    func(l *letter) { l.repeat = "0123456789abcdef" },
		"another device":  func(l *letter) { l.proof = other.seal(&letter{path: l.path, body: l.body}).proof },
		"half a proof":    func(l *letter) { l.proof = l.proof[:60] },
	} {
		l := d.seal(d.letter(verify, m{"card_id": a.Card.ID}))
		change(l)
		r := d.post(l)
		if got, err := d.check(l, r); err == nil && got.Act == verdict.Run {
			t.Errorf("%s: the device runs on %s", name, r.raw)
		}
		if r.StatusCode == 200 {
			t.Errorf("%s: the server agrees: %s", name, r.raw)
		}
	}
	// A relay asks in the name of another request of the same device: the answer does not fit what was sent.
	sent, relayed := d.seal(d.letter(verify, m{"card_id": a.Card.ID})), d.seal(d.letter(verify, m{"card_id": a.Card.ID}))
	if _, err := d.check(sent, d.post(relayed)); err == nil {
		t.Error("a relayed answer counts")
	}
}

func TestReplaceAfterReinstall(t *testing.T) {
	s := serve(t)
	app := s.App(nil)
	key := s.Keys(app, 1, licensetest.Month)[0]
	bearer := s.customer("xiaoyu")
	old := s.device(app, 1)
	l := old.letter(activate, m{"card_key": key})
	l.bearer = bearer
	old.ask(l, 200, "run", "valid")
	fresh := s.device(app, 2)
	fresh.CPU, fresh.Board, fresh.MAC = old.CPU, old.Board, old.MAC
	l = fresh.letter(activate, m{"card_key": key})
	l.bearer = bearer
	fresh.ask(l, 409, "wait", "device_already_bound")
	l = fresh.letter(activate, m{"card_key": key, "replace": true})
	l.bearer, l.repeat = bearer, "replace-00000001"
	a := fresh.ask(l, 200, "run", "valid")
	old.ask(old.letter(verify, m{"card_id": a.Card.ID}), 403, "stop", "device_key_mismatch")
	fresh.ask(fresh.letter(verify, m{"card_id": a.Card.ID}), 200, "run", "valid")
}

func TestUnbind(t *testing.T) {
	s := serve(t)
	app := s.App(nil)
	key := s.Keys(app, 1, licensetest.Month)[0]
	bearer := s.customer("xiaoyu")
	d := s.device(app, 1)
	l := d.letter(activate, m{"card_key": key})
	l.bearer = bearer
	a := d.ask(l, 200, "run", "valid")
	c, _ := d.live(a.Card.ID, 1, 0)
	other := s.device(app, 2)
	other.ask(other.letter(unbind, m{"card_id": a.Card.ID}), 403, "stop", "device_unbound")
	l = d.letter(unbind, m{"card_id": a.Card.ID})
	l.repeat = "unbinding-0000001"
	first := d.post(d.seal(l))
	want(t, first, 200, "")
	got, err := d.check(l, first)
	s.Must(err)
	if got.Act != verdict.Stop || got.Code != "device_unbound" || first.data()["replayed"] != nil || first.message() != "本机已解绑，席位已释放" {
		t.Errorf("answer is %s with %+v", first.raw, got.Claims)
	}
	if again := d.post(d.seal(l)); again.StatusCode != 200 || again.data()["replayed"] != true {
		t.Errorf("the same again is answered %d %s", again.StatusCode, again.raw)
	}
	c.message("push")
	c.wantClose(4403)
	d.ask(d.letter(heartbeat, m{"card_id": a.Card.ID}), 403, "stop", "device_unbound")
	l = other.letter(activate, m{"card_key": key})
	l.bearer = bearer
	other.ask(l, 200, "run", "valid")
}

func TestIdempotencyKeyOfAnotherCard(t *testing.T) {
	s := serve(t)
	app := s.App(nil)
	keys := s.Keys(app, 2, licensetest.Month)
	d, bearer := s.device(app, 1), s.customer("xiaoyu")
	l := d.letter(activate, m{"card_key": keys[0]})
	l.bearer, l.repeat = bearer, "the-same-key-0001"
	d.ask(l, 200, "run", "valid")
	l = d.letter(activate, m{"card_key": keys[1]})
	l.bearer, l.repeat = bearer, "the-same-key-0001"
	r := d.post(d.seal(l))
	want(t, r, 422, "idempotency_mismatch")
	if r.text("field") != "Idempotency-Key" {
		t.Errorf("field is %q", r.text("field"))
	}
	l.repeat = "short"
	want(t, d.post(d.seal(l)), 400, "idempotency_key_invalid")
}

// Fifty devices of fifty customers want one key at once: one gets it.
func TestRacingActivations(t *testing.T) {
	s := serve(t)
	app := s.App(nil)
	key := s.Keys(app, 1, licensetest.Month)[0]
	const racers = 50
	letters, devices := make([]*letter, racers), make([]*device, racers)
	for i := range racers {
		devices[i] = s.device(app, i)
		letters[i] = devices[i].letter(activate, m{"card_key": key})
		letters[i].bearer = s.customer("racer" + string(rune('a'+i/10)) + string(rune('a'+i%10)))
		devices[i].seal(letters[i])
	}
	replies := make([]reply, racers)
	var start, done sync.WaitGroup
	start.Add(1)
	for i := range racers {
		done.Go(func() {
			start.Wait()
			replies[i] = devices[i].post(letters[i])
		})
	}
	start.Done()
	done.Wait()
	won := 0
	for i, r := range replies {
		a, err := devices[i].check(letters[i], r)
		switch {
		case err != nil:
			t.Errorf("racer %d: %v in %s", i, err, r.raw)
		case r.StatusCode == 200 && a.Act == "run":
			won++
		case r.StatusCode != 409 || a.Code != "card_taken":
			t.Errorf("racer %d: %d %s", i, r.StatusCode, r.raw)
		}
	}
	if won != 1 {
		t.Errorf("%d racers won", won)
	}
}

// Up to the keys check answers are unsigned: a client shows them and keeps what it has.
func TestUnsignedRefusals(t *testing.T) {
	s := serve(t)
	app := s.App(nil)
	d, a := s.bound(app, 1, s.customer("xiaoyu"))
	for name, c := range map[string]struct {
		change m
		code   string
		field  string
	}{
		"unknown app":  {m{"app_id": "3f0c1f0e-6c0b-4f5e-9d5a-0b8f5b1c2d3e"}, "app_unknown", "app_id"},
		"no app":       {m{"app_id": "x"}, "app_unknown", "app_id"},
		"foreign keys": {m{"kids": []string{"21fe31dfa154a261"}}, "keys_unknown", "kids"},
		"no keys":      {m{"kids": []string{}}, "bad_request", "kids"},
		"short nonce":  {m{"nonce": "AAAA"}, "bad_request", "nonce"},
		"version":      {m{"version": "latest"}, "bad_request", "version"},
		"session":      {m{"session": "AAAA"}, "bad_request", "session"},
		"platform":     {m{"platform": strings.Repeat("p", 33)}, "bad_request", "platform"},
	} {
		l := d.seal(d.letter(verify, m{"card_id": a.Card.ID}))
		maps.Copy(l.body, c.change)
		r := d.post(d.seal(l))
		want(t, r, 400, c.code)
		if r.text("field") != c.field || r.text("verdict") != "" {
			t.Errorf("%s: %s", name, r.raw)
		}
	}
}
