package admin

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"

	"goldfish/admin/backup"
	"goldfish/admin/config"
	"goldfish/admin/daemon"
	"goldfish/license"
)

// Opener makes what the file of a place is opened with, its machine key among it.
type Opener func(config.Place) (license.Options, error)

// Do carries out a command of the command line that is no appliance itself, and gives what is to be printed, also
// beside an error.
func Do(ctx context.Context, c *config.Command, open Opener) (string, error) {
	switch c.Name {
	case "backup create":
		return createBackup(ctx, c.Backup.Create, open)
	case "backup list":
		return listBackups(c.Backup.List.Place)
	case "backup verify":
		return verifyBackup(c.Backup.Verify, open)
	case "backup restore":
		return restoreBackup(ctx, c.Backup.Restore, open)
	case "backup prune":
		return pruneBackups(ctx, c.Backup.Prune.Place, open)
	case "verify":
		return verifyFile(ctx, c.Verify, open)
	case "compact":
		return compactFile(ctx, c.Compact.Place, open)
	case "admin reset-password", "keyring rotate":
		return doKeys(ctx, c, open)
	case "healthcheck":
		return "", checkHealth(ctx, c.Healthcheck)
	}
	return daemonVerb(c.Daemon)
}

// checkHealth asks the appliance on this machine whether it can serve.
func checkHealth(ctx context.Context, c config.Healthcheck) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	l := c.APIListen
	if !l.Loopback() {
		l.Host = "127.0.0.1"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+l.String()+"/readyz", http.NoBody)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return config.Fail("not_ready").With("error", err).Because(err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 1<<16))
	if res.StatusCode != http.StatusOK {
		return config.Fail("not_ready").With("error", res.Status)
	}
	return nil
}

const daemonName = "goldfish"

// daemonUnit describes the system service. Unless the command says otherwise its folders are the system's own.
func daemonUnit(c config.Daemon) (u daemon.Unit, key string, err error) {
	data, keys, state := daemon.Places(daemonName)
	key = filepath.Join(keys, "machine.key")
	if c.DataGiven {
		data = c.Data
	}
	if c.MachineKey != "" {
		key, keys = c.MachineKey, filepath.Dir(c.MachineKey)
	}
	if c.MachineKey != "" || c.State != "" {
		if state, err = (config.Place{Data: data, MachineKey: key, State: c.State}).StateFolder(); err != nil {
			return u, key, err
		}
	}
	u = daemon.Unit{
		Name: daemonName, Title: "Goldfish 金鱼智盒", About: "Card-key licensing server · 卡密授权服务器", DataDir: data, KeyDir: keys, Others: []string{state},
		Args: append([]string{"serve", "--data", data, "--machine-key", key, "--state", state}, c.Passed()...),
	}
	_, lacks := os.Lstat(key)
	if _, fresh := os.Lstat(filepath.Join(data, "goldfish.db")); lacks != nil && fresh != nil && runtime.GOOS == "linux" {
		u.MakeKey = func() error {
			_, err := backup.MachineKey("", key, true, rand.Reader)
			return err
		}
	}
	u.KeyStays = lacks == nil || u.MakeKey != nil
	return u, key, nil
}

// daemonVerb works on the system service.
func daemonVerb(c config.Daemon) (string, error) {
	u, key, err := daemonUnit(c)
	if err != nil {
		return "", err
	}
	if _, err := os.Lstat(filepath.Join(u.DataDir, "goldfish.db")); c.Verb == "install" && errors.Is(err, fs.ErrNotExist) {
		if err := c.Beyond(true); err != nil { // it could not start
			return "", err
		}
	}
	verbs := map[string]func() (daemon.Outcome, error){
		"install": u.Install, "uninstall": u.Uninstall, "start": u.Start, "stop": u.Stop, "restart": u.Restart,
	}
	do, changes := verbs[c.Verb]
	verb := c.Verb
	if !changes {
		verb = ""
		do = func() (daemon.Outcome, error) {
			st, err := u.Status()
			return daemon.Outcome{Status: st}, err
		}
	}
	out, err := do()
	if err != nil {
		return "", daemonFailure(c.Verb, u, err)
	}
	s := out.Status
	told := config.DaemonState(s.ID, string(s.State), s.Detail, verb, out.Changed, out.Restart)
	if verb == "install" {
		told += "\n" + config.Installed(u.DataDir, key, c.ConsoleListen, c.APIListen)
	}
	return told, nil
}

func daemonFailure(verb string, u daemon.Unit, err error) error {
	code := "daemon_failed"
	switch {
	case errors.Is(err, daemon.ErrNotPermitted):
		code = "daemon_not_permitted"
	case errors.Is(err, daemon.ErrUnsupported):
		code = "daemon_unsupported"
	case errors.Is(err, daemon.ErrNotInstalled):
		code = "daemon_not_installed"
	case errors.Is(err, daemon.ErrForeign):
		code = "daemon_foreign"
	}
	return config.Fail(code).With("verb", verb).With("data", u.DataDir).With("keys", u.KeyDir).With("error", err).Because(err)
}
