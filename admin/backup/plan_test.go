package backup

import (
	"slices"
	"testing"
	"time"
	_ "time/tzdata"

	"pgregory.net/rapid"

	"goldfish/license"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

var usual = license.BackupPlan{Enabled: true, At: "02:00", KeepDays: 30}

// A night in which the clocks are changed has one backup, whatever time is planned and wherever one begins to look.
func TestOncePerDayThroughEveryChangeOfTheClocks(t *testing.T) {
	for _, c := range []struct{ zone, from string }{
		{"Europe/Berlin", "2026-03-26"},        // 02:00 → 03:00 on the 29th
		{"Europe/Berlin", "2026-10-22"},        // 03:00 → 02:00 on the 25th
		{"America/New_York", "2026-03-05"},     // 02:00 → 03:00 on the 8th
		{"America/New_York", "2026-10-29"},     // 02:00 → 01:00 on 1 November
		{"Australia/Lord_Howe", "2026-04-02"},  // half an hour back on the 5th
		{"Australia/Lord_Howe", "2026-10-01"},  // half an hour on on the 4th
		{"America/Sao_Paulo", "2018-11-01"},    // midnight does not exist on the 4th
		{"Africa/Cairo", "2026-04-22"},         // midnight does not exist on the 24th
		{"Asia/Shanghai", "2026-06-01"},        // nothing changes
		{"UTC", "2028-02-26"},                  // a leap day
		{"America/Scoresbysund", "2024-03-28"}, // another zone and the summer at once
	} {
		z := zone(t, c.zone)
		from, err := time.ParseInLocation(time.DateOnly, c.from, z)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []string{"00:00", "00:30", "01:00", "01:30", "01:59", "02:00", "02:15", "02:30", "02:59", "03:00", "12:00", "23:59"} {
			p := usual
			p.At = at
			seen := map[string]int{}
			_, due, err := begin(p, license.BackupState{}, from)
			if err != nil || due {
				t.Fatalf("%s %s: a plan that is looked at for the first time: %v %v", c.zone, at, due, err)
			}
			s, _, _ := begin(p, license.BackupState{}, from.Add(time.Second))
			for now := from.Add(time.Minute); now.Before(from.AddDate(0, 0, 7)); now = now.Add(30 * time.Second) {
				if s, due, err = begin(p, s, now); err != nil {
					t.Fatal(err)
				}
				if due {
					seen[now.Format(time.DateOnly)]++
					s.Done = true
				}
			}
			days := 7
			if at == "00:00" { // that of the first day had passed
				days = 6
			}
			total := 0
			for day, n := range seen {
				total += n
				if n > 1 {
					t.Errorf("%s at %s: %d backups on %s", c.zone, at, n, day)
				}
			}
			if total != days {
				t.Errorf("%s at %s: %d backups in %d days: %v", c.zone, at, total, days, seen)
			}
		}
	}
}

func TestWhatIsDue(t *testing.T) {
	z := zone(t, "Asia/Shanghai")
	at := func(text string) time.Time {
		out, err := time.ParseInLocation(time.DateTime, text, z)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	slot := at("2026-11-23 02:00:00").UnixMilli()
	done := license.BackupState{Slot: slot, Tries: 1, Done: true}
	changed := func(change func(*license.BackupPlan)) license.BackupPlan {
		p := usual
		change(&p)
		return p
	}
	failed := func(tries, failed int, again string) license.BackupState {
		return license.BackupState{Slot: slot, Tries: tries, Failed: failed, Done: true, Again: at("2026-11-23 " + again).UnixMilli()}
	}
	for name, c := range map[string]struct {
		p   license.BackupPlan
		s   license.BackupState
		now string
		due bool
	}{
		"a second before":                       {usual, done, "2026-11-24 01:59:59", false},
		"on time":                               {usual, done, "2026-11-24 02:00:00", true},
		"once more on the same day":             {usual, done, "2026-11-23 23:59:59", false},
		"down for three days":                   {usual, done, "2026-11-26 17:00:00", true},
		"down for a year":                       {usual, done, "2027-11-26 01:00:00", true},
		"off":                                   {changed(func(p *license.BackupPlan) { p.Enabled = false }), done, "2026-11-26 17:00:00", false},
		"interrupted":                           {usual, license.BackupState{Slot: slot, Tries: 1}, "2026-11-23 02:10:00", true},
		"interrupted for the third time":        {usual, license.BackupState{Slot: slot, Tries: 3}, "2026-11-23 02:10:00", false},
		"interrupted, the day after":            {usual, license.BackupState{Slot: slot, Tries: 3}, "2026-11-24 02:00:00", true},
		"the clock was a year ahead":            {usual, license.BackupState{Slot: at("2027-11-23 02:00:00").UnixMilli(), Done: true}, "2026-11-23 12:00:00", true},
		"the clock was set back a little":       {usual, done, "2026-11-23 01:59:58", false},
		"an earlier time, chosen this noon":     {changed(func(p *license.BackupPlan) { p.At, p.Since = "11:00", at("2026-11-23 12:00:00").UnixMilli() }), done, "2026-11-23 12:01:00", false},
		"a later time, chosen this noon":        {changed(func(p *license.BackupPlan) { p.At, p.Since = "13:00", at("2026-11-23 12:00:00").UnixMilli() }), done, "2026-11-23 13:00:00", true},
		"chosen by a clock that was far ahead":  {changed(func(p *license.BackupPlan) { p.Since = at("2030-01-01 00:00:00").UnixMilli() }), done, "2026-11-24 02:00:00", true},
		"seen for the first time in the night":  {usual, license.BackupState{}, "2026-11-24 02:00:10", false},
		"the day after it was seen for a first": {usual, done, "2026-11-24 02:00:10", true},
		"failed, before the next try":           {usual, failed(1, 1, "02:10:00"), "2026-11-23 02:09:59", false},
		"failed, at the next try":               {usual, failed(1, 1, "02:10:00"), "2026-11-23 02:10:00", true},
		"failed, down over the next try":        {usual, failed(1, 1, "02:10:00"), "2026-11-23 17:00:00", true},
		"failed for the twentieth time":         {usual, failed(20, 20, "19:00:00"), "2026-11-23 19:00:00", true},
		"failed, then interrupted thrice":       {usual, license.BackupState{Slot: slot, Tries: 4, Failed: 1}, "2026-11-23 03:00:00", false},
		"failed, then interrupted twice":        {usual, license.BackupState{Slot: slot, Tries: 3, Failed: 1}, "2026-11-23 03:00:00", true},
		"interrupted thrice, with a failure":    {usual, failed(4, 1, "02:10:00"), "2026-11-23 02:10:00", false},
		"failed, the plan is off":               {changed(func(p *license.BackupPlan) { p.Enabled = false }), failed(1, 1, "02:10:00"), "2026-11-23 02:10:00", false},
		"failed by a clock that was ahead":      {usual, license.BackupState{Slot: slot, Tries: 1, Failed: 1, Done: true, Again: at("2026-11-25 02:10:00").UnixMilli()}, "2026-11-23 03:00:00", true},
		"failed, the next planned time comes":   {usual, failed(9, 9, "23:59:00"), "2026-11-24 02:00:00", true},
	} {
		s, due, err := begin(c.p, c.s, at(c.now))
		if err != nil || due != c.due {
			t.Errorf("%s: %v %v", name, due, err)
		}
		if due && (s.Done || s.Again != 0 || s.Tries == 0 || s.Slot != c.s.Slot && s.Failed != 0 || s.Slot > at(c.now).UnixMilli()) {
			t.Errorf("%s: %+v", name, s)
		}
	}
	if _, _, err := begin(license.BackupPlan{Enabled: true, At: "25:00"}, done, at("2026-11-24 02:00:00")); code(err) != "time_of_day" {
		t.Errorf("%v", err)
	}
}

// One that fails again and again waits ten minutes more each time, an hour at most, and until the next planned time.
func TestWhenAFailedBackupIsTriedAgain(t *testing.T) {
	now := time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC)
	s := license.BackupState{Slot: now.Add(-24 * time.Hour).UnixMilli(), Tries: 1, Done: true}
	var waits []int
	for looks := 0; looks < 24*120; looks++ {
		next, due, err := begin(usual, s, now)
		if err != nil {
			t.Fatal(err)
		}
		if s = next; due {
			s = ended(s, false, now)
			waits = append(waits, int(time.UnixMilli(s.Again).Sub(now).Minutes()))
		}
		now = now.Add(30 * time.Second)
	}
	if len(waits) != 27 || !slices.Equal(waits[:8], []int{10, 20, 30, 40, 50, 60, 60, 60}) || s.Slot != time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC).UnixMilli() {
		t.Errorf("%v %+v", waits, s)
	}
	if at := again(s, now.Add(2*time.Hour)); at.IsZero() {
		t.Error("a try that waits is not said")
	}
	if at := again(s, time.UnixMilli(s.Again)); !at.IsZero() {
		t.Errorf("%v, after the next planned time", at)
	}
	if s = ended(s, true, now); s.Again != 0 || !s.Done || !again(s, now.Add(time.Hour)).IsZero() {
		t.Errorf("a good one: %+v", s)
	}
}

