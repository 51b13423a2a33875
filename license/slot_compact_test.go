package license

import (
	"bytes"
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"goldfish/store"
	"goldfish/store/keyring"
)

func (a *Authority) wished(t *testing.T) bool {
	t.Helper()
	_, err := store.Read(a.db, func(tx *store.Tx) (*Marker, error) { return marks.Get(tx, []byte(compactMark)) })
	if err != nil && !isNotFound(err) {
		t.Fatal(err)
	}
	return err == nil
}

// holds says how many of the secrets the raw file holds, free pages included.
func holds(t *testing.T, path string, secrets ...[]byte) (n int) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range secrets {
		if len(s) < 16 {
			t.Fatalf("a secret of %d bytes proves nothing", len(s))
		}
		if bytes.Contains(raw, s) {
			n++
		}
	}
	return n
}

// What a slot held is nowhere in the file once it was removed and the file compacted, which happens by itself.
func TestRemovedSlotsLeaveNoBytesBehind(t *testing.T) {
	a, _ := people(t)
	who, _ := ownerWithCode(t, a)
	chest, err := store.Read(a.db, readChest)
	if err != nil {
		t.Fatal(err)
	}
	var old [][]byte
	for _, s := range chest.Slots {
		if s.Kind != keyring.Machine {
			old = append(old, s.Wrapped, s.Root, s.Public, s.Salt, s.Tag)
		}
	}
	code, err := a.RecoveryCode(t.Context(), who, goodPassword)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.ConfirmRecoveryCode(who, code); err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.ChangePassword(t.Context(), who, goodPassword, nextPassword, ""); err != nil {
		t.Fatal(err)
	}
	if n := holds(t, a.db.Path(), old...); n == 0 || !a.wished(t) {
		t.Fatalf("the file holds %d of the old bytes: the test proves nothing", n)
	}
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan struct{})
	go func() { a.Run(ctx); close(ran) }()
	limit := time.NewTimer(time.Minute)
	defer limit.Stop()
	if err := events.Follow(ctx, a.db, 0, func(_ uint64, e *Event) {
		if e.Kind == SystemCompacted {
			stop()
		}
	}); ctx.Err() == nil {
		t.Fatal(err)
	}
	<-ran
	if n := holds(t, a.db.Path(), old...); n != 0 || a.wished(t) {
		t.Errorf("the file still holds %d of the old bytes", n)
	}
	if _, faults := a.db.Check(); len(faults) > 0 {
		t.Error(faults)
	}
	if told := recorded(t, a, SystemCompacted); len(told) != 1 || told[0].Args["before"] == "" || told[0].Args["bytes"] == "" {
		t.Errorf("%+v", told)
	}
}

// What lay under the old data key, and the old ring, is nowhere in the file after a rotation.
func TestRotationLeavesNoBytesBehind(t *testing.T) {
	a, _ := people(t)
	changed(t, a)
	crowded(t, a, 50)
	old := sealedRows(t, a)
	chest, err := store.Read(a.db, readChest)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range chest.Slots {
		old = append(old, s.Root, s.Tag)
	}
	old = append(old, chest.Ring)
	if n := holds(t, a.db.Path(), old...); n != len(old) {
		t.Fatalf("%d of %d are in the file", n, len(old))
	}
	if j := mustRotate(t, a); j.State != JobDone {
		t.Fatalf("%+v", j)
	}
	if begun, done := recorded(t, a, SystemCompacting), recorded(t, a, SystemCompacted); len(begun) != 1 || len(done) != 1 || begun[0].Actor != ActorSystem || begun[0].Args["bytes"] != done[0].Args["before"] {
		t.Errorf("announced: %+v, done: %+v", begun, done)
	}
	if n := holds(t, a.db.Path(), old...); n != 0 {
		t.Errorf("%d of %d are still in the file", n, len(old))
	}
}

