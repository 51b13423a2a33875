package clientapi_test

import (
	"strings"
	"testing"

	"goldfish/license/licensetest"
)

const facts = `{"cpu_id":"test_cpu_123","motherboard_id":"test_mb_456","mac_address":"00:11:22:33:44:55"}`

func bare(key, facts string) string { return `{"card_key":"` + key + `","device_info":` + facts + `}` }

// The document's own tests: paths, statuses and messages to the letter.
func TestFixedPointActivation(t *testing.T) {
	s := serve(t)
	key := s.Keys(s.App(nil), 1, licensetest.Month)[0]
	bearer := "Bearer " + s.customer("xiaoyu")
	r := s.call("POST", "/api/v1/card-keys/activate", bare(key, facts), "Authorization", bearer)
	want(t, r, 200, "")
	if r.message() != "卡密激活成功" || r.body["success"] != true || r.dataText("device_id") != "d48ea1ea6b2cd331adb54bb8513bb175" {
		t.Errorf("answer is %s", r.raw)
	}
	if _, ok := r.data()["verdict"]; ok {
		t.Error("a bare activation has a verdict")
	}
}

func TestFixedPointInvalidKey(t *testing.T) {
	s := serve(t)
	bearer := "Bearer " + s.customer("xiaoyu")
	for _, key := range []string{"INVALID-CARD-KEY", "", "AAAA-BBBB-CCCC-DDDD", strings.Repeat("A", 200), "\\u0000"} {
		for _, facts := range []string{`{}`, facts} {
			r := s.call("POST", "/api/v1/card-keys/activate", bare(key, facts), "Authorization", bearer)
			want(t, r, 400, "card_unknown")
			if !strings.Contains(r.message(), "无效的卡密") {
				t.Errorf("message is %q", r.message())
			}
		}
	}
}

func TestFixedPointSecondTime(t *testing.T) {
	s := serve(t)
	key := s.Keys(s.App(nil), 1, licensetest.Month)[0]
	own, other := "Bearer "+s.customer("xiaoyu"), "Bearer "+s.customer("dayu")
	want(t, s.call("POST", "/api/v1/card-keys/activate", bare(key, facts), "Authorization", own), 200, "")
	elsewhere := strings.Replace(facts, "test_", "other_", 2)
	for _, again := range []struct{ bearer, facts, code string }{
		{own, facts, "device_already_bound"}, {own, elsewhere, "device_limit"}, {other, facts, "card_taken"},
	} {
		r := s.call("POST", "/api/v1/card-keys/activate", bare(key, again.facts), "Authorization", again.bearer)
		want(t, r, 409, again.code)
		if !strings.HasPrefix(r.message(), "设备已绑定") {
			t.Errorf("message is %q", r.message())
		}
	}
}

func TestFixedPointSignIn(t *testing.T) {
	s := serve(t)
	s.customer("xiaoyu")
	r := s.call("POST", "/api/v1/auth/login", `{"username":"xiaoyu","password":"`+licensetest.Password+`"}`)
	want(t, r, 200, "")
	if r.text("access_token") == "" || r.text("refresh_token") == "" || r.text("token_type") != "Bearer" ||
		r.body["expires_in"] != 7200.0 || r.body["refresh_expires_in"] != 604800.0 {
		t.Errorf("answer is %s", r.raw)
	}
}
