package admin

import (
	"strings"

	"github.com/google/uuid"

	"goldfish/assets"
	"goldfish/license"
	"goldfish/license/fault"
	"goldfish/license/verdict"
	"goldfish/license/web"
)

// AppOut is a desktop program that is sold by card key.
type AppOut struct {
	ID          string          `json:"id" doc:"UUID; goes into the client" example:"3f0c1f0e-6c0b-4f5e-9d5a-0b8f5b1c2d3e"`
	Name        web.Text        `json:"name"`
	Description web.Text        `json:"description"`
	State       string          `json:"state" enum:"enabled,disabled"`
	CreatedAt   web.Time        `json:"created_at"`
	Keys        []SigningKeyOut `json:"keys" doc:"Newest first; the client trusts the current and the standby one"`
	Policy      Policy          `json:"policy"`
	Cards       CardCountsOut   `json:"cards"`
	Devices     DeviceCountsOut `json:"devices"`
}

// SigningKeyOut is the public half of an app's key.
type SigningKeyOut struct {
	KID       string   `json:"kid" doc:"hex(SHA-256(public key))[:16]"`
	PublicKey string   `json:"public_key" doc:"Ed25519, base64url, 43 characters"`
	State     string   `json:"state" enum:"current,standby,old"`
	CreatedAt web.Time `json:"created_at"`
}

// Policy is what holds for all licences of an app.
type Policy struct {
	DeviceTolerance  string `json:"device_tolerance" enum:"exact,two_of_three,any" doc:"How many of a device's three parts must be as they were"`
	GraceDays        int    `json:"grace_days" minimum:"0" maximum:"90" doc:"How long a client runs offline"`
	HeartbeatSeconds int    `json:"heartbeat_seconds" minimum:"30" maximum:"3600"`
	DeviceKey        string `json:"device_key" enum:"required,optional" doc:"Whether a client must prove its device key"`
}

// CardCountsOut are card keys by state.
type CardCountsOut struct {
	Unused   int64 `json:"unused"`
	Active   int64 `json:"active"`
	Expired  int64 `json:"expired"`
	Disabled int64 `json:"disabled"`
	Deleted  int64 `json:"deleted"`
	Total    int64 `json:"total"`
}

// DeviceCountsOut are devices that hold a seat, and those of them that are heard.
type DeviceCountsOut struct {
	Bound  int64 `json:"bound"`
	Online int64 `json:"online"`
}

// SampleOut is a program that runs on a card key of the app, ready to be saved.
type SampleOut struct {
	Filename  string `json:"filename" example:"my_app.py"`
	Text      string `json:"text"`
	ServerURL string `json:"server_url" example:"http://127.0.0.1:8000"`
	SDKURL    string `json:"sdk_url" example:"/sdk/goldfish.py"`
	Command   string `json:"command" example:"python3 my_app.py"`
}

type newAppIn struct {
	Body struct {
		Name        web.Text `json:"name" doc:"At least one language, at most 80 characters"`
		Description web.Text `json:"description,omitzero" doc:"At most 2,000 characters"`
	}
}

type appChangeIn struct {
	Ref
	Body struct {
		Name        *web.Text `json:"name,omitzero"`
		Description *web.Text `json:"description,omitzero"`
		State       string    `json:"state,omitzero" enum:"enabled,disabled" doc:"The clients of a disabled app are stopped"`
		Policy      *Policy   `json:"policy,omitzero" doc:"The whole policy"`
	}
}

func (c *Console) registerApps(a *web.API) {
	web.Route(a, web.Op{
		Method: "GET", Path: "/api/v1/admin/apps", ID: "listApps", Tag: "apps", Summary: "应用列表 · List apps", Permission: license.ReadApps,
	}, c.listApps)
	web.Route(a, web.Op{
		Method: "POST", Path: "/api/v1/admin/apps", ID: "createApp", Tag: "apps", Summary: "创建应用 · Create an app",
		Permission: license.WriteApps, Status: 201, Message: "app_created",
	}, c.createApp)
	web.Route(a, web.Op{
		Method: "GET", Path: "/api/v1/admin/apps/{id}", ID: "getApp", Tag: "apps", Summary: "一个应用 · One app",
		Permission: license.ReadApps, Errors: []int{404},
	}, c.app)
	web.Route(a, web.Op{
		Method: "PATCH", Path: "/api/v1/admin/apps/{id}", ID: "changeApp", Tag: "apps", Summary: "修改应用 · Change an app",
		Permission: license.WriteApps, Message: "app_changed", Errors: []int{404},
	}, c.changeApp)
	web.Route(a, web.Op{
		Method: "GET", Path: "/api/v1/admin/apps/{id}/sample", ID: "getSample", Tag: "apps",
		Summary: "填好的 Python 示例 · A Python sample, filled in", Permission: license.ReadApps, Errors: []int{404},
	}, c.sample)
}

func (c *Console) listApps(call *web.Call, in *struct{ web.Page }) (out web.List[AppOut], err error) {
	before, err := web.Before(in.Page, c.rules.IDs().In, license.NounApp)
	if err != nil {
		return out, err
	}
	rows, more, err := paged(in.Limit, func(n int) ([]*license.App, error) { return c.rules.ListApps(call.Actor, before, n) })
	if err != nil {
		return out, err
	}
	for _, row := range rows {
		app, err := c.appOut(row)
		if err != nil {
			return out, err
		}
		out.Items = append(out.Items, app)
		if more {
			out.Next = c.rules.IDs().Out(license.NounApp, row.ID)
		}
	}
	return out, nil
}

