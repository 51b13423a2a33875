package admin

import (
	"slices"
	"strings"
	"testing"

	"goldfish/license"
	"goldfish/license/licensetest"
	"goldfish/license/web"
	"goldfish/store/storetest"
)

// guarded says whether a route is of the back office and opened by a sign-in: the live socket has its ticket, how the
// appliance stands is told to everybody, and an empty one takes a backup before anybody can sign in.
func guarded(r web.Registered) bool {
	open := []string{"live", "state", "unseal", "uploadBackup", "confirmUpload"}
	return strings.HasPrefix(r.Path, adminPath) && !slices.Contains(open, r.ID)
}

// somewhere fills a path's parameters with an id of nothing.
func somewhere(path string) string {
	return strings.NewReplacer("{id}", "AAAAAAAAAAAAAAAAAAAAAA", "{name}", "none.db").Replace(path)
}

func TestEveryRouteAsNobodyAndAsACustomer(t *testing.T) {
	d := newDesk(t)
	_, err := d.Register(t.Context(), license.Actor{}, license.RegisterIn{Username: "xiaoyu", Password: licensetest.Password})
	d.Must(err)
	customer := d.signIn("xiaoyu", licensetest.Password)
	routes := d.api.Routes()
	if len(routes) < 30 {
		t.Fatalf("only %d routes", len(routes))
	}
	before := d.state()
	for _, r := range routes {
		if !guarded(r) {
			continue
		}
		if r.Public || r.Permission == "" {
			t.Errorf("%s %s asks for no permission", r.Method, r.Path)
		}
		for _, path := range []string{somewhere(r.Path)} {
			if a := d.ask(r.Method, path, "", nil); a.status != 401 || a.code() != "sign_in_required" || a.header.Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("%s %s as nobody: %d %s", r.Method, path, a.status, a.raw)
			}
			if a := d.ask(r.Method, path, customer, nil); a.status != 403 || a.code() != "permission_denied" {
				t.Errorf("%s %s as a customer: %d %s", r.Method, path, a.status, a.raw)
			}
			if a := d.ask(r.Method, path, "forged", nil); a.status != 401 || a.code() != "token_invalid" {
				t.Errorf("%s %s with a forged token: %d %s", r.Method, path, a.status, a.raw)
			}
		}
	}
	if after := d.state(); after != before {
		t.Errorf("something changed: %s, then %s", before, after)
	}
}

func TestEveryRouteBeforeTheFirstPasswordIsChanged(t *testing.T) {
	d := &desk{World: licensetest.Open(t, t.TempDir()+"/goldfish.db", storetest.NewClock(storetest.Start)), t: t}
	d.serve()
	token := d.signIn("admin", license.FirstPassword)
	before := d.state()
	for _, r := range d.api.Routes() {
		if !guarded(r) {
			continue
		}
		if a := d.ask(r.Method, somewhere(r.Path), token, nil); a.status != 403 || a.code() != "password_change_required" {
			t.Errorf("%s %s: %d %s", r.Method, r.Path, a.status, a.raw)
		}
	}
	if after := d.state(); after != before {
		t.Errorf("something changed: %s, then %s", before, after)
	}
	if a := d.ask("GET", "/api/v1/auth/me", token, nil); a.status != 200 || a.data("user.must_change_password") != true {
		t.Errorf("me: %d %s", a.status, a.raw)
	}
}

func TestThereIsNoRouteForClientsHere(t *testing.T) {
	d := newDesk(t)
	for _, path := range []string{"/api/v1/auth/register", "/api/v1/card-keys/activate", "/api/v1/nothing", "/api", "/api/", "/api/v2/x"} {
		for _, method := range []string{"GET", "POST"} {
			a := d.ask(method, path, d.owner, nil)
			if a.status != 404 && a.status != 405 || !strings.Contains(a.header.Get("Content-Type"), "problem+json") {
				t.Errorf("%s %s: %d %s %s", method, path, a.status, a.header.Get("Content-Type"), a.raw[:min(len(a.raw), 80)])
			}
		}
	}
}
