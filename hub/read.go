package hub

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/debug"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

const (
	floodWindow  = 10 * time.Second
	maxFragments = 64
	readBuffer   = 256       // most of what comes is a few dozen bytes
	lingerBytes  = 256 << 10 // read and thrown away so that a close frame is not lost to a reset
)

// failure ends a socket by our own decision.
type failure struct {
	code   Code
	reason string
}

func (f *failure) Error() string { return fmt.Sprintf("hub: %s (%d)", f.reason, f.code) }

// goodbye is the peer's close frame.
type goodbye struct{ code Code }

func (g *goodbye) Error() string { return fmt.Sprintf("hub: closed by the peer (%d)", g.code) }

// reader takes frames off a connection. It is used by one goroutine.
type reader struct {
	s       *Socket
	src     *bufio.Reader
	header  [ws.MaxHeaderSize]byte
	state   ws.State
	message []byte
	parts   int
	begun   bool // the first message has come

	windowAt time.Time
	frames   int
}

// read is the socket's goroutine: it delivers messages until the socket ends,
// and sees to its end.
func (s *Socket) read() {
	h := s.hub
	defer h.live.Done()
	var src io.Reader = s.conn
	if len(s.early) > 0 {
		src = io.MultiReader(bytes.NewReader(s.early), s.conn)
		s.early = nil
	}
	r := &reader{s: s, src: bufio.NewReaderSize(src, readBuffer), state: ws.StateServerSide}
	if first := s.accept.First; first > 0 {
		s.readUntil(time.Now().Add(first))
	} else {
		r.begun = true
	}
	var err error
	for err == nil {
		var message []byte
		if message, err = r.next(); err == nil {
			s.deliver(message)
		}
	}
	s.finish(r, err)
	s.sever()
	h.remove(s)
	if s.accept.OnClose != nil {
		defer s.guard("OnClose")
		s.accept.OnClose(s, s.code)
	}
}

// deliver hands a message over unless the socket is closing.
func (s *Socket) deliver(message []byte) {
	s.hub.in.Add(1)
	s.mu.Lock()
	closing := s.closing
	s.mu.Unlock()
	if closing || s.accept.OnMessage == nil {
		return
	}
	defer s.guard("OnMessage")
	s.accept.OnMessage(s, message)
}

// guard keeps a callback's panic from ending the process.
func (s *Socket) guard(callback string) {
	if v := recover(); v != nil {
		s.hub.opt.Log.Error("hub: callback panicked", "callback", callback, "socket", s.id, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
		s.Close(Internal, "internal_error")
	}
}

// finish plays the closing handshake as far as err leaves something to play.
func (s *Socket) finish(r *reader, err error) {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = r.timedOut()
	}
	var bye *goodbye
	var fail *failure
	switch {
	case errors.As(err, &bye):
		s.end(bye.code, "", true) // a peer that said goodbye reads no more
		<-s.sent
	case errors.As(err, &fail):
		s.end(fail.code, fail.reason, false)
		<-s.sent
		// The peer may be in the middle of sending. Closing now would reset
		// the connection and could take the close frame with it.
		if c, ok := s.conn.(interface{ CloseWrite() error }); ok {
			_ = c.CloseWrite()
		}
		_, _ = io.CopyN(io.Discard, s.conn, lingerBytes)
	}
}

// end closes the socket. If it was closing already, its code and its time stay.
func (s *Socket) end(code Code, reason string, drop bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shut(code, reason, drop)
}

func (r *reader) timedOut() error {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	switch {
	case r.s.closing: // the peer did not answer our close frame
		return net.ErrClosed
	case !r.begun:
		return &failure{r.s.accept.FirstCode, "first_message_late"}
	}
	return &failure{GoingAway, "silence"}
}

