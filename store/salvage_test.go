package store_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	mrand "math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goldfish/store"
	"goldfish/store/storetest"
)

// running gives the bytes of a file that is open: two states, the older of n rows, the newer of n+1. The last
// row is large enough to make the file longer.
func running(t *testing.T, n int) (db *storetest.File, file []byte) {
	t.Helper()
	db = open(t)
	fillThings(t, db, n)
	if err := db.Update(func(tx *store.Tx) error { return secrets.Put(tx, &secret{ID: 1, Code: "sealed"}) }); err != nil {
		t.Fatal(err)
	}
	put(t, db, &thing{ID: store.ID(n + 1), Code: "last", Tags: []string{strings.Repeat("x", 20_000)}})
	return db, content(t, db.Path())
}

// metaOf reads a number from the newer (0) or the older (1) of the two first pages.
func metaOf(file []byte, which, offset int) uint64 {
	le, page := binary.LittleEndian, os.Getpagesize()
	a, b := file[16:], file[page+16:]
	if newer := le.Uint64(a[48:]) > le.Uint64(b[48:]); newer != (which == 0) {
		a = b
	}
	return le.Uint64(a[offset:])
}

func rootOf(file []byte, which int) int { return int(metaOf(file, which, 16)) }
func sizeOf(file []byte, which int) int { return int(metaOf(file, which, 40)) * os.Getpagesize() }

func TestSalvage(t *testing.T) {
	page := os.Getpagesize()
	db, file := running(t, 300)
	for name, spoil := range map[string]struct {
		how  func(file []byte) []byte
		want error
	}{
		"cut short":       {func(f []byte) []byte { return f[:sizeOf(f, 1)] }, store.ErrTruncated},
		"no root":         {func(f []byte) []byte { clear(f[rootOf(f, 0)*page:][:page]); return f }, store.ErrDamaged},
		"a page of noise": {func(f []byte) []byte { fill(mrand.New(mrand.NewPCG(1, 1)), f[sizeOf(f, 1)+page:][:page]); return f }, store.ErrDamaged},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path, out := filepath.Join(dir, "bad.db"), filepath.Join(dir, "good.db")
			bad := spoil.how(append([]byte(nil), file...))
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := store.Open(path, options(schema()))
			if !errors.Is(err, spoil.want) || !errors.Is(err, store.ErrOlderState) {
				t.Fatalf("open: %v", err)
			}
			if err := store.Salvage(path, out); err != nil {
				t.Fatal(err)
			}
			unchanged(t, path, bad)
			saved := open(t, atPath(out), storetest.WithRing(db.Ring))
			if rows := saved.MustBeSound(t); rows["things"] != 300 || rows["secrets"] != 1 || saved.Clean() {
				t.Errorf("%v, clean %v", rows, saved.Clean())
			}
			if err := store.Salvage(path, out); !errors.Is(err, fs.ErrExist) {
				t.Errorf("over another file: %v", err)
			}
			mustHaveFiles(t, dir+"/", 2)
		})
	}
}

