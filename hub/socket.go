package hub

import (
	"iter"
	"net"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// Socket is one client's connection. All methods may be called from any
// goroutine, and none but Resume waits.
type Socket struct {
	id     uint64
	hub    *Hub
	conn   net.Conn
	raw    syscall.RawConn // nil where a write cannot be tried without waiting: TLS, Windows
	shard  *shard
	accept Accept
	early  []byte   // came with the handshake; the reader's
	topics []string // guarded by hub.mu

	mu       sync.Mutex
	value    any
	queue    [][]byte // compiled frames
	messages int      // of queue and of the batch being written
	bytes    int      // likewise
	held     [][]byte // what came while Resume writes its backlog
	holding  bool
	room     chan struct{} // Resume waits here for the queue to shrink
	pong     []byte        // compiled answer to the newest ping
	pingDue  bool
	pinged   time.Time
	busy     bool // in the shard's list, or being written
	closing  bool
	code     Code // why it ended; 0 while it has not
	farewell []byte
	gone     bool
	sent     chan struct{} // closed when the close frame is out, or the connection gone
}

// ID is the socket's number in its hub, never used twice.
func (s *Socket) ID() uint64 { return s.id }

// Value returns what Accept or SetValue stored.
func (s *Socket) Value() any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.value
}

// SetValue stores something of the caller's with the socket.
func (s *Socket) SetValue(v any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.value = v
}

// Join adds the socket to a topic: everything published from now on is queued
// for it. Joining twice is joining once; a socket that has ended joins nothing.
func (s *Socket) Join(topic string) { s.hub.join(s, topic) }

// Leave takes the socket out of a topic.
func (s *Socket) Leave(topic string) { s.hub.leave(s, topic) }

// Send queues payload, which must be UTF-8, as one text message. With a full
// queue the socket is closed with TryLater and ErrFull returned.
func (s *Socket) Send(payload []byte) error {
	if len(payload) > s.hub.opt.MaxDown {
		return ErrTooLarge
	}
	return s.enqueue(textFrame(payload))
}

// Close queues a close frame behind what is queued already and ends the socket
// when the peer answers, at the latest after Options.CloseWait. The reason is
// cut to 123 bytes. Only the first Close counts.
func (s *Socket) Close(code Code, reason string) {
	s.end(code, reason, false)
}

// Resume joins the topics and writes the backlog before anything published to
// them, so that a client who returns misses nothing and sees all in order. The
// backlog is run after the join: what it reads then may also be published, and
// comes twice, but never not at all. Resume waits for room in the queue, so the
// backlog may be longer than the queue, and returns when all of it is written, so
// that what follows finds the queue empty. Call it from OnMessage.
func (s *Socket) Resume(backlog iter.Seq[[]byte], topics ...string) error {
	room := make(chan struct{}, 1)
	s.mu.Lock()
	s.holding, s.room = true, room
	s.mu.Unlock()
	defer s.release()
	for _, topic := range topics {
		s.Join(topic)
	}
	for payload := range backlog {
		if len(payload) > s.hub.opt.MaxDown {
			return ErrTooLarge
		}
		frame := textFrame(payload)
		err := s.whenRoom(room, func() bool {
			fits := s.fits(s.messages, s.bytes, frame)
			if fits {
				s.push(frame)
			}
			return fits
		})
		if err != nil {
			return err
		}
	}
	return s.whenRoom(room, func() bool { return s.messages == 0 })
}

// whenRoom calls try, with s.mu held, each time something has been written,
// until it is true or the socket ends.
func (s *Socket) whenRoom(room <-chan struct{}, try func() bool) error {
	for {
		s.mu.Lock()
		ended := s.closing || s.gone
		done := !ended && try()
		s.mu.Unlock()
		switch {
		case ended:
			return ErrClosed
		case done:
			return nil
		}
		select {
		case <-room:
		case <-s.sent:
		}
	}
}

// release ends a Resume: what was held back follows the backlog.
func (s *Socket) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := s.held
	s.holding, s.held, s.room = false, nil, nil
	if s.closing || s.gone {
		return
	}
	for _, frame := range held {
		s.push(frame)
	}
}

