package admin

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"goldfish/admin/config"
	"goldfish/hub"
	"goldfish/license"
	"goldfish/license/licensetest"
	"goldfish/license/web"
	"goldfish/store/storetest"
)

// alive is an appliance that runs in this process, without the client's routes.
type alive struct {
	t *testing.T
	Appliance
	console, client string
	told            chan config.Ready
	started         chan struct{}
	ended           chan error
	stop            context.CancelFunc
	clock           *storetest.Clock
	key             []byte // the machine's

	mu    sync.Mutex
	shown Options // of the house that stands
	owner *license.Authority
}

// place is a data folder with an appliance whose owner has the usual password.
func place(t *testing.T) config.Serve {
	t.Helper()
	w := licensetest.New(t)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return at(filepath.Dir(w.Path))
}

func at(data string) config.Serve {
	local := config.Listen{Host: "127.0.0.1"}
	return config.Serve{Place: config.Place{Data: data}, ConsoleListen: local, APIListen: local}
}

// bring brings an appliance up and waits until somebody can sign in; at the test's end it is stopped.
func bring(t *testing.T, s config.Serve, change func(*alive)) *alive {
	t.Helper()
	a := begin(t, s, change)
	select {
	case told := <-a.told:
		a.console, a.client = told.Console, told.Client
	case err := <-a.ended:
		t.Fatalf("it ended: %v", err)
	}
	return a
}

func begin(t *testing.T, s config.Serve, change func(*alive)) *alive {
	t.Helper()
	a := &alive{t: t, told: make(chan config.Ready, 8), started: make(chan struct{}, 8), ended: make(chan error, 1), clock: storetest.NewClock(storetest.Start), key: licensetest.MachineKey}
	a.Appliance = Appliance{
		Settings: s, Version: "test", Log: quiet, Quiet: quiet, Web: web.Options{}, Build: a.build,
		Options: func(bool) (license.Options, error) {
			return license.Options{
				Clock: a.clock.Now, Rand: rand.Reader, MachineKey: a.key, BcryptCost: 4, Argon: licensetest.Argon, Release: "test",
			}, nil
		},
	}
	if change != nil {
		change(a)
	}
	ctx, stop := context.WithCancel(t.Context())
	a.stop = stop
	over := make(chan struct{})
	go func() {
		defer close(over)
		a.ended <- a.Run(ctx, func(r config.Ready) { a.told <- r }, func() { a.started <- struct{}{} })
	}()
	t.Cleanup(func() { stop(); <-over })
	return a
}

func (a *alive) build(owner *license.Authority, shown Options) (console, client Door, beside []func(context.Context), err error) {
	pages, err := Pages()
	if err != nil {
		return console, client, nil, err
	}
	shown.Hub = hub.New(hub.Options{})
	console.Hub, client.Hub = shown.Hub, hub.New(hub.Options{})
	desk, calls := web.New(web.Options{Authority: owner, Fallback: pages}), web.New(web.Options{Authority: owner})
	web.RegisterStanding(calls)
	c, err := New(desk, shown)
	if err != nil {
		return console, client, nil, err
	}
	console.Handler, client.Handler = desk, calls
	a.mu.Lock()
	a.shown, a.owner = shown, owner
	a.mu.Unlock()
	return console, client, []func(context.Context){owner.Run, c.Run}, nil
}

// inside gives what the present house was built with.
func (a *alive) inside() (Options, *license.Authority) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.shown, a.owner
}

// call sends a request and gives the status, the headers and the body.
func (a *alive) call(method, url, token string, body any, headers ...string) (int, http.Header, map[string]any) {
	a.t.Helper()
	var in io.Reader = http.NoBody
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			a.t.Fatal(err)
		}
		in = strings.NewReader(string(raw))
	}
	req, err := http.NewRequestWithContext(a.t.Context(), method, url, in)
	if err != nil {
		a.t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if req.Header.Set(headers[i], headers[i+1]); headers[i] == "Host" {
			req.Host = headers[i+1]
		}
	}
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	out := map[string]any{"raw": string(raw)}
	_ = json.Unmarshal(raw, &out)
	return res.StatusCode, res.Header, out
}

func (a *alive) state() map[string]any {
	a.t.Helper()
	status, _, out := a.call("GET", a.console+"/api/v1/admin/state", "", nil)
	if status != 200 {
		a.t.Fatalf("state: %d %v", status, out)
	}
	return out["data"].(map[string]any)
}

// signIn gives an access token.
func (a *alive) signIn(name, password string) string {
	a.t.Helper()
	status, _, out := a.call("POST", a.console+"/api/v1/auth/login", "", map[string]string{"username": name, "password": password})
	token, _ := out["access_token"].(string)
	if status != 200 || token == "" {
		a.t.Fatalf("sign-in: %d %v", status, out)
	}
	return token
}

