package config

import "golang.org/x/sys/windows"

// NoCores keeps the system from writing the process's memory, and with it the keys, to the disk when it crashes.
func NoCores() { windows.SetErrorMode(windows.SEM_FAILCRITICALERRORS | windows.SEM_NOGPFAULTERRORBOX) }
