package hub_test

import (
	"bufio"
	"net"
	"net/http"
	"strings"
	"testing"

	"goldfish/hub"

	"github.com/gobwas/ws"
)

// handshake is a good request; edits replace or (with an empty value) remove
// header lines.
func handshake(host string, edits map[string]string) string {
	lines := map[string]string{
		"Host": host, "Upgrade": "websocket", "Connection": "keep-alive, Upgrade",
		"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
	}
	method, proto := "GET", "HTTP/1.1"
	for k, v := range edits {
		switch k {
		case "method":
			method = v
		case "proto":
			proto = v
		default:
			lines[k] = v
		}
	}
	var b strings.Builder
	b.WriteString(method + " /ws " + proto + "\r\n")
	for k, v := range lines {
		if v != "" {
			b.WriteString(k + ": " + v + "\r\n")
		}
	}
	b.WriteString("\r\n")
	return b.String()
}

// request sends raw bytes and returns the answer and the rest of the connection.
func (srv *server) request(t *testing.T, raw string) (*http.Response, *client) {
	t.Helper()
	conn, err := net.Dial("tcp", srv.http.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	c := &client{t, conn, bufio.NewReader(conn)}
	c.write([]byte(raw))
	resp, err := http.ReadResponse(c.rd, nil)
	if err != nil {
		t.Fatal(err)
	}
	return resp, c
}

func TestHandshake(t *testing.T) {
	srv := start(t, hub.Options{}, echo)
	host := srv.http.Listener.Addr().String()
	good, bad, foreign := http.StatusSwitchingProtocols, http.StatusUpgradeRequired, http.StatusForbidden
	for _, tc := range []struct {
		name  string
		edits map[string]string
		want  int
	}{
		{"plain", nil, good},
		{"own origin", map[string]string{"Origin": "http://" + host}, good},
		{"own origin, other scheme", map[string]string{"Origin": "https://" + host}, good},
		{"foreign origin", map[string]string{"Origin": "http://evil.example"}, foreign},
		{"own host, other port", map[string]string{"Origin": "http://127.0.0.1:1"}, foreign},
		{"own host as a prefix", map[string]string{"Origin": "http://" + host + ".evil.example"}, foreign},
		{"own host as user", map[string]string{"Origin": "http://" + host + "@evil.example"}, foreign},
		{"opaque origin", map[string]string{"Origin": "null"}, foreign},
		{"no host in origin", map[string]string{"Origin": "http://"}, foreign},
		{"two origins", map[string]string{"Origin": "http://" + host + "\r\nOrigin: http://" + host}, foreign},
		{"POST", map[string]string{"method": "POST", "Content-Length": "0"}, bad},
		{"HTTP/1.0", map[string]string{"proto": "HTTP/1.0"}, bad},
		{"no Upgrade", map[string]string{"Upgrade": ""}, bad},
		{"another Upgrade", map[string]string{"Upgrade": "h2c"}, bad},
		{"no Connection", map[string]string{"Connection": ""}, bad},
		{"another Connection", map[string]string{"Connection": "keep-alive"}, bad},
		{"no version", map[string]string{"Sec-WebSocket-Version": ""}, bad},
		{"old version", map[string]string{"Sec-WebSocket-Version": "8"}, bad},
		{"no key", map[string]string{"Sec-WebSocket-Key": ""}, bad},
		{"short key", map[string]string{"Sec-WebSocket-Key": "c2hvcnQ="}, bad},
		{"key not base64", map[string]string{"Sec-WebSocket-Key": "!!!!!!!!!!!!!!!!!!!!!!=="}, bad},
	} {
		t.Run(tc.name, func(t *testing.T) {
			resp, _ := srv.request(t, handshake(host, tc.edits))
			defer resp.Body.Close()
			if resp.StatusCode != tc.want {
				t.Fatalf("status %d, want %d", resp.StatusCode, tc.want)
			}
			if tc.want == bad && resp.Header.Get("Sec-WebSocket-Version") != "13" {
				t.Fatal("the answer does not name the version")
			}
		})
	}
}

func TestOriginsOfTheCaller(t *testing.T) {
	srv := start(t, hub.Options{}, func(*http.Request) hub.Accept {
		return hub.Accept{Origins: func(r *http.Request) bool { return r.Header.Get("Origin") == "https://portal.example" }}
	})
	for origin, want := range map[string]int{
		"https://portal.example": http.StatusSwitchingProtocols,
		"http://h":               http.StatusForbidden, // the own host no longer counts
		"":                       http.StatusSwitchingProtocols,
	} {
		resp, _ := srv.request(t, handshake("h", map[string]string{"Origin": origin}))
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("origin %q: status %d, want %d", origin, resp.StatusCode, want)
		}
	}
}

func TestFramesBehindTheHandshakeAreNotLost(t *testing.T) {
	srv := start(t, hub.Options{}, echo)
	early := string(frame(ws.OpText, true, "early")) + string(frame(ws.OpText, false, "ha"))
	resp, c := srv.request(t, handshake("h", nil)+early)
	_ = resp.Body.Close()
	c.wantText("early")
	c.write(frame(ws.OpContinuation, true, "lf"))
	c.wantText("half")
}

func TestPlacesAreLimitedAndGivenBack(t *testing.T) {
	srv := start(t, hub.Options{MaxSockets: 2}, echo)
	first := srv.dial(t)
	srv.dial(t)
	// A client has its answer a moment before the hub counts the socket.
	until(t, "both are counted", func() bool { return srv.Stats().Opened == 2 })
	if resp, _ := srv.request(t, handshake("h", nil)); resp.StatusCode != http.StatusServiceUnavailable {
		t.Fatalf("status %d", resp.StatusCode)
	}
	if st := srv.Stats(); st.Sockets != 2 || st.Limit != 2 || st.Refused != 1 {
		t.Fatalf("%+v", st)
	}
	first.close(hub.Normal)
	until(t, "a place is free", func() bool { return srv.Stats().Sockets == 1 })
	resp, c := srv.request(t, handshake("h", nil))
	if resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("status %d", resp.StatusCode)
	}
	c.say("in")
	c.wantText("in")
}
