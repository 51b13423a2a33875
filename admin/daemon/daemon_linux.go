package daemon

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/kardianos/service"
)

func (u Unit) id() string { return u.Name + ".service" }

func (u Unit) unitPath() string { return "/etc/systemd/system/" + u.id() }

func (u Unit) programPlace() string { return "/usr/local/bin/" + u.Name }

// Places are the folders of a service's data, of its key and of its state.
func Places(name string) (data, key, state string) {
	return stateRoot + "/" + name, "/etc/" + name, stateRoot + "/" + name + "-state"
}

// inSystemFolder tells whether the service could run a program where it is: the
// unit hides home folders and the temporary one.
func inSystemFolder(program string) bool { return within(program, "/usr") || within(program, "/opt") }

// permitted asks for root before anything is changed.
func permitted() error {
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		return fmt.Errorf("%w: systemd does not run here", ErrUnsupported)
	}
	if os.Geteuid() != 0 {
		return ErrNotPermitted
	}
	return nil
}

// status reads systemd's own view.
func (u Unit) status() (Status, error) {
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		return Status{State: Unknown, ID: u.id()}, fmt.Errorf("%w: systemd does not run here", ErrUnsupported)
	}
	out, err := systemctl("show", "--property=LoadState,ActiveState,SubState,MainPID,UnitFileState,ExecStart", u.id())
	if err != nil {
		return Status{State: Unknown, ID: u.id()}, err
	}
	return parseShow(u.id(), out), nil
}

// parseShow reads the properties that `systemctl show` prints.
func parseShow(id, show string) Status {
	props := map[string]string{}
	for line := range strings.Lines(show) {
		if k, v, ok := strings.Cut(strings.TrimRight(line, "\n"), "="); ok {
			props[k] = v
		}
	}
	st := Status{ID: id, State: Unknown, Detail: props["ActiveState"] + "/" + props["SubState"], Boot: props["UnitFileState"] == "enabled"}
	if props["LoadState"] == "not-found" {
		st.State, st.Detail = NotInstalled, ""
		return st
	}
	switch props["ActiveState"] {
	case "active", "reloading":
		st.State = Running
	case "activating":
		st.State = Starting
	case "deactivating":
		st.State = Stopping
	case "inactive":
		st.State = Stopped
	case "failed":
		st.State = Failed
	}
	if props["LoadState"] != "loaded" { // masked, bad-setting, …
		st.State, st.Detail = Unknown, props["LoadState"]
	}
	st.PID, _ = strconv.Atoi(props["MainPID"])
	_, rest, _ := strings.Cut(props["ExecStart"], "path=")
	st.Program, _, _ = strings.Cut(rest, " ;")
	return st
}

// register makes account, folders and unit.
func (u Unit) register(was Status) (bool, error) {
	if err := u.ensureAccount(); err != nil {
		return false, err
	}
	for _, dir := range u.folders() {
		if err := u.own(dir); err != nil {
			return false, err
		}
	}
	if u.MakeKey != nil {
		if err := u.MakeKey(); err != nil {
			return false, err
		}
	}
	text := u.systemdUnit()
	s, err := handle(u.config(service.KeyValue{"SystemdScript": text}))
	if err != nil {
		return false, err
	}
	old, err := os.ReadFile(u.unitPath())
	switch {
	case err == nil && string(old) == text && was.Boot:
		return false, nil
	case err == nil: // Install refuses a unit that is there; this does not stop it
		if err := s.Uninstall(); err != nil {
			return false, err
		}
	case !errors.Is(err, os.ErrNotExist):
		return false, err
	}
	if err := s.Install(); err != nil {
		return false, err
	}
	return true, os.Chmod(u.unitPath(), 0o644) // whatever the caller's umask
}

// ensureAccount makes the account that the service runs as.
func (u Unit) ensureAccount() error {
	if _, err := user.Lookup(u.Name); err == nil {
		return nil
	}
	home, _, _ := Places(u.Name)
	err := run("useradd", "--system", "--user-group", "--home-dir", home, "--no-create-home", "--shell", "/usr/sbin/nologin", u.Name)
	if errors.Is(err, exec.ErrNotFound) {
		cmd := exec.Command("systemd-sysusers", "-")
		cmd.Stdin = strings.NewReader("u " + u.Name + " - - " + home + "\n")
		err = quietly(cmd)
	}
	return err
}

// own makes dir and gives it to the account alone; what lies in it follows at the
// next start (unit.go). A folder that holds things, has another owner and does not
// bear the service's name is not taken.
func (u Unit) own(dir string) error {
	account, err := user.Lookup(u.Name)
	if err != nil {
		return err
	}
	uid, uerr := strconv.Atoi(account.Uid)
	gid, gerr := strconv.Atoi(account.Gid)
	if err := errors.Join(uerr, gerr, os.MkdirAll(dir, 0o700)); err != nil {
		return err
	}
	names, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	owner, name := int(info.Sys().(*syscall.Stat_t).Uid), filepath.Base(dir)
	if len(names) > 0 && owner != uid && name != u.Name && !strings.HasPrefix(name, u.Name+"-") {
		return fmt.Errorf("%w: %s", ErrForeign, dir)
	}
	return errors.Join(os.Chown(dir, uid, gid), os.Chmod(dir, 0o700))
}

func (u Unit) unregister() error {
	s, err := handle(u.config(nil))
	if err != nil {
		return err
	}
	if err := s.Uninstall(); err != nil {
		return err
	}
	_, _ = systemctl("reset-failed", u.id()) // there may be nothing to forget
	return nil
}

func (u Unit) start() error {
	_, err := systemctl("start", u.id())
	return err
}

func (u Unit) stop() error {
	_, err := systemctl("stop", u.id())
	return err
}

func systemctl(args ...string) (string, error) {
	cmd := exec.Command("systemctl", append([]string{"--no-pager", "--no-ask-password"}, args...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	var out bytes.Buffer
	cmd.Stdout = &out
	err := quietly(cmd)
	return out.String(), err
}

func run(name string, args ...string) error { return quietly(exec.Command(name, args...)) }

// quietly runs a command; what it complains about becomes part of the error.
func quietly(cmd *exec.Cmd) error {
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(complaint.String()))
	}
	return nil
}