// again waits until somebody can sign in anew.
func (a *alive) again() {
	a.t.Helper()
	select {
	case <-a.told:
	case err := <-a.ended:
		a.t.Fatalf("it ended: %v", err)
	case <-time.After(time.Minute):
		a.t.Fatal("it did not come back")
	}
}

// watch opens a live socket of the console and gives the status by which it is closed.
func (a *alive) watch(token string) <-chan ws.StatusCode {
	a.t.Helper()
	d := &desk{t: a.t}
	d.World = &licensetest.World{T: a.t}
	_, _, out := a.call("POST", a.console+adminPath+"/ws-ticket", token, map[string]any{})
	conn, buffered, _, err := ws.Dialer{}.Dial(a.t.Context(), "ws"+strings.TrimPrefix(a.console, "http")+adminPath+"/ws")
	d.Must(err)
	l := &line{t: a.t, conn: conn, in: conn}
	if buffered != nil {
		l.in = io.MultiReader(buffered, conn)
	}
	a.t.Cleanup(func() { _ = conn.Close() })
	l.say(map[string]any{"type": "hello", "ticket": out["data"].(map[string]any)["ticket"]})
	if m, code := l.next(); code != 0 {
		a.t.Fatalf("no welcome: %v %d", m, code)
	}
	closed := make(chan ws.StatusCode, 1)
	go func() {
		for {
			if _, code := l.next(); code != 0 {
				closed <- code
				return
			}
		}
	}()
	return closed
}

