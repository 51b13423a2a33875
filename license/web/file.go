package web

import (
	"context"
	"io"
	"mime"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
)

// File is an answer that is written piece by piece. Nothing is sent before the first byte: an error of Write before it is
// answered as any other, one after it cuts the connection, so that nobody takes half a file for a whole one.
type File struct {
	Name  string // offered to be saved under, in any script
	Type  string // Content-Type: text/csv; charset=utf-8
	Size  int64  // bytes, where it is known beforehand; 0: it is not
	Write func(w io.Writer) error
}

// RouteFile registers a route whose success is a file of the media type (without parameters: text/csv).
func RouteFile[I any](a *API, op Op, media string, fn func(c *Call, in *I) (File, error)) {
	a.note(&op)
	h := a.operation(&op, bodyOf[I]())
	h.Responses[strconv.Itoa(op.Status)] = &huma.Response{
		Description: "The file",
		Content:     map[string]*huma.MediaType{media: {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}},
	}
	huma.Register(a.huma, h, func(ctx context.Context, in *I) (*huma.StreamResponse, error) {
		c := callOf(ctx)
		file, err := fn(c, in)
		if err != nil {
			return nil, c.refuse(err)
		}
		return &huma.StreamResponse{Body: func(huma.Context) { c.send(file) }}, nil
	})
}

func (c *Call) send(f File) {
	w := &fileWriter{call: c, file: f}
	err := f.Write(w)
	switch {
	case err == nil:
		w.begin()
	case !w.begun:
		c.Fail(err)
	default:
		c.cause = err
		panic(http.ErrAbortHandler)
	}
}

// fileWriter gives every piece the patience that a whole answer has otherwise.
type fileWriter struct {
	call  *Call
	file  File
	begun bool
}

func (w *fileWriter) begin() {
	if w.begun {
		return
	}
	w.begun = true
	h := w.call.out.Header()
	h.Set("Content-Type", w.file.Type)
	if w.file.Size > 0 {
		h.Set("Content-Length", strconv.FormatInt(w.file.Size, 10))
	}
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": w.file.Name}))
	w.call.out.WriteHeader(w.call.op.Status)
}

func (w *fileWriter) Write(p []byte) (int, error) {
	if err := w.call.Ctx.Err(); err != nil { // the caller is gone, or the call was cut off
		return 0, err
	}
	w.begin()
	w.call.Patience(writePatience)
	return w.call.out.Write(p)
}
