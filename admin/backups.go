package admin

import (
	"io"
	"time"

	"goldfish/admin/backup"
	"goldfish/license"
	"goldfish/license/fault"
	"goldfish/license/web"
)

// verifyMost is how long the check of a backup may take while its caller waits.
const verifyMost = 15 * time.Minute

// BackupOut is a backup in one of the two folders.
type BackupOut struct {
	Name       string   `json:"name" example:"goldfish-20261123T020000Z.db.zst"`
	Folder     string   `json:"folder" enum:"main,second"`
	Bytes      int64    `json:"bytes"`
	ChangedAt  web.Time `json:"changed_at"`
	Summed     bool     `json:"summed" doc:"Its SHA-256 lies beside it"`
	Compressed bool     `json:"compressed"`
}

// BackupReportOut is what a backup holds.
type BackupReportOut struct {
	Name        string         `json:"name"`
	Bytes       int64          `json:"bytes"`
	SHA256      string         `json:"sha256"`
	Rows        map[string]int `json:"rows" doc:"By table"`
	NewestAt    web.Time       `json:"newest_at" doc:"Of its newest event"`
	Release     string         `json:"release" doc:"The version that wrote it"`
	Schema      int            `json:"schema"`
	Epoch       int            `json:"epoch"`
	Seal        string         `json:"seal" enum:"this_machine,other_machine," doc:"Whether this machine's key opens it; another machine's starts sealed"`
	Password    bool           `json:"password" doc:"An owner's password opens it on any machine"`
	Recovery    bool           `json:"recovery" doc:"A recovery code does"`
	SealedRows  int            `json:"sealed_rows" doc:"Rows that could not be judged without a key"`
	ApplianceID string         `json:"appliance_id"`
}

// BackupPlanOut is the plan, and how it goes.
type BackupPlanOut struct {
	BackupPlanIn
	Running          bool       `json:"running"`
	Work             string     `json:"work" enum:"backup,prune,compact," doc:"What is going on"`
	NextAt           web.Time   `json:"next_at"`
	RetryAt          web.Time   `json:"retry_at" doc:"When a planned backup that failed is tried again before that"`
	LastAt           web.Time   `json:"last_at" doc:"When the last backup ended, good or not"`
	LastOK           bool       `json:"last_ok"`
	LastErrorCode    string     `json:"last_error_code"`
	LastErrorMessage string     `json:"last_error_message"`
	LastGoodAt       web.Time   `json:"last_good_at"`
	LastBytes        int64      `json:"last_bytes" doc:"Of the last good one"`
	Thinned          ThinnedOut `json:"thinned"`
	OverCap          bool       `json:"over_cap" doc:"The cap is exceeded, though the older backups were thinned to one a week"`
}

// BackupPlanIn are the choices of the plan.
type BackupPlanIn struct {
	Enabled      bool   `json:"enabled"`
	At           string `json:"at" example:"02:00" doc:"Local time of the day"`
	KeepDays     int    `json:"keep_days" minimum:"1" maximum:"3650" example:"30"`
	SecondFolder string `json:"second_folder,omitempty" required:"false" doc:"A full path, best on another disk; empty for none"`
	CapBytes     int64  `json:"cap_bytes,omitempty" required:"false" minimum:"0" doc:"Of all backups in a folder; 0 for no cap, else at least 1 MiB"`
}

// ThinnedOut says when the cap last took backups away.
type ThinnedOut struct {
	Count int      `json:"count"`
	At    web.Time `json:"at"`
}

// PrunedOut is what pruning did.
type PrunedOut struct {
	Deleted int   `json:"deleted"`
	Kept    int   `json:"kept"`
	Bytes   int64 `json:"bytes" doc:"Of what was deleted"`
	OverCap bool  `json:"over_cap"`
}

// BackupRef names a backup.
type BackupRef struct {
	Name   string `path:"name" maxLength:"255"`
	Folder string `query:"folder" enum:"main,second" default:"main"`
}

func (r BackupRef) place() backup.Place { return r.Folder == backup.Second.String() }

const backupsPath = "/api/v1/admin/backups"

