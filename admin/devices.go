package admin

import (
	"goldfish/license"
	"goldfish/license/web"
)

// DeviceOut is a seat of a card key taken by a machine.
type DeviceOut struct {
	ID            string     `json:"id"`
	DeviceID      string     `json:"device_id" doc:"The machine's fingerprint when it was bound: 32 hex digits"`
	AppID         string     `json:"app_id"`
	CardID        string     `json:"card_id"`
	CardKeyMasked string     `json:"card_key_masked" example:"ABCD-****-****-NPQR"`
	Account       *HolderOut `json:"account"`
	Platform      string     `json:"platform"`
	Version       string     `json:"version" doc:"Of the app, as last heard"`
	Address       string     `json:"address" doc:"Last heard from"`
	Online        bool       `json:"online"`
	State         string     `json:"state" enum:"bound,ended"`
	FirstSeen     web.Time   `json:"first_seen"`
	LastSeen      web.Time   `json:"last_seen"`
}

type devicesIn struct {
	web.Page
	AppID  string `query:"app_id" maxLength:"64"`
	CardID string `query:"card_id" maxLength:"64"`
	Online string `query:"online" enum:"true,false"`
}

func (c *Console) registerDevices(a *web.API) {
	web.Route(a, web.Op{
		Method: "GET", Path: "/api/v1/admin/devices", ID: "listDevices", Tag: "devices", Summary: "设备列表 · List devices",
		Permission: license.ReadDevices, Errors: []int{404},
	}, c.listDevices)
	web.Route(a, web.Op{
		Method: "GET", Path: "/api/v1/admin/devices/{id}", ID: "getDevice", Tag: "devices", Summary: "一台设备 · One device",
		Permission: license.ReadDevices, Errors: []int{404},
	}, c.device)
}

func (c *Console) listDevices(call *web.Call, in *devicesIn) (out web.List[DeviceOut], err error) {
	f := license.DeviceFilter{Limit: in.Limit}
	if f.Before, err = web.Before(in.Page, c.rules.IDs().In, license.NounDevice); err != nil {
		return out, err
	}
	if f.App, err = c.appFilter(in.AppID); err != nil {
		return out, err
	}
	if in.CardID != "" {
		if f.Card, err = c.rules.IDs().In(license.NounCard, in.CardID); err != nil {
			return out, naming("card_id", err)
		}
	}
	if in.Online != "" {
		online := in.Online == "true"
		f.Online = &online
	}
	views, next, err := c.rules.ListDevices(call.Actor, f)
	if err != nil {
		return out, err
	}
	for i := range views {
		out.Items = append(out.Items, c.deviceOut(&views[i]))
	}
	out.Next = c.rules.IDs().Out(license.NounDevice, next)
	return out, nil
}

func (c *Console) device(call *web.Call, in *Ref) (DeviceOut, error) {
	id, err := c.rules.IDs().In(license.NounDevice, in.ID)
	if err != nil {
		return DeviceOut{}, err
	}
	v, err := c.rules.Device(call.Actor, id)
	if err != nil {
		return DeviceOut{}, err
	}
	return c.deviceOut(&v), nil
}

func (c *Console) deviceOut(v *license.DeviceView) DeviceOut {
	b := v.Binding
	out := DeviceOut{
		ID: c.rules.IDs().Out(license.NounDevice, b.ID), DeviceID: b.DeviceID(), CardID: c.rules.IDs().Out(license.NounCard, b.Card),
		CardKeyMasked: v.Masked, Account: holder(v.Account), Platform: b.Platform, Version: v.Presence.Version, Online: v.Presence.Online,
		State: "bound", FirstSeen: web.Time(b.Bound), LastSeen: web.Time(max(v.Presence.Seen, b.Bound)),
	}
	if v.App != nil {
		out.AppID = v.App.UUID.String()
	}
	if addr := v.Presence.Addr(); addr.IsValid() {
		out.Address = addr.String()
	}
	if b.Ended != 0 {
		out.State, out.Online = "ended", false
	}
	return out
}
