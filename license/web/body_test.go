package web_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"goldfish/license/web"
)

// A body that stops half way is told so, whether the caller went silent or away.
func TestBodyThatDoesNotArrive(t *testing.T) {
	s := serve(t, web.Options{}, things)
	hasty := httptest.NewUnstartedServer(s.api)
	hasty.Config = web.Server("", s.api)
	hasty.Config.ReadTimeout = 200 * time.Millisecond
	hasty.Start()
	t.Cleanup(hasty.Close)
	for _, c := range []struct {
		name   string
		leave  func(*net.TCPConn) error
		status int
		code   string
	}{
		{"silent", func(*net.TCPConn) error { return nil }, 408, "body_timeout"},
		{"away", (*net.TCPConn).CloseWrite, 400, "body_unreadable"},
	} {
		conn, err := net.Dial("tcp", hasty.Listener.Addr().String())
		s.Must(err)
		defer conn.Close()
		_, err = io.WriteString(conn, "POST /api/v1/things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"name\":")
		s.Must(err)
		s.Must(c.leave(conn.(*net.TCPConn)))
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		s.Must(err)
		out := reply{Response: answer}
		out.raw, err = io.ReadAll(answer.Body)
		s.Must(err)
		s.Must(json.Unmarshal(out.raw, &out.body))
		t.Run(c.name, func(t *testing.T) { wantProblem(t, out, c.status, c.code) })
	}
}

// A body whose length is not told is read no further than its bound.
func TestBodyOfUnknownLength(t *testing.T) {
	s := serve(t, web.Options{}, things)
	for size, want := range map[int]string{500: "value_length", 100_000: "body_too_large", 0: "body_missing"} {
		var body io.Reader = strings.NewReader(`{"name":"` + strings.Repeat("a", size) + `"}`)
		if size == 0 {
			body = strings.NewReader("")
		}
		r, err := http.NewRequest("POST", s.http.URL+"/api/v1/things", io.MultiReader(body)) // sent in chunks
		s.Must(err)
		r.Header.Set("Content-Type", "application/json")
		if got := s.do(r); got.code() != want {
			t.Errorf("%d bytes: %d %s, want %s", size, got.StatusCode, got.raw, want)
		}
	}
}

// A media type means the same in any case of its letters (RFC 9110 §8.3.1), with a charset and without.
func TestBodyOfAnyWritingOfJSON(t *testing.T) {
	s := serve(t, web.Options{}, things)
	for _, kind := range []string{"application/json; charset=utf-8", "Application/JSON", `application/json;charset="UTF-8"`, "application/json; a=b"} {
		if r := s.call("POST", "/api/v1/things", `{"name":"abc"}`, "Content-Type", kind); r.StatusCode != 201 {
			t.Errorf("%s: %d %s", kind, r.StatusCode, r.raw)
		}
	}
}

// The first second of all times is a time, and not none.
func TestTheFirstSecondIsNotNull(t *testing.T) {
	s := serve(t, web.Options{}, things)
	for until, want := range map[string]any{`"1970-01-01T00:00:00Z"`: "1970-01-01T00:00:00Z", "null": nil} {
		if r := s.call("POST", "/api/v1/things", `{"name":"abc","until":`+until+`}`); r.StatusCode != 201 || r.data()["at"] != want {
			t.Errorf("%s: %d %s", until, r.StatusCode, r.raw)
		}
	}
}
