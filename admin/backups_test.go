package admin

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"goldfish/license"
	"goldfish/license/licensetest"
)

const planPath = "/api/v1/admin/backup-plan"

// backUp makes a backup by the console's button and gives its name.
func (d *desk) backUp() string {
	d.t.Helper()
	a := d.want(202, "POST", backupsPath, nil)
	if a.data("running") != true || a.text("work") != "backup" {
		d.t.Errorf("%s", a.raw)
	}
	d.Await("the backup", func() bool { return d.get(planPath).data("running") == false })
	return d.get(backupsPath).text("items.0.name")
}

func TestBackupsOfTheConsole(t *testing.T) {
	d := newDesk(t)
	app := d.newApp("x")
	d.newBatch(app, 10, nil)
	if a := d.get(backupsPath); len(a.data("items").([]any)) != 0 {
		t.Errorf("%s", a.raw)
	}
	name := d.backUp()
	list := d.get(backupsPath)
	if name != "goldfish-20260601T120000Z.db.zst" || list.text("items.0.folder") != "main" || list.data("items.0.summed") != true || list.data("items.0.compressed") != true || list.number("items.0.bytes") <= 0 {
		t.Errorf("%s", list.raw)
	}
	plan := d.get(planPath)
	if plan.data("last_ok") != true || plan.text("last_at") != "2026-06-01T12:00:00Z" || plan.text("last_good_at") != "2026-06-01T12:00:00Z" || plan.number("last_bytes") != list.number("items.0.bytes") ||
		plan.text("next_at") != "2026-06-02T02:00:00Z" || plan.text("last_error_code") != "" || plan.text("work") != "" {
		t.Errorf("%s", plan.raw)
	}
	r := d.want(200, "POST", backupsPath+"/"+name+"/verify", nil)
	rows, _ := r.data("rows").(map[string]any)
	if rows["cards"] != 10.0 || r.text("seal") != "this_machine" || r.text("release") != "test" || r.number("epoch") != 1 || r.text("appliance_id") != d.DB().UUID().String() ||
		r.text("name") != name || r.data("newest_at") == nil || r.number("schema") != len(license.Schema("").Migrations) || r.number("bytes") != list.number("items.0.bytes") {
		t.Errorf("%s", r.raw)
	}
	file := d.ask("GET", backupsPath+"/"+name+"/file", d.owner, nil)
	sum := sha256.Sum256(file.raw)
	if file.status != 200 || hex.EncodeToString(sum[:]) != r.text("sha256") || file.header.Get("Content-Type") != "application/octet-stream" ||
		!strings.Contains(file.header.Get("Content-Disposition"), name) || file.header.Get("Content-Length") != fmt.Sprint(len(file.raw)) {
		t.Errorf("%d %v", file.status, file.header)
	}
	d.want(200, "DELETE", backupsPath+"/"+name, nil)
	if a := d.get(backupsPath); len(a.data("items").([]any)) != 0 {
		t.Errorf("%s", a.raw)
	}
	for kind, want := range map[license.EventKind]string{license.SystemBackup: "system", license.SystemBackupTaken: "account", license.SystemBackupDeleted: "account"} {
		got, err := d.RecentEvents(10, 1000, func(e *license.Event) bool { return e.Kind == kind })
		if err != nil || len(got) != 1 || got[0].Event.Actor.String() != want || got[0].Event.Args["file"] != name {
			t.Errorf("%s: %v %+v", kind, err, got)
		}
	}
}

func TestThePlanByTheConsole(t *testing.T) {
	d := newDesk(t)
	second := t.TempDir()
	a := d.get(planPath)
	if a.data("enabled") != true || a.text("at") != "02:00" || a.number("keep_days") != 30 || a.number("cap_bytes") != 0 || a.text("second_folder") != "" || a.data("last_at") != nil || a.data("last_ok") != false {
		t.Errorf("%s", a.raw)
	}
	a = d.want(200, "PUT", planPath, o{"enabled": true, "at": "23:30", "keep_days": 7, "second_folder": second, "cap_bytes": 1 << 30})
	if a.text("at") != "23:30" || a.number("keep_days") != 7 || a.text("second_folder") != second || a.number("cap_bytes") != 1<<30 || a.text("next_at") != "2026-06-01T23:30:00Z" {
		t.Errorf("%s", a.raw)
	}
	if again := d.get(planPath); again.text("second_folder") != second {
		t.Errorf("%s", again.raw)
	}
	name := d.backUp()
	list := d.get(backupsPath)
	if list.text("items.1.folder") != "second" || list.text("items.1.name") != name {
		t.Errorf("%s", list.raw)
	}
	d.want(200, "POST", backupsPath+"/"+name+"/verify?folder=second", nil)
	d.want(200, "DELETE", backupsPath+"/"+name+"?folder=second", nil)
	if list = d.get(backupsPath); len(list.data("items").([]any)) != 1 || list.text("items.0.folder") != "main" {
		t.Errorf("%s", list.raw)
	}
	d.Must(os.RemoveAll(second))
	d.Clock.Advance(time.Minute)
	d.backUp()
	a = d.get(planPath)
	if a.data("last_ok") != false || a.text("last_error_code") != "second_folder_failed" || !strings.Contains(a.text("last_error_message"), "第二文件夹") || a.text("last_good_at") != "2026-06-01T12:01:00Z" {
		t.Errorf("%s", a.raw)
	}
	a = d.want(200, "PUT", planPath, o{"enabled": false, "at": "00:00", "keep_days": 1})
	if a.data("enabled") != false || a.data("next_at") != nil || a.text("second_folder") != "" {
		t.Errorf("%s", a.raw)
	}
}