// sealedRows are the rows of the accounts as they lie in the file.
func sealedRows(t *testing.T, a *Authority) (rows [][]byte) {
	t.Helper()
	if err := a.db.View(func(tx *store.Tx) error {
		for c, err := range accounts.Scan(tx, store.Range{}) {
			if err != nil {
				return err
			}
			rows = append(rows, tx.Raw("accounts", c.ID.Key()))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestWhenAFileIsCompacted(t *testing.T) {
	start := time.UnixMilli(1_800_000_000_000)
	const large = compactSmall + 1
	w := &idleWatch{}
	at := func(after time.Duration, commits, bytes int64) bool { return w.ripe(start.Add(after), commits, bytes) }
	if !at(0, 1, compactSmall) {
		t.Error("a small file waits")
	}
	if at(0, 1, large) || at(4*time.Second, 1, large) || !at(5*time.Second, 1, large) {
		t.Error("a large one does not wait for five quiet seconds")
	}
	for s := range 3599 {
		if at(time.Duration(s)*time.Second, int64(s), large) {
			t.Fatalf("compacted in the middle of the work, after %d s", s)
		}
	}
	if !at(time.Hour, 4000, large) {
		t.Error("an hour later it still waits")
	}
	w.done(start.Add(time.Hour), os.ErrInvalid)
	if at(time.Hour+9*time.Minute, 1, 1) || !at(time.Hour+10*time.Minute, 1, 1) {
		t.Error("after a failure it is tried again at once, or never")
	}
	w.done(start, nil)
	if at(2*time.Hour, 9, large) || at(time.Hour, 9, large) || !at(time.Hour+5*time.Second, 9, large) {
		t.Error("a clock that falls back confuses it")
	}
}

// A wish that comes while the file is being compacted is not forgotten.
func TestEachWishIsGranted(t *testing.T) {
	a, _ := people(t)
	wish := func() {
		if err := a.db.Update(wishCompaction); err != nil {
			t.Fatal(err)
		}
	}
	value := func() int64 {
		m, err := store.Read(a.db, func(tx *store.Tx) (*Marker, error) { return marks.Get(tx, []byte(compactMark)) })
		if err != nil {
			t.Fatal(err)
		}
		return m.Value
	}
	wish()
	first := value()
	wish() // at the same reading of the clock
	if value() <= first {
		t.Error("two wishes are one")
	}
	if err := a.CompactIfWished(); err != nil || a.wished(t) {
		t.Errorf("still wished for, %v", err)
	}
	if err := a.CompactIfWished(); err != nil || len(recorded(t, a, SystemCompacted)) != 1 {
		t.Errorf("compacted without a wish, %v", err)
	}
	mustRegister(t, a, "alice")
	if err := a.Compact(mustBe(t, a, mustSignIn(t, a, "alice").Access)); err == nil {
		t.Error("a customer compacts the file")
	}
}

// A compaction that fails though nobody waits for it is told, and leaves everything as it was.
func TestACompactionThatFailsIsTold(t *testing.T) {
	a, clock := people(t)
	if err := a.db.Update(func(tx *store.Tx) error {
		return errors.Join(wishCompaction(tx), marks.Put(tx, &Marker{Name: "damaged", Value: 0x1234567890abcdef}))
	}); err != nil {
		t.Fatal(err)
	}
	row, err := store.Read(a.db, func(tx *store.Tx) ([]byte, error) { return tx.Raw("marks", []byte("damaged")), nil })
	if err != nil {
		t.Fatal(err)
	}
	bad := bytes.Clone(row)
	bad[len(bad)-1] ^= 1
	exchange(t, a.db.Path(), row, bad)
	if err := a.CompactIfWished(); !errors.Is(err, store.ErrDamaged) || !a.wished(t) || a.Compacting() {
		t.Errorf("%v", err)
	}
	if told := recorded(t, a, SystemError); len(told) != 1 || told[0].Code != "compact_failed" || told[0].Level != LevelError {
		t.Errorf("%+v", told)
	}
	if begun, done := recorded(t, a, SystemCompacting), recorded(t, a, SystemCompacted); len(begun) != 1 || len(done) != 0 {
		t.Errorf("%+v %+v", begun, done)
	}
	exchange(t, a.db.Path(), bad, row)
	clock.Advance(compactAgain)
	if err := a.CompactIfWished(); err != nil || a.wished(t) {
		t.Errorf("once it is mended: %v", err)
	}
}

// exchange puts other bytes into the raw file wherever some are.
func exchange(t *testing.T, path string, old, next []byte) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for at := bytes.Index(raw, old); at >= 0; at = bytes.Index(raw, old) {
		if _, err := f.WriteAt(next, int64(at)); err != nil {
			t.Fatal(err)
		}
		copy(raw[at:], next)
	}
}
