package web

import (
	"net/http"
	"time"
)

// Server is an http.Server with the house's patience: 5 s for a request's head of 16 KiB at most, 30 s for its body, 60 s
// for the answer, 2 min between two requests. Files and sockets lengthen their own time.
func Server(addr string, handler http.Handler) *http.Server {
	return &http.Server{
		Addr: addr, Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second,
		WriteTimeout: writePatience, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
	}
}

const writePatience = 60 * time.Second
