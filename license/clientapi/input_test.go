package clientapi_test

import (
	"encoding/json"
	"strings"
	"testing"

	"goldfish/hub"
	"goldfish/license"
	"goldfish/license/licensetest"
	"goldfish/license/web"
	"goldfish/store/storetest"
)

// Every wrong input has a stable code, a sentence in the caller's language and the field, and changes nothing.
func TestBadInput(t *testing.T) {
	s := serve(t)
	app := s.App(nil)
	bearer := s.customer("xiaoyu")
	d, a := s.bound(app, 1, bearer)
	key := s.Keys(app, 1, licensetest.Month)[0]
	good := "Bearer " + bearer
	body := func(more m) string {
		raw, err := json.Marshal(d.letter(activate, more).body)
		s.Must(err)
		return string(raw)
	}
	with := func(text, more string) string { return strings.Replace(text, "{", "{"+more+",", 1) }
	usable := body(m{"card_key": key})
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		code, field              string
		headers                  []string
	}{
		{"malformed JSON", "POST", activate, usable[:len(usable)-1], 400, "json_malformed", "", nil},
		{"not UTF-8", "POST", activate, with(usable, "\"platform\":\"\xff\""), 400, "json_malformed", "", nil},
		{"a name twice", "POST", activate, with(usable, `"card_key":"x"`), 400, "duplicate_field", "card_key", nil},
		{"unknown field", "POST", activate, body(m{"card_key": key, "receipts": "x"}), 400, "unknown_field", "receipts", nil},
		{"a receipt of another type", "POST", activate, body(m{"card_key": key, "receipt": 1}), 400, "wrong_type", "receipt", nil},
		{"a long receipt", "POST", activate, body(m{"card_key": key, "receipt": strings.Repeat("x", 4097)}), 400, "bad_request", "receipt", nil},
		{"a long receipt of a heartbeat", "POST", heartbeat, body(m{"card_id": a.Card.ID, "receipt": strings.Repeat("x", 4097)}), 400, "bad_request", "receipt", nil},
		{"unknown field inside", "POST", activate, body(m{"card_key": key, "device_info": m{"gpu_id": "x"}}), 400, "unknown_field", "device_info.gpu_id", nil},
		{"wrong case", "POST", activate, body(m{"card_key": key, "Nonce": "x"}), 400, "unknown_field", "Nonce", nil},
		{"wrong type", "POST", activate, body(m{"card_key": 7}), 400, "wrong_type", "card_key", nil},
		{"wrong type inside", "POST", activate, body(m{"card_key": key, "device_info": m{"cpu_id": []int{1}}}), 400, "wrong_type", "device_info.cpu_id", nil},
		{"no card key", "POST", activate, body(nil), 400, "value_required", "card_key", nil},
		{"no card id", "POST", heartbeat, body(nil), 400, "value_required", "card_id", nil},
		{"a card key in a heartbeat", "POST", heartbeat, body(m{"card_id": a.Card.ID, "card_key": key}), 400, "unknown_field", "card_key", nil},
		{"no body", "POST", activate, "", 400, "body_missing", "", nil},
		{"a long body", "POST", activate, body(m{"card_key": key, "ext": m{"x": strings.Repeat("x", 16<<10)}}), 413, "body_too_large", "", nil},
		{"another content type", "POST", activate, usable, 415, "content_type", "Content-Type", []string{"Content-Type", "text/plain"}},
		{"compressed", "POST", activate, usable, 415, "content_encoding", "Content-Encoding", []string{"Content-Encoding", "gzip"}},
		{"half an outer form", "POST", activate, `{"card_key":"` + key + `","nonce":"AAECAwQFBgcICQoLDA0ODw"}`, 400, "bad_request", "app_id", nil},
		{"a forged bearer", "POST", activate, usable, 401, "token_invalid", "", []string{"Authorization", good + "x"}},
		{"no bearer", "POST", activate, usable, 401, "sign_in_required", "", []string{"Authorization", ""}},
		{"unknown route", "POST", "/api/v1/card-keys/verifies", usable, 404, "not_found_route", "", nil},
		{"wrong method", "GET", activate, "", 405, "method_not_allowed", "", nil},
		{"foreign cursor", "GET", "/api/v1/card-keys?cursor=" + a.Card.ID, "", 400, "cursor_invalid", "cursor", nil},
		{"announcements of no app", "GET", "/api/v1/announcements", "", 400, "value_required", "app_id", nil},
		{"announcements of another app", "GET", "/api/v1/announcements?app_id=3f0c1f0e-6c0b-4f5e-9d5a-0b8f5b1c2d3e", "", 404, "app_unknown", "app_id", nil},
		{"a negative number", "GET", "/api/v1/announcements?app_id=" + app.UUID.String() + "&after=-1", "", 400, "wrong_type", "after", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := s.state()
			headers := append([]string{"Authorization", good, "Accept-Language", "en"}, c.headers...)
			if c.headers != nil && c.headers[0] == "Authorization" && c.headers[1] == "" {
				headers = headers[2:4]
			}
			r := s.call(c.method, c.path, c.body, headers...)
			want(t, r, c.status, c.code)
			if r.text("field") != c.field || strings.ContainsAny(r.message(), "{}") || r.message() == c.code {
				t.Errorf("the answer is %s, want field %q", r.raw, c.field)
			}
			if strings.Contains(string(r.raw), key) {
				t.Error("the answer repeats the card key")
			}
			if after := s.state(); after != before {
				t.Errorf("the file changed from %s to %s", before, after)
			}
		})
	}
	if strings.Contains(s.log.String(), key) || strings.Contains(s.log.String(), bearer) {
		t.Error("the log has a secret")
	}
}

