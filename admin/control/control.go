// Package control is the line between the command line and a running appliance: HTTP over a Unix socket that
// lies in the data folder (Windows 10 and later have them too). Whoever may open the socket may give orders,
// so it is its owner's alone: mode 0600.
//
// A socket's path is short by nature (108 bytes on Linux, 104 on macOS). Where the data folder's is too long
// the socket lies in a folder of its own under the system's folder for such things, and a file in the data
// folder says where.
package control

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	socketName = "control.sock"
	recordName = "control.path"
	pathMost   = 100 // bytes; the shortest limit of all systems is 104
)

// ErrNobody is the answer of Dial where no appliance listens.
var ErrNobody = errors.New("control: no appliance listens there")

// Line is the listening end.
type Line struct {
	server *http.Server
	socket string
	record string
	done   chan struct{}
}

// Listen opens the line of the appliance whose data folder is given and answers with handler. The caller
// must hold the folder's file open: a socket that is there already was left by a process that is gone.
func Listen(data string, handler http.Handler) (*Line, error) {
	l := &Line{socket: filepath.Join(data, socketName), record: filepath.Join(data, recordName), done: make(chan struct{})}
	if err := removeAll(l.socket, l.record); err != nil {
		return nil, err
	}
	if len(l.socket) > pathMost {
		dir, err := shortFolder(data)
		if err != nil {
			return nil, err
		}
		l.socket = filepath.Join(dir, socketName)
		if err := removeAll(l.socket); err != nil {
			return nil, err
		}
	}
	listener, err := net.Listen("unix", l.socket)
	if err != nil {
		return nil, err
	}
	err = os.Chmod(l.socket, 0o600)
	if err == nil && filepath.Dir(l.socket) != data {
		err = os.WriteFile(l.record, []byte(l.socket), 0o600)
	}
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	// No time limit on answers: a backup takes as long as it takes.
	l.server = &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 16 << 10}
	go func() {
		defer close(l.done)
		_ = l.server.Serve(listener) // it ends by Close alone
	}()
	return l, nil
}

// Path is where the socket lies.
func (l *Line) Path() string { return l.socket }

// Close ends the line. Calls under way are cut off when ctx ends.
func (l *Line) Close(ctx context.Context) error {
	err := l.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, l.server.Close())
	}
	<-l.done
	return errors.Join(err, removeAll(l.socket, l.record))
}

func removeAll(paths ...string) error {
	for _, path := range paths {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// shortFolder makes the folder that stands in for a data folder with a long path, named by its hash. One that
// is there already is taken only if nobody else can have prepared it.
func shortFolder(data string) (string, error) {
	sum := sha256.Sum256([]byte(data))
	parent := os.Getenv("XDG_RUNTIME_DIR")
	if parent == "" {
		parent = os.TempDir()
	}
	dir := filepath.Join(parent, "goldfish-"+hex.EncodeToString(sum[:8]))
	err := os.Mkdir(dir, 0o700)
	if errors.Is(err, fs.ErrExist) {
		if info, serr := os.Lstat(dir); serr != nil || !ownFolder(info) {
			return os.MkdirTemp(parent, "goldfish-")
		}
		err = nil
	}
	return dir, err
}

// Client calls a running appliance: its http.Client reaches it whatever host a URL names.
type Client struct {
	http.Client
	Path string // the socket's
}

// Dial finds the running appliance of a data folder, or ErrNobody. The socket of a process that is gone is
// nobody's.
func Dial(ctx context.Context, data string) (*Client, error) {
	path := filepath.Join(data, socketName)
	record, err := os.ReadFile(filepath.Join(data, recordName))
	switch {
	case err == nil:
		path = strings.TrimSpace(string(record))
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	if _, err := os.Lstat(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, ErrNobody
		}
		return nil, err
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		if errors.Is(err, fs.ErrPermission) || ctx.Err() != nil {
			return nil, err
		}
		return nil, ErrNobody
	}
	if err := conn.Close(); err != nil {
		return nil, err
	}
	c := &Client{Path: path}
	c.Transport = &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return d.DialContext(ctx, "unix", path)
		},
	}
	return c, nil
}
