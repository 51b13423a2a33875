// Package web is the HTTP dialect of the house: how a request becomes a call of the rules, and how what they say becomes
// an answer.
//
// A route is data (Op): method, path, the permission that it needs, its message. Route turns it and a function of typed
// input into a handler that authenticates, authorises, reads, judges the form, calls, and wraps the result in the
// envelope {success, message, data}. A fault of the rules becomes a problem document (RFC 9457) in the caller's language;
// what caused it goes to the log alone.
//
//	web.Route(api, web.Op{
//		Method: "POST", Path: "/api/v1/admin/apps", ID: "createApp", Tag: "apps", Summary: "创建应用 · Create an app",
//		Permission: license.WriteApps, Status: 201, Message: "app_created",
//	}, func(c *web.Call, in *struct{ Body NewAppIn }) (AppOut, error) {
//		app, err := a.CreateApp(c.Actor, in.Body.rules())
//		return appOut(app), err
//	})
package web

import (
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/julienschmidt/httprouter"

	"goldfish/license"
	"goldfish/license/fault"
)

// Options of New. Either Authority or Closed is required.
type Options struct {
	Authority *license.Authority
	// Closed is why nothing but the registered routes can be answered, as long as there is no Authority: a fault of kind
	// unavailable, whatever was asked for. A bearer that is sent then counts for nothing.
	Closed    func() error
	Log       *slog.Logger     // requests, panics, causes (none)
	Clock     func() time.Time // for limits and durations (time.Now)
	Release   string           // the program's version, in the document
	Server    string           // where this listener usually is, in the document: http://127.0.0.1:8000
	PerSecond int              // calls a second from one address (/64 in IPv6); 0: as many as come
	// Fallback answers GET outside /api/ and /sdk/ where there is no route: the console's pages.
	Fallback http.Handler
}

// API is the routes of one listener. Register all of them, then serve.
type API struct {
	opts      Options
	router    *httprouter.Router
	huma      huma.API
	routes    []Registered
	limit     *limiter
	cross     *http.CrossOriginProtection
	document  atomic.Pointer[[]byte]
	requestID string
	requests  atomic.Uint64
	answered  [6]atomic.Uint64 // by class of their status; 0: cut off
}

// New makes an API without routes.
func New(o Options) *API {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	a := &API{opts: o, router: httprouter.New(), limit: newLimiter(o.PerSecond), cross: http.NewCrossOriginProtection()}
	var start [4]byte
	_, _ = rand.Read(start[:])
	a.requestID = hex.EncodeToString(start[:])
	a.router.RedirectTrailingSlash, a.router.RedirectFixedPath = false, false
	a.router.HandleOPTIONS = true
	a.router.NotFound = http.HandlerFunc(a.notFound)
	a.router.MethodNotAllowed = http.HandlerFunc(a.methodNotAllowed)
	a.router.GlobalOPTIONS = http.HandlerFunc(a.options)
	a.huma = huma.NewAPI(huma.Config{
		OpenAPI:                      newDocument(o.Release),
		Formats:                      map[string]huma.Format{"application/json": jsonFormat, "json": jsonFormat}, // json: problem+json
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
	}, adapter{a.router})
	return a
}

// Authority is the one whose rules the routes call, nil for an API that is closed.
func (a *API) Authority() *license.Authority { return a.opts.Authority }

// Log is where the API's own log goes.
func (a *API) Log() *slog.Logger { return a.opts.Log }

// Answered counts the answers by the first digit of their status, 1 to 5; those under 0 were cut off.
func (a *API) Answered() (n [6]uint64) {
	for class := range n {
		n[class] = a.answered[class].Load()
	}
	return n
}

func (a *API) count(status int) {
	if class := status / 100; class < len(a.answered) {
		a.answered[class].Add(1)
	}
}

// ServeHTTP answers one request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begun := a.opts.Clock()
	c := &Call{
		api: a, in: r, Ctx: r.Context(), Method: r.Method, Path: r.URL.Path, Agent: r.UserAgent(),
		Lang: ParseLang(r.Header.Get("Accept-Language")), ID: a.nextID(), out: &recorder{ResponseWriter: w},
		Actor: license.Actor{Address: peer(r)},
	}
	defer c.finish(begun)
	c.protect()
	if wait := a.limit.take(c.Actor.Address, begun); wait > 0 {
		c.Fail(fault.New(fault.Limited, "rate_limited").After(wait))
		return
	}
	r = r.WithContext(contextWith(c))
	if r.Method == http.MethodHead { // as GET; net/http keeps the body back
		r.Method = http.MethodGet
	}
	c.in, c.Ctx = r, r.Context()
	a.router.ServeHTTP(c.out, r)
}

func (a *API) notFound(_ http.ResponseWriter, r *http.Request) {
	c := callOf(r.Context())
	if a.opts.Fallback != nil && r.Method == http.MethodGet && !machines(r.URL.Path) {
		a.opts.Fallback.ServeHTTP(c.out, r)
		return
	}
	c.Fail(a.absent())
}

// absent is why there is nothing here.
func (a *API) absent() error {
	if a.opts.Closed != nil {
		return a.opts.Closed()
	}
	return fault.New(fault.NotFound, "not_found_route")
}

// machines says whether a place is for programs: one that asks there for what is not must not get a page for it.
func machines(path string) bool {
	return path == "/metrics" || path == "/api" || strings.HasPrefix(path, "/api/") || path == "/sdk" || strings.HasPrefix(path, "/sdk/")
}

func (a *API) methodNotAllowed(w http.ResponseWriter, r *http.Request) {
	allowHead(w.Header())
	callOf(r.Context()).Fail(fault.New(fault.MethodNotAllowed, "method_not_allowed").With("allow", w.Header().Get("Allow")))
}

// options answers which methods a path has. Other origins get no permission from it.
func (a *API) options(w http.ResponseWriter, _ *http.Request) {
	allowHead(w.Header())
	w.WriteHeader(http.StatusNoContent)
}

// allowHead adds HEAD, which every GET answers, to what httprouter found.
func allowHead(h http.Header) {
	if allow := h.Get("Allow"); strings.Contains(allow, http.MethodGet) && !strings.Contains(allow, http.MethodHead) {
		h.Set("Allow", strings.Replace(allow, http.MethodGet, "GET, HEAD", 1))
	}
}
