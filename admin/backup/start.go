package backup

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"goldfish/license"
	"goldfish/license/fault"
	"goldfish/store"
)

// Checks watches over an appliance's file at its start: BeforeOpen, then the opening, Mend where that fails, Opened,
// and at the end Closed.
type Checks struct {
	path    string
	backups string // the folder that is always there …
	second  string // … and the one of the plan, "" for none
	o       license.Options

	mu      sync.Mutex
	last    LastCheck
	whole   bool // the file was checked whole before it was opened
	pending bool // not all of it was read since a crash
}

// LastCheck is how the newest check of the whole file ended. At is zero if there was none.
type LastCheck struct {
	At      time.Time `json:"at"`
	OK      bool      `json:"ok"`
	Faults  int       `json:"faults"`
	Running bool      `json:"-"` // another is under way
}

// NewChecks watches over the file at path, which is opened with o; its backups lie in the folder named.
func NewChecks(path, backups string, o license.Options) *Checks {
	c := &Checks{path: path, backups: backups, o: o}
	if t := recall(o.StateDir, path); t != nil && t.Last != nil {
		c.last = *t.Last
	}
	return c
}

// CheckBeforeOpen is NewChecks(…).BeforeOpen.
func CheckBeforeOpen(ctx context.Context, path string, o license.Options, tell func(done, total int64)) error {
	return NewChecks(path, filepath.Join(filepath.Dir(path), "backups"), o).BeforeOpen(ctx, tell)
}

// BeforeOpen looks at a file that is not the one of the last time, in a process of its own, before it is opened: one
// that was copied or restored by hand, or that anybody has written to. Of our own file after a crash the opening
// itself checks the pages, and Opened the rest. tell, which may be nil, hears how far it is.
//
// A damaged newest state is put aside (see Mend). Faults: those of Mend, and of Examine. A file that is not there,
// or in use, is the opening's to refuse.
func (c *Checks) BeforeOpen(ctx context.Context, tell func(done, total int64)) error {
	c.whole = false
	if _, err := os.Stat(c.path); errors.Is(err, fs.ErrNotExist) || recall(c.o.StateDir, c.path).same(c.path) {
		return nil
	}
	c.sweep()
	r, err := c.examine(ctx, tell)
	if err != nil {
		f := Explain(c.path, err)
		if f.Code == "file_locked" || ctx.Err() != nil {
			return ctx.Err()
		}
		return f
	}
	c.set(LastCheck{At: c.o.Clock(), OK: r.Good(), Faults: len(r.Faults)})
	if !r.Good() {
		return c.mend(ctx, r)
	}
	c.whole = true
	logOf(c.o).Info("the file came from elsewhere and passed its check", "path", c.path, "seal", r.Seal, "newest", r.Newest)
	return nil
}

// sweep takes away what a check has left whose process was killed.
func (c *Checks) sweep() {
	left, _ := filepath.Glob(filepath.Join(escaped(filepath.Dir(c.path)), scratchPrefix+"*"))
	for _, dir := range left {
		if abandoned(dir) {
			_ = os.RemoveAll(dir)
		}
	}
}

func (c *Checks) examine(ctx context.Context, tell func(done, total int64)) (*Report, error) {
	q := question{Path: c.path, Scratch: filepath.Dir(c.path), Release: c.o.Release, Key: c.o.MachineKey, Place: true}
	return examine(ctx, q, logOf(c.o), tell)
}

func (c *Checks) set(last LastCheck) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = last
}

