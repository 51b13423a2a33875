package clientapi_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"goldfish/hub"
	"goldfish/license"
	"goldfish/license/licensetest"
	"goldfish/license/verdict"
)

// socket is a device's end of a WebSocket.
type socket struct {
	t    testing.TB
	conn net.Conn
	in   *bufio.Reader
}

func (s *site) dial() *socket {
	s.T.Helper()
	conn, buffered, _, err := ws.Dialer{Timeout: 10 * time.Second}.Dial(context.Background(), "ws"+strings.TrimPrefix(s.http.URL, "http")+"/api/v1/ws")
	s.Must(err)
	s.T.Cleanup(func() { conn.Close() })
	c := &socket{t: s.T, conn: conn, in: bufio.NewReader(conn)}
	if buffered != nil {
		c.in = buffered
	}
	return c
}

func (c *socket) say(v any) {
	c.t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := ws.WriteFrame(c.conn, ws.MaskFrame(ws.NewTextFrame(raw))); err != nil {
		c.t.Fatal(err)
	}
}

// next gives the next message, or the code with which the socket was closed.
func (c *socket) next() (message m, code hub.Code) {
	c.t.Helper()
	_ = c.conn.SetReadDeadline(time.Now().Add(30 * time.Second))
	for {
		head, err := ws.ReadHeader(c.in)
		if err != nil {
			c.t.Fatalf("nothing more came: %v", err)
		}
		if head.Length > 64<<10 {
			c.t.Fatalf("a frame of %d bytes", head.Length)
		}
		payload := make([]byte, head.Length)
		if _, err := io.ReadFull(c.in, payload); err != nil {
			c.t.Fatal(err)
		}
		switch head.OpCode {
		case ws.OpText:
			if err := json.Unmarshal(payload, &message); err != nil {
				c.t.Fatal(err)
			}
			return message, 0
		case ws.OpClose:
			return nil, hub.Code(binary.BigEndian.Uint16(payload))
		}
	}
}

func (c *socket) message(kind string) m {
	c.t.Helper()
	message, code := c.next()
	if message["type"] != kind {
		c.t.Fatalf("came %v (closed with %d), want %s", message, code, kind)
	}
	return message
}

func (c *socket) wantClose(want hub.Code) {
	c.t.Helper()
	if message, code := c.next(); code != want {
		c.t.Fatalf("came %v, closed with %d, want %d", message, code, want)
	}
}

// ticket asks for one by a heartbeat.
func (d *device) ticket(card string) string {
	d.s.T.Helper()
	return d.ask(d.letter(heartbeat, m{"card_id": card, "ticket": true}), 200, "run", "valid").dataText("ticket")
}

// live opens a device's socket: it has said hello and been welcomed.
func (d *device) live(card string, epoch, after int64) (*socket, m) {
	d.s.T.Helper()
	c := d.s.dial()
	c.say(m{"type": "hello", "ticket": d.ticket(card), "ep": epoch, "after": after})
	return c, c.message("welcome")
}

// notice opens a pushed notice as a client does.
func (d *device) notice(message m, seen int64) verdict.Notice {
	d.s.T.Helper()
	n, err := verdict.CheckNotice(message["token"].(string), d.pins, d.App.UUID.String(), seen)
	d.s.Must(err)
	if message["seq"] != float64(n.Seq) {
		d.s.T.Errorf("the frame says %v, the token %d", message["seq"], n.Seq)
	}
	return n
}

func (s *site) announce(title string, apps ...*license.App) *license.Announcement {
	s.T.Helper()
	in := license.NewAnnouncement{
		Type: "notice", Priority: "high", Title: license.Text{ZH: title}, Body: license.Text{ZH: "正文", EN: "Body"}, Publish: true,
	}
	for _, app := range apps {
		in.Apps = append(in.Apps, app.UUID)
	}
	n, err := s.CreateAnnouncement(s.Owner, in)
	s.Must(err)
	return n
}

func (s *site) cardID(outer string) license.ID {
	s.T.Helper()
	id, err := s.IDs().In(license.NounCard, outer)
	s.Must(err)
	return id
}

