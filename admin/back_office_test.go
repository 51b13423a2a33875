package admin

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"goldfish/license"
	"goldfish/license/licensetest"
)

func TestAnAppAndItsSample(t *testing.T) {
	d := newDesk(t)
	a := d.want(201, "POST", adminPath+"/apps", map[string]any{"name": map[string]string{"zh": " 画图 ", "en": "Paint"}, "description": map[string]string{"en": "x"}})
	id := a.text("id")
	if a.text("name.zh") != "画图" || a.text("state") != "enabled" || a.text("policy.device_key") != "required" || a.number("policy.grace_days") != 7 ||
		a.text("keys.0.state") != "current" || a.text("keys.1.state") != "standby" || len(a.text("keys.0.public_key")) != 43 {
		t.Errorf("%s", a.raw)
	}
	a = d.want(200, "PATCH", adminPath+"/apps/"+id, map[string]any{
		"state": "disabled", "policy": map[string]any{"device_tolerance": "any", "grace_days": 0, "heartbeat_seconds": 30, "device_key": "optional"},
	})
	if a.text("state") != "disabled" || a.text("policy.device_tolerance") != "any" || a.number("policy.grace_days") != 0 || a.text("name.en") != "Paint" {
		t.Errorf("%s", a.raw)
	}
	sample := d.get(adminPath + "/apps/" + id + "/sample")
	text := sample.text("text")
	for _, want := range []string{`SERVER_URL = "http://127.0.0.1:8000"`, `APP_ID = "` + id + `"`, `PUBLIC_KEYS = "` + a.text("keys.0.public_key") + "," + a.text("keys.1.public_key") + `"`} {
		if !strings.Contains(text, want) {
			t.Errorf("the sample has no %s", want)
		}
	}
	if strings.Contains(text, "{{") {
		t.Error("something in the sample is not filled in")
	}
	path := filepath.Join(t.TempDir(), sample.text("filename"))
	d.Must(os.WriteFile(path, []byte(text), 0o600))
	if out, err := exec.CommandContext(t.Context(), "python3", "-m", "py_compile", path).CombinedOutput(); err != nil {
		t.Errorf("%v %s", err, out)
	}
	if sdk := d.ask("GET", sample.text("sdk_url"), "", nil); sdk.status != 200 || !bytes.Contains(sdk.raw, []byte("class Client")) {
		t.Errorf("the SDK: %d", sdk.status)
	}
}

func TestListsGoOnWithoutGapOrDouble(t *testing.T) {
	d := newDesk(t)
	var apps []string
	for i := range 5 {
		apps = append(apps, d.newApp(fmt.Sprintf("app %d", i)))
	}
	slices.Reverse(apps)
	d.newBatch(apps[0], 7, nil)
	for path, count := range map[string]int{"/apps": 5, "/cards": 7, "/batches": 1, "/jobs": 1, "/accounts": 1, "/devices": 0, "/announcements": 0} {
		seen := map[string]bool{}
		next := ""
		for page := 0; page == 0 || next != ""; page++ {
			if page > 10 {
				t.Fatalf("%s does not end", path)
			}
			a := d.get(adminPath + path + "?limit=2&cursor=" + next)
			items, _ := a.data("items").([]any)
			if items == nil || len(items) > 2 {
				t.Fatalf("%s: %s", path, a.raw)
			}
			for i := range items {
				id := a.text(fmt.Sprintf("items.%d.id", i))
				if seen[id] {
					t.Errorf("%s gives %s twice", path, id)
				}
				seen[id] = true
			}
			next = a.text("next")
			if next != "" && len(items) == 0 {
				t.Errorf("%s: an empty page goes on", path)
			}
		}
		if len(seen) != count {
			t.Errorf("%s gives %d, want %d", path, len(seen), count)
		}
	}
	if got := d.get(adminPath + "/apps?limit=2").text("items.0.id"); got != apps[0] {
		t.Errorf("the newest is %s", got)
	}
}

