package daemon

import (
	"errors"
	"os"

	"github.com/kardianos/service"
)

func (u Unit) id() string { return u.Name }

func (u Unit) plistPath() string { return "/Library/LaunchDaemons/" + u.Name + ".plist" }

func (u Unit) programPlace() string { return "/usr/local/bin/" + u.Name }

// Places are the folders of a service's data, of its key and of its state.
func Places(name string) (data, key, state string) {
	root := "/Library/Application Support/" + name
	return root + "/data", root + "/key", root + "/state"
}

func inSystemFolder(program string) bool { return within(program, "/usr") || within(program, "/opt") }

func permitted() error {
	if os.Geteuid() != 0 {
		return ErrNotPermitted
	}
	return nil
}

func (u Unit) launchd() (service.Service, error) {
	return handle(u.config(service.KeyValue{"RunAtLoad": true}))
}

func (u Unit) status() (Status, error) {
	st := Status{State: Unknown, ID: u.id()}
	s, err := u.launchd()
	if err != nil {
		return st, err
	}
	state, err := s.Status()
	switch {
	case errors.Is(err, service.ErrNotInstalled):
		st.State = NotInstalled
		return st, nil
	case err != nil:
		return st, err
	case state == service.StatusRunning:
		st.State = Running
	case state == service.StatusStopped:
		st.State = Stopped
	}
	st.Boot, st.Program = true, u.programPlace()
	return st, nil
}

// register writes the property list again if there is one: launchd reads it when
// the service is started next. The service runs as root, which the folders suit.
func (u Unit) register(was Status) (bool, error) {
	for _, dir := range u.folders() {
		if err := errors.Join(os.MkdirAll(dir, 0o700), os.Chmod(dir, 0o700)); err != nil {
			return false, err
		}
	}
	s, err := u.launchd()
	if err != nil {
		return false, err
	}
	old, err := os.ReadFile(u.plistPath())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, err
	}
	if was.State != NotInstalled {
		if err := os.Remove(u.plistPath()); err != nil {
			return false, err
		}
	}
	if err := s.Install(); err != nil {
		return false, err
	}
	now, err := os.ReadFile(u.plistPath())
	return string(old) != string(now), err
}

func (u Unit) unregister() error {
	s, err := u.launchd()
	if err != nil {
		return err
	}
	return s.Uninstall()
}

func (u Unit) start() error {
	s, err := u.launchd()
	if err != nil {
		return err
	}
	return s.Start()
}

func (u Unit) stop() error {
	s, err := u.launchd()
	if err != nil {
		return err
	}
	return s.Stop()
}
