package daemon

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
)

// Serve is the program itself: it works until ctx ends and then returns soon. It
// calls ready once, when it answers requests.
type Serve func(ctx context.Context, ready func()) error

// Run runs the program under the system's service control, or in a terminal,
// where an interrupt or SIGTERM ends ctx and a second one ends the process. It
// returns when serve has returned, with serve's error unless that only says that
// ctx ended. Name is the name under which the service is installed.
func Run(name string, serve Serve) error {
	if controlled() {
		return runControlled(name, serve)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return runUntil(ctx, stop, serve)
}

// runUntil runs serve and tells systemd, where it asked for that, how it goes.
func runUntil(ctx context.Context, stop context.CancelFunc, serve Serve) error {
	told := make(chan struct{})
	watch := make(chan struct{})
	go func() {
		defer close(told)
		select {
		case <-ctx.Done():
		case <-watch: // serve may have been quicker than this goroutine
			if ctx.Err() == nil {
				return
			}
		}
		stop() // from here a second signal has its usual effect
		_ = notify("STOPPING=1")
	}()
	err := serve(ctx, func() { _ = notify("READY=1") })
	close(watch)
	<-told
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}
