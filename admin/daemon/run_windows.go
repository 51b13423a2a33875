package daemon

import (
	"context"
	"os"
	"time"

	"github.com/kardianos/service"
)

// stopWait is how long a stop may take; at shutdown the system itself gives less.
const stopWait = 20 * time.Second

func notify(string) error { return nil }

// controlled tells whether the service control manager started the process.
func controlled() bool { return !service.Interactive() }

// program is what kardianos/service calls; neither method may block for long.
type program struct {
	serve  Serve
	cancel context.CancelFunc
	ended  chan struct{}
	err    error // set before ended is closed
}

func (p *program) Start(s service.Service) error {
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	go func() {
		p.err = p.serve(ctx, func() {})
		close(p.ended)
		if ctx.Err() != nil {
			return // it was asked to
		}
		// Ended by itself. Leaving without a word to the control manager is what
		// it takes for a failure, so that it starts the service again.
		if log, err := s.SystemLogger(nil); err == nil && p.err != nil {
			_ = log.Error(p.err)
		}
		os.Exit(1)
	}()
	return nil
}

func (p *program) Stop(service.Service) error {
	p.cancel()
	select {
	case <-p.ended:
	case <-time.After(stopWait):
	}
	return nil
}

func runControlled(name string, serve Serve) error {
	s, err := service.New(&program{serve: serve, ended: make(chan struct{})}, &service.Config{Name: name})
	if err != nil {
		return err
	}
	return s.Run()
}