func TestPruningByTheConsole(t *testing.T) {
	d := newDesk(t)
	for range 3 {
		d.backUp()
		d.Clock.Advance(24 * time.Hour)
		d.owner = d.signIn("admin", licensetest.Password)
	}
	d.Clock.Advance(31 * 24 * time.Hour)
	d.owner = d.signIn("admin", licensetest.Password)
	a := d.want(200, "POST", planPath+"/prune", nil)
	if a.number("deleted") != 2 || a.number("kept") != 1 || a.number("bytes") <= 0 || a.data("over_cap") != false || a.body["message"] != "已清理 2 个备份" {
		t.Errorf("%s", a.raw)
	}
	if list := d.get(backupsPath); len(list.data("items").([]any)) != 1 {
		t.Errorf("%s", list.raw)
	}
}

func TestAFailedBackupShowsInTheConsole(t *testing.T) {
	d := newDesk(t)
	d.Must(os.WriteFile(d.keeper.Dir(), nil, 0o600))
	d.want(202, "POST", backupsPath, nil)
	d.Await("the end", func() bool { return d.get(planPath).data("running") == false })
	a := d.get(planPath)
	message := a.text("last_error_message")
	if a.data("last_ok") != false || a.text("last_error_code") != "folder_failed" || !strings.Contains(message, d.keeper.Dir()) || strings.ContainsAny(message, "{}") || a.data("last_good_at") != nil {
		t.Errorf("%s", a.raw)
	}
	if board := d.get(adminPath + "/dashboard"); board.text("recent.0.kind") != "system.error" || board.text("recent.0.code") != "folder_failed" {
		t.Errorf("%s", board.raw)
	}
}

func TestTheConsoleSaysWhenAFailedBackupIsTriedAgain(t *testing.T) {
	d := &desk{World: licensetest.New(t), t: t}
	slot, again := d.Clock.Now().Add(-10*time.Hour), d.Clock.Now().Add(10*time.Minute)
	d.Must(d.KeepBackupState(license.BackupState{ // as the plan has left it
		Slot: slot.UnixMilli(), Tries: 1, Failed: 1, Done: true, Again: again.UnixMilli(), Ended: slot.UnixMilli(), Code: "folder_failed", Why: "x",
	}))
	d.serve()
	d.owner = d.signIn("admin", licensetest.Password)
	if a := d.get(planPath); a.text("retry_at") != "2026-06-01T12:10:00Z" || a.text("next_at") != "2026-06-02T02:00:00Z" || a.data("last_ok") != false {
		t.Errorf("%s", a.raw)
	}
	d.backUp() // one by hand is good
	if a := d.get(planPath); a.data("retry_at") != nil || a.data("last_ok") != true {
		t.Errorf("%s", a.raw)
	}
}

func TestRestoringAsksForThePassword(t *testing.T) {
	d := newDesk(t)
	name := d.backUp()
	restore := backupsPath + "/" + name + "/restore"
	for _, wrong := range []string{"", "wrong", licensetest.Password + " "} {
		if a := d.ask("POST", restore, d.owner, o{"password": wrong}); a.status != 400 || a.code() != "password_wrong" || a.body["field"] != "password" {
			t.Errorf("%q: %d %s", wrong, a.status, a.raw)
		}
	}
	if len(d.asked) > 0 {
		t.Errorf("%v", d.asked)
	}
	if a := d.want(202, "POST", restore, o{"password": licensetest.Password}); a.body["message"] != "已开始恢复，完成后请重新登录" {
		t.Errorf("%s", a.raw)
	}
	if fmt.Sprint(d.asked) != "[restore]" {
		t.Errorf("%v", d.asked)
	}
	wrong, err := d.RecentEvents(10, 100, func(e *license.Event) bool { return e.Code == "password_wrong" })
	if err != nil || len(wrong) != 3 {
		t.Errorf("%v %+v", err, wrong)
	}
}

