package license

import (
	"context"
	"time"

	"goldfish/license/fault"
)

// slotQueue is how many may wait for their turn at Argon2id; those beyond get 503 busy.
const slotQueue = 8

// slotGate lets one Argon2id run at a time, for each takes 64 MiB.
type slotGate struct {
	turn chan struct{} // who runs
	room chan struct{} // who runs or waits
}

func newSlotGate() *slotGate {
	return &slotGate{turn: make(chan struct{}, 1), room: make(chan struct{}, 1+slotQueue)}
}

// enter waits for the turn for as long as ctx lets it, and gives the way out. The fault is busy.
func (g *slotGate) enter(ctx context.Context) (leave func(), err error) {
	busy := fault.New(fault.Unavailable, "busy").After(2 * time.Second)
	if err := ctx.Err(); err != nil {
		return nil, busy.Because(err)
	}
	select {
	case g.room <- struct{}{}:
	default:
		return nil, busy
	}
	select {
	case g.turn <- struct{}{}:
		return func() { <-g.turn; <-g.room }, nil
	case <-ctx.Done():
		<-g.room
		return nil, busy.Because(ctx.Err())
	}
}
