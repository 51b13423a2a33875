package backup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/go-co-op/gocron/v2"
	"github.com/jonboulle/clockwork"

	"goldfish/license"
	"goldfish/license/fault"
)

// What can be going on with the backups of a file, one at a time.
const (
	WorkBackup  = "backup"
	WorkPrune   = "prune"
	WorkCompact = "compact"
)

// lookEvery is how often the plan is looked at; what was missed while the appliance was down is made up after the
// first look.
const lookEvery = 30 * time.Second

// Keeper makes the backups of one open file: by its plan, by the console's button, by the command line, and never
// two at once. It also compacts the file, which a backup may not overlap. It is safe for concurrent use.
type Keeper struct {
	a    *license.Authority
	o    license.Options
	dir  string
	wake clockwork.Clock // of the plan's looks; the time itself is that of the options

	ctx  context.Context // ends with Run
	stop context.CancelFunc
	crew sync.WaitGroup

	mu    sync.Mutex
	work  string // what is going on, "" for nothing
	over  bool   // nothing more begins
	state license.BackupState

	noting sync.Mutex // one state after the other goes into the file
}

// Standing is how the backups stand.
type Standing struct {
	Plan  license.BackupPlan
	State license.BackupState
	Work  string    // what is going on: one of the words above, or ""
	Next  time.Time // the next planned time; zero without one
	Again time.Time // when a backup that failed is tried anew before that; zero if it is not
}

// NewKeeper makes the keeper of an open file, whose backups lie in dir. What an interruption has left there goes.
func NewKeeper(a *license.Authority, o license.Options, dir string) (*Keeper, error) {
	state, err := a.BackupState()
	if err != nil {
		return nil, err
	}
	k := &Keeper{a: a, o: o, dir: dir, wake: clockwork.NewRealClock(), state: state}
	k.ctx, k.stop = context.WithCancel(context.Background())
	left, _ := filepath.Glob(filepath.Join(escaped(dir), "*.part"))
	for _, path := range left {
		_ = os.Remove(path)
	}
	return k, nil
}

// Dir is where the backups lie.
func (k *Keeper) Dir() string { return k.dir }

// Run looks at the plan until ctx ends; then it stops what is going on and waits for it. Nothing begins afterwards.
func (k *Keeper) Run(ctx context.Context) {
	planned, err := k.schedule()
	if err != nil {
		logOf(k.o).Error("no backups will be made by themselves", "err", err)
	}
	<-ctx.Done()
	if planned != nil {
		if err := planned.Shutdown(); err != nil {
			logOf(k.o).Warn("the plan of the backups did not stop", "err", err)
		}
	}
	k.mu.Lock()
	k.over = true
	k.mu.Unlock()
	k.stop()
	k.crew.Wait()
}

// schedule has the plan looked at again and again. The look decides by the time of the day itself: so a step of the
// clock, a change of its zone or a night spent asleep neither doubles a backup nor loses one.
func (k *Keeper) schedule() (gocron.Scheduler, error) {
	s, err := gocron.NewScheduler(gocron.WithClock(k.wake))
	if err != nil {
		return nil, err
	}
	_, err = s.NewJob(gocron.DurationJob(lookEvery), gocron.NewTask(k.look), gocron.WithSingletonMode(gocron.LimitModeReschedule))
	if err != nil {
		return nil, errors.Join(err, s.Shutdown())
	}
	s.Start()
	return s, nil
}

// look begins the planned backup that is due.
func (k *Keeper) look() {
	if err := k.keepTime(); err != nil {
		logOf(k.o).Error("the plan of the backups could not be followed", "err", err)
	}
}

func (k *Keeper) keepTime() error {
	p, err := k.a.BackupPlan(license.System)
	if err != nil {
		return err
	}
	k.mu.Lock()
	before, busy := k.state, k.work != "" || k.over
	k.mu.Unlock()
	next, due, err := begin(p, before, k.o.Clock())
	if err != nil || busy || next == before {
		return err
	}
	begun := func(s *license.BackupState) {
		s.Slot, s.Tries, s.Done, s.Failed, s.Again, s.Lone = next.Slot, next.Tries, next.Done, next.Failed, next.Again, next.Lone
	}
	if !due {
		return k.note(begun)
	}
	return k.behind(WorkBackup, func() {
		_ = k.note(begun)
		k.try(next.Lone)
	})
}

