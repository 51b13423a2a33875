package backup

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

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
