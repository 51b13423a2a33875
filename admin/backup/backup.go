// Package backup makes, checks, lists and restores copies of an appliance's file.
//
// A backup is a compacted snapshot: one file, compressed as a rule, with its SHA-256 beside it, that was opened
// again and read whole before it got its name. It is sealed like the file itself, and of no use without a key.
package backup

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"log/slog"
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

const (
	suffix = ".db"
	stamp  = "20060102T150405Z"
)

// Name is what a backup made at a time is called.
func Name(now time.Time) string { return "goldfish-" + now.UTC().Format(stamp) + suffix + packedSuffix }

// isPacked says whether a backup of this name is compressed.
func isPacked(path string) bool { return strings.HasSuffix(path, packedSuffix) }

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
	ending := suffix
	if isPacked(path) {
		ending += packedSuffix
	}
	stem := strings.TrimSuffix(path, ending)
	for n := 2; ; n++ {
		if _, err := os.Lstat(path); err != nil {
			return path
		}
		path = stem + "-" + strconv.Itoa(n) + ending
	}
}

// Make writes a backup of the open file to path, which must not be there, and records it; one whose name ends
// in .zst is compressed. Writers go on meanwhile. What is under the name path is whole and was checked; a failure
// leaves nothing.
//
// Faults: backup_exists, backup_damaged and those of Explain.
func Make(a *license.Authority, o license.Options, path string) (*Report, error) {
	return produce(context.Background(), a, o, path)
}

// produce is Make. When ctx ends before it is done the fault is backup_stopped, and nothing is recorded.
func produce(ctx context.Context, a *license.Authority, o license.Options, path string) (*Report, error) {
	r, err := makeFile(ctx, a, o, path)
	if err != nil && ctx.Err() != nil {
		return nil, fault.New(fault.Unavailable, "backup_stopped").Because(err)
	}
	if err != nil {
		f := Explain(path, named(err, path))
		complain(a, o, f)
		return nil, f
	}
	args := map[string]string{"file": filepath.Base(path), "bytes": strconv.FormatInt(r.Bytes, 10)}
	return r, a.Record(license.System, license.Event{Kind: license.SystemBackup, Level: license.LevelInfo, Args: args})
}

// complain puts what went wrong into the log and among the events.
func complain(a *license.Authority, o license.Options, f *fault.Error) {
	logOf(o).Error("work on the file or its backups failed", "code", f.Code, "args", f.Args, "err", f.Cause)
	if err := a.Record(license.System, license.Event{Kind: license.SystemError, Level: license.LevelError, Code: f.Code}); err != nil {
		logOf(o).Error("a failure could not be recorded", "err", err)
	}
}

func logOf(o license.Options) *slog.Logger {
	if o.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return o.Log
}

