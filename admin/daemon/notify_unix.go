//go:build unix

package daemon

import (
	"net"
	"os"
)

// notify tells systemd a state, as sd_notify(3) does. Without NOTIFY_SOCKET
// nobody asked, and nothing is done.
func notify(state string) error {
	name := os.Getenv("NOTIFY_SOCKET")
	if name == "" {
		return nil
	}
	// A leading @ stands for the abstract name space; net reads it the same way.
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.Write([]byte(state))
	return err
}

// controlled is false: systemd and launchd want nothing but a process that obeys
// signals.
func controlled() bool { return false }

func runControlled(string, Serve) error { return ErrUnsupported }

// replaceProgram puts a new executable in the place of one that may be running.
func replaceProgram(fresh, to string) error { return os.Rename(fresh, to) }
