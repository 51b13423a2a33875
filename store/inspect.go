package store

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"os"
)

// The layout of bbolt's two meta pages (format version 2): 16 bytes of page header, then magic, version,
// page size, flags, root, freelist, number of pages, transaction id and an FNV-1a checksum of what precedes.
const (
	boltMagic   = 0xED0CDAED
	boltVersion = 2
	metaOffset  = 16
	metaLength  = 64
)

// inspect looks at a file before it is mapped: reading a mapped file past its end kills the process, so a
// truncated one must be told from its first pages. It opens the file for reading only.
func inspect(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%w: %s is not a regular file", ErrNotOurs, path)
	}
	if info.Size() == 0 {
		return fmt.Errorf("%w: %s is empty", ErrTruncated, path)
	}
	pages, size, found := newestMeta(f)
	if !found {
		if info.Size() < 2*int64(os.Getpagesize()) && looksLikeBolt(f) {
			return fmt.Errorf("%w: %s", ErrTruncated, path)
		}
		return fmt.Errorf("%w: %s", ErrNotOurs, path)
	}
	if need := int64(pages) * int64(size); info.Size() < need {
		return fmt.Errorf("%w: %s has %d bytes of %d", ErrTruncated, path, info.Size(), need)
	}
	return nil
}

// newestMeta gives the number of pages and their size by the newer of the intact meta pages.
func newestMeta(f io.ReaderAt) (pages uint64, pageSize uint32, found bool) {
	var newest uint64
	try := func(offset int64) {
		var b [metaLength]byte
		if _, err := f.ReadAt(b[:], offset+metaOffset); err != nil {
			return
		}
		sum := fnv.New64a()
		_, _ = sum.Write(b[:56])
		le := binary.LittleEndian
		if le.Uint32(b[0:]) != boltMagic || le.Uint32(b[4:]) != boltVersion || le.Uint64(b[56:]) != sum.Sum64() {
			return
		}
		if txid := le.Uint64(b[48:]); !found || txid > newest {
			newest, pages, pageSize, found = txid, le.Uint64(b[40:]), le.Uint32(b[8:]), true
		}
	}
	try(0)
	for size := int64(1024); size <= 1<<16; size <<= 1 {
		try(size)
	}
	return pages, pageSize, found
}

func looksLikeBolt(f io.ReaderAt) bool {
	var b [4]byte
	_, err := f.ReadAt(b[:], metaOffset)
	return err == nil && binary.LittleEndian.Uint32(b[:]) == boltMagic
}
