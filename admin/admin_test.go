package admin

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"go.uber.org/goleak"

	"goldfish/admin/backup"
	"goldfish/hub"
	"goldfish/license"
	"goldfish/license/licensetest"
	"goldfish/license/web"
)

// builtIn is a folder that goes when all tests have run.
var builtIn string

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(builtIn)
		os.Exit(code)
	}))
}

// desk is a console on a real listener, over an appliance whose owner has changed its first password.
type desk struct {
	*licensetest.World
	t      *testing.T
	api    *web.API
	hub    *hub.Hub
	server *httptest.Server
	doc    routers.Router // finds the operation that a request is for
	owner  string         // an access token
	keeper *backup.Keeper
	asked  []string // works on the closed file, as they were asked for; none is done
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{World: licensetest.New(t), t: t}
	d.serve()
	d.owner = d.signIn("admin", licensetest.Password)
	return d
}

// serve brings the console up until the test ends.
func (d *desk) serve() {
	d.t.Helper()
	pages, err := Pages()
	d.Must(err)
	d.api = web.New(web.Options{Authority: d.Authority, Clock: d.Clock.Now, Release: "test", Fallback: pages, Server: "http://127.0.0.1:8990"})
	d.hub = hub.New(hub.Options{})
	opened := license.Options{Clock: d.Clock.Now, Rand: rand.Reader, MachineKey: licensetest.MachineKey, Release: "test"}
	d.keeper, err = backup.NewKeeper(d.Authority, opened, filepath.Join(filepath.Dir(d.Path), "backups"))
	d.Must(err)
	c, err := New(d.api, Options{
		Hub: d.hub, Release: "test", Started: d.Clock.Now(), DataFile: d.Path,
		ConsoleURL: "http://127.0.0.1:8990", ClientURL: "http://127.0.0.1:8000", Backups: d.keeper,
		Exchange: func(work string, _ func() error) error { d.asked = append(d.asked, work); return nil },
	})
	d.Must(err)
	d.describe()
	ctx, stop := context.WithCancel(context.Background())
	var ran sync.WaitGroup
	ran.Go(func() { c.Run(ctx) })
	ran.Go(func() { d.keeper.Run(ctx) })
	d.server = httptest.NewServer(Hosts("127.0.0.1", d.api))
	d.t.Cleanup(func() {
		short, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		d.server.CloseClientConnections()
		d.server.Close()
		d.Must(d.hub.Close(short))
		stop()
		ran.Wait()
	})
}

// describe loads the document that every answer is held against.
func (d *desk) describe() {
	raw, err := web.Document(d.api)
	d.Must(err)
	d.api.Describe(raw)
	doc, err := openapi3.NewLoader().LoadFromData(raw)
	d.Must(err)
	doc.Servers = nil
	for _, path := range doc.Paths.Map() {
		path.Servers = nil
	}
	d.Must(doc.Validate(context.Background(), openapi3.IsOpenAPI31OrLater()))
	d.doc, err = legacy.NewRouter(doc, openapi3.IsOpenAPI31OrLater())
	d.Must(err)
}

// documented fails the test if an answer of a documented route is not as the document says.
func (d *desk) documented(r *http.Request, a answer) {
	d.t.Helper()
	asked, err := http.NewRequestWithContext(d.t.Context(), r.Method, r.URL.Path, http.NoBody)
	d.Must(err)
	route, params, err := d.doc.FindRoute(asked)
	if err != nil || a.status == http.StatusMisdirectedRequest {
		return // a path or method that is not there, or a host that is not ours
	}
	err = openapi3filter.ValidateResponse(d.t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route},
		Status:                 a.status, Header: a.header, Body: io.NopCloser(bytes.NewReader(a.raw)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	})
	if err != nil {
		d.t.Errorf("%s %s answers what the document does not say: %d %.300s\n%.600s", r.Method, r.URL.Path, a.status, a.raw, err)
	}
}

