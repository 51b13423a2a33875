package store_test

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	mrand "math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"goldfish/store"
	"goldfish/store/storetest"
)

func options(s *store.Schema) store.Options {
	return store.Options{Schema: s, Clock: time.Now, Rand: rand.Reader, CacheBytes: 1 << 16}
}

// childOpen opens the file and says how that went.
func childOpen(path string) {
	db, err := store.Open(path, options(schema()))
	switch {
	case errors.Is(err, store.ErrLocked):
		fmt.Println("locked")
	case err != nil:
		fmt.Println(err)
	default:
		fmt.Println("open")
		must(db.Close())
	}
}

func TestOneProcessAtATime(t *testing.T) {
	db := open(t)
	put(t, db, &thing{ID: 1})
	before := content(t, db.Path())
	for _, want := range []string{"locked\n", "open\n"} {
		out, err := child(t, "open", db.Path()).Output()
		if err != nil || string(out) != want {
			t.Errorf("%q, %v, want %q", out, err, want)
		}
		unchanged(t, db.Path(), before)
		_ = db.Close()
		before = content(t, db.Path())
	}
}

func TestOpenRefusesWhatIsNotOurs(t *testing.T) {
	dir := t.TempDir()
	random := make([]byte, 100_000)
	_, _ = rand.Read(random)
	for name, c := range map[string]struct {
		content []byte
		want    error
	}{
		"empty":       {nil, store.ErrTruncated},
		"text":        {[]byte("a text file\n"), store.ErrNotOurs},
		"long text":   {make([]byte, 40_000), store.ErrNotOurs},
		"random":      {random, store.ErrNotOurs},
		"short":       {random[:33], store.ErrNotOurs},
		"one byte":    {[]byte{1}, store.ErrNotOurs},
		"SQLite":      {append([]byte("SQLite format 3\x00"), random[:4080]...), store.ErrNotOurs},
		"first bytes": {[]byte{0, 0, 0, 0, 0, 0, 0, 0, 4}, store.ErrTruncated},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, c.content, 0o600); err != nil {
			t.Fatal(err)
		}
		refused(t, path, c.want)
		unchanged(t, path, c.content)
	}
	refused(t, dir, store.ErrNotOurs)
	refused(t, filepath.Join(dir, "text", "below"), nil)
	o := options(schema())
	o.MustExist = true
	if _, err := store.Open(filepath.Join(dir, "none"), o); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("MustExist: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "none")); err == nil {
		t.Error("a file was made")
	}
}

func refused(t *testing.T, path string, want error) {
	t.Helper()
	db, err := store.Open(path, options(schema()))
	if err == nil {
		_ = db.Close()
		t.Errorf("%s was opened", path)
	}
	if want != nil && !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", path, err, want)
	}
}

// bbolt files of somebody else, also one whose missing freelist bbolt would write out at once.
func TestOpenRefusesForeignBolt(t *testing.T) {
	for name, o := range map[string]*bolt.Options{"plain": {}, "no freelist": {NoFreelistSync: true}} {
		for _, bucket := range []string{"meta", "stuff"} {
			path := filepath.Join(t.TempDir(), name)
			foreign, err := bolt.Open(path, 0o600, o)
			if err != nil {
				t.Fatal(err)
			}
			if err := foreign.Update(func(tx *bolt.Tx) error {
				b, err := tx.CreateBucket([]byte(bucket))
				return errors.Join(err, b.Put([]byte("magic"), []byte("store-test")))
			}); err != nil {
				t.Fatal(err)
			}
			_ = foreign.Close()
			before := content(t, path)
			refused(t, path, store.ErrNotOurs)
			unchanged(t, path, before)
		}
	}
	other := schema()
	other.Magic = "another program"
	db := storetestOpen(t, other)
	_ = db.Close()
	refused(t, db.Path(), store.ErrNotOurs)
}

func TestBadSchemas(t *testing.T) {
	for _, tables := range [][]store.Described{{things, things}, {&store.Log[event]{Name: "meta"}}, {&store.Log[event]{}}} {
		path := filepath.Join(t.TempDir(), "x.db")
		if _, err := store.Open(path, options(&store.Schema{Magic: "x", Tables: tables})); err == nil {
			t.Errorf("%v was taken", tables)
		}
		if _, err := os.Stat(path); err == nil {
			t.Error("a file was made")
		}
	}
}

// filled makes a file with enough rows for some hundred pages and gives its bytes.
func filled(t *testing.T, n int) (path string, file []byte, want map[store.ID]string) {
	t.Helper()
	db := open(t)
	want = map[store.ID]string{}
	var rows []*thing
	for i := range n {
		v := &thing{ID: store.ID(i + 1), Code: fmt.Sprintf("needle-%04d-%080d", i, i), State: "a", Tags: []string{"x"}}
		rows = append(rows, v)
		want[v.ID] = v.Code
	}
	put(t, db, rows...)
	appendAll(t, db, n/2)
	path = filepath.Join(t.TempDir(), "small.db")
	if err := db.Snapshot(path); err != nil {
		t.Fatal(err)
	}
	return path, content(t, path), want
}

