package backup

import (
	"os"
	"path/filepath"
	"testing"

	"goldfish/license/fault"
)

func TestACopyInTheSecondFolder(t *testing.T) {
	w, path := compressed(t)
	r, err := Verify(path, options(w))
	w.Must(err)
	second := t.TempDir()
	w.Must(copyTo(r, second))
	only(t, second, "one.db.zst", "one.db.zst.sha256")
	if copied, err := Verify(filepath.Join(second, "one.db.zst"), options(w)); err != nil || copied.SHA256 != r.SHA256 {
		t.Errorf("%v %+v", err, copied)
	}
	if err := copyTo(r, second); code(err) != "backup_exists" {
		t.Errorf("again: %v", err)
	}
	only(t, second, "one.db.zst", "one.db.zst.sha256")

	gone := filepath.Join(second, "unmounted")
	if err := copyTo(r, gone); code(err) != "folder_missing" {
		t.Errorf("a folder that is not there: %v", err)
	}
	if _, err := os.Lstat(gone); err == nil {
		t.Error("the folder was made: a disk that is not mounted would be filled beside")
	}
	raw, err := os.ReadFile(path)
	w.Must(err)
	raw[len(raw)/2] ^= 1
	w.Must(os.WriteFile(path, raw, 0o600)) // the disk changes it after it was checked
	third := t.TempDir()
	if err := copyTo(r, third); code(err) != "backup_checksum" {
		t.Errorf("other bytes: %v", err)
	}
	only(t, third)
}

func TestFoldersThatCannotBeTheSecond(t *testing.T) {
	data := t.TempDir()
	inside := filepath.Join(data, "backups")
	outside := t.TempDir()
	file := filepath.Join(outside, "goldfish.db")
	link := filepath.Join(outside, "link")
	for _, err := range []error{os.Mkdir(inside, 0o700), os.WriteFile(file, nil, 0o600), os.Symlink(inside, link)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for folder, want := range map[string]string{
		outside: "", data: "folder_inside", inside: "folder_inside", link: "folder_inside", file: "folder_missing",
		filepath.Join(file, "x"): "folder_missing", filepath.Join(outside, "none"): "folder_missing", data + "-2": "folder_missing", filepath.Dir(data): "",
	} {
		err := CheckSecond(folder, data)
		if code(err) != want || err != nil && fault.Of(err).Field != "second_folder" {
			t.Errorf("%s: %v, want %q", folder, err, want)
		}
		if err != nil && fault.Of(err).Kind != fault.Invalid {
			t.Errorf("%s: %v", folder, fault.Of(err).Kind)
		}
	}
	only(t, outside, "goldfish.db", "link")
}
