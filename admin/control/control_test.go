package control

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var hello = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "hello "+r.URL.Path) })

// folder is a data folder whose socket path has the given length at least.
func folder(t *testing.T, length int) string {
	t.Helper()
	parent, err := os.MkdirTemp("", "c")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(parent) })
	t.Setenv("XDG_RUNTIME_DIR", "")
	t.Setenv("TMPDIR", parent)
	dir := filepath.Join(parent, "d")
	for len(dir) < length {
		dir = filepath.Join(dir, strings.Repeat("x", 60))
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

func ask(t *testing.T, data string) string {
	t.Helper()
	c, err := Dial(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.Get("http://goldfish/there")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTheLineReachesTheAppliance(t *testing.T) {
	for name, length := range map[string]int{"short": 0, "long": 150} {
		t.Run(name, func(t *testing.T) {
			data := folder(t, length)
			if _, err := Dial(t.Context(), data); !errors.Is(err, ErrNobody) {
				t.Fatalf("before: %v", err)
			}
			l, err := Listen(data, hello)
			if err != nil {
				t.Fatal(err)
			}
			if got := ask(t, data); got != "hello /there" {
				t.Error(got)
			}
			if len(l.Path()) > pathMost {
				t.Errorf("%s has %d bytes", l.Path(), len(l.Path()))
			}
			if info, err := os.Stat(l.Path()); runtime.GOOS != "windows" && (err != nil || info.Mode().Perm() != 0o600) {
				t.Errorf("mode %v, %v", info.Mode(), err)
			}
			if info, err := os.Stat(filepath.Dir(l.Path())); runtime.GOOS != "windows" && (err != nil || info.Mode().Perm() != 0o700) {
				t.Errorf("folder's mode %v, %v", info.Mode(), err)
			}
			if err := l.Close(t.Context()); err != nil {
				t.Error(err)
			}
			if _, err := Dial(t.Context(), data); !errors.Is(err, ErrNobody) {
				t.Errorf("after: %v", err)
			}
			if left, _ := os.ReadDir(data); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// abandon leaves a socket behind as a killed process does.
func abandon(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestASocketLeftByAKilledProcess(t *testing.T) {
	data := folder(t, 0)
	abandon(t, filepath.Join(data, socketName))
	if _, err := Dial(t.Context(), data); !errors.Is(err, ErrNobody) {
		t.Fatalf("nobody is there: %v", err)
	}
	l, err := Listen(data, hello)
	if err != nil {
		t.Fatal(err)
	}
	if got := ask(t, data); got != "hello /there" {
		t.Error(got)
	}
	if err := l.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestCloseCutsOffAnAnswerThatDoesNotEnd(t *testing.T) {
	data := folder(t, 0)
	begun := make(chan struct{})
	l, err := Listen(data, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
	}))
	if err != nil {
		t.Fatal(err)
	}
	c, err := Dial(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		res, err := c.Get("http://goldfish/")
		if err == nil {
			err = res.Body.Close()
		}
		ended <- err
	}()
	<-begun
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("close: %v", err)
	}
	if err := <-ended; err == nil {
		t.Error("the call ended well")
	}
}
