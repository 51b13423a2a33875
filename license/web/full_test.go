package web_test

import (
	"crypto/rand"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"goldfish/license"
	"goldfish/license/licensetest"
	"goldfish/license/web"
)

// A change that the disk has no room for is no fault of ours that a caller could do nothing about.
func TestFullDiskIsNamed(t *testing.T) {
	s := serve(t, web.Options{}, func(a *web.API) {
		web.Route(a, web.Op{Method: "GET", Path: "/full", ID: "full", Public: true}, func(*web.Call, *struct{}) (web.HealthOut, error) {
			return web.HealthOut{}, fmt.Errorf("at %s: %w", "/secret/folder", license.ErrFull)
		})
	})
	r := s.call("GET", "/full", "")
	wantProblem(t, r, 503, "disk_full")
	if r.Header.Get("Retry-After") != "30" || strings.Contains(string(r.raw), "secret") {
		t.Errorf("%v %s", r.Header, r.raw)
	}
	if strings.Contains(s.log.String(), "level=ERROR") {
		t.Errorf("told as a fault of ours: %s", s.log.String())
	}
}

// A server whose disk has little room serves, but says that somebody should look.
func TestLowDiskIsNotReady(t *testing.T) {
	path := filepath.Join(t.TempDir(), "low.db")
	if err := os.MkdirAll(path+".reserve/taken", 0o700); err != nil { // so that no reserve can be made
		t.Fatal(err)
	}
	a, err := license.Open(path, license.Options{
		Clock: time.Now, Rand: rand.Reader, MachineKey: licensetest.MachineKey, BcryptCost: 4, Argon: licensetest.Argon, Reserve: 1 << 20,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	api := web.New(web.Options{Authority: a})
	web.RegisterStanding(api)
	for path, want := range map[string]int{"/readyz": 503, "/healthz": 200} {
		r := httptest.NewRecorder()
		api.ServeHTTP(r, httptest.NewRequest("GET", path, nil))
		if r.Code != want || want == 503 && !strings.Contains(r.Body.String(), "disk_low") {
			t.Errorf("%s: %d %s", path, r.Code, r.Body)
		}
	}
}
