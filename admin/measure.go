package admin

import (
	"time"

	"goldfish/admin/metrics"
	"goldfish/license"
	"goldfish/license/web"
)

// registerMetrics adds what Prometheus reads. From this machine it is open; from elsewhere it needs a sign-in.
func (c *Console) registerMetrics(a *web.API) {
	s := metrics.Sources{
		Rules: c.rules, Release: c.opts.Release,
		Doors: []metrics.Door{{Name: "console", Hub: c.opts.Hub, Answers: a.Answered}},
	}
	if c.opts.Client != nil {
		s.Doors = append(s.Doors, metrics.Door{Name: "client", Hub: c.opts.ClientHub, Answers: c.opts.Client.Answered})
	}
	if k := c.opts.Backups; k != nil {
		s.Backups = func() (license.BackupState, string, time.Time, error) {
			st, err := k.Standing(license.System)
			return st.State, st.Work, st.Next, err
		}
	}
	figures := metrics.Handler(s)
	web.Handle(a, web.Op{Method: "GET", Path: "/metrics", ID: "metrics", Public: true}, func(call *web.Call) {
		if !call.Actor.Local {
			if err := call.Actor.Authorise(license.ReadStatus); err != nil {
				call.Fail(err)
				return
			}
		}
		figures.ServeHTTP(call.Writer(), call.Request())
	})
}
