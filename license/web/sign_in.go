package web

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"goldfish/license"
	"goldfish/license/fault"
)

// UserOut is an account as it sees itself.
type UserOut struct {
	ID                 string   `json:"id" doc:"The account's UUID"`
	Username           string   `json:"username" example:"xiaoyu"`
	Name               string   `json:"name" doc:"To be shown; the user name where there is no other"`
	Email              string   `json:"email"`
	Role               string   `json:"role" enum:"owner,customer"`
	MustChangePassword bool     `json:"must_change_password" doc:"Nothing but changing the password is allowed"`
	Permissions        []string `json:"permissions" example:"[\"apps:read\"]"`
	CreatedAt          Time     `json:"created_at"`
}

// UserOf shows an account.
func UserOf(c *license.Account) UserOut {
	out := UserOut{
		ID: AccountID(c), Username: c.Username, Name: c.Name, Email: c.Email, Role: c.Role.String(),
		MustChangePassword: c.MustChange, CreatedAt: Time(c.Created), Permissions: []string{},
	}
	if out.Name == "" {
		out.Name = c.Username
	}
	for _, p := range c.Role.Permissions() {
		out.Permissions = append(out.Permissions, string(p))
	}
	return out
}

// AccountID is an account's id outside: its UUID.
func AccountID(c *license.Account) string {
	id, err := uuid.FromBytes(c.UUID)
	if err != nil {
		return ""
	}
	return id.String()
}

// UserData is the data of answers about one account.
type UserData struct {
	User UserOut `json:"user"`
}

// SignInOut is the answer to a sign-in: tokens in the names of RFC 6749 at the top, beside the envelope.
type SignInOut struct {
	Said
	AccessToken      string   `json:"access_token" doc:"Sent as bearer with each call"`
	RefreshToken     string   `json:"refresh_token,omitzero" doc:"Exchanged for new tokens, once; absent where it went into the cookie"`
	TokenType        string   `json:"token_type" enum:"Bearer"`
	ExpiresIn        int64    `json:"expires_in" doc:"Seconds" example:"7200"`
	RefreshExpiresIn int64    `json:"refresh_expires_in" doc:"Seconds" example:"604800"`
	Data             UserData `json:"data"`
}

// appID is an optional app in a body.
type appID string

func (s appID) parse() (*uuid.UUID, error) {
	if s == "" {
		return nil, nil
	}
	id, err := ParseAppID(string(s))
	if err != nil {
		return nil, err
	}
	return &id, nil
}

// ParseAppID reads an app's id as it is written: a UUID in lower case. Anything else names no app there is.
func ParseAppID(text string) (uuid.UUID, error) {
	id, err := uuid.Parse(text)
	if err != nil || id.String() != strings.ToLower(text) {
		return uuid.Nil, fault.New(fault.NotFound, "app_unknown").In("app_id")
	}
	return id, nil
}

type registerIn struct {
	Body struct {
		Username string `json:"username" example:"xiaoyu" doc:"3–32 letters, digits, _ . -"`
		Password string `json:"password" example:"Goldfish-2026!" doc:"At least 8 characters with lower, upper, digit and special"`
		Email    string `json:"email,omitzero" example:"xiaoyu@example.com"`
		AppID    appID  `json:"app_id,omitzero" doc:"The app that the customer comes from"`
	}
}

type signInIn struct {
	Body struct {
		Username string `json:"username" example:"xiaoyu" doc:"User name or e-mail address"`
		Password string `json:"password" example:"Goldfish-2026!"`
		AppID    appID  `json:"app_id,omitzero" doc:"The app that the customer comes from"`
		Cookie   bool   `json:"cookie,omitzero" doc:"Put the refresh token into a cookie that scripts cannot read"`
		Copied   bool   `json:"copied,omitzero" doc:"Only where the data file is sealed, else 409 not_sealed: the machine that it came from goes on, and this appliance gets an identity of its own"`
	}
}

type refreshIn struct {
	Body *struct {
		RefreshToken string `json:"refresh_token,omitzero" doc:"Without it the cookie counts"`
	}
}

type passwordIn struct {
	Body struct {
		Old    string `json:"old_password"`
		New    string `json:"new_password" example:"Goldfish-2026!"`
		Cookie bool   `json:"cookie,omitzero" doc:"As at sign-in"`
	}
}

var loginOp = Op{
	Method: "POST", Path: "/api/v1/auth/login", ID: "login", Tag: "auth", Summary: "登录 · Sign in",
	Public: true, Message: "signed_in", Errors: []int{401, 403, 404, 409},
}

// RegisterOpening adds the one route of sessions that a closed API has: a sign-in that opens the appliance. Its form is
// judged as always; what open gives then answers the same request, which says no more how the file came here.
func RegisterOpening(a *API, open func(c *Call, username, password string, came license.Arrival) (http.Handler, error)) {
	op := loginOp
	a.note(&op)
	huma.Register(a.huma, a.operation(&op, mustBody), func(ctx context.Context, in *signInIn) (*huma.StreamResponse, error) {
		c := callOf(ctx)
		next, err := open(c, in.Body.Username, in.Body.Password, license.Arrival(in.Body.Copied))
		if err == nil && in.Body.Copied {
			in.Body.Copied = false
			c.Raw, err = json.Marshal(in.Body)
		}
		if err != nil {
			return nil, c.refuse(err)
		}
		return &huma.StreamResponse{Body: func(huma.Context) { c.pass(next) }}, nil
	})
}

