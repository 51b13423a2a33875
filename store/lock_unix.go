//go:build unix

package store

import (
	"errors"
	"os"
	"syscall"
)

// tryShared takes the lock that bbolt knows, together with other readers; false says that a writer has it.
func tryShared(f *os.File) (bool, error) {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

func releaseShared(f *os.File) { _ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }

// sameOwner gives path the owner that info names: whoever compacts the file must not take it away from the
// account under which it is served.
func sameOwner(path string, info os.FileInfo) error {
	want, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	is, err := os.Stat(path)
	if err != nil {
		return err
	}
	if s, ok := is.Sys().(*syscall.Stat_t); ok && s.Uid == want.Uid && s.Gid == want.Gid {
		return nil
	}
	return os.Chown(path, int(want.Uid), int(want.Gid))
}
