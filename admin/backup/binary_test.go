//go:build unix

package backup

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"goldfish/license"
	"goldfish/license/licensetest"
	"goldfish/store/storetest"
)

// program builds what is shipped, once.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "goldfish-binary-")
	if err != nil {
		return "", err
	}
	built = dir
	path := filepath.Join(dir, "goldfish")
	out, err := exec.Command("go", "build", "-o", path, "goldfish").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

// appliance is a data folder on which the real program runs; what is in it is made and looked at by the rules.
type appliance struct {
	t       *testing.T
	program string
	data    string

	machineKey []byte
}

func newAppliance(t *testing.T) *appliance {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return &appliance{t: t, program: path, data: filepath.Join(t.TempDir(), "data"), machineKey: licensetest.MachineKey}
}

func (a *appliance) file() string { return filepath.Join(a.data, "goldfish.db") }

func (a *appliance) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, a.program, append(args, "--data", a.data)...)
	cmd.Env = append(os.Environ(), "GOLDFISH_MACHINE_KEY="+hex.EncodeToString(a.machineKey), "GOLDFISH_STATE="+filepath.Join(filepath.Dir(a.data), "state"))
	return cmd
}

// do runs a command to its end.
func (a *appliance) do(exit int, says string, args ...string) string {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(a.t.Context(), time.Minute)
	defer cancel()
	out, err := a.command(ctx, args...).CombinedOutput()
	got := 0
	if exitErr, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exitErr.ExitCode()
	} else if err != nil {
		a.t.Fatal(err)
	}
	if got != exit || !strings.Contains(string(out), says) {
		a.t.Fatalf("%v: exit code %d, want %d and %q: %s", args, got, exit, says, out)
	}
	return string(out)
}

// start serves; it gives the client API's address and a function that ends it by a signal.
func (a *appliance) start() (client string, end func(os.Signal)) {
	a.t.Helper()
	cmd := a.command(context.Background(), "serve", "--console-listen", "127.0.0.1:0", "--api-listen", "127.0.0.1:0", "--rate", "0", "--log-level", "error", "--lang", "en")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		a.t.Fatal(err)
	}
	ended := make(chan struct{})
	end = func(sig os.Signal) {
		_ = cmd.Process.Signal(sig)
		<-ended
	}
	a.t.Cleanup(func() { end(os.Kill) })
	lines := bufio.NewReader(out)
	for client == "" {
		line, err := lines.ReadString('\n')
		if err != nil {
			close(ended)
			a.t.Fatalf("it did not start: %v", cmd.Wait())
		}
		if found := regexp.MustCompile(`Client API +(http://\S+)`).FindStringSubmatch(line); found != nil {
			client = found[1]
		}
	}
	go func() {
		_, _ = io.Copy(io.Discard, lines)
		_ = cmd.Wait()
		close(ended)
	}()
	return client, end
}

// open looks at the file while no program runs on it.
func (a *appliance) open() *licensetest.World {
	a.t.Helper()
	return licensetest.Open(a.t, a.file(), storetest.NewClock(time.Now()))
}

// stock makes an app with keys and a customer, whose access token it gives.
func (a *appliance) stock(n int) (keys []string, token string) {
	a.t.Helper()
	w := a.open()
	w.Owner = license.System
	keys = w.Keys(w.App(nil), n, licensetest.Month)
	from := license.Actor{Address: netip.MustParseAddr("127.0.0.1")}
	_, err := w.Register(a.t.Context(), from, license.RegisterIn{Username: "xiaoyu", Password: licensetest.Password})
	w.Must(err)
	tokens, _, err := w.SignIn(a.t.Context(), from, license.SignInIn{Name: "xiaoyu", Password: licensetest.Password})
	w.Must(err)
	w.Must(w.Close())
	return keys, tokens.Access
}

