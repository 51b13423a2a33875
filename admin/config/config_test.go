package config

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func parse(t *testing.T, args ...string) *Command {
	t.Helper()
	c, err := Parse(args, &bytes.Buffer{})
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return c
}

func code(t *testing.T, err error) string {
	t.Helper()
	f, ok := errors.AsType[*Failure](err)
	if !ok {
		t.Fatalf("%v is no failure", err)
	}
	return f.Code
}

func TestNoCommandServes(t *testing.T) {
	dir := t.TempDir()
	c := parse(t, "--data", dir)
	if c.Name != "serve" || c.Serve.Data != dir || c.Serve.Rate != 100 || c.Serve.LogLevel != slog.LevelInfo {
		t.Errorf("%+v", c.Serve)
	}
	if c.Serve.ConsoleListen.String() != "127.0.0.1:8990" || c.Serve.APIListen.String() != "127.0.0.1:8000" {
		t.Errorf("listens at %s and %s", c.Serve.ConsoleListen, c.Serve.APIListen)
	}
	if c.Serve.LogDir != filepath.Join(dir, "logs") || c.Serve.File() != filepath.Join(dir, "goldfish.db") {
		t.Errorf("%+v", c.Serve)
	}
	if !filepath.IsAbs(parse(t).Serve.Data) {
		t.Error("the default data folder is not absolute")
	}
}

func TestFlagsStandAboveTheEnvironment(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("GOLDFISH_DATA", filepath.Join(dir, "env"))
	t.Setenv("GOLDFISH_API_LISTEN", "127.0.0.1:1")
	t.Setenv("GOLDFISH_LOG_LEVEL", "warn")
	c := parse(t, "serve", "--api-listen", "127.0.0.1:2")
	if c.Serve.Data != filepath.Join(dir, "env") || c.Serve.APIListen.Port != 2 || c.Serve.LogLevel != slog.LevelWarn {
		t.Errorf("%+v", c.Serve)
	}
}

func TestCommandNames(t *testing.T) {
	for want, args := range map[string][]string{
		"serve": {"serve"}, "service install": {"service", "install", "--rate", "5"}, "backup create": {"backup", "create", "--out", "x"},
		"backup list": {"backup", "list"}, "backup verify": {"backup", "verify", "f"}, "backup restore": {"backup", "restore", "f"},
		"backup prune": {"backup", "prune"}, "verify": {"verify", "f"}, "compact": {"compact"},
		"openapi": {"openapi"}, "version": {"version"}, "healthcheck": {"healthcheck"},
	} {
		if c := parse(t, args...); c.Name != want {
			t.Errorf("%v is %q, want %q", args, c.Name, want)
		}
	}
	if c := parse(t, "service", "install", "--rate", "5"); c.Daemon.Rate != 5 || c.Daemon.Verb != "install" {
		t.Errorf("%+v", c.Daemon)
	}
}

func TestHelpIsNoCommand(t *testing.T) {
	var out bytes.Buffer
	if _, err := Parse([]string{"--help"}, &out); err != nil || !strings.Contains(out.String(), "Exit codes") {
		t.Errorf("%v %s", err, out.String())
	}
	c, err := Parse([]string{"serve", "--help"}, &out)
	if err != nil || c.Name != "" || !strings.Contains(out.String(), "--console-listen") {
		t.Errorf("%v %+v %s", err, c, out.String())
	}
}

func TestWrongCommandLines(t *testing.T) {
	for _, args := range [][]string{
		{"nonsense"},
		{"serve", "--what"},
		{"serve", "--log-level", "loud"},
		{"serve", "--lang", "fr"},
		{"service", "explode"},
		{"backup"},
		{"backup", "verify"},
		{"verify"},
		{"serve", "--api-listen", "8000"},
		{"serve", "--api-listen", "127.0.0.1:70000"},
	} {
		_, err := Parse(args, &bytes.Buffer{})
		f, ok := errors.AsType[*Failure](err)
		if !ok || f.ExitCode() != ExitUsage {
			t.Errorf("%v: %v", args, err)
		}
	}
}

// A value that has a sentence of ours is told by it alone: nothing English in the Chinese one.
func TestWrongAddressIsToldPlainly(t *testing.T) {
	_, err := Parse([]string{"serve", "--api-listen", "abc"}, &bytes.Buffer{})
	if f, ok := errors.AsType[*Failure](err); !ok || f.Code != "listen_form" || f.Sentence("zh") != "监听地址“abc”无效，请写成 主机:端口，例如 127.0.0.1:8000。" {
		t.Errorf("%v", err)
	}
}

