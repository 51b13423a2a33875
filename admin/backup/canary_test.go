package backup

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"goldfish/license"
	"goldfish/license/licensetest"
)

// canaries are what must not be readable in a file without its key: in its own form and in those in which a program
// may have put it down.
func canaries(t *testing.T) (w *licensetest.World, secrets map[string][]byte) {
	t.Helper()
	w = licensetest.New(t)
	secrets = map[string][]byte{}
	app := w.App(nil)
	keys := w.Keys(app, 300, licensetest.Month)
	for _, key := range keys {
		secrets["card key "+key] = []byte(key)
		bare := bytes.ReplaceAll([]byte(key), []byte("-"), nil)
		secrets["card key without dashes "+key] = bare
	}
	for i := range 20 {
		device := w.Device(app, i)
		device.CPU, device.Board = "CANARYCPU"+keys[i][:4], "CANARYBOARD"+keys[i][:4]
		_, err := device.Activate(w.Customer(), keys[i], nil)
		w.Must(err)
		secrets["processor "+device.CPU] = []byte(device.CPU)
		secrets["board "+device.Board] = []byte(device.Board)
		secrets["address "+device.MAC] = []byte(device.MAC)
	}
	from := license.Actor{Local: true}
	_, err := w.Register(t.Context(), from, license.RegisterIn{Username: "canary-user", Password: licensetest.Password, Email: "canary@example.com"})
	w.Must(err)
	tokens, _, err := w.SignIn(t.Context(), from, license.SignInIn{Name: "canary-user", Password: licensetest.Password})
	w.Must(err)
	for _, kept := range app.Keys {
		secrets["a signing key"] = kept.Seed
	}
	for name, text := range map[string]string{
		"user name": "canary-user", "e-mail": "canary@example.com", "password": licensetest.Password, "access token": tokens.Access, "refresh token": tokens.Refresh,
		"bcrypt": "$2a$", "bcrypt of today": "$2b$", "second folder": "canary-folder",
	} {
		secrets[name] = []byte(text)
	}
	_, err = w.SetBackupPlan(w.Owner, license.BackupPlan{At: "02:00", KeepDays: 30, SecondFolder: filepath.Join(string(filepath.Separator), "canary-folder")})
	w.Must(err)
	return w, secrets
}

const control = "a text that everybody may read"

func TestNoBackupShowsASecret(t *testing.T) {
	w, secrets := canaries(t)
	if len(secrets) < 600 {
		t.Fatalf("only %d canaries", len(secrets))
	}
	_, err := w.CreateAnnouncement(w.Owner, license.NewAnnouncement{Type: "notice", Priority: "high", Title: license.Text{EN: control}, Body: license.Text{EN: "x"}})
	w.Must(err)
	dir := t.TempDir()
	second := filepath.Join(dir, "second")
	w.Must(os.Mkdir(second, 0o700))
	plain, packed, unpacked := filepath.Join(dir, "plain.db"), filepath.Join(dir, "packed.db.zst"), filepath.Join(dir, "unpacked.db")
	_, err = Make(w.Authority, options(w), plain)
	w.Must(err)
	r, err := Make(w.Authority, options(w), packed)
	w.Must(err)
	w.Must(copyTo(r, second))
	_, err = unpack(packed, unpacked)
	w.Must(err)
	for name, readable := range map[string]bool{plain: true, packed: false, unpacked: true, filepath.Join(second, "packed.db.zst"): false} {
		raw, err := os.ReadFile(name)
		w.Must(err)
		if len(raw) < 10_000 || readable && !bytes.Contains(raw, []byte(control)) {
			t.Errorf("%s: %d bytes, and not even what everybody may read is found", filepath.Base(name), len(raw))
		}
		for what, secret := range secrets {
			if len(secret) > 0 && bytes.Contains(raw, secret) {
				t.Errorf("%s shows the %s", filepath.Base(name), what)
			}
		}
	}
	only(t, dir, "packed.db.zst", "packed.db.zst.sha256", "plain.db", "plain.db.sha256", "second", "unpacked.db")
}
