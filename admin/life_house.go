package admin

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"goldfish/admin/backup"
	"goldfish/license"
	"goldfish/license/fault"
)

// house is what stands over the open file.
type house struct {
	owner *license.Authority
	doors [3]Door // for the stages
	shown bool
	stop  context.CancelFunc
	crew  sync.WaitGroup
	asked atomic.Bool
	order chan order
}

// inhabit builds the house and answers in it until ctx ends or the file is to be exchanged: next says for what. The
// file is closed then.
func (l *life) inhabit(ctx context.Context, a *license.Authority) (next *order, err error) {
	h, err := l.build(ctx, a)
	if err != nil {
		return nil, errors.Join(err, l.leave(ctx, h))
	}
	l.setReady(a)
	l.show(h.doors)
	h.shown = true
	if l.up != nil {
		close(l.up)
		l.up = nil
	}
	l.Log.Info("ready", "version", l.Version, "console", l.told.Console, "client", l.told.Client, "file", l.told.File)
	l.tell(l.told)
	l.started()
	select {
	case <-ctx.Done():
	case o := <-h.order:
		next = &o
		l.setWorking(o.work)
	}
	return next, l.leave(ctx, h)
}

// build makes the house over the file and begins what runs in it. After an error the house is to be left all the same.
func (l *life) build(ctx context.Context, a *license.Authority) (*house, error) {
	crew, stop := context.WithCancel(context.WithoutCancel(ctx))
	h := &house{owner: a, stop: stop, order: make(chan order, 1)}
	stands, err := a.FirstPasswordStands()
	if err = errors.Join(err, l.Settings.Beyond(stands)); err != nil {
		return h, err
	}
	l.told.User, l.told.Password = "", ""
	if stands {
		l.told.User, l.told.Password = license.FirstUsername, license.FirstPassword
	}
	k, err := backup.NewKeeper(a, l.opts, l.Settings.Backups())
	if err != nil {
		return h, err
	}
	var beside []func(context.Context)
	h.doors[0], h.doors[1], beside, err = l.Build(a, Options{
		Release: l.Version, Started: l.opts.Clock(), DataFile: l.told.File, ConsoleURL: l.told.Console, ClientURL: l.told.Client,
		Exchange: h.exchange, State: l.state, Checks: l.checks, Backups: k,
	})
	if err != nil {
		return h, err
	}
	h.doors[2].Handler = keyringLine(a, k.Handler())
	if err := l.hear(); err != nil {
		return h, err
	}
	l.record(a)
	for _, run := range append(beside, k.Run, l.checks.Opened(a)) {
		h.crew.Go(func() { run(crew) })
	}
	return h, nil
}

// record writes down that the appliance began, or that an exchange of the file failed.
func (l *life) record(a *license.Authority) {
	e := license.Event{Kind: license.SystemStarted, Level: license.LevelInfo}
	if l.lived {
		f := l.failure()
		if f == nil {
			return
		}
		e = license.Event{Kind: license.SystemError, Level: license.LevelError, Code: f.Code}
	}
	l.lived = true
	if err := a.Record(license.System, e); err != nil {
		l.Log.Error("an event of the appliance was not recorded", "event", e.Kind.String(), "err", err)
	}
}

// busyAgain is when whoever came upon work under way should come again.
const busyAgain = 5 * time.Second

// exchange is admin.Options.Exchange.
func (h *house) exchange(work string, fn func() error) error {
	if !h.asked.CompareAndSwap(false, true) {
		return fault.New(fault.Unavailable, "busy").After(busyAgain)
	}
	h.order <- order{work, fn}
	return nil
}

// leave ends the house: calls under way, sockets, what runs beside, and the file. When ctx has ended the servers end
// with it.
func (l *life) leave(ctx context.Context, h *house) error {
	short, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainMost)
	defer cancel()
	switch {
	case !h.shown:
		h.unbuild(short)
	case ctx.Err() != nil:
		l.shut()
	default:
		var all sync.WaitGroup
		for _, s := range l.show(l.closed) {
			all.Go(func() { s.end(short, l.Log) })
		}
		all.Wait()
	}
	h.stop()
	h.crew.Wait()
	err := h.owner.Close()
	if err == nil {
		l.checks.Closed()
	}
	return err
}

// unbuild ends what a building that failed has left.
func (h *house) unbuild(ctx context.Context) {
	for _, d := range h.doors {
		if d.Hub != nil {
			_ = d.Hub.Close(ctx)
		}
	}
}
