package license_test

import (
	"fmt"
	"testing"
	"time"

	"goldfish/license"
	"goldfish/license/licensetest"
	"goldfish/license/verdict"
)

// clockEvents are the codes of what was told of the clock, newest first.
func clockEvents(w *licensetest.World) string {
	w.T.Helper()
	got, err := w.RecentEvents(100, 10_000, func(e *license.Event) bool { return e.Kind == license.SystemError })
	w.Must(err)
	var codes []string
	for _, r := range got {
		codes = append(codes, r.Event.Code)
	}
	return fmt.Sprint(codes)
}

// reopen opens the file as after a crash: what is only in memory is not flushed, for the old process is gone.
func reopen(w *licensetest.World) *licensetest.World {
	w.T.Helper()
	w.Must(w.DB().Close())
	again := licensetest.Open(w.T, w.Path, w.Clock)
	again.Owner = w.Owner
	return again
}

func TestClockThatFellBackBeginsAnEpoch(t *testing.T) {
	w := licensetest.New(t)
	if w.DB().Epoch() != 1 {
		t.Fatalf("epoch %d", w.DB().Epoch())
	}
	w.Must(w.Close())
	for _, step := range []struct {
		by    time.Duration
		epoch uint16
	}{
		{-9 * time.Minute, 1}, // within the slack
		{-2 * time.Minute, 2}, // eleven minutes behind the highest time, though little by little
		{0, 2},
		{-time.Hour, 3},
	} {
		w.Clock.Advance(step.by)
		again := licensetest.Open(t, w.Path, w.Clock)
		if got := again.DB().Epoch(); got != step.epoch {
			t.Errorf("after %v: epoch %d, want %d", step.by, got, step.epoch)
		}
		again.Must(again.Close())
	}
	again := licensetest.Open(t, w.Path, w.Clock)
	if got := clockEvents(again); got != "[clock_back clock_back]" {
		t.Errorf("told of %s", got)
	}
}

func TestClockIsWatchedWhileRunning(t *testing.T) {
	w := licensetest.New(t)
	for _, step := range []struct {
		by    time.Duration
		epoch uint16
		told  string
	}{
		{30 * time.Second, 1, "[]"},
		{23 * time.Hour, 1, "[]"},
		{25 * time.Hour, 1, "[clock_ahead]"},
		{-10 * time.Minute, 1, "[clock_ahead]"},
		{-time.Second, 2, "[clock_back clock_ahead]"},
		{30 * time.Second, 2, "[clock_back clock_ahead]"},
	} {
		w.Clock.Advance(step.by)
		w.Must(w.CheckClock())
		if got := clockEvents(w); got != step.told || w.DB().Epoch() != step.epoch {
			t.Errorf("after %v: epoch %d, told of %s; want %d, %s", step.by, w.DB().Epoch(), got, step.epoch, step.told)
		}
	}
}

func TestLongPauseIsTold(t *testing.T) {
	w := licensetest.New(t)
	w.Must(w.Close())
	for _, step := range []struct {
		by   time.Duration
		told string
	}{{30 * 24 * time.Hour, "[]"}, {30*24*time.Hour + time.Second, "[clock_ahead]"}} {
		w.Clock.Advance(step.by)
		again := licensetest.Open(t, w.Path, w.Clock)
		if got := clockEvents(again); got != step.told {
			t.Errorf("after a pause of %v: told of %s", step.by, got)
		}
		again.Must(again.Close())
	}
}

// TestSignedTimeSurvivesACrash: a verdict was signed by a clock that had jumped ahead, and the process died
// before any flush. The next one, with the clock set right, must know.
func TestSignedTimeSurvivesACrash(t *testing.T) {
	w := licensetest.New(t)
	app := w.App(nil)
	key := w.Keys(app, 1, licensetest.Month)[0]
	d := w.Device(app, 1)
	got, err := d.Activate(w.Customer(), key, nil)
	w.Must(err)
	w.Clock.Advance(20 * time.Minute)
	c := d.Call(verifyPath, func(c *license.DeviceCall) { c.CardID = got.CardID })
	a, err := w.Verify(license.Actor{}, c)
	high := want(t, d, c, a, err, "valid", verdict.Run)
	w.Clock.Advance(-20 * time.Minute)
	w = reopen(w)
	d = w.Device(app, 1)
	c = d.Call(verifyPath, func(c *license.DeviceCall) { c.CardID = got.CardID })
	a, err = w.Verify(license.Actor{}, c)
	low := want(t, d, c, a, err, "valid", verdict.Run)
	// What protocol §8 has a client do: in the same epoch, nothing older than 900 s.
	if low.Epoch == high.Epoch && low.IssuedAt < high.IssuedAt-verdict.Slack {
		t.Errorf("a client that heard %d in epoch %d takes nothing of %d in epoch %d", high.IssuedAt, high.Epoch, low.IssuedAt, low.Epoch)
	}
	if low.Epoch != 2 {
		t.Errorf("epoch %d", low.Epoch)
	}
}

