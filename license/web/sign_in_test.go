package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"goldfish/license"
	"goldfish/license/licensetest"
	"goldfish/license/web"
)

func accounts(a *web.API) {
	web.RegisterSignIn(a, true)
	things(a)
}

func login(name, more string) string {
	return `{"username":"` + name + `","password":"` + licensetest.Password + `"` + more + `}`
}

func TestRegisterAndSignIn(t *testing.T) {
	s := serve(t, web.Options{}, accounts)
	app := s.App(nil)
	r := s.call("POST", "/api/v1/auth/register", login("小金鱼", `,"email":"xiaoyu@example.com","app_id":"`+app.UUID.String()+`"`))
	if r.StatusCode != 201 || r.message() != "注册成功，请登录" {
		t.Fatalf("register: %d %s", r.StatusCode, r.raw)
	}
	user := r.data()["user"].(map[string]any)
	if user["username"] != "小金鱼" || user["name"] != "小金鱼" || user["role"] != "customer" || user["must_change_password"] != false ||
		user["email"] != "xiaoyu@example.com" || user["created_at"] != "2026-06-01T12:00:00Z" || len(user["id"].(string)) != 36 {
		t.Errorf("user is %v", user)
	}
	s.Clock.Advance(700 * time.Millisecond)
	in := s.call("POST", "/api/v1/auth/login", login("xiaoyu@example.com", ""))
	if in.StatusCode != 200 || in.text("token_type") != "Bearer" || in.body["expires_in"] != 7200.0 || in.text("refresh_token") == "" {
		t.Fatalf("login: %d %s", in.StatusCode, in.raw)
	}
	bearer := []string{"Authorization", "Bearer " + in.text("access_token")}
	if me := s.call("GET", "/api/v1/auth/me", "", bearer...); me.data()["user"].(map[string]any)["id"] != user["id"] {
		t.Errorf("me: %s", me.raw)
	}
	next := s.call("POST", "/api/v1/auth/refresh", `{"refresh_token":"`+in.text("refresh_token")+`"}`)
	if next.StatusCode != 200 || next.text("refresh_token") == in.text("refresh_token") {
		t.Errorf("refresh: %d %s", next.StatusCode, next.raw)
	}
	if r := s.call("POST", "/api/v1/auth/logout", "", bearer...); r.StatusCode != 200 || string(r.raw) != `{"success":true,"message":"已退出登录","data":{}}` {
		t.Errorf("logout: %d %s", r.StatusCode, r.raw)
	}
	wantProblem(t, s.call("GET", "/api/v1/auth/me", "", bearer...), 401, "session_ended")
}

func TestSignInRefusals(t *testing.T) {
	s := serve(t, web.Options{}, accounts)
	s.customer("xiaoyu")
	for _, c := range []struct {
		path, body  string
		status      int
		code, field string
	}{
		{"login", `{"username":"xiaoyu","password":"wrong"}`, 401, "credentials_wrong", ""},
		{"login", `{"username":"nobody","password":"wrong"}`, 401, "credentials_wrong", ""},
		{"login", `{"username":"xiaoyu"}`, 400, "value_required", "password"},
		{"login", login("xiaoyu", `,"app_id":"3f0c1f0e-6c0b-4f5e-9d5a-0b8f5b1c2d3e"`), 404, "app_unknown", "app_id"},
		{"login", login("xiaoyu", `,"app_id":"x"`), 404, "app_unknown", "app_id"},
		{"login", login("xiaoyu", `,"Cookie":true`), 400, "unknown_field", "Cookie"},
		{"register", login("xiaoyu", ""), 409, "username_taken", "username"},
		{"register", login("x", ""), 400, "username_invalid", "username"},
		{"register", login("dayu", `,"email":"no address"`), 400, "email_invalid", "email"},
		{"register", `{"username":"dayu","password":"short"}`, 400, "password_weak", "password"},
		{"refresh", `{"refresh_token":"x"}`, 401, "token_invalid", ""},
		{"refresh", ``, 400, "value_required", "refresh_token"},
		{"refresh", `{}`, 400, "value_required", "refresh_token"},
	} {
		r := s.call("POST", "/api/v1/auth/"+c.path, c.body)
		wantProblem(t, r, c.status, c.code)
		if r.text("field") != c.field {
			t.Errorf("%s %s: field is %q", c.path, c.body, r.text("field"))
		}
	}
	r := s.call("POST", "/api/v1/auth/register", `{"username":"dayu","password":"short"}`)
	var codes []string
	for _, e := range r.body["errors"].([]any) {
		codes = append(codes, e.(map[string]any)["code"].(string))
	}
	if strings.Join(codes, " ") != "password_too_short password_needs_upper password_needs_digit password_needs_special" {
		t.Errorf("rules are %v", codes)
	}
}

