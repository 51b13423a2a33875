package backup

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"goldfish/license"
	"goldfish/license/fault"
)

// copyTo puts a copy of a checked backup into the second folder, which must be there: where another disk is not
// mounted its folder is none. What lies there afterwards is read again and compared.
//
// Faults: folder_missing and those of Explain.
func copyTo(r *Report, folder string) error {
	path := filepath.Join(folder, filepath.Base(r.Path))
	return explained(path, copyBackup(r, folder, path))
}

func copyBackup(r *Report, folder, path string) error {
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return fault.New(fault.Unavailable, "folder_missing").With("path", folder).Because(err)
	}
	if _, err := os.Lstat(path); err == nil {
		return exists(path)
	}
	tmp, err := scratch(path)
	if err != nil {
		return err
	}
	defer os.Remove(tmp)
	if _, err := copyFile(r.Path, tmp); err != nil {
		return err
	}
	sum, err := sumFile(tmp)
	if err != nil {
		return err
	}
	if sum != r.SHA256 {
		return fault.New(fault.Unavailable, "backup_checksum").With("path", path)
	}
	return publish(tmp, path, sum)
}

// errNoBackup says that there is no good backup to be copied.
var errNoBackup = errors.New("backup: no good backup is there")

// recopy puts the named backup into the second folder, which lacks it, and notes how that went. Whatever lies there
// under its name with the same bytes is the copy. It is errNoBackup if the backup is gone or damaged.
func (k *Keeper) recopy(name string) error {
	p, err := k.a.BackupPlan(license.System)
	if err != nil {
		return err
	}
	e, is := entry(filepath.Join(k.dir, name))
	if !is {
		return errNoBackup
	}
	sum, err := sumFile(e.Path)
	if err = errors.Join(err, compare(e.Path, sum)); err != nil || !e.Summed {
		return errors.Join(errNoBackup, err)
	}
	r := &Report{Path: e.Path, Bytes: e.Bytes, SHA256: sum}
	if p.SecondFolder != "" {
		err = copyTo(r, p.SecondFolder)
		if there, serr := sumFile(filepath.Join(p.SecondFolder, name)); fault.Has(err, "backup_exists") && serr == nil && there == sum {
			err = nil
		}
	}
	k.noteGood(r, err, func(*license.BackupState) {})
	if _, err := k.prune(p); err != nil {
		complain(k.a, k.o, Explain(k.dir, err))
	}
	return nil
}

// CheckSecond says what keeps a folder from being the second one beside the first: it must be there, be another than
// the data folder and none inside it, and take files.
//
// Faults: folder_missing, folder_inside, folder_denied, folder_failed, disk_full (second_folder).
func CheckSecond(folder, data string) error {
	err := checkSecond(folder, data)
	if err == nil {
		return nil
	}
	f := Explain(folder, err)
	f.Kind = fault.Invalid
	return f.In("second_folder")
}

func checkSecond(folder, data string) error {
	missing := fault.New(fault.Invalid, "folder_missing").With("path", folder)
	real, err := filepath.EvalSymlinks(folder)
	if err != nil {
		return missing.Because(err)
	}
	info, err := os.Stat(real)
	if err != nil || !info.IsDir() {
		return missing.Because(err)
	}
	if data, err = filepath.EvalSymlinks(data); err != nil {
		return err
	}
	if below, err := filepath.Rel(data, real); err == nil && below != ".." && !strings.HasPrefix(below, ".."+string(filepath.Separator)) {
		return fault.New(fault.Invalid, "folder_inside").With("path", folder)
	}
	probe, err := os.CreateTemp(real, "goldfish-*.part")
	if err != nil {
		return err
	}
	_, err = probe.WriteString("goldfish\n")
	return errors.Join(err, probe.Close(), os.Remove(probe.Name()))
}
