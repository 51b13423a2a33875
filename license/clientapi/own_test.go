package clientapi_test

import (
	"fmt"
	"strings"
	"testing"

	"goldfish/license/licensetest"
)

func TestOwnCards(t *testing.T) {
	s := serve(t)
	app := s.App(nil)
	bearer, other := "Bearer "+s.customer("xiaoyu"), "Bearer "+s.customer("dayu")
	keys := s.Keys(app, 5, licensetest.Month)
	for i, key := range keys[:3] {
		facts := fmt.Sprintf(`{"cpu_id":"C%d","motherboard_id":"B%d"}`, i, i)
		want(t, s.call("POST", activate, bare(key, facts), "Authorization", bearer), 200, "")
	}
	want(t, s.call("POST", activate, bare(keys[3], facts), "Authorization", other), 200, "")
	var got []string
	for path := "/api/v1/card-keys?limit=2"; path != ""; {
		r := s.call("GET", path, "", "Authorization", bearer)
		want(t, r, 200, "")
		for _, item := range r.data()["items"].([]any) {
			card := item.(map[string]any)
			got = append(got, card["key"].(string))
			if card["state"] != "active" || card["validity"] != "duration" || card["bound"] != 1.0 || card["ends_at"] != "2026-07-01T12:00:00Z" ||
				card["app"].(map[string]any)["id"] != app.UUID.String() {
				t.Errorf("card is %v", card)
			}
		}
		if path = r.dataText("next"); path != "" {
			path = "/api/v1/card-keys?limit=2&cursor=" + path
		}
	}
	if strings.Join(got, " ") != strings.Join([]string{keys[2], keys[1], keys[0]}, " ") {
		t.Errorf("own cards are %v, want those of %v", got, keys)
	}
	if r := s.call("GET", "/api/v1/card-keys", "", "Authorization", "Bearer "+s.signIn("admin")); len(r.data()["items"].([]any)) != 5 {
		t.Errorf("the back office sees %s", r.raw)
	}
}

func TestOwnOverview(t *testing.T) {
	s := serve(t)
	app := s.App(nil)
	bearer := s.customer("xiaoyu")
	s.bound(app, 1, bearer)
	s.bound(app, 2, s.customer("dayu"))
	s.Keys(app, 1, licensetest.Month)
	r := s.call("GET", "/api/v1/dashboard", "", "Authorization", "Bearer "+bearer)
	want(t, r, 200, "")
	cards, devices := r.data()["cards"].(map[string]any), r.data()["devices"].(map[string]any)
	if cards["active"] != 1.0 || cards["total"] != 1.0 || devices["bound"] != 1.0 || devices["online"] != 1.0 || len(r.data()["licences"].([]any)) != 1 ||
		r.data()["user"].(map[string]any)["username"] != "xiaoyu" {
		t.Errorf("the customer sees %s", r.raw)
	}
	r = s.call("GET", "/api/v1/dashboard", "", "Authorization", "Bearer "+s.signIn("admin"))
	want(t, r, 200, "")
	cards, devices = r.data()["cards"].(map[string]any), r.data()["devices"].(map[string]any)
	if cards["active"] != 2.0 || cards["total"] != 3.0 || devices["bound"] != 2.0 || devices["online"] != 2.0 {
		t.Errorf("the back office sees %s", r.raw)
	}
}

func TestFrontPage(t *testing.T) {
	s := serve(t)
	r := s.call("GET", "/", "")
	if r.StatusCode != 200 || !strings.Contains(string(r.raw), "卡密") || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") {
		t.Errorf("the page is %d %s", r.StatusCode, r.raw)
	}
}
