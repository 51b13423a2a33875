package store

import (
	"os"

	"golang.org/x/sys/unix"
)

// allocate makes f so long with room of its own on the disk, or fails.
func allocate(f *os.File, size int64) error { return unix.Fallocate(int(f.Fd()), 0, 0, size) }
