package store

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"slices"
	"time"
)

// The layout of bbolt's two meta pages (format version 2): 16 bytes of page header (id, flags, count,
// overflow), then magic, version, page size, flags, root (page and sequence), freelist, number of pages,
// transaction id and an FNV-1a checksum of what precedes.
const (
	boltMagic    = 0xED0CDAED
	boltVersion  = 2
	headerLength = 16
	metaLength   = 64
	leastPage    = 1 << 10
	mostPage     = 1 << 16
	metaFlag     = 0x04
	freelistFlag = 0x10

	lockPatience = time.Second
	lockPause    = 50 * time.Millisecond
)

// meta is what a meta page says.
type meta struct {
	pageSize             uint32
	root, freelist, size uint64 // pages
	sequence             uint64 // of the root, which uses none
	txid                 uint64
}

// noFreelist stands for the freelist's page where there is none: the file was not closed, or is a copy of one
// that was open.
const noFreelist = 1<<64 - 1

// look is what inspect saw.
type look struct {
	half  bool // one of the two meta pages is damaged
	clean bool // the file was closed: its list of free pages lies in it
}

// inspect looks at a file before it is mapped: reading a mapped file past its end kills the process, and
// bbolt panics at pages that make no sense, some of it in goroutines of its own. It opens the file for reading
// only. A file that was closed is looked at in its first pages alone and without a lock: a running owner never
// makes the file shorter than its meta page says, but it may reuse a page that is being looked at. Of one that
// was not closed bbolt reads every page while it opens it, so all of them are checked first, and its owner, if
// it has one, is found by the lock.
func inspect(path string) (look, error) {
	f, err := openRegular(path)
	if err != nil {
		return look{}, err
	}
	defer f.Close()
	if _, l, err := judge(path, f); err != nil || l.clean {
		return l, err
	}
	if err := lockShared(path, f); err != nil {
		return look{}, err
	}
	defer releaseShared(f)
	m, l, err := judge(path, f)
	if err != nil || l.clean { // its owner may have closed it just now
		return l, err
	}
	if err := m.whole(f, nil); err != nil {
		return l, fmt.Errorf("%w: %s", err, path)
	}
	return l, nil
}

// openRegular opens a file for reading.
func openRegular(path string) (*os.File, error) {
	info, err := os.Stat(path) // before opening: a named pipe would wait for its other end
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %s is not a regular file", ErrNotOurs, path)
	}
	return os.Open(path)
}

// judge looks at the file's first pages.
func judge(path string, f *os.File) (m meta, l look, err error) {
	info, err := f.Stat()
	if err != nil {
		return m, l, err
	}
	states := metas(f)
	if len(states) == 0 {
		return m, l, fmt.Errorf("%w: %s", beginning(f, info.Size()), path)
	}
	m = states[0]
	l = look{half: len(states) == 1, clean: m.freelist != noFreelist}
	if !m.fits(info.Size()) {
		return m, l, fmt.Errorf("%w: %s has %d bytes of %d", ErrTruncated, path, info.Size(), m.bytes())
	}
	if !m.rootFits(f) || (l.clean && !m.freelistFits(f)) {
		if now := metas(f); len(now) == 0 || now[0] != m {
			return m, l, fmt.Errorf("%w: %s", ErrLocked, path)
		}
		return m, l, fmt.Errorf("%w: %s: its first pages make no sense", ErrDamaged, path)
	}
	return m, l, nil
}

// lockShared waits for a moment if another process has the file open: it may be about to end.
func lockShared(path string, f *os.File) error {
	for began := time.Now(); ; time.Sleep(lockPause) {
		ok, err := tryShared(f)
		if err != nil {
			return err
		}
		if ok {
			return nil
		}
		if time.Since(began) > lockPatience {
			return fmt.Errorf("%w: %s", ErrLocked, path)
		}
	}
}

