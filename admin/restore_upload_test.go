package admin

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goldfish/admin/backup"
	"goldfish/license"
	"goldfish/license/licensetest"
	"goldfish/store/storetest"
)

const (
	uploadPath = "/api/v1/admin/restore-upload"
	octets     = "application/octet-stream"
)

// emptyDesk is a console over an appliance that nobody has used.
func emptyDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{World: licensetest.Open(t, t.TempDir()+"/goldfish.db", storetest.NewClock(storetest.Start)), t: t}
	d.serve()
	return d
}

// madeElsewhere is a compressed backup of another appliance with ten keys.
func madeElsewhere(t *testing.T) []byte {
	t.Helper()
	w := licensetest.New(t)
	w.Keys(w.App(nil), 10, licensetest.Month)
	path := filepath.Join(t.TempDir(), "b.db.zst")
	_, err := backup.Make(w.Authority, license.Options{Clock: w.Clock.Now, Rand: rand.Reader, MachineKey: licensetest.MachineKey, Release: "test"}, path)
	w.Must(err)
	raw, err := os.ReadFile(path)
	w.Must(err)
	return raw
}

// left are the uploads beside the file.
func (d *desk) left() []string {
	d.t.Helper()
	found, err := filepath.Glob(filepath.Join(filepath.Dir(d.Path), uploadName+"*"))
	d.Must(err)
	return found
}

func (d *desk) upload(body string, headers ...string) answer {
	d.t.Helper()
	return d.ask("POST", uploadPath, "", body, append([]string{"Content-Type", octets}, headers...)...)
}

func TestABackupIsUploadedToAnEmptyAppliance(t *testing.T) {
	good := string(madeElsewhere(t))
	d := emptyDesk(t)
	a := d.upload(good)
	rows, _ := a.data("report.rows").(map[string]any)
	if a.status != 201 || rows["cards"] != 10.0 || a.text("report.seal") != "this_machine" || a.data("report.password") != true || len(a.text("id")) != 32 || len(a.text("token")) != 32 || a.number("report.bytes") != len(good) {
		t.Fatalf("%d %s", a.status, a.raw)
	}
	if len(d.left()) != 1 {
		t.Errorf("%v", d.left())
	}
	id, token := a.text("id"), a.text("token")
	for _, wrong := range [][2]string{{id, ""}, {id, token[1:]}, {id, strings.Repeat("0", 32)}, {strings.Repeat("0", 32), token}, {"x", token}} {
		if a := d.ask("POST", uploadPath+"/"+wrong[0]+"/confirm", "", o{"token": wrong[1]}); a.status != 404 || a.code() != "upload_unknown" {
			t.Errorf("%v: %d %s", wrong, a.status, a.raw)
		}
	}
	again := d.upload(good) // the one before goes
	if again.status != 201 || len(d.left()) != 1 {
		t.Errorf("%d, %v", again.status, d.left())
	}
	if a := d.ask("POST", uploadPath+"/"+id+"/confirm", "", o{"token": token}); a.status != 404 {
		t.Errorf("%d %s", a.status, a.raw)
	}
	confirm := uploadPath + "/" + again.text("id") + "/confirm"
	if a := d.ask("POST", confirm, "", o{"token": again.text("token")}); a.status != 202 || len(d.asked) != 1 {
		t.Errorf("%d %s", a.status, a.raw)
	}
	if a := d.ask("POST", confirm, "", o{"token": again.text("token")}); a.status != 404 || len(d.asked) != 1 {
		t.Errorf("a token is good twice: %d %s", a.status, a.raw)
	}
}

