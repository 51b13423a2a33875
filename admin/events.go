package admin

import (
	"net/netip"

	"goldfish/license"
	"goldfish/license/web"
)

// EventOut is something that happened.
type EventOut struct {
	Seq     uint64            `json:"seq" doc:"Its place in the log"`
	Time    web.Time          `json:"time"`
	Kind    string            `json:"kind" example:"card_key.activated"`
	Level   string            `json:"level" enum:"debug,info,warning,error,critical"`
	Actor   EventActorOut     `json:"actor"`
	Object  EventObjectOut    `json:"object"`
	AppID   string            `json:"app_id"`
	Address string            `json:"address"`
	Code    string            `json:"code" doc:"Why, where there is something to say"`
	Args    map[string]string `json:"args"`
}

// EventActorOut is who did it, by the name that it has now.
type EventActorOut struct {
	Kind string `json:"kind" enum:"nobody,account,device,system"`
	ID   string `json:"id"`
	Name string `json:"name"`
}

// EventObjectOut is what it was done to.
type EventObjectOut struct {
	Kind string `json:"kind" example:"card"`
	ID   string `json:"id"`
}

// eventOut shows an event: the log keeps ids, names are looked up here.
func (c *Console) eventOut(seq uint64, e *license.Event) EventOut {
	name, app := c.rules.Names(e)
	out := EventOut{
		Seq: seq, Time: web.Time(e.Time), Kind: e.Kind.String(), Level: e.Level.String(), Code: e.Code, Args: e.Args,
		Actor: EventActorOut{Kind: e.Actor.String(), Name: name}, Object: EventObjectOut{Kind: e.Noun.String(), ID: c.rules.IDs().Out(e.Noun, e.Object)},
	}
	switch e.Actor {
	case license.ActorAccount:
		out.Actor.ID = c.accountID(e.ActorID)
	case license.ActorDevice:
		out.Actor.ID = c.rules.IDs().Out(license.NounDevice, e.ActorID)
	}
	if app != nil {
		out.AppID = app.UUID.String()
	}
	switch e.Noun {
	case license.NounApp:
		out.Object.ID = out.AppID
	case license.NounAccount:
		out.Object.ID = c.accountID(e.Object)
	}
	if addr, ok := netip.AddrFromSlice(e.Address); ok {
		out.Address = addr.String()
	}
	return out
}

// accountID is an account's outer id, "" for none.
func (c *Console) accountID(id license.ID) string {
	_, outer := c.rules.AccountName(id)
	return outer
}
