package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// A large map is only address space on 64-bit Unix and spares re-mapping under readers: it takes no memory,
// counts towards no container's limit, and a limit on address space itself (ulimit -v) is met by falling back to
// a small map. On Windows it would become the file's size at once.
const mapBytes = 1 << 30

// openBolt opens a file that inspect has passed, and writes nothing to it. bbolt's statistics are off: readers
// queue for their lock, and a cached read takes a quarter less time without. The list of free pages is not
// written by the commits: it would be as long as what is kept for copies.
func openBolt(path string, opts *Options) (*body, error) {
	o := &bolt.Options{
		Timeout: time.Second, FreelistType: bolt.FreelistArrayType, NoStatistics: true, NoFreelistSync: !opts.listFree,
		ReadOnly: opts.ReadOnly, InitialMmapSize: opts.mapBytes,
	}
	if o.InitialMmapSize == 0 && runtime.GOOS != "windows" && !opts.ReadOnly {
		o.InitialMmapSize = mapBytes
	}
	bdb, f, err := mapped(path, o)
	if errors.Is(err, syscall.ENOMEM) {
		o.InitialMmapSize = 0
		bdb, f, err = mapped(path, o)
	}
	switch {
	case err == nil:
		b := &body{bolt: bdb, file: f, mapped: o.InitialMmapSize, idle: make(chan struct{}, 1)}
		b.stock()
		return b, stillAt(path, bdb, f)
	case errors.Is(err, berrors.ErrTimeout):
		err = fmt.Errorf("%w: %s", ErrLocked, path)
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum), errors.Is(err, berrors.ErrVersionMismatch):
		err = fmt.Errorf("%w: %s: %w", ErrDamaged, path, err)
	}
	return nil, err
}

// stillAt closes a file that lost its name while its lock was waited for: its owner has compacted it, and owns
// the file that has the name now.
func stillAt(path string, bdb *bolt.DB, f *os.File) error {
	is, err := f.Stat()
	if err == nil {
		var now os.FileInfo
		if now, err = os.Stat(path); err == nil && os.SameFile(is, now) {
			return nil
		}
	}
	return errors.Join(fmt.Errorf("%w: %s", ErrLocked, path), err, bdb.Close())
}

// mapped is bolt.Open, except that it makes no file, that it gives the open file too, which is bbolt's to
// close, and that a panic over a damaged one becomes an error and leaves neither file nor lock behind.
func mapped(path string, o *bolt.Options) (bdb *bolt.DB, f *os.File, err error) {
	o.OpenFile = func(name string, flag int, mode os.FileMode) (*os.File, error) {
		var err error
		f, err = os.OpenFile(name, flag&^os.O_CREATE, mode)
		return f, err
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			_ = f.Close()
			bdb, err = nil, fmt.Errorf("%w: %s: %v", ErrDamaged, path, p)
		}
	}()
	bdb, err = bolt.Open(path, 0o600, o)
	return bdb, f, err
}

// caught is deferred around work on the mapped file. A panic that a damaged file caused, inside bbolt or by
// an address that is not there, becomes ErrDamaged; any other goes on.
func (db *DB) caught(err *error) {
	p := recover()
	if p == nil {
		return
	}
	if _, fault := p.(interface{ Addr() uintptr }); !fault && !raisedInBolt() {
		panic(p)
	}
	db.opts.Log.Error("the file is damaged", "panic", p, "stack", string(debug.Stack()))
	*err = fmt.Errorf("%w: %v", ErrDamaged, p)
}

// raisedInBolt looks for who called panic. It works only in a function called by the deferred one.
func raisedInBolt() bool {
	var pcs [16]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	for {
		f, more := frames.Next()
		if !strings.HasPrefix(f.Function, "runtime.") {
			return strings.HasPrefix(f.Function, "go.etcd.io/bbolt")
		}
		if !more {
			return false
		}
	}
}

// publish gives the file tmp its name for good, unless another has it by now: that one is not touched, and
// the error is fs.ErrExist. A power cut leaves the whole file under the name, or none.
func publish(tmp, path string) error {
	err := os.Link(tmp, path)
	switch {
	case err == nil:
		_ = os.Remove(tmp)
	case errors.Is(err, fs.ErrExist):
		_ = os.Remove(tmp)
		return err
	default: // a file system without links
		if _, err := os.Lstat(path); err == nil {
			_ = os.Remove(tmp)
			return &fs.PathError{Op: "publish", Path: path, Err: fs.ErrExist}
		}
		if err := os.Rename(tmp, path); err != nil {
			_ = os.Remove(tmp)
			return err
		}
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes a new name in dir durable. Windows has no such call and needs none; some network file
// systems refuse it.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(filepath.Clean(dir))
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}

// scratch makes an empty file beside path for a copy that publish will name.
func scratch(path, kind string) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+"."+kind+"-*")
	if err != nil {
		return "", err
	}
	return f.Name(), f.Close()
}
