package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"os"
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
	freelistFlag = 0x10
)

// meta is what a meta page says.
type meta struct {
	pageSize             uint32
	root, freelist, size uint64 // pages
	txid                 uint64
}

// inspect looks at a file before it is mapped: reading a mapped file past its end kills the process, and
// bbolt panics at a freelist that is none, some of it in goroutines of its own. It opens the file for reading
// only and takes no lock: a running owner never makes the file shorter than its meta page says, but it may
// reuse a page that is being looked at. half: one of the two meta pages is damaged.
func inspect(path string) (half bool, err error) {
	info, err := os.Stat(path) // before opening: a named pipe would wait for its other end
	if err != nil {
		return false, err
	}
	if !info.Mode().IsRegular() {
		return false, fmt.Errorf("%w: %s is not a regular file", ErrNotOurs, path)
	}
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	m, intact := newestMeta(f)
	if intact == 0 {
		return false, fmt.Errorf("%w: %s", beginning(f, info.Size()), path)
	}
	if need := int64(m.size) * int64(m.pageSize); m.size > 1<<40 || info.Size() < need {
		return false, fmt.Errorf("%w: %s has %d bytes of %d", ErrTruncated, path, info.Size(), need)
	}
	if m.freelist == 1<<64-1 { // ours always have one; bbolt would write it out at once, whoever's the file is
		return false, fmt.Errorf("%w: %s", ErrNotOurs, path)
	}
	if !m.rootFits(f) || !m.freelistFits(f) {
		if now, _ := newestMeta(f); now != m {
			return false, fmt.Errorf("%w: %s", ErrLocked, path)
		}
		return false, fmt.Errorf("%w: %s: its first pages make no sense", ErrDamaged, path)
	}
	return intact == 1, nil
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

// newestMeta gives the newer of the intact meta pages, and how many are.
func newestMeta(f io.ReaderAt) (newest meta, intact int) {
	try := func(offset int64) {
		m, ok := readMeta(f, offset)
		if !ok || (offset > 0 && int64(m.pageSize) != offset) {
			return
		}
		if intact++; intact == 1 || m.txid > newest.txid {
			newest = m
		}
	}
	try(0)
	for size := int64(leastPage); size <= mostPage; size <<= 1 {
		try(size)
	}
	return newest, intact
}

func readMeta(f io.ReaderAt, offset int64) (m meta, ok bool) {
	var b [metaLength]byte
	if _, err := f.ReadAt(b[:], offset+headerLength); err != nil {
		return m, false
	}
	sum := fnv.New64a()
	_, _ = sum.Write(b[:56])
	le := binary.LittleEndian
	m = meta{
		pageSize: le.Uint32(b[8:]), root: le.Uint64(b[16:]), freelist: le.Uint64(b[32:]), size: le.Uint64(b[40:]), txid: le.Uint64(b[48:]),
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
