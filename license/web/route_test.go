package web_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"goldfish/license"
	"goldfish/license/fault"
	"goldfish/license/web"
)

type thingIn struct {
	Body struct {
		Name  string         `json:"name" minLength:"2" maxLength:"5"`
		Count int            `json:"count,omitzero" minimum:"1" maximum:"10"`
		Kind  string         `json:"kind,omitzero" enum:"small,large"`
		IDs   []string       `json:"ids,omitzero" maxItems:"2" pattern:"^[a-z]+$"`
		Inner inner          `json:"inner,omitzero"`
		Until web.Time       `json:"until,omitzero"`
		Ext   map[string]any `json:"ext,omitzero"`
	}
}

type inner struct {
	Flag bool `json:"flag,omitzero"`
}

type thingOut struct {
	Name string   `json:"name"`
	At   web.Time `json:"at"`
	Tags []string `json:"tags"`
}

// things are routes of every kind.
func things(a *web.API) {
	web.Route(a, web.Op{
		Method: "POST", Path: "/api/v1/things", ID: "makeThing", Tag: "things", Summary: "things", Public: true, Status: 201,
		MaxBody: 1000,
	}, func(_ *web.Call, in *thingIn) (thingOut, error) {
		return thingOut{Name: in.Body.Name, At: in.Body.Until}, nil
	})
	web.Route(a, web.Op{
		Method: "GET", Path: "/api/v1/things", ID: "listThings", Tag: "things", Summary: "things", Permission: license.OwnProfile,
	}, func(_ *web.Call, in *struct{ web.Page }) (web.List[thingOut], error) {
		return web.List[thingOut]{Items: make([]thingOut, in.Limit)}, nil
	})
	web.Route(a, web.Op{
		Method: "GET", Path: "/api/v1/things/{id}", ID: "getThing", Tag: "things", Summary: "things", Permission: license.ReadApps,
	}, func(c *web.Call, in *struct {
		ID string `path:"id"`
	},
	) (thingOut, error) {
		c.Say("signed_in", nil)
		return thingOut{Name: in.ID}, nil
	})
	web.Route(a, web.Op{
		Method: "GET", Path: "/api/v1/trouble", ID: "trouble", Tag: "things", Summary: "things", Public: true,
	}, func(_ *web.Call, in *struct {
		Kind string `query:"kind"`
	},
	) (thingOut, error) {
		switch in.Kind {
		case "panic":
			panic("a secret in a panic")
		case "plain":
			return thingOut{}, errors.New("a secret in an error")
		case "internal":
			return thingOut{}, fault.New(fault.Internal, "ring_broken").In("secret_field").With("secret", "x")
		}
		return thingOut{}, fault.New(fault.Unavailable, "busy").After(1500e6)
	})
	web.RouteFile(a, web.Op{
		Method: "GET", Path: "/api/v1/file", ID: "file", Tag: "things", Summary: "things", Public: true,
	}, "text/csv", func(_ *web.Call, in *struct {
		Fail int `query:"fail" default:"-1"`
	},
	) (web.File, error) {
		return web.File{Name: "卡密.csv", Type: "text/csv; charset=utf-8", Write: func(w io.Writer) error {
			for i := range 3 {
				if i == in.Fail {
					return fault.New(fault.Conflict, "job_not_running")
				}
				fmt.Fprintf(w, "line %d\n", i)
			}
			return nil
		}}, nil
	})
}

func TestSuccessHasTheEnvelope(t *testing.T) {
	s := serve(t, web.Options{}, things)
	r := s.call("POST", "/api/v1/things", `{"name":"abc","until":"2026-11-23T14:00:00+08:00","ext":{"a":{"b":1}}}`)
	if want := `{"success":true,"message":"完成","data":{"name":"abc","at":"2026-11-23T06:00:00Z","tags":[]}}`; r.StatusCode != 201 || string(r.raw) != want {
		t.Errorf("answer is %d %s, want 201 %s", r.StatusCode, r.raw, want)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
		"X-Frame-Options": "DENY", "Content-Language": "zh", "Vary": "Accept-Language", "Access-Control-Allow-Origin": "",
		"Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if r.Header.Get("X-Request-Id") == "" || !strings.Contains(r.Header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("headers are %v", r.Header)
	}
	if r := s.call("GET", "/api/v1/things/x", "", "Authorization", "Bearer "+s.signIn("admin"), "Accept-Language", "en-GB"); r.message() != "Signed in" {
		t.Errorf("the message that the handler says is %q", r.message())
	}
}

