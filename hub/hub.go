// Package hub pushes bytes to many WebSockets at once (RFC 6455 over HTTP/1.1).
//
// A Socket joins topics; Publish hands one payload to every socket of a topic.
// The hub knows bytes, not announcements: what a topic means, who may join it
// and what a frame says is the caller's affair.
//
// What it promises:
//   - A publisher never waits for a socket. Each socket has a bounded queue; one
//     that does not read is closed with TryLater and catches up when it returns.
//   - What was queued for a socket is written in the order in which it was queued.
//   - Every read and every write is bounded in size and in time.
//   - Close leaves no goroutine behind.
//
// One goroutine reads each socket; a few shards write for all of them.
package hub

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Code is the status of a close frame (RFC 6455 §7.4 and the IANA registry).
// 4000–4999 belong to the application.
type Code uint16

// Close codes that the hub itself sends or reports.
const (
	Normal      Code = 1000
	GoingAway   Code = 1001 // nothing was heard for Options.Silence
	Protocol    Code = 1002
	Unsupported Code = 1003 // a binary message
	NoStatus    Code = 1005 // reported only: the peer closed without a code
	Abnormal    Code = 1006 // reported only: the connection broke
	BadText     Code = 1007 // a text that is not UTF-8
	Policy      Code = 1008 // too many frames
	TooBig      Code = 1009
	Internal    Code = 1011 // a callback panicked
	Restart     Code = 1012 // the hub is closing; the reason says when to return
	TryLater    Code = 1013 // the queue was full
)

// Errors of Send, Resume and Publish.
var (
	ErrClosed   = errors.New("hub: the socket is closed")
	ErrFull     = errors.New("hub: the queue was full, the socket is being closed")
	ErrTooLarge = errors.New("hub: the payload is longer than MaxDown")
)

// Options are the limits of a Hub. A zero field means its default.
type Options struct {
	MaxSockets    int           // sockets at once (10,000)
	QueueMessages int           // messages that wait for one socket (64)
	QueueBytes    int           // bytes that wait for one socket (64 KiB); a lone message may be longer
	MaxDown       int           // bytes of a payload sent (64 KiB)
	MaxUp         int           // bytes of a message received (4 KiB)
	MaxFrames     int           // frames of any kind received from one socket in 10 s (512)
	Ping          time.Duration // between two pings (30 s)
	Silence       time.Duration // without any frame until a socket is closed (75 s)
	Patience      time.Duration // for one blocked write, and for the rest of a message begun (10 s)
	CloseWait     time.Duration // for the closing handshake (3 s)
	Writers       int           // shards that write (as many as processors, 2–4)
	Log           *slog.Logger  // for panics of callbacks (none)
}

