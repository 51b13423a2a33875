package admin

import (
	"cmp"
	"errors"

	"github.com/danielgtaylor/huma/v2"

	"goldfish/license"
	"goldfish/license/fault"
	"goldfish/license/web"
)

// CardOut is a card key.
type CardOut struct {
	ID          string     `json:"id" doc:"What clients call card_id"`
	Key         string     `json:"key" example:"ABCD-EFGH-JKLM-NPQR"`
	AppID       string     `json:"app_id"`
	BatchID     string     `json:"batch_id"`
	BatchName   string     `json:"batch_name"`
	State       string     `json:"state" enum:"unused,active,expired,disabled,deleted"`
	Validity    Validity   `json:"validity"`
	ActivatedAt web.Time   `json:"activated_at"`
	EndsAt      web.Time   `json:"ends_at" doc:"null: never, or not activated yet"`
	Devices     int        `json:"devices" doc:"On how many devices it may run"`
	Bound       int        `json:"bound" doc:"On how many it does"`
	Account     *HolderOut `json:"account" doc:"Whose it is; null before activation"`
	Tier        string     `json:"tier"`
	Features    []string   `json:"features"`
	Note        string     `json:"note"`
	CreatedAt   web.Time   `json:"created_at"`
}

// HolderOut is the account that something belongs to.
type HolderOut struct {
	ID       string `json:"id"`
	Username string `json:"username"`
}

// Schema is an object that may be null: huma has no way to say that of a reference.
func (HolderOut) Schema(huma.Registry) *huma.Schema {
	text := &huma.Schema{Type: huma.TypeString}
	s := &huma.Schema{
		Type: huma.TypeObject, Nullable: true, Properties: map[string]*huma.Schema{"id": text, "username": text},
		Required: []string{"id", "username"}, AdditionalProperties: false,
	}
	s.PrecomputeMessages()
	return s
}

// CardDetailOut is a card key with its devices and what happened to it, oldest first.
type CardDetailOut struct {
	CardOut
	Bindings []DeviceOut `json:"bindings"`
	History  []EventOut  `json:"history" doc:"Their seq is 0: they are kept with the key, also when the log has expired"`
}

// CardChangeOut says what became of the keys that a call named.
type CardChangeOut struct {
	Changed int             `json:"changed"`
	Failed  []CardFailedOut `json:"failed" doc:"Those that stayed as they were"`
}

// CardFailedOut is a key that could not be changed, and why.
type CardFailedOut struct {
	ID      string `json:"id"`
	Code    string `json:"code" example:"card_already_disabled"`
	Message string `json:"message"`
}

// CardFilter narrows a list or an export of card keys.
type CardFilter struct {
	AppID   string `query:"app_id" maxLength:"64"`
	BatchID string `query:"batch_id" maxLength:"64"`
	State   string `query:"state" enum:"unused,active,expired,disabled,deleted"`
}

type cardsIn struct {
	web.Page
	CardFilter
}

// findIn names a card key in the body: a secret has no place in an address.
type findIn struct {
	Body struct {
		Key string `json:"key" maxLength:"128" doc:"A whole card key in any typing"`
	}
}

type actIn struct {
	Body struct {
		IDs    []string `json:"ids" minItems:"1" maxItems:"500" doc:"Of cards"`
		Reason string   `json:"reason,omitzero" doc:"Kept with each key; at most 200 characters"`
	}
}

func (c *Console) registerCards(a *web.API) {
	web.Route(a, web.Op{
		Method: "GET", Path: "/api/v1/admin/cards", ID: "listCards", Tag: "cards", Summary: "卡密列表 · List card keys",
		Detail:     "命中很少时一页可能不满而仍有下一页。A page may be short and still have a next one where the filter hits rarely.",
		Permission: license.ReadCards, Errors: []int{404},
	}, c.listCards)
	web.Route(a, web.Op{
		Method: "POST", Path: "/api/v1/admin/cards/find", ID: "findCard", Tag: "cards", Summary: "按卡密查找 · Find a card by its key",
		Detail: "一个或没有。One item or none.", Permission: license.ReadCards,
	}, c.findCard)
	web.Route(a, web.Op{
		Method: "GET", Path: "/api/v1/admin/cards/{id}", ID: "getCard", Tag: "cards", Summary: "一个卡密及其历史 · One card key with its history",
		Permission: license.ReadCards, Errors: []int{404},
	}, c.card)
	for _, act := range []struct {
		act          license.CardAct
		name, id, zh string
		en, done     string
	}{
		{license.EnableCard, "enable", "enableCards", "启用卡密", "Enable card keys", "cards_enabled"},
		{license.DisableCard, "disable", "disableCards", "禁用卡密", "Disable card keys", "cards_disabled"},
		{license.DeleteCard, "delete", "deleteCards", "删除卡密", "Delete card keys", "cards_deleted"},
	} {
		web.Route(a, web.Op{
			Method: "POST", Path: "/api/v1/admin/cards/" + act.name, ID: act.id, Tag: "cards", Summary: act.zh + " · " + act.en,
			Detail:     "每个卡密各自成败,未成的连同原因列出。Each stands for itself; those that stay as they were are named with the reason.",
			Permission: license.WriteCards, Message: act.done,
		}, func(call *web.Call, in *actIn) (CardChangeOut, error) {
			return c.actOnCards(call, act.act, act.done, in)
		})
	}
}