func (c *Console) registerBackups(a *web.API) {
	web.Route(a, web.Op{
		Method: "GET", Path: backupsPath, ID: "listBackups", Tag: "backups", Summary: "备份列表 · List backups",
		Permission: license.ReadFile,
	}, c.listBackups)
	web.Route(a, web.Op{
		Method: "POST", Path: backupsPath, ID: "createBackup", Tag: "backups", Summary: "立即备份 · Make a backup",
		Detail:     "在后台进行;进度见备份计划。It is made in the background; the plan tells when it is done.",
		Permission: license.WriteFile, Status: 202, Message: "backup_started", Errors: []int{409},
	}, func(call *web.Call, _ *struct{}) (out BackupPlanOut, err error) {
		if err := c.opts.Backups.Start(); err != nil {
			return out, err
		}
		return c.backupPlan(call, nil)
	})
	web.Route(a, web.Op{
		Method: "POST", Path: backupsPath + "/{name}/verify", ID: "verifyBackup", Tag: "backups", Summary: "检查一个备份 · Check a backup",
		Detail:     "全部解压并逐条检查,可能需要几分钟。All of it is unpacked and read, which may take minutes.",
		Permission: license.WriteFile, Message: "backup_good", Errors: []int{404},
	}, c.verifyBackup)
	web.RouteFile(a, web.Op{
		Method: "GET", Path: backupsPath + "/{name}/file", ID: "downloadBackup", Tag: "backups", Summary: "下载备份 · Download a backup",
		Permission: license.WriteFile, Errors: []int{404},
	}, "application/octet-stream", c.downloadBackup)
	web.Route(a, web.Op{
		Method: "DELETE", Path: backupsPath + "/{name}", ID: "deleteBackup", Tag: "backups", Summary: "删除备份 · Delete a backup",
		Permission: license.WriteFile, Message: "backup_deleted", Errors: []int{404},
	}, func(call *web.Call, in *BackupRef) (web.None, error) {
		return web.None{}, c.opts.Backups.Delete(call.Actor, in.place(), in.Name)
	})
	web.Route(a, web.Op{
		Method: "POST", Path: backupsPath + "/{name}/restore", ID: "restoreBackup", Tag: "backups", Summary: "恢复此备份 · Restore a backup",
		Detail: "先核对密码;随后数据文件短时关闭,原文件另行保留。The password is asked for first; then the file is closed for a while, " +
			"and the one before is kept beside.",
		Permission: license.WriteFile, Status: 202, Message: "restore_started", Errors: []int{404, 409},
	}, c.restoreBackup)
	web.Route(a, web.Op{
		Method: "GET", Path: "/api/v1/admin/backup-plan", ID: "getBackupPlan", Tag: "backups", Summary: "备份计划 · The plan of backups",
		Permission: license.ReadFile,
	}, c.backupPlan)
	web.Route(a, web.Op{
		Method: "PUT", Path: "/api/v1/admin/backup-plan", ID: "setBackupPlan", Tag: "backups", Summary: "修改备份计划 · Change the plan of backups",
		Permission: license.WriteFile, Message: "backup_plan_saved",
	}, c.setBackupPlan)
	web.Route(a, web.Op{
		Method: "POST", Path: "/api/v1/admin/backup-plan/prune", ID: "pruneBackups", Tag: "backups", Summary: "立即清理 · Delete what the plan does not keep",
		Permission: license.WriteFile, Errors: []int{409},
	}, c.pruneBackups)
}

func (c *Console) listBackups(call *web.Call, _ *struct{}) (out web.List[BackupOut], err error) {
	for _, at := range []backup.Place{backup.Main, backup.Second} {
		all, err := c.opts.Backups.List(call.Actor, at)
		if err != nil && at == backup.Main {
			return out, err
		}
		for _, e := range all {
			out.Items = append(out.Items, BackupOut{
				Name: e.Name(), Folder: at.String(), Bytes: e.Bytes, ChangedAt: web.At(e.Changed), Summed: e.Summed, Compressed: e.Compressed,
			})
		}
	}
	return out, nil
}