// Last is how the newest check ended.
func (c *Checks) Last() LastCheck {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// Mend is asked when the file does not open: err says why. If its newest state is damaged and the one before that is
// good, the file is put aside under another name, the good state stands in its place, and the answer is nil: open it
// again. Everything else is the fault to end with; it names the newest good backup, if there is one. An error that
// does not tell of damage comes back as it is.
func (c *Checks) Mend(ctx context.Context, err error) error {
	if !errors.Is(err, store.ErrDamaged) && !errors.Is(err, store.ErrTruncated) {
		return err
	}
	r, xerr := c.examine(ctx, nil)
	if xerr != nil || r.Good() {
		return err
	}
	c.set(LastCheck{At: c.o.Clock(), Faults: len(r.Faults)})
	return c.mend(ctx, r)
}

func (c *Checks) mend(ctx context.Context, r *Report) error {
	log := logOf(c.o)
	for _, text := range r.Faults {
		log.Error("the data file has a fault", "path", c.path, "fault", text)
	}
	if r.Salvageable() {
		c.whole = true
		kept, err := c.salvage(r)
		if err != nil {
			return Explain(c.path, err)
		}
		log.Error("THE NEWEST STATE OF THE DATA FILE IS DAMAGED. The one before it is in force; what the last commit acknowledged may be missing. "+
			"The damaged file was kept", "kept", kept, "newest event", r.Older.Newest)
		return nil
	}
	return c.refuse(ctx, r)
}

// refuse names the newest good backup of the appliance, where there is one.
func (c *Checks) refuse(ctx context.Context, r *Report) error {
	folders := append([]string{c.backups}, KnownFolders(c.o.StateDir, c.path)...)
	if t := recall(c.o.StateDir, c.path); t != nil && r.Appliance == "" {
		r.Appliance = t.UUID
	}
	f := fault.New(fault.Unavailable, r.Code).With("path", c.path)
	if good := NewestGood(ctx, folders, r.Appliance, c.o); good != nil {
		f = fault.New(fault.Unavailable, "file_damaged_backup").With("path", c.path).With("backup", good.Path).With("newest", stamped(good.Newest))
	}
	if len(r.Faults) > 0 {
		f = f.Because(errors.New(r.Faults[0]))
	}
	return f
}

// stamped is a time as sentences show it.
func stamped(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// salvage puts the state before the newest in the place of the file, which is kept under another name. The epoch
// rises, as after a restore: what the lost commit gave out is never given out again.
func (c *Checks) salvage(r *Report) (kept string, err error) {
	tmp, err := scratch(c.path)
	if err != nil {
		return "", err
	}
	defer tidy(tmp)
	if err := store.Salvage(c.path, tmp); err != nil {
		return "", err
	}
	if _, err := raise(tmp, r.Older.Epoch, c.o); err != nil {
		return "", err
	}
	if err := inherit(tmp); err != nil {
		return "", err
	}
	now := &place{file: c.path, there: true}
	if kept, err = now.replace(tmp, "damaged", c.o.Clock()); err != nil {
		return "", err
	}
	n := news{Kind: uint16(license.SystemError), Code: "file_salvaged", Args: map[string]string{"kept": filepath.Base(kept)}, At: c.o.Clock()}
	return kept, n.leave(c.path)
}

// Opened notes that the file is ours, tells in its events what happened to it while it was closed, and gives what is
// to run beside the appliance: after a crash every checksum and seal is read, slowly. It ends when its context does.
func (c *Checks) Opened(a *license.Authority) func(context.Context) {
	log, uuid := logOf(c.o), a.DB().UUID().String()
	if p, err := a.BackupPlan(license.System); err == nil {
		c.second = p.SecondFolder
	}
	was := recall(c.o.StateDir, c.path)
	c.pending = !c.whole && (!a.DB().Clean() || (was != nil && was.Pending))
	c.note(uuid, false)
	all, err := readNews(c.path)
	for _, n := range all {
		e := license.Event{Kind: license.EventKind(n.Kind), Level: license.LevelInfo, Code: n.Code, Args: n.Args}
		if e.Kind == license.SystemError {
			e.Level = license.LevelCritical
		}
		err = errors.Join(err, a.Record(license.System, e))
	}
	if err == nil && len(all) > 0 {
		err = os.Remove(newsPath(c.path))
	}
	if err != nil {
		log.Error("what happened to the file while it was closed could not be told", "path", c.path, "err", err)
	}
	return func(ctx context.Context) {
		if c.pending {
			c.scrub(ctx, a)
		}
		c.follow(ctx, uuid)
	}
}

// followEvery is how often it is looked whether another file has taken the place of ours by our own hand.
const followEvery = 15 * time.Second

// follow keeps the trace up to date until ctx ends: a compaction puts a new file in the place of the open one.
func (c *Checks) follow(ctx context.Context, uuid string) {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if t := recall(c.o.StateDir, c.path); t != nil && !t.same(c.path) {
				c.note(uuid, false)
			}
		}
	}
}

