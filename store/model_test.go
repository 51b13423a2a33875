package store_test

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"goldfish/store"
	"goldfish/store/storetest"
)

func storetestOpen(t testing.TB, s *store.Schema, options ...storetest.Option) *storetest.File {
	t.Helper()
	return storetest.Open(t, s, options...)
}

func atPath(path string) storetest.Option { return storetest.WithPath(path) }

// act is one function of a group.
type act struct {
	kind string
	row  thing
}

func (a act) run(tx *store.Tx, op int) error {
	if a.kind == "fail before" {
		return errWant
	}
	if a.kind == "panic before" {
		panic("wanted")
	}
	e := &event{Op: op}
	var err error
	if a.kind == "delete" {
		e.Gone = a.row.ID
		err = things.Delete(tx, a.row.ID.Key())
	} else {
		row := a.row
		e.Put = &row
		err = things.Put(tx, &row)
	}
	if err != nil {
		return err
	}
	if _, err := events.Append(tx, e); err != nil {
		return err
	}
	if err := countsAgree(tx); err != nil {
		return err
	}
	switch a.kind {
	case "fail after":
		return errWant
	case "panic after":
		panic("wanted")
	}
	return nil
}

// countsAgree compares the counters with what a scan finds, inside whatever transaction it is.
func countsAgree(tx *store.Tx) error {
	found := map[string]int64{}
	for v, err := range things.Scan(tx, store.Range{}) {
		if err != nil {
			return err
		}
		if v.State != "" {
			found["all"]++
			found[v.State]++
		}
	}
	for _, state := range []string{"all", "a", "b"} {
		if n, err := things.Count(tx, state); err != nil || n != found[state] {
			return fmt.Errorf("counter %s is %d, a scan finds %d (%w)", state, n, found[state], err)
		}
	}
	return nil
}

func drawAct(t *rapid.T) act {
	return act{
		kind: rapid.SampledFrom([]string{
			"put", "put", "put", "put", "delete", "delete", "fail before", "fail after", "panic before", "panic after",
		}).Draw(t, "kind"),
		row: thing{
			ID:      store.ID(rapid.Uint64Range(1, 12).Draw(t, "id")),
			Code:    rapid.SampledFrom([]string{"", "A", "B", "C", "D"}).Draw(t, "code"),
			Group:   rapid.Byte().Draw(t, "group") % 3,
			Tags:    rapid.SliceOfN(rapid.SampledFrom([]string{"x", "y", "z"}), 0, 3).Draw(t, "tags"),
			State:   rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "state"),
			Version: rapid.Uint64().Draw(t, "version"),
		},
	}
}

// Functions run at once in groups, some fail, some panic. The log, written by the functions themselves, is
// the order in which they took effect: played through a model it must give exactly what the file holds, and
// it must hold exactly the functions that were told of success.
func TestTablesAgainstAModel(t *testing.T) {
	dir, n := t.TempDir(), 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		db := open(t, atPath(filepath.Join(dir, fmt.Sprintf("%d.db", n))))
		succeeded := map[int]bool{}
		op := 0
		for range rapid.IntRange(1, 4).Draw(rt, "groups") {
			var fns []func(*store.Tx) error
			first := op
			for range rapid.IntRange(1, 10).Draw(rt, "functions") {
				a, me := drawAct(rt), op
				op++
				fns = append(fns, func(tx *store.Tx) error { return a.run(tx, me) })
			}
			for i, err := range together(db, fns...) {
				if err == nil {
					succeeded[first+i] = true
				}
			}
		}
		mustMatch(rt, db, succeeded)
		if _, faults := db.Check(); len(faults) > 0 {
			rt.Fatalf("check: %v", faults)
		}
		if err := db.Close(); err != nil {
			rt.Fatal(err)
		}
	})
}

func mustMatch(t *rapid.T, db *storetest.File, succeeded map[int]bool) {
	err := db.View(func(tx *store.Tx) error {
		model := map[store.ID]*thing{}
		logged := map[int]bool{}
		for _, e := range events.After(tx, 0) {
			logged[e.Op] = true
			if e.Put != nil {
				model[e.Put.ID] = e.Put
			} else {
				delete(model, e.Gone)
			}
		}
		if !maps.Equal(logged, succeeded) {
			t.Fatalf("told of success: %v, in the log: %v", succeeded, logged)
		}
		ids := slices.Sorted(maps.Keys(model))
		for _, back := range []bool{false, true} {
			var found []store.ID
			for v, err := range things.Scan(tx, store.Range{Back: back}) {
				if err != nil || !reflect.DeepEqual(v, model[v.ID]) {
					t.Fatalf("row %+v, model %+v, %v", v, model[v.ID], err)
				}
				found = append(found, v.ID)
			}
			if !slices.Equal(found, ids) {
				t.Fatalf("rows %v, model %v", found, ids)
			}
			slices.Reverse(ids)
		}
		return errors.Join(countsAgree(tx), indexesAgree(tx, model))
	})
	if err != nil {
		t.Fatal(err)
	}
}

