package admin

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"goldfish/hub"
	"goldfish/license"
	"goldfish/license/fault"
	"goldfish/license/web"
)

// The console's socket. The client says {"type":"hello","ticket":T,"after":SEQ} within five seconds. It hears
// {"type":"welcome","seq":N,"reset":false}, then every event after N, the missed ones first, each once and in
// order, and between them what is only in memory: presence and the progress of jobs. Without "after" N is
// the log's present end. When the log does not reach as far as "after", or has gone on for more than
// missedMost events since, the welcome says reset and N is the present end: whoever comes must ask for
// everything anew.

const (
	helloPatience = 5 * time.Second
	missedMost    = 1000
	liveTopic     = "console"

	closeTicket hub.Code = 4401
	closeEnded  hub.Code = 4403
)

// live is what the sockets are told from.
type live struct {
	// mu keeps a socket that opens and the follower apart: what is published before it opened is in its
	// backlog, what is published after it is sent to it.
	mu        sync.Mutex
	published uint64 // the last event that was sent to whoever was open

	memory  sync.Mutex
	devices map[license.ID]struct{} // came online or went since they were last told
	jobs    map[license.ID]license.Job
	bell    chan struct{}
}

// viewer is one socket: whose it is, and whether it has got its backlog begun.
type viewer struct {
	who  license.Actor
	open bool // guarded by live.mu
}

type helloMessage struct {
	Type   string  `json:"type"`
	Ticket string  `json:"ticket"`
	After  *uint64 `json:"after"`
}

type welcomeMessage struct {
	Type  string `json:"type"`
	Seq   uint64 `json:"seq"`
	Reset bool   `json:"reset"`
}

type eventMessage struct {
	Type  string   `json:"type"`
	Seq   uint64   `json:"seq"`
	Event EventOut `json:"event"`
}

type presenceMessage struct {
	Type   string    `json:"type"`
	Device DeviceOut `json:"device"`
}

type jobMessage struct {
	Type string `json:"type"`
	Job  JobOut `json:"job"`
}

// LiveTicket opens one socket, once, within a minute.
type LiveTicketOut struct {
	Ticket string `json:"ticket"`
}

// begin stands at the log's end and listens to what is in memory alone.
func (c *Console) begin() error {
	l := &c.live
	l.devices, l.jobs, l.bell = map[license.ID]struct{}{}, map[license.ID]license.Job{}, make(chan struct{}, 1)
	var err error
	if l.published, err = c.rules.LastEvent(); err != nil {
		return err
	}
	c.rules.OnPresence(func(binding license.ID, _ bool) { l.note(func() { l.devices[binding] = struct{}{} }) })
	c.rules.OnJob(func(j license.Job) { l.note(func() { l.jobs[j.ID] = j }) })
	return nil
}

func (l *live) note(what func()) {
	l.memory.Lock()
	what()
	l.memory.Unlock()
	select {
	case l.bell <- struct{}{}:
	default:
	}
}

func (c *Console) registerLive(a *web.API) {
	web.Route(a, web.Op{
		Method: "POST", Path: "/api/v1/admin/ws-ticket", ID: "createLiveTicket", Tag: "live", Summary: "实时连接的票据 · A ticket for the live socket",
		Permission: license.ReadEvents,
	}, func(call *web.Call, _ *struct{}) (LiveTicketOut, error) {
		ticket, err := c.rules.ConsoleTicket(call.Actor)
		return LiveTicketOut{ticket}, err
	})
	web.Handle(a, web.Op{Method: "GET", Path: "/api/v1/admin/ws", ID: "live", Public: true}, func(call *web.Call) {
		_, err := c.opts.Hub.Upgrade(call.Writer(), call.Request(), hub.Accept{
			First: helloPatience, FirstCode: closeTicket, OnMessage: c.heard,
		})
		if refused, ok := errors.AsType[*hub.Refused](err); ok {
			call.Fail(web.SocketFault(refused.Code))
		}
	})
}

// heard takes a message. The first is the hello; later ones say nothing that is acted on.
func (c *Console) heard(s *hub.Socket, raw []byte) {
	if s.Value() != nil {
		return
	}
	var m helloMessage
	if err := json.Unmarshal(raw, &m); err != nil || m.Type != "hello" {
		s.Close(closeTicket, "hello_expected")
		return
	}
	who, err := c.rules.TakeConsoleTicket(m.Ticket)
	if err != nil {
		s.Close(closeTicket, "ticket_invalid")
		return
	}
	v := &viewer{who: who}
	s.SetValue(v)
	s.Join(c.sessionTopic(who.Session)) // from here the end of the session ends the socket
	if err := c.rules.StillSignedIn(who); err != nil {
		s.Close(closeEnded, fault.Of(err).Code)
		return
	}
	c.greet(s, v, m.After)
}

