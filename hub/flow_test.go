package hub_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"goldfish/hub"

	"github.com/gobwas/ws"
)

// TestSlowSocketIsCutAlone lets one socket read nothing while another reads
// all. The slow one gets what fitted, in order, and then TryLater.
func TestSlowSocketIsCutAlone(t *testing.T) {
	for name, begin := range map[string]func(testing.TB, hub.Options, func(*http.Request) hub.Accept) *server{"plain": start, "tls": startTLS} {
		t.Run(name, func(t *testing.T) {
			srv := begin(t, hub.Options{Patience: patience, CloseWait: patience}, joinNamed)
			slow, quick := srv.join(t, "app"), srv.join(t, "app")
			message := func(i int) string { return fmt.Sprintf("%06d%s", i, strings.Repeat("x", 16<<10)) }
			sent := 0
			for ; srv.Stats().Cut == 0; sent++ {
				if sent > 5000 {
					t.Fatal("the slow socket was never cut")
				}
				if _, err := srv.Publish("app", []byte(message(sent))); err != nil {
					t.Fatal(err)
				}
				quick.wantText(message(sent))
			}
			got := 0
			for {
				op, payload := slow.next()
				if op == ws.OpClose {
					slow.checkClose(op, payload, hub.TryLater, "too_slow")
					break
				}
				if string(payload) != message(got) {
					t.Fatalf("message %d is %.6q", got, payload)
				}
				got++
			}
			if got == 0 || got >= sent {
				t.Fatalf("the slow socket read %d of %d", got, sent)
			}
			slow.close(hub.TryLater)
			slow.wantEnd()
			until(t, "the slow socket left the topic", func() bool { return srv.Count("app") == 1 })
			quick.say("still here")
			quick.wantText("joined still here")
		})
	}
}

// TestBlockedWriteHasAnEnd uses a socket that stops reading with its queue not
// yet full.
func TestBlockedWriteHasAnEnd(t *testing.T) {
	srv := start(t, hub.Options{Patience: 50 * time.Millisecond, QueueMessages: 1 << 20, QueueBytes: 1 << 30}, joinNamed)
	srv.join(t, "app")
	message := []byte(strings.Repeat("x", 60<<10))
	until(t, "the socket ended", func() bool {
		_, _ = srv.Publish("app", message)
		return srv.Stats().Sockets == 0
	})
	if st := srv.Stats(); st.Cut != 0 || st.Dropped == 0 {
		t.Fatalf("%+v", st)
	}
}

// TestSocketIsFineAfterABlockedWrite sees that the deadline of one blocked write
// does not hit a later one.
func TestSocketIsFineAfterABlockedWrite(t *testing.T) {
	srv := start(t, hub.Options{Patience: 1500 * time.Millisecond, Ping: 500 * time.Millisecond, QueueMessages: 1 << 20, QueueBytes: 1 << 30}, joinNamed)
	c := srv.join(t, "app")
	message := strings.Repeat("x", 60<<10)
	const many = 200 // more than both kernel buffers take
	for range many {
		if _, err := srv.Publish("app", []byte(message)); err != nil {
			t.Fatal(err)
		}
	}
	for range many {
		c.wantText(message)
	}
	for range 6 { // twice the patience
		if op, _, err := c.frame(); err != nil || op != ws.OpPing {
			t.Fatalf("got %v %v, want a ping", op, err)
		}
	}
	if _, err := srv.Publish("app", []byte("later")); err != nil {
		t.Fatal(err)
	}
	c.wantText("later")
}

func TestFanOutKeepsOrder(t *testing.T) {
	const sockets, messages = 1000, 20
	srv := start(t, hub.Options{}, joinNamed)
	clients := make([]*client, sockets)
	for i := range clients {
		clients[i] = srv.join(t, "all")
	}
	for i := range messages {
		if n, err := srv.Publish("all", fmt.Appendf(nil, "message %d", i)); n != sockets || err != nil {
			t.Fatalf("message %d reached %d, %v", i, n, err)
		}
	}
	for _, c := range clients {
		for i := range messages {
			c.wantText(fmt.Sprintf("message %d", i))
		}
	}
	if st := srv.Stats(); st.Out != sockets*(messages+1) || st.Dropped != 0 || st.Cut != 0 {
		t.Fatalf("%+v", st)
	}
}

