package backup

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"goldfish/license"
)

// Pruned says what was taken away from a folder.
type Pruned struct {
	Old     int      `json:"old"`     // past their days
	Thinned int      `json:"thinned"` // by the cap
	Bytes   int64    `json:"bytes"`   // of both
	Kept    int      `json:"kept"`
	Over    bool     `json:"over"`    // what is kept is more than the cap
	Damaged []string `json:"damaged"` // names of newer backups that do not match their checksums
}

// Removed is how many were taken away.
func (p Pruned) Removed() int { return p.Old + p.Thinned }

// Prune takes away the backups of a folder that the plan does not keep: those older than its days, and where all are
// more than its cap, of the older ones all but the newest of each week, until they fit. The newest one and the
// newest that matches its checksum stay whatever their age. Files whose names are not those of our backups are not
// counted and not touched.
func Prune(dir string, p license.BackupPlan, now time.Time) (Pruned, error) {
	all, err := List(dir)
	if err != nil {
		return Pruned{}, err
	}
	ours := oldestFirst(all)
	var out Pruned
	keep := map[string]bool{}
	for i, b := range slices.Backward(ours) {
		sound, err := b.sound()
		if err != nil {
			return out, Explain(b.Path, err)
		}
		if sound || i == len(ours)-1 {
			keep[b.Path] = true
		}
		if sound {
			break
		}
		out.Damaged = append(out.Damaged, b.Name())
	}
	rest := out.outdated(ours, keep, now.AddDate(0, 0, -p.KeepDays))
	rest = out.thin(rest, keep, p.CapBytes, now.Location())
	out.Kept = len(rest)
	return out, out.remove(dir, ours, rest, now)
}

// kept is a backup with the time of its making.
type kept struct {
	Entry
	at time.Time
}

// oldestFirst gives those of the entries that are ours, in the order of their making.
func oldestFirst(all []Entry) []kept {
	var out []kept
	for _, e := range all {
		if at, ours := e.made(); ours {
			out = append(out, kept{e, at})
		}
	}
	slices.SortStableFunc(out, func(a, b kept) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(len(a.Name()), len(b.Name())), cmp.Compare(a.Name(), b.Name()))
	})
	return out
}

// sound says whether the file matches the checksum beside it.
func (k kept) sound() (bool, error) {
	if !k.Summed {
		return false, nil
	}
	sum, err := sumFile(k.Path)
	if err != nil {
		return false, err
	}
	return compare(k.Path, sum) == nil, nil
}

// outdated leaves out what was made before a time.
func (p *Pruned) outdated(all []kept, keep map[string]bool, before time.Time) (rest []kept) {
	for _, b := range all {
		if b.at.Before(before) && !keep[b.Path] {
			p.Old++
			p.Bytes += b.Bytes
			continue
		}
		rest = append(rest, b)
	}
	return rest
}

// thin leaves out, oldest first, what is not the newest of its week (ISO 8601), until the rest is within the cap.
func (p *Pruned) thin(all []kept, keep map[string]bool, most int64, zone *time.Location) (rest []kept) {
	total := int64(0)
	for _, b := range all {
		total += b.Bytes
	}
	week := func(b kept) [2]int {
		year, n := b.at.In(zone).ISOWeek()
		return [2]int{year, n}
	}
	for i, b := range all {
		newest := i == len(all)-1 || week(all[i+1]) != week(b)
		if most == 0 || total <= most || newest || keep[b.Path] {
			rest = append(rest, b)
			continue
		}
		p.Thinned++
		p.Bytes += b.Bytes
		total -= b.Bytes
	}
	p.Over = most > 0 && total > most
	return rest
}

// remove takes away what is not among the rest, and what interruptions have left.
func (p *Pruned) remove(dir string, all, rest []kept, now time.Time) error {
	var errs []error
	gone := func(path string) {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, Explain(path, err))
		}
	}
	for _, b := range all {
		if !slices.ContainsFunc(rest, func(k kept) bool { return k.Path == b.Path }) {
			gone(b.Path)
		}
	}
	left, err := leftovers(dir, now)
	for _, path := range left {
		gone(path)
	}
	if len(errs) == 0 && err == nil && p.Removed() > 0 {
		err = syncDir(dir)
	}
	return errors.Join(append(errs, err)...)
}

// leftovers are checksums of ours without a backup, and backups that were begun more than a day ago: what is younger
// may be another appliance's work.
func leftovers(dir string, now time.Time) ([]string, error) {
	files, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var out []string
	for _, f := range files {
		path, sum := strings.CutSuffix(filepath.Join(dir, f.Name()), checksumPath(""))
		begun, part := strings.CutSuffix(path, ".part")
		if part { // name.db.zst.0123456789ab.part
			path = strings.TrimSuffix(begun, filepath.Ext(begun))
		}
		at, ours := (Entry{Path: path}).made()
		_, gone := os.Lstat(path)
		switch {
		case !ours:
		case part && at.Before(now.AddDate(0, 0, -1)), sum && !part && errors.Is(gone, fs.ErrNotExist):
			out = append(out, filepath.Join(dir, f.Name()))
		}
	}
	return out, err
}

// escaped keeps a folder's name from being taken for a pattern.
func escaped(dir string) string {
	if filepath.Separator == '\\' { // where a pattern knows no escapes, the name is taken as it is
		return dir
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}
