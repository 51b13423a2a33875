package powercut_test

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"goldfish/store"
	"goldfish/store/keyring"
	"goldfish/store/powercut"
	"goldfish/store/storetest"
)

// row is a row with an index of each sort and counters; entry says in the log what a function did.
type row struct {
	ID    store.ID `cbor:"1,keyasint"`
	Code  string   `cbor:"2,keyasint"`
	Group byte     `cbor:"3,keyasint"`
	State string   `cbor:"4,keyasint"`
	Body  []byte   `cbor:"5,keyasint"`
	Op    int      `cbor:"6,keyasint"`
}

type entry struct {
	Op   int      `cbor:"1,keyasint"`
	Put  store.ID `cbor:"2,keyasint,omitempty"`
	Gone store.ID `cbor:"3,keyasint,omitempty"`
}

var (
	byCode = &store.Index[row]{Name: "code", Unique: true, Keys: func(_ *store.Tx, v *row) ([][]byte, error) {
		return [][]byte{[]byte(v.Code)}, nil
	}}
	byGroup = &store.Index[row]{Name: "group", Keys: func(_ *store.Tx, v *row) ([][]byte, error) {
		return [][]byte{{v.Group}}, nil
	}}
	rows = &store.Table[row]{
		Name: "rows", Cached: true, Key: func(v *row) []byte { return v.ID.Key() }, Indexes: []*store.Index[row]{byCode, byGroup},
		Counts: func(v *row) []string { return []string{"all", v.State} },
	}
	sealed = &store.Table[row]{Name: "sealed", Sealed: true, Key: func(v *row) []byte { return v.ID.Key() }}
	log    = &store.Log[entry]{Name: "log"}

	errRefused = errors.New("refused")
)

func options() store.Options {
	return store.Options{
		Schema: &store.Schema{Magic: "powercut", Release: "1", Tables: []store.Described{rows, sealed, log}},
		Clock:  time.Now, Rand: storetest.Seeded(1), CacheBytes: 1 << 16, Reserve: 64 << 10,
	}
}

// ring is the same in every process.
func ring() *keyring.Ring {
	r, _, err := keyring.New(storetest.Seeded(7))
	if err != nil {
		panic(err)
	}
	return r
}

const fileName = "gold.db"

// session works on one file and notes beforehand what it begins and afterwards what it was promised.
type session struct {
	dir   string
	rng   *rand.Rand
	bag   []byte // steps to come
	db    *store.DB
	notes *os.File
	op    int
	kept  int
	dense bool // nothing is kept for copies, so that pages are used anew at once
}

// childSession plays one script after another: each line names folder, seed, steps and first operation.
func childSession() {
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		var s session
		var seed uint64
		var steps int
		if _, err := fmt.Sscan(in.Text(), &s.dir, &seed, &steps, &s.op); err != nil {
			fmt.Println(err)
			return
		}
		s.rng, s.dense = rand.New(rand.NewPCG(seed, uint64(s.op))), seed%2 == 0
		if err := s.play(steps); err != nil {
			fmt.Println(strings.ReplaceAll(err.Error(), "\n", "; "))
		} else {
			fmt.Println("done")
		}
	}
}

func (s *session) note(format string, args ...any) {
	if _, err := fmt.Fprintf(s.notes, format+"\n", args...); err != nil {
		panic(err)
	}
}

func (s *session) play(steps int) (err error) {
	if s.notes, err = os.OpenFile(filepath.Join(s.dir, powercut.NotesName), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
		return err
	}
	defer s.notes.Close()
	if err := s.open(); err != nil {
		return err
	}
	for range steps {
		if err := s.step(); err != nil {
			return errors.Join(err, s.db.Close())
		}
	}
	_ = s.db.Close() // where a sync of the last moment fails, the file must do without what it would have brought
	return nil
}

// open opens the file; one call of the disk's may fail, so a second try must succeed.
func (s *session) open() (err error) {
	o := options()
	if s.dense {
		o.Window = -1
	}
	for range 2 {
		if s.db, err = store.Open(filepath.Join(s.dir, fileName), o); err == nil {
			s.db.SetSealer(ring())
			s.note("open")
			return nil
		}
	}
	return err
}

// bag is what so many steps of a session consist of, in any order.
const bag = "uuuuuuttesrrcl"

