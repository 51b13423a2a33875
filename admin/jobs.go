package admin

import (
	"goldfish/license"
	"goldfish/license/web"
)

// JobOut is long work in the background.
type JobOut struct {
	ID         string   `json:"id"`
	Kind       string   `json:"kind" enum:"batch.generate,keyring.rotate"`
	State      string   `json:"state" enum:"running,done,cancelled,failed" doc:"It is running, too, while what it made is taken away again"`
	Done       int      `json:"done"`
	Total      int      `json:"total"`
	ObjectID   string   `json:"object_id" doc:"Of a generation: the batch"`
	ErrorCode  string   `json:"error_code,omitzero" doc:"Why it failed"`
	WaitCode   string   `json:"wait_code" enum:",disk_low" doc:"Why a running one does not go on for now; it does by itself"`
	CreatedAt  web.Time `json:"created_at"`
	FinishedAt web.Time `json:"finished_at"`
}

func (c *Console) registerJobs(a *web.API) {
	web.Route(a, web.Op{
		Method: "GET", Path: "/api/v1/admin/jobs", ID: "listJobs", Tag: "jobs", Summary: "任务列表 · List jobs", Permission: license.ReadJobs,
	}, c.listJobs)
	web.Route(a, web.Op{
		Method: "GET", Path: "/api/v1/admin/jobs/{id}", ID: "getJob", Tag: "jobs", Summary: "一个任务 · One job",
		Permission: license.ReadJobs, Errors: []int{404},
	}, c.job)
	web.Route(a, web.Op{
		Method: "POST", Path: "/api/v1/admin/jobs/{id}/cancel", ID: "cancelJob", Tag: "jobs", Summary: "取消任务 · Cancel a job",
		Detail:     "已生成的内容会全部撤销。What it has made is taken away again.",
		Permission: license.WriteJobs, Message: "job_cancelled", Errors: []int{404, 409},
	}, c.cancelJob)
}

func (c *Console) listJobs(call *web.Call, in *struct{ web.Page }) (out web.List[JobOut], err error) {
	before, err := web.Before(in.Page, c.rules.IDs().In, license.NounJob)
	if err != nil {
		return out, err
	}
	rows, more, err := paged(in.Limit, func(n int) ([]*license.Job, error) { return c.rules.ListJobs(call.Actor, before, n) })
	if err != nil {
		return out, err
	}
	for _, row := range rows {
		j := c.jobOut(row)
		out.Items = append(out.Items, j)
		if more {
			out.Next = j.ID
		}
	}
	return out, nil
}

func (c *Console) job(call *web.Call, in *Ref) (JobOut, error) {
	id, err := c.rules.IDs().In(license.NounJob, in.ID)
	if err != nil {
		return JobOut{}, err
	}
	row, err := c.rules.Job(call.Actor, id)
	if err != nil {
		return JobOut{}, err
	}
	return c.jobOut(row), nil
}

func (c *Console) cancelJob(call *web.Call, in *Ref) (JobOut, error) {
	id, err := c.rules.IDs().In(license.NounJob, in.ID)
	if err != nil {
		return JobOut{}, err
	}
	row, err := c.rules.CancelJob(call.Actor, id)
	if err != nil {
		return JobOut{}, err
	}
	return c.jobOut(row), nil
}

func (c *Console) jobOut(j *license.Job) JobOut {
	state := j.State
	if state == license.JobCancelling {
		state = license.JobRunning
	}
	object := ""
	if j.Kind == license.JobGenerate {
		object = c.rules.IDs().Out(license.NounBatch, j.Object)
	}
	return JobOut{
		ID: c.rules.IDs().Out(license.NounJob, j.ID), Kind: j.Kind.String(), State: state.String(), Done: j.Done, Total: j.Total,
		ObjectID: object, ErrorCode: j.Code, WaitCode: j.Waits, CreatedAt: web.Time(j.Created), FinishedAt: web.Time(j.Finished),
	}
}
