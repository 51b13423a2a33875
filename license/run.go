package license

import (
	"context"
	"runtime/debug"
	"time"
)

// Run does what time demands until ctx ends: heartbeats to the file, silent devices offline, ended licences
// marked, refusals recorded, the clock and the key ring watched, the file compacted when that was wished. Every step is safe to repeat; a failing one is logged and
// tried again.
func (a *Authority) Run(ctx context.Context) {
	fast, slow := time.NewTicker(time.Second), time.NewTicker(PresenceFlush)
	defer fast.Stop()
	defer slow.Stop()
	step := func(what string, fn func() error) {
		if err := fn(); err != nil && ctx.Err() == nil {
			a.log.Error("a regular step failed and will be tried again", "step", what, "err", err)
		}
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-fast.C:
			step("expiry", a.SweepExpired)
			step("refusals", a.flushRefusals)
			step("compaction", a.CompactIfWished)
		case <-slow.C:
			step("clock", a.CheckClock)
			step("presence", a.FlushPresence)
			step("slots", a.sweepSlots)
			step("seals", a.countSeals)
			step("offline", a.SweepOffline)
			step("outside", a.keepOutside)
			step("purge", a.Purge)
		}
	}
}

// guarded calls what others handed in: a panic there harms nobody else, and is seen (EV3).
func (a *Authority) guarded(what string, fn func()) {
	defer func() {
		if p := recover(); p != nil {
			a.log.Error("a handler panicked", "handler", what, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	fn()
}