// filter reads what a list or an export is narrowed to.
func (c *Console) filter(in CardFilter) (f license.CardFilter, err error) {
	if f.State, err = license.ParseCardState(in.State); err != nil {
		return f, err
	}
	if f.App, err = c.appFilter(in.AppID); err != nil {
		return f, err
	}
	if in.BatchID != "" {
		f.Batch, err = c.batchRow(license.System, in.BatchID)
	}
	return f, naming("batch_id", err)
}

// naming gives err, when it is that something is not there, with the parameter that asked for it.
func naming(field string, err error) error {
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Kind == fault.NotFound {
		return f.In(field)
	}
	return err
}

func (c *Console) listCards(call *web.Call, in *cardsIn) (out web.List[CardOut], err error) {
	f, err := c.filter(in.CardFilter)
	if err != nil {
		return out, err
	}
	if f.Before, err = web.Before(in.Page, c.rules.IDs().In, license.NounCard); err != nil {
		return out, err
	}
	f.Limit = in.Limit
	return c.cards(call, f)
}

func (c *Console) findCard(call *web.Call, in *findIn) (web.List[CardOut], error) {
	return c.cards(call, license.CardFilter{Key: cmp.Or(in.Body.Key, "-"), Limit: 1})
}

func (c *Console) cards(call *web.Call, f license.CardFilter) (out web.List[CardOut], err error) {
	views, next, err := c.rules.ListCards(call.Actor, f)
	if err != nil {
		return out, err
	}
	for i := range views {
		out.Items = append(out.Items, c.cardOut(&views[i]))
	}
	out.Next = c.rules.IDs().Out(license.NounCard, next)
	return out, nil
}

func (c *Console) card(call *web.Call, in *Ref) (CardDetailOut, error) {
	id, err := c.rules.IDs().In(license.NounCard, in.ID)
	if err != nil {
		return CardDetailOut{}, err
	}
	v, err := c.rules.CardByID(call.Actor, id)
	if err != nil {
		return CardDetailOut{}, err
	}
	out := CardDetailOut{CardOut: c.cardOut(&v)}
	for i := range v.Bindings {
		out.Bindings = append(out.Bindings, c.deviceOut(&v.Bindings[i]))
	}
	for _, m := range v.History {
		out.History = append(out.History, c.markOut(&v, m))
	}
	return out, nil
}

// markOut shows an entry of a card's own history as the event that it was.
func (c *Console) markOut(v *license.CardView, m license.Mark) EventOut {
	e := license.Event{
		Time: m.At, Kind: m.Kind, Level: license.LevelInfo, Actor: license.ActorSystem, Noun: license.NounCard, Object: v.Card.ID, App: v.Card.App,
	}
	if m.By != 0 {
		e.Actor, e.ActorID = license.ActorAccount, m.By
	}
	if m.Why != "" {
		e.Args = map[string]string{"reason": m.Why}
	}
	return c.eventOut(0, &e)
}

func (c *Console) actOnCards(call *web.Call, act license.CardAct, done string, in *actIn) (CardChangeOut, error) {
	changed, failed, err := c.rules.ActOnCards(call.Actor, act, in.Body.IDs, in.Body.Reason)
	if err != nil {
		return CardChangeOut{}, err
	}
	out := CardChangeOut{Changed: changed}
	for _, f := range failed {
		sentence := f.Fault.Code
		if sentence == "card_deleted" { // what that says to a customer is not for the vendor
			sentence = "card_already_deleted"
		}
		out.Failed = append(out.Failed, CardFailedOut{f.ID, f.Fault.Code, call.Lang.Say(sentence, f.Fault.Args)})
	}
	call.Say(done, map[string]any{"changed": changed, "failed": len(failed)})
	return out, nil
}

func (c *Console) cardOut(v *license.CardView) CardOut {
	t := v.Batch.Terms
	out := CardOut{
		ID: c.rules.IDs().Out(license.NounCard, v.Card.ID), Key: v.Text.Key(), BatchID: c.rules.IDs().Out(license.NounBatch, v.Batch.ID),
		BatchName: v.Batch.Name, State: v.State.String(), Validity: validityOut(t), ActivatedAt: web.Time(v.Card.Activated),
		EndsAt: web.Time(v.Card.Ends), Devices: t.Devices, Bound: v.Bound, Account: holder(v.Account), Tier: t.Tier, Features: t.Features,
		Note: v.Text.Note, CreatedAt: web.Time(v.Batch.Created),
	}
	if v.App != nil {
		out.AppID = v.App.UUID.String()
	}
	if out.Note == "" {
		out.Note = v.Batch.Note
	}
	return out
}

func holder(a *license.Account) *HolderOut {
	if a == nil {
		return nil
	}
	return &HolderOut{ID: web.AccountID(a), Username: a.Username}
}
