package powercut

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// NotesName is the file of a folder in which a program notes what it was promised. It is no part of the disk: it
// loses nothing, and what is written to it stands in the record between the other operations as a Note.
const NotesName = "notes"

// Disk is a mounted disk. Its folders are independent of each other.
type Disk struct {
	root *root
	dir  string
}

// Folder is one folder of a Disk.
type Folder struct {
	mu             sync.Mutex
	path           string
	ops            []Op
	files          int
	fault          Fault
	changes, syncs int
	faultAt        int // how much was recorded when the fault came
	awaited        int
	reached        chan struct{}
}

// Fault makes one call of a folder fail: the n-th change (a write, a new length or name) or the n-th sync, both
// counted from 1. A write that fails leaves a part of itself behind.
type Fault struct {
	Change, Sync int
	Err          syscall.Errno
}

// Mount mounts a new disk until the end of the test. A machine that cannot fails the test: it needs /dev/fuse, and
// root or the program fusermount3.
func Mount(t testing.TB) *Disk {
	t.Helper()
	if _, err := os.Stat("/dev/fuse"); err != nil {
		t.Fatalf("the device /dev/fuse is missing (modprobe fuse; in a container: --device /dev/fuse --cap-add SYS_ADMIN): %v", err)
	}
	dir := t.TempDir()
	long := time.Hour // nobody but the kernel changes the files
	r := &root{}
	server, err := fs.Mount(dir, r, &fs.Options{
		EntryTimeout: &long, AttrTimeout: &long,
		MountOptions: fuse.MountOptions{
			DirectMount: true, FsName: "powercut", Name: "powercut", DisableXAttrs: true, ExplicitDataCacheControl: true,
		},
	})
	if err != nil {
		t.Fatalf("FUSE could not be mounted: it takes root, or the program fusermount3 (Debian package fuse3): %v", err)
	}
	t.Cleanup(func() {
		if err := server.Unmount(); err != nil {
			_ = syscall.Unmount(dir, syscall.MNT_DETACH)
			t.Errorf("unmount: %v", err)
		}
	})
	return &Disk{root: r, dir: dir}
}

// Folder makes a folder in which f happens, and nothing fails for a zero f.
func (d *Disk) Folder(name string, f Fault) *Folder {
	folder := &Folder{path: filepath.Join(d.dir, name), fault: f}
	node := d.root.NewPersistentInode(context.Background(), &dirNode{folder: folder}, fs.StableAttr{Mode: syscall.S_IFDIR})
	d.root.AddChild(name, node, true)
	return folder
}

// Drop forgets a folder that no program uses any more.
func (d *Disk) Drop(f *Folder) {
	if node := d.root.GetChild(filepath.Base(f.path)); node != nil {
		node.RmAllChildren()
		node.ForgetPersistent()
	}
	d.root.RmChild(filepath.Base(f.path))
}

// Path is where the folder is mounted.
func (f *Folder) Path() string { return f.path }

// Record gives what happened so far.
func (f *Folder) Record() []Op {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.ops)
}

// Counts gives how many changes and syncs were asked for.
func (f *Folder) Counts() (changes, syncs int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changes, f.syncs
}

// FaultAt gives the place in the record at which the fault came.
func (f *Folder) FaultAt() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.faultAt
}

// Reached is closed when the program has asked for n changes. One number at a time can be waited for.
func (f *Folder) Reached(n int) <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.awaited, f.reached = n, make(chan struct{})
	if f.changes >= n {
		close(f.reached)
	}
	return f.reached
}

// String says where a fault is.
func (f Fault) String() string {
	if f.Sync > 0 {
		return fmt.Sprintf("sync %d: %v", f.Sync, f.Err)
	}
	return fmt.Sprintf("change %d: %v", f.Change, f.Err)
}

// change counts a change and says how it ends; the caller holds the lock.
func (f *Folder) change() syscall.Errno {
	if f.changes++; f.changes == f.awaited {
		close(f.reached)
	}
	if f.changes == f.fault.Change {
		f.faultAt = len(f.ops)
		return f.fault.Err
	}
	return 0
}

func (f *Folder) sync(op Op, failed Kind) syscall.Errno {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.syncs++; f.syncs == f.fault.Sync {
		f.faultAt = len(f.ops)
		if failed != 0 {
			op.Kind = failed
			f.ops = append(f.ops, op)
		}
		return f.fault.Err
	}
	f.ops = append(f.ops, op)
	return 0
}

// do records op unless the change fails.
func (f *Folder) do(op Op) syscall.Errno {
	f.mu.Lock()
	defer f.mu.Unlock()
	if errno := f.change(); errno != 0 {
		return errno
	}
	f.ops = append(f.ops, op)
	return 0
}
