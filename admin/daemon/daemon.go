// Package daemon makes this program a service of the operating system: it
// installs, starts, stops and describes it, and runs it there.
//
// Installing is done once more without harm: every verb says in an Outcome
// whether it changed anything. Texts for people are the caller's; what is told
// here is typed.
//
// Linux needs systemd; our own hardened unit is written (unit.go). Windows and
// macOS use the ways of kardianos/service, with recovery set by ourselves on
// Windows.
package daemon

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kardianos/service"
)

// Errors that a caller may want to explain.
var (
	ErrNotPermitted = errors.New("daemon: administrator rights are needed")
	ErrUnsupported  = errors.New("daemon: this system has no service system that is supported")
	ErrNotInstalled = errors.New("daemon: not installed")
	ErrBadUnit      = errors.New("daemon: the unit cannot be installed as described")
	ErrForeign      = errors.New("daemon: the folder holds something else")
)

// Unit describes what is installed.
type Unit struct {
	Name    string   // as the system knows it: lower-case letters, digits and dashes
	Title   string   // for lists of services; one line
	About   string   // one sentence; one line
	Args    []string // of the program; "serve", "--data", …
	DataDir string   // absolute; the service owns it
	KeyDir  string   // absolute, outside DataDir; the service owns it
	Others  []string // more folders that the service owns, such as that of the logs; absolute
	Program string   // absolute; empty: the running executable

	// KeyStays: the machine key lies in its folder before the service starts first, so that the service need
	// not write there. On Linux MakeKey, if there is one, puts it there when the folder is made.
	KeyStays bool
	MakeKey  func() error
}

// State is what a service does now.
type State string

// States of a service. Their texts are stable machine codes.
const (
	NotInstalled State = "not_installed"
	Stopped      State = "stopped"
	Starting     State = "starting" // or waiting to be started again
	Running      State = "running"
	Stopping     State = "stopping"
	Failed       State = "failed" // ended, and not started again
	Unknown      State = "unknown"
)

// Status is a service as the system sees it.
type Status struct {
	State   State
	ID      string // the system's name for it, such as goldfish.service
	Program string // the installed executable; empty if not installed
	Boot    bool   // started with the machine
	PID     int    // 0: none, or not told
	Detail  string // the system's own words
}

// Outcome is what a verb has done.
type Outcome struct {
	Changed bool // false: it was so already
	Restart bool // what runs is older than what is installed now
	Status  Status
}

// ID is the system's name of the service.
func (u Unit) ID() string { return u.id() }

// Status asks the system. It needs no rights.
func (u Unit) Status() (Status, error) { return u.status() }

// Install copies the program to its place if it lies where a service could not
// read it, makes the folders, and registers the service to start with the
// machine; it is not started. What is installed already is brought up to date.
// Needs administrator rights.
func (u Unit) Install() (Outcome, error) {
	if err := u.check(); err != nil {
		return Outcome{}, err
	}
	if err := permitted(); err != nil {
		return Outcome{}, err
	}
	was, err := u.status()
	if err != nil {
		return Outcome{}, err
	}
	program, replaced, err := u.place()
	if err != nil {
		return Outcome{}, err
	}
	u.Program = program
	registered, err := u.register(was)
	if err != nil {
		return Outcome{}, err
	}
	out := Outcome{Changed: replaced || registered}
	out.Restart = out.Changed && was.State == Running
	out.Status, err = u.status()
	return out, err
}

// Uninstall stops the service and takes it out of the system. Program, data, key
// and account stay. Needs administrator rights.
func (u Unit) Uninstall() (Outcome, error) {
	return u.change(func(was Status) (bool, error) {
		if was.State == NotInstalled {
			return false, nil
		}
		if was.State != Stopped {
			if err := u.stop(); err != nil {
				return false, err
			}
		}
		return true, u.unregister()
	})
}

// Start starts an installed service. Needs administrator rights.
func (u Unit) Start() (Outcome, error) {
	return u.change(func(was Status) (bool, error) {
		switch was.State {
		case NotInstalled:
			return false, ErrNotInstalled
		case Running:
			return false, nil
		}
		return true, u.start()
	})
}

// Stop stops a service until it is started again, or the machine is. Needs
// administrator rights.
func (u Unit) Stop() (Outcome, error) {
	return u.change(func(was Status) (bool, error) {
		switch was.State {
		case NotInstalled:
			return false, ErrNotInstalled
		case Stopped:
			return false, nil
		}
		return true, u.stop()
	})
}

