//go:build unix

package config

import "golang.org/x/sys/unix"

// NoCores keeps the system from writing the process's memory, and with it the keys, to the disk when it crashes.
func NoCores() { _ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}) }
