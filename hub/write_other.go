//go:build !unix

package hub

import "syscall"

// rawConn returns nil: overlapped sockets cannot be tried without waiting, so
// every write is left to a goroutine.
func rawConn(syscall.Conn) syscall.RawConn { return nil }

func (a *attempt) once(uintptr) bool { return true }