func TestRateIsTurnedOffByTheFlagAlone(t *testing.T) {
	if c := parse(t, "--rate", "0"); c.Serve.Rate != 0 {
		t.Errorf("rate %v", c.Serve.Rate)
	}
	t.Setenv("GOLDFISH_RATE", "0")
	if _, err := Parse(nil, &bytes.Buffer{}); code(t, err) != "rate_range" {
		t.Errorf("by environment: %v", err)
	}
	if c := parse(t, "backup", "list"); c.Name != "backup list" {
		t.Error("a rate bothers another command")
	}
	t.Setenv("GOLDFISH_RATE", "-1")
	if _, err := Parse(nil, &bytes.Buffer{}); code(t, err) != "rate_range" {
		t.Errorf("negative: %v", err)
	}
}

func TestLoopback(t *testing.T) {
	for text, want := range map[string]bool{
		"127.0.0.1:1": true, "127.9.9.9:1": true, "[::1]:1": true, "localhost:1": true, "LocalHost:1": true, "[::ffff:127.0.0.1]:1": true,
		":1": false, "0.0.0.0:1": false, "[::]:1": false, "192.168.1.2:1": false, "example.org:1": false, "localhost.example.org:1": false,
	} {
		var l Listen
		if err := l.UnmarshalText([]byte(text)); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if l.Loopback() != want {
			t.Errorf("%s: loopback is %v", text, !want)
		}
	}
}

func TestURLNamesTheBoundPort(t *testing.T) {
	l := Listen{Host: "127.0.0.1"}
	if got := l.URL(&net.TCPAddr{Port: 4711}); got != "http://127.0.0.1:4711" {
		t.Error(got)
	}
	if got := (Listen{Host: "::1", Port: 5}).URL(nil); got != "http://[::1]:5" {
		t.Error(got)
	}
	if got := (Listen{Host: "0.0.0.0", Port: 5}).URL(nil); strings.Contains(got, "0.0.0.0") {
		t.Error(got)
	}
}

