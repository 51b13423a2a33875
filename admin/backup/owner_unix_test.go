//go:build unix

package backup

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func owner(t *testing.T, path string) int {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return int(info.Sys().(*syscall.Stat_t).Uid)
}

func TestWhatRootMakesBelongsToTheOwnerOfTheFolder(t *testing.T) {
	dir := t.TempDir()
	want := os.Geteuid()
	if want == 0 {
		want = 12345
		if err := os.Chown(dir, want, want); err != nil {
			t.Fatal(err)
		}
	}
	w, _, path := made(t)
	file := filepath.Join(dir, "goldfish.db")
	_, err := Restore(path, file, options(w))
	w.Must(err)
	again := filepath.Join(dir, "backups", "again.db")
	_, err = Make(w.Authority, options(w), again)
	w.Must(err)
	for _, p := range []string{file, again, again + ".sha256", filepath.Dir(again)} {
		if got := owner(t, p); got != want {
			t.Errorf("%s belongs to %d, want %d", p, got, want)
		}
	}
}
