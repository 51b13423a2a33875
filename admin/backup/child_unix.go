//go:build unix

package backup

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"syscall"
)

// together makes a child the head of a group of its own, which ends with it.
func together(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

// runs says whether there is a process of that number.
func runs(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

const (
	leastMemory = 1 << 30 // bytes
	memoryPart  = 8       // of the file's length that a check may need besides
)

// weight is how much of a file there is to read: a file may say that it is endless, and the disk hold nothing of it.
// A disk that compresses holds less than there is, and some network disks tell nothing.
func weight(info os.FileInfo) int64 {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || stat.Blocks == 0 {
		return info.Size()
	}
	return min(info.Size(), 4*512*stat.Blocks)
}

// boundMemory lets this process have no more memory than a check of the file may need, so that one which claims to
// be endless ends the check and not the machine. What the disk really holds of a file counts, not its length.
func boundMemory(path string) {
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS != "linux" || underRaceDetector() {
		return
	}
	most := uint64(leastMemory)
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		most += uint64(stat.Blocks) * 512 / memoryPart
	}
	_ = syscall.Setrlimit(syscall.RLIMIT_DATA, &syscall.Rlimit{Cur: most, Max: most})
}

// underRaceDetector: that one takes more memory for itself than any limit of ours.
func underRaceDetector() bool {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return false
	}
	for _, s := range build.Settings {
		if s.Key == "-race" && s.Value == "true" {
			return true
		}
	}
	return false
}