func TestBadBackups(t *testing.T) {
	d := newDesk(t)
	name := d.backUp()
	plan := func(change o) o {
		body := o{"enabled": true, "at": "02:00", "keep_days": 30}
		for k, v := range change {
			body[k] = v
		}
		return body
	}
	data := filepath.Dir(d.Path)
	password := o{"password": licensetest.Password}
	bad := filepath.Join(data, "backups", "bad.db.zst")
	d.Must(os.WriteFile(bad, []byte("no backup"), 0o600))
	d.Must(os.WriteFile(filepath.Join(data, "backups", "notes.txt"), nil, 0o600))
	d.refused(t, []wrong{
		{"a backup that is not there", "POST", "/backups/none.db/verify", nil, 404, "backup_unknown", "name"},
		{"the file itself by a path", "POST", "/backups/..%2Fgoldfish.db/verify", nil, 404, "not_found_route", ""},
		{"a path up", "DELETE", "/backups/..", nil, 404, "backup_unknown", "name"},
		{"a path up with another slash", "DELETE", `/backups/..%5Cgoldfish.db`, nil, 404, "backup_unknown", "name"},
		{"another file of the folder", "DELETE", "/backups/notes.txt", nil, 404, "backup_unknown", "name"},
		{"a checksum", "DELETE", "/backups/" + name + ".sha256", nil, 404, "backup_unknown", "name"},
		{"a long name", "DELETE", "/backups/" + strings.Repeat("a", 256), nil, 400, "value_length", "name"},
		{"a download of nothing", "GET", "/backups/none.db/file", nil, 404, "backup_unknown", "name"},
		{"a folder that is none", "DELETE", "/backups/" + name + "?folder=third", nil, 400, "value_unknown", "folder"},
		{"a second folder that is not there", "DELETE", "/backups/" + name + "?folder=second", nil, 404, "backup_unknown", "name"},
		{"a restore of nothing", "POST", "/backups/none.db/restore", password, 404, "backup_unknown", "name"},
		{"a restore without a password", "POST", "/backups/" + name + "/restore", o{}, 400, "value_required", "password"},
		{"a restore without a body", "POST", "/backups/" + name + "/restore", nil, 400, "body_missing", ""},
		{"25:00", "PUT", "/backup-plan", plan(o{"at": "25:00"}), 400, "time_of_day", "at"},
		{"2 o'clock", "PUT", "/backup-plan", plan(o{"at": "2:00"}), 400, "time_of_day", "at"},
		{"0 days", "PUT", "/backup-plan", plan(o{"keep_days": 0}), 400, "value_range", "keep_days"},
		{"half a day", "PUT", "/backup-plan", plan(o{"keep_days": 0.5}), 400, "wrong_type", "keep_days"},
		{"a decade and more", "PUT", "/backup-plan", plan(o{"keep_days": 3651}), 400, "value_range", "keep_days"},
		{"a cap of 1 byte", "PUT", "/backup-plan", plan(o{"cap_bytes": 1}), 400, "value_range", "cap_bytes"},
		{"a cap below 0", "PUT", "/backup-plan", plan(o{"cap_bytes": -1}), 400, "value_range", "cap_bytes"},
		{"a relative folder", "PUT", "/backup-plan", plan(o{"second_folder": "backups"}), 400, "folder_relative", "second_folder"},
		{"a folder that does not exist", "PUT", "/backup-plan", plan(o{"second_folder": filepath.Join(t.TempDir(), "x")}), 400, "folder_missing", "second_folder"},
		{"the data folder", "PUT", "/backup-plan", plan(o{"second_folder": data}), 400, "folder_inside", "second_folder"},
		{"a folder in it", "PUT", "/backup-plan", plan(o{"second_folder": filepath.Join(data, "backups")}), 400, "folder_inside", "second_folder"},
		{"inside the data file", "PUT", "/backup-plan", plan(o{"second_folder": filepath.Join(d.Path, "x")}), 400, "folder_missing", "second_folder"},
		{"a file", "PUT", "/backup-plan", plan(o{"second_folder": d.Path}), 400, "folder_missing", "second_folder"},
		{"a folder with a bidirectional override", "PUT", "/backup-plan", plan(o{"second_folder": "/a\u202eb"}), 400, "text_invalid", "second_folder"},
		{"an unknown member", "PUT", "/backup-plan", plan(o{"hour": 2}), 400, "unknown_field", "hour"},
		{"no time", "PUT", "/backup-plan", o{"enabled": true, "keep_days": 30}, 400, "value_required", "at"},
	})
	if a := d.ask("POST", backupsPath+"/bad.db.zst/verify", d.owner, nil); a.status != 503 || a.code() != "file_not_ours" || !bytes.Contains(a.raw, []byte("bad.db.zst")) {
		t.Errorf("%d %s", a.status, a.raw)
	}
	if a := d.ask("POST", backupsPath, d.owner, nil, "Sec-Fetch-Site", "cross-site"); a.status != http.StatusForbidden {
		t.Errorf("%d %s", a.status, a.raw)
	}
	if len(d.asked) > 0 {
		t.Errorf("%v", d.asked)
	}
}
