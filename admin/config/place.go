package config

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
)

// defaultData is the data folder where none is named: the system's for root and for a service, otherwise the
// user's own.
func defaultData() string {
	home, _ := os.UserHomeDir()
	switch runtime.GOOS {
	case "windows":
		if home == "" || isSystemAccount() {
			return filepath.Join(orElse(os.Getenv("ProgramData"), `C:\ProgramData`), "goldfish", "data")
		}
		return filepath.Join(orElse(os.Getenv("LocalAppData"), home), "Goldfish")
	case "darwin":
		if os.Geteuid() == 0 {
			home = ""
		}
		return filepath.Join(home, "/Library/Application Support/Goldfish/data")
	}
	if os.Geteuid() == 0 || home == "" {
		return "/var/lib/goldfish"
	}
	return filepath.Join(orElse(os.Getenv("XDG_DATA_HOME"), filepath.Join(home, ".local/share")), "goldfish")
}

// isSystemAccount says whether a Windows service account runs this.
func isSystemAccount() bool {
	return os.Getenv("USERNAME") == os.Getenv("COMPUTERNAME")+"$"
}

// defaultKey is the machine key's file where none is named: never inside a default data folder.
func defaultKey() string {
	if runtime.GOOS != "windows" && os.Geteuid() == 0 {
		return "/etc/goldfish/machine.key"
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "/etc/goldfish/machine.key"
	}
	return filepath.Join(dir, "goldfish", "machine.key")
}

// defaultState is the state folder where none is named: never inside a default data folder.
func defaultState() string {
	home, _ := os.UserHomeDir()
	switch runtime.GOOS {
	case "windows":
		if home == "" || isSystemAccount() {
			return filepath.Join(orElse(os.Getenv("ProgramData"), `C:\ProgramData`), "goldfish", "state")
		}
		return filepath.Join(orElse(os.Getenv("LocalAppData"), home), "Goldfish State")
	case "darwin":
		if os.Geteuid() == 0 {
			home = ""
		}
		return filepath.Join(home, "/Library/Application Support/Goldfish/state")
	}
	if os.Geteuid() == 0 || home == "" {
		return "/var/lib/goldfish-state"
	}
	return filepath.Join(orElse(os.Getenv("XDG_STATE_HOME"), filepath.Join(home, ".local/state")), "goldfish-server")
}

// StateFolder is where the appliance keeps what must not be copied with its data: which file was its own, and how
// far that had come. It is the one that is named, else `state` beside a machine key that is named, else the
// system's. One inside the data folder is refused: it would go back in time with the file that it watches.
func (p Place) StateFolder() (string, error) {
	dir := p.State
	if dir == "" {
		if key := orElse(p.MachineKey, os.Getenv("GOLDFISH_MACHINE_KEY_FILE")); key != "" {
			dir = filepath.Join(filepath.Dir(key), "state")
		}
	}
	dir = orElse(dir, defaultState())
	if err := absolute(&dir); err != nil {
		return "", err
	}
	inside, err := lies(dir, p.Data)
	if err != nil {
		return "", Fail("path_invalid").With("path", dir).Because(err)
	}
	if inside {
		return "", Fail("state_inside").With("path", dir).With("data", p.Data)
	}
	return dir, nil
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// KeySource is where the machine key comes from: the text itself, or a file.
type KeySource struct {
	Text   string // 64 hex digits; then Path is empty
	Path   string // absolute
	Create bool   // a new appliance may make the file
}

// Warn tells of a key file that others than its owner may read or change. It still serves: containers hand secrets in with
// wide modes, in folders that only they see.
func (k KeySource) Warn(log *slog.Logger) {
	info, err := os.Stat(k.Path)
	if k.Path == "" || err != nil || runtime.GOOS == "windows" || info.Mode().Perm()&0o077 == 0 {
		return
	}
	log.Warn("others may read or change the machine key: set its mode to 0600", "path", k.Path, "mode", info.Mode().Perm().String())
}

// Key says where the machine key comes from: the flag, $GOLDFISH_MACHINE_KEY (the key itself),
// $GOLDFISH_MACHINE_KEY_FILE, the systemd credential machine.key, or the default file. A file inside the data
// folder is refused: whoever copied that folder would have the key to it. The key is taken out of the
// environment, which other processes of the same user can read.
func (p Place) Key() (KeySource, error) {
	text := os.Getenv("GOLDFISH_MACHINE_KEY")
	if err := os.Unsetenv("GOLDFISH_MACHINE_KEY"); err != nil {
		return KeySource{}, err
	}
	file := os.Getenv("GOLDFISH_MACHINE_KEY_FILE")
	credential := ""
	if dir := os.Getenv("CREDENTIALS_DIRECTORY"); dir != "" {
		credential = filepath.Join(dir, "machine.key")
		if _, err := os.Stat(credential); err != nil {
			credential = ""
		}
	}
	src := KeySource{Create: true}
	switch {
	case p.MachineKey != "":
		src.Path = p.MachineKey
	case text != "":
		return KeySource{Text: text}, nil
	case file != "":
		src.Path = file
	case credential != "":
		src.Path, src.Create = credential, false
	default:
		src.Path = defaultKey()
	}
	if err := absolute(&src.Path); err != nil {
		return src, err
	}
	inside, err := lies(src.Path, p.Data)
	if err != nil {
		return src, Fail("path_invalid").With("path", src.Path).Because(err)
	}
	if inside {
		return src, Fail("machine_key_inside").With("path", src.Path).With("data", p.Data)
	}
	return src, nil
}

// lies says whether path is in folder, by whatever links and spellings. Neither needs to exist.
func lies(path, folder string) (bool, error) {
	path, err := resolved(path)
	if err != nil {
		return false, err
	}
	if folder, err = resolved(folder); err != nil {
		return false, err
	}
	there, _ := os.Stat(folder)
	for at := path; ; at = filepath.Dir(at) {
		if at == folder {
			return true, nil
		}
		if here, err := os.Stat(at); there != nil && err == nil && os.SameFile(here, there) {
			return true, nil
		}
		if at == filepath.Dir(at) {
			return false, nil
		}
	}
}

// resolved follows the links of the part of path that exists.
func resolved(path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if err == nil || !errors.Is(err, fs.ErrNotExist) || path == filepath.Dir(path) {
		return real, err
	}
	parent, err := resolved(filepath.Dir(path))
	return filepath.Join(parent, filepath.Base(path)), err
}
