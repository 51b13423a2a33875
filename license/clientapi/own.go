package clientapi

import (
	"goldfish/license"
	"goldfish/license/web"
)

// AppRef is an app as its customers see it.
type AppRef struct {
	ID   string   `json:"id" example:"3f0c1f0e-6c0b-4f5e-9d5a-0b8f5b1c2d3e"`
	Name web.Text `json:"name"`
}

// OwnCardOut is a card key as its owner sees it.
type OwnCardOut struct {
	ID          string   `json:"id"`
	Key         string   `json:"key" example:"ABCD-EFGH-JKLM-NPQR"`
	App         AppRef   `json:"app"`
	State       string   `json:"state" enum:"unused,active,expired,disabled,deleted"`
	Validity    string   `json:"validity" enum:"permanent,duration,until"`
	ActivatedAt web.Time `json:"activated_at"`
	EndsAt      web.Time `json:"ends_at"`
	Devices     int      `json:"devices" doc:"On how many devices it may run"`
	Bound       int      `json:"bound" doc:"On how many it does"`
	Tier        string   `json:"tier"`
	Features    []string `json:"features"`
}

// OwnOverviewOut is the caller's own overview; the back office sees everything.
type OwnOverviewOut struct {
	User     web.UserOut  `json:"user"`
	Cards    OwnCounts    `json:"cards"`
	Devices  OwnDevices   `json:"devices"`
	Licences []OwnCardOut `json:"licences" doc:"The newest 20"`
}

// OwnCounts are card keys.
type OwnCounts struct {
	Active int64 `json:"active"`
	Total  int64 `json:"total"`
}

// OwnDevices are bound devices.
type OwnDevices struct {
	Bound  int64 `json:"bound"`
	Online int64 `json:"online"`
}

func (c *API) registerOwn(a *web.API) {
	web.Route(a, web.Op{
		Method: "GET", Path: "/api/v1/card-keys", ID: "listOwnCards", Tag: "own", Summary: "自己的卡密 · Own card keys",
		Detail:     "后台账号看到全部。An account of the back office sees all.",
		Permission: license.OwnLicences,
	}, c.listOwnCards)
	web.Route(a, web.Op{
		Method: "GET", Path: "/api/v1/dashboard", ID: "ownOverview", Tag: "own", Summary: "自己的概览 · Own overview",
		Permission: license.OwnLicences,
	}, c.ownOverview)
}

// cursorNoun is what the list of own cards is sorted by: a customer's by licence, the back office's by card.
func cursorNoun(who license.Actor) license.Noun {
	if who.BackOffice() {
		return license.NounCard
	}
	return license.NounLicence
}

func (c *API) listOwnCards(call *web.Call, in *struct{ web.Page }) (out web.List[OwnCardOut], err error) {
	noun := cursorNoun(call.Actor)
	before, err := web.Before(in.Page, c.rules.IDs().In, noun)
	if err != nil {
		return out, err
	}
	views, next, err := c.rules.OwnCards(call.Actor, license.CardFilter{Before: before, Limit: in.Limit})
	if err != nil {
		return out, err
	}
	for i := range views {
		out.Items = append(out.Items, c.ownCard(&views[i]))
	}
	out.Next = c.rules.IDs().Out(noun, next)
	return out, nil
}

func (c *API) ownCard(v *license.CardView) OwnCardOut {
	terms := v.Batch.Terms
	out := OwnCardOut{
		ID: c.rules.IDs().Out(license.NounCard, v.Card.ID), Key: v.Text.Key(), State: v.State.String(),
		Validity: terms.Kind.String(), ActivatedAt: web.Time(v.Card.Activated), EndsAt: web.Time(v.Card.Ends),
		Devices: terms.Devices, Bound: v.Bound, Tier: terms.Tier, Features: terms.Features,
	}
	if v.App != nil {
		out.App = AppRef{v.App.UUID.String(), web.TextOf(v.App.Name)}
	}
	return out
}

const licencesShown = 20

func (c *API) ownOverview(call *web.Call, _ *struct{}) (out OwnOverviewOut, err error) {
	account, err := c.rules.Me(call.Actor)
	if err != nil {
		return out, err
	}
	out.User = web.UserOf(account)
	views, _, err := c.rules.OwnCards(call.Actor, license.CardFilter{Limit: licencesShown})
	if err != nil {
		return out, err
	}
	for i := range views {
		out.Licences = append(out.Licences, c.ownCard(&views[i]))
	}
	if call.Actor.BackOffice() {
		all, err := c.rules.Overview(call.Actor)
		if err != nil {
			return out, err
		}
		out.Cards = OwnCounts{Active: all.Cards.Active, Total: all.Cards.Total()}
		out.Devices = OwnDevices{Bound: all.Bound, Online: all.Online}
		return out, nil
	}
	own, err := c.rules.OwnFigures(call.Actor)
	out.Cards = OwnCounts{Active: int64(own.Active), Total: int64(own.Licences)}
	out.Devices = OwnDevices{Bound: int64(own.Bound), Online: int64(own.Online)}
	return out, err
}
