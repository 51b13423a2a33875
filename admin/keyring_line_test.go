package admin

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"goldfish/admin/config"
	"goldfish/admin/control"
	"goldfish/license"
	"goldfish/license/fault"
	"goldfish/license/licensetest"
)

// placed is a command with its place, and how the file there is opened.
func placed(name, data string) (*config.Command, Opener) {
	c := &config.Command{Name: name}
	for _, p := range []*config.Place{&c.Admin.ResetPassword.Place, &c.Keyring.Rotate.Place} {
		p.Data = data
	}
	c.Admin.ResetPassword.User = "admin"
	return c, func(config.Place) (license.Options, error) {
		return license.Options{Clock: time.Now, Rand: rand.Reader, MachineKey: licensetest.MachineKey, BcryptCost: 4, Argon: licensetest.Argon}, nil
	}
}

var shown = regexp.MustCompile(`：([^\s]{23})\n`)

// The command line has the running appliance do it, and never opens its file; on a stopped one's it works itself.
func TestKeyOrdersRunningAndStopped(t *testing.T) {
	w := licensetest.New(t)
	data := filepath.Dir(w.Path)
	elsewhere := http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusTeapot) })
	line, err := control.Listen(data, keyringLine(w.Authority, elsewhere))
	w.Must(err)
	asked := 0
	run := func(name string, change func(*config.Command)) (string, error) {
		c, open := placed(name, data)
		if change != nil {
			change(c)
		}
		return Do(t.Context(), c, func(p config.Place) (license.Options, error) { asked++; return open(p) })
	}
	reset := func(in func(name, password string)) {
		t.Helper()
		told, err := run("admin reset-password", nil)
		w.Must(err)
		found := shown.FindStringSubmatch(told)
		if len(found) != 2 || strings.Count(told, found[1]) != 2 {
			t.Fatalf("it says %q", told)
		}
		in("admin", found[1])
	}
	signIn := func(a *license.Authority) func(name, password string) {
		return func(name, password string) {
			t.Helper()
			if _, me, err := a.SignIn(t.Context(), license.Actor{}, license.SignInIn{Name: name, Password: password}); err != nil || !me.MustChange {
				t.Errorf("%+v %v", me, err)
			}
		}
	}
	reset(signIn(w.Authority))
	if told, err := run("keyring rotate", nil); err != nil || !strings.Contains(told, "were sealed anew") {
		t.Errorf("%q %v", told, err)
	}
	if v, err := w.Keyring(license.System); err != nil || v.DataKey != 2 {
		t.Errorf("%+v %v", v, err)
	}
	_, err = run("admin reset-password", func(c *config.Command) { c.Admin.ResetPassword.User = "nobody" })
	if f, ok := errors.AsType[*config.Failure](err); !ok || f.Code != "account_missing" || f.ExitCode() != config.ExitUsage {
		t.Errorf("nobody: %v", err)
	}
	if asked != 0 {
		t.Errorf("the file of a running appliance was opened %d times", asked)
	}
	cut, cancel := context.WithCancel(t.Context())
	cancel()
	_ = line.Close(cut)
	w.Must(w.Close())

	reset(func(name, password string) {
		again := licensetest.Open(t, w.Path, w.Clock)
		signIn(again.Authority)(name, password)
		w.Must(again.Close())
	})
	if told, err := run("keyring rotate", nil); err != nil || !strings.Contains(told, "were sealed anew") || asked != 2 {
		t.Errorf("%q %v, asked %d times", told, err, asked)
	}
	if _, err = run("admin reset-password", func(c *config.Command) { c.Admin.ResetPassword.User = "nobody" }); !fault.Has(err, "account_missing") {
		t.Errorf("nobody: %v", err)
	}
	_, err = run("keyring rotate", func(c *config.Command) { c.Keyring.Rotate.Data = t.TempDir() })
	if f, ok := errors.AsType[*config.Failure](err); !ok || f.Code != "file_missing" {
		t.Errorf("without a file: %v", err)
	}
}

// What is no order is refused in words; other orders go on.
func TestKeyOrdersThatAreNone(t *testing.T) {
	w := licensetest.New(t)
	data := filepath.Dir(w.Path)
	line, err := control.Listen(data, keyringLine(w.Authority, http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusTeapot) })))
	w.Must(err)
	client, err := control.Dial(t.Context(), data)
	w.Must(err)
	for body, code := range map[string]string{"": "usage", "[]": "usage", `{"user":"nobody"}`: "account_missing", `{"user":"` + strings.Repeat("x", 5000): "usage"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://goldfish"+resetPath, strings.NewReader(body))
		w.Must(err)
		res, err := client.Do(req)
		w.Must(err)
		text := make([]byte, 200)
		n, _ := res.Body.Read(text)
		_ = res.Body.Close()
		if !strings.Contains(string(text[:n]), `"code":"`+code+`"`) {
			t.Errorf("%.20q: %s", body, text[:n])
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://goldfish/backups", http.NoBody)
	w.Must(err)
	res, err := client.Do(req)
	w.Must(err)
	_ = res.Body.Close()
	if res.StatusCode != http.StatusTeapot {
		t.Errorf("another order: %d", res.StatusCode)
	}
	cut, cancel := context.WithCancel(t.Context())
	cancel()
	_ = line.Close(cut)
}