// state is a sum of what may not change.
func (s *site) state() string {
	s.T.Helper()
	last, err := s.LastEvent()
	s.Must(err)
	all, err := s.Overview(s.Owner)
	s.Must(err)
	raw, err := json.Marshal([]any{last, all.Cards, all.Bound, all.Accounts, all.Apps})
	s.Must(err)
	return string(raw)
}

// A malformed key, an unknown one and another app's get the same answer but for what differs by call.
func TestWrongKeysLookAlike(t *testing.T) {
	s := serve(t)
	app, other := s.App(nil), s.App(nil)
	bearer := s.customer("xiaoyu")
	d := s.device(app, 1)
	var first reply
	for i, key := range []string{"x", "AAAA-BBBB-CCCC-DDDD", s.Keys(other, 1, licensetest.Month)[0]} {
		l := d.letter(activate, m{"card_key": key})
		l.bearer = bearer
		r := d.ask(l, 400, "stop", "card_unknown").reply
		delete(r.body, "verdict")
		if i == 0 {
			first = r
			continue
		}
		got, _ := json.Marshal(r.body)
		want, _ := json.Marshal(first.body)
		if string(got) != string(want) {
			t.Errorf("%s is answered %s, want %s", key, got, want)
		}
	}
}

// try calls a route with nothing in it.
func (s *site) try(r web.Registered, bearer string) reply {
	s.T.Helper()
	var headers []string
	if bearer != "" {
		headers = []string{"Authorization", "Bearer " + bearer}
	}
	body := ""
	if r.Method != "GET" {
		body = "[]"
	}
	return s.call(r.Method, strings.ReplaceAll(r.Path, "{id}", "x"), body, headers...)
}

// Every route of the listener, called as nobody and as a customer.
func TestEveryRouteAsNobodyAndAsCustomer(t *testing.T) {
	s := serve(t)
	bearer := s.customer("xiaoyu")
	for _, r := range s.api.Routes() {
		nobody, customer := s.try(r, ""), s.try(r, bearer)
		if r.Public {
			for _, got := range []reply{nobody, customer} {
				if got.StatusCode == 401 || got.StatusCode == 403 {
					t.Errorf("%s %s is public and answers %d", r.Method, r.Path, got.StatusCode)
				}
			}
			continue
		}
		if nobody.StatusCode != 401 || nobody.code() != "sign_in_required" {
			t.Errorf("%s %s answers nobody %d %s", r.Method, r.Path, nobody.StatusCode, nobody.raw)
		}
		if may := license.RoleCustomer.May(r.Permission); may == (customer.StatusCode == 403) || customer.StatusCode == 401 {
			t.Errorf("%s %s answers a customer %d %s", r.Method, r.Path, customer.StatusCode, customer.raw)
		}
		if r.ID == "logout" {
			bearer = s.signIn("xiaoyu")
		}
	}
}

// Before its first password is changed the first account can do nothing but change it.
func TestEveryRouteBeforeTheChange(t *testing.T) {
	fresh := licensetest.Open(t, t.TempDir()+"/fresh.db", storetest.NewClock(storetest.Start))
	s := serveWith(t, fresh, hub.Options{})
	first := `{"username":"admin","password":"` + license.FirstPassword + `"}`
	for _, r := range s.api.Routes() {
		if r.Public {
			continue
		}
		in := s.call("POST", "/api/v1/auth/login", first)
		want(t, in, 200, "")
		got := s.try(r, in.text("access_token"))
		if refused := got.code() == "password_change_required"; refused == (r.Permission == license.OwnProfile) {
			t.Errorf("%s %s answers %d %s", r.Method, r.Path, got.StatusCode, got.raw)
		}
	}
}
