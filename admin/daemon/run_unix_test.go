//go:build unix

package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// childMode in the environment makes the test program a service of that mode.
const childMode = "GOLDFISH_DAEMON_TEST"

func TestMain(m *testing.M) {
	if mode := os.Getenv(childMode); mode != "" {
		os.Exit(child(mode))
	}
	goleak.VerifyTestMain(m)
}

func child(mode string) int {
	err := Run("goldfish", func(ctx context.Context, ready func()) error {
		if mode == "fails" {
			return errors.New("the port is in use")
		}
		ready()
		fmt.Println("ready")
		<-ctx.Done()
		if mode == "hangs" {
			fmt.Println("hanging")
			select {}
		}
		fmt.Println("ended in order")
		return ctx.Err()
	})
	if err != nil {
		fmt.Println("error:", err)
		return 1
	}
	return 0
}

// begin starts a child; what it prints is read line by line.
func begin(t *testing.T, mode string, env ...string) (*exec.Cmd, func(want string)) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), childMode+"="+mode), env...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd, func(want string) {
		t.Helper()
		got := make([]byte, len(want)+1)
		if _, err := io.ReadFull(out, got); err != nil || string(got) != want+"\n" {
			t.Fatalf("the child said %q (%v), want %q", got, err, want)
		}
	}
}

func signalTo(t *testing.T, cmd *exec.Cmd, sig os.Signal) {
	t.Helper()
	if err := cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// listen takes the place of systemd.
func listen(t *testing.T) (name string, next func() string) {
	t.Helper()
	name = filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return name, func() string {
		t.Helper()
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		buf := make([]byte, 100)
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		return string(buf[:n])
	}
}

func TestRunObeysSignalsAndTellsSystemd(t *testing.T) {
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			name, next := listen(t)
			cmd, says := begin(t, "works", "NOTIFY_SOCKET="+name)
			says("ready")
			if got := next(); got != "READY=1" {
				t.Fatalf("told %q", got)
			}
			signalTo(t, cmd, sig)
			says("ended in order")
			if got := next(); got != "STOPPING=1" {
				t.Fatalf("told %q", got)
			}
			if err := cmd.Wait(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestRunWithoutSystemd(t *testing.T) {
	cmd, says := begin(t, "works", "NOTIFY_SOCKET=")
	says("ready")
	signalTo(t, cmd, syscall.SIGTERM)
	says("ended in order")
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
}

func TestRunReportsFailure(t *testing.T) {
	cmd, says := begin(t, "fails")
	says("error: the port is in use")
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Fatal(err)
	}
}

func TestSecondSignalEndsAHangingProgram(t *testing.T) {
	name, next := listen(t)
	cmd, says := begin(t, "hangs", "NOTIFY_SOCKET="+name)
	says("ready")
	signalTo(t, cmd, syscall.SIGTERM)
	says("hanging")
	for next() != "STOPPING=1" { // from then on signals act as usual
		continue
	}
	signalTo(t, cmd, syscall.SIGTERM)
	err := cmd.Wait()
	if err == nil || !strings.Contains(err.Error(), "terminated") {
		t.Fatalf("the child ended with %v", err)
	}
}

func TestNotifyTellsErrors(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "nobody"))
	if err := notify("READY=1"); err == nil {
		t.Fatal("nobody listens, and no error")
	}
}
