package clientapi

import (
	"errors"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"

	"goldfish/hub"
	"goldfish/license"
	"goldfish/license/web"
)

// Close codes of protocol §10; a full queue closes with hub.TryLater.
const (
	closeTicket hub.Code = 4401
	closeEnded  hub.Code = 4403
)

const (
	helloPatience = 5 * time.Second
	missedMost    = 200
)

// client is one device's socket: who it is, once it has said hello.
type client struct {
	ticket license.DeviceTicket
	left   func()
}

// upward is what a client may say. Members of other types are ignored with them.
type upward struct {
	Type   string `json:"type"`
	Ticket string `json:"ticket"`
	Epoch  uint64 `json:"ep"`
	After  uint64 `json:"after"`
}

// welcome is the first thing that a client hears.
type welcome struct {
	Type  string `json:"type"`
	Epoch uint64 `json:"ep"`
	Seq   uint64 `json:"seq"`
	Reset bool   `json:"reset"`
	More  bool   `json:"more,omitzero"`
}

// pushed is a notice or an order on its way.
type pushed struct {
	Type  string `json:"type"`
	Seq   uint64 `json:"seq"`
	Token string `json:"token"`
}

func pushFrame(seq uint64, token string) []byte { return web.Frame(pushed{"push", seq, token}) }

// Topics: an app's sockets by the key that their notices are signed with, and the sockets of one binding.
func noticeTopic(app uint64, kid string) string {
	return "notices/" + strconv.FormatUint(app, 16) + "/" + kid
}

func deviceTopic(binding uint64) string { return "device/" + strconv.FormatUint(binding, 16) }

func (c *API) registerSocket(a *web.API) {
	web.Handle(a, web.Op{Method: "GET", Path: "/api/v1/ws", ID: "socket", Public: true}, func(call *web.Call) {
		_, err := c.hub.Upgrade(call.Writer(), call.Request(), hub.Accept{
			First: helloPatience, FirstCode: closeTicket, OnMessage: c.heard, OnClose: c.closed,
		})
		if refused, ok := errors.AsType[*hub.Refused](err); ok {
			call.Fail(web.SocketFault(refused.Code))
		}
	})
}

// heard takes one message. The first must be a hello with a good ticket; later ones say nothing that must be acted on:
// what was delivered is known by the next hello, and unknown types are ignored.
func (c *API) heard(s *hub.Socket, raw []byte) {
	if s.Value() != nil {
		return
	}
	var m upward
	if err := json.Unmarshal(raw, &m); err != nil || m.Type != "hello" {
		s.Close(closeTicket, "hello_expected")
		return
	}
	ticket, err := c.rules.TakeDeviceTicket(m.Ticket)
	if err != nil {
		s.Close(closeTicket, "ticket_invalid")
		return
	}
	s.SetValue(&client{ticket: ticket, left: c.rules.Connect(ticket)})
	c.greet(s, ticket, m)
}

// closed ends the presence that a hello began.
func (c *API) closed(s *hub.Socket, _ hub.Code) {
	if who, ok := s.Value().(*client); ok {
		who.left()
	}
}

// greet joins the topics and sends welcome and missed notices before anything newer.
func (c *API) greet(s *hub.Socket, t license.DeviceTicket, m upward) {
	epoch := uint64(c.rules.DB().Epoch())
	hello := welcome{Type: "welcome", Epoch: epoch, Reset: m.Epoch != epoch}
	if hello.Reset {
		m.After = 0
	}
	var missed [][]byte
	var err error
	release := c.push.hold()
	backlog := func(yield func([]byte) bool) {
		missed, err = c.missed(t, m.After, &hello)
		release()
		if err == nil && yield(web.Frame(hello)) {
			emit(slices.Values(missed), yield)
		}
	}
	rerr := s.Resume(backlog, noticeTopic(uint64(t.App), t.Kid), deviceTopic(uint64(t.Binding)))
	release()
	if err != nil {
		c.log.Error("missed notices could not be read", "err", err)
		s.Close(hub.Internal, "internal")
	} else if rerr != nil && !errors.Is(rerr, hub.ErrClosed) {
		c.log.Error("missed notices could not be sent", "err", rerr)
		s.Close(hub.Internal, "internal")
	} else if rerr == nil {
		c.catchUp(s, t)
	}
}

// catchUp sends the order of an event that came after the ticket and before the socket joined.
func (c *API) catchUp(s *hub.Socket, t license.DeviceTicket) {
	order, err := c.rules.StandingOrder(t)
	if err != nil {
		c.log.Error("a standing order could not be read", "err", err)
		s.Close(hub.Internal, "internal")
	} else if order != nil {
		c.deliver(s, *order)
	}
}

func emit(from iter.Seq[[]byte], yield func([]byte) bool) {
	for frame := range from {
		if !yield(frame) {
			return
		}
	}
}
