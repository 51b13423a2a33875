package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"goldfish/store"
)

// plainSealer has one key and cannot tell of it.
type plainSealer struct{}

func (plainSealer) Seal(dst, _, plain []byte) ([]byte, error) { return append(dst, plain...), nil }
func (plainSealer) Open(_, sealed []byte) ([]byte, error)     { return sealed, nil }
func (plainSealer) Lookup(string, []byte) []byte              { return make([]byte, 16) }

func TestResealMovesEveryRowToTheNewKey(t *testing.T) {
	if got := schema().SealedTables(); !slices.Equal(got, []string{"secrets", "hushed"}) {
		t.Fatalf("sealed tables: %v", got)
	}
	db := open(t)
	write := func(from, to int) {
		t.Helper()
		if err := db.Update(func(tx *store.Tx) error {
			for i := from; i < to; i++ {
				if err := secrets.Put(tx, &secret{ID: store.ID(i + 1), Code: fmt.Sprint("code ", i)}); err != nil {
					return err
				}
				if _, err := hushed.Append(tx, &event{Op: i}); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	write(0, 250)
	next, err := db.Ring.With(1)
	if err != nil {
		t.Fatal(err)
	}
	db.SetSealer(next)
	write(250, 300)
	before, untouched := db.Raw("secrets", store.ID(1).Key()), db.Raw("secrets", store.ID(300).Key())
	under := func(table string) map[uint16]int {
		t.Helper()
		rows, err := store.Read(db.DB, func(tx *store.Tx) (map[uint16]int, error) {
			rows, next, err := tx.SealedUnder(table, nil, 1000)
			if next != nil {
				t.Error("the table goes on")
			}
			return rows, err
		})
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	for _, table := range schema().SealedTables() {
		if rows := under(table); rows[1] != 250 || rows[2] != 50 {
			t.Fatalf("%s by key: %v", table, rows)
		}
		var after []byte
		looked := 0
		for steps := 1; ; steps++ {
			n := 0
			if err := db.Update(func(tx *store.Tx) (err error) {
				after, n, err = tx.Reseal(table, after, 70)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			if looked += n; n > 70 {
				t.Errorf("looked at %d rows at once", n)
			}
			if after == nil {
				if looked != 300 || steps != 5 {
					t.Errorf("%s: %d rows in %d steps", table, looked, steps)
				}
				break
			}
		}
		if rows := under(table); len(rows) != 1 || rows[2] != 300 {
			t.Errorf("%s by key: %v", table, rows)
		}
	}
	if bytes.Equal(db.Raw("secrets", store.ID(1).Key()), before) || !bytes.Equal(db.Raw("secrets", store.ID(300).Key()), untouched) {
		t.Error("other rows were sealed anew than had to be")
	}
	only, err := next.Only()
	if err != nil {
		t.Fatal(err)
	}
	db.SetSealer(only)
	db.MustBeSound(t)
	if err := db.View(func(tx *store.Tx) error {
		key, err := tx.Lookup("secret", []byte("code 7"))
		if err != nil {
			return err
		}
		if v, err := secrets.Find(tx, bySecret, key); err != nil || v.ID != 8 {
			t.Errorf("%+v %v", v, err)
		}
		if n := tx.Rows("secrets"); n != 300 {
			t.Errorf("%d rows", n)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// A row that does not open stays as it is, and is counted under its key; the others go on.
func TestResealLeavesDamagedRows(t *testing.T) {
	db := open(t)
	for i := range 3 {
		if err := db.Update(func(tx *store.Tx) error { return secrets.Put(tx, &secret{ID: store.ID(i + 1), Code: fmt.Sprint(i)}) }); err != nil {
			t.Fatal(err)
		}
	}
	whole := db.Raw("secrets", store.ID(2).Key())
	bad := bytes.Clone(whole)
	bad[len(bad)-1] ^= 1
	for key, raw := range map[store.ID][]byte{2: bad, 4: {}, 5: {2}, 6: {1, 2, 3}} {
		if err := db.PutRaw("secrets", key.Key(), raw); err != nil {
			t.Fatal(err)
		}
	}
	next, err := db.Ring.With(1)
	if err != nil {
		t.Fatal(err)
	}
	db.SetSealer(next)
	if err := db.Update(func(tx *store.Tx) error {
		after, n, err := tx.Reseal("secrets", nil, 100)
		if after != nil || n != 6 {
			t.Errorf("looked at %d rows, until %x", n, after)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := db.View(func(tx *store.Tx) error {
		rows, _, err := tx.SealedUnder("secrets", nil, 100)
		if rows[1] != 1 || rows[2] != 2 || rows[0] != 3 {
			t.Errorf("by key: %v", rows)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
	if !bytes.Equal(db.Raw("secrets", store.ID(2).Key()), bad) {
		t.Error("a damaged row was changed")
	}
	if err := db.Close(); err != nil { // it is damaged by intent
		t.Error(err)
	}
}

func TestResealNeedsAWriterAndARing(t *testing.T) {
	db := open(t)
	if err := db.View(func(tx *store.Tx) error {
		_, _, err := tx.Reseal("secrets", nil, 1)
		return err
	}); !errors.Is(err, store.ErrReadOnly) {
		t.Errorf("a reader: %v", err)
	}
	db.SetSealer(plainSealer{})
	if err := db.Update(func(tx *store.Tx) error {
		_, _, err := tx.Reseal("secrets", nil, 1)
		return err
	}); err == nil {
		t.Error("a sealer with one key")
	}
	db.SetSealer(db.Ring)
}
