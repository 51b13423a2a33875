package admin

import (
	"time"

	"goldfish/license"
	"goldfish/license/web"
)

// Dashboard is the appliance at a glance.
type Dashboard struct {
	Apps        int64        `json:"apps"`
	Accounts    int64        `json:"accounts"`
	Cards       CardCounts   `json:"cards"`
	Devices     DeviceCounts `json:"devices"`
	Activations []DayCount   `json:"activations" doc:"The last 30 days in UTC, oldest first"`
	Recent      []Event      `json:"recent" doc:"Newest first"`
	Steps       Steps        `json:"steps"`
}

// DayCount is how many licences began on a day.
type DayCount struct {
	Day   string `json:"day" format:"date" example:"2026-11-23"`
	Count int64  `json:"count"`
}

// Steps are the first steps that the console leads through, and whether each is done.
type Steps struct {
	App       bool `json:"app"`
	Keys      bool `json:"keys"`
	Connected bool `json:"connected"`
}

// Status is the running program.
type Status struct {
	Version    string   `json:"version"`
	StartedAt  web.Time `json:"started_at"`
	DataFile   string   `json:"data_file"`
	FileBytes  int64    `json:"file_bytes"`
	ConsoleURL string   `json:"console_url"`
	ClientURL  string   `json:"client_url"`
	Now        web.Time `json:"now" doc:"The appliance's clock"`
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

func (c *Console) dashboard(call *web.Call, _ *struct{}) (out Dashboard, err error) {
	all, err := c.rules.Overview(call.Actor)
	if err != nil {
		return out, err
	}
	out = Dashboard{
		Apps: all.Apps, Accounts: all.Accounts, Cards: countsOut(all.Cards), Devices: DeviceCounts{all.Bound, all.Online},
		Steps: Steps{all.HasApp, all.HasKeys, all.Connected},
	}
	for _, d := range all.Days {
		out.Activations = append(out.Activations, DayCount{d.Day.Format(time.DateOnly), d.Count})
	}
	for _, e := range all.Recent {
		out.Recent = append(out.Recent, c.eventOut(e.Seq, e.Event))
	}
	return out, nil
}

func (c *Console) status(*web.Call, *struct{}) (Status, error) {
	return Status{
		Version: c.opts.Release, StartedAt: web.At(c.opts.Started), DataFile: c.opts.DataFile, FileBytes: c.rules.DB().Size(),
		ConsoleURL: c.opts.ConsoleURL, ClientURL: c.opts.ClientURL, Now: web.At(c.rules.Now()),
	}, nil
}
