package daemon

import (
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	"unicode/utf16"

	"github.com/kardianos/service"
	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/mgr"
)

// Recovery: the system starts the service again after 1, 5 and then always 30
// seconds, and forgets failures after a day without one.
var recovery = []mgr.RecoveryAction{
	{Type: mgr.ServiceRestart, Delay: time.Second},
	{Type: mgr.ServiceRestart, Delay: 5 * time.Second},
	{Type: mgr.ServiceRestart, Delay: 30 * time.Second},
}

const (
	recoveryReset = 24 * 60 * 60 // seconds
	changeWait    = 30 * time.Second
)

func (u Unit) id() string { return u.Name }

func (u Unit) programPlace() string {
	return filepath.Join(folder(windows.FOLDERID_ProgramFiles, `C:\Program Files`), u.Name, u.Name+".exe")
}

// Places are the folders of a service's data, of its key and of its state.
func Places(name string) (data, key, state string) {
	root := filepath.Join(folder(windows.FOLDERID_ProgramData, `C:\ProgramData`), name)
	return filepath.Join(root, "data"), filepath.Join(root, "key"), filepath.Join(root, "state")
}

func folder(id *windows.KNOWNFOLDERID, usual string) string {
	if dir, err := windows.KnownFolderPath(id, windows.KF_FLAG_DEFAULT); err == nil {
		return dir
	}
	return usual
}

// inSystemFolder tells whether every account may run a program where it is.
func inSystemFolder(program string) bool {
	return within(program, folder(windows.FOLDERID_ProgramFiles, `C:\Program Files`))
}

func permitted() error {
	m, err := mgr.Connect()
	if err != nil {
		return rights(err)
	}
	return m.Disconnect()
}

func rights(err error) error {
	if errors.Is(err, windows.ERROR_ACCESS_DENIED) {
		return ErrNotPermitted
	}
	return err
}

