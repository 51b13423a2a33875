package admin

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"goldfish/admin/config"
	"goldfish/license"
	"goldfish/license/fault"
	"goldfish/license/licensetest"
	"goldfish/store/storetest"
)

// moved is what a copied data folder meets: a machine with another key.
func moved(a *alive) { a.key = bytes.Repeat([]byte{9}, 32) }

func login(name, password string) map[string]string {
	return map[string]string{"username": name, "password": password}
}

func TestAMovedFileStartsSealedAndItsOwnerOpensIt(t *testing.T) {
	s := place(t)
	was := bring(t, s, nil)
	old := was.signIn("admin", licensetest.Password)
	_, owner := was.inside()
	epoch := owner.DB().Epoch()
	was.stop()
	<-was.ended

	a := begin(t, s, moved)
	told := <-a.told
	a.console, a.client = told.Console, told.Client
	<-a.started
	if !told.Sealed || told.Password != "" || a.state()["state"] != "sealed" || a.state()["recovery"] != false || a.state()["empty"] != false {
		t.Errorf("%+v %v", told, a.state())
	}
	a.away("", "sealed", "30")
	if status, h, out := a.call("GET", a.console+"/keys", "", nil); status != 200 || !strings.Contains(out["raw"].(string), `<div id="root">`) || !strings.Contains(h.Get("Content-Security-Policy"), "'nonce-") {
		t.Errorf("the sign-in page: %d %v", status, h)
	}
	for what, body := range map[string]any{"password": login("admin", "Wrong-1234!"), "name": login("nobody", licensetest.Password)} {
		if status, _, out := a.call("POST", a.console+"/api/v1/auth/login", "", body); status != 401 || out["code"] != "credentials_wrong" {
			t.Errorf("another %s: %d %v", what, status, out)
		}
		status, h, out := a.call("POST", a.console+"/api/v1/auth/login", "", login("admin", licensetest.Password))
		if status != 429 || out["code"] != "rate_limited" || h.Get("Retry-After") == "" {
			t.Errorf("at once after it: %d %v", status, out)
		}
		a.clock.Advance(10 * time.Minute)
	}
	token := a.signIn("admin", licensetest.Password)
	a.again()
	if a.state()["state"] != "ready" {
		t.Errorf("%v", a.state())
	}
	if status, _, out := a.call("GET", a.console+adminPath+"/apps", token, nil); status != 200 {
		t.Errorf("apps: %d %v", status, out)
	}
	if status, _, out := a.call("GET", a.console+"/api/v1/auth/me", old, nil); status != 401 {
		t.Errorf("a session of before: %d %v", status, out)
	}
	if status, _, _ := a.call("GET", a.client+"/readyz", "", nil); status != 200 {
		t.Errorf("readyz: %d", status)
	}
	if _, owner = a.inside(); owner.DB().Epoch() != epoch+1 {
		t.Errorf("epoch %d after %d", owner.DB().Epoch(), epoch)
	}
	a.stop()
	if err := <-a.ended; err != nil {
		t.Fatal(err)
	}
	again := bring(t, s, moved) // it opens by itself now
	again.signIn("admin", licensetest.Password)
	again.stop()
	<-again.ended
	if back := bring(t, s, nil); back.state()["state"] != "sealed" { // there is one machine at a time
		t.Errorf("the machine of before: %v", back.state())
	}
}