func TestUploadsThatAreRefused(t *testing.T) {
	good := string(madeElsewhere(t))
	flipped := []byte(good)
	flipped[len(good)/2] ^= 1
	d := emptyDesk(t)
	before := d.state()
	elsewhere := license.Options{Clock: d.Clock.Now, Rand: rand.Reader, MachineKey: bytes.Repeat([]byte{7}, 32), BcryptCost: 4, Release: "test"}
	unopened, err := license.Open(filepath.Join(t.TempDir(), "goldfish.db"), elsewhere) // its key is its only one
	d.Must(err)
	path := filepath.Join(t.TempDir(), "unopened.db.zst")
	_, err = backup.Make(unopened, elsewhere, path)
	d.Must(err)
	d.Must(unopened.Close())
	lost, err := os.ReadFile(path)
	d.Must(err)
	for name, c := range map[string]struct {
		body    string
		headers []string
		status  int
		code    string
	}{
		"a letter":             {"a letter\n", nil, 503, "file_not_ours"},
		"nothing":              {"", nil, 503, "file_truncated"},
		"a flipped bit":        {string(flipped), nil, 503, "backup_unreadable"},
		"cut off":              {good[:len(good)/2], nil, 503, "backup_unreadable"},
		"what nobody opens":    {string(lost), nil, 503, "backup_sealed"},
		"as JSON":              {good, []string{"Content-Type", "application/json"}, 415, "upload_type"},
		"as a form":            {good, []string{"Content-Type", "multipart/form-data; boundary=x"}, 415, "upload_type"},
		"compressed once more": {good, []string{"Content-Encoding", "gzip"}, 415, "content_encoding"},
		"forwarded":            {good, []string{"X-Forwarded-For", "198.51.100.7"}, 403, "upload_only_local"},
		"by a proxy":           {good, []string{"Via", "1.1 proxy"}, 403, "upload_only_local"},
		"from another site":    {good, []string{"Sec-Fetch-Site", "cross-site"}, 403, "origin_refused"},
		"from another origin":  {good, []string{"Origin", "http://evil.example"}, 403, "origin_refused"},
		"for another host":     {good, []string{"Host", "evil.example"}, 421, "host_refused"},
	} {
		a := d.upload(c.body, c.headers...)
		message, _ := a.body["message"].(string)
		if a.status != c.status || a.code() != c.code || strings.Contains(message, uploadName) {
			t.Errorf("%s: %d %s", name, a.status, a.raw)
		}
		if len(d.left()) > 0 {
			t.Errorf("%s leaves %v", name, d.left())
		}
	}
	if after := d.state(); after != before || len(d.asked) > 0 {
		t.Errorf("something changed: %s, then %s; %v", before, after, d.asked)
	}
}

func TestAnApplianceInUseTakesNoUpload(t *testing.T) {
	good := string(madeElsewhere(t))
	d := emptyDesk(t)
	a := d.upload(good)
	_, err := d.Register(t.Context(), license.Actor{}, license.RegisterIn{Username: "xiaoyu", Password: licensetest.Password})
	d.Must(err)
	if a := d.upload(good); a.status != 403 || a.code() != "upload_only_empty" {
		t.Errorf("%d %s", a.status, a.raw)
	}
	if a := d.ask("POST", uploadPath+"/"+a.text("id")+"/confirm", "", o{"token": a.text("token")}); a.status != 403 || a.code() != "upload_only_empty" {
		t.Errorf("%d %s", a.status, a.raw)
	}
	used := newDesk(t)
	if a := used.upload(good); a.status != 403 || a.code() != "upload_only_empty" {
		t.Errorf("%d %s", a.status, a.raw)
	}
	if a := used.ask("POST", uploadPath, used.owner, good, "Content-Type", octets); a.status != 403 || len(used.left()) > 0 {
		t.Errorf("%d %s", a.status, a.raw)
	}
}

func TestAnInterruptedUploadLeavesNothing(t *testing.T) {
	d := emptyDesk(t)
	conn, err := net.Dial("tcp", d.server.Listener.Addr().String())
	d.Must(err)
	_, err = io.WriteString(conn, "POST "+uploadPath+" HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: "+octets+"\r\nContent-Length: 100000\r\n\r\n"+strings.Repeat("x", 5000))
	d.Must(err)
	d.Await("its beginning", func() bool { return len(d.left()) == 1 })
	if a := d.upload("x"); a.status != 409 || a.code() != "upload_running" {
		t.Errorf("a second one: %d %s", a.status, a.raw)
	}
	d.Must(conn.Close())
	d.Await("its end", func() bool { return len(d.left()) == 0 })

	stale := filepath.Join(filepath.Dir(d.Path), uploadName+"0123"+uploadEnd) // of a process that was killed
	other := filepath.Join(filepath.Dir(d.Path), "restore-upload.txt")
	d.Must(os.WriteFile(stale, nil, 0o600))
	d.Must(os.WriteFile(other, nil, 0o600))
	sweepUploads(filepath.Dir(d.Path))
	if _, err := os.Lstat(stale); err == nil {
		t.Error("it is still there")
	}
	if _, err := os.Lstat(other); err != nil {
		t.Error(err)
	}
}

func TestAnUploadThatNobodyConfirmsGoes(t *testing.T) {
	d := emptyDesk(t)
	path := filepath.Join(t.TempDir(), "u")
	d.Must(os.WriteFile(path, nil, 0o600))
	var s uploads
	s.put(&upload{id: "a", token: "b", path: path})
	s.pending.ends.Reset(0)
	d.Await("its end", func() bool { _, err := os.Lstat(path); return err != nil && s.take("a", "b") == nil })
}