func cookieOf(r reply) *http.Cookie {
	for _, c := range r.Cookies() {
		if c.Name == web.RefreshCookie {
			return c
		}
	}
	return nil
}

// The console's refresh token lives where no script can read it.
func TestRefreshByCookie(t *testing.T) {
	s := serve(t, web.Options{Clock: nil}, accounts)
	r := s.call("POST", "/api/v1/auth/login", login("admin", `,"cookie":true`))
	first := cookieOf(r)
	if r.StatusCode != 200 || r.text("refresh_token") != "" || first == nil || first.Value == "" || !first.HttpOnly ||
		first.SameSite != http.SameSiteStrictMode || first.Path != "/api/v1/auth" || first.MaxAge <= 0 {
		t.Fatalf("login: %s %v", r.raw, first)
	}
	r = s.call("POST", "/api/v1/auth/refresh", `{}`, "Cookie", first.String())
	second := cookieOf(r)
	if r.StatusCode != 200 || second == nil || second.Value == first.Value || r.text("refresh_token") != "" {
		t.Fatalf("refresh: %d %s %v", r.StatusCode, r.raw, second)
	}
	r = s.call("POST", "/api/v1/auth/refresh", "", "Cookie", first.String()) // in two hands
	wantProblem(t, r, 401, "session_ended")
	if gone := cookieOf(r); gone == nil || gone.MaxAge >= 0 {
		t.Errorf("the cookie stays: %v", gone)
	}
	wantProblem(t, s.call("POST", "/api/v1/auth/refresh", "", "Cookie", second.String()), 401, "session_ended")
}

