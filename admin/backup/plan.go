package backup

import (
	"time"

	"goldfish/license"
)

const (
	triesMost = 3         // for one planned time: a backup that ends the process is not tried for ever
	clockJump = time.Hour // how far in the future a time that was noted may lie
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
// served once, also late; one that was interrupted is begun anew, a few times. A file whose plan has never been
// looked at waits for the next.
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
	case s.Done || s.Tries >= triesMost:
		return s, false, nil
	}
	if s.Done {
		return s, false, nil
	}
	s.Tries++
	return s, true, nil
}
