package admin

import (
	"strings"
	"testing"

	"goldfish/license/licensetest"
)

func TestTheKeyRing(t *testing.T) {
	d := newDesk(t)
	ring := d.get(adminPath + "/keyring")
	if ring.text("slots.0.kind") != "machine" || ring.text("slots.1.kind") != "password" || ring.text("slots.1.username") != "admin" ||
		ring.text("slots.1.account_id") == "" || ring.text("slots.0.account_id") != "" || ring.data("slots.2") != nil ||
		ring.text("slots.0.created_at") == "" || ring.data("slots.1.last_used_at") != nil ||
		ring.data("recovery_set") != false || ring.number("data_key.id") != 1 || ring.data("data_key.created_at") != nil || ring.text("job_id") != "" {
		t.Errorf("%s", ring.raw)
	}
	if strings.Contains(strings.ToLower(string(ring.raw)), "salt") || strings.Contains(string(ring.raw), "wrapped") {
		t.Errorf("it shows what lies in a slot: %s", ring.raw)
	}
	made := d.want(200, "POST", adminPath+"/keyring/recovery", o{"password": licensetest.Password})
	code := made.text("code")
	if len(code) != 41 || !strings.Contains(made.header.Get("Cache-Control"), "no-store") {
		t.Errorf("%s %v", made.raw, made.header)
	}
	if d.get(adminPath+"/keyring").data("recovery_set") != false {
		t.Error("it is in force before it was typed again")
	}
	d.want(200, "POST", adminPath+"/keyring/recovery/confirm", o{"code": strings.ToLower(code)})
	if ring = d.get(adminPath + "/keyring"); ring.data("recovery_set") != true || ring.text("slots.2.kind") != "recovery" {
		t.Errorf("%s", ring.raw)
	}
	job := d.want(202, "POST", adminPath+"/keyring/rotate", o{"password": licensetest.Password})
	if job.text("kind") != "keyring.rotate" || job.text("id") == "" || job.text("object_id") != "" {
		t.Errorf("%s", job.raw)
	}
	d.Await("the rotation", func() bool { return d.get(adminPath+"/jobs/"+job.text("id")).text("state") == "done" })
	if ring = d.get(adminPath + "/keyring"); ring.number("data_key.id") != 2 || ring.text("data_key.created_at") == "" || ring.text("job_id") != "" || ring.data("slots.2") == nil {
		t.Errorf("%s", ring.raw)
	}
	if refused := d.ask("POST", adminPath+"/jobs/"+job.text("id")+"/cancel", d.owner, nil); refused.status != 409 || refused.code() != "job_not_cancellable" {
		t.Errorf("%d %s", refused.status, refused.raw)
	}
	d.refused(t, []wrong{{"cancelled", "POST", "/jobs/" + job.text("id") + "/cancel", o{}, 409, "job_not_cancellable", ""}})
}

func TestBadKeyRingCalls(t *testing.T) {
	d := newDesk(t)
	code := d.want(200, "POST", adminPath+"/keyring/recovery", o{"password": licensetest.Password}).text("code")
	d.refused(t, []wrong{
		{"no password", "POST", "/keyring/recovery", o{}, 400, "value_required", "password"},
		{"a password that is a number", "POST", "/keyring/rotate", o{"password": 1}, 400, "wrong_type", "password"},
		{"no code", "POST", "/keyring/recovery/confirm", o{}, 400, "value_required", "code"},
		{"an empty code", "POST", "/keyring/recovery/confirm", o{"code": ""}, 400, "recovery_code_form", "code"},
		{"half a code", "POST", "/keyring/recovery/confirm", o{"code": code[:20]}, 400, "recovery_code_form", "code"},
		{"a long code", "POST", "/keyring/recovery/confirm", o{"code": strings.Repeat(code, 1000)}, 400, "recovery_code_form", "code"},
		{"a code with a slip", "POST", "/keyring/recovery/confirm", o{"code": other(code[:1]) + code[1:]}, 400, "recovery_code_form", "code"},
		{"an unknown member", "POST", "/keyring/rotate", o{"password": "x", "force": true}, 400, "unknown_field", "force"},
		{"another method", "DELETE", "/keyring", nil, 405, "method_not_allowed", ""},
		{"a parameter", "GET", "/keyring?slot=1", nil, 400, "unknown_parameter", "slot"},
	})
	for path, code := range map[string]string{"/keyring/recovery": "password_wrong", "/keyring/rotate": "password_wrong"} { // each is recorded
		a := d.ask("POST", adminPath+path, d.owner, o{"password": "Wrong-7-horse"})
		if a.status != 400 || a.code() != code || a.body["field"] != "password" {
			t.Errorf("%s: %d %s", path, a.status, a.raw)
		}
	}
	fresh := newDesk(t)
	fresh.refused(t, []wrong{{"a code of nobody", "POST", "/keyring/recovery/confirm", o{"code": code}, 409, "recovery_code_late", ""}})
}
