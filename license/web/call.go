package web

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/julienschmidt/httprouter"

	"goldfish/license"
	"goldfish/license/fault"
)

// Call is one request on its way through a route.
type Call struct {
	Ctx    context.Context
	Actor  license.Actor // who calls; of kind nobody unless a good bearer was sent
	Lang   Lang
	ID     string // the request's, in the log and in X-Request-Id
	Method string
	Path   string // from /api/v1 on
	Bearer string // the access token as sent, "" without one
	Agent  string // User-Agent
	Raw    []byte // the body as sent

	api     *API
	in      *http.Request
	out     *recorder
	params  httprouter.Params
	op      *Op
	message string
	args    map[string]any
	cause   error
}

type callKey struct{}

func callOf(ctx context.Context) *Call { return ctx.Value(callKey{}).(*Call) }

// Header is a header of the request.
func (c *Call) Header(name string) string { return c.in.Header.Get(name) }

// Address is the caller's network address.
func (c *Call) Address() netip.Addr { return c.Actor.Address }

// SetHeader sets a header of the answer.
func (c *Call) SetHeader(name, value string) { c.out.Header().Set(name, value) }

// Say replaces the message of success that the route declares.
func (c *Call) Say(code string, args map[string]any) { c.message, c.args = code, args }

// Now is the appliance's clock.
func (c *Call) Now() time.Time { return c.api.opts.Clock() }

// said is the message of success.
func (c *Call) said() string { return c.Lang.Say(c.message, c.args) }

// Request and Writer are for the few routes that take over the connection.
func (c *Call) Request() *http.Request { return c.in }

// Writer is the other half; what is written to it is counted and logged.
func (c *Call) Writer() http.ResponseWriter { return c.out }

// peer is the network address of the other end: proxies are not believed.
func peer(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap().WithZone("")
}

// forwarded are the headers by which a proxy says that a call came from elsewhere.
var forwarded = []string{"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip"}

// isLocal says whether the call came from this machine: a loopback peer that asked for a loopback name (a page of
// another site, whose name was pointed here, asks for its own) and that nobody forwarded.
func isLocal(r *http.Request, addr netip.Addr) bool {
	if !addr.IsLoopback() || !loopbackName(r.Host) {
		return false
	}
	for _, name := range forwarded {
		if r.Header.Get(name) != "" {
			return false
		}
	}
	return true
}

func loopbackName(host string) bool {
	if at, err := netip.ParseAddrPort(host); err == nil {
		return at.Addr().IsLoopback()
	}
	name, _, _ := strings.Cut(host, ":")
	if strings.EqualFold(name, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.IsLoopback()
}

// authenticate finds out who calls. A bearer that is sent must be good, also where none is needed.
func (c *Call) authenticate() error {
	addr := peer(c.in)
	local := isLocal(c.in, addr)
	c.Actor = license.Actor{Address: addr, Local: local}
	sent := c.in.Header.Values("Authorization")
	if len(sent) == 0 || c.api.opts.Closed != nil {
		return nil
	}
	scheme, token, _ := strings.Cut(sent[0], " ")
	if len(sent) > 1 || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return fault.New(fault.Unauthenticated, "token_invalid").In("Authorization")
	}
	actor, err := c.api.opts.Authority.Authenticate(token, addr, local)
	if err != nil {
		return err
	}
	c.Actor, c.Bearer = actor, token
	return nil
}

// RefreshCookie is the name of the cookie that holds the console's refresh token.
const RefreshCookie = "goldfish_refresh"

const refreshPath = "/api/v1/auth"

// SetRefreshCookie hands the refresh token to the browser, out of reach of scripts; an empty token takes it away.
func (c *Call) SetRefreshCookie(token string, ends time.Time) {
	cookie := &http.Cookie{
		Name: RefreshCookie, Value: token, Path: refreshPath, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: c.in.TLS != nil,
	}
	if token == "" {
		cookie.MaxAge = -1
	} else {
		cookie.MaxAge = max(1, int(ends.Sub(c.Now())/time.Second))
	}
	http.SetCookie(c.out, cookie)
}

// RefreshCookie is the refresh token that the browser sent, "" without one.
func (c *Call) RefreshCookie() string {
	cookie, err := c.in.Cookie(RefreshCookie)
	if err != nil {
		return ""
	}
	return cookie.Value
}
