package clientapi

import (
	"strconv"

	"goldfish/license"
	"goldfish/license/web"
)

// NoticeOut is an announcement, or its withdrawal, with the signed token that a client shows it by.
type NoticeOut struct {
	Seq         uint64   `json:"seq" doc:"Its number in the app; a client asks for those above the last it has seen"`
	Kind        string   `json:"kind" enum:"announcement,withdrawn"`
	ID          string   `json:"id"`
	Type        string   `json:"type" enum:"notice,maintenance,release,security"`
	Priority    string   `json:"priority" enum:"high,medium,low"`
	Title       web.Text `json:"title"`
	Body        web.Text `json:"body"`
	PublishedAt web.Time `json:"published_at"`
	ExpiresAt   web.Time `json:"expires_at"`
	Token       string   `json:"token" doc:"goldfish-notice+jwt (protocol §10)"`
}

type noticesIn struct {
	AppID  string `query:"app_id" required:"true" example:"3f0c1f0e-6c0b-4f5e-9d5a-0b8f5b1c2d3e"`
	After  uint64 `query:"after" doc:"The number of the last one seen"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
	Cursor uint64 `query:"cursor" doc:"The member next of the page before"`
	Kid    string `query:"kid" maxLength:"16" doc:"The signing key that the client trusts; the app's newest without it"`
}

func (c *API) registerAnnouncements(a *web.API) {
	web.Route(a, web.Op{
		Method: "GET", Path: "/api/v1/announcements", ID: "listNotices", Tag: "devices", Summary: "应用的公告 · An app's announcements",
		Detail: "不需要登录;按编号从旧到新。Without sign-in; by number, oldest first.",
		Public: true, Errors: []int{404},
	}, c.listNotices)
}

func (c *API) listNotices(_ *web.Call, in *noticesIn) (out web.List[NoticeOut], err error) {
	app, err := web.ParseAppID(in.AppID)
	if err != nil {
		return out, err
	}
	found, more, err := c.rules.Notices(app, in.Kid, max(in.After, in.Cursor), in.Limit)
	if err != nil {
		return out, err
	}
	for _, p := range found {
		out.Items = append(out.Items, c.notice(p))
	}
	if more && len(found) > 0 {
		out.Next = strconv.FormatUint(found[len(found)-1].Seq, 10)
	}
	return out, nil
}

func (c *API) notice(p license.Pushed) NoticeOut {
	n := p.Announcement
	out := NoticeOut{
		Seq: p.Seq, Kind: p.Kind, ID: c.rules.IDs().Out(license.NounAnnouncement, n.ID), Type: n.Type.String(),
		Priority: n.Priority.String(), PublishedAt: web.Time(n.Published), ExpiresAt: web.Time(n.Ends), Token: p.Token,
	}
	if p.Kind == "announcement" { // a withdrawal does not tell again what it takes back
		out.Title, out.Body = web.TextOf(n.Title), web.TextOf(n.Body)
	}
	return out
}
