package backup

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"goldfish/license"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) // a Monday

// shelf makes backups of some length by their age in days; those given as bad have another checksum.
func shelf(t *testing.T, bytes int, ages []int, bad ...int) string {
	t.Helper()
	dir := t.TempDir()
	for _, age := range ages {
		path := filepath.Join(dir, Name(noon.AddDate(0, 0, -age)))
		content := []byte(strings.Repeat("x", bytes-1) + "\n")
		err := os.WriteFile(path, content, 0o600)
		if err == nil {
			sum := hexOf(t, content)
			if slices.Contains(bad, age) {
				sum = hexOf(t, []byte("another"))
			}
			err = writeChecksum(path, sum)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// ages are those of the backups that are left, oldest first; each must still have its checksum.
func ages(t *testing.T, dir string) []int {
	t.Helper()
	all, err := List(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []int
	for _, b := range oldestFirst(all) {
		if !b.Summed {
			t.Errorf("%s has no checksum", b.Name())
		}
		out = append(out, int(noon.Sub(b.at).Hours())/24)
	}
	sums, err := filepath.Glob(filepath.Join(dir, "*.sha256"))
	if err != nil || len(sums) != len(out) {
		t.Errorf("%d checksums of %d backups, %v", len(sums), len(out), err)
	}
	return out
}

func count(from, to int) (out []int) {
	for age := from; age >= to; age-- {
		out = append(out, age)
	}
	return out
}

func TestPrune(t *testing.T) {
	plan := func(days int, most int64) license.BackupPlan {
		return license.BackupPlan{KeepDays: days, CapBytes: most}
	}
	for name, c := range map[string]struct {
		have []int
		bad  []int
		plan license.BackupPlan
		left []int
		want Pruned
	}{
		"nothing":                   {nil, nil, plan(30, 0), nil, Pruned{}},
		"young ones":                {count(3, 0), nil, plan(30, 0), count(3, 0), Pruned{Kept: 4}},
		"thirty days":               {count(40, 0), nil, plan(30, 0), count(30, 0), Pruned{Old: 10, Bytes: 1000, Kept: 31}},
		"the newest is old":         {[]int{300, 200, 100}, nil, plan(30, 0), []int{100}, Pruned{Old: 2, Bytes: 200, Kept: 1}},
		"the newest is old and bad": {[]int{300, 200, 100}, []int{100}, plan(30, 0), []int{200, 100}, Pruned{Old: 1, Bytes: 100, Kept: 2}},
		"the newest is bad":         {[]int{300, 200, 1}, []int{1}, plan(30, 0), []int{200, 1}, Pruned{Old: 1, Bytes: 100, Kept: 2}},
		"all are bad":               {[]int{300, 200, 100}, []int{300, 200, 100}, plan(30, 0), []int{100}, Pruned{Old: 2, Bytes: 200, Kept: 1}},
		"within the cap":            {count(9, 0), nil, plan(30, 1000), count(9, 0), Pruned{Kept: 10}},
		// Monday 0; Sundays are 1, 8, 15: weeks end there.
		"one too many":    {count(14, 0), nil, plan(30, 1400), slices.Concat(count(13, 0)), Pruned{Thinned: 1, Bytes: 100, Kept: 14}},
		"two weeks":       {count(14, 0), nil, plan(30, 900), slices.Concat([]int{8}, count(7, 0)), Pruned{Thinned: 6, Bytes: 600, Kept: 9}},
		"as far as weeks": {count(14, 0), nil, plan(30, 300), []int{8, 1, 0}, Pruned{Thinned: 12, Bytes: 1200, Kept: 3}},
		"even weeks are too many": {
			count(14, 0), nil, plan(30, 200), []int{8, 1, 0}, Pruned{Thinned: 12, Bytes: 1200, Kept: 3, Over: true},
		},
		"old and too many": {
			count(40, 0), nil, plan(10, 600), []int{8, 4, 3, 2, 1, 0}, Pruned{Old: 30, Thinned: 5, Bytes: 3500, Kept: 6},
		},
	} {
		dir := shelf(t, 100, c.have, c.bad...)
		got, err := Prune(dir, c.plan, noon)
		for _, age := range c.bad {
			if slices.Contains(c.left, age) && len(got.Damaged) == 0 {
				t.Errorf("%s: nothing is said of what is damaged", name)
			}
		}
		got.Damaged = nil
		if err != nil || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", c.want) {
			t.Errorf("%s: %v %+v, want %+v", name, err, got, c.want)
		}
		if left := ages(t, dir); !slices.Equal(left, c.left) {
			t.Errorf("%s: left are %v, want %v", name, left, c.left)
		}
		again, err := Prune(dir, c.plan, noon)
		if err != nil || again.Removed() != 0 {
			t.Errorf("%s, once more: %v %+v", name, err, again)
		}
	}
}

func TestPruneTouchesNothingElse(t *testing.T) {
	dir := shelf(t, 100, []int{500, 400, 0})
	others := []string{
		"mine.db", "mine.db.zst", "goldfish.db", "goldfish-2020.db", "goldfish-20200101T000000Z.db.txt", "goldfish-20200101T000000Z-x.db", "goldfish-20200101T000000Z-1.db.zst",
		"goldfish-20200101T000000Z.zst", "another.sha256", "mine.db.sha256", "notes.part", "goldfish-20261123T110000Z.db.zst.0123456789ab.part",
	}
	for _, name := range others {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "goldfish-20200101T000000Z.db"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "mine.db"), filepath.Join(dir, "goldfish-20200102T000000Z.db")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"goldfish-20200103T000000Z.db.zst.sha256", "goldfish-20200103T000000Z.db.zst.0123456789ab.part"} { // what interruptions left
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Prune(dir, license.BackupPlan{KeepDays: 30}, noon)
	if err != nil || got.Old != 2 {
		t.Errorf("%v %+v", err, got)
	}
	newest := Name(noon)
	want := append(slices.Clone(others), "goldfish-20200101T000000Z.db", "goldfish-20200102T000000Z.db", newest, newest+".sha256")
	slices.Sort(want)
	only(t, dir, want...)
}

func TestWhenABackupWasMade(t *testing.T) {
	for name, want := range map[string]bool{
		"goldfish-20261123T120000Z.db": true, "goldfish-20261123T120000Z.db.zst": true, "goldfish-20261123T120000Z-2.db.zst": true,
		"goldfish-20261123T120000Z-12.db": true, "goldfish-20261123T120000Z-1.db": false, "goldfish-20261123T120000Z--2.db": false, "goldfish-20261399T120000Z.db": false,
		"goldfish-.db": false, "goldfish-20261123T120000Z": true, "silverfish-20261123T120000Z.db": false,
	} {
		if at, ours := (Entry{Path: filepath.Join("x", name)}).made(); ours != want || ours && !at.Equal(noon) {
			t.Errorf("%s: %v %v", name, at, ours)
		}
	}
	for _, twice := range []string{"a.db", "a.db.zst"} {
		dir := t.TempDir()
		for _, want := range []string{twice, strings.Replace(twice, "a.", "a-2.", 1), strings.Replace(twice, "a.", "a-3.", 1)} {
			got := free(filepath.Join(dir, twice))
			if filepath.Base(got) != want {
				t.Errorf("%s, want %s", got, want)
			}
			if err := os.WriteFile(got, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}
