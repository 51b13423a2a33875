package daemon

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// sample is a unit as the program installs it.
func sample() Unit {
	return Unit{
		Name: "goldfish", Title: "Goldfish licensing server", About: "Card keys and licences for your apps.",
		Args: []string{"serve", "--data", "/var/lib/goldfish", "--key", "/etc/goldfish/machine.key"}, Program: "/usr/local/bin/goldfish",
		DataDir: "/var/lib/goldfish", KeyDir: "/etc/goldfish", Others: []string{"/var/lib/goldfish-state"}, KeyStays: true,
	}
}

func TestUnitText(t *testing.T) {
	elsewhere := sample()
	elsewhere.Title, elsewhere.KeyStays = "100% Goldfish", false
	elsewhere.DataDir = `/srv/my "gold" fish`
	elsewhere.Others = []string{"/var/log/goldfish/", elsewhere.DataDir + "/logs", "/var/lib/goldfish logs"}
	elsewhere.Program = "/opt/gold fish/$bin/goldfish"
	elsewhere.Args = []string{"serve", "--data", elsewhere.DataDir, "--name", `50% of $HOME \n`, ""}
	for file, u := range map[string]Unit{"usual.service": sample(), "elsewhere.service": elsewhere} {
		t.Run(file, func(t *testing.T) {
			golden := filepath.Join("testdata", file)
			got := u.systemdUnit()
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("the unit is\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestCheckRefuses(t *testing.T) {
	if err := sample().check(); err != nil {
		t.Fatalf("the usual unit: %v", err)
	}
	for name, edit := range map[string]func(*Unit){
		"no name":              func(u *Unit) { u.Name = "" },
		"capitals":             func(u *Unit) { u.Name = "Goldfish" },
		"a path as name":       func(u *Unit) { u.Name = "../goldfish" },
		"an option as name":    func(u *Unit) { u.Name = "-goldfish" },
		"relative data":        func(u *Unit) { u.DataDir = "data" },
		"relative key":         func(u *Unit) { u.KeyDir = "key" },
		"relative other":       func(u *Unit) { u.Others = []string{"logs"} },
		"all as data":          func(u *Unit) { u.DataDir = "/" },
		"all as key":           func(u *Unit) { u.KeyDir = "/etc/.." },
		"all as other":         func(u *Unit) { u.Others = []string{"/"} },
		"second line in other": func(u *Unit) { u.Others = []string{"/a\nUser=root"} },
		"key in data":          func(u *Unit) { u.KeyDir = "/var/lib/goldfish/key" },
		"key beside, but in":   func(u *Unit) { u.KeyDir = "/var/lib/x/../goldfish" },
		"second line in title": func(u *Unit) { u.Title = "a\nExecStartPre=/bin/evil" },
		"second line in args":  func(u *Unit) { u.Args = []string{"a\nUser=root"} },
		"NUL":                  func(u *Unit) { u.Args = []string{"a\x00b"} },
		"a template's action":  func(u *Unit) { u.Args = []string{"{{Path}}"} },
	} {
		u := sample()
		edit(&u)
		if err := u.check(); !errors.Is(err, ErrBadUnit) {
			t.Errorf("%s: %v", name, err)
		}
	}
	u := sample()
	u.KeyDir = "/var/lib/goldfish.key" // a neighbour with a longer name is outside
	if err := u.check(); err != nil {
		t.Errorf("a neighbour: %v", err)
	}
}

func TestCopyProgram(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "new"), filepath.Join(dir, "sub", "program")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(from, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, text := range []string{"one", "two"} {
		write(text)
		if same, err := sameContent(from, to); same || err != nil {
			t.Fatalf("before %q: same %v, %v", text, same, err)
		}
		if err := copyProgram(from, to); err != nil {
			t.Fatal(err)
		}
		if same, err := sameContent(from, to); !same || err != nil {
			t.Fatalf("after %q: same %v, %v", text, same, err)
		}
		info, err := os.Stat(to)
		if err != nil || info.Mode().Perm() != 0o755 {
			t.Fatalf("mode %v, %v", info.Mode(), err)
		}
	}
	names, err := os.ReadDir(filepath.Dir(to))
	if err != nil || len(names) != 1 {
		t.Fatalf("left behind: %v, %v", names, err)
	}
	if err := copyProgram(filepath.Join(dir, "nothing"), to); err == nil {
		t.Fatal("copied nothing")
	}
}

func TestPlacesAreApart(t *testing.T) {
	data, key, state := Places("goldfish")
	for _, dir := range []string{data, key, state} {
		if !filepath.IsAbs(dir) || !strings.Contains(dir, "goldfish") {
			t.Errorf("%q", dir)
		}
		for _, other := range []string{data, key, state} {
			if dir != other && within(dir, other) {
				t.Errorf("%q lies in %q", dir, other)
			}
		}
	}
}
