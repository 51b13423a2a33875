package admin

import (
	"goldfish/license"
	"goldfish/license/web"
)

// AnnouncementOut is what a vendor tells the customers of all or some apps.
type AnnouncementOut struct {
	ID          string   `json:"id"`
	AppIDs      []string `json:"app_ids" doc:"Empty: all apps"`
	Type        string   `json:"type" enum:"notice,maintenance,release,security"`
	Priority    string   `json:"priority" enum:"high,medium,low"`
	Title       web.Text `json:"title"`
	Body        web.Text `json:"body"`
	State       string   `json:"state" enum:"draft,published,withdrawn,expired"`
	CreatedAt   web.Time `json:"created_at"`
	PublishedAt web.Time `json:"published_at"`
	ExpiresAt   web.Time `json:"expires_at"`
}

// AnnouncementText is what a vendor writes.
type AnnouncementText struct {
	AppIDs    []string `json:"app_ids" maxItems:"200" doc:"Empty: all apps"`
	Type      string   `json:"type" enum:"notice,maintenance,release,security"`
	Priority  string   `json:"priority" enum:"high,medium,low"`
	Title     web.Text `json:"title" doc:"At least one language, at most 120 characters"`
	Body      web.Text `json:"body" doc:"At least one language, at most 5,000 characters"`
	ExpiresAt web.Time `json:"expires_at,omitzero" doc:"When it hides itself"`
}

type newAnnouncementIn struct {
	Body struct {
		AnnouncementText
		Publish bool `json:"publish,omitzero" doc:"Publish at once; otherwise it stays a draft"`
	}
}

type announcementIn struct {
	Ref
	Body AnnouncementText
}

func (c *Console) registerAnnouncements(a *web.API) {
	const root, tag = "/api/v1/admin/announcements", "announcements"
	web.Route(a, web.Op{
		Method: "GET", Path: root, ID: "listAnnouncements", Tag: tag, Summary: "公告列表 · List announcements", Permission: license.ReadAnnouncements,
	}, c.listAnnouncements)
	web.Route(a, web.Op{
		Method: "POST", Path: root, ID: "createAnnouncement", Tag: tag, Summary: "撰写公告 · Write an announcement",
		Permission: license.WriteAnnouncements, Status: 201, Message: "announcement_created", Errors: []int{404},
	}, c.createAnnouncement)
	web.Route(a, web.Op{
		Method: "PATCH", Path: root + "/{id}", ID: "changeAnnouncement", Tag: tag, Summary: "修改草稿 · Rewrite a draft",
		Permission: license.WriteAnnouncements, Message: "announcement_changed", Errors: []int{404, 409},
	}, c.changeAnnouncement)
	web.Route(a, web.Op{
		Method: "POST", Path: root + "/{id}/publish", ID: "publishAnnouncement", Tag: tag, Summary: "发布公告 · Publish a draft",
		Permission: license.WriteAnnouncements, Message: "announcement_published", Errors: []int{404, 409},
	}, func(call *web.Call, in *Ref) (AnnouncementOut, error) {
		return c.move(call, in, c.rules.PublishAnnouncement)
	})
	web.Route(a, web.Op{
		Method: "POST", Path: root + "/{id}/withdraw", ID: "withdrawAnnouncement", Tag: tag, Summary: "撤回公告 · Withdraw an announcement",
		Permission: license.WriteAnnouncements, Message: "announcement_withdrawn", Errors: []int{404, 409},
	}, func(call *web.Call, in *Ref) (AnnouncementOut, error) {
		return c.move(call, in, c.rules.WithdrawAnnouncement)
	})
	web.Route(a, web.Op{
		Method: "DELETE", Path: root + "/{id}", ID: "deleteAnnouncement", Tag: tag, Summary: "删除草稿 · Delete a draft",
		Permission: license.WriteAnnouncements, Message: "announcement_deleted", Errors: []int{404, 409},
	}, c.deleteAnnouncement)
}

func (c *Console) listAnnouncements(call *web.Call, in *struct{ web.Page }) (out web.List[AnnouncementOut], err error) {
	before, err := web.Before(in.Page, c.rules.IDs().In, license.NounAnnouncement)
	if err != nil {
		return out, err
	}
	rows, more, err := paged(in.Limit, func(n int) ([]*license.Announcement, error) {
		return c.rules.ListAnnouncements(call.Actor, before, n)
	})
	if err != nil {
		return out, err
	}
	for _, row := range rows {
		n := c.announcementOut(row)
		out.Items = append(out.Items, n)
		if more {
			out.Next = n.ID
		}
	}
	return out, nil
}

func (c *Console) createAnnouncement(call *web.Call, in *newAnnouncementIn) (AnnouncementOut, error) {
	text, err := in.Body.rules()
	if err != nil {
		return AnnouncementOut{}, err
	}
	text.Publish = in.Body.Publish
	n, err := c.rules.CreateAnnouncement(call.Actor, text)
	if err != nil {
		return AnnouncementOut{}, err
	}
	if text.Publish {
		call.Say("announcement_published", nil)
	}
	return c.announcementOut(n), nil
}

func (c *Console) changeAnnouncement(call *web.Call, in *announcementIn) (AnnouncementOut, error) {
	id, err := c.rules.IDs().In(license.NounAnnouncement, in.ID)
	if err != nil {
		return AnnouncementOut{}, err
	}
	text, err := in.Body.rules()
	if err != nil {
		return AnnouncementOut{}, err
	}
	n, err := c.rules.ChangeAnnouncement(call.Actor, id, text)
	if err != nil {
		return AnnouncementOut{}, err
	}
	return c.announcementOut(n), nil
}

func (c *Console) move(call *web.Call, in *Ref, rule func(license.Actor, license.ID) (*license.Announcement, error)) (AnnouncementOut, error) {
	id, err := c.rules.IDs().In(license.NounAnnouncement, in.ID)
	if err != nil {
		return AnnouncementOut{}, err
	}
	n, err := rule(call.Actor, id)
	if err != nil {
		return AnnouncementOut{}, err
	}
	return c.announcementOut(n), nil
}

func (c *Console) deleteAnnouncement(call *web.Call, in *Ref) (web.None, error) {
	id, err := c.rules.IDs().In(license.NounAnnouncement, in.ID)
	if err != nil {
		return web.None{}, err
	}
	return web.None{}, c.rules.DeleteAnnouncement(call.Actor, id)
}

func (t AnnouncementText) rules() (license.NewAnnouncement, error) {
	apps, err := appIDs(t.AppIDs)
	return license.NewAnnouncement{
		Apps: apps, Type: t.Type, Priority: t.Priority, Title: t.Title.Rules(), Body: t.Body.Rules(), Ends: int64(t.ExpiresAt),
	}, err
}

func (c *Console) announcementOut(n *license.Announcement) AnnouncementOut {
	out := AnnouncementOut{
		ID: c.rules.IDs().Out(license.NounAnnouncement, n.ID), Type: n.Type.String(), Priority: n.Priority.String(), Title: web.TextOf(n.Title),
		Body: web.TextOf(n.Body), State: n.StateAt(c.rules.Now().UnixMilli()), CreatedAt: web.Time(n.Created), PublishedAt: web.Time(n.Published),
		ExpiresAt: web.Time(n.Ends),
	}
	for _, app := range c.rules.AppsOf(n) {
		out.AppIDs = append(out.AppIDs, app.UUID.String())
	}
	return out
}