// account is the service's own: it has no password and no rights but its own.
func (u Unit) account() string { return `NT SERVICE\` + u.Name }

// sid is the account's, which the system derives from the service's name: SHA-1
// of the capitals in UTF-16. It holds before the service exists.
func (u Unit) sid() string {
	var name []byte
	for _, c := range utf16.Encode([]rune(strings.ToUpper(u.Name))) {
		name = binary.LittleEndian.AppendUint16(name, c)
	}
	sum := sha1.Sum(name)
	sid := "S-1-5-80"
	for i := 0; i < len(sum); i += 4 {
		sid += fmt.Sprintf("-%d", binary.LittleEndian.Uint32(sum[i:]))
	}
	return sid
}

func (u Unit) status() (Status, error) {
	st := Status{State: Unknown, ID: u.id()}
	scm, err := windows.OpenSCManager(nil, nil, windows.SC_MANAGER_CONNECT)
	if err != nil {
		return st, rights(err)
	}
	defer windows.CloseServiceHandle(scm)
	name, err := syscall.UTF16PtrFromString(u.Name)
	if err != nil {
		return st, err
	}
	h, err := windows.OpenService(scm, name, windows.SERVICE_QUERY_STATUS)
	if errors.Is(err, windows.ERROR_SERVICE_DOES_NOT_EXIST) {
		st.State = NotInstalled
		return st, nil
	}
	if err != nil {
		return st, rights(err)
	}
	s := &mgr.Service{Name: u.Name, Handle: h}
	defer s.Close()
	now, err := s.Query()
	if err != nil {
		return st, err
	}
	st.PID = int(now.ProcessId)
	st.Detail = fmt.Sprintf("state %d, exit code %d", now.State, now.Win32ExitCode)
	switch now.State {
	case svc.Running:
		st.State = Running
	case svc.StartPending:
		st.State = Starting
	case svc.StopPending:
		st.State = Stopping
	case svc.Stopped:
		st.State = Stopped
	}
	st.Program, st.Boot = u.registered()
	return st, nil
}

// registered reads from the registry what is installed.
func (u Unit) registered() (program string, boot bool) {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, `SYSTEM\CurrentControlSet\Services\`+u.Name, registry.QUERY_VALUE)
	if err != nil {
		return "", false
	}
	defer k.Close()
	command, _, _ := k.GetStringValue("ImagePath")
	if words, err := windows.DecomposeCommandLine(command); err == nil && len(words) > 0 {
		program = words[0]
	}
	start, _, _ := k.GetIntegerValue("Start")
	return program, start == mgr.StartAutomatic
}

func (u Unit) register(was Status) (bool, error) {
	for _, dir := range u.folders() {
		if err := u.own(dir); err != nil {
			return false, fmt.Errorf("folder %s: %w", dir, err)
		}
	}
	if was.State == NotInstalled {
		c := u.config(nil)
		c.UserName = u.account()
		s, err := handle(c)
		if err != nil {
			return false, err
		}
		if err := s.Install(); err != nil {
			return false, rights(err)
		}
	}
	changed := was.State == NotInstalled
	err := u.onHandle(func(s *mgr.Service) error {
		updated, err := u.update(s)
		changed = changed || updated
		return errors.Join(err,
			known(s.SetRecoveryActions(recovery, recoveryReset)),
			known(s.SetRecoveryActionsOnNonCrashFailures(true)))
	})
	return changed, err
}

// known passes over a setting that the system does not know, as Wine does not
// know recovery: the service runs without it.
func known(err error) error {
	if errors.Is(err, windows.ERROR_INVALID_LEVEL) {
		return nil
	}
	return err
}

// update gives an installed service the present command line.
func (u Unit) update(s *mgr.Service) (bool, error) {
	want := windows.ComposeCommandLine(append([]string{u.Program}, u.Args...))
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, `SYSTEM\CurrentControlSet\Services\`+u.Name, registry.QUERY_VALUE)
	if err != nil {
		return false, err
	}
	defer k.Close()
	if have, _, err := k.GetStringValue("ImagePath"); err != nil || have == want {
		return false, err
	}
	command, err := syscall.UTF16PtrFromString(want)
	if err != nil {
		return false, err
	}
	const same = windows.SERVICE_NO_CHANGE
	return true, windows.ChangeServiceConfig(s.Handle, same, windows.SERVICE_AUTO_START, same, command, nil, nil, nil, nil, nil, nil)
}

// own makes dir, and leaves it to the system, the administrators and the
// service's account alone. To a folder that is there already the account is only
// added.
func (u Unit) own(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return u.letIn(dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	const whole = "(A;OICI;FA;;;"
	sd, err := windows.SecurityDescriptorFromString("D:P" + whole + "SY)" + whole + "BA)" + whole + u.sid() + ")")
	if err != nil {
		return err
	}
	dacl, _, err := sd.DACL()
	if err != nil {
		return err
	}
	return windows.SetNamedSecurityInfo(dir, windows.SE_FILE_OBJECT,
		windows.DACL_SECURITY_INFORMATION|windows.PROTECTED_DACL_SECURITY_INFORMATION, nil, nil, dacl, nil)
}

func (u Unit) letIn(dir string) error {
	sid, err := windows.StringToSid(u.sid())
	if err != nil {
		return err
	}
	sd, err := windows.GetNamedSecurityInfo(dir, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		return err
	}
	old, _, err := sd.DACL()
	if err != nil {
		return err
	}
	dacl, err := windows.ACLFromEntries([]windows.EXPLICIT_ACCESS{{
		AccessPermissions: windows.GENERIC_ALL,
		AccessMode:        windows.GRANT_ACCESS,
		Inheritance:       windows.SUB_CONTAINERS_AND_OBJECTS_INHERIT,
		Trustee: windows.TRUSTEE{
			TrusteeForm:  windows.TRUSTEE_IS_SID,
			TrusteeType:  windows.TRUSTEE_IS_USER,
			TrusteeValue: windows.TrusteeValueFromSID(sid),
		},
	}}, old)
	if err != nil {
		return err
	}
	return windows.SetNamedSecurityInfo(dir, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION, nil, nil, dacl, nil)
}

func (u Unit) onHandle(do func(*mgr.Service) error) error {
	m, err := mgr.Connect()
	if err != nil {
		return rights(err)
	}
	defer m.Disconnect()
	s, err := m.OpenService(u.Name)
	if err != nil {
		return rights(err)
	}
	defer s.Close()
	return do(s)
}

func (u Unit) unregister() error {
	s, err := handle(u.config(service.KeyValue{}))
	if err != nil {
		return err
	}
	return rights(s.Uninstall())
}

func (u Unit) start() error {
	return u.onHandle(func(s *mgr.Service) error {
		if err := s.Start(); err != nil && !errors.Is(err, windows.ERROR_SERVICE_ALREADY_RUNNING) {
			return err
		}
		return await(s, svc.Running)
	})
}

func (u Unit) stop() error {
	return u.onHandle(func(s *mgr.Service) error {
		if _, err := s.Control(svc.Stop); err != nil && !errors.Is(err, windows.ERROR_SERVICE_NOT_ACTIVE) {
			return err
		}
		return await(s, svc.Stopped)
	})
}

// await waits for a state; a service that stops while it should start has failed.
func await(s *mgr.Service, want svc.State) error {
	deadline := time.After(changeWait)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		now, err := s.Query()
		switch {
		case err != nil:
			return err
		case now.State == want:
			return nil
		case want == svc.Running && now.State == svc.Stopped:
			return fmt.Errorf("daemon: %s ended at once, exit code %d", s.Name, now.Win32ExitCode)
		}
		select {
		case <-deadline:
			return fmt.Errorf("daemon: %s is still in state %d after %v", s.Name, now.State, changeWait)
		case <-tick.C:
		}
	}
}

// replaceProgram puts a new executable in the place of one that may be running:
// that one cannot be overwritten, but renamed.
func replaceProgram(fresh, to string) error {
	if err := os.Rename(fresh, to); err == nil {
		return nil
	}
	old := to + ".old"
	if err := os.Remove(old); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Rename(to, old); err != nil {
		return err
	}
	return os.Rename(fresh, to)
}
