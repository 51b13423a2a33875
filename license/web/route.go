package web

import (
	"context"
	"net/http"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/julienschmidt/httprouter"

	"goldfish/license"
)

// Op is a route as data.
type Op struct {
	Method  string // GET, POST, PATCH, PUT or DELETE
	Path    string // with parameters as {id}; the same place has the same name in all routes of a method
	ID      string // operationId: createApp
	Tag     string // the noun it belongs to: apps
	Summary string // 中文 · English
	Detail  string // more of the same, Markdown
	// Permission is what the caller's role must have. A route without one says Public.
	Permission license.Permission
	Public     bool
	Status     int           // of success (200)
	Message    string        // the code of the sentence of success ("done")
	MaxBody    int64         // bytes (64 KiB)
	Errors     []int         // statuses beside those that every route of its kind has
	Headers    []HeaderParam // headers of the request that the handler reads itself
}

// HeaderParam documents a header of the request.
type HeaderParam struct{ Name, Doc, Example string }

// DefaultMaxBody is how long a body may be where a route says nothing.
const DefaultMaxBody = 64 << 10

// Registered is a route as tests and documents see it.
type Registered struct {
	Method, Path, ID string
	Permission       license.Permission // "" for a public one
	Public           bool
}

// Routes lists what was registered, in that order.
func (a *API) Routes() []Registered { return slices.Clone(a.routes) }

// note checks a route and remembers it. Mistakes are the programmer's: it panics.
func (a *API) note(op *Op) {
	if (op.Permission == "") == !op.Public {
		panic("web: " + op.Method + " " + op.Path + " says neither Permission nor Public, or both")
	}
	if op.Status == 0 {
		op.Status = http.StatusOK
	}
	if op.Message == "" {
		op.Message = "done"
	}
	if op.MaxBody == 0 {
		op.MaxBody = DefaultMaxBody
	}
	a.routes = append(a.routes, Registered{op.Method, op.Path, op.ID, op.Permission, op.Public})
}

// Route registers a route. I is a struct with fields for parameters (tags path, query, header) and, for a JSON body, a
// field Body; huma's tags say what is required and in which range (https://huma.rocks). O becomes the envelope's data; an
// O that embeds Said is the whole body. fn gets input whose form is good, from a caller who may.
func Route[I, O any](a *API, op Op, fn func(c *Call, in *I) (O, error)) {
	a.note(&op)
	var o O
	if _, whole := any(&o).(speaker); whole {
		huma.Register(a.huma, a.operation(&op, bodyOf[I]()), func(ctx context.Context, in *I) (*answer[O], error) {
			c := callOf(ctx)
			out, err := fn(c, in)
			if err != nil {
				return nil, c.refuse(err)
			}
			any(&out).(speaker).say(c.said())
			return &answer[O]{Body: out}, nil
		})
		return
	}
	huma.Register(a.huma, a.operation(&op, bodyOf[I]()), func(ctx context.Context, in *I) (*answer[Envelope[O]], error) {
		c := callOf(ctx)
		out, err := fn(c, in)
		if err != nil {
			return nil, c.refuse(err)
		}
		return &answer[Envelope[O]]{Body: Envelope[O]{Success: true, Message: c.said(), Data: out}}, nil
	})
}

type answer[B any] struct{ Body B }

// refuse is err as huma sends it.
func (c *Call) refuse(err error) error {
	c.cause = err
	p := problemOf(err, c.Lang)
	p.headers(c.out.Header())
	return p
}

// Handle registers a route whose answer is no JSON: files, pages, sockets. fn answers itself, errors by Call.Fail. It
// stands outside the document.
func Handle(a *API, op Op, fn func(c *Call)) {
	a.note(&op)
	a.router.Handle(op.Method, routerPath(op.Path), func(_ http.ResponseWriter, r *http.Request, ps httprouter.Params) {
		c := callOf(r.Context())
		c.params = ps
		if c.enter(&op) {
			fn(c)
		}
	})
}

// Param is a parameter of the path, for routes of Handle.
func (c *Call) Param(name string) string { return c.params.ByName(name) }

// enter does what comes before every handler: it says whether the call may go on, or has answered.
func (c *Call) enter(op *Op) bool {
	c.op, c.message = op, op.Message
	if err := c.admit(); err != nil {
		c.Fail(err)
		return false
	}
	return true
}

// operation is the route in huma's words.
func (a *API) operation(op *Op, body bodyNeed) huma.Operation {
	h := huma.Operation{
		Method: op.Method, Path: op.Path, OperationID: op.ID, Tags: []string{op.Tag}, Summary: op.Summary,
		Description: op.Detail, DefaultStatus: op.Status, MaxBodyBytes: -1, BodyReadTimeout: -1,
		Responses: a.problems(op, body),
	}
	if !op.Public {
		h.Security = []map[string][]string{{"bearer": {}}}
	}
	for _, p := range op.Headers {
		h.Parameters = append(h.Parameters, headerParam(p))
	}
	h.Middlewares = huma.Middlewares{func(ctx huma.Context, next func(huma.Context)) {
		x := ctx.(*exchange)
		if !x.call.enter(op) || !x.readBody(body) {
			return
		}
		next(x)
	}}
	return h
}

// problems are the refusals that a route can give, for the document.
func (a *API) problems(op *Op, body bodyNeed) map[string]*huma.Response {
	statuses := append([]int{http.StatusBadRequest, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusServiceUnavailable}, op.Errors...)
	if !op.Public {
		statuses = append(statuses, http.StatusUnauthorized, http.StatusForbidden)
	}
	if body != noBody {
		statuses = append(statuses, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	out := map[string]*huma.Response{}
	for _, status := range statuses {
		out[strconv.Itoa(status)] = &huma.Response{
			Description: http.StatusText(status),
			Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: a.problemSchema()}},
		}
	}
	return out
}
