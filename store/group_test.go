package store_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"goldfish/store"
)

func putting(v *thing) func(*store.Tx) error {
	return func(tx *store.Tx) error { return things.Put(tx, v) }
}

func TestOneSyncForManyWaiters(t *testing.T) {
	db := open(t)
	const n = 256
	fns := make([]func(*store.Tx) error, n)
	for i := range fns {
		fns[i] = putting(&thing{ID: store.ID(i + 1), State: "new"})
	}
	before := db.Stats().Commits.Load()
	for i, err := range together(db, fns...) {
		if err != nil {
			t.Fatalf("function %d: %v", i, err)
		}
	}
	// One commit, unless the work takes longer than a commit may on a busy machine.
	if commits := db.Stats().Commits.Load() - before; commits > n/8 {
		t.Errorf("%d commits for %d functions that waited together", commits, n)
	}
	n1, err := store.Read(db.DB, func(tx *store.Tx) (int64, error) { return things.Count(tx, "new") })
	if err != nil || n1 != n {
		t.Errorf("counter: %d, %v", n1, err)
	}
}

func TestAFailingFunctionHarmsNoNeighbour(t *testing.T) {
	fail := map[string]func(*store.Tx) error{
		"before a put":       func(*store.Tx) error { return errWant },
		"after a put":        func(tx *store.Tx) error { return errors.Join(things.Put(tx, &thing{ID: 99, State: "bad"}), errWant) },
		"after taking an id": func(tx *store.Tx) error { _, err := things.NextIDs(tx, 5); return errors.Join(err, errWant) },
		"after a log row": func(tx *store.Tx) error {
			_, err := events.Append(tx, &event{Op: 99})
			return errors.Join(err, errWant)
		},
		"panic before a put": func(*store.Tx) error { panic(errWant.Error()) },
		"panic after a put": func(tx *store.Tx) error {
			_ = things.Put(tx, &thing{ID: 99, State: "bad"})
			panic(errWant.Error())
		},
		"half a put, hidden": func(tx *store.Tx) error {
			_ = things.Put(tx, &thing{ID: 99, State: "bad", Code: strings.Repeat("wanted", 10_000)})
			return nil
		},
	}
	for name, bad := range fail {
		t.Run(name, func(t *testing.T) {
			db := open(t)
			var hooks []string
			good := func(id store.ID) func(*store.Tx) error {
				return func(tx *store.Tx) error {
					tx.After(func() { hooks = append(hooks, fmt.Sprint(id)) })
					if _, err := events.Append(tx, &event{Op: int(id)}); err != nil {
						return err
					}
					return things.Put(tx, &thing{ID: id, State: "good"})
				}
			}
			errs := together(db, good(1), func(tx *store.Tx) error {
				tx.After(func() { hooks = append(hooks, "bad") })
				return bad(tx)
			}, good(2), bad, good(3))
			if errs[0] != nil || errs[2] != nil || errs[4] != nil {
				t.Errorf("neighbours: %v", errs)
			}
			for _, err := range []error{errs[1], errs[3]} {
				if err == nil || (name != "half a put, hidden" && !strings.Contains(err.Error(), "wanted")) {
					t.Errorf("the failing function got %v", err)
				}
			}
			if !slices.Equal(hooks, []string{"1", "2", "3"}) {
				t.Errorf("hooks ran: %v", hooks)
			}
			mustHold(t, db.DB, 3)
		})
	}
}