// A file cut at every page boundary and at odd lengths is refused as truncated, or whole after all where only
// unused space is missing. Either way it is left as it was.
func TestOpenRefusesTruncated(t *testing.T) {
	path, file, want := filled(t, 300)
	page := os.Getpagesize()
	lengths := map[int]bool{0: true}
	for n := page; n <= len(file); n += page {
		for _, odd := range []int{-1, 0, 1, 100, page / 2} {
			lengths[n+odd] = true
		}
	}
	for n := range 200 {
		lengths[n] = true
	}
	refusals := 0
	for n := range lengths {
		if n > len(file) {
			continue
		}
		if err := os.WriteFile(path, file[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := store.Open(path, options(schema()))
		switch {
		case err == nil:
			mustRead(t, db, want, true)
			_ = db.Close()
		case errors.Is(err, store.ErrTruncated):
			refusals++
		default:
			t.Errorf("cut to %d: %v", n, err)
		}
		unchanged(t, path, file[:n])
	}
	if refusals < len(lengths)/2 {
		t.Errorf("%d of %d refused", refusals, len(lengths))
	}
}

// mustRead checks that every row that is read is the right one, and, if sound, that none is missing.
func mustRead(t *testing.T, db *store.DB, want map[store.ID]string, sound bool) {
	t.Helper()
	for id, code := range want {
		v, err := store.Read(db, func(tx *store.Tx) (*thing, error) { return things.Get(tx, id.Key()) })
		if (err != nil && sound) || (err == nil && (v.Code != code || v.ID != id || v.State != "a")) {
			t.Errorf("row %d: %+v, %v", id, v, err)
		}
	}
}

// Pages overwritten by random bytes or by another page: an error at Open or at the read, or nothing lost.
// Never a panic, a hang or a wrong row.
func TestRuinedPages(t *testing.T) {
	path, file, want := filled(t, 150)
	page := os.Getpagesize()
	pages := len(file) / page
	r := mrand.New(mrand.NewPCG(1, 2))
	ruin := func(n int, how func(p []byte)) {
		bad := append([]byte(nil), file...)
		how(bad[n*page : (n+1)*page])
		openRuined(t, path, bad, want)
	}
	for n := range pages {
		ruin(n, func(p []byte) { clear(p) })
		ruin(n, func(p []byte) { copy(p, file[(n+1)%pages*page:]) })
		ruin(n, func(p []byte) { fill(r, p) })
		ruin(n, func(p []byte) { fill(r, p[16:]) }) // a header that looks right
		for range 10 {
			ruin(n, func(p []byte) { p[r.IntN(256)] ^= 1 << r.IntN(8) })
		}
	}
}

func fill(r *mrand.Rand, p []byte) {
	for i := range p {
		p[i] = byte(r.Uint32())
	}
}

func openRuined(t *testing.T, path string, file []byte, want map[store.ID]string) {
	t.Helper()
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(path, options(schema()))
	if err != nil {
		for _, is := range []error{store.ErrDamaged, store.ErrNotOurs, store.ErrTruncated} {
			if errors.Is(err, is) {
				return
			}
		}
		t.Errorf("open: %v", err)
		return
	}
	db.SetSealer(noSealer{})
	_, faults := db.Check()
	mustRead(t, db, want, len(faults) == 0)
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

type noSealer struct{}

func (noSealer) Seal(_, _, _ []byte) ([]byte, error)    { return nil, errWant }
func (noSealer) Open(_, _ []byte) ([]byte, error)       { return nil, errWant }
func (noSealer) Lookup(_ string, _ []byte) (key []byte) { return nil }

// Everybody who opens a file that is not there at the same time gets the same one, or is told that it is
// locked; nothing is left behind.
func TestCreatedOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "er", "new.db")
	var wg sync.WaitGroup
	var ids sync.Map
	for range 8 {
		wg.Go(func() {
			for {
				db, err := store.Open(path, options(schema()))
				if errors.Is(err, store.ErrLocked) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				ids.Store(db.UUID(), true)
				_ = db.Close()
				return
			}
		})
	}
	wg.Wait()
	n := 0
	ids.Range(func(_, _ any) bool { n++; return true })
	files, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	if n != 1 || len(files) != 1 {
		t.Errorf("%d identities, files %v", n, files)
	}
}

// childCreate makes one file after the other until it is killed.
func childCreate(dir string) {
	for n := 0; ; n++ {
		db, err := store.Open(filepath.Join(dir, fmt.Sprintf("%d.db", n)), options(schema()))
		must(err)
		fmt.Println(n)
		must(db.Close())
	}
}

func TestCreationIsAtomic(t *testing.T) {
	for round := range 5 {
		dir := t.TempDir()
		cmd := child(t, "create", dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for range round*3 + 1 {
			lines.Scan()
		}
		_ = cmd.Process.Kill()
		for lines.Scan() {
		}
		_ = cmd.Wait()
		files, _ := filepath.Glob(filepath.Join(dir, "*.db"))
		if len(files) == 0 {
			t.Error("no file was made")
		}
		for _, path := range files {
			storetestOpen(t, schema(), atPath(path), storetest.WithCache(0)).MustBeSound(t)
		}
	}
}