func TestPublishersShareOneOrder(t *testing.T) {
	const publishers, each = 4, 15
	srv := start(t, hub.Options{}, joinNamed)
	clients := []*client{srv.join(t, "all"), srv.join(t, "all"), srv.join(t, "all")}
	var wg sync.WaitGroup
	for p := range publishers {
		wg.Go(func() {
			for i := range each {
				_, _ = srv.Publish("all", fmt.Appendf(nil, "%d/%d", p, i))
			}
		})
	}
	wg.Wait()
	var orders []string
	for _, c := range clients {
		var order strings.Builder
		for range publishers * each {
			_, payload := c.next()
			fmt.Fprintf(&order, "%s ", payload)
		}
		orders = append(orders, order.String())
	}
	if orders[0] != orders[1] || orders[1] != orders[2] {
		t.Fatalf("orders differ:\n%s", strings.Join(orders, "\n"))
	}
}

// TestResumeHasNoGap publishes while a returning socket reads a backlog longer
// than its queue.
func TestResumeHasNoGap(t *testing.T) {
	const backlog = 300
	var srv *server
	srv = start(t, hub.Options{QueueMessages: 8}, func(*http.Request) hub.Accept {
		return hub.Accept{OnMessage: func(s *hub.Socket, _ []byte) {
			err := s.Resume(func(yield func([]byte) bool) {
				for i := range backlog {
					if i%100 == 0 { // published after the join, so it must follow the backlog
						_, _ = srv.Publish("app", fmt.Appendf(nil, "live %d", i/100))
					}
					if !yield(fmt.Appendf(nil, "missed %d", i)) {
						return
					}
				}
			}, "app", "all")
			if err != nil {
				t.Error(err)
			}
			_ = s.Send([]byte("behind"))
		}}
	})
	c := srv.dial(t)
	c.say("hello")
	for i := range backlog {
		c.wantText(fmt.Sprintf("missed %d", i))
	}
	for i := range 3 {
		c.wantText(fmt.Sprintf("live %d", i))
	}
	c.wantText("behind")
	if srv.Count("app") != 1 || srv.Count("all") != 1 {
		t.Fatal("the topics were not joined")
	}
}

func TestResumeEndsWithTheSocket(t *testing.T) {
	ended := make(chan error, 2)
	endless := func(yield func([]byte) bool) {
		for yield(make([]byte, 1<<10)) {
			continue
		}
	}
	resume := func(backlog iter.Seq[[]byte]) func(*http.Request) hub.Accept {
		return func(*http.Request) hub.Accept {
			return hub.Accept{OnMessage: func(s *hub.Socket, _ []byte) { ended <- s.Resume(backlog, "app") }}
		}
	}
	srv := start(t, hub.Options{CloseWait: 50 * time.Millisecond}, resume(endless))
	srv.dial(t).say("hello")
	until(t, "the backlog is under way", func() bool { return srv.Stats().Out > 10 })
	srv.Kick("app", 4403, "ended")
	if err := <-ended; !errors.Is(err, hub.ErrClosed) {
		t.Fatalf("Resume of a closed socket: %v", err)
	}
	srv = start(t, hub.Options{MaxDown: 10}, resume(func(yield func([]byte) bool) { yield(make([]byte, 11)) }))
	srv.dial(t).say("hello")
	if err := <-ended; !errors.Is(err, hub.ErrTooLarge) {
		t.Fatalf("Resume with a long payload: %v", err)
	}
}

