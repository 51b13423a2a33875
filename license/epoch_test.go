package license_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"goldfish/license"
	"goldfish/license/licensetest"
)

func lossesOf(w *licensetest.World) []license.Loss {
	w.T.Helper()
	out, err := w.Losses()
	w.Must(err)
	return out
}

func TestNewFileHasLostNothing(t *testing.T) {
	w := licensetest.New(t)
	w = reopen(w)
	if got := lossesOf(w); len(got) != 0 || w.DB().Epoch() != 1 {
		t.Errorf("epoch %d, losses %v", w.DB().Epoch(), got)
	}
}

// TestRestoreIsNotedWhereverItWasMade: whoever restores raises the epoch and nothing else.
func TestRestoreIsNotedWhereverItWasMade(t *testing.T) {
	w := licensetest.New(t)
	w.App(nil)
	last := w.Clock.Now().UnixMilli()
	w.Clock.Advance(time.Hour)
	copied := w.Copy()
	w.Clock.Advance(time.Hour)
	w.App(nil)
	w.Clock.Advance(time.Hour)
	w = w.Restored(copied)
	want := license.Loss{Epoch: 2, From: last, To: w.Clock.Now().UnixMilli()}
	if got := lossesOf(w); len(got) != 1 || got[0] != want {
		t.Fatalf("losses %+v, want %+v", got, want)
	}
	w.Clock.Advance(time.Hour)
	if w = reopen(w); len(lossesOf(w)) != 1 {
		t.Error("opening the file again was taken for a loss")
	}
}

// TestEveryRestoreOfARowIsNoted: of the same backup, of a later one, and of the file that was replaced.
func TestEveryRestoreOfARowIsNoted(t *testing.T) {
	w := licensetest.New(t)
	first := w.Copy()
	w.Clock.Advance(time.Hour)
	w = w.Restored(first)
	w.Clock.Advance(time.Hour)
	w.App(nil)
	second := w.Copy()
	w.Clock.Advance(time.Hour)
	w = w.Restored(first)
	if got := lossesOf(w); len(got) != 1 || got[0].Epoch != 3 {
		t.Fatalf("the first copy again: %+v", got)
	}
	w.Clock.Advance(time.Hour)
	w = w.Restored(second)
	got := lossesOf(w)
	if len(got) != 2 || got[0].Epoch != 2 || got[1].Epoch != 4 || got[1].To != w.Clock.Now().UnixMilli() {
		t.Fatalf("the second copy: %+v", got)
	}
	w.Clock.Advance(401 * 24 * time.Hour)
	if got := lossesOf(w); len(got) != 0 {
		t.Errorf("after 400 days: %+v", got)
	}
}

func TestLossCoversItsTimeAndTheEpochsBefore(t *testing.T) {
	l := license.Loss{Epoch: 3, From: 1_000_000_500, To: 2_000_000_500}
	for _, c := range []struct {
		epoch, iat int64
		want       bool
	}{
		{2, 1_000_000 - 600, true},
		{2, 1_000_000 - 601, false},
		{1, 2_000_000 + 600, true},
		{1, 2_000_000 + 601, false},
		{3, 1_500_000, false},
		{4, 1_500_000, false},
	} {
		if got := l.Covers(c.epoch, c.iat); got != c.want {
			t.Errorf("epoch %d at %d: %v", c.epoch, c.iat, got)
		}
	}
}

func TestClockThatFellBackLosesNothing(t *testing.T) {
	w := licensetest.New(t)
	w.Clock.Advance(-time.Hour)
	w.Must(w.CheckClock())
	if got := lossesOf(w); w.DB().Epoch() != 2 || len(got) != 0 {
		t.Fatalf("epoch %d, losses %+v", w.DB().Epoch(), got)
	}
	copied := w.Copy()
	if w = w.Restored(copied); len(lossesOf(w)) != 1 {
		t.Error("the restore after it is not noted")
	}
}

// outsideWorld is an appliance with a state folder.
func outsideWorld(t *testing.T) *licensetest.World {
	w := licensetest.New(t)
	w.Must(w.Close())
	next := licensetest.OpenWith(t, w.Path, w.Clock, t.TempDir())
	next.Owner = w.Owner
	return next
}