func (c *Console) backupPlan(call *web.Call, _ *struct{}) (out BackupPlanOut, err error) {
	s, err := c.opts.Backups.Standing(call.Actor)
	if err != nil {
		return out, err
	}
	p, st := s.Plan, s.State
	out = BackupPlanOut{
		BackupPlanIn: BackupPlanIn{p.Enabled, p.At, p.KeepDays, p.SecondFolder, p.CapBytes}, Running: s.Work != "", Work: s.Work,
		NextAt: web.At(s.Next), RetryAt: web.At(s.Again), LastAt: web.Time(st.Ended), LastOK: st.Ended != 0 && st.Code == "", LastErrorCode: st.Code,
		LastGoodAt: web.Time(st.Good), LastBytes: st.Bytes, Thinned: ThinnedOut{st.Thin, web.Time(st.ThinAt)}, OverCap: st.Over,
	}
	if st.Code != "" {
		args := map[string]any{"path": c.opts.Backups.Dir(), "error": st.Why, "faults": st.Why, "release": st.Why}
		out.LastErrorMessage = call.Lang.Say(st.Code, args)
	}
	return out, nil
}

func (c *Console) setBackupPlan(call *web.Call, in *struct{ Body BackupPlanIn }) (out BackupPlanOut, err error) {
	p := license.BackupPlan{
		Enabled: in.Body.Enabled, At: in.Body.At, KeepDays: in.Body.KeepDays, SecondFolder: in.Body.SecondFolder, CapBytes: in.Body.CapBytes,
	}
	if err := c.opts.Backups.SetPlan(call.Actor, p); err != nil {
		return out, err
	}
	return c.backupPlan(call, nil)
}

func (c *Console) pruneBackups(call *web.Call, _ *struct{}) (PrunedOut, error) {
	p, err := c.opts.Backups.Prune(call.Actor)
	if err != nil {
		return PrunedOut{}, err
	}
	call.Say("backups_pruned", map[string]any{"deleted": p.Removed()})
	return PrunedOut{p.Removed(), p.Kept, p.Bytes, p.Over}, nil
}

func (c *Console) verifyBackup(call *web.Call, in *BackupRef) (out BackupReportOut, err error) {
	call.Patience(verifyMost)
	r, err := c.opts.Backups.Verify(call.Actor, in.place(), in.Name)
	if err != nil {
		return out, err
	}
	return reportOut(in.Name, r), nil
}

func reportOut(name string, r *backup.Report) BackupReportOut {
	return BackupReportOut{
		Name: name, Bytes: r.Bytes, SHA256: r.SHA256, Rows: r.Rows, NewestAt: web.At(r.Newest), Release: r.Release, Schema: r.Schema,
		Epoch: int(r.Epoch), Seal: r.Seal, Password: r.Password, Recovery: r.Recovery, SealedRows: r.Sealed, ApplianceID: r.Appliance,
	}
}

func (c *Console) downloadBackup(call *web.Call, in *BackupRef) (web.File, error) {
	f, e, err := c.opts.Backups.Take(call.Actor, in.place(), in.Name)
	if err != nil {
		return web.File{}, err
	}
	return web.File{
		Name: e.Name(), Type: "application/octet-stream", Size: e.Bytes,
		Write: func(w io.Writer) error {
			defer f.Close()
			_, err := io.Copy(w, f)
			return err
		},
	}, nil
}

type restoreIn struct {
	BackupRef
	Body struct {
		Password string `json:"password" maxLength:"1000" doc:"The caller's own, once more"`
	}
}

func (c *Console) restoreBackup(call *web.Call, in *restoreIn) (web.None, error) {
	e, err := c.opts.Backups.Find(call.Actor, in.place(), in.Name)
	if err != nil {
		return web.None{}, err
	}
	if err := c.rules.ConfirmPassword(call.Ctx, call.Actor, in.Body.Password); err != nil {
		return web.None{}, err
	}
	return web.None{}, c.restore(e.Path, func() {})
}

// restore has the appliance put a backup in the place of its file; done is called when that is over, however it ended.
func (c *Console) restore(path string, done func()) error {
	fn, err := c.opts.Backups.Restore(path)
	if err != nil {
		return err
	}
	if c.opts.Exchange == nil {
		return fault.New(fault.Unavailable, "not_ready")
	}
	return c.opts.Exchange("restore", func() error {
		defer done()
		return fn()
	})
}