// Restart stops the service if it runs, and starts it. Needs administrator
// rights.
func (u Unit) Restart() (Outcome, error) {
	return u.change(func(was Status) (bool, error) {
		if was.State == NotInstalled {
			return false, ErrNotInstalled
		}
		if was.State != Stopped {
			if err := u.stop(); err != nil {
				return false, err
			}
		}
		return true, u.start()
	})
}

func (u Unit) change(verb func(was Status) (bool, error)) (Outcome, error) {
	if err := permitted(); err != nil {
		return Outcome{}, err
	}
	was, err := u.status()
	if err != nil {
		return Outcome{}, err
	}
	changed, err := verb(was)
	if err != nil {
		return Outcome{Status: was}, err
	}
	now, err := u.status()
	return Outcome{Changed: changed, Status: now}, err
}

// check refuses what a unit file could not hold safely.
func (u Unit) check() error {
	name := strings.Trim(u.Name, "abcdefghijklmnopqrstuvwxyz0123456789-")
	switch {
	case u.Name == "" || name != "" || u.Name[0] == '-':
		return fmt.Errorf("%w: name %q", ErrBadUnit, u.Name)
	case within(u.KeyDir, u.DataDir):
		return fmt.Errorf("%w: the key folder %q lies in the data folder", ErrBadUnit, u.KeyDir)
	}
	for _, dir := range u.folders() {
		if !filepath.IsAbs(dir) || dir == filepath.Dir(dir) {
			return fmt.Errorf("%w: %q is no folder for a service", ErrBadUnit, dir)
		}
	}
	for _, text := range slices.Concat([]string{u.Title, u.About, u.Program}, u.folders(), u.Args) {
		if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return fmt.Errorf("%w: control character in %q", ErrBadUnit, text)
		}
		if strings.Contains(text, "{{") { // kardianos/service would read an action
			return fmt.Errorf("%w: {{ in %q", ErrBadUnit, text)
		}
	}
	return nil
}

// folders are all that the service owns. What lies in the data folder anyway is
// not named again.
func (u Unit) folders() []string {
	dirs := []string{u.DataDir, u.KeyDir}
	for _, dir := range u.Others {
		if !within(dir, u.DataDir) {
			dirs = append(dirs, dir)
		}
	}
	for i, dir := range dirs {
		dirs[i] = filepath.Clean(dir)
	}
	return dirs
}

// within tells whether path is dir or below it.
func within(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// config is the description that kardianos/service wants.
func (u Unit) config(options service.KeyValue) *service.Config {
	return &service.Config{
		Name: u.Name, DisplayName: u.Title, Description: u.About,
		Executable: u.Program, Arguments: u.Args, Option: options,
	}
}

// handle gives access to the system's service; nothing is run through it.
func handle(c *service.Config) (service.Service, error) {
	s, err := service.New(nil, c)
	if errors.Is(err, service.ErrNoServiceSystemDetected) {
		return nil, ErrUnsupported
	}
	return s, err
}

// place puts the program where a service can read it and tells whether what was
// there is other than before. A program in one of the system's own folders
// stays where it is.
func (u Unit) place() (program string, replaced bool, err error) {
	from := u.Program
	if from == "" {
		if from, err = os.Executable(); err != nil {
			return "", false, err
		}
	}
	if from, err = filepath.EvalSymlinks(from); err != nil {
		return "", false, err
	}
	if inSystemFolder(from) {
		return from, false, nil
	}
	to := u.programPlace()
	same, err := sameContent(from, to)
	if err != nil || same {
		return to, false, err
	}
	return to, true, copyProgram(from, to)
}

func sameContent(a, b string) (bool, error) {
	x, err := os.ReadFile(a)
	if err != nil {
		return false, err
	}
	y, err := os.ReadFile(b)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil && string(x) == string(y), err
}

// copyProgram replaces to by a copy of from in one step, also while to runs.
func copyProgram(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	fresh, err := os.CreateTemp(filepath.Dir(to), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(fresh.Name())
	_, err = io.Copy(fresh, src)
	err = errors.Join(err, fresh.Chmod(0o755), fresh.Sync(), fresh.Close())
	if err != nil {
		return err
	}
	return replaceProgram(fresh.Name(), to)
}
