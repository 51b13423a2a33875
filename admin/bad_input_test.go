package admin

import (
	"net/url"
	"strings"
	"testing"

	"goldfish/license"
	"goldfish/license/licensetest"
)

// wrong is a call that must be refused in words and change nothing.
type wrong struct {
	name, method, path string
	body               any
	status             int
	code, field        string
}

type o = map[string]any

func (d *desk) refused(t *testing.T, cases []wrong) {
	t.Helper()
	before := d.state()
	for _, c := range cases {
		a := d.ask(c.method, adminPath+c.path, d.owner, c.body, "Accept-Language", "en")
		field, _ := a.body["field"].(string)
		message, _ := a.body["message"].(string)
		if a.status != c.status || a.code() != c.code || field != c.field {
			t.Errorf("%s: %d %s %q, want %d %s %q: %s", c.name, a.status, a.code(), field, c.status, c.code, c.field, a.raw)
		}
		if message == "" || message == c.code || !strings.Contains(message, " ") || a.body["success"] != false || a.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: it says %q: %s", c.name, message, a.raw)
		}
		if after := d.state(); after != before {
			t.Fatalf("%s changed something: %s, then %s", c.name, before, after)
		}
	}
}

func TestBadBatches(t *testing.T) {
	d := newDesk(t)
	app := d.newApp("x")
	order := func(change o) o {
		body := o{"app_id": app, "count": 10, "validity": o{"kind": "permanent"}}
		for k, v := range change {
			if v == nil {
				delete(body, k)
			} else {
				body[k] = v
			}
		}
		return body
	}
	cases := []wrong{
		{"count 0", "POST", "", order(o{"count": 0}), 400, "value_range", "count"},
		{"count −1", "POST", "", order(o{"count": -1}), 400, "value_range", "count"},
		{"count 1,000,001", "POST", "", order(o{"count": 1_000_001}), 400, "value_range", "count"},
		{"a count in text", "POST", "", order(o{"count": "10"}), 400, "wrong_type", "count"},
		{"a broken count", "POST", "", order(o{"count": 1.5}), 400, "wrong_type", "count"},
		{"no count", "POST", "", order(o{"count": nil}), 400, "value_required", "count"},
		{"no app", "POST", "", order(o{"app_id": nil}), 400, "value_required", "app_id"},
		{"an app that is not there", "POST", "", order(o{"app_id": "3f0c1f0e-6c0b-4f5e-9d5a-0b8f5b1c2d3e"}), 404, "app_unknown", "app_id"},
		{"an app id that is none", "POST", "", order(o{"app_id": "x"}), 404, "app_unknown", "app_id"},
		{"a validity that is none", "POST", "", order(o{"validity": o{"kind": "forever"}}), 400, "value_unknown", "validity.kind"},
		{"a duration of 0", "POST", "", order(o{"validity": o{"kind": "duration"}}), 400, "value_range", "validity.seconds"},
		{"a duration of two centuries", "POST", "", order(o{"validity": o{"kind": "duration", "seconds": 1 << 33}}), 400, "value_range", "validity.seconds"},
		{"until the past", "POST", "", order(o{"validity": o{"kind": "until", "until": "2020-01-01T00:00:00Z"}}), 400, "until_past", "validity.until"},
		{"until no date", "POST", "", order(o{"validity": o{"kind": "until", "until": "tomorrow"}}), 400, "value_pattern", "validity.until"},
		{"until nothing", "POST", "", order(o{"validity": o{"kind": "until"}}), 400, "until_past", "validity.until"},
		{"0 devices", "POST", "", order(o{"devices": 0}), 400, "value_range", "devices"},
		{"1,001 devices", "POST", "", order(o{"devices": 1001}), 400, "value_range", "devices"},
		{"a tier with a blank", "POST", "", order(o{"tier": "a b"}), 400, "value_pattern", "tier"},
		{"33 features", "POST", "", order(o{"features": strings.Split(strings.Repeat("a,", 32)+"a", ",")}), 400, "value_range", "features"},
		{"a feature of no characters", "POST", "", order(o{"features": []string{""}}), 400, "value_pattern", "features"},
		{"a long name", "POST", "", order(o{"name": strings.Repeat("字", 81)}), 400, "text_too_long", "name"},
		{"a name with a control character", "POST", "", order(o{"name": "a\x01"}), 400, "text_invalid", "name"},
		{"a note with a bidirectional override", "POST", "", order(o{"note": "a\u202eb"}), 400, "text_invalid", "note"},
		{"an unknown member", "POST", "", order(o{"colour": "red"}), 400, "unknown_field", "colour"},
		{"another case", "POST", "", order(o{"Name": "x"}), 400, "unknown_field", "Name"},
		{"a member twice", "POST", "", `{"app_id":"` + app + `","count":1,"count":2,"validity":{"kind":"permanent"}}`, 400, "duplicate_field", "count"},
		{"no JSON", "POST", "", `{"count":`, 400, "json_malformed", ""},
		{"a list", "POST", "", `[]`, 400, "wrong_type", ""},
		{"an empty body", "POST", "", nil, 400, "body_missing", ""},
		{"a huge body", "POST", "", `{"note":"` + strings.Repeat("x", 70_000) + `"}`, 413, "body_too_large", ""},
		{"a list of an app that is not there", "GET", "?app_id=x", nil, 404, "app_unknown", "app_id"},
		{"a cursor that is none", "GET", "?cursor=x", nil, 400, "cursor_invalid", "cursor"},
		{"a page of 0", "GET", "?limit=0", nil, 400, "value_range", "limit"},
		{"a page of 201", "GET", "?limit=201", nil, 400, "value_range", "limit"},
		{"a limit that is no number", "GET", "?limit=many", nil, 400, "wrong_type", "limit"},
		{"an unknown parameter", "GET", "?colour=red", nil, 400, "unknown_parameter", "colour"},
	}
	for i := range cases {
		cases[i].path = "/batches" + cases[i].path
	}
	d.refused(t, cases)
}