func TestTicketIsGoodOnce(t *testing.T) {
	s := serve(t)
	d, a := s.bound(s.App(nil), 1, s.customer("xiaoyu"))
	first := s.dial()
	first.say(m{"type": "hello", "ticket": a.dataText("ticket"), "ep": 1, "after": 0})
	if w := first.message("welcome"); w["ep"] != 1.0 || w["seq"] != 0.0 || w["reset"] != false || w["more"] != nil {
		t.Errorf("welcome is %v", w)
	}
	second := s.dial()
	second.say(m{"type": "hello", "ticket": a.dataText("ticket"), "ep": 1, "after": 0})
	second.wantClose(4401)
	for _, hello := range []m{{"type": "hello"}, {"type": "hello", "ticket": strings.Repeat("A", 43)}, {"type": "other", "ticket": d.ticket(a.Card.ID)}, {}} {
		c := s.dial()
		c.say(hello)
		c.wantClose(4401)
	}
	late := d.ticket(a.Card.ID)
	s.Clock.Advance(license.TicketLife + time.Second)
	c := s.dial()
	c.say(m{"type": "hello", "ticket": late, "ep": 1, "after": 0})
	c.wantClose(4401)
}

func TestAnnouncementIsPushedAtOnce(t *testing.T) {
	s := serve(t)
	app, other := s.App(nil), s.App(nil)
	d, a := s.bound(app, 1, s.customer("xiaoyu"))
	c, _ := d.live(a.Card.ID, 1, 0)
	c.say(m{"type": "later version", "x": 1}) // ignored
	s.announce("别的应用", other)
	n := s.announce("大家好", app)
	got := d.notice(c.message("push"), 0)
	if got.Kind != "announcement" || !strings.Contains(string(got.Data), "大家好") || got.Seq != 1 {
		t.Errorf("notice is %+v %s", got, got.Data)
	}
	c.say(m{"type": "ack", "seq": got.Seq})
	_, err := s.WithdrawAnnouncement(s.Owner, n.ID)
	s.Must(err)
	if gone := d.notice(c.message("push"), got.Seq); gone.Kind != "withdrawn" || strings.Contains(string(gone.Data), "大家好") {
		t.Errorf("withdrawal is %+v %s", gone, gone.Data)
	}
}

// Whoever returns gets what it has missed, in order, and then what comes, each once.
func TestResumeWithoutGapOrDouble(t *testing.T) {
	s := serve(t)
	app := s.App(nil)
	d, a := s.bound(app, 1, s.customer("xiaoyu"))
	const rounds, each = 12, 3
	published := make(chan struct{})
	go func() {
		defer close(published)
		for i := range rounds * each {
			s.announce(fmt.Sprint("公告", i), app)
		}
	}()
	var seen int64
	for seen < rounds*each {
		c, w := d.live(a.Card.ID, 1, seen)
		if w["reset"] != false {
			t.Fatalf("welcome is %v", w)
		}
		for range each { // then it goes away without a word
			if seen == rounds*each {
				break
			}
			n := d.notice(c.message("push"), seen)
			if n.Seq != seen+1 {
				t.Fatalf("after %d came %d", seen, n.Seq)
			}
			seen = n.Seq
		}
		c.conn.Close()
	}
	<-published
	c, _ := d.live(a.Card.ID, 1, seen)
	s.announce("最后", app)
	if n := d.notice(c.message("push"), 0); n.Seq != seen+1 {
		t.Errorf("after %d came %d again", seen, n.Seq)
	}
}

func TestMoreThanASocketBrings(t *testing.T) {
	s := serve(t)
	app := s.App(nil)
	d, a := s.bound(app, 1, s.customer("xiaoyu"))
	for i := range 203 {
		s.announce(fmt.Sprint("公告", i), app)
	}
	c, w := d.live(a.Card.ID, 1, 1)
	if w["more"] != true || w["seq"] != 203.0 {
		t.Errorf("welcome is %v", w)
	}
	for i := range int64(200) {
		if n := d.notice(c.message("push"), 0); n.Seq != i+2 {
			t.Fatalf("came %d, want %d", n.Seq, i+2)
		}
	}
	var got []int64
	path := "/api/v1/announcements?app_id=" + app.UUID.String() + "&after=1&limit=150"
	for next := ""; ; {
		r := s.call("GET", path+next, "")
		want(t, r, 200, "")
		for _, item := range r.data()["items"].([]any) {
			got = append(got, d.notice(item.(map[string]any), 0).Seq)
		}
		if next = r.dataText("next"); next == "" {
			break
		}
		next = "&cursor=" + next
	}
	if len(got) != 202 || got[0] != 2 || got[201] != 203 {
		t.Errorf("the list has %d, from %d to %d", len(got), got[0], got[len(got)-1])
	}
}