// mustHold checks that there are exactly the rows and log rows 1 to n.
func mustHold(t *testing.T, db *store.DB, n int) {
	t.Helper()
	err := db.View(func(tx *store.Tx) error {
		var ids, ops []int
		for v, err := range things.Scan(tx, store.Range{}) {
			if err != nil {
				return err
			}
			ids = append(ids, int(v.ID))
		}
		for seq, e := range events.After(tx, 0) {
			if int(seq) != e.Op {
				t.Errorf("log row %d holds %d", seq, e.Op)
			}
			ops = append(ops, e.Op)
		}
		count, err := things.Count(tx, "good")
		if len(ids) != n || len(ops) != n || int(count) != n {
			t.Errorf("rows %v, log %v, counter %d", ids, ops, count)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestUniqueKeys(t *testing.T) {
	db := open(t)
	errs := together(db,
		putting(&thing{ID: 1, Code: "A"}), putting(&thing{ID: 2, Code: "A"}), putting(&thing{ID: 1, Code: "A", Version: 2}),
		putting(&thing{ID: 1, Code: "B"}), putting(&thing{ID: 3, Code: "A"}))
	for i, want := range []error{nil, store.ErrConflict, nil, nil, nil} {
		if !errors.Is(errs[i], want) {
			t.Errorf("put %d: %v, want %v", i, errs[i], want)
		}
	}
	err := db.View(func(tx *store.Tx) error {
		for code, id := range map[string]store.ID{"A": 3, "B": 1} {
			if v, err := things.Find(tx, byCode, []byte(code)); err != nil || v.ID != id {
				t.Errorf("%s: %v, %v", code, v, err)
			}
		}
		_, err := things.Find(tx, byCode, []byte("C"))
		return err
	})
	if !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
}

func TestAmbiguousEntriesAreRefused(t *testing.T) {
	type row struct {
		Key, By string
	}
	ix := &store.Index[row]{Name: "by", Keys: func(_ *store.Tx, v *row) ([][]byte, error) { return [][]byte{[]byte(v.By)}, nil }}
	table := &store.Table[row]{Name: "rows", Key: func(v *row) []byte { return []byte(v.Key) }, Indexes: []*store.Index[row]{ix}}
	db := storetestOpen(t, &store.Schema{Magic: "x", Tables: []store.Described{table}})
	err := db.Update(func(tx *store.Tx) error {
		return errors.Join(table.Put(tx, &row{Key: "bc", By: "a"}), table.Put(tx, &row{Key: "c", By: "ab"}))
	})
	if !errors.Is(err, store.ErrConflict) {
		t.Errorf("two rows share an entry: %v", err)
	}
}

func TestIDsAreNeverGivenTwice(t *testing.T) {
	db := open(t)
	seen := map[store.ID]bool{}
	take := func(n int, fail error) {
		first, err := store.Write(db.DB, func(tx *store.Tx) (store.ID, error) {
			id, err := things.NextIDs(tx, n)
			return id, errors.Join(err, fail)
		})
		if !errors.Is(err, fail) {
			t.Fatal(err)
		}
		for i := range n {
			if id := first + store.ID(i); fail == nil && (seen[id] || id>>48 != store.ID(db.Epoch())) {
				t.Errorf("id %x, epoch %d", id, db.Epoch())
			} else if fail == nil {
				seen[id] = true
			}
		}
	}
	take(1, nil) // takes and puts nothing: it still counts
	take(3, nil)
	take(5, errWant)
	take(2, nil)
	if e, err := db.NextEpoch(); e != 2 || err != nil || db.Epoch() != 2 {
		t.Errorf("epoch %d (%d), %v", e, db.Epoch(), err)
	}
	take(2, nil)
	if _, err := store.Write(db.DB, func(tx *store.Tx) (store.ID, error) { return things.NextIDs(tx, 0) }); err == nil {
		t.Error("no ids were given")
	}
	if len(seen) != 8 {
		t.Errorf("%d ids", len(seen))
	}
}

func TestEpochsAreNeverGivenTwice(t *testing.T) {
	db := open(t)
	var wg sync.WaitGroup
	got := make([]uint16, 20)
	for i := range got {
		wg.Go(func() { got[i], _ = db.NextEpoch() })
	}
	wg.Wait()
	slices.Sort(got)
	for i, e := range got {
		if int(e) != i+2 {
			t.Fatalf("epochs %v", got)
		}
	}
}

// The file becomes another appliance's with the commit and not before, for good and in every copy made since.
func TestAnotherUUIDHoldsFromTheCommitOn(t *testing.T) {
	db := open(t)
	first := db.UUID()
	renew := func(fail error) (was uuid.UUID, err error) {
		return store.Write(db.DB, func(tx *store.Tx) (uuid.UUID, error) {
			was, err := tx.RenewUUID()
			if db.UUID() != first {
				t.Error("it holds before the commit")
			}
			return was, errors.Join(err, fail)
		})
	}
	if _, err := renew(errWant); !errors.Is(err, errWant) || db.UUID() != first {
		t.Errorf("taken back: %v, %v", db.UUID(), err)
	}
	if err := db.View(func(tx *store.Tx) error { _, err := tx.RenewUUID(); return err }); !errors.Is(err, store.ErrReadOnly) {
		t.Errorf("by a reader: %v", err)
	}
	was, err := renew(nil)
	second := db.UUID()
	if err != nil || was != first || second == first || second.Version() != 4 {
		t.Fatalf("%v, then %v, %v", was, second, err)
	}
	if err := db.Compact(); err != nil || db.UUID() != second {
		t.Errorf("compacted: %v, %v", db.UUID(), err)
	}
	copied := filepath.Join(t.TempDir(), "copy.db")
	if err := db.Snapshot(copied); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{copied, db.Path()} {
		must(db.Close())
		again, err := store.Open(path, options(schema()))
		if err != nil || again.UUID() != second {
			t.Fatalf("%s: %v", path, err)
		}
		must(again.Close())
	}
}

func TestHooks(t *testing.T) {
	db := open(t)
	var order []int
	err := db.Update(func(tx *store.Tx) error {
		order = nil
		tx.After(func() { order = append(order, 1) })
		tx.After(func() { panic("a hook") })
		tx.After(func() { order = append(order, 2) })
		return things.Put(tx, &thing{ID: 1})
	})
	if err != nil || !slices.Equal(order, []int{1, 2}) {
		t.Errorf("%v, %v", order, err)
	}
	_ = db.View(func(tx *store.Tx) error { tx.After(func() { t.Error("a hook of a reader ran") }); return nil })
	put(t, db, &thing{ID: 2}) // the writer lives
}

func TestReadersCannotWrite(t *testing.T) {
	db := open(t)
	put(t, db, &thing{ID: 1})
	_ = db.View(func(tx *store.Tx) error {
		_, ids := things.NextID(tx)
		_, log := events.Append(tx, &event{})
		for _, err := range []error{things.Put(tx, &thing{ID: 1}), things.Delete(tx, store.ID(1).Key()), ids, log} {
			if !errors.Is(err, store.ErrReadOnly) {
				t.Error(err)
			}
		}
		return nil
	})
}

func TestABrokenFileIsReadOnly(t *testing.T) {
	db := open(t)
	put(t, db, &thing{ID: 1, Version: 7})
	db.Break()
	if err := db.Update(putting(&thing{ID: 1, Version: 8})); !errors.Is(err, store.ErrBroken) {
		t.Errorf("write: %v", err)
	}
	if v := get(t, db, 1); v.Version != 7 {
		t.Errorf("read: %+v", v)
	}
}

func TestClosing(t *testing.T) {
	db := open(t)
	var acknowledged sync.Map
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			for n := 0; ; n++ {
				id := store.ID(i*100_000 + n + 1)
				if err := db.Update(putting(&thing{ID: id})); err != nil {
					if !errors.Is(err, store.ErrClosed) {
						t.Error(err)
					}
					return
				}
				acknowledged.Store(id, true)
			}
		})
		wg.Go(func() {
			for {
				if err := db.View(func(tx *store.Tx) error { // a View in a View, which a closing lock must survive
					_, _ = things.Get(tx, store.ID(1).Key())
					_ = db.View(func(*store.Tx) error { return nil })
					return nil
				}); err != nil {
					if !errors.Is(err, store.ErrClosed) {
						t.Error(err)
					}
					return
				}
			}
		})
	}
	for db.Stats().Commits.Load() < 20 {
		put(t, db, &thing{ID: 1})
	}
	for range 3 {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	again := storetestOpen(t, schema(), atPath(db.Path()))
	acknowledged.Range(func(id, _ any) bool { get(t, again, id.(store.ID)); return true })
}