func (o Options) withDefaults() Options {
	number := func(v *int, def int) {
		if *v <= 0 {
			*v = def
		}
	}
	span := func(v *time.Duration, def time.Duration) {
		if *v <= 0 {
			*v = def
		}
	}
	number(&o.MaxSockets, 10_000)
	number(&o.QueueMessages, 64)
	number(&o.QueueBytes, 64<<10)
	number(&o.MaxDown, 64<<10)
	number(&o.MaxUp, 4<<10)
	number(&o.MaxFrames, 512)
	number(&o.Writers, min(max(runtime.GOMAXPROCS(0), 2), 4))
	span(&o.Ping, 30*time.Second)
	span(&o.Silence, 75*time.Second)
	span(&o.Patience, 10*time.Second)
	span(&o.CloseWait, 3*time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Hub holds sockets and topics. All methods may be called from any goroutine,
// callbacks included.
type Hub struct {
	opt    Options
	shards []*shard
	stop   chan struct{}  // closed when the last socket has ended
	crew   sync.WaitGroup // shards and pulse
	live   sync.WaitGroup // readers and drains of sockets

	// mu guards what follows and every Socket.topics. Locks are taken in the
	// order mu, topic.mu, Socket.mu, shard.mu.
	mu      sync.RWMutex
	closed  bool
	taken   int // places, among them those of handshakes under way
	nextID  uint64
	sockets map[*Socket]struct{}
	topics  map[string]*topic

	opened, refused, cut, dropped, in, out, bytesOut atomic.Uint64
}

// topic is a set of sockets. Its lock gives concurrent publishers one order
// that all members see.
type topic struct {
	mu      sync.Mutex
	members map[*Socket]struct{}
}

// New starts a hub. The caller ends it by Close.
func New(opt Options) *Hub {
	h := &Hub{
		opt:     opt.withDefaults(),
		stop:    make(chan struct{}),
		sockets: make(map[*Socket]struct{}),
		topics:  make(map[string]*topic),
	}
	for range h.opt.Writers {
		sh := &shard{wake: make(chan struct{}, 1)}
		h.shards = append(h.shards, sh)
		h.crew.Go(func() { sh.run(h.stop) })
	}
	h.crew.Go(h.pulse)
	return h
}

// pulse pings every socket each Options.Ping, at its own time.
func (h *Hub) pulse() {
	tick := time.NewTicker(max(h.opt.Ping/10, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-h.stop:
			return
		case now := <-tick.C:
			h.mu.RLock()
			for s := range h.sockets {
				s.pingAt(now, h.opt.Ping)
			}
			h.mu.RUnlock()
		}
	}
}

// Publish queues payload, which must be UTF-8, as one text message for every
// socket of the topic and tells how many took it. It never waits for a socket:
// one whose queue is full is closed with TryLater. Payload is not kept.
func (h *Hub) Publish(topic string, payload []byte) (int, error) {
	if len(payload) > h.opt.MaxDown {
		return 0, ErrTooLarge
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	t := h.topics[topic]
	if t == nil {
		return 0, nil
	}
	frame := textFrame(payload)
	t.mu.Lock()
	defer t.mu.Unlock()
	reached := 0
	for s := range t.members {
		if s.enqueue(frame) == nil {
			reached++
		}
	}
	return reached, nil
}

// Each calls fn for every socket that is in the topic now, one after another,
// outside the hub's locks.
func (h *Hub) Each(topic string, fn func(*Socket)) {
	for _, s := range h.membersOf(topic) {
		fn(s)
	}
}

// Kick closes every socket of the topic after what is queued for it, and tells
// how many it was.
func (h *Hub) Kick(topic string, code Code, reason string) int {
	members := h.membersOf(topic)
	for _, s := range members {
		s.Close(code, reason)
	}
	return len(members)
}

// Count tells how many sockets are in the topic.
func (h *Hub) Count(topic string) int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if t := h.topics[topic]; t != nil {
		return len(t.members)
	}
	return 0
}

func (h *Hub) membersOf(topic string) []*Socket {
	h.mu.RLock()
	defer h.mu.RUnlock()
	t := h.topics[topic]
	if t == nil {
		return nil
	}
	return slices.Collect(maps.Keys(t.members))
}

// Stats are a hub's figures; all but Sockets, Limit and Topics only grow.
type Stats struct {
	Sockets, Limit, Topics int
	Opened                 uint64 // sockets accepted
	Refused                uint64 // handshakes refused
	Cut                    uint64 // sockets closed because their queue was full
	Dropped                uint64 // messages queued but never written
	In, Out                uint64 // messages received, and written
	BytesOut               uint64 // written, control frames included
}

// Stats returns the present figures.
func (h *Hub) Stats() Stats {
	h.mu.RLock()
	sockets, topics := len(h.sockets), len(h.topics)
	h.mu.RUnlock()
	return Stats{
		Sockets: sockets, Limit: h.opt.MaxSockets, Topics: topics,
		Opened: h.opened.Load(), Refused: h.refused.Load(), Cut: h.cut.Load(), Dropped: h.dropped.Load(),
		In: h.in.Load(), Out: h.out.Load(), BytesOut: h.bytesOut.Load(),
	}
}

// Close refuses new sockets, closes all others with Restart and a reason
// `retry=N`, N being 1 to 15 seconds and spread evenly over the sockets, and
// waits until all have ended. When ctx ends first, the rest are cut off and
// ctx's error is returned. Callbacks still running are waited for. A second
// call does nothing.
func (h *Hub) Close(ctx context.Context) error {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return nil
	}
	h.closed = true
	h.mu.Unlock()

	for _, s := range h.all() {
		s.Close(Restart, retryReason(s.id))
	}
	ended := make(chan struct{})
	go func() {
		h.live.Wait()
		close(ended)
	}()
	var err error
	select {
	case <-ended:
	case <-ctx.Done():
		err = ctx.Err()
		for _, s := range h.all() {
			s.sever()
		}
		<-ended
	}
	close(h.stop)
	h.crew.Wait()
	return err
}

func (h *Hub) all() []*Socket {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return slices.Collect(maps.Keys(h.sockets))
}

func (h *Hub) join(s *Socket, name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.sockets[s]; !ok {
		return
	}
	t := h.topics[name]
	if t == nil {
		t = &topic{members: make(map[*Socket]struct{})}
		h.topics[name] = t
	}
	if _, ok := t.members[s]; ok {
		return
	}
	t.members[s] = struct{}{}
	s.topics = append(s.topics, name)
}

func (h *Hub) leave(s *Socket, name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, n := range s.topics {
		if n == name {
			s.topics[i] = s.topics[len(s.topics)-1]
			s.topics = s.topics[:len(s.topics)-1]
			h.forget(s, name)
			return
		}
	}
}

// forget takes s out of one topic; an empty topic goes. h.mu is held.
func (h *Hub) forget(s *Socket, name string) {
	t := h.topics[name]
	delete(t.members, s)
	if len(t.members) == 0 {
		delete(h.topics, name)
	}
}

// remove takes s out of everything and frees its place.
func (h *Hub) remove(s *Socket) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, name := range s.topics {
		h.forget(s, name)
	}
	s.topics = nil
	delete(h.sockets, s)
	h.taken--
}
