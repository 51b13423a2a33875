package backup

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"goldfish/license"
	"goldfish/license/fault"
)

// Place says which folder of backups is meant: that of the appliance, or the second one.
type Place bool

// The two folders.
const (
	Main   Place = false
	Second Place = true
)

// String is the place's name on the wire.
func (p Place) String() string {
	if p == Second {
		return "second"
	}
	return "main"
}

// folder is a place by the plan, "" if there is none.
func (k *Keeper) folder(p license.BackupPlan, at Place) string {
	if at == Second {
		return p.SecondFolder
	}
	return k.dir
}

// SetPlan makes another plan, if its second folder can be used. Faults: those of license.SetBackupPlan and of
// CheckSecond.
func (k *Keeper) SetPlan(who license.Actor, p license.BackupPlan) error {
	if err := who.Authorise(license.WriteFile); err != nil {
		return err
	}
	p, err := p.Check()
	if err != nil {
		return err
	}
	if p.SecondFolder != "" {
		if err := CheckSecond(p.SecondFolder, filepath.Dir(k.a.DB().Path())); err != nil {
			return err
		}
	}
	_, err = k.a.SetBackupPlan(who, p)
	return err
}

// List gives the backups of a folder, newest first; the second one has none where the plan names none, or it is not
// there. Faults: those of Explain.
func (k *Keeper) List(who license.Actor, at Place) ([]Entry, error) {
	p, err := k.a.BackupPlan(who)
	if err != nil {
		return nil, err
	}
	dir := k.folder(p, at)
	if dir == "" {
		return nil, nil
	}
	all, err := List(dir)
	slices.Reverse(all)
	return all, err
}

// Find gives one backup by its name. Fault: backup_unknown.
func (k *Keeper) Find(who license.Actor, at Place, name string) (Entry, error) {
	p, err := k.a.BackupPlan(who)
	if err != nil {
		return Entry{}, err
	}
	dir := k.folder(p, at)
	if dir != "" && name == filepath.Base(name) && filepath.IsLocal(name) {
		if e, ok := entry(filepath.Join(dir, name)); ok {
			return e, nil
		}
	}
	return Entry{}, fault.New(fault.NotFound, "backup_unknown").In("name")
}

// Delete takes one backup away, with its checksum, and records who did it. Faults: backup_unknown, those of Explain.
func (k *Keeper) Delete(who license.Actor, at Place, name string) error {
	if err := who.Authorise(license.WriteFile); err != nil {
		return err
	}
	e, err := k.Find(who, at, name)
	if err != nil {
		return err
	}
	if err := os.Remove(e.Path); err != nil {
		return Explain(e.Path, err)
	}
	if err := os.Remove(checksumPath(e.Path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Explain(e.Path, err)
	}
	return k.a.Record(who, handled(license.SystemBackupDeleted, e))
}

// Take opens a backup to be carried away, and records by whom. The caller closes it. Faults: backup_unknown, those of
// Explain.
func (k *Keeper) Take(who license.Actor, at Place, name string) (*os.File, Entry, error) {
	if err := who.Authorise(license.WriteFile); err != nil {
		return nil, Entry{}, err
	}
	e, err := k.Find(who, at, name)
	if err != nil {
		return nil, Entry{}, err
	}
	f, err := os.Open(e.Path)
	if err != nil {
		return nil, Entry{}, Explain(e.Path, err)
	}
	if err := k.a.Record(who, handled(license.SystemBackupTaken, e)); err != nil {
		return nil, Entry{}, errors.Join(err, f.Close())
	}
	return f, e, nil
}

func handled(kind license.EventKind, e Entry) license.Event {
	args := map[string]string{"file": e.Name(), "folder": filepath.Dir(e.Path)}
	return license.Event{Kind: kind, Level: license.LevelWarning, Args: args}
}

// Verify checks one backup. Faults: backup_unknown, and those of Verify for a file.
func (k *Keeper) Verify(who license.Actor, at Place, name string) (*Report, error) {
	if err := who.Authorise(license.WriteFile); err != nil {
		return nil, err
	}
	e, err := k.Find(who, at, name)
	if err != nil {
		return nil, err
	}
	return Verify(e.Path, k.o)
}

// Judge checks a file that came from elsewhere and is to be restored. Faults: those of Verify, and backup_sealed for
// one that nobody could open afterwards.
func (k *Keeper) Judge(ctx context.Context, path string) (*Report, error) {
	r, err := Examine(ctx, path, k.o, nil)
	switch {
	case err != nil:
		return nil, err
	case r.Good() && r.Seal == SealOther && !r.Password && !r.Recovery:
		return nil, fault.New(fault.Unavailable, "backup_sealed").With("path", path)
	}
	return r, r.fault(path)
}

// Restore gives what puts a backup in the place of the file, to be done while that is closed. Fault: backup_running.
func (k *Keeper) Restore(path string) (func() error, error) {
	k.mu.Lock()
	work := k.work
	k.mu.Unlock()
	if work != "" {
		return nil, fault.New(fault.Conflict, "backup_running").With("work", work)
	}
	file := k.a.DB().Path()
	return func() error {
		_, err := Restore(path, file, k.o)
		return err
	}, nil
}
