package web

import (
	"bytes"
	"net/http"
	"path"
	"time"

	"goldfish/assets"
	"goldfish/license/fault"
)

// HealthOut is what a watcher reads.
type HealthOut struct {
	State string `json:"state" enum:"ok"`
}

// RegisterStanding adds what every listener answers: whether it lives, whether it can serve, and its document.
func RegisterStanding(a *API) {
	Route(a, Op{
		Method: "GET", Path: "/healthz", ID: "healthz", Tag: "health", Summary: "进程存活 · The process lives", Public: true,
	}, func(*Call, *struct{}) (HealthOut, error) { return HealthOut{"ok"}, nil })
	Route(a, Op{
		Method: "GET", Path: "/readyz", ID: "readyz", Tag: "health", Summary: "可以服务 · It can serve", Public: true,
	}, func(*Call, *struct{}) (HealthOut, error) {
		return HealthOut{"ok"}, a.ready()
	})
	Handle(a, Op{Method: "GET", Path: "/api/openapi.json", ID: "openapi", Public: true}, func(c *Call) {
		doc := a.document.Load()
		if doc == nil {
			c.Fail(a.absent())
			return
		}
		c.serve("openapi.json", "application/json", *doc)
	})
}

// ready says why nothing can be served.
func (a *API) ready() error {
	if a.opts.Closed != nil {
		return a.opts.Closed()
	}
	if a.Authority().Low() {
		return fault.New(fault.Unavailable, "disk_low").After(30 * time.Second)
	}
	if err := a.Authority().Ready(); err != nil {
		return fault.New(fault.Unavailable, "not_ready").After(5 * time.Second).Because(err)
	}
	return nil
}

// Describe sets what /api/openapi.json answers: Document of all listeners.
func (a *API) Describe(document []byte) { a.document.Store(&document) }

// RegisterSDK adds the client libraries under /sdk/, for any page to fetch.
func RegisterSDK(a *API) {
	for _, file := range []struct{ name, kind string }{
		{"sdk/python/goldfish.py", "text/x-python; charset=utf-8"},
		{"sdk/python/sample_app.py", "text/x-python; charset=utf-8"},
		{"sdk/vectors.json", "application/json"},
	} {
		name := path.Base(file.name)
		Handle(a, Op{Method: "GET", Path: "/sdk/" + name, ID: name, Public: true}, func(c *Call) {
			raw, err := assets.SDK.ReadFile(file.name)
			if err != nil {
				c.Fail(err)
				return
			}
			c.serve(name, file.kind, raw)
		})
	}
}

// serve sends embedded bytes, in ranges if the caller wants.
func (c *Call) serve(name, kind string, raw []byte) {
	c.SetHeader("Content-Type", kind)
	http.ServeContent(c.out, c.in, name, time.Time{}, bytes.NewReader(raw))
}
