package powercut_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"goldfish/store"
	"goldfish/store/powercut"
)

// promised is what a session's notes say up to some moment.
type promised struct {
	open               bool
	begun, acked, gone map[int]bool
	epoch, epochMost   int
	kept               []string
}

func newPromised() *promised {
	return &promised{begun: map[int]bool{}, acked: map[int]bool{}, gone: map[int]bool{}, epoch: 1, epochMost: 1}
}

func (p *promised) read(note []byte) {
	for line := range strings.Lines(string(note)) {
		var n int
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		_, _ = fmt.Sscan(rest, &n)
		switch word {
		case "open":
			p.open = true
		case "begin":
			p.begun[n] = true
		case "ack":
			p.acked[n] = true
		case "refused":
			p.gone[n] = true
		case "epoch?":
			p.epochMost = n
		case "epoch":
			p.epoch = n
		case "kept":
			p.kept = append(p.kept, rest)
		}
	}
}

// audit opens what a disk holds and compares it with what was promised: all of that is there, whole, nothing that
// was refused is, and the file can be worked with.
func (p *promised) audit(dir string, order []int) error {
	for _, name := range p.kept {
		if err := p.auditCopy(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	path := filepath.Join(dir, fileName)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && p.open {
		return errors.New("the file is gone")
	}
	for range 2 { // as it is, and after it was worked with
		db, err := store.Open(path, options())
		if err != nil {
			return fmt.Errorf("open: %w", err)
		}
		if err = errors.Join(p.auditOpen(db, order), db.Close()); err != nil {
			return err
		}
	}
	return nil
}

func (p *promised) auditCopy(path string) error {
	o := options()
	o.MustExist = true
	db, err := store.Open(path, o)
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetSealer(ring())
	if _, faults := db.Check(); len(faults) > 0 {
		return fmt.Errorf("check: %w", errors.Join(faults...))
	}
	return nil
}

func (p *promised) auditOpen(db *store.DB, order []int) error {
	db.SetSealer(ring())
	if _, faults := db.Check(); len(faults) > 0 {
		return fmt.Errorf("check: %w", errors.Join(faults...))
	}
	if e := int(db.Epoch()); e < p.epoch || e > p.epochMost {
		return fmt.Errorf("epoch %d, promised %d to %d", e, p.epoch, p.epochMost)
	}
	if err := db.View(func(tx *store.Tx) error { return p.auditRows(tx, order) }); err != nil {
		return err
	}
	return db.Update(func(tx *store.Tx) error { // an id that was given out is never given again
		id, err := rows.NextID(tx)
		if err != nil || rows.Has(tx, (1000+id).Key()) {
			return fmt.Errorf("id %d is given again (%w)", id, err)
		}
		return putRow(tx, row{ID: 1000 + id}, -1, false)
	})
}

// auditRows plays the log and finds exactly its rows. order is the log of the whole session, of which this one must
// be the beginning; nil if that cannot be known.
func (p *promised) auditRows(tx *store.Tx, order []int) error {
	model, there := map[store.ID]int{}, map[int]bool{}
	n := 0
	for seq, e := range log.After(tx, 0) {
		if n++; seq != uint64(n) {
			return fmt.Errorf("log row %d is number %d", seq, n)
		}
		if e.Op >= 0 {
			if order != nil && (n > len(order) || order[n-1] != e.Op) {
				return fmt.Errorf("log row %d is of operation %d, which is out of order", n, e.Op)
			}
			if !p.begun[e.Op] || p.gone[e.Op] {
				return fmt.Errorf("operation %d is there: begun %v, refused %v", e.Op, p.begun[e.Op], p.gone[e.Op])
			}
		}
		there[e.Op] = true
		if e.Put != 0 {
			model[e.Put] = e.Op
		} else {
			delete(model, e.Gone)
		}
	}
	for op := range p.acked {
		if !there[op] {
			return fmt.Errorf("operation %d was acknowledged and is lost", op)
		}
	}
	for _, table := range []*store.Table[row]{rows, sealed} {
		found := 0
		for v, err := range table.Scan(tx, store.Range{}) {
			if err != nil {
				return err
			}
			if found++; model[v.ID] != v.Op {
				return fmt.Errorf("%s %d is of operation %d, the log says %d", table.Name, v.ID, v.Op, model[v.ID])
			}
		}
		if found != len(model) {
			return fmt.Errorf("%d %s, the log says %d", found, table.Name, len(model))
		}
	}
	return nil
}

// orderOf is the order of a finished session's operations, as its own log has them.
func orderOf(path string) (order []int, err error) {
	db, err := store.Open(path, options())
	if err != nil {
		return nil, err
	}
	defer db.Close()
	err = db.View(func(tx *store.Tx) error {
		for _, e := range log.After(tx, 0) {
			order = append(order, e.Op)
		}
		return nil
	})
	return order, err
}

// play brings a platter and what was promised to the n-th operation of a record.
func play(ops []powercut.Op, n int) (*powercut.Platter, *promised) {
	disk, p := powercut.NewPlatter(), newPromised()
	for _, op := range ops[:n] {
		disk.Apply(op)
		if op.Kind == powercut.Note {
			p.read(op.Data)
		}
	}
	return disk, p
}
