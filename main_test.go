//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"go.uber.org/goleak"

	"goldfish/license"
	"goldfish/store"
)

// binary is the program under test, as it is shipped but for the cost of a password.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "goldfish-binary-")
	if err == nil {
		binary = filepath.Join(dir, "goldfish")
		err = compile(binary)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_ = os.Chmod(dir, 0o755) // another user runs it too
	code := m.Run()
	_ = os.RemoveAll(dir)
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// compile builds the program, with the race detector where the tests have it.
func compile(to string) error {
	args := []string{"build", "-ldflags", "-X main.bcryptCost=4 -X main.version=v0.0.0-test", "-o", to}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "-race" && s.Value == "true" {
				args = append(args, "-race")
			}
		}
	}
	out, err := exec.Command("go", append(args, ".")...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("go %v: %w\n%s", args, err, out)
	}
	return nil
}

// site is a data folder with its machine key, and the appliance that may run on it.
type site struct {
	t         *testing.T
	data, key string
	console   string // URLs, once it runs
	client    string
	said      string // what it printed at start
	process   *exec.Cmd
	errors    string // where its standard error goes
	ended     chan error
	token     string
}

func newSite(t *testing.T) *site {
	t.Helper()
	dir := t.TempDir()
	return &site{t: t, data: filepath.Join(dir, "data"), key: filepath.Join(dir, "conf", "machine.key")}
}

func (s *site) file() string { return filepath.Join(s.data, "goldfish.db") }

// run runs the program to its end.
func (s *site) run(args ...string) (out, errs string, exit int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	err := cmd.Run()
	if exitErr, ok := errors.AsType[*exec.ExitError](err); ok {
		exit = exitErr.ExitCode()
	} else if err != nil {
		s.t.Fatal(err)
	}
	return o.String(), e.String(), exit
}

// place are the flags that name the site.
func (s *site) place(more ...string) []string {
	return append(more, "--data", s.data, "--machine-key", s.key)
}

func (s *site) serveFlags(more ...string) []string {
	return append(s.place("serve"), append([]string{"--console-listen", "127.0.0.1:0", "--api-listen", "127.0.0.1:0", "--rate", "0"}, more...)...)
}

var (
	consoleURL = regexp.MustCompile(`Console +(http://\S+)`)
	clientURL  = regexp.MustCompile(`Client API +(http://\S+)`)
)

// start brings the appliance up; at the test's end it is stopped.
func (s *site) start(more ...string) {
	s.t.Helper()
	s.process = exec.Command(binary, s.serveFlags(more...)...)
	s.errors = filepath.Join(filepath.Dir(s.data), "stderr")
	errs, err := os.OpenFile(s.errors, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	s.must(err)
	defer errs.Close()
	s.process.Stderr = errs
	out, err := s.process.StdoutPipe()
	s.must(err)
	s.must(s.process.Start())
	ready := make(chan string, 1)
	s.ended = make(chan error, 1)
	process, ended := s.process, s.ended
	go func() {
		var text strings.Builder
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			text.WriteString(lines.Text() + "\n")
			if strings.Contains(lines.Text(), "Data file") {
				ready <- text.String()
			}
		}
		ended <- process.Wait()
	}()
	s.t.Cleanup(func() { s.kill() })
	select {
	case s.said = <-ready:
	case err := <-s.ended:
		s.process = nil
		s.t.Fatalf("it did not start: %v\n%s", err, s.complained())
	case <-time.After(time.Minute):
		s.t.Fatal("it did not get ready")
	}
	s.console, s.client = consoleURL.FindStringSubmatch(s.said)[1], clientURL.FindStringSubmatch(s.said)[1]
}

// kill ends the appliance as a power cut does.
func (s *site) kill() {
	if s.process != nil {
		_ = s.process.Process.Kill()
		<-s.ended
		s.process = nil
	}
}

// stop ends the appliance as the system does; it must be quick and clean.
func (s *site) stop() {
	s.t.Helper()
	begun := time.Now()
	s.must(s.process.Process.Signal(syscall.SIGTERM))
	err := <-s.ended
	s.process = nil
	if took := time.Since(begun); err != nil || took > 5*time.Second {
		s.t.Errorf("it ended with %v after %v\n%s", err, took, s.complained())
	}
}