func makeFile(ctx context.Context, a *license.Authority, o license.Options, path string) (*Report, error) {
	raw, err := prepare(path)
	if err != nil {
		return nil, err
	}
	defer os.Remove(raw)
	if err := fits(a.DB().Size(), filepath.Dir(path)); err != nil {
		return nil, err
	}
	if err := a.DB().Snapshot(raw); err != nil {
		return nil, err
	}
	done := raw
	if isPacked(path) {
		if done, err = scratch(path); err != nil {
			return nil, err
		}
		defer os.Remove(done)
		if err := packed(ctx, raw, done); err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r, err := inspect(raw, o)
	if err != nil {
		return nil, err
	}
	return finish(r, done, path, o.Clock())
}

// packed writes raw, compressed, to done, and makes raw anew from that, so that what is checked is what is kept.
func packed(ctx context.Context, raw, done string) error {
	written, err := pack(ctx, raw, done)
	if err != nil {
		return err
	}
	if err := os.Remove(raw); err != nil { // the disk need not hold it twice
		return err
	}
	sum, err := unpackFor(ctx, done, raw)
	if err == nil && sum != written {
		err = fault.New(fault.Unavailable, "backup_checksum")
	}
	return err
}

// finish gives a checked file its name.
func finish(r *Report, done, path string, now time.Time) (*Report, error) {
	info, err := os.Stat(done)
	if err != nil {
		return nil, err
	}
	if r.SHA256, err = sumFile(done); err != nil {
		return nil, err
	}
	r.Path, r.Bytes, r.Changed = path, info.Size(), now.UTC()
	return r, publish(done, path, r.SHA256)
}

// fits refuses to begin what the disk will not hold: the snapshot, and beside it what it is compressed to. A disk
// that fills up would keep the appliance itself from writing.
func fits(size int64, dir string) error {
	left, err := room(dir)
	if err != nil {
		return err
	}
	if size+size/2+spareRoom > left {
		return fault.New(fault.Unavailable, "disk_full").With("path", dir)
	}
	return nil
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

// publish gives a checked file its name, unless that is taken, and lays its checksum beside it.
func publish(tmp, path, sum string) error {
	if err := inherit(tmp); err != nil {
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
	if err := writeChecksum(path, sum); err != nil {
		return errors.Join(err, os.Remove(path))
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

// Move takes a backup, checksum and all, to path, which must not be there, also on another disk. It is compressed
// there if its name ends in .zst.
func Move(r *Report, path string) (*Report, error) {
	moved := *r
	err := explained(path, move(&moved, path))
	moved.Path = path
	return &moved, err
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
	sum, err := carry(r.Path, tmp, isPacked(path))
	if err != nil {
		return err
	}
	if sum != r.SHA256 {
		return fault.New(fault.Unavailable, "backup_checksum").With("path", r.Path)
	}
	moved, err := os.Stat(tmp)
	if err != nil {
		return err
	}
	if isPacked(path) != isPacked(r.Path) {
		if sum, err = sumFile(tmp); err != nil {
			return err
		}
	}
	if err := publish(tmp, path, sum); err != nil {
		return err
	}
	r.Bytes, r.SHA256 = moved.Size(), sum
	return errors.Join(os.Remove(r.Path), os.Remove(checksumPath(r.Path)))
}

// carry makes the new file to of a backup, compressed or not as is wanted: the SHA-256 of what it was made from.
func carry(from, to string, want bool) (sum string, err error) {
	switch {
	case want == isPacked(from):
		return copyFile(from, to)
	case want:
		if _, err := pack(context.Background(), from, to); err != nil {
			return "", err
		}
		return sumFile(from)
	}
	return unpack(from, to)
}

// Entry is one backup in a folder.
type Entry struct {
	Path       string
	Bytes      int64
	Changed    time.Time
	Summed     bool // its checksum lies beside it
	Compressed bool
}

// Name is the file's own, without its folder.
func (e Entry) Name() string { return filepath.Base(e.Path) }

// made is when a backup was made by its name, if that is one of ours: no other is ever taken away.
func (e Entry) made() (time.Time, bool) {
	name, ours := strings.CutPrefix(strings.TrimSuffix(strings.TrimSuffix(e.Name(), packedSuffix), suffix), "goldfish-")
	at, number, twice := strings.Cut(name, "-")
	if n, err := strconv.Atoi(number); twice && (err != nil || n < 2) {
		return time.Time{}, false
	}
	t, err := time.Parse(stamp, at)
	return t, ours && err == nil
}

// List gives the backups of a folder by their names, which is oldest first. A folder that is not there has none.
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
		if e, ok := entry(filepath.Join(dir, f.Name())); ok {
			out = append(out, e)
		}
	}
	return out, nil
}

// entry looks at a file, which is a backup if its name ends as one and it is no link.
func entry(path string) (Entry, bool) {
	if filepath.Ext(strings.TrimSuffix(path, packedSuffix)) != suffix {
		return Entry{}, false
	}
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() {
		return Entry{}, false
	}
	_, err = os.Stat(checksumPath(path))
	return Entry{Path: path, Bytes: info.Size(), Changed: info.ModTime().UTC(), Summed: err == nil, Compressed: isPacked(path)}, true
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