func TestOldCopyPutBackByHandIsNoticed(t *testing.T) {
	w := outsideWorld(t)
	old := w.Copy()
	last := w.Clock.Now().UnixMilli()
	w.Clock.Advance(time.Hour)
	w.App(nil)
	w.Must(w.KeepOutside())
	w.Clock.Advance(time.Hour)
	w = w.PutBack(old, 0)
	got := lossesOf(w)
	if w.DB().Epoch() != 2 || len(got) != 1 || got[0] != (license.Loss{Epoch: 2, From: last, To: w.Clock.Now().UnixMilli()}) {
		t.Fatalf("epoch %d, losses %+v", w.DB().Epoch(), got)
	}
	if got := clockEvents(w); got != "[file_rolled_back]" {
		t.Errorf("told of %s", got)
	}
	for range 3 { // several epochs ahead: still one step
		w = w.Restored(w.Copy())
	}
	if w = w.PutBack(old, 0); w.DB().Epoch() != 6 {
		t.Errorf("epoch %d after one that had come to 5", w.DB().Epoch())
	}
	if w = w.PutBack(w.Copy(), 0); w.DB().Epoch() != 6 || len(clockEvents(w)) != len("[file_rolled_back]") {
		t.Errorf("epoch %d, told of %s, for a copy as new as the file", w.DB().Epoch(), clockEvents(w))
	}
}

func TestRestoreIsNoRollback(t *testing.T) {
	w := outsideWorld(t)
	old := w.Copy()
	w.App(nil)
	w = w.Restored(old)
	if got := clockEvents(w); got != "[]" || w.DB().Epoch() != 2 {
		t.Errorf("epoch %d, told of %s", w.DB().Epoch(), got)
	}
}

// TestRecordOutside: it is private, survives what is not ours in its place, and a folder that takes nothing
// stops nobody.
func TestRecordOutside(t *testing.T) {
	w := outsideWorld(t)
	path := filepath.Join(w.StateDir, w.DB().UUID().String()+".json")
	info, err := os.Stat(path)
	w.Must(err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	for _, text := range []string{"", "{", `{"appliance":"another","epoch":9}`, strings.Repeat("x", 1000)} {
		w.Must(os.WriteFile(path, []byte(text), 0o600))
		if w = w.PutBack(w.Copy(), 0); w.DB().Epoch() != 1 || clockEvents(w) != "[]" {
			t.Errorf("%.20q: epoch %d, told of %s", text, w.DB().Epoch(), clockEvents(w))
		}
	}
	left, err := os.ReadDir(w.StateDir)
	if w.Must(err); len(left) != 1 {
		t.Errorf("the folder holds %v", left)
	}
	w.Must(os.RemoveAll(w.StateDir))
	w.App(nil)
	w.Must(w.KeepOutside())
	w = w.PutBack(w.Copy(), 0)
	w.App(nil)
}

// TestLowerFileDoesNotLowerTheRecord: two processes with copies of one file, and one folder.
func TestLowerFileDoesNotLowerTheRecord(t *testing.T) {
	w := outsideWorld(t)
	old := w.Copy()
	w = w.Restored(w.Copy())
	path := filepath.Join(w.StateDir, w.DB().UUID().String()+".json")
	record, err := os.ReadFile(path)
	w.Must(err)
	other := w.PutBack(old, 0) // epoch 3 now
	other.Must(os.WriteFile(path, []byte(strings.Replace(string(record), `"epoch": 2`, `"epoch": 7`, 1)), 0o600))
	other.App(nil)
	other.Must(other.KeepOutside())
	now, err := os.ReadFile(path)
	if other.Must(err); !strings.Contains(string(now), `"epoch": 7`) {
		t.Errorf("the record is %s", now)
	}
	if other = other.PutBack(other.Copy(), 0); other.DB().Epoch() != 8 {
		t.Errorf("epoch %d", other.DB().Epoch())
	}
}

// TestIDsAreNeverGivenTwice: not after a restore, and not after a copy put back by hand.
func TestIDsAreNeverGivenTwice(t *testing.T) {
	w := outsideWorld(t)
	app := w.App(nil)
	old := w.Copy()
	seen := map[string]bool{}
	ids := func() {
		for _, key := range w.Keys(app, 5, licensetest.Month) {
			id := w.OuterID(w.CardOf(key).Card.ID)
			if seen[id] {
				t.Fatalf("card id %s comes twice", id)
			}
			seen[id] = true
		}
	}
	ids()
	w = w.Restored(old)
	ids()
	w = w.PutBack(old, 0)
	ids()
	w = w.Restored(old)
	ids()
	if len(seen) != 20 {
		t.Errorf("%d ids", len(seen))
	}
}
