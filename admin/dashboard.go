package admin

import (
	"time"

	"goldfish/license"
	"goldfish/license/web"
)

// DashboardOut is the appliance at a glance.
type DashboardOut struct {
	Apps        int64           `json:"apps"`
	Accounts    int64           `json:"accounts"`
	Cards       CardCountsOut   `json:"cards"`
	Devices     DeviceCountsOut `json:"devices"`
	Activations []DayCountOut   `json:"activations" doc:"The last 30 days in UTC, oldest first"`
	Recent      []EventOut      `json:"recent" doc:"Newest first"`
	Steps       StepsOut        `json:"steps"`
}

// DayCountOut is how many licences began on a day.
type DayCountOut struct {
	Day   string `json:"day" format:"date" example:"2026-11-23"`
	Count int64  `json:"count"`
}

// StepsOut are the first steps that the console leads through, and whether each is done.
type StepsOut struct {
	App       bool `json:"app"`
	Keys      bool `json:"keys"`
	Connected bool `json:"connected"`
}

// StatusOut is the running program.
type StatusOut struct {
	Version    string   `json:"version"`
	StartedAt  web.Time `json:"started_at"`
	DataFile   string   `json:"data_file"`
	FileBytes  int64    `json:"file_bytes"`
	ConsoleURL string   `json:"console_url"`
	ClientURL  string   `json:"client_url"`
	Now        web.Time `json:"now" doc:"The appliance's clock"`
	Compacting bool     `json:"compacting" doc:"The file is being compacted: changes wait for a moment"`
	Purge      PurgeOut `json:"purge"`
}

// PurgeOut says whether what is too old to be kept is taken away.
type PurgeOut struct {
	Held     bool     `json:"held" doc:"Nothing is taken away: the clock jumped far ahead and nobody has said that it is right"`
	Since    web.Time `json:"since" doc:"What the clock showed after the jump"`
	LastSeen web.Time `json:"last_seen" doc:"The last time that the file had seen before the jump; null: not known"`
}

func (c *Console) registerDashboard(a *web.API) {
	web.Route(a, web.Op{
		Method: "GET", Path: "/api/v1/admin/dashboard", ID: "getDashboard", Tag: "dashboard", Summary: "概览 · Overview",
		Permission: license.ReadDashboard,
	}, c.dashboard)
	web.Route(a, web.Op{
		Method: "GET", Path: "/api/v1/admin/status", ID: "getStatus", Tag: "dashboard", Summary: "运行状态 · The running program",
		Permission: license.ReadStatus,
	}, c.status)
}

func (c *Console) dashboard(call *web.Call, _ *struct{}) (out DashboardOut, err error) {
	all, err := c.rules.Overview(call.Actor)
	if err != nil {
		return out, err
	}
	out = DashboardOut{
		Apps: all.Apps, Accounts: all.Accounts, Cards: countsOut(all.Cards), Devices: DeviceCountsOut{all.Bound, all.Online},
		Steps: StepsOut{all.HasApp, all.HasKeys, all.Connected},
	}
	for _, d := range all.Days {
		out.Activations = append(out.Activations, DayCountOut{d.Day.Format(time.DateOnly), d.Count})
	}
	for _, e := range all.Recent {
		out.Recent = append(out.Recent, c.eventOut(e.Seq, e.Event))
	}
	return out, nil
}

func (c *Console) status(*web.Call, *struct{}) (out StatusOut, err error) {
	hold, err := c.rules.PurgeHeld()
	if err != nil {
		return out, err
	}
	out = StatusOut{
		Version: c.opts.Release, StartedAt: web.At(c.opts.Started), DataFile: c.opts.DataFile, FileBytes: c.rules.DB().Size(),
		ConsoleURL: c.opts.ConsoleURL, ClientURL: c.opts.ClientURL, Now: web.At(c.rules.Now()),
		Compacting: c.rules.Compacting(),
	}
	if hold != nil {
		out.Purge = PurgeOut{Held: true, Since: web.Time(hold.Since), LastSeen: web.Time(hold.Seen)}
	}
	return out, nil
}
