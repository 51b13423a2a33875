package powercut

import (
	"context"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// root is the mounted disk: it holds folders alone.
type root struct{ fs.Inode }

// Statfs tells of a disk with much room.
func (*root) Statfs(_ context.Context, out *fuse.StatfsOut) syscall.Errno {
	out.Bsize, out.Frsize, out.Blocks, out.Bfree, out.Bavail, out.NameLen = 4096, 4096, 1<<20, 1<<20, 1<<20, 255
	return 0
}

// dirNode is a folder.
type dirNode struct {
	fs.Inode
	folder *Folder
}

// Statfs is the root's.
func (*dirNode) Statfs(ctx context.Context, out *fuse.StatfsOut) syscall.Errno {
	return (*root)(nil).Statfs(ctx, out)
}

// Create makes a file.
func (d *dirNode) Create(
	ctx context.Context, name string, _, _ uint32, out *fuse.EntryOut,
) (node *fs.Inode, fh fs.FileHandle, fuseFlags uint32, errno syscall.Errno) {
	f := &fileNode{folder: d.folder, notes: name == NotesName}
	if !f.notes {
		d.folder.mu.Lock()
		d.folder.files++
		f.id = d.folder.files
		d.folder.mu.Unlock()
		if errno := d.folder.do(Op{Kind: Link, File: f.id, Name: name}); errno != 0 {
			return nil, nil, 0, errno
		}
	}
	out.Attr.Mode = syscall.S_IFREG | 0o600
	return d.NewPersistentInode(ctx, f, fs.StableAttr{Mode: syscall.S_IFREG}), nil, f.flags(), 0
}

// Link gives a file a second name.
func (d *dirNode) Link(_ context.Context, target fs.InodeEmbedder, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	f, ok := target.(*fileNode)
	if !ok {
		return nil, syscall.EPERM
	}
	f.attr(&out.Attr)
	return f.EmbeddedInode(), d.folder.do(Op{Kind: Link, File: f.id, Name: name})
}

// Unlink takes a name away.
func (d *dirNode) Unlink(_ context.Context, name string) syscall.Errno {
	return d.folder.do(Op{Kind: Unlink, Name: name})
}

// Rename gives a file another name in the same folder.
func (d *dirNode) Rename(_ context.Context, name string, to fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	if to.EmbeddedInode() != d.EmbeddedInode() || flags != 0 {
		return syscall.EXDEV
	}
	return d.folder.do(Op{Kind: Rename, Name: name, To: newName})
}

// Fsync brings the names to the disk.
func (d *dirNode) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	return d.folder.sync(Op{Kind: SyncDir}, 0)
}

// fileNode is a file. Its content is what the programs see, whatever the disk has of it.
type fileNode struct {
	fs.Inode
	folder *Folder
	id     int
	notes  bool
	data   []byte // under the folder's lock
}

func (f *fileNode) flags() uint32 {
	if f.notes {
		return fuse.FOPEN_DIRECT_IO
	}
	return 0
}

func (f *fileNode) attr(out *fuse.Attr) {
	f.folder.mu.Lock()
	defer f.folder.mu.Unlock()
	out.Mode, out.Size, out.Nlink = syscall.S_IFREG|0o600, uint64(len(f.data)), 1
}

// Getattr gives the length.
func (f *fileNode) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	f.attr(&out.Attr)
	return 0
}

// Open lets the kernel cache what it reads, so that files can be mapped.
func (f *fileNode) Open(context.Context, uint32) (fh fs.FileHandle, fuseFlags uint32, errno syscall.Errno) {
	return nil, f.flags(), 0
}

// Flush is a close, which brings nothing to the disk.
func (f *fileNode) Flush(context.Context, fs.FileHandle) syscall.Errno { return 0 }

// Read reads.
func (f *fileNode) Read(_ context.Context, _ fs.FileHandle, dest []byte, at int64) (fuse.ReadResult, syscall.Errno) {
	f.folder.mu.Lock()
	defer f.folder.mu.Unlock()
	at = min(at, int64(len(f.data)))
	return fuse.ReadResultData(append(dest[:0], f.data[at:min(int(at)+len(dest), len(f.data))]...)), 0
}

// Write writes, or a part of it.
func (f *fileNode) Write(_ context.Context, _ fs.FileHandle, data []byte, at int64) (uint32, syscall.Errno) {
	f.folder.mu.Lock()
	defer f.folder.mu.Unlock()
	if f.notes {
		f.folder.ops = append(f.folder.ops, Op{Kind: Note, Data: append([]byte(nil), data...)})
		f.data = append(f.data, data...)
		return uint32(len(data)), 0
	}
	errno := f.folder.change()
	if errno != 0 {
		data = data[:len(data)/2/SectorSize*SectorSize]
	}
	if len(data) > 0 {
		f.grow(at + int64(len(data)))
		copy(f.data[at:], data)
		f.folder.ops = append(f.folder.ops, Op{Kind: Write, File: f.id, At: at, Data: append([]byte(nil), data...)})
	}
	return uint32(len(data)), errno
}

func (f *fileNode) grow(size int64) {
	if more := size - int64(len(f.data)); more > 0 {
		f.data = append(f.data, make([]byte, more)...)
	}
}

// Setattr changes the length; modes and times are nobody's concern.
func (f *fileNode) Setattr(_ context.Context, _ fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	defer f.attr(&out.Attr)
	size, ok := in.GetSize()
	if !ok {
		return 0
	}
	f.folder.mu.Lock()
	defer f.folder.mu.Unlock()
	if errno := f.folder.change(); errno != 0 {
		return errno
	}
	f.folder.ops = append(f.folder.ops, Op{Kind: Resize, File: f.id, At: int64(size)})
	f.grow(int64(size))
	f.data = f.data[:size]
	return 0
}

// Allocate lengthens the file; room is not counted.
func (f *fileNode) Allocate(_ context.Context, _ fs.FileHandle, at, size uint64, _ uint32) syscall.Errno {
	f.folder.mu.Lock()
	defer f.folder.mu.Unlock()
	if errno := f.folder.change(); errno != 0 {
		return errno
	}
	if end := int64(at + size); end > int64(len(f.data)) {
		f.folder.ops = append(f.folder.ops, Op{Kind: Resize, File: f.id, At: end})
		f.grow(end)
	}
	return 0
}

// Fsync brings the file to the disk.
func (f *fileNode) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	if f.notes {
		return 0
	}
	return f.folder.sync(Op{Kind: Sync, File: f.id}, SyncFail)
}
