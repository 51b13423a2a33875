package web

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"goldfish/license/fault"
)

func contextWith(c *Call) context.Context { return context.WithValue(c.Ctx, callKey{}, c) }

func (a *API) nextID() string { return a.requestID + "-" + strconv.FormatUint(a.requests.Add(1), 36) }

// policy is what a browser may do with an answer of the API: nothing. Pages set their own.
const policy = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// protect sets the headers of every answer; a handler may replace them.
func (c *Call) protect() {
	h := c.out.Header()
	h.Set("X-Request-Id", c.ID)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", policy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Language", c.Lang.String())
	h.Set("Vary", "Accept-Language")
}

// admit judges who calls, in this order: a page of another origin, a bearer that is not good, a role that may not.
func (c *Call) admit() error {
	if err := c.api.cross.Check(c.in); err != nil {
		return fault.New(fault.Forbidden, "origin_refused").Because(err)
	}
	if err := c.authenticate(); err != nil {
		return err
	}
	if c.op.Public {
		return nil
	}
	return c.Actor.Authorise(c.op.Permission)
}

// finish is deferred around a request: it answers for a panic and writes the log.
func (c *Call) finish(begun time.Time) {
	if v := recover(); v != nil {
		if v == http.ErrAbortHandler {
			c.api.count(0)
			c.log(begun, slog.LevelWarn, "cut off", slog.Any("cause", c.cause))
			panic(v)
		}
		c.cause = fmt.Errorf("panic: %v", v)
		c.api.opts.Log.Error("a handler panicked", "request", c.ID, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
		if c.out.status == 0 {
			c.Fail(fault.New(fault.Internal, fault.CodeInternal).Because(c.cause))
		}
	}
	c.api.count(c.out.status)
	switch {
	case c.cause != nil && c.out.status >= http.StatusInternalServerError && faultOf(c.cause).Kind == fault.Internal:
		c.log(begun, slog.LevelError, "failed", slog.Any("cause", c.cause))
	case c.cause != nil:
		c.log(begun, slog.LevelInfo, "refused", slog.String("code", faultOf(c.cause).Code))
	default:
		c.log(begun, slog.LevelDebug, "answered")
	}
}

func (c *Call) log(begun time.Time, level slog.Level, what string, more ...slog.Attr) {
	log := c.api.opts.Log
	if !log.Enabled(c.Ctx, level) {
		return
	}
	route := ""
	if c.op != nil {
		route = c.op.Path
	}
	log.LogAttrs(c.Ctx, level, what, append([]slog.Attr{
		slog.String("request", c.ID), slog.String("method", c.Method), slog.String("route", route),
		slog.Int("status", c.out.status), slog.Duration("took", c.api.opts.Clock().Sub(begun)),
		slog.String("address", c.Actor.Address.String()),
	}, more...)...)
}

// recorder remembers the status that was sent.
type recorder struct {
	http.ResponseWriter
	status int
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

// Hijack notes that the connection became another's.
func (w *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.status = http.StatusSwitchingProtocols
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

// Flush sends what was written.
func (w *recorder) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }

// Unwrap is for http.ResponseController.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
