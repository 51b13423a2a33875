package web

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/queryparam"
	"github.com/julienschmidt/httprouter"

	"goldfish/license/fault"
)

// adapter registers huma's operations with httprouter. The stock one cannot be told of a Call.
type adapter struct{ router *httprouter.Router }

func (a adapter) Handle(op *huma.Operation, handler func(huma.Context)) {
	a.router.Handle(op.Method, routerPath(op.Path), func(_ http.ResponseWriter, r *http.Request, ps httprouter.Params) {
		c := callOf(r.Context())
		c.params = ps
		handler(&exchange{call: c, op: op})
	})
}

func (a adapter) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.router.ServeHTTP(w, r) }

// routerPath writes {id} as httprouter does, :id.
func routerPath(path string) string {
	return strings.ReplaceAll(strings.ReplaceAll(path, "{", ":"), "}", "")
}

// exchange is a Call as huma sees it.
type exchange struct {
	call   *Call
	op     *huma.Operation
	status int
}

var _ huma.Context = (*exchange)(nil)

func (x *exchange) Operation() *huma.Operation { return x.op }
func (x *exchange) Context() context.Context   { return x.call.Ctx }
func (x *exchange) TLS() *tls.ConnectionState  { return x.call.in.TLS }
func (x *exchange) Method() string             { return x.call.in.Method }
func (x *exchange) Host() string               { return x.call.in.Host }
func (x *exchange) RemoteAddr() string         { return x.call.in.RemoteAddr }
func (x *exchange) URL() url.URL               { return *x.call.in.URL }
func (x *exchange) Param(name string) string   { return x.call.params.ByName(name) }
func (x *exchange) Query(name string) string   { return queryparam.Get(x.call.in.URL.RawQuery, name) }
func (x *exchange) BodyReader() io.Reader      { return bytes.NewReader(x.call.Raw) }
func (x *exchange) Status() int                { return x.status }
func (x *exchange) BodyWriter() io.Writer      { return x.call.out }

// Header is a header of the request but for Accept and Content-Type: there is one format and nothing to negotiate, and
// body has judged the type of what was sent, in any case of its letters.
func (x *exchange) Header(name string) string {
	if strings.EqualFold(name, "Accept") || strings.EqualFold(name, "Content-Type") {
		return ""
	}
	return x.call.in.Header.Get(name)
}

func (x *exchange) Version() huma.ProtoVersion {
	return huma.ProtoVersion{Proto: x.call.in.Proto, ProtoMajor: x.call.in.ProtoMajor, ProtoMinor: x.call.in.ProtoMinor}
}

func (x *exchange) EachHeader(fn func(name, value string)) {
	for name, values := range x.call.in.Header {
		for _, value := range values {
			fn(name, value)
		}
	}
}

// GetMultipartForm is never asked: no route takes a form.
func (x *exchange) GetMultipartForm() (*multipart.Form, error) { return nil, http.ErrNotMultipart }

// SetReadDeadline does nothing: the body has been read.
func (x *exchange) SetReadDeadline(time.Time) error { return nil }

func (x *exchange) SetStatus(code int) {
	x.status = code
	x.call.out.WriteHeader(code)
}

func (x *exchange) SetHeader(name, value string)    { x.call.out.Header().Set(name, value) }
func (x *exchange) AppendHeader(name, value string) { x.call.out.Header().Add(name, value) }

// bodyNeed says whether an input reads a JSON body.
type bodyNeed uint8

const (
	noBody bodyNeed = iota
	mayBody
	mustBody
)

// bodyOf is what an input says of its body: a pointer is one that may be missing.
func bodyOf[I any]() bodyNeed {
	f, ok := reflect.TypeFor[I]().FieldByName("Body")
	switch {
	case !ok:
		return noBody
	case f.Type.Kind() == reflect.Pointer:
		return mayBody
	}
	return mustBody
}

// readBody reads the body whole, within the route's bound. It says whether the call may go on, or has answered.
func (x *exchange) readBody(need bodyNeed) bool {
	if need == noBody {
		return true
	}
	raw, err := x.call.body(need)
	if err != nil {
		x.call.Fail(err)
		return false
	}
	x.call.Raw = raw
	return true
}

func (c *Call) body(need bodyNeed) ([]byte, error) {
	r := c.in
	if r.ContentLength > c.op.MaxBody {
		c.out.Header().Set("Connection", "close")
		return nil, c.tooLarge()
	}
	raw, err := io.ReadAll(http.MaxBytesReader(c.out, r.Body, c.op.MaxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, c.tooLarge()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, fault.New(fault.Invalid, "body_timeout").Because(err)
	case err != nil:
		return nil, fault.New(fault.Invalid, codeBodyBroken).Because(err)
	case len(raw) == 0 && need == mayBody:
		return nil, nil
	case len(raw) == 0:
		return nil, fault.New(fault.Invalid, codeBodyMissing)
	}
	if coding := r.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return nil, fault.New(fault.Unsupported, codeEncoding).In("Content-Encoding")
	}
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" || params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8") {
		return nil, fault.New(fault.Unsupported, codeContentType).In("Content-Type")
	}
	return raw, nil
}

func (c *Call) tooLarge() error {
	return fault.New(fault.TooLarge, codeBodyLarge).With("most", c.op.MaxBody)
}
