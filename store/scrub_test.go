package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"goldfish/store"
	"goldfish/store/storetest"
)

// some fills a file with n rows of everything.
func some(t *testing.T, n int) *storetest.File {
	t.Helper()
	db := open(t)
	for from := 0; from < n; from += 500 {
		if err := db.Update(func(tx *store.Tx) error {
			for i := from; i < min(n, from+500); i++ {
				id := store.ID(i + 1)
				_, log := events.Append(tx, &event{Op: i})
				_, hush := hushed.Append(tx, &event{Op: i})
				if err := errors.Join(things.Put(tx, &thing{ID: id, Code: fmt.Sprint("code ", i), State: "a"}), secrets.Put(tx, &secret{id, fmt.Sprint("secret ", i)}), log, hush); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

func TestScrubReadsEverythingBesideWriters(t *testing.T) {
	db := some(t, 2000)
	stop, stopped := make(chan struct{}), make(chan error, 1)
	go func() {
		var err error
		for n := 0; err == nil; n++ {
			select {
			case <-stop:
				stopped <- nil
				return
			default:
			}
			id := store.ID(n%3000 + 1)
			err = db.Update(func(tx *store.Tx) error {
				if n%7 == 0 && things.Has(tx, id.Key()) {
					return things.Delete(tx, id.Key())
				}
				return things.Put(tx, &thing{ID: id, Code: fmt.Sprint("new ", n), State: fmt.Sprint(n % 3)})
			})
		}
		stopped <- err
	}()
	rested := 0
	values, faults := db.Scrub(t.Context(), func() { rested++ })
	close(stop)
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	// Four tables, three indexes of things of which one is empty, one of secrets.
	if values < 7*2000-1000 || len(faults) > 0 || rested == 0 {
		t.Errorf("%d values, %d rests, %v", values, rested, faults)
	}
}

func TestScrubFindsEachKindOfFault(t *testing.T) {
	db := some(t, 3)
	one := store.ID(1).Key()
	moved := db.Raw("things", store.ID(2).Key())
	for bucket, key := range map[string][]byte{
		"things": one, "secrets": one, "events": one, "hushed": one,
		"things.code": []byte("code 0"), "counts": []byte("things\x00a"), "meta": []byte("created"),
	} {
		before := db.Raw(bucket, key)
		if before == nil {
			t.Fatalf("%s has no %q", bucket, key)
		}
		if err := db.PutRaw(bucket, key, moved); err != nil {
			t.Fatal(err)
		}
		if _, faults := db.Scrub(t.Context(), func() {}); len(faults) == 0 || !errors.Is(faults[0], store.ErrDamaged) {
			t.Errorf("%s: %v", bucket, faults)
		}
		if err := db.PutRaw(bucket, key, before); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.PutRaw("things.code", []byte("nobody"), db.Frame("things.code", []byte("nobody"), store.ID(9).Key())); err != nil {
		t.Fatal(err)
	}
	if _, faults := db.Scrub(t.Context(), func() {}); len(faults) != 1 {
		t.Errorf("an entry without a row: %v", faults)
	}
	if err := db.Update(func(tx *store.Tx) error { return things.Put(tx, &thing{ID: 9, Code: "nobody"}) }); !errors.Is(err, store.ErrConflict) {
		t.Errorf("the entry is in the way: %v", err)
	}
	if err := db.Remove("things.code", []byte("nobody")); err != nil {
		t.Fatal(err)
	}
}

func TestScrubEnds(t *testing.T) {
	db := some(t, 100)
	ctx, cancel := context.WithCancel(t.Context())
	if values, faults := db.Scrub(ctx, cancel); values > 20 || len(faults) > 0 { // the first bucket is the smallest
		t.Errorf("after the context: %d, %v", values, faults)
	}
	_ = db.Close()
	if values, faults := db.Scrub(t.Context(), func() {}); values != 0 || len(faults) > 0 {
		t.Errorf("of a closed file: %d, %v", values, faults)
	}
	locked := open(t, atPath(db.Path()), storetest.Locked())
	if values, faults := locked.Scrub(t.Context(), func() {}); values == 0 || len(faults) > 0 {
		t.Errorf("without the key: %d, %v", values, faults)
	}
	locked.SetSealer(db.Ring)
}

func TestASealedFileIsJudgedAsFarAsCanBe(t *testing.T) {
	db := some(t, 50)
	path, one := db.Path(), store.ID(1).Key()
	kept := db.Raw("secrets", one)
	_ = db.Close()
	locked := open(t, atPath(path), storetest.Locked())
	var last int64
	rows, faults := locked.CheckTold(func(n int64) { last = n })
	if rows["secrets"] != 50 || rows["hushed"] != 50 || len(faults) != 2 || last == 0 {
		t.Errorf("%v, %v, %d bytes", rows, faults, last)
	}
	for _, err := range faults {
		if !errors.Is(err, store.ErrSealed) {
			t.Error(err)
		}
	}
	if err := locked.PutRaw("secrets", one, []byte{9}); err != nil {
		t.Fatal(err)
	}
	if _, faults := locked.Check(); len(faults) != 3 {
		t.Errorf("a row that is not sealed: %v", faults)
	}
	if err := locked.PutRaw("secrets", one, kept); err != nil {
		t.Fatal(err)
	}
	locked.SetSealer(db.Ring)
}