func TestBadApps(t *testing.T) {
	d := newDesk(t)
	app := "/apps/" + d.newApp("x")
	policy := func(change o) o {
		p := o{"device_tolerance": "exact", "grace_days": 7, "heartbeat_seconds": 300, "device_key": "required"}
		for k, v := range change {
			p[k] = v
		}
		return o{"policy": p}
	}
	name := o{"zh": "x"}
	d.refused(t, []wrong{
		{"no name", "POST", "/apps", o{}, 400, "value_required", "name"},
		{"a name in no language", "POST", "/apps", o{"name": o{}}, 400, "text_required", "name"},
		{"a blank name", "POST", "/apps", o{"name": o{"zh": "  "}}, 400, "text_required", "name"},
		{"a long name", "POST", "/apps", o{"name": o{"en": strings.Repeat("x", 81)}}, 400, "text_too_long", "name.en"},
		{"a name of another language", "POST", "/apps", o{"name": o{"fr": "x"}}, 400, "unknown_field", "name.fr"},
		{"a name that is text", "POST", "/apps", o{"name": "x"}, 400, "wrong_type", "name"},
		{"a long description", "POST", "/apps", o{"name": name, "description": o{"zh": strings.Repeat("x", 2001)}}, 400, "text_too_long", "description.zh"},
		{"a state that is none", "PATCH", app, o{"state": "sleeping"}, 400, "value_unknown", "state"},
		{"a tolerance that is none", "PATCH", app, policy(o{"device_tolerance": "some"}), 400, "value_unknown", "policy.device_tolerance"},
		{"−1 days", "PATCH", app, policy(o{"grace_days": -1}), 400, "value_range", "policy.grace_days"},
		{"91 days", "PATCH", app, policy(o{"grace_days": 91}), 400, "value_range", "policy.grace_days"},
		{"a beat of 29 s", "PATCH", app, policy(o{"heartbeat_seconds": 29}), 400, "value_range", "policy.heartbeat_seconds"},
		{"a beat of 3,601 s", "PATCH", app, policy(o{"heartbeat_seconds": 3601}), 400, "value_range", "policy.heartbeat_seconds"},
		{"half a policy", "PATCH", app, o{"policy": o{"grace_days": 1}}, 400, "value_required", "policy.device_key"},
		{"an app that is not there", "PATCH", "/apps/3f0c1f0e-6c0b-4f5e-9d5a-0b8f5b1c2d3e", o{"state": "disabled"}, 404, "app_unknown", "app_id"},
		{"an id that is none", "GET", "/apps/x", nil, 404, "app_unknown", "app_id"},
		{"a sample of nothing", "GET", "/apps/x/sample", nil, 404, "app_unknown", "app_id"},
	})
}