func TestForeignOriginIsRefused(t *testing.T) {
	s := serve(t, web.Options{}, accounts)
	for _, headers := range [][]string{
		{"Origin", "https://evil.example"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"},
	} {
		wantProblem(t, s.call("POST", "/api/v1/auth/login", login("admin", ""), headers...), 403, "origin_refused")
	}
	if r := s.call("POST", "/api/v1/auth/login", login("admin", ""), "Origin", s.http.URL, "Sec-Fetch-Site", "same-origin"); r.StatusCode != 200 {
		t.Errorf("the own page is refused: %s", r.raw)
	}
}

func TestChangePassword(t *testing.T) {
	s := serve(t, web.Options{}, accounts)
	token := s.customer("xiaoyu")
	bearer := []string{"Authorization", "Bearer " + token}
	r := s.call("POST", "/api/v1/auth/password", `{"old_password":"wrong","new_password":"Other-2026!"}`, bearer...)
	wantProblem(t, r, 400, "password_wrong")
	r = s.call("POST", "/api/v1/auth/password", `{"old_password":"`+licensetest.Password+`","new_password":"weak"}`, bearer...)
	wantProblem(t, r, 400, "password_weak")
	if e := r.body["errors"].([]any)[0].(map[string]any); e["field"] != "new_password" || e["message"] == "" {
		t.Errorf("errors are %v", e)
	}
	r = s.call("POST", "/api/v1/auth/password", `{"old_password":"`+licensetest.Password+`","new_password":"Other-2026!"}`, bearer...)
	if r.StatusCode != 200 || r.text("access_token") == "" || r.text("refresh_token") == "" {
		t.Fatalf("password: %d %s", r.StatusCode, r.raw)
	}
	wantProblem(t, s.call("GET", "/api/v1/auth/me", "", bearer...), 401, "session_ended")
	if r := s.call("GET", "/api/v1/auth/me", "", "Authorization", "Bearer "+r.text("access_token")); r.StatusCode != 200 {
		t.Errorf("the new session: %s", r.raw)
	}
}

// The documented first password opens nothing but changing it, and only from this machine.
func TestFirstPassword(t *testing.T) {
	s := serve(t, web.Options{}, nil)
	fresh := licensetest.Open(t, t.TempDir()+"/fresh.db", s.Clock)
	api := web.New(web.Options{Authority: fresh.Authority})
	accounts(api)
	s.http.Config.Handler = api
	first := `{"username":"admin","password":"` + license.FirstPassword + `"}`
	for _, headers := range [][]string{
		{"X-Forwarded-For", "127.0.0.1"},
		{"Forwarded", "for=127.0.0.1"},
		{"Via", "1.1 proxy"},
		{"X-Real-IP", "127.0.0.1"},
		{"Host", "goldfish.example"},
		{"Host", "127.0.0.1.evil.example:8990"},
		{"Host", "10.0.0.1"},
	} {
		wantProblem(t, s.call("POST", "/api/v1/auth/login", first, headers...), 401, "credentials_wrong")
	}
	for _, host := range []string{"127.0.0.1:8990", "localhost:8990", "localhost", "[::1]:8990", "::1", "LOCALHOST"} {
		if r := s.call("POST", "/api/v1/auth/login", first, "Host", host); r.StatusCode != 200 {
			t.Errorf("by the name %s: %d %s", host, r.StatusCode, r.raw)
		}
	}
	r := s.call("POST", "/api/v1/auth/login", first)
	if user := r.body["data"].(map[string]any)["user"].(map[string]any); user["must_change_password"] != true {
		t.Errorf("user is %v", user)
	}
	bearer := []string{"Authorization", "Bearer " + r.text("access_token")}
	wantProblem(t, s.call("GET", "/api/v1/things/x", "", bearer...), 403, "password_change_required")
	wantProblem(t, s.call("GET", "/api/v1/auth/me", "", append(bearer, "X-Forwarded-For", "1.2.3.4")...), 401, "session_ended")
	r = s.call("POST", "/api/v1/auth/password", `{"old_password":"`+license.FirstPassword+`","new_password":"`+licensetest.Password+`"}`, bearer...)
	if r = s.call("GET", "/api/v1/things/x", "", "Authorization", "Bearer "+r.text("access_token")); r.StatusCode != 200 {
		t.Errorf("after the change: %d %s", r.StatusCode, r.raw)
	}
}

// A bearer that is sent must be good, also where none is needed.
func TestBadBearer(t *testing.T) {
	s := serve(t, web.Options{}, accounts)
	good := s.customer("xiaoyu")
	forged := good[:len(good)-4] + "AAAA"
	s.Clock.Advance(time.Minute)
	for name, header := range map[string]string{
		"forged": "Bearer " + forged, "no token": "Bearer ", "basic": "Basic YTpi", "nonsense": "nonsense", "none": "Bearer eyJhbGciOiJub25lIn0.e30.",
	} {
		for _, path := range []string{"/api/v1/trouble", "/api/v1/things", "/api/v1/things/x"} {
			r := s.call("GET", path, "", "Authorization", header)
			wantProblem(t, r, 401, "token_invalid")
			if strings.Contains(string(r.raw), "AAAA") {
				t.Errorf("%s: the token is sent back", name)
			}
		}
	}
	if r := s.call("GET", "/api/v1/things", "", "Authorization", "bearer "+good); r.StatusCode != 200 {
		t.Errorf("the scheme in another case: %s", r.raw)
	}
	wantProblem(t, s.call("GET", "/api/v1/things/x", "", "Authorization", "Bearer "+good), 403, "permission_denied")
	s.Clock.Advance(2 * time.Hour)
	wantProblem(t, s.call("GET", "/api/v1/trouble", "", "Authorization", "Bearer "+good), 401, "token_expired")
	wantProblem(t, s.call("GET", "/api/v1/things", ""), 401, "sign_in_required")
}
