package admin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"goldfish/admin/backup"
	"goldfish/admin/config"
	"goldfish/admin/control"
	"goldfish/license"
)

// life takes an appliance through its phases: it opens the file, lives in the house that is built over it, leaves the
// house when the file is to be exchanged, and opens it again. One goroutine decides. Listeners, servers and the
// control line outlast it all: what answers there is exchanged on a stage.
type life struct {
	Appliance
	opts    license.Options
	keyless error // why there is no machine key: nil, or machine_key_missing
	told    config.Ready
	tell    func(config.Ready)
	started func()
	*standing

	console, client, orders stage
	closed                  [3]Door // what answers on these while no house stands
	gates                   []*gate
	checks                  *backup.Checks
	line                    *control.Line
	shutOnce                sync.Once
	lived                   bool // a house has stood

	opened chan opening    // from the sealed doors
	up     chan struct{}   // of an opening: to be closed when the house answers
	over   <-chan struct{} // closed when nobody takes an opening any more
}

// order is to exchange the file.
type order struct {
	work string
	fn   func() error
}

// run lives until ctx ends or a listener fails.
func (l *life) run(ctx context.Context, at [2]net.Listener) (err error) {
	if l.closed, err = l.closedDoors(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l.opened, l.over = make(chan opening), ctx.Done()
	l.checks = backup.NewChecks(l.told.File, l.Settings.Backups(), l.opts)
	failed := make(chan error, len(at))
	l.show(l.closed)
	for i, handler := range []http.Handler{Hosts(l.Settings.ConsoleListen.Host, &l.console), &l.client} {
		l.gates = append(l.gates, openGate(l.Log, at[i], handler, func(err error) { failed <- err; cancel() }))
	}
	err = l.live(ctx)
	cancel()
	l.shut()
	select {
	case why := <-failed:
		err = errors.Join(why, err)
	default:
	}
	return err
}

func (l *life) live(ctx context.Context) error {
	for ctx.Err() == nil {
		a, err := l.open(ctx)
		if err != nil || a == nil {
			return err
		}
		next, err := l.inhabit(ctx, a)
		if err != nil || next == nil {
			return err
		}
		l.exchange(next)
	}
	return nil
}

// reopens is how long to wait before each further try to open a file that was open before: another program may be
// reading it just then.
var reopens = [...]time.Duration{250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second}

// open opens the file, or has it opened by its owner: nil if ctx ended first. At the first start one that does not open
// ends the appliance at once.
func (l *life) open(ctx context.Context) (*license.Authority, error) {
	became := l.failure()
	for n := 0; ; n++ {
		a, err := l.openFile(ctx)
		if errors.Is(err, license.ErrMachineKey) {
			l.setFailure(became)
			a, err = l.openSealed(ctx)
		}
		if err == nil || ctx.Err() != nil {
			l.setFailure(became)
			return a, nil
		}
		f := backup.Explain(l.told.File, err)
		if !l.lived || n == len(reopens) {
			return nil, f
		}
		l.Log.Error("the file does not open again", "err", err)
		l.setFailure(f)
		select {
		case <-ctx.Done():
			return nil, nil
		case <-time.After(reopens[n]):
		}
	}
}

// openFile checks a file that came from elsewhere, and opens it. One whose newest state is damaged is opened as it was
// before that, if it was good then.
func (l *life) openFile(ctx context.Context) (*license.Authority, error) {
	if err := l.checks.BeforeOpen(ctx, l.progress("check")); err != nil || ctx.Err() != nil {
		return nil, err
	}
	if err := l.haveKey(); err != nil {
		return nil, err
	}
	a, err := license.Open(l.told.File, l.openWith())
	if err == nil || errors.Is(err, license.ErrMachineKey) {
		return a, err
	}
	if err := l.checks.Mend(ctx, err); err != nil {
		return nil, err
	}
	return license.Open(l.told.File, l.openWith())
}

// openWith are the options with which the file itself is opened: an older one tells how far it is brought up to date.
func (l *life) openWith() license.Options {
	o := l.opts
	o.Progress = l.progress("migrate")
	return o
}

// progress hears how far a work at the opening is. One that takes its time counts as a start: whoever waits for that
// must not lose patience.
func (l *life) progress(work string) func(done, total int64) {
	return func(done, total int64) {
		l.setProgress(work, done, total)
		l.started()
	}
}

// exchange does the work for which the file was closed. One that fails has brought back what was there before.
func (l *life) exchange(o *order) {
	err := func() (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			}
		}()
		return o.fn()
	}()
	if err != nil { // setWorking has cleared what there was
		l.Log.Error("the file was not exchanged", "work", o.work, "err", err)
		l.setFailure(backup.Explain(l.told.File, err))
	}
}

// hear opens the control line, once the file is held: a socket that lies there then is nobody's.
func (l *life) hear() (err error) {
	if l.line != nil {
		return nil
	}
	if l.line, err = control.Listen(l.Settings.Data, &l.orders); err != nil {
		return backup.Explain(l.Settings.Data, err)
	}
	return nil
}

// show exchanges what answers on the stages, and gives what did.
func (l *life) show(doors [3]Door) (before [3]*scene) {
	for i, t := range l.stages() {
		before[i] = t.show(doors[i])
	}
	return before
}

func (l *life) stages() [3]*stage { return [3]*stage{&l.console, &l.client, &l.orders} }

// shut ends listeners, servers and the control line, and what answers there: calls under way are finished, for at most
// drainMost. Orders of the command line are cut off: a backup may take as long as it likes.
func (l *life) shut() {
	l.shutOnce.Do(func() {
		l.setEnding()
		short, cancel := context.WithTimeout(context.Background(), drainMost)
		defer cancel()
		cut, cutNow := context.WithCancel(short)
		cutNow()
		var all sync.WaitGroup
		for i, s := range l.show(l.closed) {
			patience := short
			if l.stages()[i] == &l.orders {
				patience = cut
			}
			all.Go(func() { s.end(patience, l.Log) })
		}
		for _, g := range l.gates {
			all.Go(func() { g.close(short, l.Log) })
		}
		all.Wait()
		if l.line == nil {
			return
		}
		if err := l.line.Close(cut); err != nil && !errors.Is(err, context.Canceled) {
			l.Log.Error("the control line was not closed", "err", err)
		}
	})
}
