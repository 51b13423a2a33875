package store

import (
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

// What a disk without room answers.
var fullErrors = []error{windows.ERROR_DISK_FULL, windows.ERROR_HANDLE_DISK_FULL}

// diskRoom is how many bytes the disk of a folder still takes, and how large it is.
func diskRoom(dir string) (free, all int64, err error) {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, 0, err
	}
	var f, a uint64
	if err := windows.GetDiskFreeSpaceEx(name, &f, &a, nil); err != nil {
		return 0, 0, err
	}
	return int64(min(f, 1<<62)), int64(min(a, 1<<62)), nil
}

// allocated is a file's length: Windows gives a file its room when it is made longer.
func allocated(info fs.FileInfo) int64 { return info.Size() }

// allocate makes f so long with room of its own on the disk, or fails.
func allocate(f *os.File, size int64) error { return f.Truncate(size) }