// answer is one answer with its body, decoded where it is JSON.
type answer struct {
	status int
	header http.Header
	raw    []byte
	body   map[string]any
}

func (a answer) code() string {
	code, _ := a.body["code"].(string)
	return code
}

// data reads a member of the envelope's data by its path, such as "items.0.id".
func (a answer) data(path string) any { return dig(a.body["data"], path) }

func (a answer) text(path string) string {
	s, _ := a.data(path).(string)
	return s
}

func (a answer) number(path string) int {
	n, ok := a.data(path).(float64)
	if !ok {
		return -1
	}
	return int(n)
}

func dig(v any, path string) any {
	if path == "" {
		return v
	}
	name, rest, _ := strings.Cut(path, ".")
	switch at := v.(type) {
	case map[string]any:
		return dig(at[name], rest)
	case []any:
		var i int
		if _, err := fmt.Sscan(name, &i); err == nil && i < len(at) {
			return dig(at[i], rest)
		}
	}
	return nil
}

// ask sends one request. body is a value to be written as JSON, a string as it is, or nil.
func (d *desk) ask(method, path, token string, body any, headers ...string) answer {
	d.t.Helper()
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		d.Must(err)
		reader = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(d.t.Context(), method, d.server.URL+path, reader)
	d.Must(err)
	if reader != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := d.server.Client().Do(req)
	d.Must(err)
	defer res.Body.Close()
	a := answer{status: res.StatusCode, header: res.Header}
	a.raw, err = io.ReadAll(res.Body)
	d.Must(err)
	if strings.Contains(res.Header.Get("Content-Type"), "json") {
		d.Must(json.Unmarshal(a.raw, &a.body))
	}
	d.documented(req, a)
	if message, _ := a.body["message"].(string); a.body["success"] != nil && strings.Trim(message, "abcdefghijklmnopqrstuvwxyz_.") == "" {
		d.t.Errorf("%s %s says %q", method, path, message) // a code without a sentence
	}
	return a
}

// get and post are the owner's, and must succeed with a status.
func (d *desk) get(path string) answer { d.t.Helper(); return d.want(200, "GET", path, nil) }

func (d *desk) want(status int, method, path string, body any) answer {
	d.t.Helper()
	a := d.ask(method, path, d.owner, body)
	if a.status != status {
		d.t.Fatalf("%s %s: %d %s", method, path, a.status, a.raw)
	}
	return a
}

func (d *desk) signIn(name, password string) string {
	d.t.Helper()
	a := d.ask("POST", "/api/v1/auth/login", "", map[string]any{"username": name, "password": password})
	token, _ := a.body["access_token"].(string)
	if token == "" {
		d.t.Fatalf("sign-in of %s: %d %s", name, a.status, a.raw)
	}
	return token
}

const adminPath = "/api/v1/admin"

// newApp makes an app and gives its id.
func (d *desk) newApp(name string) string {
	d.t.Helper()
	return d.want(201, "POST", adminPath+"/apps", map[string]any{"name": map[string]string{"zh": name}}).text("id")
}

// newBatch orders keys of 30 days and waits until they are there.
func (d *desk) newBatch(app string, count int, more map[string]any) string {
	d.t.Helper()
	body := map[string]any{"app_id": app, "count": count, "validity": map[string]any{"kind": "duration", "seconds": 30 * 86400}}
	for k, v := range more {
		body[k] = v
	}
	a := d.want(202, "POST", adminPath+"/batches", body)
	d.Await("the batch", func() bool { return d.get(adminPath+"/jobs/"+a.text("job.id")).text("state") == "done" })
	return a.text("batch.id")
}

// state is everything that must not change by a refused call.
func (d *desk) state() string {
	d.t.Helper()
	rows, faults := d.DB().Check()
	if len(faults) > 0 {
		d.t.Fatalf("%v", faults)
	}
	delete(rows, "presence") // flushed by the clock
	return fmt.Sprint(rows)
}