// Each wrong input has its code and its field, and its value is never sent back.
func TestBadInputIsNamed(t *testing.T) {
	s := serve(t, web.Options{}, things)
	for _, c := range []struct {
		name, body  string
		status      int
		code, field string
		headers     []string
	}{
		{"no body", ``, 400, "body_missing", "", nil},
		{"too large", `{"name":"` + strings.Repeat("a", 1000) + `"}`, 413, "body_too_large", "", nil},
		{"content type", `{"name":"abc"}`, 415, "content_type", "Content-Type", []string{"Content-Type", "text/plain"}},
		{"no content type", `{"name":"abc"}`, 415, "content_type", "Content-Type", []string{"Content-Type", ""}},
		{"another charset", `{"name":"abc"}`, 415, "content_type", "Content-Type", []string{"Content-Type", "application/json; charset=gbk"}},
		{"compressed", `{"name":"abc"}`, 415, "content_encoding", "Content-Encoding", []string{"Content-Encoding", "gzip"}},
		{"malformed", `{"name":"s3cret"`, 400, "json_malformed", "", nil},
		{"trailing", `{"name":"abc"} {}`, 400, "json_malformed", "", nil},
		{"invalid UTF-8", "{\"name\":\"ab\xff\"}", 400, "json_malformed", "", nil},
		{"a lone surrogate", `{"name":"ab\ud800"}`, 400, "json_malformed", "", nil},
		{"a name twice", `{"name":"abc","name":"s3cret"}`, 400, "duplicate_field", "name", nil},
		{"an inner name twice", `{"name":"abc","ext":{"a":1,"a":"s3cret"}}`, 400, "duplicate_field", "ext.a", nil},
		{"unknown", `{"name":"abc","nickname":"s3cret"}`, 400, "unknown_field", "nickname", nil},
		{"unknown, with what cannot be shown", "{\"name\":\"abc\",\"nick\\u0000\\u202e\u202ename\":1}", 400, "unknown_field", "nickname", nil},
		{"another case", `{"Name":"s3cret","name":"abc"}`, 400, "unknown_field", "Name", nil},
		{"unknown inside", `{"name":"abc","inner":{"flags":true}}`, 400, "unknown_field", "inner.flags", nil},
		{"wrong type", `{"name":{"s3cret":1}}`, 400, "wrong_type", "name", nil},
		{"wrong type of an item", `{"name":"abc","ids":["a",7]}`, 400, "wrong_type", "ids[1]", nil},
		{"a fraction", `{"name":"abc","count":1.5}`, 400, "wrong_type", "count", nil},
		{"not an object", `["s3cret"]`, 400, "wrong_type", "", nil},
		{"null for text", `{"name":null}`, 400, "wrong_type", "name", nil},
		{"missing", `{}`, 400, "value_required", "name", nil},
		{"too small", `{"name":"abc","count":0}`, 400, "value_range", "count", nil},
		{"too great", `{"name":"abc","count":1e300}`, 400, "value_range", "count", nil},
		{"too short", `{"name":"a"}`, 400, "value_length", "name", nil},
		{"too long", `{"name":"s3cret"}`, 400, "value_length", "name", nil},
		{"too many", `{"name":"abc","ids":["a","b","c"]}`, 400, "value_range", "ids", nil},
		{"pattern", `{"name":"abc","ids":["s3cret"]}`, 400, "value_pattern", "ids[0]", nil},
		{"enum", `{"name":"abc","kind":"s3cret"}`, 400, "value_unknown", "kind", nil},
		{"no time", `{"name":"abc","until":"s3cret"}`, 400, "value_pattern", "until", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, lang := range []string{"zh", "en"} {
				r := s.call("POST", "/api/v1/things", c.body, append(c.headers, "Accept-Language", lang)...)
				wantProblem(t, r, c.status, c.code)
				if r.text("field") != c.field {
					t.Errorf("field is %q, want %q", r.text("field"), c.field)
				}
				if strings.Contains(string(r.raw), "s3cret") || strings.ContainsAny(r.message(), "{}") {
					t.Errorf("the answer tells the value, or a gap is open: %s", r.raw)
				}
			}
		})
	}
	if out := s.log.String(); strings.Contains(out, "s3cret") {
		t.Errorf("a value is in the log: %s", out)
	}
}

func TestSeveralFaultsAreAllTold(t *testing.T) {
	s := serve(t, web.Options{}, things)
	r := s.call("POST", "/api/v1/things", `{"name":"a","count":0,"kind":"x"}`)
	wantProblem(t, r, 400, "value_range")
	var got []string
	for _, e := range r.body["errors"].([]any) {
		m := e.(map[string]any)
		got = append(got, fmt.Sprint(m["field"], " ", m["code"]))
		if m["message"] == "" {
			t.Errorf("no message: %v", m)
		}
	}
	if want := "count value_range,kind value_unknown,name value_length"; strings.Join(got, ",") != want {
		t.Errorf("errors are %v, want %s", got, want)
	}
}