// TestMarkOnlyRises: a call that was slow to write the time it signed takes nothing of a later one back.
func TestMarkOnlyRises(t *testing.T) {
	w := licensetest.New(t)
	w.Must(w.KeepClock(w.Clock.Now()))
	w.Must(w.KeepClock(w.Clock.Now().Add(-time.Hour)))
	w.Clock.Advance(-11 * time.Minute)
	if w = reopen(w); w.DB().Epoch() != 2 {
		t.Errorf("epoch %d", w.DB().Epoch())
	}
}

// TestSteadyClockWritesNothing: the mark is no write for every verdict.
func TestSteadyClockWritesNothing(t *testing.T) {
	w := licensetest.New(t)
	app := w.App(nil)
	key := w.Keys(app, 1, licensetest.Month)[0]
	d := w.Device(app, 1)
	got, err := d.Activate(w.Customer(), key, nil)
	w.Must(err)
	w.Must(w.CheckClock())
	before := w.DB().Stats().Ops.Load()
	for range 10 {
		w.Clock.Advance(29 * time.Second)
		_, err := d.Verify(got.CardID)
		w.Must(err)
	}
	if n := w.DB().Stats().Ops.Load() - before; n != 0 {
		t.Errorf("%d writes for ten verdicts", n)
	}
}

// TestWrongClockEndsNothingForGood: cards that were marked as ended while the clock was years ahead run again
// when it is right, with the counters right and their true end still to be told.
func TestWrongClockEndsNothingForGood(t *testing.T) {
	w := licensetest.New(t)
	app := w.App(nil)
	keys := w.Keys(app, 3, licensetest.Month)
	who := w.Customer()
	var ids []string
	for i, key := range keys {
		got, err := w.Device(app, i).Activate(who, key, nil)
		w.Must(err)
		ids = append(ids, got.CardID)
	}
	right := w.Clock.Now()
	w.Clock.Advance(365 * 24 * time.Hour)
	w.Must(w.SweepExpired())
	_, err := w.Device(app, 0).Verify(ids[0])
	if codeOf(err) != "card_expired" {
		t.Fatalf("a year ahead: %v", err)
	}
	_, _, err = w.ActOnCards(w.Owner, license.DisableCard, []string{ids[2]}, "")
	w.Must(err)
	w.Clock.Set(right)
	if _, err := w.Device(app, 0).Verify(ids[0]); err != nil {
		t.Errorf("with the clock set right, before it was noticed: %v", err)
	}
	w.Must(w.CheckClock())
	for i, id := range ids[:2] {
		if _, err := w.Device(app, i).Verify(id); err != nil {
			t.Errorf("card %d: %v", i, err)
		}
	}
	f, err := w.AppFigures(app)
	w.Must(err)
	if f.Cards.Active != 2 || f.Cards.Disabled != 1 || f.Cards.Total() != 3 {
		t.Errorf("counted %+v", f.Cards)
	}
	_, failed, err := w.ActOnCards(w.Owner, license.EnableCard, []string{ids[2]}, "")
	if v := w.CardOf(keys[2]); err != nil || len(failed) > 0 || v.State != license.CardActive {
		t.Errorf("enabled again it is %v (%v, %v)", v.State, failed, err)
	}
	w.Clock.Advance(30 * 24 * time.Hour)
	w.Must(w.SweepExpired())
	card := w.CardOf(keys[0]).Card.ID
	if got := fmt.Sprint(w.Events(license.NounCard, card)); got != "[card_key.activated card_key.expired card_key.enabled card_key.expired]" {
		t.Errorf("events %s", got)
	}
}

// TestSilenceIsCountedByTheRightClock: who was heard by a clock a day ahead is not online for a day.
func TestSilenceIsCountedByTheRightClock(t *testing.T) {
	w := licensetest.New(t)
	app := w.App(nil)
	_, err := w.Device(app, 1).Activate(w.Customer(), w.Keys(app, 1, licensetest.Month)[0], nil)
	w.Must(err)
	online := func() int64 {
		w.Must(w.CheckClock())
		w.Must(w.SweepOffline())
		o, err := w.Overview(w.Owner)
		w.Must(err)
		return o.Online
	}
	w.Clock.Advance(-24 * time.Hour)
	if n := online(); n != 1 {
		t.Error("offline because the clock fell back")
	}
	w.Clock.Advance(15*time.Minute + time.Second)
	if n := online(); n != 0 {
		t.Error("online after 15 minutes of silence")
	}
}

// TestMissesOutliveNoClock: who mistyped while the clock was ahead is not locked out until that time comes.
func TestMissesOutliveNoClock(t *testing.T) {
	w := licensetest.New(t)
	app := w.App(nil)
	key := w.Keys(app, 1, licensetest.Month)[0]
	who, d := w.Customer(), w.Device(app, 1)
	w.Clock.Advance(365 * 24 * time.Hour)
	for range 10 {
		_, err := d.Activate(who, "AAAA-BBBB-CCCC-DDDD", nil)
		if codeOf(err) != "card_unknown" {
			t.Fatal(err)
		}
	}
	if _, err := d.Activate(who, key, nil); codeOf(err) != "rate_limited" {
		t.Errorf("beyond the budget: %v", err)
	}
	w.Clock.Advance(-365 * 24 * time.Hour)
	if _, err := d.Activate(who, key, nil); err != nil {
		t.Errorf("with the clock set right: %v", err)
	}
}