func (s *session) step() error {
	if len(s.bag) == 0 {
		s.bag = []byte(bag)
		s.rng.Shuffle(len(bag), func(i, j int) { s.bag[i], s.bag[j] = s.bag[j], s.bag[i] })
	}
	kind := s.bag[0]
	s.bag = s.bag[1:]
	switch kind {
	case 't':
		return s.together()
	case 'e':
		return s.epoch()
	case 's':
		s.snapshot()
		return nil
	case 'r':
		_ = s.db.Close()
		return s.open()
	case 'c':
		return s.compact()
	case 'l':
		return s.update(s.large())
	}
	return s.update(s.act())
}

// update runs fn and notes its fate. After ErrBroken, where that is open, the file is opened anew.
func (s *session) update(fn func(*store.Tx, int) error) error {
	err := s.try(fn, s.next())
	if errors.Is(err, store.ErrBroken) {
		_ = s.db.Close()
		return s.open()
	}
	return err
}

func (s *session) next() int {
	s.op++
	return s.op
}

// try gives ErrBroken alone: every other failure has left nothing behind.
func (s *session) try(fn func(*store.Tx, int) error, op int) error {
	s.note("begin %d", op)
	err := s.db.Update(func(tx *store.Tx) error { return fn(tx, op) })
	switch {
	case err == nil:
		s.note("ack %d", op)
	case errors.Is(err, store.ErrBroken), errors.Is(err, store.ErrDamaged):
		return err
	default:
		s.note("refused %d", op)
	}
	return nil
}

// together lets several functions run at once, which the writer commits in groups.
func (s *session) together() error {
	var wg sync.WaitGroup
	errs := make([]error, 2+s.rng.IntN(6))
	for i := range errs {
		fn, op := s.act(), s.next()
		wg.Go(func() { errs[i] = s.try(fn, op) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			_ = s.db.Close()
			return s.open()
		}
	}
	return nil
}

// act draws a function: a new or changed row, one that goes, or one that fails when it has put everything.
func (s *session) act() func(*store.Tx, int) error {
	v := row{
		ID: store.ID(1 + s.rng.IntN(40)), Group: byte(s.rng.IntN(3)), State: string(rune('a' + s.rng.IntN(3))),
		Body: make([]byte, s.rng.IntN(600)),
	}
	kind := s.rng.IntN(10)
	return func(tx *store.Tx, op int) error {
		v := v
		if kind < 2 { // an id of its own
			id, err := rows.NextID(tx)
			if err != nil {
				return err
			}
			v.ID = 1000 + id
		}
		if kind > 6 {
			if err := rows.Delete(tx, v.ID.Key()); err != nil {
				return err
			}
			return written(tx, entry{Op: op, Gone: v.ID}, kind == 9)
		}
		return putRow(tx, v, op, kind == 6)
	}
}

// large draws a row that needs pages of its own and makes the file grow.
func (s *session) large() func(*store.Tx, int) error {
	body := make([]byte, 10_000+s.rng.IntN(60_000))
	id := store.ID(100 + s.rng.IntN(6))
	return func(tx *store.Tx, op int) error { return putRow(tx, row{ID: id, State: "b", Body: body}, op, false) }
}

func putRow(tx *store.Tx, v row, op int, fail bool) error {
	v.Op, v.Code = op, fmt.Sprintf("%d-%d", op, v.ID)
	if err := errors.Join(rows.Put(tx, &v), sealed.Put(tx, &row{ID: v.ID, Op: op, Body: v.Body[:len(v.Body)/8]})); err != nil {
		return err
	}
	return written(tx, entry{Op: op, Put: v.ID}, fail)
}

func written(tx *store.Tx, e entry, fail bool) error {
	if e.Gone != 0 {
		if err := sealed.Delete(tx, e.Gone.Key()); err != nil {
			return err
		}
	}
	if _, err := log.Append(tx, &e); err != nil || !fail {
		return err
	}
	return errRefused
}

func (s *session) epoch() error {
	s.note("epoch? %d", s.db.Epoch()+1)
	e, err := s.db.NextEpoch()
	if err == nil {
		s.note("epoch %d", e)
	} else if errors.Is(err, store.ErrBroken) {
		_ = s.db.Close()
		return s.open()
	}
	return nil
}

// compact rewrites the open file. Where that fails it goes on as it was.
func (s *session) compact() error {
	if err := s.db.Compact(); errors.Is(err, store.ErrBroken) {
		_ = s.db.Close()
		return s.open()
	}
	return nil
}

// snapshot makes a copy that must last once it was made.
func (s *session) snapshot() {
	s.kept++
	name := fmt.Sprintf("copy-%d-%d.db", s.op, s.kept)
	if err := s.db.Snapshot(filepath.Join(s.dir, name)); err == nil {
		s.note("kept %s", name)
	}
}