func TestQueryIsJudged(t *testing.T) {
	s := serve(t, web.Options{}, things)
	bearer := "Bearer " + s.signIn("admin")
	for query, want := range map[string]string{
		"limit=0": "value_range limit", "limit=201": "value_range limit", "limit=x": "wrong_type limit",
		"colour=red": "unknown_parameter colour", "cursor=" + strings.Repeat("c", 65): "value_length cursor",
	} {
		r := s.call("GET", "/api/v1/things?"+query, "", "Authorization", bearer)
		if got := r.code() + " " + r.text("field"); r.StatusCode != 400 || got != want {
			t.Errorf("%s: %d %s, want 400 %s", query, r.StatusCode, got, want)
		}
	}
	if r := s.call("GET", "/api/v1/things", "", "Authorization", bearer); len(r.data()["items"].([]any)) != 50 {
		t.Errorf("a page without a limit: %s", r.raw)
	}
}

func TestRoutesThatAreNot(t *testing.T) {
	s := serve(t, web.Options{}, things)
	for _, path := range []string{"/nothing", "/api/v1/things/", "/API/v1/things", "/api/v1//things", "/api/v1/things/a/b"} {
		wantProblem(t, s.call("GET", path, ""), 404, "not_found_route")
	}
	r := s.call("PUT", "/api/v1/things", "{}")
	wantProblem(t, r, 405, "method_not_allowed")
	if allow := r.Header.Get("Allow"); allow != "GET, HEAD, OPTIONS, POST" {
		t.Errorf("Allow is %q", allow)
	}
	r = s.call("OPTIONS", "/api/v1/things", "", "Origin", "https://evil.example", "Access-Control-Request-Method", "POST")
	if r.StatusCode != 204 || r.Header.Get("Allow") == "" || r.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("OPTIONS is answered %d %v", r.StatusCode, r.Header)
	}
	if r := s.call("HEAD", "/api/v1/trouble", ""); r.StatusCode != 503 || len(r.raw) != 0 || r.Header.Get("Retry-After") != "2" {
		t.Errorf("HEAD is answered %d %v", r.StatusCode, r.Header)
	}
	wantProblem(t, s.call("TRACE", "/api/v1/things", ""), 405, "method_not_allowed")
}

// What is ours to repair tells the caller nothing but that; the log has the cause and the request's id.
func TestInternalErrorsTellNothing(t *testing.T) {
	s := serve(t, web.Options{}, things)
	for _, kind := range []string{"panic", "plain", "internal"} {
		r := s.call("GET", "/api/v1/trouble?kind="+kind, "")
		wantProblem(t, r, 500, "internal")
		if strings.Contains(string(r.raw), "secret") || r.text("field") != "" {
			t.Errorf("%s: the caller is told %s", kind, r.raw)
		}
		if !strings.Contains(s.log.String(), "request="+r.Header.Get("X-Request-Id")) {
			t.Errorf("%s: the log does not name the request", kind)
		}
	}
	for _, cause := range []string{"a secret in a panic", "a secret in an error", "ring_broken", "route_test.go"} {
		if !strings.Contains(s.log.String(), cause) {
			t.Errorf("the log has no %q", cause)
		}
	}
}

func TestFilesAreWholeOrCut(t *testing.T) {
	s := serve(t, web.Options{}, things)
	r := s.call("GET", "/api/v1/file", "")
	if string(r.raw) != "line 0\nline 1\nline 2\n" || r.Header.Get("Content-Type") != "text/csv; charset=utf-8" ||
		r.Header.Get("Content-Disposition") != "attachment; filename*=utf-8''%E5%8D%A1%E5%AF%86.csv" {
		t.Errorf("the file is %q with %v", r.raw, r.Header)
	}
	wantProblem(t, s.call("GET", "/api/v1/file?fail=0", ""), 409, "job_not_running")
	req, err := http.NewRequest("GET", s.http.URL+"/api/v1/file?fail=2", nil)
	s.Must(err)
	answer, err := http.DefaultTransport.RoundTrip(req)
	if err == nil {
		defer answer.Body.Close()
		_, err = io.ReadAll(answer.Body)
	}
	if err == nil {
		t.Error("half a file looks like a whole one")
	}
}

func TestRequestLogHasNoSecrets(t *testing.T) {
	s := serve(t, web.Options{}, things)
	token := s.signIn("admin")
	s.call("GET", "/api/v1/things/s3cret?x=s3cret", "", "Authorization", "Bearer "+token, "Cookie", "goldfish_refresh=s3cret", "User-Agent", "s3cret")
	s.Await("the log line", func() bool { return strings.Contains(s.log.String(), "route=/api/v1/things/{id}") })
	if out := s.log.String(); strings.Contains(out, "s3cret") || strings.Contains(out, token) || !strings.Contains(out, "method=GET") ||
		!strings.Contains(out, "status=400") || !strings.Contains(out, "address=127.0.0.1") || !strings.Contains(out, "took=") {
		t.Errorf("the log is %s", out)
	}
}

func TestRouteWithoutPermissionPanics(t *testing.T) {
	for _, op := range []web.Op{
		{Method: "GET", Path: "/a", ID: "a"},
		{Method: "GET", Path: "/a", ID: "a", Public: true, Permission: license.ReadApps},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%+v was taken", op)
				}
			}()
			web.Handle(web.New(web.Options{}), op, func(*web.Call) {})
		}()
	}
}