func TestWhatIsAskedOfASealedApplianceIsJudgedAsAlways(t *testing.T) {
	a := bring(t, place(t), func(a *alive) { moved(a); a.Web.PerSecond = 200 })
	at := a.console + "/api/v1/auth/login"
	for _, c := range []struct {
		what   string
		body   any
		head   []string
		status int
		code   string
	}{
		{"no body", nil, nil, 400, "body_missing"},
		{"an unknown member", map[string]string{"username": "a", "password": "b", "role": "owner"}, nil, 400, "unknown_field"},
		{"a wrong type", map[string]any{"username": 7, "password": "b"}, nil, 400, "wrong_type"},
		{"a password missing", map[string]string{"username": "a"}, nil, 400, "value_required"},
		{"too much", login("a", strings.Repeat("x", 70<<10)), nil, 413, "body_too_large"},
		{"another type", login("a", "b"), []string{"Content-Type", "text/plain"}, 415, "content_type"},
		{"another site's page", login("a", "b"), []string{"Origin", "http://evil.example", "Sec-Fetch-Site", "cross-site"}, 403, "origin_refused"},
		{"another host", login("a", "b"), []string{"Host", "evil.example"}, 421, "host_refused"},
		{"a query", login("a", "b"), []string{"Query", "?x=1"}, 400, "unknown_parameter"},
	} {
		url := at
		if len(c.head) > 0 && c.head[0] == "Query" {
			url += c.head[1]
		}
		if status, h, out := a.call("POST", url, "", c.body, c.head...); status != c.status || out["code"] != c.code || h.Get("X-Request-Id") == "" && status != 421 {
			t.Errorf("%s: %d %v", c.what, status, out)
		}
	}
	if status, h, _ := a.call("GET", at, "", nil); status != 405 || !strings.Contains(h.Get("Allow"), "POST") {
		t.Errorf("GET: %d %v", status, h)
	}
	if status, _, out := a.call("POST", a.console+adminPath+"/unseal", "", map[string]string{"recovery_code": "x", "username": "admin", "new_password": licensetest.Password}); status != 400 || out["code"] != "recovery_code_form" || out["field"] != "recovery_code" {
		t.Errorf("no code: %d %v", status, out)
	}
	limited := 0
	for range 1000 {
		if status, _, out := a.call("GET", a.client+"/readyz", "", nil); status == 429 && out["code"] == "rate_limited" {
			limited++
			break
		}
	}
	if limited == 0 {
		t.Error("there is no limit of calls")
	}
}

func TestTheRecoveryCodeOpensASealedFile(t *testing.T) {
	w := licensetest.New(t)
	code, err := w.RecoveryCode(t.Context(), w.Owner, licensetest.Password)
	w.Must(err)
	w.Must(w.ConfirmRecoveryCode(w.Owner, code))
	w.Must(w.Close())
	a := bring(t, at(filepath.Dir(w.Path)), moved)
	if a.state()["recovery"] != true {
		t.Errorf("%v", a.state())
	}
	unseal := func(code, password string) (int, http.Header, map[string]any) {
		defer a.clock.Advance(10 * time.Minute)
		return a.call("POST", a.console+adminPath+"/unseal", "", map[string]string{"recovery_code": code, "username": "admin", "new_password": password})
	}
	if status, _, out := unseal(strings.Repeat("2", len(code)), "Another-2026!"); status != 401 && status != 400 {
		t.Errorf("another code: %d %v", status, out)
	}
	if status, _, out := unseal(code, "weak"); status != 400 && status != 422 || out["field"] != "new_password" {
		t.Errorf("a weak password: %d %v", status, out)
	}
	if status, _, out := unseal(code, "Another-2026!"); status != 200 || out["data"].(map[string]any)["state"] != "ready" || out["message"] != "数据文件已打开，请用新密码登录" {
		t.Errorf("%d %v", status, out)
	}
	if status, _, out := unseal(code, "Another-2026!"); status != 409 || out["code"] != "not_sealed" {
		t.Errorf("once more: %d %v", status, out)
	}
	if status, _, _ := a.call("POST", a.console+"/api/v1/auth/login", "", login("admin", licensetest.Password)); status != 401 {
		t.Errorf("the old password: %d", status)
	}
	a.signIn("admin", "Another-2026!")
}

// A file that only the machine can open is refused: nobody could sign in to it. No key is made for it.
func TestAFileThatNobodyCanOpenIsRefused(t *testing.T) {
	dir := t.TempDir()
	first := bring(t, at(dir), nil)
	first.stop()
	<-first.ended
	before, err := os.ReadFile(first.Settings.File())
	if err != nil {
		t.Fatal(err)
	}
	a := begin(t, at(dir), moved)
	if err := <-a.ended; err == nil || !strings.Contains(err.Error(), "machine_key_wrong") {
		t.Errorf("%v", err)
	}
	if after, err := os.ReadFile(first.Settings.File()); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file was touched, %v", err)
	}
	select {
	case told := <-a.told:
		t.Errorf("it told %+v", told)
	default:
	}
}

