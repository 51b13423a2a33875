package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"goldfish/license/fault"
)

// A file that came from elsewhere may hold anything. It is looked at by another process, which may hang, run out of
// memory or be killed by the system without harm to anyone: this very program, started with childVerb as its only
// argument. It is asked on its standard input and answers on its standard output, in lines of JSON, and it ends when
// its input does, so that it does not outlive whoever asked.

const (
	childVerb   = "look-at-file"
	answerMost  = 4 << 20 // bytes
	leastWait   = 30 * time.Second
	waitPerByte = time.Second / (2 << 20) // 2 MiB a second is slow even for a slow disk
	packedTimes = 10                      // a compressed file is longer than it looks
	tellEvery   = 200 * time.Millisecond
)

// question is what a child is asked.
type question struct {
	Path    string `json:"path"`
	Scratch string `json:"scratch"` // a folder of its own, for copies
	Release string `json:"release"`
	Key     []byte `json:"key,omitempty"` // the machine key; it stands in no argument and no environment
	Sum     bool   `json:"sum"`           // of the file, and compare it with the one beside it
	Older   bool   `json:"older"`         // look at the state before the newest
	Place   bool   `json:"place"`         // a file in use is refused, not copied
}

// said is one line of a child's answer: how far it is or, in the last one, what it found.
type said struct {
	Done   int64   `json:"done,omitempty"`
	Total  int64   `json:"total,omitempty"`
	Answer *answer `json:"answer,omitempty"`
}

// Whatever program this package is part of can be its own child.
func init() {
	if len(os.Args) == 2 && os.Args[1] == childVerb {
		os.Exit(beChild(os.Stdin, os.Stdout))
	}
}

func beChild(in io.Reader, out io.Writer) int {
	var q question
	from := json.NewDecoder(in)
	if err := from.Decode(&q); err != nil {
		return 2
	}
	go func() {
		_, _ = io.Copy(io.Discard, in)
		os.Exit(3)
	}()
	boundMemory(q.Path)
	to := json.NewEncoder(out)
	var told time.Time
	r, err := look(q, func(done, total int64) {
		if now := time.Now(); now.Sub(told) > tellEvery {
			told = now
			_ = to.Encode(said{Done: done, Total: total})
		}
	})
	a := &answer{Report: r}
	if err != nil {
		f := Explain(q.Path, err)
		a = &answer{Code: f.Code, Args: f.Args}
	}
	if to.Encode(said{Answer: a}) != nil {
		return 2
	}
	return 0
}

// ask has a child answer. A child that dies of the file says by that that the file is damaged; one that takes too
// long is ended. tell may be nil.
//
// Faults: those of look, and check_timeout.
func ask(ctx context.Context, q question, log *slog.Logger, tell func(done, total int64)) (*Report, error) {
	info, err := os.Stat(q.Path)
	if err != nil {
		return nil, err
	}
	if q.Scratch, err = scratchFolder(q, info.Size()); err != nil {
		return nil, err
	}
	defer os.RemoveAll(q.Scratch)
	if tell == nil {
		tell = func(int64, int64) {}
	}
	wait := waitFor(q.Path, weight(info))
	short, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	r, err := converse(short, q, log, tell)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case short.Err() != nil:
		return nil, fault.New(fault.Unavailable, "check_timeout").With("path", q.Path).With("seconds", int(wait.Seconds())).Because(err)
	}
	return r, err
}

// scratchPrefix begins the name of a folder for copies; the number of the process follows whose it is.
const scratchPrefix = "goldfish-check-"

// abandoned says whether nobody works in such a folder any more: who made it is gone, or has hung for an hour.
func abandoned(dir string) bool {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() {
		return false
	}
	number, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), scratchPrefix), "-")
	pid, err := strconv.Atoi(number)
	if err != nil || time.Since(info.ModTime()) > time.Hour {
		return true
	}
	return pid == os.Getpid() || !runs(pid) // in a container every start may have the same number
}