func TestSalvageRefuses(t *testing.T) {
	dir := t.TempDir()
	db, file := running(t, 50)
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	page := os.Getpagesize()
	both := append([]byte(nil), file...)
	clear(both[rootOf(file, 0)*page:][:page])
	clear(both[rootOf(file, 1)*page:][:page])
	flipped := append([]byte(nil), file...)
	at := strings.Index(string(flipped), "needle-0007") // in an older page, whichever it is
	for ; at >= 0; at = strings.Index(string(flipped), "needle-0007") {
		flipped[at] ^= 1
	}
	for name, c := range map[string]struct {
		path string
		want error
	}{
		"none":         {filepath.Join(dir, "none"), fs.ErrNotExist},
		"a folder":     {dir, store.ErrNotOurs},
		"text":         {write("text", []byte("text")), store.ErrNotOurs},
		"both states":  {write("both", both), store.ErrDamaged},
		"too short":    {write("short", file[:sizeOf(file, 1)-page]), store.ErrTruncated},
		"one page":     {write("one", file[:page]), store.ErrDamaged},
		"a bad value":  {write("flipped", flipped), store.ErrDamaged},
		"a file's own": {db.Path(), store.ErrLocked},
	} {
		out := filepath.Join(dir, "out")
		if err := store.Salvage(c.path, out); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if _, err := os.Stat(out); err == nil {
			t.Errorf("%s: a file was made", name)
			_ = os.Remove(out)
		}
		if c.want == store.ErrDamaged || c.want == store.ErrTruncated {
			if _, err := store.Open(c.path, options(schema())); errors.Is(err, store.ErrOlderState) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// A finished copy, however it is cut, has no older state: what its making left there is a part of it only.
func TestASnapshotHasNoOlderState(t *testing.T) {
	path, file, _ := filled(t, 300)
	for n := 2 * os.Getpagesize(); n < len(file); n += os.Getpagesize() {
		if err := os.WriteFile(path, file[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := store.Open(path, options(schema()))
		if err == nil { // only room that was not used is missing
			_ = db.Close()
			break
		}
		if errors.Is(err, store.ErrOlderState) {
			t.Errorf("cut to %d: %v", n, err)
		}
		if err := store.Salvage(path, path+".out"); err == nil {
			t.Errorf("cut to %d: salvaged", n)
		}
	}
}

// Any page of a copy of a running file overwritten in any way: it opens and is what it was, or says that it is
// damaged; and then what Salvage makes of it, if it can, is one of the two states.
func TestRuinedPagesOfACopy(t *testing.T) {
	const n = 150
	db, file := running(t, n)
	page, r := os.Getpagesize(), mrand.New(mrand.NewPCG(3, 4))
	dir := t.TempDir()
	path, out := filepath.Join(dir, "bad.db"), filepath.Join(dir, "out.db")
	opened, refused, saved := 0, 0, 0
	for at := range sizeOf(file, 0) / page {
		for _, how := range []func(p []byte){
			func(p []byte) { clear(p) },
			func(p []byte) { copy(p, file[(at+1)*page%sizeOf(file, 0):]) },
			func(p []byte) { fill(r, p) },
			func(p []byte) { fill(r, p[16:]) },
			func(p []byte) { p[r.IntN(64)] ^= 1 << r.IntN(8) },
			func(p []byte) { p[16+r.IntN(64)] ^= 1 << r.IntN(8) },
			func(p []byte) { p[r.IntN(page)] ^= 1 << r.IntN(8) },
		} {
			bad := append([]byte(nil), file...)
			how(bad[at*page : (at+1)*page])
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			said := mustBeOneOf(t, path, db, n)
			if said == nil {
				opened++
				continue
			}
			refused++
			if err := store.Salvage(path, out); err == nil {
				saved++
				if err := mustBeOneOf(t, out, db, n); err != nil {
					t.Errorf("page %d: what was salvaged: %v", at, err)
				}
				_ = os.Remove(out)
			} else if errors.Is(said, store.ErrOlderState) {
				t.Errorf("page %d: %v, but not salvaged: %v", at, said, err)
			}
		}
	}
	t.Logf("%d opened, %d refused, %d of them salvaged", opened, refused, saved)
	if opened == 0 || saved == 0 || refused < saved {
		t.Error("the pages prove nothing")
	}
}

// mustBeOneOf opens a file that, if it is sound, holds one of the two states of running.
func mustBeOneOf(t *testing.T, path string, like *storetest.File, n int) error {
	t.Helper()
	db, err := store.Open(path, options(schema()))
	if err != nil {
		if !errors.Is(err, store.ErrDamaged) && !errors.Is(err, store.ErrTruncated) && !errors.Is(err, store.ErrNotOurs) {
			t.Errorf("open: %v", err)
		}
		return err
	}
	defer db.Close()
	db.SetSealer(like.Ring)
	rows, faults := db.Check()
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	if rows["things"] != n && rows["things"] != n+1 {
		t.Errorf("%v", rows)
	}
	for id := 1; id <= n; id++ {
		v, err := store.Read(db, func(tx *store.Tx) (*thing, error) { return things.Get(tx, store.ID(id).Key()) })
		if err != nil || v.Code != fmt.Sprintf("needle-%04d-%080d", id, 0) {
			t.Errorf("row %d: %+v, %v", id, v, err)
		}
	}
	return nil
}

// A copy of a running file is not clean, and neither is a killed one's; after it was closed in order it is. A
// look at it changes nothing.
func TestClean(t *testing.T) {
	db, file := running(t, 100)
	if !db.Clean() {
		t.Error("a new file is not clean")
	}
	path := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, readOnly := range []bool{true, false} {
		o := options(schema())
		o.ReadOnly = readOnly
		look, err := store.Open(path, o)
		if err != nil {
			t.Fatal(err)
		}
		look.SetSealer(db.Ring)
		if rows, faults := look.Check(); look.Clean() || len(faults) > 0 || rows["things"] != 101 {
			t.Errorf("clean %v, %v, %v", look.Clean(), rows, faults)
		}
		if err := look.Update(putting(&thing{ID: 1})); readOnly != errors.Is(err, store.ErrReadOnly) || (readOnly && look.Copying().Pins > 0) {
			t.Errorf("update: %v", err)
		}
		if err := look.Close(); err != nil {
			t.Error(err)
		}
		if readOnly {
			unchanged(t, path, file)
		}
	}
	again := open(t, atPath(path), storetest.WithRing(db.Ring))
	if !again.Clean() || again.MustBeSound(t)["things"] != 101 { // with its list of free pages accounted for
		t.Error("the closed file is not clean")
	}
}

// A file that is opened for reading only is shared with other readers, and never with a writer.
func TestReadOnly(t *testing.T) {
	db := open(t)
	put(t, db, &thing{ID: 1})
	o := options(schema())
	o.ReadOnly = true
	if _, err := store.Open(db.Path(), o); !errors.Is(err, store.ErrLocked) {
		t.Errorf("a file in use: %v", err)
	}
	_ = db.Close()
	before := content(t, db.Path())
	for range 2 { // two at a time
		look, err := store.Open(db.Path(), o)
		if err != nil {
			t.Fatal(err)
		}
		defer look.Close()
	}
	newer := schema()
	newer.Migrations = migrations(nil)
	o.Schema = newer
	if _, err := store.Open(db.Path(), o); !errors.Is(err, store.ErrOlder) {
		t.Errorf("a file that must be migrated: %v", err)
	}
	none := filepath.Join(t.TempDir(), "none.db")
	if _, err := store.Open(none, o); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	unchanged(t, db.Path(), before)
}
