package web_test

import (
	"testing"

	"goldfish/license/licensetest"
	"goldfish/license/web"
)

func TestTooManyCalls(t *testing.T) {
	clock := licensetest.New(t).Clock
	s := serve(t, web.Options{PerSecond: 5, Clock: clock.Now}, things)
	for range 5 {
		wantProblem(t, s.call("GET", "/nothing", ""), 404, "not_found_route")
	}
	r := s.call("GET", "/nothing", "", "Accept-Language", "en")
	wantProblem(t, r, 429, "rate_limited")
	if r.Header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After is %q", r.Header.Get("Retry-After"))
	}
	clock.Advance(1e9)
	wantProblem(t, s.call("GET", "/nothing", ""), 404, "not_found_route")
}
