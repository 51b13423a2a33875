package powercut_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"goldfish/store/powercut"
)

const childVariable = "POWERCUT_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		childSession()
		return
	}
	goleak.VerifyTestMain(m)
}

// long says whether the long suite runs.
func long() bool { return os.Getenv("GOLDFISH_LONG") != "" }

// player is a process that plays sessions: a program that maps files must not be the one that serves them.
type player struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

func newPlayer(t *testing.T) *player {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &player{t: t, cmd: exec.Command(self)}
	p.cmd.Env, p.cmd.Stderr = append(os.Environ(), childVariable+"=1"), os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewScanner(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.end)
	return p
}

func (p *player) end() {
	_ = p.in.Close()
	_ = p.cmd.Wait()
}

// begin has a session played; the answer comes from wait.
func (p *player) begin(f *powercut.Folder, seed uint64, steps, first int) {
	if _, err := fmt.Fprintln(p.in, f.Path(), seed, steps, first); err != nil {
		p.t.Fatal(err)
	}
}

func (p *player) wait() string {
	if !p.out.Scan() {
		return "the program ended"
	}
	return p.out.Text()
}

// memory is a folder in memory where there is one: what is laid there need not outlive anything.
func memory(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "powercut-*")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// lay lays what the disk holds after a loss into an empty folder.
func lay(t *testing.T, disk *powercut.Platter, dir string, l powercut.Loss) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := disk.Write(dir, l); err != nil {
		t.Fatal(err)
	}
}

// losses are the ways in which a cut is tried: nothing but what was synced, all of it, and parts.
func losses(seed uint64) []powercut.Loss {
	return []powercut.Loss{
		{Seed: seed, Keep: 0.5, Tear: true}, {Seed: seed}, {Seed: seed, Keep: 1}, {Seed: seed, Keep: 0.5}, {Seed: seed, Keep: 0.9, Tear: true},
	}
}

// killed plays a session whose process is killed in the middle, and another one after it on the same file.
func killed(t *testing.T, d *powercut.Disk, steps int) *powercut.Folder {
	t.Helper()
	f := d.Folder("killed", powercut.Fault{})
	first, far := newPlayer(t), f.Reached(6*steps)
	first.begin(f, 1, 1<<20, 0)
	said := make(chan string, 1)
	go func() { said <- first.wait() }()
	select {
	case <-far:
	case answer := <-said:
		t.Fatal(answer)
	}
	_ = first.cmd.Process.Kill()
	<-said
	_ = first.cmd.Wait()
	second := newPlayer(t)
	second.begin(f, 2, steps, 1<<20)
	if answer := second.wait(); answer != "done" {
		t.Fatal(answer)
	}
	return f
}

// The power goes at some moment of a session, in which the program was also killed once: whatever part of the writes
// since the last sync the disk kept, the file opens, is whole, and has all that was acknowledged.
func TestPowerCut(t *testing.T) {
	cuts, each, steps := 60, 1, 60
	if long() {
		cuts, each, steps = 600, 5, 300
	}
	ops := killed(t, powercut.Mount(t), steps).Record()
	dir := memory(t)
	whole, _ := play(ops, len(ops))
	lay(t, whole, dir, powercut.Loss{Keep: 1})
	order, err := orderOf(filepath.Join(dir, fileName))
	if err != nil {
		t.Fatal(err)
	}
	disk, p, at := powercut.NewPlatter(), newPromised(), 0
	acked := 0
	for i := range cuts {
		for to := (i + 1) * len(ops) / cuts; at < to; at++ {
			if disk.Apply(ops[at]); ops[at].Kind == powercut.Note {
				p.read(ops[at].Data)
			}
		}
		all := losses(uint64(i))
		for n := range each {
			l := all[(i+n)%len(all)]
			lay(t, disk, dir, l)
			if err := p.audit(dir, order); err != nil {
				t.Fatalf("cut %d of %d after operation %d of %d, %+v: %v", i, cuts, at, len(ops), l, err)
			}
			acked += len(p.acked)
		}
	}
	if len(p.acked) < steps {
		t.Errorf("%d acknowledged: this proves nothing", len(p.acked))
	}
	t.Logf("%d cut points, %d disks, %d operations of the disk, %d changes acknowledged; nothing lost", cuts, cuts*each, len(ops), len(p.acked))
}

// Every change and every sync of a session fails once: nothing acknowledged is lost, nothing refused is there, and
// the file opens, also when the power goes later.
func TestEveryFailingCall(t *testing.T) {
	steps, seeds := len(bag), 1
	if long() {
		steps, seeds = 2*len(bag), 3
	}
	d, p := powercut.Mount(t), newPlayer(t)
	dir := memory(t)
	changes, syncs := 0, 0
	for seed := uint64(100); seed < 100+uint64(seeds); seed++ {
		errs := []syscall.Errno{syscall.EIO, syscall.ENOSPC}
		for round := range errs {
			if round > 0 && !long() { // the short suite fails each change with one of them
				break
			}
			changes += sweep(t, d, p, dir, seed, steps, func(n int) powercut.Fault {
				return powercut.Fault{Change: n, Err: errs[(n+round)%2]}
			})
		}
		syncs += sweep(t, d, p, dir, seed, steps, func(n int) powercut.Fault { return powercut.Fault{Sync: n, Err: syscall.EIO} })
	}
	t.Logf("%d failing changes and %d failing syncs; nothing lost", changes, syncs)
}

// sweep plays the session with its first, second, … call failing until it is over before the fault.
func sweep(t *testing.T, d *powercut.Disk, p *player, dir string, seed uint64, steps int, fault func(n int) powercut.Fault) int {
	t.Helper()
	for n := 1; ; n++ {
		at := fault(n)
		f := d.Folder(fmt.Sprintf("%d-%d-%d-%d", seed, at.Change, at.Sync, at.Err), at)
		p.begin(f, seed, steps, 0)
		if said := p.wait(); said != "done" {
			t.Fatalf("%v: %s", at, said)
		}
		if changes, syncs := f.Counts(); at.Change > changes || at.Sync > syncs {
			return n - 1
		}
		ops := f.Record()
		rng := rand.New(rand.NewPCG(seed, uint64(n)))
		for i := range 6 { // at the end, and soon after the fault, when its consequences come
			l := powercut.Loss{Seed: uint64(n), Keep: []float64{0, 0.2, 0.4, 0.6, 0.8, 0.9}[i], Tear: i%2 == 0}
			cut := len(ops)
			if i > 0 {
				cut = min(len(ops), f.FaultAt()+1+rng.IntN(10*i))
			}
			disk, promised := play(ops, cut)
			lay(t, disk, dir, l)
			if err := promised.audit(dir, nil); err != nil {
				t.Fatalf("%v, then a cut after operation %d of %d, %+v: %v", at, cut, len(ops), l, err)
			}
		}
		d.Drop(f)
	}
}