func TestAThousandKeysEndToEnd(t *testing.T) {
	d := newDesk(t)
	app := d.newApp("画图")
	batch := d.newBatch(app, 1000, map[string]any{"name": "十一月", "note": "n", "price_label": "¥30", "tier": "pro", "features": []string{"a", "b"}, "devices": 2})
	b := d.get(adminPath + "/batches/" + batch)
	if b.text("state") != "ready" || b.number("cards.unused") != 1000 || b.number("cards.total") != 1000 || b.text("created_by") != "admin" || b.text("name") != "十一月" ||
		b.number("validity.seconds") != 30*86400 || b.number("devices") != 2 || b.text("features.1") != "b" || b.text("app_id") != app {
		t.Errorf("%s", b.raw)
	}
	rows := d.export("?batch_id=" + batch)
	keys := map[string]bool{}
	for _, row := range rows[1:] {
		keys[row[0]] = true
	}
	if len(keys) != 1000 || len(rows) != 1001 {
		t.Fatalf("%d keys in %d rows", len(keys), len(rows))
	}
	key := rows[1][0]
	if len(key) != 19 || rows[1][1] != "未激活" || rows[1][2] != "画图" || rows[1][3] != "十一月" || rows[1][4] != "30 天" {
		t.Errorf("%q", rows[1])
	}
	found := d.want(200, "POST", adminPath+"/cards/find", map[string]any{"key": strings.ToLower(strings.ReplaceAll(key, "-", " "))})
	card := found.text("items.0.id")
	if found.text("items.0.key") != key || found.text("items.0.tier") != "pro" || found.data("items.0.account") != nil || found.data("items.0.ends_at") != nil {
		t.Errorf("%s", found.raw)
	}
	if total := d.get(adminPath + "/dashboard"); total.number("cards.total") != 1000 || total.data("steps.keys") != true || total.data("steps.connected") != false || len(total.data("activations").([]any)) != 30 {
		t.Errorf("%s", total.raw)
	}
	acted := d.want(200, "POST", adminPath+"/cards/disable", map[string]any{"ids": []string{card, "AAAAAAAAAAAAAAAAAAAAAA"}, "reason": "退款"})
	if acted.number("changed") != 1 || acted.text("failed.0.code") != "not_found" || acted.text("failed.0.message") == "not_found" {
		t.Errorf("%s", acted.raw)
	}
	if again := d.want(200, "POST", adminPath+"/cards/disable", map[string]any{"ids": []string{card}}); again.number("changed") != 0 || again.text("failed.0.code") != "card_already_disabled" {
		t.Errorf("%s", again.raw)
	}
	detail := d.get(adminPath + "/cards/" + card)
	if detail.text("state") != "disabled" || detail.text("history.1.kind") != "card_key.disabled" || detail.text("history.1.args.reason") != "退款" || detail.text("history.1.actor.name") != "admin" {
		t.Errorf("%s", detail.raw)
	}
	if list := d.get(adminPath + "/cards?state=disabled&app_id=" + app + "&batch_id=" + batch); list.text("items.0.id") != card || len(list.data("items").([]any)) != 1 {
		t.Errorf("%s", list.raw)
	}
	d.want(200, "POST", adminPath+"/cards/enable", map[string]any{"ids": []string{card}})
	d.want(200, "POST", adminPath+"/cards/delete", map[string]any{"ids": []string{card}})
	if gone := d.want(200, "POST", adminPath+"/cards/enable", map[string]any{"ids": []string{card}}); gone.text("failed.0.code") != "card_deleted" || strings.Contains(gone.text("failed.0.message"), "供应商") {
		t.Errorf("%s", gone.raw) // the vendor is not told to ask the vendor
	}
	if left := d.get(adminPath + "/apps/" + app); left.number("cards.unused") != 999 || left.number("cards.deleted") != 1 {
		t.Errorf("%s", left.raw)
	}
}

