package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// bbolt's page elements: a branch's is position, key length and page; a leaf's is flags, position, key length
// and value length. The position counts from the element itself. A bucket's value is its root page and its
// sequence, and, if the root is 0, the one page of the bucket itself.
const (
	elementLength = 16
	bucketHeader  = 16
	bucketElement = 0x01
	branchFlag    = 0x01
	leafFlag      = 0x02
	deepest       = 64
)

// structure checks bbolt's pages as of one state of the file. bbolt's own check must not run beside a writer,
// and a wild page number takes the process down with it; this one reads the file instead of the map, looks at
// no page twice and goes no deeper than any tree is.
type structure struct {
	f      io.ReaderAt
	m      meta
	used   []bool // pages that something refers to
	enough int    // faults after which the rest is not looked at
	found  int
	report func(error)
	value  func(bucket, key, value []byte) // if not nil, is given every value
	name   []byte                          // of the bucket whose tree is being walked
	pages  [deepest + 2][]byte             // one per depth, used again
}

// checkStructure reports pages that are used twice, at once used and free, or neither, and trees that are
// broken or out of order. It gives false, and reports nothing, if writers were quicker than it. While the file
// is written to, its free pages are not listed in it: then every page that nothing refers to is free.
func (tx *Tx) checkStructure(report func(error)) bool {
	m, ok := tx.metaPage()
	if !ok {
		return false
	}
	newStructure(tx.body.file, m, 100, report).walk()
	return true
}

// whole gives the first fault of a state, and meanwhile every value of its buckets, if value is not nil. A
// page list is not looked at: what is free follows from the trees.
func (m meta) whole(f io.ReaderAt, value func(bucket, key, value []byte)) (fault error) {
	readAhead(f, m.bytes())
	s := newStructure(f, m, 1, func(err error) { fault = err })
	s.value, s.m.freelist = value, noFreelist
	s.walk()
	return fault
}

// readAhead reads the file once from front to end. On a disk that is many times quicker than in the order of
// its trees, and afterwards the machine has it in memory.
func readAhead(f io.ReaderAt, size int64) {
	_, _ = io.CopyBuffer(io.Discard, onlyReader{io.NewSectionReader(f, 0, size)}, make([]byte, 1<<20))
}

// onlyReader hides the reader's own way of copying, which would use a smaller buffer.
type onlyReader struct{ io.Reader }

func newStructure(f io.ReaderAt, m meta, enough int, report func(error)) *structure {
	return &structure{f: f, m: m, used: make([]bool, m.size), enough: enough, report: report}
}

func (s *structure) walk() {
	s.used[0], s.used[1] = true, true
	s.tree(s.m.root, nil, nil, 0)
	if s.m.freelist == noFreelist {
		return
	}
	free, ok := s.m.free(s.f)
	if _, _, overflow, found := s.m.header(s.f, s.m.freelist); !ok || !found || !s.take(s.m.freelist, overflow) {
		s.fault(s.m.freelist, "is no freelist")
		return
	}
	for _, id := range free {
		s.take(id, 0)
	}
	for id, used := range s.used {
		if !used {
			s.fault(uint64(id), "is neither used nor free")
		}
	}
}

// metaPage is the meta page of the transaction's own state, which is overwritten by the second commit after
// it.
func (tx *Tx) metaPage() (meta, bool) {
	size := int64(tx.bolt.DB().Info().PageSize)
	for _, offset := range []int64{0, size} {
		if m, ok := readMeta(tx.body.file, offset); ok && m.txid == uint64(tx.bolt.ID()) {
			return m, true
		}
	}
	return meta{}, false
}

func (s *structure) fault(page uint64, what string, args ...any) {
	if s.found++; s.found <= s.enough {
		s.report(fmt.Errorf("%w: page %d %s", ErrDamaged, page, fmt.Sprintf(what, args...)))
	}
}

// take marks a page and those that it runs over into.
func (s *structure) take(id uint64, overflow uint32) bool {
	for p := id; p <= id+uint64(overflow); p++ {
		if p < 2 || p >= s.m.size || s.used[p] {
			s.fault(id, "reaches page %d, which is not its own", p)
			return false
		}
		s.used[p] = true
	}
	return true
}

// tree checks the page and all below it, whose keys are not less than least and less than beyond.
func (s *structure) tree(id uint64, least, beyond []byte, depth int) {
	if s.found >= s.enough {
		return
	}
	flags, count, overflow, ok := s.m.header(s.f, id)
	if !ok || depth > deepest {
		s.fault(id, "is not where it should be")
		return
	}
	if overflow > 0 && !s.filled(id, flags, count, overflow) {
		s.fault(id, "claims %d pages more and does not fill them", overflow)
		return
	}
	if !s.take(id, overflow) {
		return
	}
	page := s.page(depth, int(overflow)+1)
	if _, err := s.f.ReadAt(page, int64(id)*int64(s.m.pageSize)); err != nil {
		s.fault(id, "cannot be read: %v", err)
		return
	}
	s.elements(id, page, flags, count, least, beyond, depth)
}

