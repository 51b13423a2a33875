package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"goldfish/license"
	"goldfish/license/licensetest"
)

// line is a browser's live socket.
type line struct {
	t    *testing.T
	conn net.Conn
	in   io.Reader
}

func (d *desk) dial(headers ...string) *line {
	d.t.Helper()
	h := http.Header{}
	for i := 0; i+1 < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	conn, buffered, _, err := ws.Dialer{Header: ws.HandshakeHeaderHTTP(h)}.Dial(d.t.Context(), "ws"+strings.TrimPrefix(d.server.URL, "http")+adminPath+"/ws")
	d.Must(err)
	l := &line{t: d.t, conn: conn, in: conn}
	if buffered != nil {
		l.in = io.MultiReader(buffered, conn)
	}
	d.t.Cleanup(func() { _ = conn.Close() })
	return l
}

func (l *line) say(message any) {
	l.t.Helper()
	raw, err := json.Marshal(message)
	if err == nil {
		err = wsutil.WriteClientText(l.conn, raw)
	}
	if err != nil {
		l.t.Fatal(err)
	}
}

// next is the next message, or the status by which the server closed.
func (l *line) next() (answer, ws.StatusCode) {
	l.t.Helper()
	if err := l.conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		l.t.Fatal(err)
	}
	for {
		head, err := ws.ReadHeader(l.in)
		if err != nil {
			l.t.Fatalf("the line broke: %v", err)
		}
		payload := make([]byte, head.Length)
		if _, err := io.ReadFull(l.in, payload); err != nil {
			l.t.Fatal(err)
		}
		switch head.OpCode {
		case ws.OpClose:
			code, _ := ws.ParseCloseFrameData(payload)
			return answer{}, code
		case ws.OpText:
			var a answer
			a.raw = payload
			if err := json.Unmarshal(payload, &a.body); err != nil {
				l.t.Fatal(err)
			}
			a.body["data"] = map[string]any(a.body) // so that answer's readers see the members
			return a, 0
		}
	}
}

// want is the next message of a type; others but closing are passed over.
func (l *line) want(kind string, fits func(answer) bool) answer {
	l.t.Helper()
	for {
		a, code := l.next()
		if code != 0 {
			l.t.Fatalf("closed with %d while waiting for %s", code, kind)
		}
		if a.text("type") == kind && (fits == nil || fits(a)) {
			return a
		}
	}
}

func (l *line) wantClosed(code ws.StatusCode) {
	l.t.Helper()
	for {
		if _, got := l.next(); got != 0 {
			if got != code {
				l.t.Errorf("closed with %d, want %d", got, code)
			}
			return
		}
	}
}

func (d *desk) ticket(token string) string {
	d.t.Helper()
	a := d.ask("POST", adminPath+"/ws-ticket", token, map[string]any{})
	if a.status != 200 || a.text("ticket") == "" {
		d.t.Fatalf("ticket: %d %s", a.status, a.raw)
	}
	return a.text("ticket")
}

// watch opens a line that goes on after a number (nil: from now) and gives its welcome.
func (d *desk) watch(after any) (*line, answer) {
	d.t.Helper()
	l := d.dial()
	hello := map[string]any{"type": "hello", "ticket": d.ticket(d.owner)}
	if after != nil {
		hello["after"] = after
	}
	l.say(hello)
	return l, l.want("welcome", nil)
}

func TestTheConsoleSeesWhatHappens(t *testing.T) {
	d := newDesk(t)
	app := d.World.App(nil)
	keys := d.Keys(app, 1, licensetest.Month)
	l, welcome := d.watch(nil)
	last, err := d.LastEvent()
	d.Must(err)
	if uint64(welcome.number("seq")) != last || welcome.data("reset") != false {
		t.Errorf("%s, the log ends at %d", welcome.raw, last)
	}
	bound, err := d.World.Device(app, 1).Activate(d.Customer(), keys[0], nil)
	d.Must(err)
	saw := map[string]bool{}
	for !saw["presence"] || !saw["card_key.activated"] || !saw["device.registered"] {
		a, code := l.next()
		if code != 0 {
			t.Fatalf("closed with %d", code)
		}
		switch a.text("type") {
		case "presence":
			if a.text("device.device_id") == bound.DeviceID && a.data("device.online") == true {
				saw["presence"] = true
			}
		case "event":
			saw[a.text("event.kind")] = true
			if a.number("seq") != a.number("event.seq") || a.number("seq") <= int(last) {
				t.Errorf("%s", a.raw)
			}
		}
	}
	batch := d.want(202, "POST", adminPath+"/batches", map[string]any{"app_id": app.UUID.String(), "count": 5000, "validity": map[string]any{"kind": "permanent"}})
	done := l.want("job", func(a answer) bool { return a.text("job.state") == "done" })
	if done.text("job.id") != batch.text("job.id") || done.number("job.done") != 5000 {
		t.Errorf("%s", done.raw)
	}
}