// export fetches and reads a CSV as Excel and the standard library do.
func (d *desk) export(query string, headers ...string) [][]string {
	d.t.Helper()
	a := d.ask("GET", adminPath+"/exports/cards"+query, d.owner, nil, headers...)
	if a.status != 200 || a.header.Get("Content-Type") != "text/csv; charset=utf-8" || !strings.HasPrefix(a.header.Get("Content-Disposition"), "attachment") {
		d.t.Fatalf("%d %v %.200s", a.status, a.header, a.raw)
	}
	text, marked := strings.CutPrefix(string(a.raw), "\xef\xbb\xbf")
	if !marked || strings.Count(text, "\n") != strings.Count(text, "\r\n") {
		d.t.Error("no UTF-8 mark, or lines that do not end in CRLF")
	}
	r := csv.NewReader(strings.NewReader(text))
	r.FieldsPerRecord = len(cardColumns)
	rows, err := r.ReadAll()
	d.Must(err)
	return rows
}

func TestNoCellOfAnExportIsAFormula(t *testing.T) {
	d := newDesk(t)
	hostile := []string{
		`=HYPERLINK("http://evil","x")`, "+1+1", "-1+1", "@SUM(A1)", "＝1+1", "＋1", "－1", "＠x", "=cmd|'/c calc'!A0", "'=1", `"=1"`, ",=1", "a\n=1",
		"\u200b=1", "normal",
	}
	app := d.newApp("=1+1")
	for i, note := range hostile {
		body := map[string]any{"note": note, "price_label": strings.SplitN(note, "\n", 2)[0], "name": fmt.Sprintf("=b%d", i), "tier": "-1", "features": []string{"-f"}}
		d.newBatch(app, 1, body)
	}
	rows := d.export("?app_id="+app, "Accept-Language", "en")
	if rows[0][0] != "Card key" || len(rows) != len(hostile)+1 {
		t.Fatalf("%q, %d rows", rows[0], len(rows))
	}
	for _, row := range rows[1:] {
		for i, cell := range row {
			bare := strings.TrimLeft(cell, " \u3000\u200b\n\ufeff\u00a0")
			if bare != "" && strings.ContainsRune("=+-@\t\r＝＋－＠", []rune(bare)[0]) {
				t.Errorf("column %s holds %q", rows[0][i], cell)
			}
		}
	}
	for i, note := range hostile {
		cell := rows[i+1][slices.Index(rows[0], "Note")]
		kept := strings.TrimPrefix(note, "\u200b") // invisible characters in front are not kept
		if strings.TrimPrefix(cell, "'") != kept && cell != kept {
			t.Errorf("the note %q became %q", note, cell)
		}
	}
}