// activate binds a key to the n-th machine over HTTP and says whether that was acknowledged.
func activate(c *http.Client, client, token, key string, n int) bool {
	raw, err := json.Marshal(map[string]any{"card_key": key, "device_info": map[string]string{
		"cpu_id": fmt.Sprintf("CPU%d", n), "motherboard_id": fmt.Sprintf("BOARD%d", n), "mac_address": fmt.Sprintf("00:11:22:33:%02x:%02x", n>>8, n&255),
	}})
	if err != nil {
		return false
	}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, client+"/api/v1/card-keys/activate", bytes.NewReader(raw))
	if err != nil {
		return false
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := c.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode == http.StatusOK
}

// active counts the keys that are active.
func active(w *licensetest.World) int64 {
	w.T.Helper()
	all, err := w.Overview(license.System)
	w.Must(err)
	if all.Bound != all.Cards.Active {
		w.T.Errorf("%d devices hold %d active keys", all.Bound, all.Cards.Active)
	}
	return all.Cards.Active
}

func TestTheProgramBacksUpUnderLoadAndRestoresElsewhere(t *testing.T) {
	a := newAppliance(t)
	keys, token := a.stock(400)
	client, end := a.start()
	var acknowledged atomic.Int64
	work := make(chan int)
	var load sync.WaitGroup
	c := &http.Client{}
	defer c.CloseIdleConnections()
	for range 4 {
		load.Go(func() {
			for i := range work {
				if activate(c, client, token, keys[i], i) {
					acknowledged.Add(1)
				}
			}
		})
	}
	for i := range 100 {
		work <- i
	}
	before := acknowledged.Load()
	fed := make(chan struct{})
	go func() {
		defer close(fed)
		for i := 100; i < 400; i++ {
			work <- i
		}
	}()
	mine := filepath.Join(t.TempDir(), "mine.db")
	a.do(0, "card keys 400", "backup", "create", "--out", mine)
	<-fed
	close(work)
	load.Wait()
	a.do(0, filepath.Join(a.data, "backups"), "backup", "create")
	a.do(0, "sha256", "backup", "list")
	a.do(0, "card keys 400", "backup", "verify", mine)
	a.do(9, "stop it before restoring", "backup", "restore", mine)
	end(syscall.SIGTERM)

	elsewhere := newAppliance(t)
	elsewhere.do(0, "epoch 2", "backup", "restore", mine)
	if n := active(elsewhere.open()); n < before || n > 400 {
		t.Errorf("%d keys are active in the backup, %d were before it began", n, before)
	}
	w := a.open()
	if n := active(w); n != acknowledged.Load() || n != 400 {
		t.Errorf("%d keys are active, %d activations were acknowledged", n, acknowledged.Load())
	}
	made, err := w.RecentEvents(10, 100_000, func(e *license.Event) bool { return e.Kind == license.SystemBackup })
	if err != nil || len(made) != 2 {
		t.Errorf("%d backups are recorded, %v", len(made), err)
	}
}

func TestTheProgramBacksUpWhatIsStopped(t *testing.T) {
	a := newAppliance(t)
	a.do(8, "There is no file", "backup", "create")
	a.do(0, "There is no backup", "backup", "list")
	a.stock(10)
	_, end := a.start()
	end(os.Kill) // its socket stays behind
	dir := t.TempDir()
	a.do(0, dir, "backup", "create", "--out", dir)
	found, err := filepath.Glob(filepath.Join(dir, "goldfish-*.db.zst"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%v %v", found, err)
	}
	mine := found[0]
	a.do(0, "card keys 10", "backup", "verify", mine)
	a.do(9, "exists already", "backup", "create", "--out", mine)
	a.do(0, ".before-restore-", "backup", "restore", mine)
	before, err := sumFile(a.file())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(mine)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)/2] ^= 1
	if err := os.WriteFile(mine, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	a.do(9, "does not match its checksum", "backup", "verify", mine)
	a.do(9, "does not match its checksum", "backup", "restore", mine)
	key := filepath.Join(t.TempDir(), "machine.key")
	a.do(7, "is missing", "backup", "restore", mine, "--machine-key", key)
	if _, err := os.Lstat(key); err == nil {
		t.Error("a key was made that opens nothing")
	}
	if after, _ := sumFile(a.file()); after != before {
		t.Error("the file was touched")
	}
}