// scratchFolder makes a folder for copies: where the question says, otherwise in the folder for temporary files, or
// beside the file itself if a copy would not fit there.
func scratchFolder(q question, size int64) (string, error) {
	pattern := fmt.Sprintf("%s%d-*", scratchPrefix, os.Getpid())
	if q.Scratch != "" {
		return os.MkdirTemp(q.Scratch, pattern)
	}
	if isPacked(q.Path) {
		size *= packedTimes
	}
	if left, err := room(os.TempDir()); err == nil && left < size+spareRoom {
		if dir, err := os.MkdirTemp(filepath.Dir(q.Path), pattern); err == nil {
			return dir, nil
		}
	}
	return os.MkdirTemp("", pattern)
}

// waitFor is how long a look at a file may take. Tests shorten it.
var waitFor = func(path string, size int64) time.Duration {
	if isPacked(path) {
		size *= packedTimes
	}
	if size > int64(math.MaxInt64-leastWait)/int64(waitPerByte) {
		return math.MaxInt64
	}
	return leastWait + time.Duration(size)*waitPerByte
}

// converse starts the child, asks it and waits for its end.
func converse(ctx context.Context, q question, log *slog.Logger, tell func(done, total int64)) (*Report, error) {
	cmd := exec.CommandContext(ctx, self(), childVerb)
	cmd.Env = childEnvironment()
	cmd.WaitDelay = 5 * time.Second
	together(cmd)
	complaint := &limited{most: 4 << 10}
	cmd.Stderr = complaint
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil { // a system that starts nothing: the look is taken here, and may harm us
		_ = in.Close()
		log.Warn("a file is checked without a process of its own", "path", q.Path, "err", err)
		return look(q, tell)
	}
	_ = json.NewEncoder(in).Encode(q) // a child that is gone says so by its answer
	a, read := listen(out, tell)
	_ = in.Close()
	if read != nil { // it may still be at work on what nobody will read
		_ = cmd.Cancel()
	}
	ended := cmd.Wait()
	switch {
	case a == nil && !errors.Is(read, io.EOF) && !errors.Is(read, io.ErrUnexpectedEOF):
		return nil, fmt.Errorf("a check answered nonsense: %w", read)
	case a == nil:
		log.Warn("a check ended without an answer", "path", q.Path, "err", errors.Join(read, ended), "said", complaint.String())
		return brokenOff(q, ended)
	case a.Code != "":
		f := fault.New(fault.Unavailable, a.Code)
		for name, value := range a.Args {
			f = f.With(name, value)
		}
		return nil, f
	}
	return a.Report, nil
}

// listen reads what the child says; nil if it ends without an answer.
func listen(out io.Reader, tell func(done, total int64)) (*answer, error) {
	from := json.NewDecoder(io.LimitReader(out, answerMost))
	for {
		var line said
		if err := from.Decode(&line); err != nil {
			return nil, err
		}
		if a := line.Answer; a != nil && (a.Report != nil || a.Code != "") {
			return a, nil
		}
		tell(line.Done, line.Total)
	}
}

// brokenOff is the report on a file that its check did not survive.
func brokenOff(q question, ended error) (*Report, error) {
	info, err := os.Stat(q.Path)
	if err != nil {
		return nil, err
	}
	return &Report{
		Path: q.Path, Bytes: info.Size(), Changed: info.ModTime().UTC(), Code: "file_damaged",
		Faults: []string{fmt.Sprintf("the check did not survive the file: %v", ended)},
	}, nil
}

// self is the running program, also where its file was replaced since it started. Tests put others in its place.
var self = func() string {
	if runtime.GOOS == "linux" {
		if _, err := os.Stat("/proc/self/exe"); err == nil {
			return "/proc/self/exe"
		}
	}
	path, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return path
}

// childEnvironment leaves out everything but what a process needs to run: no key, no notify socket. Its memory is
// bounded at half of ours.
func childEnvironment() []string {
	env := []string{"GOTRACEBACK=none"}
	for _, name := range []string{"SystemRoot", "TMPDIR", "TEMP", "TMP", "GOCOVERDIR"} {
		if v := os.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	if most := debug.SetMemoryLimit(-1); most < math.MaxInt64 {
		env = append(env, "GOMEMLIMIT="+strconv.FormatInt(most/2, 10))
	}
	return env
}

// limited keeps the beginning of what is written to it.
type limited struct {
	text []byte
	most int
}

func (l *limited) Write(p []byte) (int, error) {
	l.text = append(l.text, p[:min(len(p), l.most-len(l.text))]...)
	return len(p), nil
}

func (l *limited) String() string { return strings.TrimSpace(string(l.text)) }
