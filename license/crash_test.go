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
	crashRounds  = 50
	crashKeys    = 20_000 // more than fifty rounds use up
	crashRate    = 200    // activations a second; a slower round proves nothing and is run again
)

// activateUntilKilled activates the keys that come on standard input, many at once, and prints each when the
// appliance has acknowledged it.
func activateUntilKilled() {
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
	fmt.Println("ready")
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		keys <- in.Text()
	}
	select {} // whoever started this kills it
}

func bareCall(key string, machine int) license.DeviceCall {
	return license.DeviceCall{
		Request: verdict.Request{Method: "POST", Path: activatePath}, CardKey: key,
		CPU: fmt.Sprintf("CPU%d", machine), Board: "BOARD", MAC: "00:11:22:33:44:55",
	}
}

// TestKilledWhileActivating kills the process with SIGKILL at a random moment under at least 200 activations a
// second, fifty times over on one file: whatever was acknowledged is there afterwards, once, and nothing in the
// file is wrong.
func TestKilledWhileActivating(t *testing.T) {
	w := licensetest.New(t)
	keys := w.Keys(w.App(nil), crashKeys, licensetest.Month)
	w.Must(w.Close())
	acked := map[string]bool{}
	var fresh []string // acknowledged since the last audit
	voids := 0
	for round := 0; round < crashRounds; {
		got, took := killedRound(t, w, keys)
		for _, key := range got {
			if acked[key] {
				t.Fatalf("round %d acknowledged a key again", round)
			}
			acked[key] = true
		}
		fresh = append(fresh, got...)
		keys = keys[min(len(keys), len(got)+2*crashCallers):]
		if float64(len(got))/took.Seconds() < crashRate {
			if voids++; voids > 2*crashRounds {
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
	t.Logf("%d rounds, %d void, %d acknowledged, none lost", crashRounds, voids, len(acked))
}

// killedRound feeds keys to a child, kills it at a random moment of its work, and gives what it acknowledged and
// in what time: from the first to the last, for how long the child takes to begin is not the question.
func killedRound(t *testing.T, w *licensetest.World, keys []string) (acked []string, took time.Duration) {
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
	if !lines.Scan() || lines.Text() != "ready" {
		_ = child.Process.Kill()
		t.Fatalf("the child says %q", lines.Text())
	}
	go func() {
		_, _ = stdin.Write([]byte(strings.Join(keys[:min(len(keys), crashKeys/10)], "\n") + "\n"))
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
	return acked, last.Sub(first)
}

// audit opens the file as after a crash: it is whole, and every acknowledged key is active on one device.
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
	})
}
