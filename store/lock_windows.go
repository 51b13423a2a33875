package store

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// bbolt locks one byte at the end of the largest file.
func lockPlace() *windows.Overlapped {
	return &windows.Overlapped{Offset: 1<<32 - 1, OffsetHigh: 1<<32 - 1}
}

// tryShared takes the lock that bbolt knows, together with other readers; false says that a writer has it.
func tryShared(f *os.File) (bool, error) {
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, lockPlace())
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return false, nil
	}
	return err == nil, err
}

func releaseShared(f *os.File) {
	_ = windows.UnlockFileEx(windows.Handle(f.Fd()), 0, 1, 0, lockPlace())
}

// sameOwner does nothing: a new file takes over the access list of its folder.
func sameOwner(string, os.FileInfo) error { return nil }
