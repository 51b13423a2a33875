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

// structure checks bbolt's pages as of one transaction. bbolt's own check must not run beside a writer, and a
// wild page number takes the process down with it; this one reads the file instead of the map.
type structure struct {
	f      io.ReaderAt
	m      meta
	used   []bool // pages that something refers to
	report func(error)
}

// checkStructure reports pages that are used twice, at once used and free, or neither, and trees that are
// broken or out of order. It gives false, and reports nothing, if writers were quicker than it.
func (tx *Tx) checkStructure(report func(error)) bool {
	m, ok := tx.metaPage()
	if !ok {
		return false
	}
	s := &structure{f: tx.db.file, m: m, used: make([]bool, m.size), report: report}
	s.used[0], s.used[1] = true, true
	s.tree(m.root, nil, nil, 0)
	free, ok := m.free(s.f)
	if _, _, overflow, found := m.header(s.f, m.freelist); !ok || !found || !s.take(m.freelist, overflow) {
		s.fault(m.freelist, "is no freelist")
		return true
	}
	for _, id := range free {
		s.take(id, 0)
	}
	for id, used := range s.used {
		if !used {
			s.fault(uint64(id), "is neither used nor free")
		}
	}
	return true
}

// metaPage is the meta page of the transaction's own state, which is overwritten by the second commit after
// it.
func (tx *Tx) metaPage() (meta, bool) {
	size := int64(tx.bolt.DB().Info().PageSize)
	for _, offset := range []int64{0, size} {
		if m, ok := readMeta(tx.db.file, offset); ok && m.txid == uint64(tx.bolt.ID()) {
			return m, true
		}
	}
	return meta{}, false
}

func (s *structure) fault(page uint64, what string, args ...any) {
	s.report(fmt.Errorf("%w: page %d %s", ErrDamaged, page, fmt.Sprintf(what, args...)))
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
	flags, count, overflow, ok := s.m.header(s.f, id)
	if !ok || depth > deepest {
		s.fault(id, "is not where it should be")
		return
	}
	if !s.take(id, overflow) {
		return
	}
	page := make([]byte, (int64(overflow)+1)*int64(s.m.pageSize))
	if _, err := s.f.ReadAt(page, int64(id)*int64(s.m.pageSize)); err != nil {
		s.fault(id, "cannot be read: %v", err)
		return
	}
	s.elements(id, page, flags, count, least, beyond, depth)
}

func (s *structure) elements(id uint64, page []byte, flags, count uint16, least, beyond []byte, depth int) {
	if flags != branchFlag && flags != leafFlag {
		s.fault(id, "is neither branch nor leaf")
		return
	}
	if headerLength+int(count)*elementLength > len(page) || (flags == branchFlag && count == 0) {
		s.fault(id, "cannot have %d elements", count)
		return
	}
	elements := make([]element, count)
	for i := range elements {
		var ok bool
		if elements[i], ok = elementAt(page, headerLength+i*elementLength, flags); !ok {
			s.fault(id, "has element %d outside itself", i)
			return
		}
		key, last := elements[i].key, least
		if i > 0 {
			last = elements[i-1].key
		}
		if c := bytes.Compare(last, key); c > 0 || (c == 0 && i > 0) || (beyond != nil && bytes.Compare(key, beyond) >= 0) {
			s.fault(id, "is out of order at element %d", i)
		}
	}
	for i, e := range elements {
		switch {
		case flags == branchFlag && i+1 < len(elements):
			s.tree(e.page, e.key, elements[i+1].key, depth+1)
		case flags == branchFlag:
			s.tree(e.page, e.key, beyond, depth+1)
		case e.bucket:
			s.bucket(id, e.value, depth)
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

func elementAt(page []byte, at int, flags uint16) (e element, ok bool) {
	le := binary.LittleEndian
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
