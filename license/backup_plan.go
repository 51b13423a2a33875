package license

import (
	"fmt"
	"path/filepath"
	"time"
	"unicode/utf8"

	"goldfish/license/fault"
	"goldfish/store"
)

// BackupPlan is when backups are made by themselves, and which are kept. Its numbers are never used again.
type BackupPlan struct {
	Enabled      bool   `cbor:"1,keyasint"`
	At           string `cbor:"2,keyasint"` // local time of the day, 15:04
	KeepDays     int    `cbor:"3,keyasint"`
	SecondFolder string `cbor:"4,keyasint,omitempty"` // absolute; "": none
	CapBytes     int64  `cbor:"5,keyasint,omitempty"` // of all backups of a folder; 0: no cap
	Since        int64  `cbor:"6,keyasint,omitempty"` // Unix milliseconds; times before it are not made up for
}

// BackupState is how the plan has gone so far. Times are Unix milliseconds, 0 for never. Its numbers are never used
// again.
type BackupState struct {
	Slot   int64  `cbor:"1,keyasint,omitempty"`  // the planned time that was last begun …
	Tries  int    `cbor:"2,keyasint,omitempty"`  // … how often …
	Done   bool   `cbor:"3,keyasint,omitempty"`  // … and whether it came to an end, good or bad
	Ended  int64  `cbor:"4,keyasint,omitempty"`  // when the last backup ended, planned or not
	Code   string `cbor:"5,keyasint,omitempty"`  // why that one failed, "" if it is good
	Good   int64  `cbor:"6,keyasint,omitempty"`  // when the last good one ended
	Bytes  int64  `cbor:"7,keyasint,omitempty"`  // its length
	Thin   int    `cbor:"8,keyasint,omitempty"`  // how many the cap took away the last time it took any …
	ThinAt int64  `cbor:"9,keyasint,omitempty"`  // … and when
	Over   bool   `cbor:"10,keyasint,omitempty"` // the cap is exceeded even so
	Why    string `cbor:"11,keyasint,omitempty"` // what the sentence of Code fills in
	Failed int    `cbor:"12,keyasint,omitempty"` // how many tries for the planned time came to a bad end
	Again  int64  `cbor:"13,keyasint,omitempty"` // when the next try is due; 0: none before the next planned time
	Lone   string `cbor:"14,keyasint,omitempty"` // name of the last good backup if the second folder lacks it
}

// Bounds of a plan.
const (
	backupDaysMost = 3650
	backupCapLeast = 1 << 20
	backupCapMost  = 1 << 50
	folderMost     = 1024 // bytes
)

var (
	backupPlan = settingOf[BackupPlan]{
		name: "backup_plan", usual: BackupPlan{Enabled: true, At: "02:00", KeepDays: 30}, read: ReadFile, write: WriteFile, check: BackupPlan.Check,
	}
	backupState = settingOf[BackupState]{name: "backup_state"}
)

// TimeOfDay reads the plan's time: hours and minutes from 00:00 to 23:59.
func (p BackupPlan) TimeOfDay() (hour, minute int, err error) {
	at, err := time.Parse("15:04", p.At)
	if err != nil || len(p.At) != len("15:04") {
		return 0, 0, fault.New(fault.Invalid, "time_of_day").In("at")
	}
	return at.Hour(), at.Minute(), nil
}

// Check says what is wrong with a plan, or gives it in the form in which it is kept. Faults: those of SetBackupPlan.
func (p BackupPlan) Check() (BackupPlan, error) {
	if _, _, err := p.TimeOfDay(); err != nil {
		return p, err
	}
	if p.KeepDays < 1 || p.KeepDays > backupDaysMost {
		return p, fault.New(fault.Invalid, "value_range").In("keep_days").With("least", 1).With("most", backupDaysMost)
	}
	if p.CapBytes != 0 && (p.CapBytes < backupCapLeast || p.CapBytes > backupCapMost) {
		return p, fault.New(fault.Invalid, "value_range").In("cap_bytes").With("least", backupCapLeast).With("most", backupCapMost)
	}
	if p.SecondFolder == "" {
		return p, nil
	}
	clean := filepath.Clean(p.SecondFolder)
	switch {
	case len(clean) > folderMost:
		return p, fault.New(fault.Invalid, "value_length").In("second_folder").With("most", folderMost)
	case !printable(clean):
		return p, fault.New(fault.Invalid, "text_invalid").In("second_folder")
	case !filepath.IsAbs(clean):
		return p, fault.New(fault.Invalid, "folder_relative").In("second_folder")
	}
	p.SecondFolder = clean
	return p, nil
}

// printable says whether a name can be shown as it is.
func printable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if forbiddenRune(r, false) {
			return false
		}
	}
	return true
}

// BackupPlan gives the plan that holds.
func (a *Authority) BackupPlan(who Actor) (BackupPlan, error) { return backupPlan.get(a, who) }

// SetBackupPlan makes another plan. Times of the day that are past by now are not made up for. That the second folder
// can be written to is for the caller to find out.
//
// Faults: time_of_day (at), value_range (keep_days, cap_bytes), folder_relative, value_length, text_invalid
// (second_folder).
func (a *Authority) SetBackupPlan(who Actor, p BackupPlan) (BackupPlan, error) {
	p.Since = a.Now().UnixMilli()
	return backupPlan.set(a, who, p)
}

// BackupState gives how the plan has gone.
func (a *Authority) BackupState() (BackupState, error) {
	return store.Read(a.db, backupState.in)
}

// KeepBackupState writes how the plan has gone.
func (a *Authority) KeepBackupState(s BackupState) error {
	if err := a.db.Update(func(tx *store.Tx) error { return backupState.keep(tx, s) }); err != nil {
		return fmt.Errorf("license: the state of the backups was not kept: %w", err)
	}
	return nil
}
