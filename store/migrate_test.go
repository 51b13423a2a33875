package store_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"goldfish/store"
)

// Two synthetic steps: the first fills what the second reads.
func migrations(fail error) []store.Migration {
	return []store.Migration{
		{Name: "first", Up: func(tx *store.Tx) error { return things.Put(tx, &thing{ID: 1, State: "a", Version: 1}) }},
		{Name: "second", Up: func(tx *store.Tx) error {
			v, err := things.Get(tx, store.ID(1).Key())
			if err != nil {
				return err
			}
			v.Version, v.State = v.Version+1, "b"
			if err := things.Put(tx, v); err != nil {
				return err
			}
			if fail != nil && fail != errWant {
				panic(fail)
			}
			return fail
		}},
	}
}

func TestMigrations(t *testing.T) {
	old := store.Schema{Magic: "store-test", Release: "1.0.0", Tables: []store.Described{events}}
	now := *schema()
	now.Release, now.Migrations = "2.0.0", migrations(nil)
	path := filepath.Join(t.TempDir(), "m.db")
	first := storetestOpen(t, &old, atPath(path))
	appendAll(t, first, 3)
	_ = first.Close()
	before := content(t, path)

	for _, fail := range []error{errWant, errors.New("a panic")} { // leaves the file as it was, each time
		broken := now
		broken.Migrations = migrations(fail)
		_, err := store.Open(path, options(&broken))
		if err == nil || !bytes.Contains([]byte(err.Error()), []byte(fail.Error())) {
			t.Errorf("a failing step: %v", err)
		}
		unchanged(t, path, before)
		mustHaveFiles(t, path, 1)
	}
	missing := old
	missing.Tables = append(missing.Tables, things)
	if _, err := store.Open(path, options(&missing)); err == nil {
		t.Error("a new table without a migration was taken")
	}

	after := storetestOpen(t, &now, atPath(path))
	if v := get(t, after, 1); v.Version != 2 || v.State != "b" {
		t.Errorf("%+v", v)
	}
	after.MustBeSound(t)
	_ = after.Close()
	mustHaveFiles(t, path, 2)
	backup := storetestOpen(t, &old, atPath(path+".before-v2"))
	if rows := backup.MustBeSound(t); rows["events"] != 3 {
		t.Errorf("the snapshot holds %v", rows)
	}

	newest := content(t, path)
	_, err := store.Open(path, options(&old))
	var newer *store.NewerError
	if !errors.Is(err, store.ErrNewer) || !errors.As(err, &newer) || newer.Release != "2.0.0" {
		t.Errorf("an older binary: %v", err)
	}
	unchanged(t, path, newest)
	again := storetestOpen(t, &now, atPath(path)) // nothing is due any more
	if v := get(t, again, 1); v.Version != 2 {
		t.Errorf("%+v", v)
	}
}

// An older binary's work between two migrations is in the second snapshot, and the first one stays.
func TestMigratedTwice(t *testing.T) {
	old, now := schema(), schema()
	now.Migrations = migrations(nil)
	dir := t.TempDir()
	for n := range 2 {
		path := filepath.Join(dir, "m.db")
		db := storetestOpen(t, old, atPath(path))
		appendAll(t, db, 1)
		_ = db.Close()
		_ = storetestOpen(t, now, atPath(path)).Close()
		mustHaveFiles(t, path, n+2)
		if err := os.Rename(path, filepath.Join(t.TempDir(), "m.db")); err != nil {
			t.Fatal(err)
		}
	}
}

func mustHaveFiles(t *testing.T, path string, n int) {
	t.Helper()
	if files, _ := filepath.Glob(path + "*"); len(files) != n {
		t.Errorf("files: %v", files)
	}
}

// What a migration tells of itself goes from nothing to all of it.
func TestMigrationTellsHowFarItIs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.db")
	_ = open(t, atPath(path)).Close()
	now := *schema()
	now.Migrations = migrations(nil)
	o := options(&now)
	var told []int64
	o.Progress = func(done, total int64) {
		if total <= 0 || done > total {
			t.Errorf("%d of %d", done, total)
		}
		told = append(told, done*100/total)
	}
	for range 2 { // the second time there is nothing to do
		db, err := store.Open(path, o)
		if err == nil {
			err = db.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if !slices.IsSorted(told) || told[0] != 0 || told[len(told)-1] != 100 || len(slices.Compact(told)) < 4 {
		t.Errorf("%v", told)
	}
}

// childMigrate opens a file with a newer schema, and stops for good at a step of the migration.
func childMigrate(arg string) {
	stop, path, _ := strings.Cut(arg, " ")
	left, err := strconv.Atoi(stop)
	must(err)
	now := *schema()
	now.Migrations = migrations(nil)
	o := options(&now)
	o.Progress = func(int64, int64) {
		if left--; left == 0 {
			fmt.Println("here")
			select {}
		}
	}
	db, err := store.Open(path, o)
	must(err)
	must(db.Close())
	fmt.Println("done")
}

// A process that is killed anywhere in a migration leaves the old file as it was, for the old binary and for the
// new one, and one snapshot at most.
func TestKillInTheMiddleOfAMigration(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.db")
	db := open(t, atPath(path))
	appendAll(t, db, 100)
	_ = db.Close()
	before := content(t, path)
	said := ""
	for stop := 1; said != "done\n"; stop++ {
		cmd := child(t, "migrate", fmt.Sprint(stop)+" "+path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		said, _ = bufio.NewReader(out).ReadString('\n')
		if said == "done\n" {
			if stop < 5 {
				t.Errorf("only %d places", stop)
			}
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
			break
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		unchanged(t, path, before)
	}
	mustHaveFiles(t, path, 2)
	backup := open(t, atPath(path+".before-v2"))
	if rows := backup.MustBeSound(t); rows["events"] != 100 {
		t.Errorf("the snapshot holds %v", rows)
	}
	now := *schema()
	now.Migrations = migrations(nil)
	after := storetestOpen(t, &now, atPath(path))
	if v := get(t, after, 1); v.Version != 2 || after.MustBeSound(t)["events"] != 100 {
		t.Errorf("%+v", v)
	}
}