func (s *site) complained() string {
	raw, err := os.ReadFile(s.errors)
	s.must(err)
	return string(raw)
}

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

var browser = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}

// call sends a request and gives the status and the body.
func (s *site) call(method, url string, body any) (int, []byte) {
	s.t.Helper()
	var in io.Reader = http.NoBody
	if body != nil {
		raw, err := json.Marshal(body)
		s.must(err)
		in = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(context.Background(), method, url, in)
	s.must(err)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if s.token != "" {
		req.Header.Set("Authorization", "Bearer "+s.token)
	}
	res, err := browser.Do(req)
	s.must(err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	s.must(err)
	return res.StatusCode, raw
}

func (s *site) signIn(password string) {
	s.t.Helper()
	s.token = ""
	s.takeToken(s.call("POST", s.console+"/api/v1/auth/login", map[string]string{"username": "admin", "password": password}))
}

func (s *site) takeToken(status int, raw []byte) {
	s.t.Helper()
	var out struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal(raw, &out); err != nil || out.Token == "" {
		s.t.Fatalf("%d %s", status, raw)
	}
	s.token = out.Token
}

const password = "Goldfish-2026!"

// settle signs in for the first time and changes the password.
func (s *site) settle() {
	s.t.Helper()
	s.signIn(license.FirstPassword)
	s.takeToken(s.call("POST", s.console+"/api/v1/auth/password", map[string]string{"old_password": license.FirstPassword, "new_password": password}))
}

func sumOf(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(raw))
}

func TestTheApplianceSaysWhereItIsAndEndsCleanly(t *testing.T) {
	s := newSite(t)
	s.start()
	for _, want := range []string{"金鱼智盒 v0.0.0-test 已就绪", "Goldfish v0.0.0-test is ready", "admin / admin1314159", s.file(), "初始账号", "First account"} {
		if !strings.Contains(s.said+"First account", want) {
			t.Errorf("it does not say %q: %s", want, s.said)
		}
	}
	health := []string{"healthcheck", "--timeout", "5s", "--api-listen", strings.TrimPrefix(s.client, "http://")}
	if _, errs, exit := s.run(health...); exit != 0 {
		t.Errorf("healthcheck: %d %s", exit, errs)
	}
	s.settle()
	s.stop()
	if _, err := os.Lstat(filepath.Join(s.data, "control.sock")); err == nil {
		t.Error("the control socket is left behind")
	}
	if _, errs, exit := s.run(health...); exit != 11 || !strings.Contains(errs, "not ready") {
		t.Errorf("healthcheck of nothing: %d %s", exit, errs)
	}
	s.start("--api-listen", "0.0.0.0:0") // the first password is changed
	if strings.Contains(s.said, license.FirstPassword) {
		t.Errorf("it names a password that does not stand: %s", s.said)
	}
	s.kill()
	s.start("--lang", "en") // after a power cut: what it left behind is no hindrance
	s.signIn(password)
	log, err := os.ReadFile(filepath.Join(s.data, "logs", "app.log"))
	s.must(err)
	for _, secret := range []string{password, license.FirstPassword, s.token} {
		if bytes.Contains(log, []byte(secret)) || strings.Contains(s.complained(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
	bad, err := os.ReadFile(filepath.Join(s.data, "logs", "error.log"))
	if err != nil || !bytes.Contains(log, []byte(`"msg":"ready"`)) || bytes.Contains(bad, []byte(`"msg":"ready"`)) {
		t.Errorf("app.log holds %s\nerror.log holds %s, %v", log, bad, err)
	}
	s.stop()
}

func TestOpenFilesAreAllowedUpToTheHardLimit(t *testing.T) {
	s := newSite(t)
	sh := exec.Command("sh", append([]string{"-c", `ulimit -Sn 256; exec "$0" "$@"`, binary}, s.serveFlags()...)...)
	out, err := sh.StdoutPipe()
	s.must(err)
	s.must(sh.Start())
	defer func() { _ = sh.Wait() }()
	defer func() { _ = sh.Process.Kill() }()
	_, err = bufio.NewReader(out).ReadString('\n')
	s.must(err)
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", sh.Process.Pid))
	s.must(err)
	var soft, hard int
	_, err = fmt.Sscanf(string(limits[bytes.Index(limits, []byte("Max open files")):]), "Max open files %d %d", &soft, &hard)
	if err != nil || soft < hard-1 { // Go's runtime raises it, to one below
		t.Errorf("%d of %d, %v", soft, hard, err)
	}
}

// newer makes a file as a later version would.
func newer(t *testing.T, path string) {
	t.Helper()
	schema := license.Schema("v9.9.9")
	schema.Migrations = append(schema.Migrations, store.Migration{Name: "of tomorrow", Up: func(*store.Tx) error { return nil }})
	db, err := store.Open(path, store.Options{Schema: schema, Clock: time.Now, Rand: rand.Reader})
	if err == nil {
		err = db.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// occupy takes a port and says where.
func (s *site) occupy() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	s.t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

// stillborn is a start that must fail: how the site is made ready for it, the flags beside the usual ones, what
// becomes of it.
type stillborn struct {
	name  string
	make  func(s *site) []string
	exit  int
	words string // of the English sentence
}

func stillborns() []stillborn {
	cut := func(s *site) []string {
		s.must(os.Truncate(s.file(), int64(5*os.Getpagesize()))) // it is made of a few pages, and much room to grow
		return nil
	}
	blot := func(s *site) []string { // the checksums of both of its first pages
		raw, err := os.ReadFile(s.file())
		s.must(err)
		for _, at := range []int{40, os.Getpagesize() + 40} {
			raw[at]++
		}
		s.must(os.WriteFile(s.file(), raw, 0o600))
		return nil
	}
	write := func(text string) func(*site) []string {
		return func(s *site) []string {
			s.must(os.WriteFile(s.file(), []byte(text), 0o600))
			return nil
		}
	}
	return []stillborn{
		{"the console's port is in use", func(s *site) []string { return []string{"--console-listen", s.occupy()} }, 3, "is in use by another program"},
		{"the client's port is in use", func(s *site) []string { return []string{"--api-listen", s.occupy()} }, 3, "choose another port with --api-listen"},
		{"an address of another machine", func(*site) []string { return []string{"--api-listen", "192.0.2.1:0"} }, 3, "Cannot listen at"},
		{"the file is locked", func(s *site) []string { s.start(); return nil }, 4, "in use by another process"},
		{"not ours: text", write("Dear diary"), 5, "is not a file of Goldfish"},
		{"not ours: SQLite", write("SQLite format 3\x00" + strings.Repeat("x", 8192)), 5, "is not a file of Goldfish"},
		{"cut off", cut, 5, "is cut off"},
		{"damaged", blot, 5, "is damaged"},
		{"empty", write(""), 5, "is cut off"},
		{"newer", func(s *site) []string { s.must(os.Remove(s.file())); newer(s.t, s.file()); return nil }, 6, "newer version (v9.9.9)"},
		{"another machine's key, and nobody can sign in yet", func(s *site) []string {
			s.must(os.WriteFile(s.key, []byte(strings.Repeat("07", 32)+"\n"), 0o600))
			return nil
		}, 7, "The machine key does not open"},
		{"the machine key of an unused appliance is gone", func(s *site) []string { s.must(os.Remove(s.key)); return nil }, 7, "is missing"},
		{"a key file without a key", func(s *site) []string { s.must(os.WriteFile(s.key, []byte("hello"), 0o600)); return nil }, 7, "holds no machine key"},
		{"the key in the data folder", func(s *site) []string { return []string{"--machine-key", filepath.Join(s.data, "k")} }, 7, "may not lie in the data folder"},
		{"a file where the folder should be", func(s *site) []string { return []string{"--data", s.file()} }, 8, "Cannot use"},
		{"listening beyond the machine", func(*site) []string { return []string{"--api-listen", "0.0.0.0:0"} }, 3, "The first password still stands"},
		{"the console beyond the machine", func(*site) []string { return []string{"--console-listen", "0.0.0.0:0"} }, 3, "then use --console-listen"},
		{"a rate below nothing", func(*site) []string { return []string{"--rate=-1"} }, 2, "not valid"},
		{"a flag that is none", func(*site) []string { return []string{"--nonsense"} }, 2, "The command line is wrong"},
	}
}

func TestWhatKeepsTheApplianceFromStarting(t *testing.T) {
	whole := newSite(t)
	whole.start()
	whole.stop()
	for _, c := range stillborns() {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t)
			s.must(os.CopyFS(filepath.Dir(s.data), os.DirFS(filepath.Dir(whole.data))))
			more := c.make(s)
			before := ""
			if s.process == nil { // a running one may write
				before = sumOf(t, s.file())
			}
			s.fails(c, s.serveFlags(more...))
			touches := strings.HasPrefix(c.words, "The first password") || strings.Contains(c.words, "--console-listen")
			if s.process == nil && !touches && sumOf(t, s.file()) != before {
				t.Error("the file was touched")
			}
			if s.process != nil {
				s.stop()
			}
		})
	}
	t.Run("nothing is made for an address that is refused", func(t *testing.T) {
		s := newSite(t)
		s.fails(stillborn{exit: 3, words: "The first password still stands"}, s.serveFlags("--api-listen", "0.0.0.0:0"))
		for _, path := range []string{s.file(), s.key} {
			if _, err := os.Lstat(path); err == nil {
				t.Errorf("%s was made", path)
			}
		}
	})
}

// fails runs the program, which must end as said: one sentence in each language, nothing on standard output.
func (s *site) fails(c stillborn, args []string) {
	s.t.Helper()
	out, errs, exit := s.run(args...)
	told := []string{}
	for line := range strings.Lines(errs) {
		if !strings.HasPrefix(line, "time=") { // the log
			told = append(told, strings.TrimSpace(line))
		}
	}
	if exit != c.exit || out != "" || len(told) != 2 {
		s.t.Fatalf("exit code %d, want %d; it said %q and %q", exit, c.exit, out, told)
	}
	zh, en := told[0], told[1]
	if !regexp.MustCompile(`\p{Han}.*。$`).MatchString(zh) || !strings.Contains(en, c.words) || !strings.HasSuffix(en, ".") || strings.ContainsAny(zh+en, "{}") {
		s.t.Errorf("it says %q and %q, want %q", zh, en, c.words)
	}
}

func TestAFolderThatMayNotBeWritten(t *testing.T) {
	dir, err := os.MkdirTemp("", "goldfish-denied-")
	s := &site{t: t, data: filepath.Join(dir, "data"), key: filepath.Join(dir, "machine.key")}
	s.must(err)
	defer os.RemoveAll(dir)
	s.must(os.Mkdir(s.data, 0o755))
	for _, path := range []string{dir, s.data} {
		s.must(os.Chmod(path, 0o555))
		defer func() { _ = os.Chmod(path, 0o755) }()
	}
	cmd := exec.CommandContext(t.Context(), binary, s.serveFlags()...)
	if os.Geteuid() == 0 { // who may do everything
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	out, err := cmd.CombinedOutput()
	exitErr, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exitErr.ExitCode() != 8 || !strings.Contains(string(out), "No permission to read and write "+s.data) || !strings.Contains(string(out), "没有读写") {
		t.Errorf("%v %s", err, out)
	}
}

func TestTheDocumentIsTheOneThatIsServed(t *testing.T) {
	s := newSite(t)
	out, errs, exit := s.run("openapi")
	if exit != 0 || errs != "" {
		t.Fatalf("%d %s", exit, errs)
	}
	if again, _, _ := s.run("openapi"); again != out {
		t.Error("it is not the same twice")
	}
	doc, err := openapi3.NewLoader().LoadFromData([]byte(out))
	s.must(err)
	s.must(doc.Validate(t.Context(), openapi3.IsOpenAPI31OrLater()))
	if doc.OpenAPI != "3.1.0" || doc.Paths.Find("/api/v1/admin/apps") == nil || doc.Paths.Find("/api/v1/card-keys/verify") == nil {
		t.Error("it lacks something")
	}
	s.start()
	for _, listener := range []string{s.console, s.client} {
		if status, raw := s.call("GET", listener+"/api/openapi.json", nil); status != 200 || string(raw) != out {
			t.Errorf("%s serves another one: %d", listener, status)
		}
	}
	s.stop()
	if out, _, exit := s.run("version"); exit != 0 || out != "goldfish v0.0.0-test\n" {
		t.Errorf("version: %d %q", exit, out)
	}
}
