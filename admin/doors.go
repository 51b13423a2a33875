package admin

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"goldfish/hub"
	"goldfish/license/web"
)

// drainMost is how long calls under way and closing sockets may take when what answers them ends.
const drainMost = 3 * time.Second

// cutMost is how long calls that were cut off may take to notice it.
const cutMost = 500 * time.Millisecond

// Door is what answers at one listener as long as one file is open, and the sockets that are opened through it.
type Door struct {
	Handler http.Handler
	Hub     *hub.Hub // nil where there are none
}

// scene is a Door with the calls under way in it.
type scene struct {
	Door
	mu    sync.Mutex
	calls map[http.ResponseWriter]struct{}
	over  bool
	idle  chan struct{} // closed when the last call has left after the end
}

func newScene(d Door) *scene {
	return &scene{Door: d, calls: map[http.ResponseWriter]struct{}{}, idle: make(chan struct{})}
}

// enter notes a call, unless the scene is over.
func (s *scene) enter(w http.ResponseWriter) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return false
	}
	s.calls[w] = struct{}{}
	return true
}

func (s *scene) leave(w http.ResponseWriter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.calls, w)
	if s.over && len(s.calls) == 0 {
		close(s.idle)
	}
}

// end takes no more calls, closes the sockets with 1012, and waits for the calls under way. When ctx ends both are
// cut off. It is called once, when no stage shows the scene any more.
func (s *scene) end(ctx context.Context, log *slog.Logger) {
	s.mu.Lock()
	s.over = true
	if len(s.calls) == 0 {
		close(s.idle)
	}
	s.mu.Unlock()
	var sockets sync.WaitGroup
	if s.Hub != nil {
		sockets.Go(func() {
			if err := s.Hub.Close(ctx); err != nil {
				log.Warn("sockets were cut off", "err", err)
			}
		})
	}
	select {
	case <-s.idle:
	case <-ctx.Done():
		if calls := s.cut(); calls > 0 {
			log.Warn("calls under way were cut off", "calls", calls)
		}
		select {
		case <-s.idle:
		case <-time.After(cutMost):
		}
	}
	sockets.Wait()
}

// cut lets nothing more in or out of the calls under way; their contexts end by it.
func (s *scene) cut() (calls int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	past := time.Unix(1, 0)
	for w := range s.calls {
		line := http.NewResponseController(w)
		_ = line.SetReadDeadline(past)
		_ = line.SetWriteDeadline(past)
	}
	return len(s.calls)
}

// stage shows one scene at a time. Every call is answered whole by the scene that it came into.
type stage struct{ now atomic.Pointer[scene] }

// show exchanges what answers, and gives the scene before, which is to be ended; nil the first time.
func (t *stage) show(d Door) (before *scene) { return t.now.Swap(newScene(d)) }

// ServeHTTP answers with the present scene. One that is over was exchanged before it ended.
func (t *stage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for {
		s := t.now.Load()
		if s.enter(w) {
			defer s.leave(w)
			s.Handler.ServeHTTP(w, r)
			return
		}
	}
}

// gate is a listener with its server. It is there from the first moment to the last.
type gate struct {
	server *http.Server
	done   chan struct{}
}

// openGate answers at a listener with handler. failed hears why it ends other than by close.
func openGate(log *slog.Logger, at net.Listener, handler http.Handler, failed func(error)) *gate {
	g := &gate{server: web.Server(at.Addr().String(), handler), done: make(chan struct{})}
	g.server.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelDebug)
	go func() {
		defer close(g.done)
		if err := g.server.Serve(at); !errors.Is(err, http.ErrServerClosed) {
			failed(err)
		}
	}()
	return g
}

// close takes no more calls and waits for those under way; when ctx ends they are cut off.
func (g *gate) close(ctx context.Context, log *slog.Logger) {
	if err := g.server.Shutdown(ctx); err != nil {
		log.Warn("connections were cut off", "address", g.server.Addr, "err", err)
		_ = g.server.Close()
	}
	<-g.done
}