func indexesAgree(tx *store.Tx, model map[store.ID]*thing) error {
	for id, want := range model {
		if want.Code != "" {
			if v, err := things.Find(tx, byCode, []byte(want.Code)); err != nil || v.ID != id {
				return fmt.Errorf("code %s finds %v, %w", want.Code, v, err)
			}
		}
	}
	for _, tag := range []string{"x", "y", "z"} {
		var want, got []store.ID
		for id, v := range model {
			if slices.Contains(v.Tags, tag) {
				want = append(want, id)
			}
		}
		for e, err := range things.ScanBy(tx, byTag, store.Range{Prefix: []byte(tag)}) {
			if err != nil {
				return err
			}
			got = append(got, e.Row.ID)
		}
		slices.Sort(want)
		if !slices.Equal(want, got) {
			return fmt.Errorf("tag %s: rows %v, model %v", tag, got, want)
		}
	}
	return nil
}

// Ranges of every kind, in readers and inside a transaction that has just deleted whole pages.
func TestScansAgainstAModel(t *testing.T) {
	const rows = 600
	db := open(t)
	var all []*thing
	for i := range rows {
		all = append(all, &thing{ID: store.ID(i + 1), Code: fmt.Sprintf("%03x%060d", i, i), Group: byte(i % 2)})
	}
	put(t, db, all...)
	rapid.Check(t, func(rt *rapid.T) {
		gone := [2]int{rapid.IntRange(0, rows).Draw(rt, "from"), rapid.IntRange(0, rows).Draw(rt, "to")}
		r := store.Range{
			Prefix: []byte(rapid.StringMatching(`[0-2]?[0-9a-f]{0,2}`).Draw(rt, "prefix")),
			After:  []byte(rapid.StringMatching(`([0-3][0-9a-f]{0,3})?`).Draw(rt, "after")),
			Back:   rapid.Bool().Draw(rt, "back"),
		}
		stay := func(v *thing) bool { return int(v.ID) <= gone[0] || int(v.ID) > gone[1] }
		check := func(tx *store.Tx, stay func(*thing) bool) {
			if got, want := codes(tx, r), ranged(all, stay, r); !slices.Equal(got, want) {
				rt.Fatalf("%+v without %v: %d rows, want %d:\n%v\n%v", r, gone, len(got), len(want), got, want)
			}
		}
		_ = db.View(func(tx *store.Tx) error { check(tx, func(*thing) bool { return true }); return nil })
		err := db.Update(func(tx *store.Tx) error {
			for _, v := range all {
				if !stay(v) {
					if err := things.Delete(tx, v.ID.Key()); err != nil {
						return err
					}
				}
			}
			check(tx, stay)
			return errWant
		})
		if !errors.Is(err, errWant) {
			rt.Fatal(err)
		}
	})
}

func codes(tx *store.Tx, r store.Range) (out []string) {
	for e, err := range things.ScanBy(tx, byCode, r) {
		if err != nil {
			return []string{err.Error()}
		}
		out = append(out, e.Row.Code)
	}
	return out
}

func ranged(all []*thing, stay func(*thing) bool, r store.Range) (out []string) {
	for _, v := range all {
		beyond := len(r.After) == 0 || v.Code > string(r.After)
		if r.Back {
			beyond = len(r.After) == 0 || v.Code < string(r.After)
		}
		if stay(v) && beyond && len(v.Code) >= len(r.Prefix) && v.Code[:len(r.Prefix)] == string(r.Prefix) {
			out = append(out, v.Code)
		}
	}
	if r.Back {
		slices.Reverse(out)
	}
	return out
}

// A scan of a table that its own loop changes visits every row once.
func TestScanWhileChanging(t *testing.T) {
	for _, back := range []bool{false, true} {
		db := open(t)
		var bulk []*thing
		for i := range 2000 {
			bulk = append(bulk, &thing{ID: store.ID(i + 1), State: "a"})
		}
		put(t, db, bulk...)
		err := db.Update(func(tx *store.Tx) error {
			seen := 0
			for v, err := range things.Scan(tx, store.Range{Back: back}) {
				if err != nil {
					return err
				}
				seen++
				if v.ID%3 == 0 {
					err = things.Delete(tx, v.ID.Key())
				} else {
					err = things.Put(tx, &thing{ID: v.ID, State: "b", Tags: []string{"x", "y"}})
				}
				if err != nil {
					return err
				}
			}
			if seen != 2000 {
				t.Errorf("back %v: %d rows seen", back, seen)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// bbolt's cursor would never come back from a table whose pages were all emptied in this transaction.
func TestScanOfAnEmptiedTable(t *testing.T) {
	db := open(t)
	var rows []*thing
	for i := range 1000 {
		rows = append(rows, &thing{ID: store.ID(i + 1)})
	}
	put(t, db, rows...)
	err := db.Update(func(tx *store.Tx) error {
		for _, v := range rows {
			if err := things.Delete(tx, v.ID.Key()); err != nil {
				return err
			}
		}
		for _, back := range []bool{false, true} {
			for v := range things.Scan(tx, store.Range{Back: back}) {
				t.Errorf("back %v: %+v", back, v)
			}
			for e := range things.ScanBy(tx, byGroup, store.Range{Back: back, Prefix: []byte{0}}) {
				t.Errorf("back %v: %+v", back, e)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
