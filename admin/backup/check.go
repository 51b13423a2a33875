package backup

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"goldfish/license"
	"goldfish/license/fault"
	"goldfish/store"
)

const isWindows = runtime.GOOS == "windows"

// Report says what a backup holds. Rows counts its rows by table.
type Report struct {
	Path      string         `json:"path"`
	Bytes     int64          `json:"bytes"`
	SHA256    string         `json:"sha256"` // of the file, hex
	Changed   time.Time      `json:"changed"`
	Appliance string         `json:"appliance"` // UUID of the appliance that made it
	Epoch     uint16         `json:"epoch"`
	Rows      map[string]int `json:"rows"`
}

// checksumPath is where a backup's SHA-256 lies, in the form that sha256sum --check reads.
func checksumPath(path string) string { return path + ".sha256" }

// inspect opens a file that is its own, reads all of it and closes it. A file of the present schema is not
// changed by it; an older one is brought up to date.
func inspect(path string, o license.Options) (*Report, error) {
	db, err := store.Open(path, store.Options{
		Schema: license.Schema(o.Release), Clock: o.Clock, Rand: o.Rand, Log: o.Log, MustExist: true,
	})
	if err != nil {
		return nil, err
	}
	r, err := read(db, o)
	if err = errors.Join(err, db.Close()); err != nil {
		return nil, err
	}
	return r, nil
}

func read(db *store.DB, o license.Options) (*Report, error) {
	if err := license.Unlock(db, o.MachineKey, o.Rand); err != nil {
		return nil, err
	}
	rows, faults := db.Check()
	for _, err := range faults {
		o.Log.Error("a backup has a fault", "path", db.Path(), "err", err)
	}
	if len(faults) > 0 {
		return nil, fault.New(fault.Unavailable, "backup_damaged").With("path", db.Path()).With("faults", len(faults)).Because(faults[0])
	}
	return &Report{Path: db.Path(), Bytes: db.Size(), Appliance: db.UUID().String(), Epoch: db.Epoch(), Rows: rows}, nil
}

// Verify checks a backup: its checksum where there is one beside it, and everything in it. The file is not
// touched: a copy is looked at, in the folder for temporary files.
func Verify(path string, o license.Options) (*Report, error) {
	dir, err := os.MkdirTemp("", "goldfish-verify-")
	if err != nil {
		return nil, Explain(path, err)
	}
	defer os.RemoveAll(dir)
	r, err := verify(path, filepath.Join(dir, "goldfish.db"), o)
	if err != nil {
		return nil, Explain(path, named(err, path))
	}
	return r, nil
}

// named lets a fault of the copy speak of the file that was copied.
func named(err error, path string) error {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.With("path", path)
	}
	return err
}

// verify copies the backup to copied and checks it there.
func verify(path, copied string, o license.Options) (*Report, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %s is not a regular file", store.ErrNotOurs, path)
	}
	sum, err := unpack(path, copied)
	if sum != "" { // another sum tells more than what is wrong inside
		err = cmp.Or(compare(path, sum), err)
	}
	if err != nil {
		return nil, err
	}
	r, err := inspect(copied, o)
	if err != nil {
		return nil, err
	}
	r.Path, r.Bytes, r.SHA256, r.Changed = path, info.Size(), sum, info.ModTime().UTC()
	return r, nil
}

// compare refuses a file whose checksum lies beside it and is another one.
func compare(path, sum string) error {
	text, err := os.ReadFile(checksumPath(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	want, _, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	if !strings.EqualFold(want, sum) {
		return fault.New(fault.Unavailable, "backup_checksum").With("path", path)
	}
	return nil
}

// copyFile makes to, which must not be there, a copy of from, and returns when the disk has it: its SHA-256.
func copyFile(from, to string) (sum string, err error) {
	in, err := os.Open(from)
	if err != nil {
		return "", err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	_, err = io.Copy(io.MultiWriter(out, h), in)
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		_ = os.Remove(to)
		return "", err
	}
	return hexSum(h), nil
}

func hexSum(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

func sumFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return hexSum(h), err
}