func TestBadCardsAndForeignIDs(t *testing.T) {
	d := newDesk(t)
	app := d.newApp("x")
	batch := d.newBatch(app, 3, nil)
	card := d.get(adminPath + "/cards").text("items.0.id")
	job := d.get(adminPath + "/jobs").text("items.0.id")
	many := strings.Split(strings.Repeat(card+",", 500)+card, ",")
	d.refused(t, []wrong{
		{"a state that is none", "GET", "/cards?state=lost", nil, 400, "value_unknown", "state"},
		{"a key of another form", "POST", "/cards/find", o{"key": "123"}, 400, "card_key_form", "key"},
		{"a long key", "POST", "/cards/find", o{"key": strings.Repeat("A", 129)}, 400, "value_length", "key"},
		{"no key", "POST", "/cards/find", o{"key": ""}, 400, "card_key_form", "key"},
		{"a key in the address", "GET", "/cards?key=ABCD-EFGH-JKLM-NPQR", nil, 400, "unknown_parameter", "key"},
		{"the cursor of another list", "GET", "/cards?cursor=" + job, nil, 400, "cursor_invalid", "cursor"},
		{"a batch that is none", "GET", "/cards?batch_id=x", nil, 404, "not_found", "batch_id"},
		{"a card as a batch", "GET", "/cards?batch_id=" + card, nil, 404, "not_found", "batch_id"},
		{"a card id that is none", "GET", "/cards/x", nil, 404, "not_found", ""},
		{"a batch as a card", "GET", "/cards/" + batch, nil, 404, "not_found", ""},
		{"a long id", "GET", "/cards/" + strings.Repeat("A", 65), nil, 400, "value_length", "id"},
		{"a changed id", "GET", "/cards/" + card[:21] + other(card[21:]), nil, 404, "not_found", ""},
		{"a card as a job", "GET", "/jobs/" + card, nil, 404, "not_found", ""},
		{"a job that is over", "POST", "/jobs/" + job + "/cancel", o{}, 409, "job_not_running", ""},
		{"a card as a device", "GET", "/devices/" + card, nil, 404, "not_found", ""},
		{"a device of no card", "GET", "/devices?card_id=x", nil, 404, "not_found", "card_id"},
		{"neither on- nor offline", "GET", "/devices?online=maybe", nil, 400, "value_unknown", "online"},
		{"a card as an announcement", "POST", "/announcements/" + card + "/publish", o{}, 404, "not_found", ""},
		{"no ids", "POST", "/cards/disable", o{"ids": []string{}}, 400, "value_range", "ids"},
		{"501 ids", "POST", "/cards/delete", o{"ids": many}, 400, "value_range", "ids"},
		{"ids that are numbers", "POST", "/cards/enable", o{"ids": []int{1}}, 400, "wrong_type", "ids[0]"},
		{"a long reason", "POST", "/cards/disable", o{"ids": []string{card}, "reason": strings.Repeat("x", 201)}, 400, "text_too_long", "reason"},
		{"a format that is none", "GET", "/exports/cards?format=xlsx", nil, 400, "value_unknown", "format"},
		{"an export of no batch", "GET", "/exports/cards?batch_id=x", nil, 404, "not_found", "batch_id"},
		{"a role that is none", "GET", "/accounts?role=king", nil, 400, "value_unknown", "role"},
		{"a long query", "GET", "/accounts?q=" + strings.Repeat("x", 255), nil, 400, "value_length", "q"},
		{"a query with a control character", "GET", "/accounts?q=" + url.QueryEscape("a\x00"), nil, 400, "text_invalid", "q"},
		{"another method", "PUT", "/cards/" + card, o{}, 405, "method_not_allowed", ""},
		{"no route", "GET", "/nothing", nil, 404, "not_found_route", ""},
		{"no route above", "GET", "/cards/" + card + "/more", nil, 404, "not_found_route", ""},
	})
}

// other gives another letter.
func other(letter string) string {
	if letter == "A" {
		return "Q"
	}
	return "A"
}