func TestInert(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "a": "a", "1": "1", "=1": "'=1", "+": "'+", "-": "'-", "@": "'@", "\t=": "'\t=", "\rx": "'\rx", " =1": "' =1", "\u200b\u00a0＝1": "'\u200b\u00a0＝1",
		"a=1": "a=1", "'": "'", "  a": "  a", "\n@x": "'\n@x",
	} {
		if got := inert(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestACancelledBatchLeavesNothing(t *testing.T) {
	d := newDesk(t)
	app := d.newApp("x")
	kept := d.newBatch(app, 10, nil)
	a := d.want(202, "POST", adminPath+"/batches", map[string]any{"app_id": app, "count": 200_000, "validity": map[string]any{"kind": "permanent"}})
	job, batch := a.text("job.id"), a.text("batch.id")
	if a.text("batch.state") != "generating" || a.text("job.state") != "running" {
		t.Errorf("%s", a.raw)
	}
	d.Await("some progress", func() bool { return d.get(adminPath+"/jobs/"+job).number("done") > 0 })
	if list := d.get(adminPath + "/cards?batch_id=" + batch); len(list.data("items").([]any)) != 0 {
		t.Error("keys are seen before all are there")
	}
	if cancelled := d.want(200, "POST", adminPath+"/jobs/"+job+"/cancel", map[string]any{}); cancelled.text("state") != "running" {
		t.Errorf("%s", cancelled.raw)
	}
	if again := d.ask("POST", adminPath+"/jobs/"+job+"/cancel", d.owner, nil); again.status != 409 || again.code() != "job_not_running" {
		t.Errorf("cancelled twice: %d %s", again.status, again.raw)
	}
	d.Await("the end", func() bool { return d.get(adminPath+"/jobs/"+job).text("state") == "cancelled" })
	if gone := d.ask("GET", adminPath+"/batches/"+batch, d.owner, nil); gone.status != 404 {
		t.Errorf("the batch: %d %s", gone.status, gone.raw)
	}
	if app := d.get(adminPath + "/apps/" + app); app.number("cards.total") != 10 {
		t.Errorf("%s", app.raw)
	}
	rows, faults := d.DB().Check() // counters and look-ups are what the rows say
	if len(faults) > 0 || rows["cards"] != 10 || rows["card_texts"] != 10 {
		t.Errorf("%v %v", rows, faults)
	}
	ids := map[string]bool{}
	for i := range 10 {
		ids[d.get(adminPath+"/cards?limit=50&batch_id="+kept).text(fmt.Sprintf("items.%d.id", i))] = true
	}
	next := d.newBatch(app, 20, nil) // ids that were taken are not given again
	for i := range 20 {
		if id := d.get(adminPath + "/cards?limit=50&batch_id=" + next).text(fmt.Sprintf("items.%d.id", i)); ids[id] {
			t.Errorf("id %s was given twice", id)
		}
	}
}

func TestDevicesAccountsAndHistory(t *testing.T) {
	d := newDesk(t)
	app := d.World.App(nil)
	keys := d.Keys(app, 2, licensetest.Month)
	who := d.Customer()
	bound, err := d.World.Device(app, 1).Activate(who, keys[0], nil)
	d.Must(err)
	list := d.get(adminPath + "/devices?app_id=" + app.UUID.String() + "&online=true&card_id=" + bound.CardID)
	device := list.text("items.0.id")
	if list.text("items.0.device_id") != bound.DeviceID || list.text("items.0.card_id") != bound.CardID || list.data("items.0.online") != true || list.text("items.0.state") != "bound" {
		t.Errorf("%s", list.raw)
	}
	if masked := list.text("items.0.card_key_masked"); masked == "" || masked == keys[0] {
		t.Errorf("masked: %q", masked)
	}
	if one := d.get(adminPath + "/devices/" + device); one.text("device_id") != bound.DeviceID || one.text("account.username") == "" {
		t.Errorf("%s", one.raw)
	}
	if none := d.get(adminPath + "/devices?online=false"); len(none.data("items").([]any)) != 0 {
		t.Errorf("%s", none.raw)
	}
	card := d.get(adminPath + "/cards/" + bound.CardID)
	if card.text("state") != "active" || card.number("bound") != 1 || card.text("bindings.0.id") != device || card.data("ends_at") == nil || card.text("account.id") != list.text("items.0.account.id") {
		t.Errorf("%s", card.raw)
	}
	accounts := d.get(adminPath + "/accounts?role=customer&q=" + card.text("account.username"))
	if accounts.text("items.0.id") != card.text("account.id") || accounts.number("items.0.cards") != 1 || accounts.text("items.0.state") != "active" {
		t.Errorf("%s", accounts.raw)
	}
	board := d.get(adminPath + "/dashboard")
	if board.number("devices.bound") != 1 || board.number("devices.online") != 1 || board.data("steps.connected") != true || board.number("activations.29.count") != 1 {
		t.Errorf("%s", board.raw)
	}
	status := d.get(adminPath + "/status")
	if status.text("version") != "test" || status.number("file_bytes") <= 0 || status.text("client_url") != "http://127.0.0.1:8000" || status.text("now") != "2026-06-01T12:00:00Z" {
		t.Errorf("%s", status.raw)
	}
}

func TestAnAnnouncementsLife(t *testing.T) {
	d := newDesk(t)
	app := d.newApp("x")
	body := map[string]any{
		"app_ids": []string{app}, "type": "notice", "priority": "high", "title": map[string]string{"zh": "题"}, "body": map[string]string{"zh": "文"},
		"expires_at": "2026-06-02T12:00:00Z",
	}
	made := d.want(201, "POST", adminPath+"/announcements", body)
	id := made.text("id")
	if made.text("state") != "draft" || made.data("published_at") != nil || made.text("expires_at") != "2026-06-02T12:00:00Z" || made.text("app_ids.0") != app {
		t.Errorf("%s", made.raw)
	}
	body["priority"], body["app_ids"] = "low", []string{}
	if changed := d.want(200, "PATCH", adminPath+"/announcements/"+id, body); changed.text("priority") != "low" || len(changed.data("app_ids").([]any)) != 0 {
		t.Errorf("%s", changed.raw)
	}
	if out := d.want(200, "POST", adminPath+"/announcements/"+id+"/publish", map[string]any{}); out.text("state") != "published" || out.data("published_at") == nil {
		t.Errorf("%s", out.raw)
	}
	for _, call := range [][2]string{{"PATCH", ""}, {"DELETE", ""}, {"POST", "/publish"}} {
		var sent any
		if call[0] == "PATCH" {
			sent = body
		}
		if a := d.ask(call[0], adminPath+"/announcements/"+id+call[1], d.owner, sent); a.status != 409 || a.code() != "announcement_not_draft" {
			t.Errorf("%v: %d %s", call, a.status, a.raw)
		}
	}
	d.Clock.Advance(25 * time.Hour)
	d.owner = d.signIn("admin", licensetest.Password)
	if list := d.get(adminPath + "/announcements"); list.text("items.0.state") != "expired" {
		t.Errorf("%s", list.raw)
	}
	if out := d.want(200, "POST", adminPath+"/announcements/"+id+"/withdraw", nil); out.text("state") != "withdrawn" {
		t.Errorf("%s", out.raw)
	}
	delete(body, "expires_at")
	body["publish"] = true
	now := d.want(201, "POST", adminPath+"/announcements", body)
	if now.text("state") != "published" || now.body["message"] != "公告已发布" {
		t.Errorf("%s", now.raw)
	}
	body["publish"] = false
	draft := d.want(201, "POST", adminPath+"/announcements", body).text("id")
	d.want(200, "DELETE", adminPath+"/announcements/"+draft, nil)
	if a := d.ask("POST", adminPath+"/announcements/"+draft+"/publish", d.owner, nil); a.status != 404 {
		t.Errorf("%d %s", a.status, a.raw)
	}
}

func TestEventsNameWhoDidWhat(t *testing.T) {
	d := newDesk(t)
	app := d.newApp("x")
	recent := d.get(adminPath + "/dashboard")
	var found bool
	for i := range 20 {
		at := fmt.Sprintf("recent.%d.", i)
		if recent.text(at+"kind") != license.AppCreated.String() {
			continue
		}
		found = true
		if recent.text(at+"actor.name") != "admin" || recent.text(at+"object.id") != app || recent.text(at+"app_id") != app || recent.text(at+"address") != "127.0.0.1" || recent.text(at+"level") != "info" {
			t.Errorf("%s", recent.raw)
		}
		if me := d.get("/api/v1/auth/me"); me.text("user.id") != recent.text(at+"actor.id") {
			t.Errorf("the actor is %s, the account %s", recent.text(at+"actor.id"), me.text("user.id"))
		}
	}
	if !found {
		t.Errorf("%s", recent.raw)
	}
}