func (s *Socket) enqueue(frame []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing || s.gone {
		return ErrClosed
	}
	if s.holding {
		size := 0
		for _, f := range s.held {
			size += len(f)
		}
		if !s.fits(len(s.held), size, frame) {
			return s.overflow()
		}
		s.held = append(s.held, frame)
		return nil
	}
	if !s.fits(s.messages, s.bytes, frame) {
		return s.overflow()
	}
	s.push(frame)
	return nil
}

func (s *Socket) overflow() error {
	s.hub.cut.Add(1)
	s.hub.dropped.Add(1)
	s.shut(TryLater, "too_slow", true)
	return ErrFull
}

func (s *Socket) fits(messages, bytes int, frame []byte) bool {
	opt := &s.hub.opt
	return messages == 0 || messages < opt.QueueMessages && bytes+len(frame) <= opt.QueueBytes
}

func (s *Socket) push(frame []byte) {
	s.queue = append(s.queue, frame)
	s.messages++
	s.bytes += len(frame)
	s.schedule()
}

// schedule puts the socket on its shard's list unless it is there, or being
// written and will be looked at again.
func (s *Socket) schedule() {
	if !s.busy {
		s.busy = true
		s.shard.add(s)
	}
}

// shut begins the end of the socket; s.mu is held. With drop, what is queued is
// thrown away. From here both directions have CloseWait, and no one extends it.
func (s *Socket) shut(code Code, reason string, drop bool) {
	if s.closing || s.gone {
		return
	}
	s.closing, s.code = true, code
	if drop {
		for _, frame := range s.queue {
			s.messages--
			s.bytes -= len(frame)
		}
		s.hub.dropped.Add(uint64(len(s.queue) + len(s.held)))
		s.queue = nil
	} else {
		for _, frame := range s.held {
			s.push(frame)
		}
	}
	s.held = nil
	s.farewell = closeFrame(code, reason)
	_ = s.conn.SetDeadline(time.Now().Add(s.hub.opt.CloseWait))
	s.schedule()
}

// sever ends the connection at once. It closes what is under a TLS connection,
// whose own Close may wait seconds for a peer that does not read.
func (s *Socket) sever() {
	if !s.markGone() {
		return
	}
	conn := s.conn
	if c, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = c.NetConn()
	}
	_ = conn.Close()
}

func (s *Socket) markGone() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		return false
	}
	s.gone = true
	if s.code == 0 {
		s.code = Abnormal
	}
	s.hub.dropped.Add(uint64(len(s.queue) + len(s.held)))
	s.queue, s.held, s.farewell = nil, nil, nil
	s.markSent()
	return true
}

func (s *Socket) markSent() {
	select {
	case <-s.sent:
	default:
		close(s.sent)
	}
}

func (s *Socket) pingAt(now time.Time, every time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing || s.gone || now.Sub(s.pinged) < every {
		return
	}
	s.pinged, s.pingDue = now, true
	s.schedule()
}

// answerPing queues a pong outside the queue; a newer one takes its place, as
// RFC 6455 §5.5.3 allows, so that pings cannot fill anything.
func (s *Socket) answerPing(payload []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing || s.gone {
		return
	}
	s.pong = ws.MustCompileFrame(ws.NewPongFrame(payload))
	s.schedule()
}

func textFrame(payload []byte) []byte {
	return ws.MustCompileFrame(ws.NewTextFrame(payload))
}

// closeFrame compiles a close frame. Codes that may not be sent (RFC 6455
// §7.4.1) become an empty body.
func closeFrame(code Code, reason string) []byte {
	if !sendable(code) {
		return slices.Clone(ws.CompiledClose)
	}
	const most = ws.MaxControlFramePayloadSize - 2
	for len(reason) > most || !utf8.ValidString(reason) {
		_, size := utf8.DecodeLastRuneInString(reason)
		reason = reason[:len(reason)-size]
	}
	return ws.MustCompileFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusCode(code), reason)))
}

// sendable tells whether a code may stand in a close frame: those of RFC 6455,
// 1012–1014 which IANA added, and 3000–4999.
func sendable(code Code) bool {
	switch {
	case code >= 3000 && code <= 4999:
		return true
	case code == 1004 || code == NoStatus || code == Abnormal:
		return false
	}
	return code >= 1000 && code <= 1014
}

// retryReason spreads returning clients evenly over 15 seconds.
func retryReason(id uint64) string {
	return "retry=" + strconv.FormatUint(1+id%15, 10)
}
