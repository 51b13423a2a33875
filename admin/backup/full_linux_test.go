package backup

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"goldfish/license"
	"goldfish/license/licensetest"
)

const smallDisk = "GOLDFISH_TEST_SMALL_DISK"

// TestDisksThatFillUp runs once more as a process of its own with a disk of memory, which is made a little larger from
// one try to the next: so what is written breaks off at every step. It takes root, or user namespaces.
func TestDisksThatFillUp(t *testing.T) {
	if dir := os.Getenv(smallDisk); dir != "" {
		onSmallDisk(t, dir)
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDisksThatFillUp$", "-test.v", "-test.timeout=2m")
	cmd.Env = append(os.Environ(), smallDisk+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	if t.Logf("%s", out); err != nil {
		t.Fatal(err)
	}
}

// disk mounts a disk of so many kilobytes, or makes the one that is mounted as large.
func disk(t *testing.T, dir string, kilobytes int, flags uintptr) {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", flags, "size="+strconv.Itoa(kilobytes)+"k"); err != nil {
		t.Fatal(err)
	}
}

func onSmallDisk(t *testing.T, dir string) {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		t.Fatal(err)
	}
	disk(t, dir, 64, 0)
	w := licensetest.New(t)
	w.Keys(w.App(nil), 3000, licensetest.Month)
	o := options(w)
	path := filepath.Join(dir, "b.db.zst")
	if _, err := Make(w.Authority, o, path); code(err) != "disk_full" {
		t.Errorf("a disk that is seen to be too small: %v", err)
	}
	only(t, dir)
	if got := len(kinds(w, license.SystemError)); got != 1 {
		t.Errorf("%d events", got)
	}
	spareRoom = -1 << 40 // what is not seen beforehand

	good := sweep(t, dir, "make", func() error { _, err := Make(w.Authority, o, path); return err })
	only(t, dir, "b.db.zst", "b.db.zst.sha256")
	r, err := Verify(path, o)
	w.Must(err)
	disk(t, dir, good*4, syscall.MS_REMOUNT)
	kept := filepath.Join(t.TempDir(), "b.db.zst")
	r, err = Move(r, kept)
	w.Must(err)

	sweep(t, dir, "second folder", func() error { return copyTo(r, dir) })
	only(t, dir, "b.db.zst", "b.db.zst.sha256")
	empty(t, dir)
	sweep(t, dir, "unpack", func() error { _, err := unpack(kept, filepath.Join(dir, "x.db")); return explained(dir, err) })
	empty(t, dir)
	sweep(t, dir, "receive", func() error {
		f, err := os.Open(kept)
		if err != nil {
			return err
		}
		defer f.Close()
		return Receive(f, filepath.Join(dir, "restore-upload"))
	})
	empty(t, dir)
	before, err := sumFile(kept)
	w.Must(err)
	sweep(t, dir, "move", func() error { _, err := Move(r, filepath.Join(dir, "y.db")); return err })
	if after, err := sumFile(filepath.Join(dir, "y.db")); err != nil || after == before {
		t.Errorf("%v", err)
	}
	if _, err := os.Lstat(kept); err == nil {
		t.Error("what was moved is still there")
	}
	empty(t, dir)
	disk(t, dir, 64, syscall.MS_REMOUNT)
	k, err := NewKeeper(w.Authority, o, filepath.Join(dir, "backups"))
	w.Must(err)
	if _, err := k.Make(); code(err) != "disk_full" {
		t.Errorf("%v", err)
	}
	only(t, k.Dir())
	if s, err := w.BackupState(); err != nil || s.Code != "disk_full" || s.Good != 0 {
		t.Errorf("%v %+v", err, s)
	}
	if rows, faults := w.DB().Check(); len(faults) > 0 || rows["cards"] != 3000 {
		t.Errorf("%v %v", rows, faults)
	}
}

func empty(t *testing.T, dir string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	for _, f := range files {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, f.Name())))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// sweep tries on larger and larger disks until it works; every failure before must be a clean one. It gives the
// kilobytes that were enough.
func sweep(t *testing.T, dir, what string, try func() error) int {
	t.Helper()
	files := func() string {
		all, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, f := range all {
			names = append(names, f.Name())
		}
		return strings.Join(names, " ")
	}
	before := files()
	refused := 0
	for size := 4; size < 64<<10; size += size/16 + 4 {
		disk(t, dir, size, syscall.MS_REMOUNT)
		err := try()
		if err == nil {
			t.Logf("%s: %d disks of up to %d kB were too small", what, refused, size)
			if refused < 3 {
				t.Errorf("%s: only %d tries failed", what, refused)
			}
			return size
		}
		if refused++; code(err) != "disk_full" {
			t.Fatalf("%s with %d kB: %v", what, size, err)
		}
		if after := files(); after != before {
			t.Fatalf("%s with %d kB leaves %s", what, size, after)
		}
	}
	t.Fatalf("%s never works", what)
	return 0
}