// Closed notes that the file was closed in order, and how it lies there now. It may only be called after that.
func (c *Checks) Closed() {
	if t := recall(c.o.StateDir, c.path); t != nil {
		c.note(t.UUID, true)
	}
}

func (c *Checks) note(uuid string, stopped bool) {
	last, folders := c.Last(), []string{c.backups}
	if c.second != "" {
		folders = append(folders, c.second)
	}
	t := &trace{Path: c.path, UUID: uuid, Stopped: stopped, Pending: c.pending, Folders: folders, Last: &last}
	if err := t.keep(c.o.StateDir); err != nil {
		logOf(c.o).Warn("the state folder could not be written: the next start checks the whole file", "folder", c.o.StateDir, "err", err)
	}
}

// scrub reads every value beside the appliance's own work, and tells loudly of what is wrong.
func (c *Checks) scrub(ctx context.Context, a *license.Authority) {
	log, began := logOf(c.o), time.Now()
	c.running(true)
	defer c.running(false)
	values, faults := a.DB().Scrub(ctx, gently(ctx))
	if ctx.Err() != nil || a.DB().Closed() {
		return // the next start begins anew
	}
	c.set(LastCheck{At: c.o.Clock(), OK: len(faults) == 0, Faults: len(faults)})
	c.pending = false
	c.note(a.DB().UUID().String(), false)
	log.Info("the file was checked after a crash", "values", values, "faults", len(faults), "took", time.Since(began))
	if len(faults) == 0 {
		return
	}
	for _, err := range faults {
		log.Error("the data file has a fault", "path", c.path, "err", err)
	}
	e := license.Event{Kind: license.SystemError, Level: license.LevelCritical, Code: "file_faults", Args: map[string]string{"faults": strconv.Itoa(len(faults))}}
	if err := a.Record(license.System, e); err != nil {
		log.Error("a fault of the file could not be recorded", "err", err)
	}
}

func (c *Checks) running(now bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last.Running = now
}

// gently gives a rest of four times as long as the step before it took: a fifth of one processor at most.
func gently(ctx context.Context) func() {
	from := time.Now()
	return func() {
		t := time.NewTimer(4 * time.Since(from))
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
		}
		from = time.Now()
	}
}

// when is the time that a backup's name tells, else that of its last change.
func (e Entry) when() time.Time {
	if t, ok := e.made(); ok {
		return t
	}
	return e.Changed
}

// mostCandidates is how many backups are looked at in search of a good one.
const mostCandidates = 30

// NewestGood looks through folders of backups, newest first, for one that passes its check, of the appliance that is
// named ("": of any). It gives nil where there is none.
func NewestGood(ctx context.Context, folders []string, appliance string, o license.Options) *Report {
	var all []Entry
	seen := map[string]bool{}
	for _, dir := range folders {
		if entries, err := List(dir); err == nil && !seen[dir] {
			all = append(all, entries...)
		}
		seen[dir] = true
	}
	slices.SortStableFunc(all, func(a, b Entry) int { return b.when().Compare(a.when()) })
	for _, e := range all[:min(len(all), mostCandidates)] {
		r, err := Examine(ctx, e.Path, o, nil)
		if ctx.Err() != nil {
			return nil
		}
		if err == nil && r.Good() && (appliance == "" || r.Appliance == appliance) {
			return r
		}
	}
	return nil
}
