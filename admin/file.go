package admin

import (
	"goldfish/admin/backup"
	"goldfish/license"
	"goldfish/license/web"
)

// FileOut is the one file, and how safe it is to copy.
type FileOut struct {
	Path              string       `json:"path"`
	ApplianceID       string       `json:"appliance_id" doc:"The appliance's UUID, iss of all that it signs"`
	CopiedAt          web.Time     `json:"copied_at" doc:"When it became an appliance of its own, beside the one that the file was copied from; empty: it never did"`
	Bytes             int64        `json:"bytes"`
	CopyWindowSeconds float64      `json:"copy_window_seconds" doc:"How long a plain copy that begins now may take"`
	CopyWindowWanted  float64      `json:"copy_window_wanted" doc:"How long it should be allowed to; less while the file changes fast"`
	Pins              int          `json:"pins" doc:"States of the file that are kept for copies"`
	PinnedBytes       int64        `json:"pinned_bytes" doc:"What past states keep from being used anew"`
	Gaps              int64        `json:"gaps" doc:"How often since the start all past states were let go at once"`
	CleanStart        bool         `json:"clean_start" doc:"The file was closed properly before it was opened"`
	LastCheck         LastCheckOut `json:"last_check"`
	LowSpace          bool         `json:"low_space" doc:"The disk is full: only what must be written is"`
	Epoch             int          `json:"epoch"`
	Schema            int          `json:"schema"`
	Release           string       `json:"release"`
	Compacting        bool         `json:"compacting"`
}

// LastCheckOut is the newest check of the whole file.
type LastCheckOut struct {
	At      web.Time `json:"at"`
	OK      bool     `json:"ok"`
	Faults  int      `json:"faults"`
	Running bool     `json:"running"`
}

func (c *Console) registerFile(a *web.API) {
	web.Route(a, web.Op{
		Method: "GET", Path: "/api/v1/admin/file", ID: "getFile", Tag: "file", Summary: "数据文件 · The data file",
		Permission: license.ReadFile,
	}, c.file)
	web.Route(a, web.Op{
		Method: "POST", Path: "/api/v1/admin/file/compact", ID: "compactFile", Tag: "file", Summary: "压缩数据文件 · Compact the data file",
		Detail:     "在后台进行;期间请求会短暂等待。In the background; calls wait for a moment meanwhile.",
		Permission: license.WriteFile, Status: 202, Message: "compact_started", Errors: []int{409},
	}, func(call *web.Call, _ *struct{}) (web.None, error) {
		return web.None{}, c.opts.Backups.StartCompact(call.Actor)
	})
}

func (c *Console) file(call *web.Call, _ *struct{}) (out FileOut, err error) {
	s, err := c.opts.Backups.Standing(call.Actor)
	if err != nil {
		return out, err
	}
	copied, err := c.rules.CopiedAt(call.Actor)
	if err != nil {
		return out, err
	}
	db := c.rules.DB()
	copying := db.Copying()
	out = FileOut{
		Path: db.Path(), ApplianceID: db.UUID().String(), CopiedAt: web.Time(copied), Bytes: db.Size(), CopyWindowSeconds: copying.Window.Seconds(), CopyWindowWanted: copying.Wanted.Seconds(),
		Pins: copying.Pins, PinnedBytes: copying.Bytes, Gaps: copying.Gaps, CleanStart: db.Clean(), LowSpace: db.Low(),
		Epoch: int(db.Epoch()), Schema: len(license.Schema("").Migrations), Release: c.opts.Release, Compacting: s.Work == backup.WorkCompact || c.rules.Compacting(),
	}
	if c.opts.Checks != nil {
		last := c.opts.Checks.Last()
		out.LastCheck = LastCheckOut{web.At(last.At), last.OK, last.Faults, last.Running}
	}
	return out, nil
}
