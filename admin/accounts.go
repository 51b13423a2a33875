package admin

import (
	"goldfish/license"
	"goldfish/license/web"
)

// AccountOut is an account as the back office sees it.
type AccountOut struct {
	web.UserOut
	State       string   `json:"state" enum:"active,disabled"`
	LastLoginAt web.Time `json:"last_login_at"`
	Cards       int      `json:"cards" doc:"Licences that it holds; at most 1,000 are counted"`
}

type accountsIn struct {
	web.Page
	Query string `query:"q" maxLength:"254" doc:"A part of a user name or e-mail address"`
	Role  string `query:"role" enum:"owner,customer"`
}

func (c *Console) registerAccounts(a *web.API) {
	web.Route(a, web.Op{
		Method: "GET", Path: "/api/v1/admin/accounts", ID: "listAccounts", Tag: "accounts", Summary: "账号列表 · List accounts",
		Detail:     "一页可能不满而仍有下一页。A page may be short and still have a next one.",
		Permission: license.ReadAccounts,
	}, c.listAccounts)
}

var roles = map[string]license.Role{"owner": license.RoleOwner, "customer": license.RoleCustomer}

func (c *Console) listAccounts(call *web.Call, in *accountsIn) (out web.List[AccountOut], err error) {
	before, err := web.Before(in.Page, c.rules.IDs().In, license.NounAccount)
	if err != nil {
		return out, err
	}
	rows, next, err := c.rules.ListAccounts(call.Actor, license.AccountFilter{Query: in.Query, Role: roles[in.Role], Before: before}, in.Limit)
	if err != nil {
		return out, err
	}
	for _, row := range rows {
		item := AccountOut{UserOut: web.UserOf(row.Account), State: "active", LastLoginAt: web.Time(row.Account.LastLogin), Cards: row.Licences}
		if row.Account.Disabled {
			item.State = "disabled"
		}
		out.Items = append(out.Items, item)
	}
	out.Next = c.rules.IDs().Out(license.NounAccount, next)
	return out, nil
}
