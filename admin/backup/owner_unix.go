//go:build unix

package backup

import (
	"os"
	"path/filepath"
	"syscall"
)

// inherit gives what root has made to the owner of the folder that it lies in: the appliance, which runs as
// somebody else, must be able to read a file that an administrator restored.
func inherit(path string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || stat.Uid == 0 {
		return nil
	}
	return os.Lchown(path, int(stat.Uid), int(stat.Gid))
}
