package license_test

import (
	"bufio"
	"crypto/rand"
	"fmt"
	"maps"
	mrand "math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"goldfish/license"
	"goldfish/license/licensetest"
	"goldfish/license/verdict"
	"goldfish/store"
	"goldfish/store/storetest"
)

// The child process of TestKilledWhileActivating: crashEnv holds the file's path.
const (
	crashAccount = "GOLDFISH_TEST_CRASH_ACCOUNT" // the inner id of the account that activates
	crashEnv     = "GOLDFISH_TEST_CRASH"
	crashCallers = 32
	crashFed     = 2000 // keys that a round may use up
	crashRate    = 200  // activations a second; a slower round proves nothing and is run again
)

// long says whether the long suite runs.
func long() bool { return os.Getenv("GOLDFISH_LONG") != "" }

// activateUntilKilled activates the keys that come on standard input, many at once, and prints each when the
// appliance has acknowledged it.
func activateUntilKilled() {
	began := time.Now()
	a, err := license.Open(os.Getenv(crashEnv), license.Options{
		Clock: time.Now, Rand: rand.Reader, MachineKey: licensetest.MachineKey, BcryptCost: 4, CacheBytes: 1 << 20,
	})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	account, err := strconv.ParseUint(os.Getenv(crashAccount), 10, 64)
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	who := license.Actor{Kind: license.ActorAccount, Account: store.ID(account), Role: license.RoleOwner}
	keys := make(chan string)
	var out sync.Mutex
	for i := range crashCallers {
		go func() {
			for key := range keys {
				_, err := a.Activate(who, bareCall(key, i))
				out.Lock()
				if err == nil {
					fmt.Println(key)
				} else {
					fmt.Println("error", err)
				}
				out.Unlock()
			}
		}()
	}
	fmt.Println("ready", time.Since(began).Milliseconds())
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		keys <- in.Text()
	}
	os.Exit(0) // whoever started this has gone; otherwise it is killed
}

func bareCall(key string, machine int) license.DeviceCall {
	return license.DeviceCall{
		Request: verdict.Request{Method: "POST", Path: activatePath}, CardKey: key,
		CPU: fmt.Sprintf("CPU%d", machine), Board: "BOARD", MAC: "00:11:22:33:44:55",
	}
}

// TestKilledWhileActivating kills the process with SIGKILL at a random moment under at least 200 activations a
// second, over and over on one file: whatever was acknowledged is there afterwards, once, and nothing in the
// file is wrong. How long the file takes to be ready again after each kill is told, not judged.
func TestKilledWhileActivating(t *testing.T) {
	rounds, total := 50, 20_000
	if long() {
		rounds, total = 500, 100_000
	}
	w := licensetest.New(t)
	app := w.App(nil)
	keys := w.Keys(app, total, licensetest.Month)
	w.Must(w.Close())
	acked := map[string]bool{}
	var fresh []string // acknowledged since the last audit
	var ready []time.Duration
	voids := 0
	for round := 0; round < rounds; {
		if len(keys) < crashFed {
			more := licensetest.Open(t, w.Path, storetest.NewClock(time.Now()))
			more.Owner = license.System
			keys = append(keys, more.Keys(app, 10_000, licensetest.Month)...)
			w.Must(more.Close())
		}
		got, open, took := killedRound(t, w, keys)
		ready = append(ready, open)
		for _, key := range got {
			if acked[key] {
				t.Fatalf("round %d acknowledged a key again", round)
			}
			acked[key] = true
		}
		fresh = append(fresh, got...)
		keys = keys[min(len(keys), len(got)+2*crashCallers):]
		if float64(len(got))/took.Seconds() < crashRate {
			if voids++; voids > 2*rounds {
				t.Fatalf("%d rounds were too slow to prove anything", voids)
			}
			continue
		}
		if round++; round%10 == 0 {
			audit(t, w, fresh)
			fresh = nil
		}
	}
	audit(t, w, slices.Collect(maps.Keys(acked)))
	ready = ready[1:] // the first start was after a clean stop
	slices.Sort(ready)
	t.Logf("%d rounds, %d void, %d acknowledged, none lost; ready again with %d keys after %v (median), %v (longest)",
		rounds, voids, len(acked), total, ready[len(ready)/2], ready[len(ready)-1])
}

// killedRound feeds keys to a child, kills it at a random moment of its work, and gives what it acknowledged, how
// long it took to open the file, and in what time it worked: from the first to the last.
func killedRound(t *testing.T, w *licensetest.World, keys []string) (acked []string, open, took time.Duration) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), crashEnv+"="+w.Path, fmt.Sprintf("%s=%d", crashAccount, w.Owner.Account))
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = child.Wait() }()
	killAfter := func(d time.Duration) *time.Timer { return time.AfterFunc(d, func() { _ = child.Process.Kill() }) }
	defer killAfter(time.Minute).Stop() // of a child that hangs
	lines := bufio.NewScanner(stdout)
	var ms int
	if _, err := fmt.Sscanf(scanned(lines), "ready %d", &ms); err != nil {
		_ = child.Process.Kill()
		t.Fatalf("the child says %q", lines.Text())
	}
	go func() {
		_, _ = stdin.Write([]byte(strings.Join(keys[:min(len(keys), crashFed)], "\n") + "\n"))
	}()
	var first, last time.Time
	for enough := 20 + mrand.IntN(80); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "error") {
			t.Errorf("the child says %q", lines.Text())
			continue
		}
		if len(lines.Text()) != len(keys[0]) { // a line cut by the kill was not read by anyone
			continue
		}
		acked, last = append(acked, lines.Text()), time.Now()
		switch len(acked) {
		case 1:
			first = last
		case enough:
			defer killAfter(time.Duration(mrand.IntN(10_000)) * time.Microsecond).Stop()
		}
	}
	return acked, time.Duration(ms) * time.Millisecond, last.Sub(first)
}

func scanned(lines *bufio.Scanner) string {
	lines.Scan()
	return lines.Text()
}

// audit opens the file as after a crash: it is whole, every acknowledged key is active on one device, and each was
// activated once in the log too.
func audit(t *testing.T, w *licensetest.World, acked []string) {
	t.Helper()
	t.Run("audit", func(t *testing.T) {
		again := licensetest.Open(t, w.Path, storetest.NewClock(time.Now()))
		for _, key := range acked {
			views, _, err := again.ListCards(license.System, license.CardFilter{Key: key, Limit: 1})
			if err != nil || len(views) != 1 || views[0].State != license.CardActive || views[0].Bound != 1 {
				t.Fatalf("an acknowledged key is lost: %+v %v", views, err)
			}
		}
		times := map[license.ID]int{}
		_, err := again.RecentEvents(1<<30, 1<<30, func(e *license.Event) bool {
			if e.Kind == license.CardActivated {
				times[e.Object]++
			}
			return false
		})
		again.Must(err)
		for id, n := range times {
			if n != 1 {
				t.Errorf("card %d was activated %d times", id, n)
			}
		}
		if len(times) < len(acked) {
			t.Errorf("%d cards were activated in the log, %d acknowledged", len(times), len(acked))
		}
	})
}