func TestTooMuchDuringResumeCuts(t *testing.T) {
	errs := make(chan error, 1)
	var srv *server
	srv = start(t, hub.Options{QueueMessages: 4}, func(*http.Request) hub.Accept {
		return hub.Accept{OnMessage: func(s *hub.Socket, _ []byte) {
			errs <- s.Resume(func(yield func([]byte) bool) {
				for range 5 {
					_, _ = srv.Publish("app", []byte("live"))
				}
				yield([]byte("missed"))
			}, "app")
		}}
	})
	c := srv.dial(t)
	c.say("hello")
	c.wantClose(hub.TryLater, "too_slow")
	if err := <-errs; !errors.Is(err, hub.ErrClosed) {
		t.Fatal(err)
	}
}

func TestPingKeepsAnAnsweringSocket(t *testing.T) {
	srv := start(t, hub.Options{Ping: 50 * time.Millisecond, Silence: 600 * time.Millisecond}, echo)
	c := srv.dial(t)
	for range 25 { // twice the silence
		op, payload, err := c.frame()
		if err != nil || op != ws.OpPing {
			t.Fatalf("got %v %q %v, want a ping", op, payload, err)
		}
		c.write(frame(ws.OpPong, true, string(payload)))
	}
	c.say("alive")
	c.wantText("alive")
}

func TestSilenceCloses(t *testing.T) {
	srv := start(t, hub.Options{Ping: 20 * time.Millisecond, Silence: 100 * time.Millisecond}, echo)
	c := srv.dial(t)
	pings := 0
	for {
		op, payload, err := c.frame()
		if err != nil {
			t.Fatal(err)
		}
		if op != ws.OpPing {
			c.checkClose(op, payload, hub.GoingAway, "silence")
			break
		}
		pings++ // not answered
	}
	if pings == 0 {
		t.Fatal("closed without a ping")
	}
}

func TestAMessageBegunMustEnd(t *testing.T) {
	for name, begun := range map[string][]byte{
		"half a frame":   frame(ws.OpText, true, "hello")[:8],
		"half a message": frame(ws.OpText, false, "hel"),
	} {
		t.Run(name, func(t *testing.T) {
			srv := start(t, hub.Options{Patience: 50 * time.Millisecond}, echo)
			c := srv.dial(t)
			c.write(begun)
			c.wantClose(hub.GoingAway, "silence")
		})
	}
}

func TestTheFirstMessageMustCome(t *testing.T) {
	srv := start(t, hub.Options{}, func(r *http.Request) hub.Accept {
		a := echo(r)
		a.First, a.FirstCode = 400*time.Millisecond, 4401
		return a
	})
	late, early := srv.dial(t), srv.dial(t)
	early.say("hello")
	early.wantText("hello")
	late.write(frame(ws.OpPing, true, "")) // lengthens nothing
	if op, _ := late.next(); op != ws.OpPong {
		t.Fatalf("got %v, want a pong", op)
	}
	late.wantClose(4401, "first_message_late")
	early.say("still here")
	early.wantText("still here")
}

// TestCrowd runs everything at once for the race detector.
func TestCrowd(t *testing.T) {
	srv := start(t, hub.Options{Ping: 5 * time.Millisecond, QueueMessages: 16}, joinNamed)
	ctx, cancel := context.WithCancel(t.Context())
	var publishers, clients sync.WaitGroup
	for p := range 3 {
		publishers.Go(func() {
			for ctx.Err() == nil {
				_, _ = srv.Publish(fmt.Sprint("topic ", p), []byte("news"))
				srv.Each("topic 0", func(s *hub.Socket) { s.Join("topic 1"); s.Leave("topic 2") })
				srv.Stats()
			}
		})
	}
	for i := range 12 {
		clients.Go(func() {
			for round := range 5 {
				c := srv.dial(t)
				c.write(frame(ws.OpText, true, fmt.Sprint("topic ", (i+round)%3)))
				_, _, _ = c.frame()
				if round%2 == 0 {
					srv.Kick(fmt.Sprint("topic ", i%3), 4403, "")
				}
				_ = c.conn.Close()
			}
		})
	}
	clients.Wait()
	cancel()
	publishers.Wait()
	until(t, "all sockets ended", func() bool { return srv.Stats().Sockets == 0 })
	if st := srv.Stats(); st.Topics != 0 || st.Opened != 60 {
		t.Fatalf("%+v", st)
	}
}