// A client of another epoch starts anew.
func TestOtherEpochResets(t *testing.T) {
	s := serve(t)
	app := s.App(nil)
	d, a := s.bound(app, 1, s.customer("xiaoyu"))
	s.announce("一", app)
	c, w := d.live(a.Card.ID, 7, 99)
	if w["reset"] != true || w["ep"] != 1.0 {
		t.Errorf("welcome is %v", w)
	}
	if n := d.notice(c.message("push"), 0); n.Seq != 1 {
		t.Errorf("came %d", n.Seq)
	}
}

func TestOrderOnDisable(t *testing.T) {
	s := serve(t)
	app := s.App(nil)
	bearer := s.customer("xiaoyu")
	d, a := s.bound(app, 1, bearer)
	other, oa := s.bound(app, 2, bearer)
	c, _ := d.live(a.Card.ID, 1, 0)
	quiet, _ := other.live(oa.Card.ID, 1, 0)
	_, failed, err := s.ActOnCards(s.Owner, license.DisableCard, []string{a.Card.ID}, "测试")
	s.Must(err)
	if len(failed) > 0 {
		t.Fatal(failed)
	}
	message := c.message("push")
	order, err := verdict.CheckOrder(message["token"].(string), verdict.ExpectOrder{
		Pins: d.pins, AppID: app.UUID.String(), Key: a.Key, Session: d.session, Epoch: a.Epoch, Seq: a.Seq,
	})
	s.Must(err)
	if order.Act != verdict.Stop || order.Code != "card_disabled" || order.Card != a.Card.ID {
		t.Errorf("order is %+v", order)
	}
	c.wantClose(4403)
	d.ask(d.letter(heartbeat, m{"card_id": a.Card.ID}), 403, "stop", "card_disabled")
	// Whom it does not concern hears nothing of it.
	s.announce("之后", app)
	if n := other.notice(quiet.message("push"), 0); n.Kind != "announcement" {
		t.Errorf("the other device hears %+v", n)
	}
}

// What happens between the verdict that came with the ticket and the hello is not missed.
func TestOrderBetweenTicketAndHello(t *testing.T) {
	s := serve(t)
	app := s.App(nil)
	d, a := s.bound(app, 1, s.customer("xiaoyu"))
	_, _, err := s.ActOnCards(s.Owner, license.DeleteCard, []string{a.Card.ID}, "")
	s.Must(err)
	c := s.dial()
	c.say(m{"type": "hello", "ticket": a.dataText("ticket"), "ep": 1, "after": 0})
	c.message("welcome")
	order, err := verdict.CheckOrder(c.message("push")["token"].(string), verdict.ExpectOrder{
		Pins: d.pins, AppID: app.UUID.String(), Key: a.Key, Epoch: a.Epoch, Seq: a.Seq,
	})
	s.Must(err)
	if order.Act != verdict.Stop || order.Code != "card_deleted" {
		t.Errorf("order is %+v", order)
	}
	c.wantClose(4403)
}

func TestReplacedDeviceIsTold(t *testing.T) {
	s := serve(t)
	app := s.App(nil)
	bearer := s.customer("xiaoyu")
	old, a := s.bound(app, 1, bearer)
	c, _ := old.live(a.Card.ID, 1, 0)
	card, err := s.CardByID(s.Owner, s.cardID(a.Card.ID))
	s.Must(err)
	fresh := s.device(app, 2)
	fresh.CPU, fresh.Board, fresh.MAC = old.CPU, old.Board, old.MAC
	l := fresh.letter(activate, m{"card_key": card.Text.Key(), "replace": true})
	l.bearer = bearer
	fresh.ask(l, 200, "run", "valid")
	order, err := verdict.CheckOrder(c.message("push")["token"].(string), verdict.ExpectOrder{
		Pins: old.pins, AppID: app.UUID.String(), Key: a.Key, Epoch: a.Epoch, Seq: a.Seq,
	})
	s.Must(err)
	if order.Act != verdict.Stop || order.Code != "device_key_mismatch" {
		t.Errorf("order is %+v", order)
	}
	c.wantClose(4403)
}

