package backup

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

// trace is what the state folder keeps of an appliance's file: which one was ours when we last had it. Another that
// lies in its place came from elsewhere, and is looked at before it is opened.
type trace struct {
	Path    string     `json:"path"`
	Device  uint64     `json:"device"`
	Inode   uint64     `json:"inode"`
	UUID    string     `json:"uuid"`
	Stopped bool       `json:"stopped"` // in order; otherwise it was open when this was written
	Bytes   int64      `json:"bytes"`   // when it was stopped …
	Changed int64      `json:"changed"` // … and when it was last written, Unix nanoseconds
	Pending bool       `json:"pending"` // not all of it was read since a crash
	Folders []string   `json:"folders"` // where its backups lie
	Last    *LastCheck `json:"last_check,omitempty"`
}

// tracePath is where the trace of a file lies in the state folder.
func tracePath(state, path string) string {
	sum := sha256.Sum256([]byte(path))
	return filepath.Join(state, "file-"+hex.EncodeToString(sum[:8])+".json")
}

// recall reads a file's trace, nil where there is none that can be read.
func recall(state, path string) *trace {
	if state == "" {
		return nil
	}
	raw, err := os.ReadFile(tracePath(state, path))
	t := new(trace)
	if err != nil || json.Unmarshal(raw, t) != nil || t.Path != path {
		return nil
	}
	return t
}

// KnownFolders are those in which the backups of an appliance's file lay when it was last open, as the state folder
// says.
func KnownFolders(state, path string) []string {
	if t := recall(state, path); t != nil {
		return t.Folders
	}
	return nil
}

// same says whether the file that lies there now is the one of the trace. One that was stopped has not been written
// to since; one that was killed may have been, up to its last moment.
func (t *trace) same(path string) bool {
	info, err := os.Stat(path)
	if t == nil || err != nil {
		return false
	}
	device, inode, err := identity(path, info)
	if err != nil || device != t.Device || inode != t.Inode {
		return false
	}
	return !t.Stopped || (info.Size() == t.Bytes && info.ModTime().UnixNano() == t.Changed)
}

// keep writes the trace of the file as it lies there now.
func (t *trace) keep(state string) error {
	if state == "" {
		return nil
	}
	info, err := os.Stat(t.Path)
	if err != nil {
		return err
	}
	if t.Device, t.Inode, err = identity(t.Path, info); err != nil {
		return err
	}
	t.Bytes, t.Changed = info.Size(), info.ModTime().UnixNano()
	return writeJSON(tracePath(state, t.Path), t)
}

// writeJSON replaces a small file in one step.
func writeJSON(path string, v any) error {
	raw, err := json.MarshalIndent(v, "", "\t")
	if err != nil {
		return err
	}
	tmp, err := scratch(path)
	if err != nil {
		return err
	}
	defer os.Remove(tmp)
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(raw, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close(), inherit(tmp)); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// StateFolder makes the state folder ready, and gives it; "" if it cannot be written to, which is worth a warning and
// no more: every start then takes the file for one that came from elsewhere.
func StateFolder(dir string, log *slog.Logger) string {
	if dir == "" {
		return ""
	}
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		var probe *os.File
		if probe, err = os.CreateTemp(dir, ".probe-*"); err == nil {
			err = errors.Join(probe.Close(), os.Remove(probe.Name()))
		}
	}
	if err != nil {
		log.Warn("the state folder cannot be written: an old copy of the data file that is put back will not be noticed, and each start checks the whole file; name another with --state", "folder", dir, "err", err)
		return ""
	}
	return dir
}

// news is what happened to a file while it was closed. It is told among the file's own events once it is open.
type news struct {
	Kind uint16            `json:"kind"`
	Code string            `json:"code,omitempty"`
	Args map[string]string `json:"args,omitempty"`
	At   time.Time         `json:"at"`
}

func newsPath(file string) string { return file + ".notes.json" }

// leave notes news beside the file.
func (n news) leave(file string) error {
	all, err := readNews(file)
	if err != nil {
		return err
	}
	return writeJSON(newsPath(file), append(all, n))
}

// readNews gives what was noted; a file that makes no sense holds nothing worth telling.
func readNews(file string) (all []news, err error) {
	raw, err := os.ReadFile(newsPath(file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && json.Unmarshal(raw, &all) != nil {
		all = nil
	}
	return all, err
}
