package store_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"goldfish/store"
	"goldfish/store/storetest"
)

func appending(op int) func(*store.Tx) error {
	return func(tx *store.Tx) error { _, err := events.Append(tx, &event{Op: op}); return err }
}

func appendAll(t testing.TB, db *storetest.File, n int) {
	t.Helper()
	if err := db.Update(func(tx *store.Tx) error {
		for i := range n {
			if _, err := events.Append(tx, &event{Op: i}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// Followers that start anywhere, before and during writes, get every later row once and in order.
func TestFollow(t *testing.T) {
	const before, during = 600, 400
	db := open(t)
	appendAll(t, db, before)
	ctx, cancel := context.WithCancel(t.Context())
	var followers, writers sync.WaitGroup
	starts := []uint64{0, 1, 255, 256, 257, 511, 599, 600, 601, 990}
	caughtUp := make(chan struct{}, len(starts))
	for _, from := range starts {
		followers.Go(func() {
			next := from + 1
			err := events.Follow(ctx, db.DB, from, func(seq uint64, v *event) {
				if seq != next || v == nil {
					t.Errorf("from %d: got %d (%v), want %d", from, seq, v, next)
				}
				next = seq + 1
				if seq == before+during {
					caughtUp <- struct{}{}
				}
				if err := db.View(func(*store.Tx) error { return nil }); err != nil {
					t.Error(err)
				}
			})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("from %d ended with %v", from, err)
			}
		})
	}
	for i := range 8 {
		writers.Go(func() {
			for n := range during / 8 {
				if n%10 == 0 {
					_ = db.Update(func(tx *store.Tx) error { return errors.Join(appending(0)(tx), errWant) })
				}
				if err := db.Update(appending(i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	for range starts {
		<-caughtUp
	}
	cancel()
	followers.Wait()
}

// A follower that is far behind ends with its context all the same, after the row it is at.
func TestFollowEndsInTheMiddle(t *testing.T) {
	db := open(t)
	appendAll(t, db, 1000)
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	err := events.Follow(ctx, db.DB, 0, func(uint64, *event) {
		if n++; n == 300 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || n != 300 {
		t.Errorf("%d rows, %v", n, err)
	}
}

func TestFollowEndsWithTheFile(t *testing.T) {
	db := open(t)
	appendAll(t, db, 3)
	ended := make(chan error, 2)
	here := make(chan struct{}, 3)
	go func() {
		ended <- events.Follow(t.Context(), db.DB, 0, func(uint64, *event) {
			here <- struct{}{}
			_ = db.View(func(*store.Tx) error { return nil }) // also while Close waits
		})
	}()
	go func() {
		if err := events.Wait(t.Context(), db.DB, 100); errors.Is(err, store.ErrClosed) {
			err = nil
			ended <- err
		} else {
			ended <- errors.Join(err, errWant)
		}
	}()
	<-here
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func TestLogReads(t *testing.T) {
	db := open(t)
	appendAll(t, db, 10)
	_ = db.View(func(tx *store.Tx) error {
		if n := events.Last(tx); n != 10 {
			t.Errorf("last: %d", n)
		}
		if v, err := events.Get(tx, 3); err != nil || v.Op != 2 {
			t.Errorf("get: %v, %v", v, err)
		}
		if v, err := events.Get(tx, 11); !errors.Is(err, store.ErrNotFound) || v != nil {
			t.Errorf("get: %v, %v", v, err)
		}
		var forth, back []uint64
		for n := range events.After(tx, 7) {
			forth = append(forth, n)
		}
		for n := range events.Before(tx, 4) {
			back = append(back, n)
		}
		for n := range events.Before(tx, 0) {
			back = append(back, n)
			break
		}
		if !slices.Equal(forth, []uint64{8, 9, 10}) || !slices.Equal(back, []uint64{3, 2, 1, 10}) {
			t.Errorf("after: %v, before: %v", forth, back)
		}
		return nil
	})
}

// A damaged row, wherever it lies, is passed over; it neither stops a follower nor has it spin.
func TestFollowPassesDamage(t *testing.T) {
	db := open(t)
	appendAll(t, db, 5)
	for _, seq := range []store.ID{2, 5} {
		raw := bytes.Clone(db.Raw("events", seq.Key()))
		raw[len(raw)-1] ^= 1
		if err := db.PutRaw("events", seq.Key(), raw); err != nil {
			t.Fatal(err)
		}
	}
	var got []uint64
	ctx, cancel := context.WithCancel(t.Context())
	_ = events.Follow(ctx, db.DB, 0, func(seq uint64, _ *event) {
		got = append(got, seq)
		switch seq {
		case 4:
			go func() { _ = db.Update(appending(6)) }()
		case 6:
			cancel()
		}
	})
	if !slices.Equal(got, []uint64{1, 3, 4, 6}) {
		t.Errorf("followed %v", got)
	}
	if _, faults := db.Check(); len(faults) != 2 {
		t.Errorf("faults: %v", faults)
	}
	_ = db.Close()
}

func TestSealedLog(t *testing.T) {
	db := open(t)
	if err := db.Update(func(tx *store.Tx) error { _, err := hushed.Append(tx, &event{Op: 1}); return err }); err != nil {
		t.Fatal(err)
	}
	_ = db.Close()
	locked := open(t, atPath(db.Path()), storetest.Locked())
	err := hushed.Follow(t.Context(), locked.DB, 0, func(uint64, *event) { t.Error("a row without the key") })
	if !errors.Is(err, store.ErrSealed) {
		t.Errorf("follow: %v", err)
	}
	locked.SetSealer(db.Ring)
	ctx, cancel := context.WithCancel(t.Context())
	_ = hushed.Follow(ctx, locked.DB, 0, func(seq uint64, v *event) {
		if seq != 1 || v.Op != 1 {
			t.Errorf("%d %+v", seq, v)
		}
		cancel()
	})
}