func TestTheFileIsExchangedUnderARunningAppliance(t *testing.T) {
	other := place(t) // what will be put in place
	a := bring(t, place(t), nil)
	token := a.signIn("admin", licensetest.Password)
	shown, first := a.inside()
	before := first.DB().UUID()
	closed := a.watch(token)
	inside, goOn := make(chan struct{}), make(chan struct{})
	err := shown.Exchange("restore", func() error {
		close(inside)
		<-goOn
		return os.Rename(other.File(), a.Settings.File())
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := shown.Exchange("restore", func() error { t.Error("it ran"); return nil }); err == nil || err.Error() != "busy" {
		t.Errorf("while one is accepted: %v", err)
	}
	<-inside
	if code := <-closed; code != 1012 {
		t.Errorf("the console's socket was closed with %d", code)
	}
	if err := first.Ready(); err == nil {
		t.Error("the file is still open")
	}
	a.away("restore", "starting", "5")
	close(goOn)
	a.again()
	if s := a.state(); s["state"] != "ready" || s["work"] != "" || s["error_code"] != "" {
		t.Errorf("afterwards: %v", s)
	}
	_, second := a.inside()
	if second.DB().UUID() == before {
		t.Error("it is the same file")
	}
	if status, _, out := a.call("GET", a.console+"/api/v1/auth/me", token, nil); status != 401 {
		t.Errorf("a token of the file before: %d %v", status, out)
	}
	a.signIn("admin", licensetest.Password)
	if status, _, _ := a.call("GET", a.client+"/readyz", "", nil); status != 200 {
		t.Errorf("readyz: %d", status)
	}
}

// away checks what is answered while no house stands.
func (a *alive) away(work, code, again string) {
	a.t.Helper()
	if s := a.state(); work != "" && (s["state"] != "working" || s["work"] != work) {
		a.t.Errorf("state: %v", s)
	}
	for _, c := range []struct {
		method, url string
		status      int
		code        string
	}{
		{"GET", a.console + "/healthz", 200, ""},
		{"GET", a.client + "/healthz", 200, ""},
		{"GET", a.console + "/readyz", 503, code},
		{"GET", a.client + "/readyz", 503, code},
		{"POST", a.client + "/api/v1/card-keys/verify", 503, code},
		{"GET", a.client + "/api/v1/ws", 503, code},
		{"GET", a.client + "/", 503, code},
		{"POST", a.client + "/api/v1/auth/login", 503, code},
		{"GET", a.console + adminPath + "/apps", 503, code},
		{"DELETE", a.console + adminPath + "/nothing", 503, code},
		{"GET", a.console + "/api/openapi.json", 503, code},
	} {
		status, h, out := a.call(c.method, c.url, "a.bearer.token", nil)
		if status != c.status || c.code != "" && (out["code"] != c.code || h.Get("Retry-After") != again || !strings.Contains(h.Get("Content-Type"), "problem+json")) {
			a.t.Errorf("%s %s: %d %v %v", c.method, c.url, status, h, out)
		}
	}
	if status, _, out := a.call("GET", a.console+"/healthz", "", nil, "Host", "evil.example"); status != 421 {
		a.t.Errorf("another host: %d %v", status, out)
	}
}

func TestAnExchangeThatFailsLeavesTheFileAsItWas(t *testing.T) {
	a := bring(t, place(t), nil)
	shown, first := a.inside()
	for name, fn := range map[string]func() error{
		"an error": func() error { return errors.New("no luck") },
		"a panic":  func() error { panic("worse") },
	} {
		if err := shown.Exchange("restore", fn); err != nil {
			t.Fatal(err)
		}
		a.again()
		if s := a.state(); s["state"] != "ready" || s["error_code"] != "internal" || s["error_message"] != "未能完成，数据文件保持原样；详情见日志" {
			t.Errorf("%s: %v", name, s)
		}
		var owner *license.Authority
		shown, owner = a.inside()
		if owner.DB().UUID() != first.DB().UUID() {
			t.Errorf("%s: another file", name)
		}
		events, err := owner.RecentEvents(1, 10, func(e *license.Event) bool { return e.Kind == license.SystemError })
		if err != nil || len(events) != 1 || events[0].Event.Code != "internal" {
			t.Errorf("%s: %v, %v", name, events, err)
		}
	}
	if err := shown.Exchange("restore", func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	a.again()
	if s := a.state(); s["error_code"] != "" {
		t.Errorf("after one that succeeded: %v", s)
	}
}

// A file that does not open for a moment is tried again; one that stays so ends the appliance with its sentence.
func TestAFileThatDoesNotOpenAgain(t *testing.T) {
	a := bring(t, place(t), nil)
	shown, _ := a.inside()
	file, aside := a.Settings.File(), a.Settings.File()+".aside"
	if err := shown.Exchange("restore", func() error {
		return errors.Join(os.Rename(file, aside), os.WriteFile(file, []byte("Dear diary"), 0o600))
	}); err != nil {
		t.Fatal(err)
	}
	for a.state()["error_code"] != "file_not_ours" || a.state()["error_message"] != "goldfish.db 不是金鱼智盒的数据文件或备份" {
		select {
		case err := <-a.ended:
			t.Fatalf("it ended: %v", err)
		default:
		}
	}
	a.away("restore", "starting", "5")
	if err := os.Rename(aside, file); err != nil {
		t.Fatal(err)
	}
	a.again()
	if s := a.state(); s["error_code"] != "" {
		t.Errorf("%v", s)
	}
	shown, _ = a.inside()
	if err := shown.Exchange("restore", func() error { return os.WriteFile(file, []byte("Dear diary"), 0o600) }); err != nil {
		t.Fatal(err)
	}
	if err := <-a.ended; err == nil || !strings.Contains(err.Error(), "file_not_ours") {
		t.Errorf("it ended with %v", err)
	}
}

func TestStoppingWhileTheFileIsExchanged(t *testing.T) {
	a := bring(t, place(t), nil)
	shown, _ := a.inside()
	inside, goOn := make(chan struct{}), make(chan struct{})
	if err := shown.Exchange("restore", func() error { close(inside); <-goOn; return nil }); err != nil {
		t.Fatal(err)
	}
	<-inside
	a.stop()
	close(goOn)
	if err := <-a.ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func TestABrowserSeesThatSomethingIsDone(t *testing.T) {
	a := bring(t, place(t), nil)
	shown, _ := a.inside()
	inside, goOn := make(chan struct{}), make(chan struct{})
	if err := shown.Exchange("restore", func() error { close(inside); <-goOn; return nil }); err != nil {
		t.Fatal(err)
	}
	<-inside
	defer close(goOn)
	status, h, out := a.call("GET", a.console+"/keys", "", nil)
	page := out["raw"].(string)
	policy := h.Get("Content-Security-Policy")
	nonce, _, _ := strings.Cut(policy[strings.Index(policy, "'nonce-")+7:], "'")
	if status != 503 || h.Get("Retry-After") != "5" || !strings.Contains(page, `nonce="`+nonce+`"`) || strings.Contains(page, "<script") ||
		!strings.Contains(page, "正在恢复备份") || !strings.Contains(page, "A backup is being restored") || !strings.Contains(page, `http-equiv="refresh"`) {
		t.Errorf("%d %v %s", status, h, page)
	}
	if status, _, _ := a.call("GET", a.console+"/assets/nothing.js", "", nil); status != 404 {
		t.Errorf("a file of another build: %d", status)
	}
	if status, h, _ := a.call("POST", a.console+"/keys", "", map[string]any{}); status != 503 || !strings.Contains(h.Get("Content-Type"), "problem+json") {
		t.Errorf("POST: %d %v", status, h)
	}
}

func TestAHouseThatCannotBeBuilt(t *testing.T) {
	s := place(t)
	taken := bring(t, s, nil)
	taken.stop()
	if err := <-taken.ended; err != nil {
		t.Fatal(err)
	}
	a := begin(t, s, func(a *alive) {
		a.Build = func(o *license.Authority, shown Options) (Door, Door, []func(context.Context), error) {
			console, client, _, err := a.build(o, shown)
			return console, client, nil, errors.Join(err, errors.New("the house fell"))
		}
	})
	if err := <-a.ended; err == nil || err.Error() != "the house fell" {
		t.Errorf("%v", err)
	}
}
