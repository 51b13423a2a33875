package admin

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/go-json-experiment/json"

	"goldfish/license/web"
)

// Hosts answers only requests for a name under which the console may be called: loopback names, the host that
// it listens at, and where that is all addresses of the machine, any address. Other sites' names that somebody
// points at this machine are refused: a page from there would count as the console's own.
func Hosts(listen string, next http.Handler) http.Handler {
	open := listen == ""
	if addr, err := netip.ParseAddr(listen); err == nil {
		open = addr.IsUnspecified()
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !hostAllowed(r.Host, listen, open) {
			misdirected(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func hostAllowed(host, listen string, open bool) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(name, "["), "]"), ".")
	if strings.EqualFold(name, "localhost") || listen != "" && strings.EqualFold(name, listen) {
		return true
	}
	addr, err := netip.ParseAddr(name)
	return err == nil && (open || addr.Unmap().IsLoopback())
}

// misdirected answers 421 (RFC 9110 §15.5.20).
func misdirected(w http.ResponseWriter, r *http.Request) {
	const status, code = http.StatusMisdirectedRequest, "host_refused"
	text := web.ParseLang(r.Header.Get("Accept-Language")).Say(code, nil)
	raw, err := json.Marshal(web.Problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: text, Code: code, Message: text,
	})
	if err != nil {
		raw = nil
	}
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(raw)
}