func TestManySignInsAtASealedDoorOpenItOnce(t *testing.T) {
	a := bring(t, place(t), moved)
	var crew sync.WaitGroup
	statuses := make([]int, 8)
	for i := range statuses {
		crew.Go(func() {
			statuses[i], _, _ = a.call("POST", a.console+"/api/v1/auth/login", "", login("admin", licensetest.Password))
		})
	}
	crew.Wait()
	good := 0
	for _, status := range statuses {
		switch status {
		case 200:
			good++
		case 429, 503: // one at a time from one address
		default:
			t.Errorf("%v", statuses)
		}
	}
	if good == 0 {
		t.Errorf("%v", statuses)
	}
	a.again()
	if a.signIn("admin", licensetest.Password); a.state()["state"] != "ready" {
		t.Errorf("%v", a.state())
	}
}

func TestStoppingWhileSealed(t *testing.T) {
	a := bring(t, place(t), moved)
	a.stop()
	if err := <-a.ended; err != nil {
		t.Errorf("%v", err)
	}
	if _, err := os.Lstat(a.Settings.Data + "/control.sock"); err == nil {
		t.Error("the control socket is left behind")
	}
}

// A backup of another machine that was put in place is opened as a moved file is.
func TestAnExchangeCanEndSealed(t *testing.T) {
	s := place(t)
	a := bring(t, place(t), nil)
	shown, _ := a.inside()
	if err := shown.Exchange("restore", func() error {
		other, err := license.OpenSealed(s.File(), license.Options{Clock: a.clock.Now, Rand: rand.Reader, MachineKey: bytes.Repeat([]byte{9}, 32), BcryptCost: 4, Release: "test", Argon: licensetest.Argon})
		if err != nil {
			return err
		}
		opened, err := other.SignIn(t.Context(), netip.MustParseAddr("127.0.0.1"), "admin", licensetest.Password, license.Moved)
		if err != nil {
			return err
		}
		if err := opened.Close(); err != nil {
			return err
		}
		return os.Rename(s.File(), a.Settings.File())
	}); err != nil {
		t.Fatal(err)
	}
	a.again()
	if a.state()["state"] != "sealed" {
		t.Fatalf("%v", a.state())
	}
	a.signIn("admin", licensetest.Password)
	a.again()
	if a.state()["state"] != "ready" {
		t.Errorf("%v", a.state())
	}
}

// An opening that fails half-way leaves it to the next look at the file whether it is sealed still.
func TestAnOpeningThatFailsIsLookedAtAgain(t *testing.T) {
	s := place(t)
	ctx, stop := context.WithCancel(t.Context())
	tells := make(chan config.Ready, 1)
	l := &life{
		Appliance: Appliance{Settings: s, Log: quiet}, told: config.Ready{File: s.File()}, standing: &standing{},
		tell: func(r config.Ready) { tells <- r }, started: func() {}, opened: make(chan opening), over: ctx.Done(),
		opts: license.Options{
			Clock: storetest.NewClock(storetest.Start).Now, Rand: rand.Reader, MachineKey: bytes.Repeat([]byte{9}, 32),
			BcryptCost: 4, Argon: licensetest.Argon, Release: "test",
		},
	}
	ended := make(chan error, 1)
	go func() {
		a, err := l.openSealed(ctx)
		if a != nil {
			err = errors.Join(err, errors.New("it is open"), a.Close())
		}
		ended <- err
	}()
	<-tells
	broken := errors.New("the disk broke")
	if err := l.unseal(func(*license.Sealed) (*license.Authority, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	if told := <-tells; !told.Sealed { // nothing was changed in the file
		t.Errorf("%+v", told)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	l.setEnding()
	if err := l.unseal(nil); fault.Of(err).Code != "shutting_down" {
		t.Errorf("at the end: %v", err)
	}
	if err := l.line.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