func TestASkippedTimeIsLater(t *testing.T) {
	for _, c := range []struct{ zone, day, at, want string }{
		{"Europe/Berlin", "2026-03-29", "02:30", "2026-03-29T03:30:00+02:00"},
		{"America/Sao_Paulo", "2018-11-04", "00:00", "2018-11-04T01:00:00-02:00"},
		{"Australia/Lord_Howe", "2026-10-04", "02:15", "2026-10-04T02:45:00+11:00"},
		{"Europe/Berlin", "2026-03-30", "02:30", "2026-03-30T02:30:00+02:00"},
	} {
		day, err := time.ParseInLocation(time.DateOnly, c.day, zone(t, c.zone))
		if err != nil {
			t.Fatal(err)
		}
		at, err := onDay(license.BackupPlan{At: c.at}, day.Add(12*time.Hour), 0)
		if got := at.Format(time.RFC3339); err != nil || got != c.want {
			t.Errorf("%s on %s is %s, want %s (%v)", c.at, c.day, got, c.want, err)
		}
	}
}

// Whenever the appliance runs and looks, a planned time has at most one backup, and none is left out while it runs.
func TestAnyLooksServeEachTimeOnce(t *testing.T) {
	zones := []*time.Location{zone(t, "Europe/Berlin"), zone(t, "America/New_York"), zone(t, "Australia/Lord_Howe"), time.UTC}
	rapid.Check(t, func(t *rapid.T) {
		z := rapid.SampledFrom(zones).Draw(t, "zone")
		p := usual
		p.At = rapid.SampledFrom([]string{"00:00", "01:45", "02:00", "02:30", "23:30"}).Draw(t, "at")
		now := time.Date(2026, 3, 1, 12, 0, 0, 0, z).Add(time.Duration(rapid.IntRange(0, 300*24).Draw(t, "hours")) * time.Hour)
		s, _, err := begin(p, license.BackupState{}, now)
		if err != nil {
			t.Fatal(err)
		}
		served := map[int64]bool{}
		for range rapid.IntRange(1, 60).Draw(t, "looks") {
			before := now
			now = now.Add(time.Duration(rapid.IntRange(1, 3000).Draw(t, "minutes")) * time.Minute)
			last, _, err := slot(p, now)
			if err != nil {
				t.Fatal(err)
			}
			next, due, err := begin(p, s, now)
			if err != nil {
				t.Fatal(err)
			}
			if due != last.After(before) {
				t.Fatalf("at %s (%s before): due %v, the last time is %s", now, before, due, last)
			}
			if s = next; due {
				if served[s.Slot] {
					t.Fatalf("%d was served twice", s.Slot)
				}
				served[s.Slot], s.Done = true, true
			}
		}
	})
}