// From the first page of an empty appliance to another appliance's life.
func TestAnEmptyApplianceBecomesAnother(t *testing.T) {
	good := madeElsewhere(t)
	a := bring(t, at(t.TempDir()), nil)
	if s := a.state(); s["empty"] != true {
		t.Fatalf("%v", s)
	}
	req, err := http.NewRequestWithContext(t.Context(), "POST", a.console+uploadPath, bytes.NewReader(good))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", octets)
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil || res.StatusCode != 201 {
		t.Fatalf("%d %s %v", res.StatusCode, raw, err)
	}
	up := decoded(t, raw)
	status, _, out := a.call("POST", a.console+uploadPath+"/"+up.text("id")+"/confirm", "", o{"token": up.text("token")})
	if status != 202 {
		t.Fatalf("%d %v", status, out)
	}
	a.again()
	if s := a.state(); s["state"] != "ready" || s["empty"] != false || s["error_code"] != "" {
		t.Errorf("%v", s)
	}
	token := a.signIn("admin", licensetest.Password)
	status, _, out = a.call("GET", a.console+adminPath+"/dashboard", token, nil)
	if status != 200 || dig(out["data"], "cards.total") != 10.0 {
		t.Errorf("%d %v", status, out)
	}
	found, err := filepath.Glob(filepath.Join(a.Settings.Data, uploadName+"*"))
	if err != nil || len(found) > 0 {
		t.Errorf("%v %v", found, err)
	}
}

// An owner goes back to a backup, and forth again to the file that was kept.
func TestARestoreByTheConsole(t *testing.T) {
	a := bring(t, place(t), nil)
	token := a.signIn("admin", licensetest.Password)
	shown, owner := a.inside()
	if _, err := shown.Backups.Make(); err != nil {
		t.Fatal(err)
	}
	if _, err := owner.CreateApp(license.System, license.NewApp{Name: license.Text{EN: "later"}}); err != nil {
		t.Fatal(err)
	}
	_, _, list := a.call("GET", a.console+backupsPath, token, nil)
	name, _ := dig(list["data"], "items.0.name").(string)
	status, _, out := a.call("POST", a.console+backupsPath+"/"+name+"/restore", token, o{"password": licensetest.Password})
	if status != 202 {
		t.Fatalf("%d %v", status, out)
	}
	a.again()
	if s := a.state(); s["state"] != "ready" || s["error_code"] != "" {
		t.Errorf("%v", s)
	}
	if status, _, _ := a.call("GET", a.console+"/api/v1/auth/me", token, nil); status != 401 {
		t.Errorf("a session of the file before: %d", status)
	}
	token = a.signIn("admin", licensetest.Password)
	if _, _, out := a.call("GET", a.console+adminPath+"/dashboard", token, nil); dig(out["data"], "apps") != 0.0 {
		t.Errorf("%v", out["data"])
	}
	_, owner = a.inside()
	told, err := owner.RecentEvents(10, 100, func(e *license.Event) bool { return e.Kind == license.SystemRestored })
	if err != nil || len(told) != 1 {
		t.Errorf("%v %+v", err, told)
	}
	kept, err := filepath.Glob(a.Settings.File() + ".before-restore-*")
	if err != nil || len(kept) != 1 {
		t.Errorf("%v %v", kept, err)
	}
}

// A backup that is no good leaves the appliance as it was, and says so.
func TestARestoreThatFails(t *testing.T) {
	a := bring(t, place(t), nil)
	token := a.signIn("admin", licensetest.Password)
	shown, owner := a.inside()
	before := owner.DB().UUID()
	if err := os.MkdirAll(shown.Backups.Dir(), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(shown.Backups.Dir(), "bad.db.zst"), []byte("no backup"), 0o600); err != nil {
		t.Fatal(err)
	}
	status, _, out := a.call("POST", a.console+backupsPath+"/bad.db.zst/restore", token, o{"password": licensetest.Password})
	if status != 202 {
		t.Fatalf("%d %v", status, out)
	}
	a.again()
	if s := a.state(); s["state"] != "ready" || s["error_code"] != "file_not_ours" {
		t.Errorf("%v", s)
	}
	if _, owner = a.inside(); owner.DB().UUID() != before {
		t.Error("another file")
	}
	a.signIn("admin", licensetest.Password)
}

// decoded is an answer by its body.
func decoded(t *testing.T, raw []byte) answer {
	t.Helper()
	a := answer{raw: raw}
	if err := json.Unmarshal(raw, &a.body); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return a
}