// try makes the backup of a planned time. Where but its copy in the second folder is lacking, that alone is made.
func (k *Keeper) try(lone string) {
	var r *Report
	err := errNoBackup
	if lone != "" {
		err = k.recopy(lone)
	}
	if errors.Is(err, errNoBackup) {
		r, err = k.round()
	}
	if fault.Has(err, "backup_stopped") {
		return
	}
	_ = k.note(func(s *license.BackupState) {
		*s = ended(*s, (err == nil || r != nil) && s.Lone == "", k.o.Clock())
	})
}

// take begins a piece of work, or says that another is going on.
func (k *Keeper) take(work string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.over:
		return fault.New(fault.Unavailable, "backup_stopped")
	case k.work != "":
		return fault.New(fault.Conflict, "backup_running").With("work", k.work)
	}
	k.work = work
	k.crew.Add(1)
	return nil
}

func (k *Keeper) leave() {
	k.mu.Lock()
	k.work = ""
	k.mu.Unlock()
	k.crew.Done()
}

// behind does a piece of work in the background. Fault: backup_running.
func (k *Keeper) behind(work string, fn func()) error {
	if err := k.take(work); err != nil {
		return err
	}
	go func() {
		defer k.leave()
		fn()
	}()
	return nil
}

// Start makes a backup in the background. Faults: backup_running, backup_stopped.
func (k *Keeper) Start() error {
	return k.behind(WorkBackup, func() { _, _ = k.round() })
}

// Make makes a backup and waits for it. Faults: those of Start and of Make for a file.
func (k *Keeper) Make() (*Report, error) {
	if err := k.take(WorkBackup); err != nil {
		return nil, err
	}
	defer k.leave()
	return k.round()
}

// round makes a backup, copies it to the second folder, takes away what the plan does not keep, and notes how that
// went. The report is given if the backup itself is good.
func (k *Keeper) round() (*Report, error) {
	p, err := k.a.BackupPlan(license.System)
	if err != nil {
		return nil, err
	}
	r, err := produce(k.ctx, k.a, k.o, free(filepath.Join(k.dir, Name(k.o.Clock()))))
	if fault.Has(err, "backup_stopped") {
		return nil, err
	}
	now := k.o.Clock().UnixMilli()
	if r == nil {
		_ = k.note(func(s *license.BackupState) { s.Ended, s.Code, s.Why = now, fault.Of(err).Code, why(err) })
		return nil, err
	}
	var lack error
	if p.SecondFolder != "" {
		lack = copyTo(r, p.SecondFolder)
	}
	k.noteGood(r, lack, func(s *license.BackupState) { s.Good, s.Bytes = now, r.Bytes })
	_, perr := k.prune(p)
	if perr != nil {
		complain(k.a, k.o, Explain(k.dir, perr))
	}
	return r, err
}

// noteGood notes a good backup, and what keeps its copy from the second folder, nil if nothing does. With that it has
// all that was planned, whoever wanted it, and nothing is tried again.
func (k *Keeper) noteGood(r *Report, lack error, more func(*license.BackupState)) {
	code, lone := "", ""
	if lack != nil {
		code, lone = "second_folder_failed", filepath.Base(r.Path)
		complain(k.a, k.o, fault.New(fault.Unavailable, code).With("file", lone).Because(lack))
	}
	err := k.note(func(s *license.BackupState) {
		s.Ended, s.Code, s.Why, s.Lone = k.o.Clock().UnixMilli(), code, "", lone
		if lack == nil {
			s.Done, s.Again = true, 0
		}
		more(s)
	})
	if err != nil {
		logOf(k.o).Error("the state of the backups was not kept", "err", err)
	}
}

