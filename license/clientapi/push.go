package clientapi

import (
	"strconv"
	"sync"

	"goldfish/hub"
	"goldfish/license"
	"goldfish/license/verdict"
)

// published is how far push has come: in the log, and in each app's numbers. A socket that joins while it is held reads
// what it has missed up to there and hears the rest from the follower: nothing is lost and nothing comes twice.
type published struct {
	mu   sync.RWMutex
	log  uint64
	apps map[uint64]uint64 // the last push number by app; a new app has none
}

// begin stands at the log's end: what happened before is in the file for whoever comes.
func (p *published) begin(rules *license.Authority) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var err error
	if p.log, err = rules.LastEvent(); err != nil {
		return err
	}
	p.apps = map[uint64]uint64{}
	const some = 200
	for before, all := (license.App{}).ID, false; !all; {
		apps, err := rules.ListApps(license.System, before, some)
		if err != nil {
			return err
		}
		for _, app := range apps {
			state, err := rules.PushState(app.ID)
			if err != nil {
				return err
			}
			p.apps[uint64(app.ID)] = state.Seq
			before = app.ID
		}
		all = len(apps) < some
	}
	return nil
}

func (p *published) position() uint64 {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.log
}

// hold keeps the follower from publishing until the returned function is called, the first time.
func (p *published) hold() (release func()) {
	p.mu.RLock()
	return sync.OnceFunc(p.mu.RUnlock)
}

// advance publishes what an event means for sockets, and moves on.
func (p *published) advance(log, app, seq uint64, publish func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log = log
	if seq == 0 {
		return
	}
	p.apps[app] = max(p.apps[app], seq)
	publish()
}

// missed are the frames of the notices after a number that still hold, as far as push has come; hello learns how far that
// is and whether there are more. The caller holds.
func (c *API) missed(t license.DeviceTicket, after uint64, hello *welcome) ([][]byte, error) {
	hello.Seq = c.push.apps[uint64(t.App)]
	_, app := c.rules.Names(&license.Event{App: t.App})
	if app == nil {
		return nil, nil
	}
	found, more, err := c.rules.Notices(app.UUID, t.Kid, after, missedMost)
	if err != nil {
		return nil, err
	}
	var frames [][]byte
	for _, n := range found {
		if n.Seq > hello.Seq { // the follower is about to publish it
			return frames, nil
		}
		frames = append(frames, pushFrame(n.Seq, n.Token))
	}
	hello.More = more
	return frames, nil
}

// follow is called for every event, in order.
func (c *API) follow(log uint64, e *license.Event) {
	seq, _ := strconv.ParseUint(e.Args["seq"], 10, 64)
	notice := e.Kind == license.AnnouncementPublished || e.Kind == license.AnnouncementWithdrawn
	c.push.advance(log, uint64(e.App), seq, func() {
		if notice {
			c.publish(e, seq)
		}
	})
	if seq != 0 && !notice {
		c.order(e)
	}
}

// publish sends a notice to the app's sockets, signed once for each key that they trust.
func (c *API) publish(e *license.Event, seq uint64) {
	_, app := c.rules.Names(e)
	if app == nil {
		return
	}
	for _, key := range app.Keys {
		kid := verdict.KeyID(key.Public)
		topic := noticeTopic(uint64(e.App), kid)
		if c.hub.Count(topic) == 0 {
			continue
		}
		n, err := c.rules.Notice(e.App, kid, seq)
		if err == nil {
			_, err = c.hub.Publish(topic, pushFrame(n.Seq, n.Token))
		}
		if err != nil {
			c.log.Error("a notice was not pushed", "seq", seq, "err", err)
		}
	}
}

// order tells the devices that an event stops, and ends their sockets.
func (c *API) order(e *license.Event) {
	orders, err := c.rules.Orders(e, func(binding license.ID) bool { return c.hub.Count(deviceTopic(uint64(binding))) > 0 })
	if err != nil {
		c.log.Error("orders could not be made", "event", e.Kind.String(), "err", err)
		return
	}
	for _, o := range orders {
		c.hub.Each(deviceTopic(uint64(o.Binding)), func(s *hub.Socket) { c.deliver(s, o) })
	}
}

func (c *API) deliver(s *hub.Socket, o license.Order) {
	who, ok := s.Value().(*client)
	if !ok || who.ticket.Key != o.Key {
		return
	}
	token, err := c.rules.SignOrder(o, who.ticket.Kid)
	if err == nil {
		err = s.Send(pushFrame(o.Seq, token))
	}
	if err != nil {
		c.log.Warn("an order was not pushed", "code", o.Code, "err", err)
	}
	if o.Act == verdict.Stop {
		c.rules.Stopped(o.Binding)
		s.Close(closeEnded, o.Code)
	}
}
