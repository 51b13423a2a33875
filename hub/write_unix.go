//go:build unix

package hub

import "syscall"

// rawConn gives access to the connection's descriptor, which Go keeps in
// non-blocking mode.
func rawConn(c syscall.Conn) syscall.RawConn {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// once writes what the kernel takes now and reports that it is done, so that
// the runtime does not wait for more room.
func (a *attempt) once(fd uintptr) bool {
	for {
		n, err := syscall.Write(int(fd), a.data)
		switch err {
		case nil:
			a.n = n
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
		default:
			a.err = err
		}
		return true
	}
}