func TestKeySources(t *testing.T) {
	dir := t.TempDir()
	data, cred := filepath.Join(dir, "data"), filepath.Join(dir, "cred")
	for _, d := range []string{data, cred} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	p := Place{Data: data}
	if src, err := p.Key(); err != nil || src.Path != defaultKey() || !src.Create {
		t.Errorf("default: %+v, %v", src, err)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", cred)
	if src, _ := p.Key(); src.Path != defaultKey() {
		t.Errorf("without a credential: %+v", src)
	}
	if err := os.WriteFile(filepath.Join(cred, "machine.key"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if src, err := p.Key(); err != nil || src.Path != filepath.Join(cred, "machine.key") || src.Create {
		t.Errorf("credential: %+v, %v", src, err)
	}
	t.Setenv("GOLDFISH_MACHINE_KEY_FILE", filepath.Join(dir, "a"))
	if src, err := p.Key(); err != nil || src.Path != filepath.Join(dir, "a") {
		t.Errorf("file: %+v, %v", src, err)
	}
	t.Setenv("GOLDFISH_MACHINE_KEY", "00")
	if src, err := p.Key(); err != nil || src.Text != "00" || src.Path != "" {
		t.Errorf("text: %+v, %v", src, err)
	}
	if _, still := os.LookupEnv("GOLDFISH_MACHINE_KEY"); still {
		t.Error("the key stays in the environment")
	}
	p.MachineKey = filepath.Join(dir, "b")
	if src, err := p.Key(); err != nil || src.Path != p.MachineKey {
		t.Errorf("flag: %+v, %v", src, err)
	}
}

func TestKeyInsideTheDataFolderIsRefused(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	if err := os.MkdirAll(filepath.Join(data, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(data, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		filepath.Join(data, "machine.key"), filepath.Join(data, "sub", "new", "k"), filepath.Join(dir, "link", "k"),
		filepath.Join(dir, "other", "..", "data", "k"), data,
	} {
		if _, err := (Place{Data: data, MachineKey: path}).Key(); code(t, err) != "machine_key_inside" {
			t.Errorf("%s: %v", path, err)
		}
		if _, err := (Place{Data: filepath.Join(dir, "link"), MachineKey: path}).Key(); code(t, err) != "machine_key_inside" {
			t.Errorf("%s by a link: %v", path, err)
		}
	}
	for _, path := range []string{filepath.Join(dir, "machine.key"), filepath.Join(dir, "data2", "k"), filepath.Join(dir, "a", "b", "k")} {
		if _, err := (Place{Data: data, MachineKey: path}).Key(); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	none := filepath.Join(dir, "none")
	if _, err := (Place{Data: none, MachineKey: filepath.Join(none, "k")}).Key(); code(t, err) != "machine_key_inside" {
		t.Errorf("in a folder that is not there yet: %v", err)
	}
	if inside, err := lies(defaultKey(), defaultData()); err != nil || inside {
		t.Errorf("by default: %v %v", inside, err)
	}
}

func TestStateFolder(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("GOLDFISH_STATE", "")
	t.Setenv("GOLDFISH_MACHINE_KEY_FILE", "")
	data := filepath.Join(dir, "data")
	for name, c := range map[string]struct {
		place Place
		want  string
	}{
		"by default":         {Place{Data: data}, defaultState()},
		"named":              {Place{Data: data, MachineKey: filepath.Join(dir, "k", "key"), State: filepath.Join(dir, "s")}, filepath.Join(dir, "s")},
		"beside a named key": {Place{Data: data, MachineKey: filepath.Join(dir, "k", "key")}, filepath.Join(dir, "k", "state")},
	} {
		if got, err := c.place.StateFolder(); err != nil || got != c.want {
			t.Errorf("%s: %s, %v, want %s", name, got, err, c.want)
		}
	}
	t.Setenv("GOLDFISH_MACHINE_KEY_FILE", filepath.Join(dir, "env", "key"))
	if got, err := (Place{Data: data}).StateFolder(); err != nil || got != filepath.Join(dir, "env", "state") {
		t.Errorf("beside a key named by the environment: %s, %v", got, err)
	}
	for _, p := range []Place{
		{Data: data, State: data},
		{Data: data, State: filepath.Join(data, "a", "b")},
		{Data: dir, MachineKey: filepath.Join(dir, "key")},
	} {
		if _, err := p.StateFolder(); code(t, err) != "state_inside" {
			t.Errorf("%+v: %v", p, err)
		}
	}
	for _, folder := range []string{defaultData(), filepath.Dir(defaultKey())} {
		if inside, err := lies(defaultState(), folder); err != nil || inside {
			t.Errorf("by default it lies in %s: %v", folder, err)
		}
	}
	t.Setenv("GOLDFISH_STATE", "s")
	if c := parse(t, "verify", "f"); !filepath.IsAbs(c.Verify.State) || filepath.Base(c.Verify.State) != "s" {
		t.Errorf("from the environment: %+v", c.Verify)
	}
}

var blanks = regexp.MustCompile(`\{[a-z]+\}`)

func TestSentencesSayTheSameInBothLanguages(t *testing.T) {
	for code, s := range sentences {
		zh, en := blanks.FindAllString(s.zh, -1), blanks.FindAllString(s.en, -1)
		slices.Sort(zh)
		slices.Sort(en)
		if s.zh == "" || s.en == "" || !slices.Equal(slices.Compact(zh), slices.Compact(en)) {
			t.Errorf("%s: %v and %v", code, zh, en)
		}
		if s.exit == 0 {
			t.Errorf("%s has exit code 0", code)
		}
	}
	f := Fail("file_locked").With("path", "/x")
	if both := f.Sentence("both"); !strings.Contains(both, "/x 正被") || !strings.Contains(both, "\nThe data file /x is") {
		t.Error(both)
	}
	if zh := f.Sentence("zh"); strings.Contains(zh, "data file") {
		t.Error(zh)
	}
	if odd := Fail("no_such_code"); odd.ExitCode() != ExitInternal || !strings.Contains(odd.Error(), "no_such_code") {
		t.Error(odd.Error())
	}
}

func TestItIsInstalledWithWhatWasSaid(t *testing.T) {
	c := parse(t, "service", "install", "--data", "/d", "--rate", "0", "--api-listen", "0.0.0.0:80", "--log-level", "debug")
	if got := c.Daemon.Passed(); !slices.Equal(got, []string{"--api-listen", "0.0.0.0:80", "--log-level", "debug", "--rate", "0"}) || !c.Daemon.DataGiven {
		t.Errorf("%q", got)
	}
	again := parse(t, append([]string{"serve", "--data", "/d"}, c.Daemon.Passed()...)...)
	if again.Serve.Rate != 0 || again.Serve.APIListen != c.Daemon.APIListen || again.Serve.LogLevel != c.Daemon.LogLevel {
		t.Errorf("%+v", again.Serve)
	}
	if c := parse(t, "service", "start"); len(c.Daemon.Passed()) != 0 || c.Daemon.DataGiven {
		t.Errorf("%q", c.Daemon.Passed())
	}
}

func TestBeyondTheMachineOnlyAfterTheFirstPassword(t *testing.T) {
	s := parse(t, "--api-listen", "0.0.0.0:1").Serve
	if err := s.Beyond(true); code(t, err) != "listen_needs_password" {
		t.Errorf("%v", err)
	}
	if err := s.Beyond(false); err != nil {
		t.Errorf("%v", err)
	}
	if err := parse(t).Serve.Beyond(true); err != nil {
		t.Errorf("on the machine itself: %v", err)
	}
}

func TestOpenSaysWhatIsInTheWay(t *testing.T) {
	l, err := Listen{Host: "127.0.0.1"}.Open("--api-listen")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := Listen{Host: "127.0.0.1", Port: uint16(l.Addr().(*net.TCPAddr).Port)}
	if _, err := taken.Open("--api-listen"); code(t, err) != "port_in_use" || !strings.Contains(err.Error(), "--api-listen") {
		t.Errorf("%v", err)
	}
	if _, err := (Listen{Host: "192.0.2.1"}).Open("--api-listen"); code(t, err) != "listen_failed" {
		t.Errorf("%v", err)
	}
}