// NotSealed is the fault of an opening where the data file is open: what it was to do besides was not done.
func NotSealed() *fault.Error { return fault.New(fault.Conflict, "not_sealed") }

// pass lets another handler answer the request, whose body was read here.
func (c *Call) pass(next http.Handler) {
	r := c.in.Clone(c.Ctx)
	r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(c.Raw)), int64(len(c.Raw)), nil
	next.ServeHTTP(c.out, r)
}

// RegisterSignIn adds the routes of accounts and sessions, which both listeners have. Creating an account is for the
// client listener alone.
func RegisterSignIn(a *API, register bool) {
	if register {
		Route(a, Op{
			Method: "POST", Path: "/api/v1/auth/register", ID: "register", Tag: "auth", Summary: "注册客户账号 · Create a customer's account",
			Public: true, Status: 201, Message: "registered", Errors: []int{404, 409},
		}, signUp)
	}
	Route(a, loginOp, signIn)
	Route(a, Op{
		Method: "POST", Path: "/api/v1/auth/refresh", ID: "refresh", Tag: "auth", Summary: "换取新令牌 · New tokens for a refresh token",
		Detail: "旧令牌再次使用会结束会话。Using an old one again ends the session.",
		Public: true, Message: "refreshed", Errors: []int{401, 403},
	}, refresh)
	Route(a, Op{
		Method: "POST", Path: "/api/v1/auth/logout", ID: "logout", Tag: "auth", Summary: "退出登录 · Sign out",
		Permission: license.OwnProfile, Message: "signed_out",
	}, signOut)
	Route(a, Op{
		Method: "GET", Path: "/api/v1/auth/me", ID: "me", Tag: "auth", Summary: "当前账号 · The account signed in",
		Permission: license.OwnProfile,
	}, me)
	Route(a, Op{
		Method: "POST", Path: "/api/v1/auth/password", ID: "changePassword", Tag: "auth", Summary: "修改密码 · Change the password",
		Detail:     "所有会话结束,并返回一个新会话。All sessions end, and a new one begins.",
		Permission: license.OwnProfile, Message: "password_changed",
	}, changePassword)
}

func signUp(c *Call, in *registerIn) (UserData, error) {
	app, err := in.Body.AppID.parse()
	if err != nil {
		return UserData{}, err
	}
	account, err := c.api.Authority().Register(c.Ctx, c.Actor, license.RegisterIn{
		Username: in.Body.Username, Password: in.Body.Password, Email: in.Body.Email, App: app,
	})
	if err != nil {
		return UserData{}, err
	}
	return UserData{UserOf(account)}, nil
}

func signIn(c *Call, in *signInIn) (SignInOut, error) {
	if in.Body.Copied {
		return SignInOut{}, NotSealed()
	}
	app, err := in.Body.AppID.parse()
	if err != nil {
		return SignInOut{}, err
	}
	tokens, account, err := c.api.Authority().SignIn(c.Ctx, c.Actor, license.SignInIn{
		Name: in.Body.Username, Password: in.Body.Password, App: app, Agent: c.Agent,
	})
	if err != nil {
		return SignInOut{}, err
	}
	return c.signedIn(tokens, account, in.Body.Cookie), nil
}

// refresh takes the token from the body or else from the cookie, and answers the same way.
func refresh(c *Call, in *refreshIn) (SignInOut, error) {
	token, fromCookie := "", false
	if in.Body != nil {
		token = in.Body.RefreshToken
	}
	if token == "" {
		token, fromCookie = c.RefreshCookie(), true
	}
	if token == "" {
		return SignInOut{}, fault.New(fault.Invalid, codeRequired).In("refresh_token")
	}
	tokens, account, err := c.api.Authority().Refresh(c.Actor, token)
	if err != nil {
		if fromCookie && fault.Of(err).Kind == fault.Unauthenticated {
			c.SetRefreshCookie("", time.Time{})
		}
		return SignInOut{}, err
	}
	return c.signedIn(tokens, account, fromCookie), nil
}

func signOut(c *Call, _ *struct{}) (None, error) {
	if err := c.api.Authority().Logout(c.Actor); err != nil {
		return None{}, err
	}
	c.SetRefreshCookie("", time.Time{})
	return None{}, nil
}

func me(c *Call, _ *struct{}) (UserData, error) {
	account, err := c.api.Authority().Me(c.Actor)
	if err != nil {
		return UserData{}, err
	}
	return UserData{UserOf(account)}, nil
}

func changePassword(c *Call, in *passwordIn) (SignInOut, error) {
	tokens, account, err := c.api.Authority().ChangePassword(c.Ctx, c.Actor, in.Body.Old, in.Body.New, c.Agent)
	if err != nil {
		return SignInOut{}, err
	}
	return c.signedIn(tokens, account, in.Body.Cookie), nil
}

func (c *Call) signedIn(t license.Tokens, account *license.Account, cookie bool) SignInOut {
	now := c.api.Authority().Now()
	out := SignInOut{
		AccessToken: t.Access, RefreshToken: t.Refresh, TokenType: "Bearer", ExpiresIn: seconds(t.AccessEnds.Sub(now)),
		RefreshExpiresIn: seconds(t.RefreshEnds.Sub(now)), Data: UserData{UserOf(account)},
	}
	if cookie {
		c.SetRefreshCookie(t.Refresh, t.RefreshEnds)
		out.RefreshToken = ""
	}
	return out
}

// seconds rounds up: tokens begin at a whole second, and one of 7200 s is called that also in the middle of it.
func seconds(d time.Duration) int64 { return max(0, int64((d+time.Second-1)/time.Second)) }
