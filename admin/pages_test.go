package admin

import (
	"crypto/rand"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"goldfish/assets"
)

func fetch(t *testing.T, h http.Handler, method, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody))
	return w
}

var nonces = regexp.MustCompile(`'nonce-([A-Za-z0-9_-]{22})'`)

func TestThePageHasANonceOfItsOwn(t *testing.T) {
	h, err := Pages()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, path := range []string{"/", "/index.html", "/keys", "/apps/3f0c?tab=connect", "/a/b/c"} {
		w := fetch(t, h, "GET", path)
		policy := w.Header().Get("Content-Security-Policy")
		found := nonces.FindAllStringSubmatch(policy, -1)
		if w.Code != 200 || len(found) != 2 || found[0][1] != found[1][1] || seen[found[0][1]] {
			t.Fatalf("%s: %d %q", path, w.Code, policy)
		}
		nonce := found[0][1]
		seen[nonce] = true
		body := w.Body.String()
		if strings.Contains(body, nonceMark) || strings.Count(body, `nonce="`+nonce+`"`) < 3 {
			t.Errorf("%s: the nonce does not stand everywhere", path)
		}
		for _, tag := range regexp.MustCompile(`<(script|style)\b[^>]*>`).FindAllString(body, -1) {
			if !strings.Contains(tag, `nonce="`+nonce+`"`) {
				t.Errorf("%s: %s has no nonce", path, tag)
			}
		}
		want := strings.ReplaceAll("default-src 'none'; script-src 'self' 'nonce-N'; style-src 'self' 'nonce-N'; img-src 'self' data: blob:; font-src 'self'; "+
			"connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'", "N", nonce)
		if policy != want {
			t.Errorf("%s: the policy is %q", path, policy)
		}
		for name, value := range map[string]string{
			"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
			"Cross-Origin-Opener-Policy": "same-origin", "Content-Type": "text/html; charset=utf-8",
		} {
			if got := w.Header().Get(name); got != value {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
		if !strings.Contains(w.Header().Get("Permissions-Policy"), "camera=()") {
			t.Errorf("%s: no Permissions-Policy", path)
		}
	}
}

func TestEveryBuiltFileIsServed(t *testing.T) {
	h, err := Pages()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	err = fs.WalkDir(assets.UI, "ui/dist", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || path.Base(name) == "index.html" {
			return err
		}
		n++
		at := strings.TrimPrefix(name, "ui/dist")
		w := fetch(t, h, "GET", at)
		raw, rerr := fs.ReadFile(assets.UI, name)
		if w.Code != 200 || w.Body.String() != string(raw) || rerr != nil {
			t.Errorf("%s: %d, %v", at, w.Code, rerr)
		}
		if w.Header().Get("Content-Type") != fileTypes[path.Ext(name)] || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", at, w.Header())
		}
		if hashed := strings.HasPrefix(at, "/assets/"); hashed != strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s: Cache-Control %q", at, w.Header().Get("Cache-Control"))
		}
		return nil
	})
	if err != nil || n < 2 {
		t.Errorf("%d files, %v", n, err)
	}
	for _, at := range []string{"/assets/console-00000000.js", "/assets/x/y.css"} { // of another build
		if w := fetch(t, h, "GET", at); w.Code != 404 {
			t.Errorf("%s: %d %.80s", at, w.Code, w.Body)
		}
	}
	for _, at := range []string{"/../admin.go", "/..%2fadmin.go", "/assets/../../admin.go", "//etc/passwd"} {
		if w := fetch(t, h, "GET", at); strings.Contains(w.Body.String(), "package admin") || strings.Contains(w.Body.String(), "root:") {
			t.Errorf("%s gives what it must not", at)
		}
	}
}

func TestAConsoleThatIsNotBuiltIsNotServed(t *testing.T) {
	for name, dist := range map[string]fstest.MapFS{
		"no page": {}, "no mark": {"index.html": {Data: []byte("<html></html>")}},
	} {
		if _, err := newPages(dist, rand.Reader); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	h, err := newPages(fstest.MapFS{"index.html": {Data: []byte(nonceMark)}}, strings.NewReader("short"))
	if err != nil {
		t.Fatal(err)
	}
	if w := fetch(t, h, "GET", "/"); w.Code != 500 {
		t.Errorf("without chance: %d", w.Code)
	}
}

func TestTheConsoleNeverAnswersForTheAPI(t *testing.T) {
	d := newDesk(t)
	for _, at := range []string{"/api/", "/api", "/api/v1/nothing", "/api/v1/admin/nothing", "/api/index.html"} {
		if a := d.ask("GET", at, d.owner, nil); a.status != 404 || a.code() != "not_found_route" {
			t.Errorf("%s: %d %.80s", at, a.status, a.raw)
		}
	}
	page := d.ask("GET", "/keys", "", nil)
	if page.status != 200 || !strings.Contains(string(page.raw), "<div id=\"root\">") || !strings.Contains(page.header.Get("Content-Security-Policy"), "'nonce-") {
		t.Errorf("%d %v", page.status, page.header)
	}
	if a := d.ask("HEAD", "/keys", "", nil); a.status != 200 || len(a.raw) != 0 {
		t.Errorf("HEAD: %d %q", a.status, a.raw)
	}
	if a := d.ask("POST", "/keys", "", map[string]any{}); a.status != 404 || a.code() != "not_found_route" {
		t.Errorf("POST: %d %.80s", a.status, a.raw)
	}
}