// filled says whether a page that runs over into others needs them: its elements' heads tell how far they reach,
// and bbolt takes no page more than that (older versions one). So a page is read only if it is as long as it says.
func (s *structure) filled(id uint64, flags, count uint16, overflow uint32) bool {
	head := make([]byte, int(count)*elementLength)
	if _, err := s.f.ReadAt(head, int64(id)*int64(s.m.pageSize)+headerLength); err != nil {
		return false
	}
	le, end := binary.LittleEndian, uint64(0)
	for i := range int(count) {
		e := head[i*elementLength:]
		at, key, value := le.Uint32(e), le.Uint32(e[4:]), uint32(0)
		if flags == leafFlag {
			at, key, value = le.Uint32(e[4:]), le.Uint32(e[8:]), le.Uint32(e[12:])
		}
		end = max(end, uint64(headerLength+i*elementLength)+uint64(at)+uint64(key)+uint64(value))
	}
	return end > uint64(overflow-1)*uint64(s.m.pageSize)
}

// page gives room for a page of the depth. The keys of the pages above stay where they are.
func (s *structure) page(depth, pages int) []byte {
	n := pages * int(s.m.pageSize)
	if cap(s.pages[depth]) < n {
		s.pages[depth] = make([]byte, n)
	}
	return s.pages[depth][:n]
}

// elements checks a page's own elements, then what lies below them.
func (s *structure) elements(id uint64, page []byte, flags, count uint16, least, beyond []byte, depth int) {
	if flags != branchFlag && flags != leafFlag {
		s.fault(id, "is neither branch nor leaf")
		return
	}
	if headerLength+int(count)*elementLength > len(page) || (flags == branchFlag && count == 0) {
		s.fault(id, "cannot have %d elements", count)
		return
	}
	last, deeper := least, flags == branchFlag || s.value != nil
	for i := range int(count) {
		e, ok := elementAt(page, i, flags)
		if !ok {
			s.fault(id, "has element %d outside itself", i)
			return
		}
		if c := bytes.Compare(last, e.key); c > 0 || (c == 0 && i > 0) || (beyond != nil && bytes.Compare(e.key, beyond) >= 0) {
			s.fault(id, "is out of order at element %d", i)
		}
		last, deeper = e.key, deeper || e.bucket
	}
	if deeper {
		s.below(id, page, flags, int(count), beyond, depth)
	}
}

// below goes down from a page whose elements are in order.
func (s *structure) below(id uint64, page []byte, flags uint16, count int, beyond []byte, depth int) {
	for i := range count {
		e, _ := elementAt(page, i, flags)
		switch {
		case flags == branchFlag && i+1 < count:
			next, _ := elementAt(page, i+1, flags)
			s.tree(e.page, e.key, next.key, depth+1)
		case flags == branchFlag:
			s.tree(e.page, e.key, beyond, depth+1)
		case e.bucket:
			s.name = e.key
			s.bucket(id, e.value, depth)
		case s.value != nil:
			s.value(s.name, e.key, e.value)
		}
	}
}

// bucket checks the tree of a bucket, which may lie inside its value.
func (s *structure) bucket(id uint64, value []byte, depth int) {
	if len(value) < bucketHeader {
		s.fault(id, "has a bucket without a root")
		return
	}
	if root := binary.LittleEndian.Uint64(value); root != 0 {
		s.tree(root, nil, nil, depth+1)
		return
	}
	page := value[bucketHeader:]
	if len(page) < headerLength || depth > deepest {
		s.fault(id, "has a bucket without a page")
		return
	}
	le := binary.LittleEndian
	s.elements(id, page, le.Uint16(page[8:])&^branchFlag, le.Uint16(page[10:]), nil, nil, depth+1)
}

type element struct {
	key, value []byte
	page       uint64
	bucket     bool
}

// elementAt gives element i of a page, if it lies inside.
func elementAt(page []byte, i int, flags uint16) (e element, ok bool) {
	le := binary.LittleEndian
	at := headerLength + i*elementLength
	head := page[at : at+elementLength]
	position, keySize, valueSize := uint64(le.Uint32(head)), uint64(le.Uint32(head[4:])), uint64(0)
	if flags == leafFlag {
		e.bucket = le.Uint32(head)&bucketElement != 0
		position, keySize, valueSize = uint64(le.Uint32(head[4:])), uint64(le.Uint32(head[8:])), uint64(le.Uint32(head[12:]))
	} else {
		e.page = le.Uint64(head[8:])
	}
	from := uint64(at) + position
	if position < elementLength || from+keySize+valueSize > uint64(len(page)) {
		return e, false
	}
	e.key, e.value = page[from:from+keySize], page[from+keySize:from+keySize+valueSize]
	return e, true
}
