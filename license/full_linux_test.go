package license_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"goldfish/license"
	"goldfish/license/licensetest"
)

const (
	smallDisk      = "GOLDFISH_TEST_SMALL_DISK"
	smallDiskBytes = 96 << 20
)

// TestARotationOnAFullDisk runs once more as a process of its own with a disk of memory. It takes root, or user
// namespaces.
func TestARotationOnAFullDisk(t *testing.T) {
	if dir := os.Getenv(smallDisk); dir != "" {
		rotateOnFullDisk(t, dir)
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestARotationOnAFullDisk$", "-test.v", "-test.timeout=2m")
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

// journal is a log that is read while it is written.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) count(what string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.text.String(), what)
}

// fillDisk leaves so many bytes of the disk.
func fillDisk(t *testing.T, path string, leave int64) {
	t.Helper()
	var st syscall.Statfs_t
	f, err := os.Create(path)
	if err = errors.Join(err, syscall.Statfs(filepath.Dir(path), &st)); err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for n := int64(st.Bavail)*st.Bsize - leave; n > 0; n -= 4096 {
		if _, err := f.Write(make([]byte, 4096)); err != nil && !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
}

func rotateOnFullDisk(t *testing.T, dir string) {
	err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "")
	if err = errors.Join(err, syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=96m")); err != nil {
		t.Fatal(err)
	}
	w := licensetest.New(t)
	w.Must(w.Close())
	raw, err := os.ReadFile(w.Path)
	w.Must(err)
	w.Path = filepath.Join(dir, "goldfish.db")
	w.Must(os.WriteFile(w.Path, raw, 0o600))
	var log journal
	w.Authority, err = license.Open(w.Path, license.Options{
		Clock: w.Clock.Now, Rand: rand.Reader, MachineKey: licensetest.MachineKey, BcryptCost: 4, Argon: licensetest.Argon,
		CacheBytes: 1 << 20, Release: "test", Reserve: 1 << 20, Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	w.Must(err)
	w.HastenJobs()
	app, who := w.App(nil), w.Customer()
	keys := w.Keys(app, 8000, licensetest.Month)
	filler := filepath.Join(dir, "filler")
	ends := func(j *license.Job) {
		t.Helper()
		w.Await("the end of the rotation", func() bool {
			now, err := w.Job(w.Owner, j.ID)
			w.Must(err)
			return now.State == license.JobDone
		})
	}

	// The disk is full: the rotation begins and waits, and activations are taken out of the reserve.
	fillDisk(t, filler, 0)
	w.Await("the disk to be low", w.Low)
	j, err := w.RotateKeys(t.Context(), license.System, "")
	w.Must(err)
	waits := func() string {
		all, err := w.ListJobs(w.Owner, 0, 1)
		w.Must(err)
		return all[0].Waits
	}
	w.Await("the rotation to wait", func() bool { return waits() == license.WaitsForRoom })
	for n := range 20 {
		if _, err := w.Device(app, n).Activate(who, keys[n], nil); err != nil {
			t.Fatalf("activation %d on a full disk: %v", n, err)
		}
	}
	if now, err := w.Job(w.Owner, j.ID); err != nil || now.Done != 0 || now.State != license.JobRunning || now.Waits != license.WaitsForRoom {
		t.Errorf("%+v %v", now, err)
	}

	// There is room again: it goes on by itself.
	w.Must(os.Remove(filler))
	ends(j)
	if waits() != "" || log.count("a job waits until") != 1 || log.count("a job that waited goes on") != 1 {
		t.Errorf("it waits for %q; the log: %s", waits(), log.text.String())
	}
	count := func(kind license.EventKind) int {
		all, err := w.RecentEvents(100, 100_000, func(e *license.Event) bool { return e.Kind == kind })
		w.Must(err)
		return len(all)
	}
	if count(license.SystemCompacting) != 1 || count(license.SystemCompacted) != 1 {
		t.Errorf("%d compactions announced, %d done", count(license.SystemCompacting), count(license.SystemCompacted))
	}

	// Room enough to seal everything anew, and none for a copy of the file: that is wished for, and not begun.
	w.Await("the end of low", func() bool { return !w.Low() })
	dense := filepath.Join(t.TempDir(), "dense.db")
	w.Must(w.DB().Snapshot(dense))
	copied, err := os.Stat(dense)
	w.Must(err)
	fillDisk(t, filler, smallDiskBytes/20+copied.Size()*9/10) // the rotation itself takes two thirds of that
	j, err = w.RotateKeys(t.Context(), license.System, "")
	w.Must(err)
	ends(j)
	if err := w.CompactIfWished(); !errors.Is(err, license.ErrFull) || count(license.SystemCompacting) != 1 || count(license.SystemError) != 0 {
		t.Errorf("%v, %d announced, %d errors", err, count(license.SystemCompacting), count(license.SystemError))
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) != 3 { // with the reserve and the filler
		t.Errorf("%v %v", left, err)
	}
	w.Must(os.Remove(filler))
	w.Clock.Advance(license.CompactAgain)
	w.Must(w.CompactIfWished())
	if count(license.SystemCompacting) != 2 || count(license.SystemCompacted) != 2 {
		t.Error("it was not compacted once there was room")
	}
	if _, faults := w.DB().Check(); len(faults) > 0 {
		t.Error(faults)
	}
	w.Must(w.Close())
}
