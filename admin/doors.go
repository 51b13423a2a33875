package admin

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"goldfish/hub"
	"goldfish/license/web"
)

// drainMost is how long calls under way and closing sockets may take when the appliance stops.
const drainMost = 3 * time.Second

// Door is one listener with what answers there, and the sockets that are opened through it.
type Door struct {
	Listener net.Listener
	Handler  http.Handler
	Hub      *hub.Hub
}

// Serve answers at all doors until ctx ends or one of them fails: the error says why. Beside them runs what is
// to run as long as anything is answered; it ends when its context does.
//
// At the end no new call is taken, sockets are closed with 1012, calls under way are finished, for at most three
// seconds, and then what runs beside is ended.
func Serve(ctx context.Context, log *slog.Logger, doors []Door, beside ...func(context.Context)) error {
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	var crew sync.WaitGroup
	for _, run := range beside {
		crew.Go(func() { run(running) })
	}
	defer crew.Wait()
	defer stop()

	failed := make(chan error, len(doors))
	var serving, closing sync.WaitGroup
	defer serving.Wait()
	servers := make([]*http.Server, len(doors))
	for i, d := range doors {
		servers[i] = web.Server(d.Listener.Addr().String(), d.Handler)
		servers[i].ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelDebug)
		serving.Go(func() {
			if err := servers[i].Serve(d.Listener); !errors.Is(err, http.ErrServerClosed) {
				failed <- err
			}
		})
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	short, cancel := context.WithTimeout(running, drainMost)
	defer cancel()
	for i, d := range doors {
		closing.Go(func() { drain(short, log, servers[i], d.Hub) })
	}
	closing.Wait()
	return err
}

// drain closes a door and its sockets, gently until ctx ends.
func drain(ctx context.Context, log *slog.Logger, s *http.Server, h *hub.Hub) {
	var sockets sync.WaitGroup
	sockets.Go(func() {
		if err := h.Close(ctx); err != nil {
			log.Warn("sockets were cut off", "address", s.Addr, "err", err)
		}
	})
	if err := s.Shutdown(ctx); err != nil {
		log.Warn("calls under way were cut off", "address", s.Addr, "err", err)
		_ = s.Close()
	}
	sockets.Wait()
}
