package web

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"goldfish/license/fault"
)

// RouteUpload registers a route whose body is a file of the media type (without parameters: application/octet-stream),
// of any length: fn reads it piece by piece and bounds it itself. A body that stops half-way gives fn the fault
// body_timeout or body_unreadable. What fn has not read is not waited for.
func RouteUpload[I, O any](a *API, op Op, media string, fn func(c *Call, in *I, body io.Reader) (O, error)) {
	a.note(&op)
	op.Errors = append([]int{http.StatusRequestTimeout, http.StatusUnsupportedMediaType}, op.Errors...)
	h := a.operation(&op, bodyOf[I]())
	h.RequestBody = &huma.RequestBody{
		Required: true,
		Content:  map[string]*huma.MediaType{media: {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}},
	}
	huma.Register(a.huma, h, func(ctx context.Context, in *I) (*answer[Envelope[O]], error) {
		c := callOf(ctx)
		if err := c.sends(media); err != nil {
			return nil, c.refuse(err)
		}
		out, err := fn(c, in, &upload{c})
		if err != nil {
			return nil, c.refuse(err)
		}
		return &answer[Envelope[O]]{Body: Envelope[O]{Success: true, Message: c.said(), Data: out}}, nil
	})
}

// sends says whether the body is of the media type, as it is.
func (c *Call) sends(media string) error {
	if coding := c.in.Header.Get("Content-Encoding"); coding != "" && coding != "identity" {
		return fault.New(fault.Unsupported, codeEncoding).In("Content-Encoding")
	}
	if kind, _, err := mime.ParseMediaType(c.in.Header.Get("Content-Type")); err != nil || kind != media {
		return fault.New(fault.Unsupported, "upload_type").In("Content-Type").With("type", media)
	}
	return nil
}

// upload is the body of a call, with patience for every piece of it.
type upload struct{ call *Call }

func (u *upload) Read(p []byte) (int, error) {
	u.call.Patience(writePatience)
	n, err := u.call.in.Body.Read(p)
	switch {
	case err == nil || errors.Is(err, io.EOF):
		return n, err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return n, fault.New(fault.Invalid, "body_timeout").Because(err)
	}
	return n, fault.New(fault.Invalid, codeBodyBroken).Because(err)
}

// Patience lets the call take so long from now on; without it a call may take as long as the server's limits say, and
// is taken for abandoned when the time for its body is over.
func (c *Call) Patience(most time.Duration) {
	line, until := http.NewResponseController(c.out), time.Now().Add(most)
	_ = errors.Join(line.SetReadDeadline(until), line.SetWriteDeadline(until))
}
