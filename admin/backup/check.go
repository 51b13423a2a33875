package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"time"

	"goldfish/license"
	"goldfish/license/fault"
	"goldfish/store"
)

const isWindows = runtime.GOOS == "windows"

// Report says what a file holds. Rows counts its rows by table.
type Report struct {
	Path      string         `json:"path"`
	Bytes     int64          `json:"bytes"`            // of the file as it lies
	SHA256    string         `json:"sha256,omitempty"` // of the file as it lies, hex
	Changed   time.Time      `json:"changed"`
	Appliance string         `json:"appliance"` // UUID of the appliance that made it
	Epoch     uint16         `json:"epoch"`
	Schema    int            `json:"schema"`    // version of its tables
	Release   string         `json:"release"`   // of the program that made or last migrated it
	Newest    time.Time      `json:"newest_at"` // of its newest event; zero for none
	Rows      map[string]int `json:"rows"`
	Seal      string         `json:"seal"`             // SealThis, SealOther, or "" for a file without a key ring
	Sealed    int            `json:"sealed"`           // rows that could not be judged without a key
	Password  bool           `json:"password"`         // an owner's password opens it on any machine
	Recovery  bool           `json:"recovery"`         // a recovery code does
	Clean     bool           `json:"clean"`            // its appliance was stopped, not killed, and nobody copied it meanwhile
	Running   bool           `json:"running"`          // it was in use: a copy was judged
	Code      string         `json:"code,omitempty"`   // what is wrong with it, "" if nothing is: file_damaged or file_truncated
	Faults    []string       `json:"faults,omitempty"` // at most 100
	Older     *Report        `json:"older,omitempty"`  // on the state before the newest, where that one is not good
}

// What a report says of the key.
const (
	SealThis  = "this_machine"  // this machine's key opens the file
	SealOther = "other_machine" // it does not, or there is none
)

// Good says whether nothing is wrong with the file, as far as it could be judged.
func (r *Report) Good() bool { return r.Code == "" }

// Salvageable says whether the newest state is damaged and the one before it is good.
func (r *Report) Salvageable() bool { return !r.Good() && r.Older != nil && r.Older.Good() }

// checksumPath is where a backup's SHA-256 lies, in the form that sha256sum --check reads.
func checksumPath(path string) string { return path + ".sha256" }

// inspect opens a file that is its own with this machine's key, reads all of it and closes it. A file of the present
// schema is not changed by it; an older one is brought up to date.
//
// Faults: backup_damaged, and those of Explain.
func inspect(path string, o license.Options) (*Report, error) {
	db, err := store.Open(path, store.Options{
		Schema: license.Schema(o.Release), Clock: o.Clock, Rand: o.Rand, Log: o.Log, MustExist: true,
	})
	if err != nil {
		return nil, err
	}
	r := &Report{Path: path, Bytes: db.Size()}
	r.read(db, question{Release: o.Release, Key: o.MachineKey}, func(int64, int64) {})
	if err := db.Close(); err != nil {
		return nil, err
	}
	for _, text := range r.Faults {
		logOf(o).Error("a backup has a fault", "path", path, "fault", text)
	}
	switch {
	case !r.Good():
		return nil, r.fault(path)
	case r.Seal == SealOther:
		return nil, license.ErrMachineKey
	case r.Seal != SealThis:
		return nil, store.ErrNotFound
	}
	return r, nil
}

// Examine looks at any file: a backup, an appliance's file, one that is in use, a copy of one, or something else
// entirely. It is looked at by a process of its own, with a deadline, and not changed. Where the newest state is
// damaged the one before it is looked at too. tell, which may be nil, hears how many of how many bytes are read.
//
// The error says why nothing can be said of the file. Faults: file_missing, file_not_ours, file_newer,
// backup_checksum, backup_implausible, backup_unreadable, check_timeout, folder_denied, disk_full, folder_failed.
func Examine(ctx context.Context, path string, o license.Options, tell func(done, total int64)) (*Report, error) {
	r, err := examine(ctx, question{Path: path, Release: o.Release, Key: o.MachineKey, Sum: true}, logOf(o), tell)
	if err != nil {
		return nil, Explain(path, err)
	}
	return r, nil
}

func examine(ctx context.Context, q question, log *slog.Logger, tell func(done, total int64)) (*Report, error) {
	info, err := os.Stat(q.Path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %s is not a regular file", store.ErrNotOurs, q.Path)
	}
	r, err := ask(ctx, q, log, tell)
	if err != nil || r.Good() || r.Running {
		return r, err
	}
	q.Older, q.Sum = true, false
	if older, err := ask(ctx, q, log, tell); err == nil {
		older.Faults = nil
		r.Older = older
	} else {
		log.Debug("the state before the newest cannot be read", "path", q.Path, "err", err)
	}
	return r, nil
}

// Verify checks a backup: its checksum where there is one beside it, and everything in it. The file is not
// touched. One of another machine is good as far as it can be judged: its Seal says so.
//
// Faults: backup_damaged, file_truncated, and those of Examine.
func Verify(path string, o license.Options) (*Report, error) {
	r, err := Examine(context.Background(), path, o, nil)
	if err != nil {
		return nil, err
	}
	return r, r.fault(path)
}

// fault is what is wrong with a backup that is to be used.
func (r *Report) fault(path string) error {
	switch r.Code {
	case "":
		return nil
	case "file_truncated":
		return fault.New(fault.Unavailable, r.Code).With("path", path)
	}
	return fault.New(fault.Unavailable, "backup_damaged").With("path", path).With("faults", len(r.Faults))
}

// named lets a fault of the copy speak of the file that was copied.
func named(err error, path string) error {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.With("path", path)
	}
	return err
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
