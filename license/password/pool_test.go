package password

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"goldfish/license/fault"
)

// full gives a pool whose slots are all held, and the way to free one.
func full(t *testing.T, cores, queue int) (pool *Pool, free func()) {
	t.Helper()
	pool, err := NewPool(cores, queue, 4)
	if err != nil {
		t.Fatal(err)
	}
	var leave func()
	for range cap(pool.slots) {
		if leave, err = pool.enter(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	return pool, leave
}

func TestPoolLeavesOneCoreFree(t *testing.T) {
	for cores, want := range map[int]int{0: 1, 1: 1, 2: 1, 3: 2, 8: 7} {
		pool, err := NewPool(cores, 0, 4)
		if err != nil || cap(pool.slots) != want {
			t.Errorf("%d cores give %d slots, %v, want %d", cores, cap(pool.slots), err, want)
		}
	}
}

func checkBusy(t *testing.T, err error) {
	t.Helper()
	f := fault.Of(err)
	if err == nil || f.Code != "busy" || f.Kind != fault.Unavailable || f.Retry <= 0 {
		t.Errorf("no room gives %v", err)
	}
}

func TestPoolWithoutRoomSaysBusyAtOnce(t *testing.T) {
	pool, _ := full(t, 3, 0)
	_, err := pool.Hash(context.Background(), "Goldfish-1")
	checkBusy(t, err)
	_, err = pool.Verify(context.Background(), "", "Goldfish-1")
	checkBusy(t, err)
}

func TestPoolWaitsNoLongerThanTheContext(t *testing.T) {
	pool, free := full(t, 2, 1)
	ctx, cancel := context.WithCancel(context.Background())
	var waiting sync.WaitGroup
	waiting.Go(func() {
		_, err := pool.Verify(ctx, "", "Goldfish-1")
		checkBusy(t, err)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("the cause is lost: %v", err)
		}
	})
	await(t, "one to wait", func() bool { return len(pool.room) == 2 })
	_, err := pool.Verify(context.Background(), "", "Goldfish-1") // the queue is full now
	checkBusy(t, err)
	cancel()
	waiting.Wait()

	_, err = pool.Verify(ctx, "", "Goldfish-1")
	checkBusy(t, err)
	free()
	if len(pool.room) != 0 || len(pool.slots) != 0 {
		t.Errorf("%d places and %d slots are never given back", len(pool.room), len(pool.slots))
	}
}

func TestPoolLetsTheNextIn(t *testing.T) {
	pool, free := full(t, 2, 1)
	var waiting sync.WaitGroup
	waiting.Go(func() {
		if _, err := pool.Hash(context.Background(), "Goldfish-1"); err != nil {
			t.Errorf("the one that waited: %v", err)
		}
	})
	await(t, "one to wait", func() bool { return len(pool.room) == 2 })
	free()
	waiting.Wait()
}

func TestPoolNeverRunsMoreThanItsSlots(t *testing.T) {
	pool, err := NewPool(3, 100, 4)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	running, most := 0, 0
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() {
			leave, err := pool.enter(context.Background())
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			running++
			most = max(most, running)
			mu.Unlock()
			Verify(pool.decoy, "Goldfish-1")
			mu.Lock()
			running--
			mu.Unlock()
			leave()
		})
	}
	all.Wait()
	if most > 2 || most < 1 {
		t.Errorf("%d ran at once", most)
	}
}

// await waits for a condition and says what was awaited when it does not come.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	limit := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-limit:
			t.Fatalf("waited ten seconds for %s", what)
		case <-tick.C:
		}
	}
}
