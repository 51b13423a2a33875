package store_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"goldfish/store"
	"goldfish/store/keyring"
	"goldfish/store/storetest"
)

func init() { children["judge"] = childJudge }

// long says whether the long suite runs.
func long() bool { return os.Getenv("GOLDFISH_LONG") != "" }

const damagedRows = 400

// damagedRow is the row that a file to be damaged has under the id, and nothing else.
func damagedRow(id store.ID) *thing {
	rng := rand.New(rand.NewPCG(uint64(id), 1))
	long := 20
	if id%50 == 0 { // over several pages
		long = 9000
	}
	v := &thing{ID: id, Code: fmt.Sprintf("%x", rng.Uint64()), Group: byte(id % 3), State: string(rune('a' + id%2)), Version: rng.Uint64()}
	for range long {
		v.Tags = append(v.Tags, string(rune('a'+rng.IntN(26)))) // many of them are the same
	}
	return v
}

// damagedRing is the same in every process.
func damagedRing() *keyring.Ring {
	ring, _, err := keyring.New(storetest.Seeded(3))
	must(err)
	return ring
}

// wholeFiles makes files to be damaged: one that was closed, and one as after a crash, both with pages that were
// given up and used again.
func wholeFiles(t *testing.T) [][]byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "whole.db")
	o := options(schema())
	o.Window = -1 // past states would make most of the file
	db, err := store.Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	db.SetSealer(damagedRing())
	for _, round := range []func(*store.Tx, store.ID) error{
		func(tx *store.Tx, id store.ID) error {
			return things.Put(tx, &thing{ID: id + 1000, Tags: []string{strings.Repeat("z", int(id))}})
		},
		func(tx *store.Tx, id store.ID) error {
			_, err := events.Append(tx, &event{Op: int(id)})
			return errors.Join(err, things.Put(tx, damagedRow(id)), secrets.Put(tx, &secret{id, fmt.Sprint(id)}))
		},
		func(tx *store.Tx, id store.ID) error { return things.Delete(tx, (id + 1000).Key()) },
	} {
		for id := store.ID(1); id <= damagedRows; id += 20 {
			if err := db.Update(func(tx *store.Tx) (err error) {
				for n := range store.ID(20) {
					err = errors.Join(err, round(tx, id+n))
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
	crashed := content(t, path)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return [][]byte{content(t, path), crashed}
}

// childJudge opens a file that may be damaged and says what it finds: refused, faults, or whole. Whatever it reads
// must be what was written, or an error.
func childJudge(path string) {
	o := options(schema())
	o.MustExist = true
	db, err := store.Open(path, o)
	if err != nil {
		fmt.Println("refused:", err)
		return
	}
	db.SetSealer(damagedRing())
	_, faults := db.Check()
	missing := readAll(db)
	switch {
	case len(faults) > 0:
		fmt.Println("faults:", faults[0])
	case missing > 0:
		fmt.Printf("WRONG: %d rows are missing and Check found nothing\n", missing)
	default:
		// It is as good as new: it also takes changes.
		must(db.Update(putting(&thing{ID: 5000, Code: "new", Tags: []string{strings.Repeat("n", 20000)}})))
		if _, faults = db.Check(); len(faults) > 0 {
			fmt.Println("WRONG: faults after a change alone:", faults[0])
			return
		}
		fmt.Println("whole")
	}
	if err := db.Close(); err != nil {
		fmt.Println("close:", err)
	}
}

// readAll reads every row in every way, and ends the process at one that is not what was written.
func readAll(db *store.DB) (missing int) {
	wrong := func(what string, id store.ID, v any) {
		fmt.Printf("WRONG: %s %d reads as %+v\n", what, id, v)
		os.Exit(0)
	}
	err := db.View(func(tx *store.Tx) error {
		for id := store.ID(1); id <= damagedRows; id++ {
			want := damagedRow(id)
			got, err := things.Get(tx, id.Key())
			if err != nil {
				missing++
			} else if !same(got, want) {
				wrong("row", id, got)
			}
			if got, err := things.Find(tx, byCode, []byte(want.Code)); err != nil {
				missing++
			} else if !same(got, want) {
				wrong("row by its code", id, got)
			}
			if got, err := secrets.Get(tx, id.Key()); err != nil {
				missing++
			} else if *got != (secret{id, fmt.Sprint(id)}) {
				wrong("secret", id, got)
			}
			if got, err := events.Get(tx, uint64(id)); err != nil {
				missing++
			} else if got.Op != int(id) {
				wrong("log row", id, got)
			}
		}
		for _, state := range []string{"a", "b"} {
			if n, err := things.Count(tx, state); err == nil && n != damagedRows/2 && n != 0 { // 0: the counter is gone
				wrong("counter "+state, 0, n)
			} else if err != nil || n == 0 {
				missing++
			}
		}
		return nil
	})
	if err != nil {
		missing++
	}
	return missing
}

func same(a, b *thing) bool {
	return a.ID == b.ID && a.Code == b.Code && a.Group == b.Group && a.State == b.State && a.Version == b.Version && slices.Equal(a.Tags, b.Tags)
}

// hotPlaces are what opening a file depends on: both metas, the root, the list of free pages, and the heads of pages.
func hotPlaces(file []byte, rng *rand.Rand) (from, to int) {
	const page = 4096
	newest := 0
	if binary.LittleEndian.Uint64(file[page+16+48:]) > binary.LittleEndian.Uint64(file[16+48:]) {
		newest = page
	}
	switch at := func(field int) int { return int(binary.LittleEndian.Uint64(file[newest+16+field:])) * page }; rng.IntN(5) {
	case 0:
		return 0, 80
	case 1:
		return page, page + 80
	case 2:
		return at(16), at(16) + page
	case 3:
		if list := at(32); list > 0 && list+page <= len(file) {
			return list, list + page
		}
	}
	head := rng.IntN(int(binary.LittleEndian.Uint64(file[16+40:]))) * page
	return head, head + 32
}

// damage spoils a file in one way and says which.
func damage(file []byte, n int, rng *rand.Rand) (spoilt []byte, how string) {
	const page = 4096
	b := bytes.Clone(file)
	from, to := 0, int(binary.LittleEndian.Uint64(file[16+40:]))*page // not the room that it has left to grow
	hot := "anywhere"
	if n/5%2 == 0 {
		from, to = hotPlaces(file, rng)
		hot = "in a hot place"
	}
	at := from + rng.IntN(to-from)
	switch n % 5 {
	case 0:
		b[at] ^= 1 << rng.IntN(8)
		how = "a bit flipped"
	case 1:
		at -= at % page
		clear(b[at:min(at+page, len(b))])
		how = "a page zeroed"
	case 2:
		if hot == "anywhere" && rng.IntN(2) == 0 {
			at -= at % page
		}
		b = b[:at]
		how = "cut off"
	case 3:
		end := min(at+1+rng.IntN(page), len(b))
		for i := at; i < end; i++ {
			b[i] = byte(rng.Uint32())
		}
		how = "random bytes"
	case 4:
		for range 2 + rng.IntN(30) {
			b[from+rng.IntN(to-from)] ^= 1 << rng.IntN(8)
		}
		how = "many bits flipped"
	}
	return b, fmt.Sprintf("%s %s at %d of %d", how, hot, at, len(file))
}

// A damaged file is refused, or its faults are found, or the damage is where nothing lies. It never takes the process
// down or holds it up, and nothing in it reads as something else.
func TestDamagedFiles(t *testing.T) {
	files := 60
	if long() {
		files = 1000
	}
	whole := wholeFiles(t)
	path := filepath.Join(t.TempDir(), "damaged.db")
	outcomes := map[string]int{}
	for n := range files {
		rng := rand.New(rand.NewPCG(uint64(n), 9))
		file, how := damage(whole[n%2], n/2, rng)
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		said := judged(t, path, how)
		word, _, _ := strings.Cut(said, ":")
		if outcomes[word]++; word != "refused" && word != "faults" && word != "whole" {
			kept := filepath.Join(os.TempDir(), fmt.Sprintf("damaged-%d.db", n))
			_ = os.WriteFile(kept, file, 0o600)
			t.Errorf("file %d, %s: %s (kept as %s)", n, how, said, kept)
		}
	}
	t.Logf("%d damaged files: %d refused, faults found in %d, %d harmless; no panic, no hang, no wrong value",
		files, outcomes["refused"], outcomes["faults"], outcomes["whole"])
	if outcomes["refused"] == 0 || outcomes["faults"] == 0 {
		t.Error("the damage proves nothing")
	}
}

// judged has a child judge the file, which may take 30 seconds.
func judged(t *testing.T, path, how string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := child(t, "judge", path)
	limited := exec.CommandContext(ctx, cmd.Path)
	limited.Env = cmd.Env
	out, err := limited.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%.2000s", how, err, out)
		return "fell"
	}
	return strings.TrimSpace(string(out))
}