// next returns the next text message. Control frames are dealt with on the way.
func (r *reader) next() ([]byte, error) {
	r.message, r.parts = r.message[:0], 0
	if cap(r.message) > readBuffer { // an idle socket keeps no large buffer
		r.message = nil
	}
	for {
		h, err := r.nextHeader()
		if err != nil {
			return nil, err
		}
		if h.OpCode.IsControl() {
			if err := r.control(h); err != nil {
				return nil, err
			}
			continue
		}
		if err := r.part(h); err != nil {
			return nil, err
		}
		if !h.Fin {
			r.state = r.state.Set(ws.StateFragmented)
			continue
		}
		r.state = r.state.Clear(ws.StateFragmented)
		if !utf8.Valid(r.message) {
			return nil, &failure{BadText, "invalid_utf8"}
		}
		r.begun = true
		return r.message, nil
	}
}

// nextHeader waits for a frame and judges its header. Between messages the
// socket has Silence; the frames of one message together have Patience.
func (r *reader) nextHeader() (ws.Header, error) {
	opt := &r.s.hub.opt
	if !r.state.Fragmented() {
		r.allow(opt.Silence)
	}
	h, err := ws.ReadHeaderBuffer(r.src, r.header[:])
	if errors.Is(err, ws.ErrHeaderLengthMSB) {
		return h, &failure{Protocol, "bad_length"}
	}
	if err != nil {
		return h, err
	}
	if !r.state.Fragmented() {
		r.allow(opt.Patience)
	}
	if err := ws.CheckHeader(h, r.state); err != nil {
		return h, &failure{Protocol, err.Error()}
	}
	if h.OpCode == ws.OpBinary {
		return h, &failure{Unsupported, "text_expected"}
	}
	return h, r.countFrame(opt.MaxFrames)
}

func (r *reader) countFrame(most int) error {
	now := time.Now()
	if now.Sub(r.windowAt) > floodWindow {
		r.windowAt, r.frames = now, 0
	}
	if r.frames++; r.frames > most {
		return &failure{Policy, "too_many_frames"}
	}
	return nil
}

// part reads one frame of a message.
func (r *reader) part(h ws.Header) error {
	if h.Length > int64(r.s.hub.opt.MaxUp-len(r.message)) {
		return &failure{TooBig, "message_too_big"}
	}
	if r.parts++; r.parts > maxFragments {
		return &failure{Policy, "too_many_fragments"}
	}
	start := len(r.message)
	r.message = append(r.message, make([]byte, h.Length)...)
	if _, err := io.ReadFull(r.src, r.message[start:]); err != nil {
		return err
	}
	ws.Cipher(r.message[start:], h.Mask, 0)
	return nil
}

func (r *reader) control(h ws.Header) error {
	var space [ws.MaxControlFramePayloadSize]byte
	payload := space[:h.Length]
	if _, err := io.ReadFull(r.src, payload); err != nil {
		return err
	}
	ws.Cipher(payload, h.Mask, 0)
	switch h.OpCode {
	case ws.OpPing:
		r.s.answerPing(payload)
	case ws.OpClose:
		return closing(payload)
	}
	return nil // a pong's coming is all that it says
}

// closing reads the body of the peer's close frame (RFC 6455 §5.5.1).
func closing(body []byte) error {
	if len(body) == 0 {
		return &goodbye{NoStatus}
	}
	if len(body) == 1 {
		return &failure{Protocol, "bad_close_body"}
	}
	code, reason := ws.ParseCloseFrameData(body)
	switch {
	case !sendable(Code(code)):
		return &failure{Protocol, "bad_close_code"}
	case !utf8.ValidString(reason):
		return &failure{BadText, "invalid_utf8"}
	}
	return &goodbye{Code(code)}
}

// allow sets the time for reading, unless the first message is still awaited,
// whose time nothing extends.
func (r *reader) allow(d time.Duration) {
	if r.begun {
		r.s.readUntil(time.Now().Add(d))
	}
}

func (s *Socket) readUntil(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closing {
		_ = s.conn.SetReadDeadline(t)
	}
}
