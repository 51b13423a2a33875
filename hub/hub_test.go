package hub_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"goldfish/hub"

	"github.com/gobwas/ws"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of these tests.
const patience = 20 * time.Second

// server serves one hub on a real port and closes both when the test ends.
type server struct {
	*hub.Hub
	http *httptest.Server
}

func start(t testing.TB, opt hub.Options, accept func(*http.Request) hub.Accept) *server {
	return startOn(t, opt, accept, (*httptest.Server).Start)
}

func startTLS(t testing.TB, opt hub.Options, accept func(*http.Request) hub.Accept) *server {
	return startOn(t, opt, accept, (*httptest.Server).StartTLS)
}

func startOn(t testing.TB, opt hub.Options, accept func(*http.Request) hub.Accept, begin func(*httptest.Server)) *server {
	t.Helper()
	h := hub.New(opt)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := h.Upgrade(w, r, accept(r))
		var refused *hub.Refused
		if errors.As(err, &refused) {
			http.Error(w, refused.Code, refused.Status)
		}
	}))
	srv.Config.ConnContext = smallBuffer
	begin(srv)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		_ = h.Close(ctx) // sockets still open are the test's own, and need no farewell
		srv.Close()
	})
	return &server{h, srv}
}

// smallBuffer keeps the kernel from taking megabytes for a socket that does not
// read.
func smallBuffer(ctx context.Context, conn net.Conn) context.Context {
	if c, ok := conn.(*tls.Conn); ok {
		conn = c.NetConn()
	}
	_ = conn.(*net.TCPConn).SetWriteBuffer(32 << 10)
	return ctx
}

// echo answers each message with itself.
func echo(*http.Request) hub.Accept {
	return hub.Accept{OnMessage: func(s *hub.Socket, p []byte) { _ = s.Send(p) }}
}

// joinNamed joins the topics that messages name, and says so.
func joinNamed(*http.Request) hub.Accept {
	return hub.Accept{OnMessage: func(s *hub.Socket, p []byte) {
		s.Join(string(p))
		_ = s.Send(append([]byte("joined "), p...))
	}}
}

// client is a peer that can also misbehave.
type client struct {
	t    testing.TB
	conn net.Conn
	rd   *bufio.Reader
}

func (srv *server) dial(t testing.TB) *client {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var d ws.Dialer
	if srv.http.TLS != nil {
		d.TLSConfig = &tls.Config{InsecureSkipVerify: true}
	}
	conn, rd, _, err := d.Dial(ctx, "ws"+strings.TrimPrefix(srv.http.URL, "http"))
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if rd == nil {
		rd = bufio.NewReader(conn)
	}
	return &client{t, conn, rd}
}

// frame builds one masked frame.
func frame(op ws.OpCode, fin bool, payload string) []byte {
	return ws.MustCompileFrame(ws.MaskFrame(ws.NewFrame(op, fin, []byte(payload))))
}

func (c *client) write(p []byte) {
	c.t.Helper()
	_ = c.conn.SetWriteDeadline(time.Now().Add(patience))
	if _, err := c.conn.Write(p); err != nil {
		c.t.Fatalf("write: %v", err)
	}
}

func (c *client) say(text string) { c.t.Helper(); c.write(frame(ws.OpText, true, text)) }

func (c *client) close(code hub.Code) {
	c.t.Helper()
	c.write(frame(ws.OpClose, true, string(ws.NewCloseFrameBody(ws.StatusCode(code), ""))))
}

// frame reads one frame of any kind.
func (c *client) frame() (ws.OpCode, []byte, error) {
	_ = c.conn.SetReadDeadline(time.Now().Add(patience))
	h, err := ws.ReadHeader(c.rd)
	if err != nil {
		return 0, nil, err
	}
	if err := ws.CheckHeader(h, ws.StateClientSide); err != nil {
		return 0, nil, err
	}
	payload := make([]byte, h.Length)
	_, err = io.ReadFull(c.rd, payload)
	return h.OpCode, payload, err
}