// why is the argument of a fault's sentence beside its path, "" for none.
func why(err error) string {
	args := fault.Of(err).Args
	for _, name := range []string{"error", "faults", "release"} {
		if v, ok := args[name]; ok {
			return fmt.Sprint(v)
		}
	}
	return ""
}

// note changes the state, here and in the file. A disk that takes nothing does not make it forgotten as long as the
// appliance runs.
func (k *Keeper) note(change func(*license.BackupState)) error {
	k.noting.Lock()
	defer k.noting.Unlock()
	k.mu.Lock()
	change(&k.state)
	state := k.state
	k.mu.Unlock()
	return k.a.KeepBackupState(state)
}

// Prune takes away what the plan does not keep, in both folders. Faults: those of Start, and of Explain.
func (k *Keeper) Prune(who license.Actor) (Pruned, error) {
	if err := who.Authorise(license.WriteFile); err != nil {
		return Pruned{}, err
	}
	if err := k.take(WorkPrune); err != nil {
		return Pruned{}, err
	}
	defer k.leave()
	p, err := k.a.BackupPlan(license.System)
	if err != nil {
		return Pruned{}, err
	}
	return k.prune(p)
}

// prune is Prune in both folders, with what is told of it. The sum of both is given.
func (k *Keeper) prune(p license.BackupPlan) (sum Pruned, err error) {
	for _, dir := range k.folders(p) {
		one, perr := Prune(dir, p, k.o.Clock())
		err = errors.Join(err, perr)
		for _, name := range one.Damaged {
			logOf(k.o).Error("a backup does not match its checksum", "folder", dir, "file", name)
			err = errors.Join(err, fault.New(fault.Unavailable, "backup_checksum").With("path", filepath.Join(dir, name)))
		}
		sum.Old, sum.Thinned, sum.Bytes, sum.Kept = sum.Old+one.Old, sum.Thinned+one.Thinned, sum.Bytes+one.Bytes, sum.Kept+one.Kept
		sum.Over, sum.Damaged = sum.Over || one.Over, append(sum.Damaged, one.Damaged...)
		err = errors.Join(err, k.tellPruned(one, dir))
	}
	now := k.o.Clock().UnixMilli()
	return sum, errors.Join(err, k.note(func(s *license.BackupState) {
		s.Over = sum.Over
		if sum.Thinned > 0 {
			s.Thin, s.ThinAt = sum.Thinned, now
		}
	}))
}

// tellPruned records what was taken away, and that the cap is exceeded even so.
func (k *Keeper) tellPruned(p Pruned, dir string) error {
	event := func(level license.Level, code string, args map[string]string) error {
		args["folder"] = dir
		return k.a.Record(license.System, license.Event{Kind: license.SystemBackupDeleted, Level: level, Code: code, Args: args})
	}
	var err error
	if p.Old > 0 {
		err = event(license.LevelInfo, "backups_outdated", map[string]string{"count": strconv.Itoa(p.Old)})
	}
	if p.Thinned > 0 {
		err = errors.Join(err, event(license.LevelWarning, "backups_thinned", map[string]string{"count": strconv.Itoa(p.Thinned)}))
	}
	return err
}

// folders are the two places of backups, the first one first.
func (k *Keeper) folders(p license.BackupPlan) []string {
	if p.SecondFolder == "" {
		return []string{k.dir}
	}
	return []string{k.dir, p.SecondFolder}
}

// Standing says how the backups stand.
func (k *Keeper) Standing(who license.Actor) (Standing, error) {
	p, err := k.a.BackupPlan(who)
	if err != nil {
		return Standing{}, err
	}
	k.mu.Lock()
	s := Standing{Plan: p, State: k.state, Work: k.work}
	k.mu.Unlock()
	if p.Enabled {
		if _, s.Next, err = slot(p, k.o.Clock()); err != nil {
			return Standing{}, err
		}
		s.Again = again(s.State, s.Next)
	}
	return s, nil
}
