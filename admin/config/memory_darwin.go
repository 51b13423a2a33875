package config

import "golang.org/x/sys/unix"

// memory is the machine's, in bytes; 0 if that cannot be told.
func memory() int64 {
	n, err := unix.SysctlUint64("hw.memsize")
	if err != nil {
		return 0
	}
	return int64(n)
}
