package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"goldfish/store"
	"goldfish/store/storetest"
)

func TestSealedWithoutTheKey(t *testing.T) {
	db := open(t)
	if err := db.Update(func(tx *store.Tx) error { return secrets.Put(tx, &secret{ID: 1, Code: "top secret"}) }); err != nil {
		t.Fatal(err)
	}
	_ = db.Close()
	if bytes.Contains(content(t, db.Path()), []byte("top secret")) {
		t.Error("the file shows the secret")
	}
	locked := open(t, atPath(db.Path()), storetest.Locked())
	use := func(tx *store.Tx) map[string]error {
		_, get := secrets.Get(tx, store.ID(1).Key())
		_, lookup := tx.Lookup("secret", []byte("top secret"))
		var scan error
		for _, err := range secrets.Scan(tx, store.Range{}) {
			scan = err
		}
		return map[string]error{"get": get, "lookup": lookup, "scan": scan}
	}
	_ = locked.View(func(tx *store.Tx) error {
		for what, err := range use(tx) {
			if !errors.Is(err, store.ErrSealed) {
				t.Errorf("%s: %v", what, err)
			}
		}
		return nil
	})
	for _, fn := range []func(*store.Tx) error{
		func(tx *store.Tx) error { return secrets.Put(tx, &secret{ID: 2}) },
		func(tx *store.Tx) error { return secrets.Delete(tx, store.ID(1).Key()) },
		func(tx *store.Tx) error { _, err := hushed.Append(tx, &event{}); return err },
	} {
		if err := locked.Update(fn); !errors.Is(err, store.ErrSealed) {
			t.Error(err)
		}
	}
	rows, faults := locked.Check()
	if rows["secrets"] != 1 || len(faults) != 2 || !errors.Is(faults[0], store.ErrSealed) {
		t.Errorf("check: %v, %v", rows, faults)
	}
	locked.SetSealer(db.Ring)
	_ = locked.View(func(tx *store.Tx) error {
		for what, err := range use(tx) {
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		return nil
	})
}

// A value under another key or in another table does not open there, sealed or not; another ring opens none.
func TestMovedValues(t *testing.T) {
	db := open(t)
	if err := db.Update(func(tx *store.Tx) error {
		return errors.Join(secrets.Put(tx, &secret{1, "one"}), secrets.Put(tx, &secret{2, "two"}),
			things.Put(tx, &thing{ID: 1, Code: "one"}), things.Put(tx, &thing{ID: 2, Code: "two"}))
	}); err != nil {
		t.Fatal(err)
	}
	one, two := store.ID(1).Key(), store.ID(2).Key()
	for _, m := range []struct {
		to  string
		key []byte
		raw []byte
	}{
		{"things", one, db.Raw("things", two)},
		{"things", two, db.Raw("secrets", two)},
		{"secrets", one, db.Raw("secrets", two)},
		{"secrets", two, db.Raw("things", two)},
		{"things.code", []byte("one"), db.Raw("things.code", []byte("two"))},
		{"things", one, nil},
		{"secrets", one, []byte{2}},
	} {
		before := db.Raw(m.to, m.key)
		if err := db.PutRaw(m.to, m.key, m.raw); err != nil {
			t.Fatal(err)
		}
		db.SetSealer(db.Ring) // PutRaw goes past the cache
		err := db.View(func(tx *store.Tx) error {
			if m.to == "things.code" {
				_, err := things.Find(tx, byCode, m.key)
				return err
			} else if m.to == "secrets" {
				_, err := secrets.Get(tx, m.key)
				return err
			}
			_, err := things.Get(tx, m.key)
			return err
		})
		if _, faults := db.Check(); !errors.Is(err, store.ErrDamaged) || len(faults) == 0 {
			t.Errorf("moved to %s %x: %v, faults %v", m.to, m.key, err, faults)
		}
		if err := db.PutRaw(m.to, m.key, before); err != nil {
			t.Fatal(err)
		}
	}
	db.MustBeSound(t)
	path := db.Path()
	_ = db.Close()
	stranger := open(t, atPath(path)) // with a ring of its own
	err := stranger.View(func(tx *store.Tx) error { _, err := secrets.Get(tx, one); return err })
	if !errors.Is(err, store.ErrDamaged) {
		t.Errorf("another ring: %v", err)
	}
	_ = stranger.Close()
}

// Every bit of a plain and of a sealed value, flipped on the disk, gives an error and never another row.
func TestEveryBitOnTheDisk(t *testing.T) {
	db := open(t)
	if err := db.Update(func(tx *store.Tx) error {
		return errors.Join(things.Put(tx, &thing{ID: 1, Code: "needle", State: "a"}), secrets.Put(tx, &secret{1, "needle"}))
	}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "flip.db")
	if err := db.Snapshot(path); err != nil {
		t.Fatal(err)
	}
	file := content(t, path)
	one := store.ID(1).Key()
	for bucket, read := range map[string]func(*store.Tx) error{
		"things":      func(tx *store.Tx) error { _, err := things.Get(tx, one); return err },
		"secrets":     func(tx *store.Tx) error { _, err := secrets.Get(tx, one); return err },
		"things.code": func(tx *store.Tx) error { _, err := things.Find(tx, byCode, []byte("needle")); return err },
		"counts":      func(tx *store.Tx) error { _, err := things.Count(tx, "a"); return err },
	} {
		key := one
		switch bucket {
		case "things.code":
			key = []byte("needle")
		case "counts":
			key = []byte("things\x00a")
		}
		raw := db.Raw(bucket, key)
		at := bytes.Index(file, raw)
		if at < 0 || bytes.Count(file, raw) != 1 {
			t.Fatalf("%s: value %x is not once in the file", bucket, raw)
		}
		for bit := range len(raw) * 8 {
			bad := bytes.Clone(file)
			bad[at+bit/8] ^= 1 << (bit % 8)
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := readFlipped(db, path, read); !errors.Is(err, store.ErrDamaged) {
				t.Fatalf("%s, bit %d: %v", bucket, bit, err)
			}
		}
	}
}

func readFlipped(like *storetest.File, path string, read func(*store.Tx) error) error {
	db, err := store.Open(path, options(schema()))
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer db.Close()
	db.SetSealer(like.Ring)
	if _, faults := db.Check(); len(faults) == 0 {
		return errors.New("Check found nothing")
	}
	return db.View(read)
}
