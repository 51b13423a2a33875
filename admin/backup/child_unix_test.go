//go:build unix

package backup

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/fnv"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// script has a shell script take the child's place.
func script(t *testing.T, text string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "child")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o700); err != nil {
		t.Fatal(err)
	}
	instead(t, path)
}

func TestAChildThatDoesNotAnswerHarmsNobody(t *testing.T) {
	path, o, _ := stopped(t)
	for name, text := range map[string]string{
		"killed":           "kill -9 $$",
		"ends at once":     "exit 0",
		"ends half-way":    `printf '{"done":1,"total":2}\n{"answer":'`,
		"complains loudly": "head -c 100000 /dev/zero >&2; exit 2",
	} {
		script(t, text)
		r, err := Examine(t.Context(), path, o, nil)
		if err != nil || r.Code != "file_damaged" || len(r.Faults) != 1 || !strings.Contains(r.Faults[0], "did not survive") {
			t.Errorf("%s: %v %+v", name, err, r)
		}
	}
	for name, text := range map[string]string{"nonsense": "echo nonsense", "more than anybody reads": "yes '{\"done\":1}'"} {
		script(t, text)
		if r, err := Examine(t.Context(), path, o, nil); name == "nonsense" && (err == nil || r != nil) {
			t.Errorf("%s: %v %+v", name, err, r)
		}
	}
}

func TestAChildThatHangsIsEndedWithItsOwnChildren(t *testing.T) {
	path, o, _ := stopped(t)
	usual := waitFor
	waitFor = func(string, int64) time.Duration { return 300 * time.Millisecond }
	t.Cleanup(func() { waitFor = usual })
	pids := filepath.Join(t.TempDir(), "pids")
	script(t, "sleep 1000 & echo $! $$ >"+pids+"; wait")
	if _, err := Examine(t.Context(), path, o, nil); code(err) != "check_timeout" {
		t.Errorf("%v", err)
	}
	for _, text := range strings.Fields(string(read(t, pids))) {
		pid, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		for begun := time.Now(); alive(pid); {
			if time.Since(begun) > 20*time.Second {
				t.Fatalf("process %d lives on", pid)
			}
		}
	}
}

// alive says whether a process is there and not only waits to be buried.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(raw), ") Z")
}

// A file whose root page claims to be more than a gigabyte long: the check ends, and the machine has not noticed.
func TestAFileThatClaimsToBeEndless(t *testing.T) {
	path, o := crashed(t)
	raw := read(t, path)
	le := binary.LittleEndian
	const pages = 5 << 28 / 4096
	for page := range 2 {
		meta := raw[page*4096+16:]
		root := le.Uint64(meta[16:])
		le.PutUint32(raw[root*4096+12:], uint32(pages-root-1))
		le.PutUint64(meta[40:], pages)
		sum := fnv.New64a()
		_, _ = sum.Write(meta[:56])
		le.PutUint64(meta[56:], sum.Sum64())
	}
	write1(t, path, raw)
	if err := os.Truncate(path, pages*4096); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || weight(info) > 1<<28 {
		t.Errorf("%v, it weighs %d", err, weight(info))
	}
	q := question{Path: path, Release: o.Release, Key: o.MachineKey}
	if r, err := examine(t.Context(), q, logOf(o), nil); code(err) != "check_timeout" && (err != nil || r.Good()) {
		t.Errorf("%v %+v", err, r)
	}
}

// The child of a process that is gone ends too: its input does.
func TestAChildDoesNotOutliveWhoAsked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "huge")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 1<<40); err != nil { // digesting it would take minutes
		t.Fatal(err)
	}
	write1(t, checksumPath(path), []byte("00  huge"))
	cmd := exec.Command(self(), childVerb)
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err == nil {
		err = json.NewEncoder(in).Encode(question{Path: path, Scratch: t.TempDir(), Sum: true})
	}
	if err != nil {
		t.Fatal(err)
	}
	_ = in.Close()
	if exit, ok := errors.AsType[*exec.ExitError](cmd.Wait()); !ok || exit.ExitCode() != 3 {
		t.Errorf("it ended with %v", exit)
	}
}

func TestAFIFOIsNotWaitedFor(t *testing.T) {
	_, o, _ := stopped(t)
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Examine(t.Context(), path, o, nil); code(err) != "file_not_ours" {
		t.Errorf("%v", err)
	}
}

func TestWhatIsLimitedKeepsTheBeginning(t *testing.T) {
	l := &limited{most: 5}
	if n, err := io.WriteString(l, "abcdefgh"); n != 8 || err != nil || l.String() != "abcde" {
		t.Errorf("%d %v %q", n, err, l.String())
	}
}