// beginning judges a file without an intact meta page: empty or cut off in its first page, a bbolt file
// with both metas damaged, or something else.
func beginning(f io.ReaderAt, size int64) error {
	// Page 0, flags "meta", no count, no overflow, magic: all bbolt files begin so.
	first := []byte{0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0xED, 0xDA, 0x0C, 0xED}
	b := make([]byte, len(first))
	n, _ := f.ReadAt(b, 0)
	switch {
	case !bytes.Equal(b[:n], first[:n]):
		return ErrNotOurs
	case size < headerLength+metaLength:
		return ErrTruncated
	}
	return ErrDamaged
}

// metas gives the intact meta pages, the newest first. Each is the root of one state of the file; the second
// is the state before the last commit, whose pages are not yet used anew.
func metas(f io.ReaderAt) []meta {
	var found []meta
	try := func(offset int64) {
		m, ok := readMeta(f, offset)
		if ok && (offset == 0 || int64(m.pageSize) == offset) {
			found = append(found, m)
		}
	}
	try(0)
	for size := int64(leastPage); size <= mostPage; size <<= 1 {
		try(size)
	}
	slices.SortStableFunc(found, func(a, b meta) int { return cmp.Compare(b.txid, a.txid) })
	return found
}

// bytes is how long a file with this state is at least.
func (m meta) bytes() int64 { return int64(m.size) * int64(m.pageSize) }

func (m meta) fits(size int64) bool { return m.size > 2 && m.size <= 1<<40 && m.bytes() <= size }

func readMeta(f io.ReaderAt, offset int64) (m meta, ok bool) {
	var b [metaLength]byte
	if _, err := f.ReadAt(b[:], offset+headerLength); err != nil {
		return m, false
	}
	sum := fnv.New64a()
	_, _ = sum.Write(b[:56])
	le := binary.LittleEndian
	m = meta{
		pageSize: le.Uint32(b[8:]), root: le.Uint64(b[16:]), sequence: le.Uint64(b[24:]),
		freelist: le.Uint64(b[32:]), size: le.Uint64(b[40:]), txid: le.Uint64(b[48:]),
	}
	ok = le.Uint32(b[0:]) == boltMagic && le.Uint32(b[4:]) == boltVersion && le.Uint64(b[56:]) == sum.Sum64()
	return m, ok && m.pageSize >= leastPage && m.pageSize <= mostPage && m.pageSize&(m.pageSize-1) == 0
}

// header reads a page's flags, count and overflow, if the page is where it should be.
func (m meta) header(f io.ReaderAt, page uint64) (flags, count uint16, overflow uint32, ok bool) {
	if page < 2 || page >= m.size {
		return 0, 0, 0, false
	}
	var b [headerLength]byte
	if _, err := f.ReadAt(b[:], int64(page)*int64(m.pageSize)); err != nil {
		return 0, 0, 0, false
	}
	le := binary.LittleEndian
	overflow = le.Uint32(b[12:])
	ok = le.Uint64(b[0:]) == page && page+uint64(overflow) < m.size
	return le.Uint16(b[8:]), le.Uint16(b[10:]), overflow, ok
}

func (m meta) rootFits(f io.ReaderAt) bool {
	flags, _, _, ok := m.header(f, m.root)
	return ok && (flags == branchFlag || flags == leafFlag)
}

func (m meta) freelistFits(f io.ReaderAt) bool {
	_, ok := m.free(f)
	return ok
}

// free reads the freelist; ok is that it names pages of the file, each once and in order.
func (m meta) free(f io.ReaderAt) (pages []uint64, ok bool) {
	flags, short, overflow, ok := m.header(f, m.freelist)
	if !ok || flags != freelistFlag {
		return nil, false
	}
	b := make([]byte, (int64(overflow)+1)*int64(m.pageSize)-headerLength)
	if _, err := f.ReadAt(b, int64(m.freelist)*int64(m.pageSize)+headerLength); err != nil {
		return nil, false
	}
	le := binary.LittleEndian
	count := uint64(short)
	if short == 0xFFFF { // the true count comes first
		count, b = le.Uint64(b), b[8:]
	}
	if count > uint64(len(b)/8) {
		return nil, false
	}
	pages = make([]uint64, count)
	last := uint64(1)
	for i := range pages {
		page := le.Uint64(b[8*i:])
		if page <= last || page >= m.size {
			return nil, false
		}
		pages[i], last = page, page
	}
	return pages, true
}
