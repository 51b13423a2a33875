package clientapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"go.uber.org/goleak"

	"goldfish/hub"
	"goldfish/license/clientapi"
	"goldfish/license/licensetest"
	"goldfish/license/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site is an appliance with its client listener, its follower and its hub.
type site struct {
	*licensetest.World
	api  *web.API
	hub  *hub.Hub
	http *httptest.Server
	log  *logged
	doc  routers.Router // finds the operation that a request is for
}

// logged is what the server has written to its log.
type logged struct {
	mu  sync.Mutex
	out bytes.Buffer
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

// serve opens an appliance whose client listener runs until the test's end.
func serve(t *testing.T) *site {
	t.Helper()
	return serveWith(t, licensetest.New(t), hub.Options{})
}

func serveWith(t *testing.T, w *licensetest.World, o hub.Options) *site {
	t.Helper()
	s := &site{World: w, log: &logged{}}
	log := slog.New(slog.NewTextHandler(s.log, nil))
	o.Log = log
	s.api = web.New(web.Options{Authority: s.Authority, Log: log, Release: "test", Server: "http://127.0.0.1:8000"})
	s.hub = hub.New(o)
	client, err := clientapi.New(s.api, s.hub)
	s.Must(err)
	s.describe()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		client.Run(ctx)
	}()
	s.http = httptest.NewUnstartedServer(s.api)
	s.http.Config = web.Server("", s.api)
	s.http.Start()
	t.Cleanup(func() {
		s.http.CloseClientConnections()
		s.http.Close()
		hurry, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = s.hub.Close(hurry)
		stop()
		<-ended
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	})
	return s
}

// describe loads the document that every answer is held against.
func (s *site) describe() {
	raw, err := web.Document(s.api)
	s.Must(err)
	s.api.Describe(raw)
	doc, err := openapi3.NewLoader().LoadFromData(raw)
	s.Must(err)
	doc.Servers = nil
	for _, path := range doc.Paths.Map() {
		path.Servers = nil
	}
	s.Must(doc.Validate(context.Background(), openapi3.IsOpenAPI31OrLater()))
	s.doc, err = legacy.NewRouter(doc, openapi3.IsOpenAPI31OrLater())
	s.Must(err)
}

// reply is an answer, its body read and held against the document.
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

// dataText is a text in data.
func (r reply) dataText(name string) string {
	s, _ := r.data()[name].(string)
	return s
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
	s.wantDocumented(r, out)
	return out
}

// wantDocumented fails the test if an answer of a documented route is not as the document says.
func (s *site) wantDocumented(r *http.Request, out reply) {
	s.T.Helper()
	asked, err := http.NewRequest(r.Method, r.URL.Path, nil)
	s.Must(err)
	route, params, err := s.doc.FindRoute(asked)
	if err != nil {
		return // a path or method that is not there
	}
	err = openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route},
		Status:                 out.StatusCode, Header: out.Header, Body: io.NopCloser(bytes.NewReader(out.raw)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	})
	if err != nil {
		s.T.Errorf("%s %s answers what the document does not say: %d %s\n%v", r.Method, r.URL.Path, out.StatusCode, out.raw, err)
	}
}

// customer registers an account over HTTP and signs it in.
func (s *site) customer(name string) (bearer string) {
	s.T.Helper()
	body := `{"username":"` + name + `","password":"` + licensetest.Password + `"}`
	if r := s.call("POST", "/api/v1/auth/register", body); r.StatusCode != 201 {
		s.T.Fatalf("register: %d %s", r.StatusCode, r.raw)
	}
	return s.signIn(name)
}

func (s *site) signIn(name string) (bearer string) {
	s.T.Helper()
	r := s.call("POST", "/api/v1/auth/login", `{"username":"`+name+`","password":"`+licensetest.Password+`"}`)
	if r.StatusCode != 200 || r.text("access_token") == "" {
		s.T.Fatalf("login: %d %s", r.StatusCode, r.raw)
	}
	return r.text("access_token")
}

// want checks status and code ("" for success).
func want(t testing.TB, r reply, status int, code string) {
	t.Helper()
	if r.StatusCode != status || r.code() != code || r.body["success"] != (code == "") || r.message() == "" {
		t.Fatalf("answer is %d %q, want %d %q: %s", r.StatusCode, r.code(), status, code, r.raw)
	}
}
