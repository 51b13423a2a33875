package backup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"goldfish/license"
	"goldfish/license/fault"
	"goldfish/store"
)

// unknownEpochs is how far the epoch leaps when the file that is replaced cannot be read any more, and so does
// not say how often it was itself restored since the backup.
const unknownEpochs = 16

// Restored says what a restore did.
type Restored struct {
	Report
	File string // the file that was put in place
	Kept string // where the file that stood there before is kept, "" if none did
}

// Restore puts a backup in the place of file. It is checked first, in a copy beside file, and that copy takes
// the name in one step; what stood there is kept beside it. The epoch rises above that of either, so that no
// id is given out twice. One of another machine is restored as it is: its appliance starts sealed, and one that
// nobody could open then is refused. Anything that fails leaves everything as it was.
//
// Faults: backup_checksum, backup_damaged, backup_sealed, file_locked for a file that is in use, and those of Explain.
func Restore(path, file string, o license.Options) (*Restored, error) {
	r, err := restore(path, file, o)
	if err != nil {
		return nil, Explain(path, err)
	}
	return r, nil
}

func restore(path, file string, o license.Options) (*Restored, error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, err
	}
	now, err := occupy(file, o)
	if err != nil {
		return nil, err
	}
	defer now.leave()
	tmp, err := scratch(file)
	if err != nil {
		return nil, err
	}
	defer tidy(tmp)
	r, err := fetch(path, tmp, o)
	if err != nil {
		return nil, named(err, path)
	}
	if r.Epoch, err = raise(tmp, now.above(r.Epoch)-1, o); err != nil {
		return nil, err
	}
	if err := inherit(tmp); err != nil {
		return nil, err
	}
	out := &Restored{Report: *r, File: file}
	if out.Kept, err = now.replace(tmp, "before-restore", o.Clock()); err != nil {
		return nil, err
	}
	out.tell(o)
	return out, nil
}

// tell leaves word of a restore to whoever opens the file next, and that it is ours. Neither is worth undoing it.
func (r *Restored) tell(o license.Options) {
	n := news{Kind: uint16(license.SystemRestored), Args: map[string]string{"file": filepath.Base(r.Path), "epoch": strconv.Itoa(int(r.Epoch))}, At: o.Clock()}
	t := &trace{Path: r.File, UUID: r.Appliance, Stopped: true, Last: &LastCheck{At: o.Clock(), OK: true}}
	if was := recall(o.StateDir, r.File); was != nil {
		t.Folders = was.Folders
	}
	if err := errors.Join(n.leave(r.File), t.keep(o.StateDir)); err != nil {
		logOf(o).Warn("a restore could not be noted", "file", r.File, "err", err)
	}
}

// fetch makes the new file copied of a backup, and has it judged.
func fetch(path, copied string, o license.Options) (*Report, error) {
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
	q := question{Path: copied, Scratch: filepath.Dir(copied), Release: o.Release, Key: o.MachineKey}
	r, err := ask(context.Background(), q, logOf(o), nil)
	if err != nil {
		return nil, err
	}
	r.Path, r.Bytes, r.SHA256, r.Changed = path, info.Size(), sum, info.ModTime().UTC()
	if r.Good() && r.Seal == SealOther && !r.Password && !r.Recovery {
		return nil, fault.New(fault.Unavailable, "backup_sealed").With("path", path)
	}
	return r, r.fault(path)
}

// tidy takes away a scratch file, and what bringing it up to date has left beside it.
func tidy(tmp string) {
	left, _ := filepath.Glob(escaped(tmp) + "*")
	for _, path := range left {
		_ = os.Remove(path)
	}
}

// raise lifts a file's epoch above the given one and its own.
func raise(path string, floor uint16, o license.Options) (epoch uint16, err error) {
	db, err := store.Open(path, store.Options{
		Schema: license.Schema(o.Release), Clock: o.Clock, Rand: o.Rand, Log: o.Log, MustExist: true,
	})
	if err != nil {
		return 0, err
	}
	epoch, err = store.Write(db, func(tx *store.Tx) (uint16, error) { return tx.RaiseEpoch(floor) })
	return epoch, errors.Join(err, db.Close())
}

// place is where a restored file will lie, with the file that lies there now, held so that no appliance can
// open it meanwhile.
type place struct {
	file  string
	held  *store.DB // nil if there is no file, or none that opens
	there bool
}

// above is the lowest epoch that neither the backup's file nor the place's may have used.
func (p *place) above(backup uint16) uint16 {
	switch {
	case p.held != nil:
		return max(backup, p.held.Epoch()) + 1
	case p.there:
		return backup + 1 + unknownEpochs
	}
	return backup + 1
}

// occupy takes hold of the place. A file in use is refused; a damaged one is what restoring is for.
func occupy(file string, o license.Options) (*place, error) {
	p := &place{file: file}
	info, err := os.Lstat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %s is not a regular file", store.ErrNotOurs, file)
	}
	p.there = true
	p.held, err = store.Open(file, store.Options{
		Schema: license.Schema(o.Release), Clock: o.Clock, Rand: o.Rand, Log: o.Log, MustExist: true,
	})
	switch {
	case err == nil:
		return p, nil
	case errors.Is(err, store.ErrLocked):
		return nil, fault.New(fault.Conflict, "file_locked").With("path", file).Because(err)
	case errors.Is(err, fs.ErrPermission):
		return nil, err
	}
	return p, nil
}

func (p *place) leave() {
	if p.held != nil {
		_ = p.held.Close()
		p.held = nil
	}
}

// replace gives tmp the place's name, and what stood there another one, which says why.
func (p *place) replace(tmp, why string, now time.Time) (kept string, err error) {
	if !p.there {
		return "", put(tmp, p.file)
	}
	if isWindows {
		p.leave() // an open file cannot be renamed there
	}
	stem := p.file + "." + why + "-" + now.UTC().Format(stamp)
	kept = stem
	for n := 2; ; n++ {
		if err = os.Link(p.file, kept); !errors.Is(err, fs.ErrExist) {
			break
		}
		kept = fmt.Sprintf("%s-%d", stem, n)
	}
	linked := err == nil
	if !linked { // a file system without links: for an instant there is no file
		if err = os.Rename(p.file, kept); err != nil {
			return "", err
		}
	}
	if err = os.Rename(tmp, p.file); err != nil {
		if linked {
			return "", errors.Join(err, os.Remove(kept))
		}
		return "", errors.Join(err, os.Rename(kept, p.file))
	}
	return kept, syncDir(filepath.Dir(p.file))
}

// put names a file that is the first of its place, unless an appliance has made one there meanwhile.
func put(tmp, file string) error {
	err := os.Link(tmp, file)
	if errors.Is(err, fs.ErrExist) {
		return fault.New(fault.Conflict, "file_locked").With("path", file).Because(err)
	}
	if err != nil {
		if err := os.Rename(tmp, file); err != nil {
			return err
		}
	}
	return syncDir(filepath.Dir(file))
}
