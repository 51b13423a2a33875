package config

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// memory is what this process may use, in bytes; 0 if that cannot be told.
func memory() int64 {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 0
	}
	least := int64(info.Totalram) * int64(info.Unit)
	groups, _ := os.ReadFile("/proc/self/cgroup")
	for line := range strings.Lines(string(groups)) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok { // control groups, version 2
			least = min(least, groupMemory("/sys/fs/cgroup", path, least))
		}
	}
	return least
}

// groupMemory is the lowest limit from a control group up to the root, at most most.
func groupMemory(root, path string, most int64) int64 {
	for at := filepath.Join("/", path); ; at = filepath.Dir(at) {
		text, err := os.ReadFile(filepath.Join(root, at, "memory.max"))
		if n, perr := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && perr == nil && n > 0 {
			most = min(most, n)
		}
		if at == "/" {
			return most
		}
	}
}
