package store_test

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"os"
	"sync/atomic"
	"testing"

	"goldfish/store"
	"goldfish/store/storetest"
)

const crashCallers = 64

// childWrite changes rows from many callers at once and names each on its output once the disk has it. A
// tenth of the functions fails after its put.
func childWrite(path string) {
	db, err := store.Open(path, options(schema()))
	must(err)
	next := atomic.Uint64{}
	must(db.View(func(tx *store.Tx) error {
		for v, err := range things.Scan(tx, store.Range{Back: true}) {
			must(err)
			next.Store(uint64(v.ID))
			break
		}
		return nil
	}))
	for range crashCallers {
		go func() {
			for {
				id := store.ID(next.Add(1))
				bad := id%10 == 0
				err := db.Update(func(tx *store.Tx) error {
					v := &thing{ID: id, Code: fmt.Sprintf("code-%d", uint64(id)*0x9E3779B97F4A7C15), State: "a", Version: uint64(id)}
					if err := things.Put(tx, v); err != nil {
						return err
					}
					if _, err := events.Append(tx, &event{Op: int(id)}); err != nil || !bad {
						return err
					}
					return errWant
				})
				if bad {
					continue
				}
				must(err)
				_, err = os.Stdout.Write(binary.BigEndian.AppendUint64(nil, uint64(id))) // one write is one piece
				must(err)
			}
		}()
	}
	select {}
}

// A process that is killed in the middle of its work loses nothing that it has acknowledged, keeps nothing of
// what failed, and leaves a sound file. The file goes on from round to round.
func TestKillLosesNothing(t *testing.T) {
	rounds := 20
	switch {
	case long():
		rounds = 200
	case testing.Short():
		rounds = 5
	}
	path := t.TempDir() + "/crash.db"
	acknowledged := map[store.ID]bool{}
	for range rounds {
		cmd := child(t, "write", path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(out)
		var b [8]byte
		end := 100 + mrand.IntN(1500)
		for n := 0; ; n++ {
			if n == end {
				_ = cmd.Process.Kill()
			}
			if _, err := io.ReadFull(r, b[:]); err != nil {
				break
			}
			acknowledged[store.ID(binary.BigEndian.Uint64(b[:]))] = true
		}
		_ = cmd.Wait()
		if t.Failed() {
			return
		}
		mustHaveKept(t, path, acknowledged)
	}
	t.Logf("%d acknowledged", len(acknowledged))
	if len(acknowledged) < rounds*100 {
		t.Errorf("only %d acknowledged: the rounds prove nothing", len(acknowledged))
	}
}

func mustHaveKept(t *testing.T, path string, acknowledged map[store.ID]bool) {
	t.Helper()
	db := open(t, atPath(path), storetest.WithCache(0))
	rows := db.MustBeSound(t)
	if rows["things"] != rows["events"] {
		t.Errorf("%d rows, %d in the log", rows["things"], rows["events"])
	}
	err := db.View(func(tx *store.Tx) error {
		for id := range acknowledged {
			if v, err := things.Get(tx, id.Key()); err != nil || v.Version != uint64(id) {
				t.Errorf("acknowledged %d: %+v, %v", id, v, err)
			}
		}
		for seq, e := range events.After(tx, 0) {
			if e.Op%10 == 0 || !things.Has(tx, store.ID(e.Op).Key()) {
				t.Errorf("log row %d of a failed function, or without its row: %d", seq, e.Op)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}