func TestBadAnnouncements(t *testing.T) {
	d := newDesk(t)
	text := func(change o) o {
		body := o{"app_ids": []string{}, "type": "notice", "priority": "low", "title": o{"zh": "t"}, "body": o{"zh": "b"}}
		for k, v := range change {
			body[k] = v
		}
		return body
	}
	draft := "/announcements/" + d.want(201, "POST", adminPath+"/announcements", text(nil)).text("id")
	d.refused(t, []wrong{
		{"no app", "POST", "/announcements", text(o{"app_ids": []string{"x"}}), 404, "app_unknown", "app_ids"},
		{"a type that is none", "POST", "/announcements", text(o{"type": "joke"}), 400, "value_unknown", "type"},
		{"a priority that is none", "POST", "/announcements", text(o{"priority": 1}), 400, "wrong_type", "priority"},
		{"no title", "POST", "/announcements", text(o{"title": o{}}), 400, "text_required", "title"},
		{"a title of two lines", "POST", "/announcements", text(o{"title": o{"zh": "a\nb"}}), 400, "text_invalid", "title.zh"},
		{"a long text", "POST", "/announcements", text(o{"body": o{"en": strings.Repeat("x", 5001)}}), 400, "text_too_long", "body.en"},
		{"an end in the past", "POST", "/announcements", text(o{"expires_at": "2020-01-01T00:00:00Z"}), 400, "until_past", "expires_at"},
		{"a change to nothing", "PATCH", draft, text(o{"body": o{"zh": " "}}), 400, "text_required", "body"},
		{"publishing by a change", "PATCH", draft, text(o{"publish": true}), 400, "unknown_field", "publish"},
		{"withdrawing a draft", "POST", draft + "/withdraw", o{}, 409, "announcement_not_published", ""},
	})
}

func TestHostsAndOriginsThatAreNotOurs(t *testing.T) {
	d := newDesk(t)
	for host, status := range map[string]int{
		"127.0.0.1:8990": 200, "localhost": 200, "localhost.:8990": 200, "[::1]:8990": 200, "evil.example": 421, "127.0.0.1.evil.example:8990": 421,
		"192.168.1.5:8990": 421, "": 200, // the listener's own
	} {
		headers := []string{}
		if host != "" {
			headers = []string{"Host", host}
		}
		a := d.ask("GET", "/healthz", "", nil, headers...)
		if a.status != status || status == 421 && (a.code() != "host_refused" || a.body["message"] == "host_refused") {
			t.Errorf("%s: %d %s", host, a.status, a.raw)
		}
	}
	if a := d.ask("POST", adminPath+"/apps", d.owner, o{"name": o{"zh": "x"}}, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"); a.status != 403 || a.code() != "origin_refused" {
		t.Errorf("another site's page: %d %s", a.status, a.raw)
	}
	for listen, hosts := range map[string]map[string]bool{
		"0.0.0.0": {"192.168.1.5": true, "evil.example": false, "localhost": true}, "": {"10.0.0.1:1": true, "x": false},
		"console.lan": {"console.lan:8990": true, "CONSOLE.LAN": true, "other.lan": false, "10.0.0.1": false}, "192.168.1.5": {"192.168.1.5": true, "127.0.0.1": true, "10.0.0.1": false},
	} {
		for host, want := range hosts {
			open := listen == "" || listen == "0.0.0.0"
			if got := hostAllowed(host, listen, open); got != want {
				t.Errorf("listening at %q, the host %q is allowed: %v", listen, host, got)
			}
		}
	}
}

func TestNoSecretInTheLogOrAnAnswer(t *testing.T) {
	d := newDesk(t)
	app := d.World.App(nil)
	keys := d.Keys(app, 1, licensetest.Month)
	_, err := d.World.Device(app, 1).Activate(d.Customer(), keys[0], nil)
	d.Must(err)
	for _, r := range d.api.Routes() {
		if r.Method != "GET" || !strings.HasPrefix(r.Path, adminPath) || strings.Contains(r.Path, "{id}") || r.ID == "live" {
			continue
		}
		text := string(d.ask("GET", r.Path, d.owner, nil).raw)
		for _, key := range app.Keys {
			if strings.Contains(text, string(key.Seed)) {
				t.Errorf("%s gives away a signing key", r.Path)
			}
		}
		for _, secret := range []string{licensetest.Password, license.FirstPassword, d.owner, "$2a$"} {
			if strings.Contains(text, secret) {
				t.Errorf("%s gives away a secret", r.Path)
			}
		}
		if r.Path != adminPath+"/cards" && r.Path != adminPath+"/exports/cards" && strings.Contains(text, keys[0]) {
			t.Errorf("%s gives away a card key", r.Path)
		}
	}
}
