package admin

import (
	"goldfish/license"
	"goldfish/license/web"
)

// ReceiptOut is a lease that a device has shown after the file had lost its binding, and that the vendor decides on.
type ReceiptOut struct {
	ID            string   `json:"id"`
	AppID         string   `json:"app_id"`
	CardID        string   `json:"card_id" doc:"Empty: the file does not know the card"`
	CardKeyMasked string   `json:"card_key_masked" example:"ABCD-****-****-NPQR"`
	CardState     string   `json:"card_state" enum:",unused,active,expired,disabled,deleted" doc:"Empty: the file does not know the card"`
	StandInID     string   `json:"stand_in_id" doc:"The card that took the place of one that the file does not know"`
	DeviceID      string   `json:"device_id" doc:"The machine's fingerprint when it was bound: 32 hex digits"`
	Platform      string   `json:"platform"`
	Epoch         int      `json:"epoch" doc:"In which the lease was signed"`
	IssuedAt      web.Time `json:"issued_at"`
	LeaseEndsAt   web.Time `json:"lease_ends_at" doc:"Until then the app runs on that device in any case"`
	EndsAt        web.Time `json:"ends_at" doc:"The card's end as the lease says; null: never"`
	KeptAt        web.Time `json:"kept_at"`
	Code          string   `json:"code" enum:"receipt_card,receipt_time,receipt_seat,file_rolled_back" doc:"Why it was not taken up by itself"`
	State         string   `json:"state" enum:"waiting,adopted,dismissed"`
	DecidedAt     web.Time `json:"decided_at"`
	MayAdopt      bool     `json:"may_adopt" doc:"Without naming another card"`
}

type receiptsIn struct {
	web.Page
	AppID string `query:"app_id" maxLength:"64"`
	State string `query:"state" enum:"waiting,adopted,dismissed,all" doc:"waiting, unless it says otherwise"`
}

type adoptIn struct {
	Ref
	Body struct {
		CardID  string `json:"card_id,omitzero" maxLength:"64" doc:"An unused card of the same app that takes the place of one that the file does not know"`
		Replace bool   `json:"replace,omitzero" doc:"End what holds the seat: the same machine's binding by another device key, else, where all seats are held, the device that was not heard for the longest time"`
	}
}

func (c *Console) registerReceipts(a *web.API) {
	const root, tag = "/api/v1/admin/receipts", "receipts"
	web.Route(a, web.Op{
		Method: "GET", Path: root, ID: "listReceipts", Tag: tag, Summary: "待处理的授权凭据 · Receipts that devices have shown",
		Detail:     "恢复备份后,文件不认识的设备出示的、未能自动认领的授权。What devices showed after a restore and could not be taken up by itself.",
		Permission: license.ReadReceipts, Errors: []int{404},
	}, c.listReceipts)
	web.Route(a, web.Op{
		Method: "POST", Path: root + "/{id}/adopt", ID: "adoptReceipt", Tag: tag, Summary: "认领凭据 · Adopt a receipt",
		Permission: license.WriteReceipts, Message: "receipt_adopted", Errors: []int{404, 409},
	}, c.adoptReceipt)
	web.Route(a, web.Op{
		Method: "POST", Path: root + "/{id}/dismiss", ID: "dismissReceipt", Tag: tag, Summary: "驳回凭据 · Dismiss a receipt",
		Detail:     "设备下次联网时停止运行。The device is told to stop with its next call.",
		Permission: license.WriteReceipts, Message: "receipt_dismissed", Errors: []int{404, 409},
	}, c.dismissReceipt)
	web.Route(a, web.Op{
		Method: "POST", Path: "/api/v1/admin/clock/confirm", ID: "confirmClock", Tag: "file", Summary: "确认时钟正确 · Say that the clock is right",
		Detail:     "时钟曾大幅向前跳动,清理因此暂停。After it jumped far ahead, nothing old is purged until somebody says so.",
		Permission: license.WriteFile, Message: "clock_confirmed",
	}, func(call *web.Call, _ *struct{}) (web.None, error) {
		return web.None{}, c.rules.ConfirmClock(call.Actor)
	})
}

func (c *Console) listReceipts(call *web.Call, in *receiptsIn) (out web.List[ReceiptOut], err error) {
	f := license.ReceiptFilter{Limit: in.Limit}
	if f.Before, err = web.Before(in.Page, c.rules.IDs().In, license.NounReceipt); err != nil {
		return out, err
	}
	if f.App, err = c.appFilter(in.AppID); err != nil {
		return out, err
	}
	if f.State, err = license.ParseReceiptState(in.State); err != nil {
		return out, err
	}
	views, next, err := c.rules.ListReceipts(call.Actor, f)
	if err != nil {
		return out, err
	}
	for i := range views {
		out.Items = append(out.Items, c.receiptOut(&views[i]))
	}
	out.Next = c.rules.IDs().Out(license.NounReceipt, next)
	return out, nil
}

func (c *Console) adoptReceipt(call *web.Call, in *adoptIn) (ReceiptOut, error) {
	id, err := c.rules.IDs().In(license.NounReceipt, in.ID)
	if err != nil {
		return ReceiptOut{}, err
	}
	how := license.ReceiptAdoption{Replace: in.Body.Replace}
	if in.Body.CardID != "" {
		if how.Card, err = c.rules.IDs().In(license.NounCard, in.Body.CardID); err != nil {
			return ReceiptOut{}, naming("card_id", err)
		}
	}
	v, err := c.rules.AdoptReceipt(call.Actor, id, how)
	if err != nil {
		return ReceiptOut{}, err
	}
	return c.receiptOut(&v), nil
}

func (c *Console) dismissReceipt(call *web.Call, in *Ref) (ReceiptOut, error) {
	id, err := c.rules.IDs().In(license.NounReceipt, in.ID)
	if err != nil {
		return ReceiptOut{}, err
	}
	v, err := c.rules.DismissReceipt(call.Actor, id)
	if err != nil {
		return ReceiptOut{}, err
	}
	return c.receiptOut(&v), nil
}

func (c *Console) receiptOut(v *license.ReceiptView) ReceiptOut {
	r := v.Receipt
	out := ReceiptOut{
		ID: c.rules.IDs().Out(license.NounReceipt, r.ID), CardKeyMasked: v.Masked, CardState: v.State.String(), Platform: r.Platform,
		DeviceID: v.Lease.Device, Epoch: int(v.Lease.Epoch), IssuedAt: web.Time(v.Lease.IssuedAt * 1000), LeaseEndsAt: web.Time(v.Lease.Expires * 1000),
		KeptAt: web.Time(r.Kept), Code: r.Code, State: r.State.String(), DecidedAt: web.Time(r.Decided), MayAdopt: v.Adopt,
		StandInID: c.rules.IDs().Out(license.NounCard, r.StandIn),
	}
	if v.App != nil {
		out.AppID = v.App.UUID.String()
	}
	if v.Card != nil {
		out.CardID = c.rules.IDs().Out(license.NounCard, v.Card.ID)
	}
	if card := v.Lease.Card; card != nil && card.Expires != nil {
		out.EndsAt = web.Time(*card.Expires * 1000)
	}
	return out
}