func TestALineGoesOnWithoutGapOrDouble(t *testing.T) {
	d := newDesk(t)
	app := d.newApp("0")
	l, welcome := d.watch(nil)
	seen := welcome.number("seq")
	change := func(n int) {
		for i := range n {
			d.want(200, "PATCH", adminPath+"/apps/"+app, map[string]any{"name": map[string]string{"zh": fmt.Sprint(i)}})
		}
	}
	change(3)
	for range 3 {
		a := l.want("event", nil)
		if a.number("seq") != seen+1 {
			t.Fatalf("after %d comes %s", seen, a.raw)
		}
		seen = a.number("seq")
	}
	d.Must(l.conn.Close())
	change(200) // more than the queue of a socket holds
	stop := make(chan struct{})
	var busy sync.WaitGroup
	busy.Go(func() { // and some that happen while the line comes back
		for {
			select {
			case <-stop:
				return
			default:
				if _, err := d.ChangeApp(d.Owner, mustApp(d, app), license.AppChange{}); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	for range 5 {
		l, welcome = d.watch(seen)
		if welcome.number("seq") != seen || welcome.data("reset") != false {
			t.Fatalf("%s, want to go on after %d", welcome.raw, seen)
		}
		for range 60 {
			a, code := l.next()
			if code == ws.StatusCode(1013) { // too slow for this flood: it comes back
				break
			}
			if code != 0 {
				t.Fatalf("closed with %d", code)
			}
			if a.text("type") != "event" {
				continue
			}
			if a.number("seq") != seen+1 {
				t.Fatalf("after %d comes %d", seen, a.number("seq"))
			}
			seen = a.number("seq")
		}
		d.Must(l.conn.Close())
	}
	close(stop)
	busy.Wait()
}

func mustApp(d *desk, id string) (out [16]byte) {
	app, err := (&Console{rules: d.Authority}).appRow(license.System, id)
	if err != nil {
		d.t.Error(err)
		return out
	}
	return app.UUID
}

func TestALineThatWasAwayTooLongStartsAnew(t *testing.T) {
	d := newDesk(t)
	last, err := d.LastEvent()
	d.Must(err)
	_, ahead := d.watch(last + 100) // another file was put in place
	if ahead.data("reset") != true || uint64(ahead.number("seq")) != last {
		t.Errorf("%s, the log ends at %d", ahead.raw, last)
	}
	for range missedMost + 1 {
		d.Must(d.Record(license.System, license.Event{Kind: license.SystemBackup}))
	}
	now, err := d.LastEvent()
	d.Must(err)
	d.Await("the follower", func() bool { _, w := d.watch(nil); return uint64(w.number("seq")) == now })
	if _, w := d.watch(last); w.data("reset") != true || uint64(w.number("seq")) != now {
		t.Errorf("%s, the log ends at %d", w.raw, now)
	}
	l, w := d.watch(now - missedMost)
	if w.data("reset") != false || uint64(w.number("seq")) != now-missedMost {
		t.Errorf("%s", w.raw)
	}
	for i := range missedMost {
		if a := l.want("event", nil); uint64(a.number("seq")) != now-missedMost+uint64(i)+1 {
			t.Fatalf("event %d is %s", i, a.raw)
		}
	}
}

func TestALineNeedsItsTicketOnce(t *testing.T) {
	d := newDesk(t)
	used := d.ticket(d.owner)
	l := d.dial()
	l.say(map[string]any{"type": "hello", "ticket": used})
	l.want("welcome", nil)
	late := d.ticket(d.owner)
	d.Clock.Advance(license.TicketLife + time.Second)
	for name, hello := range map[string]any{
		"a used ticket": map[string]any{"type": "hello", "ticket": used}, "none": map[string]any{"type": "hello"},
		"a late ticket": map[string]any{"type": "hello", "ticket": late}, "no hello": map[string]any{"type": "ping"}, "no object": []int{1},
		"a wrong number": map[string]any{"type": "hello", "ticket": d.ticket(d.owner), "after": -1},
	} {
		t.Run(name, func(t *testing.T) {
			l := d.dial()
			l.say(hello)
			l.wantClosed(4401)
		})
	}
	if a := d.ask("GET", adminPath+"/ws", "", nil); a.status != 400 && a.status != 426 || a.code() != "websocket_expected" {
		t.Errorf("without an upgrade: %d %s", a.status, a.raw)
	}
	_, _, _, err := ws.Dialer{Header: ws.HandshakeHeaderHTTP(http.Header{"Origin": {"https://evil.example"}})}.Dial(
		t.Context(), "ws"+strings.TrimPrefix(d.server.URL, "http")+adminPath+"/ws")
	if status, ok := errors.AsType[ws.StatusError](err); !ok || int(status) != 403 {
		t.Errorf("from another site's page: %v", err)
	}
}

func TestALineEndsWithItsSession(t *testing.T) {
	d := newDesk(t)
	token := d.signIn("admin", licensetest.Password)
	mine, _ := d.watch(nil)
	l := d.dial()
	l.say(map[string]any{"type": "hello", "ticket": d.ticket(token)})
	l.want("welcome", nil)
	if a := d.ask("POST", "/api/v1/auth/logout", token, map[string]any{}); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.raw)
	}
	l.wantClosed(4403)
	mine.want("event", func(a answer) bool { return a.text("event.kind") == "user.logout" })
	another := d.signIn("admin", licensetest.Password)
	ticket := d.ticket(another)
	d.ask("POST", "/api/v1/auth/logout", another, map[string]any{})
	late := d.dial()
	late.say(map[string]any{"type": "hello", "ticket": ticket})
	late.wantClosed(4403)
	if a := d.ask("POST", "/api/v1/auth/password", d.owner, map[string]any{"old_password": licensetest.Password, "new_password": "Another-2026!"}); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.raw)
	}
	mine.wantClosed(4403)
}

func TestLinesAreToldToComeBackWhenTheApplianceStops(t *testing.T) {
	d := newDesk(t)
	l, _ := d.watch(nil)
	closed := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		closed <- d.hub.Close(ctx)
	}()
	l.wantClosed(1012)
	d.Must(l.conn.Close())
	d.Must(<-closed)
}
