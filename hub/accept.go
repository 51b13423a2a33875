package hub

import (
	"encoding/base64"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/gobwas/ws"
)

// Accept says how one socket is taken on.
type Accept struct {
	// Origins judges a request that carries an Origin header, as browsers send
	// it. Nil allows the request's own host only. Requests without the header
	// are allowed; they come from programs, which can send what they like.
	Origins func(*http.Request) bool

	// First, if not 0, is how long the socket may take to send its first
	// message; after it the socket is closed with FirstCode. Nothing else that
	// it sends lengthens this.
	First     time.Duration
	FirstCode Code

	// OnMessage gets each text message, in order, on the socket's own
	// goroutine; while it runs nothing more is read from that socket. The bytes
	// are valid until it returns. Nil drops messages.
	OnMessage func(*Socket, []byte)

	// OnClose is called once, last, on the same goroutine, when the socket has
	// left all topics; code is that of the side that closed first.
	OnClose func(s *Socket, code Code)

	// Value is what Socket.Value returns at first.
	Value any
}

// Refused is the error of Upgrade when nothing has been written yet: the
// caller answers with Status and Code.
type Refused struct {
	Status int    // HTTP status
	Code   string // stable machine code
}

func (r *Refused) Error() string { return "hub: upgrade refused: " + r.Code }

// What Upgrade refuses.
var (
	RefusedOrigin    = &Refused{http.StatusForbidden, "origin_refused"}
	RefusedHandshake = &Refused{http.StatusUpgradeRequired, "websocket_expected"}
	RefusedFull      = &Refused{http.StatusServiceUnavailable, "sockets_full"}
	RefusedClosing   = &Refused{http.StatusServiceUnavailable, "shutting_down"}
)

// Upgrade turns the request into a socket. A *Refused error leaves the answer
// to the caller; after any other error there is no one left to answer. After
// success the handler should return soon, so that net/http gives its buffers back.
// Callbacks may run before Upgrade returns.
func (h *Hub) Upgrade(w http.ResponseWriter, r *http.Request, a Accept) (*Socket, error) {
	if err := h.admit(w, r, a); err != nil {
		h.refused.Add(1)
		return nil, err
	}
	conn, rw, _, err := ws.HTTPUpgrader{Timeout: h.opt.Patience}.Upgrade(r, w)
	if err != nil {
		if conn != nil {
			_ = conn.Close()
		}
		h.mu.Lock()
		h.taken--
		h.mu.Unlock()
		h.live.Done()
		h.refused.Add(1)
		return nil, err
	}
	// Frames sent right behind the handshake are in net/http's buffer, which is
	// not kept.
	early, _ := rw.Reader.Peek(rw.Reader.Buffered())
	return h.begin(conn, append([]byte(nil), early...), a), nil
}

// admit judges the request and takes a place for it.
func (h *Hub) admit(w http.ResponseWriter, r *http.Request, a Accept) error {
	if !isHandshake(r) {
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Sec-WebSocket-Version", "13")
		return RefusedHandshake
	}
	if !originAllowed(r, a.Origins) {
		return RefusedOrigin
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		return RefusedClosing
	case h.taken >= h.opt.MaxSockets:
		return RefusedFull
	}
	h.taken++
	h.live.Add(1)
	return nil
}

// begin registers the socket and starts its reader, which gives back the place
// that admit took.
func (h *Hub) begin(conn net.Conn, early []byte, a Accept) *Socket {
	s := &Socket{hub: h, conn: conn, accept: a, value: a.Value, early: early, pinged: time.Now(), sent: make(chan struct{})}
	if c, ok := conn.(syscall.Conn); ok {
		s.raw = rawConn(c)
	}
	h.opened.Add(1)
	h.mu.Lock()
	h.nextID++
	s.id = h.nextID
	s.shard = h.shards[s.id%uint64(len(h.shards))]
	h.sockets[s] = struct{}{}
	closing := h.closed
	h.mu.Unlock()
	if closing { // Close has begun since admit, and has not seen this one
		s.Close(Restart, retryReason(s.id))
	}
	go s.read()
	return s
}

// isHandshake tells whether the request asks for a version 13 WebSocket over
// HTTP/1.1 (RFC 6455 §4.2.1).
func isHandshake(r *http.Request) bool {
	key, err := base64.StdEncoding.DecodeString(r.Header.Get("Sec-WebSocket-Key"))
	return err == nil && len(key) == 16 &&
		r.Method == http.MethodGet && r.ProtoMajor == 1 && r.ProtoMinor >= 1 &&
		strings.EqualFold(r.Header.Get("Upgrade"), "websocket") &&
		hasToken(r.Header.Get("Connection"), "upgrade") &&
		r.Header.Get("Sec-WebSocket-Version") == "13"
}

func hasToken(list, token string) bool {
	for item := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(strings.TrimSpace(item), token) {
			return true
		}
	}
	return false
}

// originAllowed keeps other sites' pages from opening a socket with the
// visitor's cookies. Which hosts are our own is judged elsewhere.
func originAllowed(r *http.Request, allowed func(*http.Request) bool) bool {
	origins := r.Header.Values("Origin")
	switch {
	case len(origins) == 0:
		return true
	case len(origins) > 1:
		return false
	case allowed != nil:
		return allowed(r)
	}
	u, err := url.Parse(origins[0])
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host)
}
