//go:build unix

package admin

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"goldfish/license"
)

// program builds what is shipped but for the cost of a password, once.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "goldfish-binary-")
	if err != nil {
		return "", err
	}
	builtIn = dir
	path := filepath.Join(dir, "goldfish")
	out, err := exec.Command("go", "build", "-ldflags", "-X main.bcryptCost=4 -X main.version=v0.0.0-test", "-o", path, "goldfish").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

// machine is where the real program runs: a folder for the data and one for the key.
type machine struct {
	alive
	data, key string
	said      string
	process   *exec.Cmd
	exited    chan error
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	dir := t.TempDir()
	return &machine{alive: alive{t: t}, data: filepath.Join(dir, "data"), key: filepath.Join(dir, "conf", "machine.key")}
}

const ownerPassword = "Goldfish-2026!"

// settle makes an appliance whose owner has chosen a password, and stops it.
func (m *machine) settle() {
	m.t.Helper()
	m.start()
	token := m.signIn("admin", license.FirstPassword)
	status, _, out := m.call("POST", m.console+"/api/v1/auth/password", token, map[string]string{"old_password": license.FirstPassword, "new_password": ownerPassword})
	if status != 200 {
		m.t.Fatalf("%d %v", status, out)
	}
}

// copied is another machine with a copy of the data folder.
func (m *machine) copied() *machine {
	m.t.Helper()
	other := newMachine(m.t)
	raw, err := os.ReadFile(filepath.Join(m.data, "goldfish.db"))
	if err == nil {
		err = errors.Join(os.MkdirAll(other.data, 0o700), os.WriteFile(filepath.Join(other.data, "goldfish.db"), raw, 0o600))
	}
	if err != nil {
		m.t.Fatal(err)
	}
	return other
}

var toldURL = regexp.MustCompile(`(?:Console|Client API) +(http://\S+)`)

// start brings the program up; at the test's end it is killed.
func (m *machine) start() {
	m.t.Helper()
	path, err := program()
	if err != nil {
		m.t.Fatal(err)
	}
	m.process = exec.Command(path, "serve", "--data", m.data, "--machine-key", m.key, "--console-listen", "127.0.0.1:0", "--api-listen", "127.0.0.1:0")
	var errs strings.Builder
	m.process.Stderr = &errs
	out, err := m.process.StdoutPipe()
	if err != nil {
		m.t.Fatal(err)
	}
	if err := m.process.Start(); err != nil {
		m.t.Fatal(err)
	}
	ready, exited, process := make(chan string, 4), make(chan error, 1), m.process
	m.exited = exited
	go func() {
		text := ""
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if text += lines.Text() + "\n"; strings.Contains(lines.Text(), "Data file") {
				ready <- text
				text = ""
			}
		}
		exited <- process.Wait()
	}()
	m.t.Cleanup(m.kill)
	select {
	case m.said = <-ready:
	case err := <-exited:
		m.process = nil
		m.t.Fatalf("it did not start: %v %s", err, errs.String())
	case <-time.After(time.Minute):
		m.t.Fatal("it did not start")
	}
	urls := toldURL.FindAllStringSubmatch(m.said, -1)
	m.console, m.client = urls[0][1], urls[1][1]
}

// kill ends it as a power cut does.
func (m *machine) kill() {
	if m.process != nil {
		_ = m.process.Process.Kill()
		<-m.exited
		m.process = nil
	}
}

// end ends it as the system does, which must be quick and clean.
func (m *machine) end() {
	m.t.Helper()
	begun := time.Now()
	_ = m.process.Process.Signal(syscall.SIGTERM)
	err := <-m.exited
	m.process = nil
	if took := time.Since(begun); err != nil || took > 5*time.Second {
		m.t.Errorf("it ended with %v after %v", err, took)
	}
}

// opensFor signs in, as often as the delay after a wrong password says.
func (m *machine) opensFor(password string) string {
	m.t.Helper()
	for {
		status, h, out := m.call("POST", m.console+"/api/v1/auth/login", "", login("admin", password))
		if status == 429 {
			pause, err := time.ParseDuration(h.Get("Retry-After") + "s")
			if err != nil {
				m.t.Fatal(err)
			}
			<-time.After(pause)
			continue
		}
		token, _ := out["access_token"].(string)
		if status != 200 || token == "" {
			m.t.Fatalf("%d %v", status, out)
		}
		return token
	}
}

func TestACopiedFolderOnAnotherMachine(t *testing.T) {
	first := newMachine(t)
	first.settle()
	old := first.signIn("admin", ownerPassword)
	status, _, out := first.call("POST", first.console+adminPath+"/apps", old, map[string]any{"name": map[string]string{"zh": "画图"}})
	if status != 201 {
		t.Fatalf("%d %v", status, out)
	}
	first.kill() // the copy is one of a running appliance

	second := first.copied() // with no machine key at all
	second.start()
	for _, words := range []string{"数据文件已封存", "data file sealed", "machine.key"} {
		if !strings.Contains(second.said, words) {
			t.Errorf("it does not say %q: %s", words, second.said)
		}
	}
	second.away("", "sealed", "30")
	path, _ := program()
	health := exec.Command(path, "healthcheck", "--api-listen", strings.TrimPrefix(second.client, "http://"))
	if err := health.Run(); health.ProcessState.ExitCode() != 11 {
		t.Errorf("healthcheck: %v", err)
	}
	backup := exec.Command(path, "backup", "create", "--data", second.data, "--machine-key", second.key)
	if text, _ := backup.CombinedOutput(); backup.ProcessState.ExitCode() != 7 || !strings.Contains(string(text), "is sealed") {
		t.Errorf("backup create: %s", text)
	}
	status, _, out = second.call("POST", second.console+"/api/v1/auth/login", "", login("admin", "Wrong-1234!"))
	if status != 401 || out["code"] != "credentials_wrong" {
		t.Errorf("%d %v", status, out)
	}
	token := second.opensFor(ownerPassword)
	if status, _, out := second.call("GET", second.console+adminPath+"/apps", token, nil); status != 200 || len(out["data"].(map[string]any)["items"].([]any)) != 1 {
		t.Errorf("%d %v", status, out)
	}
	if status, _, _ := second.call("GET", second.client+"/readyz", "", nil); status != 200 {
		t.Errorf("readyz: %d", status)
	}
	if status, _, out := second.call("GET", second.console+"/api/v1/auth/me", old, nil); status != 401 {
		t.Errorf("a session of the other machine: %d %v", status, out)
	}
	second.kill()
	second.start() // by itself
	if second.state()["state"] != "ready" || strings.Contains(second.said, "封存") {
		t.Errorf("%v %s", second.state(), second.said)
	}
	second.end()

	first.start() // the original is as it was
	if first.state()["state"] != "ready" {
		t.Errorf("%v", first.state())
	}
	first.end()
}

func TestASealedProgramStopsAndBearsToBeKilled(t *testing.T) {
	first := newMachine(t)
	first.settle()
	first.end()
	second := first.copied()
	second.start()
	second.end()
	if _, err := os.Lstat(filepath.Join(second.data, "control.sock")); err == nil {
		t.Error("the control socket is left behind")
	}
	for range 3 {
		second.start()
		if second.state()["state"] != "sealed" {
			t.Fatalf("%v", second.state())
		}
		second.kill()
	}
	second.start()
	second.opensFor(ownerPassword)
	second.end()
}
