package powercut

import (
	"os"
	"path/filepath"
)

// SectorSize is what a disk writes whole or not at all.
const SectorSize = 512

// Kind is what an Op does.
type Kind uint8

// The kinds of operations.
const (
	Write    Kind = iota + 1 // Data at At of File
	Resize                   // File becomes At bytes long
	Sync                     // all of File so far is on the disk
	SyncFail                 // a sync of File failed: what was not on the disk may never be
	Link                     // Name is File, replacing what had the name
	Unlink                   // Name goes
	Rename                   // Name becomes To, in one piece
	SyncDir                  // all names so far are on the disk
	Note                     // Data was written to the notes: it is no change, but it has its place in the order
)

// Op is one thing that happened to a folder of a Disk.
type Op struct {
	Kind     Kind
	File     int
	At       int64
	Data     []byte
	Name, To string
}

// Platter is what a folder's record has come to.
type Platter struct {
	ops   int
	files map[int]*file
	synced,
	names map[string]int // on the disk; as the program sees it
	renames []renaming // not on the disk for certain
}

type renaming struct {
	op int
	Op
}

// file is a file's length and sectors, each with all that may be on the disk.
type file struct {
	size    cell[int64]
	sectors []cell[[]byte]
}

// cell is a piece of the disk: what it held for certain, and what was written over that without a sync since.
type cell[T any] struct {
	synced T
	later  []version[T]
	doubt  bool // a sync of the last of them failed
}

type version[T any] struct {
	op    int
	value T
}

func (c *cell[T]) last() T {
	if n := len(c.later); n > 0 {
		return c.later[n-1].value
	}
	return c.synced
}

func (c *cell[T]) write(op int, v T) {
	c.later, c.doubt = append(c.later, version[T]{op, v}), false
}

func (c *cell[T]) sync(ok bool) {
	switch {
	case len(c.later) == 0 || c.doubt: // of what failed once, a later sync writes nothing
	case ok:
		c.synced, c.later = c.last(), nil
	default:
		c.doubt = true
	}
}

// NewPlatter is an empty folder.
func NewPlatter() *Platter {
	return &Platter{files: map[int]*file{}, synced: map[string]int{}, names: map[string]int{}}
}

// Apply goes on by one operation.
func (p *Platter) Apply(op Op) {
	p.ops++
	f := p.files[op.File]
	if f == nil {
		f = &file{}
		p.files[op.File] = f
	}
	switch op.Kind {
	case Write:
		f.write(p.ops, op.At, op.Data)
	case Resize:
		f.resize(p.ops, op.At)
	case Sync, SyncFail:
		f.sync(op.Kind == Sync)
	case Link, Unlink, Rename:
		p.renames = append(p.renames, renaming{p.ops, op})
		rename(p.names, op)
	case SyncDir:
		p.renames = nil
		p.synced = map[string]int{}
		for name, id := range p.names {
			p.synced[name] = id
		}
	}
}

func rename(names map[string]int, op Op) {
	switch op.Kind {
	case Link:
		names[op.Name] = op.File
	case Unlink:
		delete(names, op.Name)
	case Rename:
		if id, ok := names[op.Name]; ok {
			delete(names, op.Name)
			names[op.To] = id
		}
	}
}

// sync also makes the file as long as what it brings to the disk needs (POSIX fdatasync), even after a sync that
// failed to make it so.
func (f *file) sync(ok bool) {
	f.size.sync(ok)
	for i := range f.sectors {
		c := &f.sectors[i]
		if ok && len(c.later) > 0 && !c.doubt && c.last() != nil {
			f.size.synced = max(f.size.synced, min(int64(i+1)*SectorSize, f.size.last()))
		}
		c.sync(ok)
	}
}

func (f *file) reach(size int64) {
	for int64(len(f.sectors))*SectorSize < size {
		f.sectors = append(f.sectors, cell[[]byte]{})
	}
}

func (f *file) write(op int, at int64, data []byte) {
	end := at + int64(len(data))
	f.reach(end)
	for from := at; from < end; {
		n := from / SectorSize
		to := min(end, (n+1)*SectorSize)
		sector := make([]byte, SectorSize)
		copy(sector, f.sectors[n].last())
		copy(sector[from-n*SectorSize:], data[from-at:to-at])
		f.sectors[n].write(op, sector)
		from = to
	}
	if end > f.size.last() {
		f.size.write(op, end)
	}
}

// resize cuts or lengthens; what lies beyond a cut reads as zeros if the file grows again.
func (f *file) resize(op int, size int64) {
	f.reach(size)
	for n := (size + SectorSize - 1) / SectorSize; n < int64(len(f.sectors)); n++ {
		f.sectors[n].write(op, nil)
	}
	if rest := size % SectorSize; rest != 0 {
		sector := make([]byte, SectorSize)
		copy(sector, f.sectors[size/SectorSize].last()[:min(int(rest), len(f.sectors[size/SectorSize].last()))])
		f.sectors[size/SectorSize].write(op, sector)
	}
	f.size.write(op, size)
}

// Loss decides what is lost of all that was not synced.
type Loss struct {
	Seed uint64
	Keep float64 // the share of it that reached the disk
	Tear bool    // each sector for itself; otherwise each write as one piece
}

// kept says whether an operation's change, or its sector n, reached the disk.
func (l Loss) kept(op, file, n int) bool {
	if !l.Tear {
		file, n = 0, 0
	}
	h := l.Seed
	for _, v := range []int{op, file, n} {
		h = mix(h ^ mix(uint64(v)))
	}
	return float64(h>>11)/(1<<53) < l.Keep
}

// mix is splitmix64: the same seed loses the same on every machine.
func mix(x uint64) uint64 {
	x += 0x9E3779B97F4A7C15
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	return x ^ x>>31
}

func choose[T any](c *cell[T], l Loss, file, n int) T {
	for i := len(c.later) - 1; i >= 0; i-- {
		if l.kept(c.later[i].op, file, n) {
			return c.later[i].value
		}
	}
	return c.synced
}

// Write lays into dir what the disk holds after such a loss.
func (p *Platter) Write(dir string, l Loss) error {
	names := map[string]int{}
	for name, id := range p.synced {
		names[name] = id
	}
	for _, r := range p.renames {
		if l.kept(r.op, 0, 0) {
			rename(names, r.Op)
		}
	}
	for name, id := range names {
		if err := os.WriteFile(filepath.Join(dir, name), p.files[id].content(id, l), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (f *file) content(id int, l Loss) []byte {
	size := choose(&f.size, l, id, -1)
	f.reach(size)
	b := make([]byte, int64(len(f.sectors))*SectorSize)
	for n := range f.sectors {
		copy(b[n*SectorSize:], choose(&f.sectors[n], l, id, n))
	}
	return b[:size]
}
