package backup

import (
	"time"

	"goldfish/license"
)

const (
	triesMost = 3                // that were interrupted, for one planned time: a backup that ends the process is not tried for ever
	againStep = 10 * time.Minute // by which one that failed waits longer each time …
	againMost = time.Hour        // … up to this
	clockJump = time.Hour        // how far in the future a time that was noted may lie
)

// onDay is the planned time on the day that lies so many days after now's, in now's own zone. A time that the clocks
// show twice is one instant all the same, and one that they skip is as much later as they are put forward.
func onDay(p license.BackupPlan, now time.Time, days int) (time.Time, error) {
	hour, minute, err := p.TimeOfDay()
	if err != nil {
		return time.Time{}, err
	}
	year, month, day := now.Date()
	at := time.Date(year, month, day+days, hour, minute, 0, 0, now.Location())
	if at.Hour() != hour || at.Minute() != minute { // skipped
		_, offset := at.Add(-12 * time.Hour).Zone()
		at = time.Date(year, month, day+days, hour, minute, -offset, 0, time.UTC).In(now.Location())
	}
	return at, nil
}

// slot is the last planned time that is not after now, and next the first that is.
func slot(p license.BackupPlan, now time.Time) (last, next time.Time, err error) {
	for days := -2; ; days++ {
		at, err := onDay(p, now, days)
		if err != nil || at.After(now) {
			return last, at, err
		}
		last = at
	}
}

// begin says whether a planned backup is due by now, and gives the state with which it begins. Each planned time is
// served once, also late; one that was interrupted is begun anew, a few times, and one that failed is when its next try
// is due, until the next planned time comes. A file whose plan has never been looked at waits for the next.
func begin(p license.BackupPlan, s license.BackupState, now time.Time) (next license.BackupState, due bool, err error) {
	last, _, err := slot(p, now)
	if err != nil || !p.Enabled {
		return s, false, err
	}
	at, late := last.UnixMilli(), now.Add(clockJump).UnixMilli()
	fresh := s.Slot == 0
	switch {
	case s.Slot > late || at > s.Slot: // the clock was ahead when it was noted, or a new time has come
		s.Slot, s.Tries, s.Done = at, 0, fresh || p.Since > at && p.Since <= late
		s.Failed, s.Again, s.Lone = 0, 0, ""
		if s.Done {
			return s, false, nil
		}
	case s.Done && s.Again == 0, s.Tries-s.Failed >= triesMost:
		return s, false, nil
	case s.Done && now.UnixMilli() < s.Again && s.Again <= now.Add(againMost+clockJump).UnixMilli():
		return s, false, nil
	}
	s.Tries++
	s.Done, s.Again = false, 0
	return s, true, nil
}

// ended is the state after a try for a planned time that came to its end, a good one or not.
func ended(s license.BackupState, good bool, now time.Time) license.BackupState {
	s.Done, s.Again = true, 0
	if !good {
		s.Failed++
		s.Again = now.Add(min(time.Duration(s.Failed)*againStep, againMost)).UnixMilli()
	}
	return s
}

// again is when a backup that failed is tried anew, before the next planned time; zero if it is not.
func again(s license.BackupState, next time.Time) time.Time {
	if at := time.UnixMilli(s.Again); s.Again != 0 && s.Tries-s.Failed < triesMost && at.Before(next) {
		return at
	}
	return time.Time{}
}
