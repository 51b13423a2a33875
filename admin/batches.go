package admin

import (
	"goldfish/license"
	"goldfish/license/web"
)

// BatchOut is one order of card keys.
type BatchOut struct {
	ID         string        `json:"id"`
	AppID      string        `json:"app_id"`
	Name       string        `json:"name"`
	Note       string        `json:"note"`
	PriceLabel string        `json:"price_label" example:"¥30"`
	Count      int           `json:"count"`
	Validity   Validity      `json:"validity"`
	Devices    int           `json:"devices" doc:"On how many devices each key may run"`
	Tier       string        `json:"tier"`
	Features   []string      `json:"features"`
	State      string        `json:"state" enum:"generating,ready,cancelled,failed" doc:"Its keys exist for everybody else once it is ready"`
	CreatedAt  web.Time      `json:"created_at"`
	CreatedBy  string        `json:"created_by" doc:"User name"`
	JobID      string        `json:"job_id"`
	Cards      CardCountsOut `json:"cards"`
}

// Validity is how long a card key is good for.
type Validity struct {
	Kind    string   `json:"kind" enum:"permanent,duration,until"`
	Seconds int64    `json:"seconds,omitzero" doc:"Of a duration, from activation: 60 to 100 years" example:"2592000"`
	Until   web.Time `json:"until,omitzero" doc:"Of until"`
}

// NewBatchData is the answer to an order: the batch, and the job that makes its keys.
type NewBatchData struct {
	Batch BatchOut `json:"batch"`
	Job   JobOut   `json:"job"`
}

type newBatchIn struct {
	Body struct {
		AppID      string   `json:"app_id"`
		Name       string   `json:"name,omitzero" doc:"At most 80 characters; the time without one"`
		Count      int      `json:"count" minimum:"1" maximum:"1000000"`
		Validity   Validity `json:"validity"`
		Devices    int      `json:"devices,omitzero" minimum:"1" maximum:"1000" default:"1"`
		Note       string   `json:"note,omitzero" doc:"At most 500 characters"`
		PriceLabel string   `json:"price_label,omitzero" doc:"At most 40 characters"`
		Tier       string   `json:"tier,omitzero" doc:"At most 32 of A–Z a–z 0–9 . _ -"`
		Features   []string `json:"features,omitzero" maxItems:"32" doc:"Each as a tier"`
	}
}

type batchesIn struct {
	web.Page
	AppID string `query:"app_id" maxLength:"64"`
}

func (c *Console) registerBatches(a *web.API) {
	web.Route(a, web.Op{
		Method: "GET", Path: "/api/v1/admin/batches", ID: "listBatches", Tag: "batches", Summary: "批次列表 · List batches",
		Permission: license.ReadBatches, Errors: []int{404},
	}, c.listBatches)
	web.Route(a, web.Op{
		Method: "POST", Path: "/api/v1/admin/batches", ID: "createBatch", Tag: "batches", Summary: "生成卡密 · Generate card keys",
		Detail:     "卡密在后台生成,全部完成后才可见;进度见任务。The keys are made in the background and seen when all are there; the job tells how far it is.",
		Permission: license.WriteBatches, Status: 202, Message: "batch_ordered", Errors: []int{404},
	}, c.createBatch)
	web.Route(a, web.Op{
		Method: "GET", Path: "/api/v1/admin/batches/{id}", ID: "getBatch", Tag: "batches", Summary: "一个批次 · One batch",
		Permission: license.ReadBatches, Errors: []int{404},
	}, c.batch)
}

func (c *Console) listBatches(call *web.Call, in *batchesIn) (out web.List[BatchOut], err error) {
	before, err := web.Before(in.Page, c.rules.IDs().In, license.NounBatch)
	if err != nil {
		return out, err
	}
	app, err := c.appFilter(in.AppID)
	if err != nil {
		return out, err
	}
	var of license.App
	if app != nil {
		of = *app
	}
	rows, more, err := paged(in.Limit, func(n int) ([]*license.Batch, error) {
		return c.rules.ListBatches(call.Actor, of.UUID, before, n)
	})
	if err != nil {
		return out, err
	}
	for _, row := range rows {
		b, err := c.batchOut(row)
		if err != nil {
			return out, err
		}
		out.Items = append(out.Items, b)
		if more {
			out.Next = b.ID
		}
	}
	return out, nil
}

func (c *Console) createBatch(call *web.Call, in *newBatchIn) (out NewBatchData, err error) {
	b := in.Body
	app, err := web.ParseAppID(b.AppID)
	if err != nil {
		return out, err
	}
	kind, err := license.ParseTermKind(b.Validity.Kind)
	if err != nil {
		return out, err
	}
	batch, job, err := c.rules.CreateBatch(call.Actor, license.NewBatch{
		App: app, Name: b.Name, Note: b.Note, Price: b.PriceLabel, Count: b.Count,
		Terms: license.Terms{
			Kind: kind, Seconds: b.Validity.Seconds, Until: int64(b.Validity.Until), Devices: b.Devices, Tier: b.Tier, Features: b.Features,
		},
	})
	if err != nil {
		return out, err
	}
	out.Job = c.jobOut(job)
	out.Batch, err = c.batchOut(batch)
	return out, err
}

func (c *Console) batch(call *web.Call, in *Ref) (BatchOut, error) {
	row, err := c.batchRow(call.Actor, in.ID)
	if err != nil {
		return BatchOut{}, err
	}
	return c.batchOut(row)
}

// batchRow finds the batch of an outer id.
func (c *Console) batchRow(who license.Actor, text string) (*license.Batch, error) {
	id, err := c.rules.IDs().In(license.NounBatch, text)
	if err != nil {
		return nil, err
	}
	return c.rules.Batch(who, id)
}

func (c *Console) batchOut(b *license.Batch) (BatchOut, error) {
	counts, err := c.rules.CountBatch(b)
	if err != nil {
		return BatchOut{}, err
	}
	by, _ := c.rules.AccountName(b.By)
	return BatchOut{
		ID: c.rules.IDs().Out(license.NounBatch, b.ID), AppID: c.appID(b.App), Name: b.Name, Note: b.Note, PriceLabel: b.Price,
		Count: b.Count, Validity: validityOut(b.Terms), Devices: b.Terms.Devices, Tier: b.Terms.Tier, Features: b.Terms.Features,
		State: b.State.String(), CreatedAt: web.Time(b.Created), CreatedBy: by, JobID: c.rules.IDs().Out(license.NounJob, b.Job),
		Cards: countsOut(counts),
	}, nil
}

func validityOut(t license.Terms) Validity {
	return Validity{Kind: t.Kind.String(), Seconds: t.Seconds, Until: web.Time(t.Until)}
}
