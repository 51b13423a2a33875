// Package backup makes, checks, lists and restores copies of an appliance's file.
//
// A backup is a compacted snapshot: one file, with its SHA-256 beside it, that was opened and read whole
// before it got its name. It is sealed by the machine key like the file itself, and of no use without it.
package backup

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"goldfish/license"
	"goldfish/license/fault"
)

const suffix = ".db"

// Name is what a backup made at a time is called.
func Name(now time.Time) string { return "goldfish-" + now.UTC().Format("20060102T150405Z") + suffix }

// Target is the file that --out means: the named file, or one with the usual name in the named folder.
func Target(out string, now time.Time) string {
	info, err := os.Stat(out)
	if err == nil && info.IsDir() || strings.HasSuffix(out, "/") || strings.HasSuffix(out, string(filepath.Separator)) {
		return free(filepath.Join(out, Name(now)))
	}
	return out
}

// free is path, or with a number if that is taken.
func free(path string) string {
	for n := 2; ; n++ {
		if _, err := os.Lstat(path); err != nil {
			return path
		}
		path = strings.TrimSuffix(strings.TrimSuffix(path, suffix), "-"+strconv.Itoa(n-1)) + "-" + strconv.Itoa(n) + suffix
	}
}

// Make writes a backup of the open file to path, which must not be there, and records it. Writers go on
// meanwhile. What is under the name path is whole and was checked; a failure leaves nothing.
//
// Faults: backup_exists, backup_damaged and those of Explain.
func Make(a *license.Authority, o license.Options, path string) (*Report, error) {
	r, err := write(a, o, path)
	if err != nil {
		f := Explain(path, named(err, path))
		_ = a.Record(license.System, license.Event{Kind: license.SystemError, Level: license.LevelError, Code: f.Code})
		return nil, f
	}
	args := map[string]string{"file": filepath.Base(path), "bytes": strconv.FormatInt(r.Bytes, 10)}
	return r, a.Record(license.System, license.Event{Kind: license.SystemBackup, Level: license.LevelInfo, Args: args})
}

func write(a *license.Authority, o license.Options, path string) (*Report, error) {
	tmp, err := prepare(path)
	if err != nil {
		return nil, err
	}
	defer os.Remove(tmp)
	if err := a.DB().Snapshot(tmp); err != nil {
		return nil, err
	}
	r, err := inspect(tmp, o)
	if err != nil {
		return nil, err
	}
	if r.SHA256, err = sumFile(tmp); err != nil {
		return nil, err
	}
	r.Path, r.Changed = path, o.Clock().UTC()
	return r, publish(tmp, path, r.SHA256)
}

// prepare makes the folder of a file that is to come, and gives a name for it until it is whole.
func prepare(path string) (tmp string, err error) {
	dir := filepath.Dir(path)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		if err := errors.Join(os.MkdirAll(dir, 0o700), inherit(dir)); err != nil {
			return "", err
		}
	}
	if _, err := os.Lstat(path); err == nil {
		return "", exists(path)
	}
	return scratch(path)
}

func exists(path string) error { return fault.New(fault.Conflict, "backup_exists").With("path", path) }

// scratch is a name beside path that nobody has.
func scratch(path string) (string, error) {
	var b [6]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	return path + "." + hex.EncodeToString(b[:]) + ".part", nil
}

// publish gives a checked file its name, unless that is taken, with its checksum beside it.
func publish(tmp, path, sum string) error {
	if err := errors.Join(inherit(tmp), writeChecksum(path, sum)); err != nil {
		return err
	}
	err := os.Link(tmp, path)
	if errors.Is(err, fs.ErrExist) {
		return exists(path)
	}
	if err != nil { // a file system without links
		if _, err := os.Lstat(path); err == nil {
			return exists(path)
		}
		if err := os.Rename(tmp, path); err != nil {
			return err
		}
	}
	return syncDir(filepath.Dir(path))
}

func writeChecksum(path, sum string) error {
	tmp, err := scratch(path)
	if err != nil {
		return err
	}
	defer os.Remove(tmp)
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(sum + "  " + filepath.Base(path) + "\n")
	if err = errors.Join(err, f.Sync(), f.Close(), inherit(tmp)); err != nil {
		return err
	}
	return os.Rename(tmp, checksumPath(path))
}

// Move takes a backup, checksum and all, to path, which must not be there, also on another disk.
func Move(r *Report, path string) (*Report, error) {
	moved := *r
	moved.Path = path
	return &moved, explained(path, move(r, path))
}

func explained(path string, err error) error {
	if err == nil {
		return nil
	}
	return Explain(path, err)
}

func move(r *Report, path string) error {
	tmp, err := prepare(path)
	if err != nil {
		return err
	}
	defer os.Remove(tmp)
	sum, err := copyFile(r.Path, tmp)
	if err != nil {
		return err
	}
	if sum != r.SHA256 {
		return fault.New(fault.Unavailable, "backup_checksum").With("path", r.Path)
	}
	if err := publish(tmp, path, sum); err != nil {
		return err
	}
	return errors.Join(os.Remove(r.Path), os.Remove(checksumPath(r.Path)))
}

// Entry is one backup in a folder.
type Entry struct {
	Path    string
	Bytes   int64
	Changed time.Time
	Summed  bool // its checksum lies beside it
}

// List gives the backups of a folder, oldest first. A folder that is not there has none.
func List(dir string) ([]Entry, error) {
	files, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, Explain(dir, err)
	}
	var out []Entry
	for _, f := range files {
		info, err := f.Info()
		if err != nil || !info.Mode().IsRegular() || filepath.Ext(f.Name()) != suffix {
			continue
		}
		path := filepath.Join(dir, f.Name())
		_, err = os.Stat(checksumPath(path))
		out = append(out, Entry{Path: path, Bytes: info.Size(), Changed: info.ModTime().UTC(), Summed: err == nil})
	}
	return out, nil
}

// syncDir makes a new name in dir durable. Windows has no such call and needs none; some network file systems
// refuse it.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}
