package web_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"goldfish/license"
	"goldfish/license/licensetest"
	"goldfish/license/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site is an appliance with one listener.
type site struct {
	*licensetest.World
	api  *web.API
	http *httptest.Server
	log  *logged
}

// logged is what the server has written to its log.
type logged struct {
	mu  sync.Mutex
	out strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.String()
}

// serve opens an appliance whose listener has the routes that register adds.
func serve(t *testing.T, o web.Options, register func(*web.API)) *site {
	t.Helper()
	s := &site{World: licensetest.New(t), log: &logged{}}
	o.Authority = s.Authority
	o.Log = slog.New(slog.NewTextHandler(s.log, nil))
	s.api = web.New(o)
	if register != nil {
		register(s.api)
	}
	s.http = httptest.NewUnstartedServer(s.api)
	s.http.Config = web.Server("", s.api)
	s.http.Start()
	t.Cleanup(func() {
		s.http.CloseClientConnections()
		s.http.Close()
	})
	return s
}

// reply is an answer, its body read.
type reply struct {
	*http.Response
	raw  []byte
	body map[string]any
}

func (r reply) code() string    { return r.text("code") }
func (r reply) message() string { return r.text("message") }

func (r reply) text(name string) string {
	s, _ := r.body[name].(string)
	return s
}

func (r reply) data() map[string]any {
	m, _ := r.body["data"].(map[string]any)
	return m
}

// call sends a request; headers come in pairs. A body makes it JSON unless a header says otherwise.
func (s *site) call(method, path, body string, headers ...string) reply {
	s.T.Helper()
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	r, err := http.NewRequest(method, s.http.URL+path, in)
	s.Must(err)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if strings.EqualFold(headers[i], "Host") {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	return s.do(r)
}

func (s *site) do(r *http.Request) reply {
	s.T.Helper()
	answer, err := http.DefaultTransport.RoundTrip(r)
	s.Must(err)
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	s.Must(err)
	out := reply{Response: answer, raw: raw}
	if strings.Contains(answer.Header.Get("Content-Type"), "json") && len(raw) > 0 {
		if err := json.Unmarshal(raw, &out.body); err != nil {
			s.T.Fatalf("%s %s: %q: %v", r.Method, r.URL.Path, raw, err)
		}
	}
	return out
}

// signIn gives the access token of an account with the tests' password.
func (s *site) signIn(name string) string {
	s.T.Helper()
	tokens, _, err := s.SignIn(s.T.Context(), license.Actor{}, license.SignInIn{Name: name, Password: licensetest.Password})
	s.Must(err)
	return tokens.Access
}

// customer registers an account and signs it in.
func (s *site) customer(name string) string {
	s.T.Helper()
	_, err := s.Register(s.T.Context(), license.Actor{}, license.RegisterIn{Username: name, Password: licensetest.Password})
	s.Must(err)
	return s.signIn(name)
}

// wantProblem checks that an answer is a problem document with this status and code, in the dialect's form.
func wantProblem(t *testing.T, r reply, status int, code string) {
	t.Helper()
	if r.StatusCode != status || r.code() != code {
		t.Fatalf("answer is %d %s, want %d %s: %s", r.StatusCode, r.code(), status, code, r.raw)
	}
	if r.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("Content-Type is %q", r.Header.Get("Content-Type"))
	}
	if r.body["success"] != false || r.text("type") != "about:blank" || r.body["status"] != float64(status) ||
		r.text("title") != http.StatusText(status) || r.message() == "" || r.message() != r.text("detail") || r.message() == code {
		t.Errorf("the problem document is not whole: %s", r.raw)
	}
	if challenge := r.Header.Get("WWW-Authenticate"); (status == 401) != (challenge == "Bearer") {
		t.Errorf("WWW-Authenticate is %q with status %d", challenge, status)
	}
}
