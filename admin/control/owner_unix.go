//go:build unix

package control

import (
	"io/fs"
	"os"
	"syscall"
)

// ownFolder says whether a folder is this user's and closed to all others.
func ownFolder(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && info.IsDir() && info.Mode().Perm()&0o077 == 0 && int(stat.Uid) == os.Geteuid()
}