func TestDisabledAppStopsAllItsDevices(t *testing.T) {
	s := serve(t)
	app := s.App(nil)
	bearer := s.customer("xiaoyu")
	d, a := s.bound(app, 1, bearer)
	c, _ := d.live(a.Card.ID, 1, 0)
	off := true
	_, err := s.ChangeApp(s.Owner, app.UUID, license.AppChange{Disabled: &off})
	s.Must(err)
	c.message("push")
	c.wantClose(4403)
	d.ask(d.letter(verify, m{"card_id": a.Card.ID}), 403, "stop", "app_disabled")
}

func TestSocketIsPresence(t *testing.T) {
	s := serve(t)
	app := s.App(nil)
	d, a := s.bound(app, 1, s.customer("xiaoyu"))
	c, _ := d.live(a.Card.ID, 1, 0)
	online := func() bool {
		yes := true
		views, _, err := s.ListDevices(s.Owner, license.DeviceFilter{Online: &yes, Limit: 5})
		s.Must(err)
		return len(views) == 1
	}
	s.Clock.Advance(time.Hour)
	s.Must(s.SweepOffline())
	if !online() {
		t.Error("a device with an open socket is offline")
	}
	c.conn.Close()
	s.Await("the socket's end", func() bool { return s.hub.Stats().Sockets == 0 })
	s.Await("the end of its presence", func() bool {
		s.Clock.Advance(time.Hour)
		s.Must(s.SweepOffline())
		return !online()
	})
}

// A socket that does not read is cut off, the others go on, and it catches up when it returns.
func TestSlowSocketIsCut(t *testing.T) {
	s := serveWith(t, licensetest.New(t), hub.Options{QueueMessages: 4, QueueBytes: 8 << 10})
	app := s.App(nil)
	bearer := s.customer("xiaoyu")
	slow, a := s.bound(app, 1, bearer)
	quick, qa := s.bound(app, 2, bearer)
	deaf, _ := slow.live(a.Card.ID, 1, 0)
	if tcp, ok := deaf.conn.(*net.TCPConn); ok {
		s.Must(tcp.SetReadBuffer(1 << 10))
	}
	ear, _ := quick.live(qa.Card.ID, 1, 0)
	long := strings.Repeat("长", 4000)
	var last int64
	for i := 0; s.hub.Stats().Cut == 0; i++ {
		if i == 2000 {
			t.Fatal("a socket that does not read is never cut")
		}
		_, err := s.CreateAnnouncement(s.Owner, license.NewAnnouncement{
			Type: "notice", Priority: "low", Title: license.Text{ZH: "长"}, Body: license.Text{ZH: long}, Publish: true,
		})
		s.Must(err)
		last = quick.notice(ear.message("push"), last).Seq
	}
	s.Await("the slow one's end", func() bool { return s.hub.Stats().Sockets == 1 })
	back, _ := slow.live(a.Card.ID, 1, last-1)
	if n := slow.notice(back.message("push"), last-1); n.Seq != last {
		t.Errorf("came %d, want %d", n.Seq, last)
	}
}

func TestSocketRefusals(t *testing.T) {
	s := serve(t)
	upgrade := []string{
		"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==",
	}
	want(t, s.call("GET", "/api/v1/ws", "", append(upgrade, "Origin", "https://evil.example")...), 403, "origin_refused")
	r := s.call("GET", "/api/v1/ws", "")
	want(t, r, http.StatusUpgradeRequired, "websocket_expected")
	if r.Header.Get("Upgrade") != "websocket" {
		t.Errorf("headers are %v", r.Header)
	}
	want(t, s.call("GET", "/api/v1/ws", "", append(upgrade, "Authorization", "Bearer x")...), 401, "token_invalid")
	if strings.Contains(s.log.String(), "panic") {
		t.Error(s.log.String())
	}
}
