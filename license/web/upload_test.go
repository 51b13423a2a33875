package web_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"goldfish/license/web"
)

type sumOut struct {
	Bytes int64  `json:"bytes"`
	Sum   string `json:"sum"`
}

const stream = "application/octet-stream"

// files has a route that takes a file, and one that gives one.
func files(a *web.API) {
	web.RouteUpload(a, web.Op{
		Method: "POST", Path: "/api/v1/files", ID: "putFile", Tag: "files", Summary: "files", Public: true, Status: 201,
	}, stream, func(_ *web.Call, _ *struct{}, body io.Reader) (sumOut, error) {
		h := sha256.New()
		n, err := io.Copy(h, body)
		return sumOut{n, hex.EncodeToString(h.Sum(nil))}, err
	})
	web.RouteFile(a, web.Op{
		Method: "GET", Path: "/api/v1/files/{id}", ID: "getFile", Tag: "files", Summary: "files", Public: true,
	}, stream, func(_ *web.Call, in *struct {
		ID string `path:"id"`
	},
	) (web.File, error) {
		return web.File{Name: in.ID, Type: stream, Size: 10, Write: func(w io.Writer) error {
			for range 10 {
				if _, err := io.WriteString(w, "x"); err != nil {
					return err
				}
			}
			return nil
		}}, nil
	})
}

func TestUpload(t *testing.T) {
	s := serve(t, web.Options{}, files)
	body := strings.Repeat("goldfish\n", 1<<20) // far beyond what a JSON body may have
	sum := sha256.Sum256([]byte(body))
	r := s.call("POST", "/api/v1/files", body, "Content-Type", stream)
	if r.StatusCode != 201 || r.data()["sum"] != hex.EncodeToString(sum[:]) || r.data()["bytes"] != float64(len(body)) {
		t.Errorf("%d %s", r.StatusCode, r.raw)
	}
	r = s.call("POST", "/api/v1/files", "", "Content-Type", stream)
	if r.StatusCode != 201 || r.data()["bytes"] != 0.0 {
		t.Errorf("nothing: %d %s", r.StatusCode, r.raw)
	}
	for _, c := range [][2]string{{"Content-Type", "application/json"}, {"Content-Type", ""}, {"Content-Type", "a b"}, {"Content-Type", "multipart/form-data; boundary=x"}} {
		wantProblem(t, s.call("POST", "/api/v1/files", "x", c[0], c[1]), 415, "upload_type")
	}
	wantProblem(t, s.call("POST", "/api/v1/files", "x", "Content-Type", stream, "Content-Encoding", "gzip"), 415, "content_encoding")
	wantProblem(t, s.call("POST", "/api/v1/files", "x", "Content-Type", stream, "Sec-Fetch-Site", "cross-site"), 403, "origin_refused")
}

// A file may take longer than the server's patience with a body, as long as it moves.
func TestFilesThatTakeLongerThanOtherBodies(t *testing.T) {
	s := serve(t, web.Options{}, func(a *web.API) {
		files(a)
		web.RouteFile(a, web.Op{
			Method: "GET", Path: "/api/v1/slow", ID: "slow", Tag: "files", Summary: "files", Public: true,
		}, stream, func(c *web.Call, _ *struct{}) (web.File, error) {
			return web.File{Name: "x", Type: stream, Write: func(w io.Writer) error {
				if _, err := io.WriteString(w, "slow"); err != nil {
					return err
				}
				select {
				case <-c.Ctx.Done():
				case <-time.After(600 * time.Millisecond):
				}
				_, err := io.WriteString(w, "ly")
				return err
			}}, nil
		})
	})
	hasty := httptest.NewUnstartedServer(s.api)
	hasty.Config = web.Server("", s.api)
	hasty.Config.ReadTimeout, hasty.Config.WriteTimeout = 200*time.Millisecond, 200*time.Millisecond
	hasty.Start()
	t.Cleanup(hasty.Close)
	out, err := http.Get(hasty.URL + "/api/v1/slow")
	s.Must(err)
	raw, err := io.ReadAll(out.Body)
	_ = out.Body.Close()
	if err != nil || string(raw) != "slowly" {
		t.Errorf("%q %v", raw, err)
	}

	slow, pieces := io.Pipe()
	go func() {
		for range 6 {
			_, _ = io.WriteString(pieces, "piece")
			<-time.After(100 * time.Millisecond)
		}
		_ = pieces.Close()
	}()
	out, err = http.Post(hasty.URL+"/api/v1/files", stream, slow)
	s.Must(err)
	raw, err = io.ReadAll(out.Body)
	_ = out.Body.Close()
	if err != nil || out.StatusCode != 201 || !strings.Contains(string(raw), `"bytes":30`) {
		t.Errorf("%d %q %v", out.StatusCode, raw, err)
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestAnUploadThatBreaksOff(t *testing.T) {
	s := serve(t, web.Options{}, files)
	conn, err := net.Dial("tcp", s.http.Listener.Addr().String())
	s.Must(err)
	defer conn.Close()
	_, err = io.WriteString(conn, "POST /api/v1/files HTTP/1.1\r\nHost: x\r\nContent-Type: "+stream+"\r\nContent-Length: 100\r\n\r\nhalf")
	s.Must(err)
	s.Must(conn.(*net.TCPConn).CloseWrite())
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	s.Must(err)
	out := reply{Response: answer}
	out.raw, err = io.ReadAll(answer.Body)
	s.Must(err)
	s.Must(json.Unmarshal(out.raw, &out.body))
	wantProblem(t, out, 400, "body_unreadable")
}

func TestAFileOfKnownLength(t *testing.T) {
	s := serve(t, web.Options{}, files)
	r := s.call("GET", "/api/v1/files/x", "")
	if r.StatusCode != 200 || r.ContentLength != 10 || string(r.raw) != "xxxxxxxxxx" {
		t.Errorf("%d %d %q", r.StatusCode, r.ContentLength, r.raw)
	}
}

func TestAnswersAreCounted(t *testing.T) {
	s := serve(t, web.Options{}, func(a *web.API) { files(a); things(a) })
	s.call("GET", "/api/v1/files/x", "")
	s.call("GET", "/api/v1/nothing", "")
	s.call("GET", "/api/v1/things", "")
	s.call("GET", "/api/v1/trouble?kind=plain", "")
	if got := s.api.Answered(); fmt.Sprint(got) != "[0 0 1 0 2 1]" {
		t.Errorf("%v", got)
	}
}