func (c *Console) createApp(call *web.Call, in *newAppIn) (AppOut, error) {
	app, err := c.rules.CreateApp(call.Actor, license.NewApp{Name: in.Body.Name.Rules(), About: in.Body.Description.Rules()})
	if err != nil {
		return AppOut{}, err
	}
	return c.appOut(app)
}

func (c *Console) app(call *web.Call, in *Ref) (AppOut, error) {
	app, err := c.appRow(call.Actor, in.ID)
	if err != nil {
		return AppOut{}, err
	}
	return c.appOut(app)
}

// appRow finds the app of an outer id.
func (c *Console) appRow(who license.Actor, text string) (*license.App, error) {
	id, err := web.ParseAppID(text)
	if err != nil {
		return nil, err
	}
	return c.rules.App(who, id)
}

func (c *Console) changeApp(call *web.Call, in *appChangeIn) (AppOut, error) {
	id, err := web.ParseAppID(in.ID)
	if err != nil {
		return AppOut{}, err
	}
	app, err := c.rules.ChangeApp(call.Actor, id, in.change())
	if err != nil {
		return AppOut{}, err
	}
	return c.appOut(app)
}

func (in *appChangeIn) change() (out license.AppChange) {
	if in.Body.Name != nil {
		text := in.Body.Name.Rules()
		out.Name = &text
	}
	if in.Body.Description != nil {
		text := in.Body.Description.Rules()
		out.About = &text
	}
	if in.Body.State != "" {
		disabled := in.Body.State == "disabled"
		out.Disabled = &disabled
	}
	if p := in.Body.Policy; p != nil {
		tolerance, _ := license.ParseTolerance(p.DeviceTolerance) // one of the schema's three
		out.Policy = &license.Policy{
			Tolerance: tolerance, GraceDays: p.GraceDays, Beat: p.HeartbeatSeconds, KeyOptional: p.DeviceKey == "optional",
		}
	}
	return out
}

func (c *Console) appOut(p *license.App) (AppOut, error) {
	out := AppOut{
		ID: p.UUID.String(), Name: web.TextOf(p.Name), Description: web.TextOf(p.About), State: p.State(),
		CreatedAt: web.Time(p.Created), Policy: policyOut(p.Policy),
	}
	for _, key := range p.Keys {
		out.Keys = append(out.Keys, SigningKeyOut{
			KID: verdict.KeyID(key.Public), PublicKey: verdict.Encode64(key.Public), State: key.State.String(), CreatedAt: web.Time(key.Created),
		})
	}
	figures, err := c.rules.AppFigures(p)
	if err != nil {
		return AppOut{}, err
	}
	out.Cards, out.Devices = countsOut(figures.Cards), DeviceCountsOut{figures.Bound, figures.Online}
	return out, nil
}

func policyOut(p license.Policy) Policy {
	out := Policy{DeviceTolerance: p.Tolerance.String(), GraceDays: p.GraceDays, HeartbeatSeconds: p.Beat, DeviceKey: "required"}
	if p.KeyOptional {
		out.DeviceKey = "optional"
	}
	return out
}

func countsOut(n license.Counts) CardCountsOut {
	return CardCountsOut{n.Unused, n.Active, n.Expired, n.Disabled, n.Deleted, n.Total()}
}

func (c *Console) sample(call *web.Call, in *Ref) (SampleOut, error) {
	app, err := c.appRow(call.Actor, in.ID)
	if err != nil {
		return SampleOut{}, err
	}
	text, err := assets.SDK.ReadFile("sdk/python/sample_app.py")
	if err != nil {
		return SampleOut{}, err
	}
	var trusted []string
	for _, key := range app.Keys {
		if key.State != license.KeyOld {
			trusted = append(trusted, verdict.Encode64(key.Public))
		}
	}
	const name = "my_app.py"
	filled := strings.NewReplacer(
		"{{SERVER_URL}}", c.opts.ClientURL, "{{APP_ID}}", app.UUID.String(), "{{PUBLIC_KEYS}}", strings.Join(trusted, ","),
	).Replace(string(text))
	return SampleOut{Filename: name, Text: filled, ServerURL: c.opts.ClientURL, SDKURL: "/sdk/goldfish.py", Command: "python3 " + name}, nil
}

// appFilter finds the app that a list is narrowed to; nil if it is not.
func (c *Console) appFilter(text string) (*license.App, error) {
	if text == "" {
		return nil, nil
	}
	return c.appRow(license.System, text)
}

// appID is an app's outer id, "" for none.
func (c *Console) appID(id license.ID) string {
	if _, app := c.rules.Names(&license.Event{App: id}); app != nil {
		return app.UUID.String()
	}
	return ""
}

// appIDs reads the apps that an announcement is for.
func appIDs(texts []string) ([]uuid.UUID, error) {
	out := make([]uuid.UUID, 0, len(texts))
	for _, text := range texts {
		id, err := web.ParseAppID(text)
		if err != nil {
			return nil, fault.Of(err).In("app_ids")
		}
		out = append(out, id)
	}
	return out, nil
}