func (c *Console) sessionTopic(id license.ID) string {
	return "session/" + c.rules.IDs().Out(license.NounSession, id)
}

// greet sends welcome and what was missed, and opens the socket for what comes.
func (c *Console) greet(s *hub.Socket, v *viewer, after *uint64) {
	err := s.Resume(func(yield func([]byte) bool) {
		hello, end := c.live.open(v, after)
		if yield(web.Frame(hello)) && hello.Seq < end {
			c.missed(hello.Seq, end, yield)
		}
	}, liveTopic)
	if err != nil && !errors.Is(err, hub.ErrClosed) {
		c.log.Error("missed events could not be sent", "err", err)
		s.Close(hub.Internal, "internal")
	}
}

// open decides where a socket goes on, and up to where its backlog reaches.
func (l *live) open(v *viewer, after *uint64) (hello welcomeMessage, end uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	v.open = true
	end = l.published
	hello = welcomeMessage{Type: "welcome", Seq: end}
	if after == nil {
		return hello, end
	}
	if *after > end || end-*after > missedMost {
		hello.Reset = true
	} else {
		hello.Seq = *after
	}
	return hello, end
}

// missed yields the events after a number up to end, which is in the log.
func (c *Console) missed(after, end uint64, yield func([]byte) bool) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	err := c.rules.Follow(ctx, after, func(seq uint64, e *license.Event) {
		if seq <= end && !yield(c.eventFrame(seq, e)) || seq >= end {
			cancel()
		}
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		c.log.Error("missed events could not be read", "err", err)
	}
}

func (c *Console) eventFrame(seq uint64, e *license.Event) []byte {
	return web.Frame(eventMessage{"event", seq, c.eventOut(seq, e)})
}

// followLog sends every event to the open sockets, and ends those of a session that ended.
func (c *Console) followLog(ctx context.Context) {
	for ctx.Err() == nil {
		c.live.mu.Lock()
		at := c.live.published
		c.live.mu.Unlock()
		err := c.rules.Follow(ctx, at, c.publish)
		if err == nil || ctx.Err() != nil {
			return
		}
		c.log.Error("the live line lost its place in the log and goes on", "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

func (c *Console) publish(seq uint64, e *license.Event) {
	var frame []byte
	if c.opts.Hub.Count(liveTopic) > 0 {
		frame = c.eventFrame(seq, e)
	}
	c.live.mu.Lock()
	c.live.published = seq
	c.send(func() []byte {
		if frame == nil { // a socket came meanwhile
			frame = c.eventFrame(seq, e)
		}
		return frame
	})
	c.live.mu.Unlock()
	if e.Kind == license.SessionEnded || e.Kind == license.UserLogout {
		c.opts.Hub.Kick(c.sessionTopic(e.Object), closeEnded, "session_ended")
	}
}

// send queues a frame for every open socket; a slow one is cut off and comes back. live.mu is held.
func (c *Console) send(frame func() []byte) {
	c.opts.Hub.Each(liveTopic, func(s *hub.Socket) {
		if v, ok := s.Value().(*viewer); ok && v.open {
			_ = s.Send(frame())
		}
	})
}

// followMemory sends what changed in memory alone: presence and the progress of jobs, each as it is by then.
func (c *Console) followMemory(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.live.bell:
		}
		for _, frame := range c.changed() {
			c.live.mu.Lock()
			c.send(func() []byte { return frame })
			c.live.mu.Unlock()
		}
	}
}

// changed takes what is to be told.
func (c *Console) changed() (frames [][]byte) {
	l := &c.live
	l.memory.Lock()
	devices, jobs := slices.Collect(maps.Keys(l.devices)), slices.Collect(maps.Values(l.jobs))
	clear(l.devices)
	clear(l.jobs)
	l.memory.Unlock()
	if c.opts.Hub.Count(liveTopic) == 0 {
		return nil
	}
	for _, id := range devices {
		v, err := c.rules.Device(license.System, id)
		if err != nil {
			continue
		}
		frames = append(frames, web.Frame(presenceMessage{"presence", c.deviceOut(&v)}))
	}
	for i := range jobs {
		frames = append(frames, web.Frame(jobMessage{"job", c.jobOut(&jobs[i])}))
	}
	return frames
}
