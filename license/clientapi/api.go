// Package clientapi is what desktop apps and customers call: sign-in, card keys, device calls (protocol §5–§7),
// announcements, and the WebSocket that pushes notices and orders (§10).
package clientapi

import (
	"context"
	"log/slog"
	"time"

	"goldfish/hub"
	"goldfish/license"
	"goldfish/license/web"
)

// API is the client listener's routes and the push that goes with them.
type API struct {
	rules *license.Authority
	hub   *hub.Hub
	log   *slog.Logger
	push  published
}

// New adds all routes of the client listener to a. The caller runs Run beside the server, and closes the hub after it.
func New(a *web.API, h *hub.Hub) (*API, error) {
	c := &API{rules: a.Authority(), hub: h, log: a.Log()}
	if err := c.push.begin(c.rules); err != nil {
		return nil, err
	}
	web.RegisterStanding(a)
	web.RegisterSDK(a)
	web.RegisterSignIn(a, true)
	c.registerDeviceCalls(a)
	c.registerOwn(a)
	c.registerAnnouncements(a)
	c.registerSocket(a)
	c.registerPage(a)
	return c, nil
}

// Run follows the event log until ctx ends: what it tells becomes pushes and orders to the sockets that they are for.
func (c *API) Run(ctx context.Context) {
	for ctx.Err() == nil {
		err := c.rules.Follow(ctx, c.push.position(), c.follow)
		if err == nil || ctx.Err() != nil {
			return
		}
		c.log.Error("push lost its place in the log and goes on", "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}