// next reads one frame, answering and passing over pings.
func (c *client) next() (ws.OpCode, []byte) {
	c.t.Helper()
	for {
		op, payload, err := c.frame()
		if err != nil {
			c.t.Fatalf("read: %v", err)
		}
		if op != ws.OpPing {
			return op, payload
		}
		c.write(frame(ws.OpPong, true, string(payload)))
	}
}

func (c *client) wantText(want string) {
	c.t.Helper()
	if op, payload := c.next(); op != ws.OpText || string(payload) != want {
		c.t.Fatalf("got %v %.60q, want text %.60q", op, payload, want)
	}
}

// wantClose reads a close frame, answers it, and sees the connection end.
func (c *client) wantClose(code hub.Code, reason string) {
	c.t.Helper()
	op, payload := c.next()
	c.checkClose(op, payload, code, reason)
	c.close(code)
	c.wantEnd()
}

func (c *client) checkClose(op ws.OpCode, payload []byte, code hub.Code, reason string) {
	c.t.Helper()
	got, why := ws.ParseCloseFrameData(payload)
	if op != ws.OpClose || hub.Code(got) != code || !strings.HasPrefix(why, reason) {
		c.t.Fatalf("got %v %d %.60q, want close %d %q", op, got, why, code, reason)
	}
}

func (c *client) wantEnd() {
	c.t.Helper()
	if op, payload, err := c.frame(); err == nil {
		c.t.Fatalf("got %v %.60q, want the end of the connection", op, payload)
	} else if errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
		c.t.Fatal("the connection was left open")
	}
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// join puts a new client into a topic.
func (srv *server) join(t testing.TB, topic string) *client {
	t.Helper()
	c := srv.dial(t)
	c.say(topic)
	c.wantText("joined " + topic)
	return c
}

// until waits for a condition.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("waited in vain: %s", what)
		case <-tick.C:
		}
	}
}

func TestPublishReachesTheTopicAlone(t *testing.T) {
	srv := start(t, hub.Options{}, joinNamed)
	a, b, other := srv.join(t, "app"), srv.join(t, "app"), srv.join(t, "else")
	if n, err := srv.Publish("app", []byte("hello")); n != 2 || err != nil {
		t.Fatalf("reached %d, %v", n, err)
	}
	a.wantText("hello")
	b.wantText("hello")
	if n, err := srv.Publish("nobody", []byte("x")); n != 0 || err != nil {
		t.Fatalf("reached %d, %v", n, err)
	}
	if _, err := srv.Publish("app", make([]byte, 64<<10+1)); !errors.Is(err, hub.ErrTooLarge) {
		t.Fatalf("a payload of 64 KiB + 1: %v", err)
	}
	if n, _ := srv.Publish("else", []byte("only this")); n != 1 {
		t.Fatalf("reached %d", n)
	}
	other.wantText("only this")
	if n := srv.Count("app"); n != 2 {
		t.Fatalf("Count = %d", n)
	}
}

func TestLeaveAndEnd(t *testing.T) {
	closed := make(chan hub.Code, 1)
	srv := start(t, hub.Options{}, func(*http.Request) hub.Accept {
		return hub.Accept{
			Value: "at first",
			OnMessage: func(s *hub.Socket, p []byte) {
				s.SetValue(fmt.Sprint(s.Value(), ", then ", string(p)))
				s.Join("a")
				s.Join("a")
				s.Join("b")
				s.Leave("a")
				s.Leave("never joined")
				_ = s.Send([]byte("ok"))
			},
			OnClose: func(s *hub.Socket, code hub.Code) {
				if s.Value() != "at first, then go" {
					t.Errorf("value %v", s.Value())
				}
				s.Join("b")
				if err := s.Send([]byte("late")); !errors.Is(err, hub.ErrClosed) {
					t.Errorf("Send after the end: %v", err)
				}
				closed <- code
			},
		}
	})
	c := srv.dial(t)
	c.say("go")
	c.wantText("ok")
	if srv.Count("a") != 0 || srv.Count("b") != 1 {
		t.Fatalf("in a: %d, in b: %d", srv.Count("a"), srv.Count("b"))
	}
	c.close(4000)
	op, payload := c.next()
	c.checkClose(op, payload, 4000, "")
	c.wantEnd()
	if code := <-closed; code != 4000 {
		t.Fatalf("OnClose got %d", code)
	}
	if st := srv.Stats(); st.Sockets != 0 || st.Topics != 0 || st.Opened != 1 || st.In != 1 || st.Out != 1 {
		t.Fatalf("%+v", st)
	}
}

