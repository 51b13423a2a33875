package web_test

import (
	"bytes"
	"net/http"
	"os"
	"strings"
	"testing"

	"goldfish/license/web"
)

func standing(a *web.API) {
	web.RegisterStanding(a)
	web.RegisterSDK(a)
	things(a)
}

func TestHealth(t *testing.T) {
	s := serve(t, web.Options{}, standing)
	for _, path := range []string{"/healthz", "/readyz"} {
		if r := s.call("GET", path, ""); r.StatusCode != 200 || r.data()["state"] != "ok" {
			t.Errorf("%s: %d %s", path, r.StatusCode, r.raw)
		}
	}
	s.Must(s.Close())
	if r := s.call("GET", "/healthz", ""); r.StatusCode != 200 {
		t.Errorf("the process lives, and says %d", r.StatusCode)
	}
	wantProblem(t, s.call("GET", "/readyz", ""), 503, "not_ready")
}

func TestSDKIsServed(t *testing.T) {
	s := serve(t, web.Options{}, standing)
	for path, file := range map[string]string{
		"/sdk/goldfish.py": "sdk/python/goldfish.py", "/sdk/vectors.json": "sdk/vectors.json", "/sdk/sample_app.py": "sdk/python/sample_app.py",
	} {
		want, err := os.ReadFile("../../assets/" + file)
		s.Must(err)
		if r := s.call("GET", path, ""); r.StatusCode != 200 || !bytes.Equal(r.raw, want) {
			t.Errorf("%s: %d with %d bytes, want %d", path, r.StatusCode, len(r.raw), len(want))
		}
	}
	if r := s.call("GET", "/sdk/goldfish.py", "", "Range", "bytes=0-9"); r.StatusCode != 206 || len(r.raw) != 10 {
		t.Errorf("a range: %d with %d bytes", r.StatusCode, len(r.raw))
	}
	wantProblem(t, s.call("GET", "/sdk/../i18n/zh.json", ""), 404, "not_found_route")
}

func TestFallbackStandsOutsideTheAPI(t *testing.T) {
	s := serve(t, web.Options{Fallback: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", "script-src 'nonce-x'")
		_, _ = w.Write([]byte("page"))
	})}, standing)
	for _, path := range []string{"/", "/apps/1", "/apix", "/sdks"} {
		if r := s.call("GET", path, ""); string(r.raw) != "page" || r.Header.Get("Content-Security-Policy") != "script-src 'nonce-x'" {
			t.Errorf("%s: %d %s", path, r.StatusCode, r.raw)
		}
	}
	for _, path := range []string{"/api", "/api/", "/api/v1/nothing", "/sdk/", "/sdk/goldfish.pyc"} {
		wantProblem(t, s.call("GET", path, ""), 404, "not_found_route")
	}
	wantProblem(t, s.call("POST", "/", "{}"), 404, "not_found_route")
}

func TestDocumentIsWhatItServes(t *testing.T) {
	s := serve(t, web.Options{Release: "1.2.3", Server: "http://127.0.0.1:8000"}, standing)
	wantProblem(t, s.call("GET", "/api/openapi.json", ""), 404, "not_found_route")
	second := web.New(web.Options{Authority: s.Authority, Release: "1.2.3", Server: "http://127.0.0.1:8990"})
	web.RegisterStanding(second)
	web.RegisterSignIn(second, false)
	doc, err := web.Document(s.api, second)
	s.Must(err)
	for range 5 {
		again, err := web.Document(s.api, second)
		s.Must(err)
		if !bytes.Equal(doc, again) {
			t.Fatal("the same routes give other bytes")
		}
	}
	s.api.Describe(doc)
	r := s.call("GET", "/api/openapi.json", "")
	if r.StatusCode != 200 || !bytes.Equal(r.raw, doc) || r.text("openapi") != "3.1.0" {
		t.Fatalf("openapi.json: %d %.200s", r.StatusCode, r.raw)
	}
	paths := r.body["paths"].(map[string]any)
	for path, servers := range map[string]int{"/healthz": 2, "/api/v1/things": 1, "/api/v1/auth/login": 1} {
		item, _ := paths[path].(map[string]any)
		if got, _ := item["servers"].([]any); len(got) != servers {
			t.Errorf("%s is at %v", path, item["servers"])
		}
	}
	things := paths["/api/v1/things"].(map[string]any)
	if security := things["get"].(map[string]any)["security"]; security == nil {
		t.Error("a route that needs a sign-in does not say so")
	}
	if strings.Contains(string(doc), "$schema") || strings.Contains(string(doc), "\"422\"") {
		t.Error("the document has what this dialect does not")
	}
}

// clash registers a shape under a name that another one has.
func TestTwoShapesUnderOneName(t *testing.T) {
	s := serve(t, web.Options{}, standing)
	second := web.New(web.Options{Authority: s.Authority})
	type thingOut struct {
		Other string `json:"other"`
	}
	web.Route(second, web.Op{Method: "GET", Path: "/x", ID: "x", Tag: "x", Public: true}, func(*web.Call, *struct{}) (thingOut, error) { return thingOut{}, nil })
	if _, err := web.Document(s.api, second); err == nil {
		t.Error("two shapes are called Thing")
	}
}

func TestRoutesAreListed(t *testing.T) {
	s := serve(t, web.Options{}, standing)
	for _, r := range s.api.Routes() {
		if r.Public == (r.Permission != "") || r.Method == "" || !strings.HasPrefix(r.Path, "/") || r.ID == "" {
			t.Errorf("route %+v", r)
		}
	}
	if n := len(s.api.Routes()); n != 11 {
		t.Errorf("%d routes", n)
	}
}
