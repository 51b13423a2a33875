package admin

import (
	"net/http/httptest"
	"strings"
	"testing"

	"goldfish/license"
	"goldfish/license/fault"
	"goldfish/license/licensetest"
	"goldfish/license/web"
)

func TestMetricsAreOpenOnThisMachineAlone(t *testing.T) {
	d := newDesk(t)
	_, err := d.Register(t.Context(), license.Actor{}, license.RegisterIn{Username: "xiaoyu", Password: licensetest.Password})
	d.Must(err)
	customer := d.signIn("xiaoyu", licensetest.Password)
	proxy := []string{"X-Forwarded-For", "198.51.100.7"}
	for name, c := range map[string]struct {
		token   string
		headers []string
		status  int
	}{
		"from this machine":                     {"", nil, 200},
		"from this machine, signed in":          {d.owner, nil, 200},
		"forwarded":                             {"", proxy, 401},
		"forwarded, for a customer":             {customer, proxy, 403},
		"forwarded, for an owner":               {d.owner, proxy, 200},
		"from this machine with a forged token": {"forged", nil, 401},
	} {
		a := d.ask("GET", "/metrics", c.token, nil, c.headers...)
		if shown := strings.Contains(string(a.raw), "\ngoldfish_file_bytes "); a.status != c.status || shown != (c.status == 200) {
			t.Errorf("%s: %d %.200s", name, a.status, a.raw)
		}
	}
	if a := d.ask("POST", "/metrics", d.owner, nil); a.status != 405 {
		t.Errorf("%d %s", a.status, a.raw)
	}
	d.backUp()
	a := d.ask("GET", "/metrics", "", nil)
	for _, want := range []string{
		"goldfish_backup_last_success_timestamp_seconds 1.7803", "goldfish_backup_last_failed 0\n", `goldfish_sockets{door="console"} 0`,
		`goldfish_http_answers_total{class="4xx",door="console"} `, "goldfish_backup_next_timestamp_seconds 1.7803",
	} {
		if !strings.Contains(string(a.raw), want) {
			t.Errorf("%q is not shown: %s", want, a.raw)
		}
	}
	for _, secret := range []string{d.owner, d.Path, licensetest.Password, "xiaoyu"} {
		if strings.Contains(string(a.raw), secret) {
			t.Errorf("%s is shown", secret)
		}
	}
}

// As long as the appliance does not serve, Prometheus is told so instead of getting a page.
func TestNoPageInThePlaceOfMetrics(t *testing.T) {
	pages, err := Pages()
	if err != nil {
		t.Fatal(err)
	}
	closed := func() error { return fault.New(fault.Unavailable, "sealed") }
	w := httptest.NewRecorder()
	web.New(web.Options{Closed: closed, Fallback: pages}).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 503 || !strings.Contains(w.Body.String(), `"sealed"`) {
		t.Errorf("%d %.200s", w.Code, w.Body)
	}
}