func TestKickAfterLastWord(t *testing.T) {
	codes := make(chan hub.Code, 2)
	srv := start(t, hub.Options{}, func(r *http.Request) hub.Accept {
		a := joinNamed(r)
		a.OnClose = func(_ *hub.Socket, code hub.Code) { codes <- code }
		return a
	})
	out, in := srv.join(t, "device 1"), srv.join(t, "device 2")
	srv.Each("device 1", func(s *hub.Socket) {
		if err := s.Send([]byte("order: stop")); err != nil {
			t.Error(err)
		}
	})
	if n := srv.Kick("device 1", 4403, "ended"); n != 1 {
		t.Fatalf("kicked %d", n)
	}
	out.wantText("order: stop")
	out.wantClose(4403, "ended")
	if code := <-codes; code != 4403 {
		t.Fatalf("OnClose got %d", code)
	}
	in.say("still here")
	in.wantText("joined still here")
}

func TestBrokenConnectionIsAbnormal(t *testing.T) {
	codes := make(chan hub.Code, 1)
	srv := start(t, hub.Options{}, func(*http.Request) hub.Accept {
		return hub.Accept{OnClose: func(_ *hub.Socket, code hub.Code) { codes <- code }}
	})
	_ = srv.dial(t).conn.Close()
	if code := <-codes; code != hub.Abnormal {
		t.Fatalf("OnClose got %d", code)
	}
}

func TestPanicOfACallbackEndsOneSocket(t *testing.T) {
	srv := start(t, hub.Options{}, func(*http.Request) hub.Accept {
		return hub.Accept{
			OnMessage: func(s *hub.Socket, p []byte) {
				if string(p) == "boom" {
					panic("boom")
				}
				_ = s.Send(p)
			},
			OnClose: func(*hub.Socket, hub.Code) { panic("again") },
		}
	})
	bad, good := srv.dial(t), srv.dial(t)
	bad.say("boom")
	bad.wantClose(hub.Internal, "internal_error")
	until(t, "one socket left", func() bool { return srv.Stats().Sockets == 1 })
	good.say("fine")
	good.wantText("fine")
}

func TestCloseTellsWhenToReturn(t *testing.T) {
	srv := start(t, hub.Options{}, echo)
	var clients []*client
	for range 30 {
		clients = append(clients, srv.dial(t))
	}
	done := make(chan error, 1)
	go func() { done <- srv.Close(context.Background()) }()
	reasons := map[string]int{}
	for _, c := range clients {
		op, payload := c.next()
		c.checkClose(op, payload, hub.Restart, "retry=")
		_, why := ws.ParseCloseFrameData(payload)
		reasons[why]++
		c.close(hub.Restart)
		c.wantEnd()
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if len(reasons) != 15 {
		t.Fatalf("not spread evenly: %v", reasons)
	}
	if err := srv.Close(context.Background()); err != nil {
		t.Fatalf("second Close: %v", err)
	}
	_, _, _, err := ws.Dial(context.Background(), "ws"+strings.TrimPrefix(srv.http.URL, "http"))
	var status ws.StatusError
	if !errors.As(err, &status) || int(status) != http.StatusServiceUnavailable {
		t.Fatalf("a socket was taken on after Close: %v", err)
	}
}

func TestCloseDoesNotWaitForTheDeaf(t *testing.T) {
	srv := start(t, hub.Options{CloseWait: 30 * time.Millisecond}, echo)
	srv.dial(t) // never answers the close frame
	if err := srv.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	srv = start(t, hub.Options{CloseWait: time.Hour}, echo)
	srv.dial(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := srv.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("cut off: %v", err)
	}
}
