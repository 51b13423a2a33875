package admin

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

var quiet = slog.New(slog.DiscardHandler)

// opened is a gate on a port that the kernel chose, with its stage.
func opened(t *testing.T, d Door) (url string, s *stage, g *gate) {
	t.Helper()
	at, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s = &stage{}
	s.show(d)
	g = openGate(quiet, at, s, func(err error) { t.Errorf("the gate failed: %v", err) })
	t.Cleanup(func() { g.close(context.Background(), quiet) })
	return "http://" + at.Addr().String(), s, g
}

func saying(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
}

// get gives the body of an answer, or the error, on a connection of its own unless client is given.
func get(t *testing.T, client *http.Client, url string) string {
	t.Helper()
	if client == nil {
		client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Do(req)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

func TestACallEndsInTheSceneThatItCameInto(t *testing.T) {
	begun, finish := make(chan struct{}), make(chan struct{})
	url, s, _ := opened(t, Door{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-finish
		_, _ = io.WriteString(w, "old")
	})})
	got := make(chan string, 1)
	go func() { got <- get(t, nil, url) }()
	<-begun
	before := s.show(Door{Handler: saying("new")})
	ended := make(chan struct{})
	go func() { before.end(t.Context(), quiet); close(ended) }()
	if text := get(t, nil, url); text != "new" {
		t.Errorf("beside the call under way: %q", text)
	}
	select {
	case <-ended:
		t.Error("the scene ended before its last call")
	default:
	}
	close(finish)
	<-ended
	if text := <-got; text != "old" {
		t.Errorf("the call under way: %q", text)
	}
}

// A connection outlives the scenes, and no call is lost between two of them.
func TestCallsGoOnWhileScenesChange(t *testing.T) {
	url, s, _ := opened(t, Door{Handler: saying("fine")})
	stop := make(chan struct{})
	var crew sync.WaitGroup
	calls := make([]int, 4)
	for i := range calls {
		crew.Go(func() {
			kept := &http.Client{Transport: &http.Transport{}}
			defer kept.CloseIdleConnections()
			for {
				if text := get(t, kept, url); text != "fine" {
					t.Errorf("call %d: %q", calls[i], text)
				}
				calls[i]++
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	for range 200 {
		s.show(Door{Handler: saying("fine")}).end(t.Context(), quiet)
	}
	close(stop)
	crew.Wait()
}

func TestCallsThatDoNotEndAreCutOff(t *testing.T) {
	begun := make(chan struct{}, 2)
	url, s, _ := opened(t, Door{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun <- struct{}{}
		if r.URL.Path == "/waits" {
			<-r.Context().Done()
			return
		}
		piece := bytes.Repeat([]byte("x"), 1<<20)
		for {
			if _, err := w.Write(piece); err != nil { // to a caller that does not read
				return
			}
		}
	})})
	for _, path := range []string{"/waits", "/writes"} {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n")
		<-begun
	}
	cut, now := context.WithCancel(t.Context())
	now()
	before := s.show(Door{Handler: saying("new")})
	begin := time.Now()
	before.end(cut, quiet)
	select {
	case <-before.idle:
	case <-time.After(30 * time.Second):
		t.Error("they hold on")
	}
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestAGateLetsCallsFinishAndTakesNoNewOnes(t *testing.T) {
	begun, finish := make(chan struct{}), make(chan struct{})
	url, _, g := opened(t, Door{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-finish
		_, _ = io.WriteString(w, "done")
	})})
	got := make(chan string, 1)
	go func() { got <- get(t, nil, url) }()
	<-begun
	closed := make(chan struct{})
	go func() { g.close(t.Context(), quiet); close(closed) }()
	for {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			break // no new call is taken
		}
		_ = conn.Close()
	}
	close(finish)
	if text := <-got; text != "done" {
		t.Errorf("the call under way got %q", text)
	}
	<-closed
}

func TestAGateSaysWhyItFailed(t *testing.T) {
	at, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer at.Close()
	failed := make(chan error, 1)
	g := openGate(quiet, broken{at}, http.NotFoundHandler(), func(err error) { failed <- err })
	if err := <-failed; !errors.Is(err, errBroken) {
		t.Errorf("%v", err)
	}
	g.close(t.Context(), quiet)
}

var errBroken = errors.New("broken")

type broken struct{ net.Listener }

func (broken) Accept() (net.Conn, error) { return nil, errBroken }
