package license_test

import (
	"strings"
	"testing"

	"goldfish/license"
	"goldfish/license/fault"
	"goldfish/license/licensetest"
)

func TestThePlanOfBackups(t *testing.T) {
	w := licensetest.New(t)
	usual, err := w.BackupPlan(w.Owner)
	w.Must(err)
	if usual != (license.BackupPlan{Enabled: true, At: "02:00", KeepDays: 30}) {
		t.Errorf("at first: %+v", usual)
	}
	p := license.BackupPlan{Enabled: false, At: "23:59", KeepDays: 1, SecondFolder: "/mnt/second/", CapBytes: 1 << 20}
	set, err := w.SetBackupPlan(w.Owner, p)
	w.Must(err)
	p.SecondFolder, p.Since = "/mnt/second", w.Clock.Now().UnixMilli()
	again, err := w.BackupPlan(w.Owner)
	w.Must(err)
	if set != p || again != p {
		t.Errorf("%+v, then %+v", set, again)
	}
	told, err := w.RecentEvents(1, 10, func(e *license.Event) bool { return e.Kind == license.SystemSetting })
	if err != nil || len(told) != 1 || told[0].Event.Args["setting"] != "backup_plan" || told[0].Event.ActorID != w.Owner.Account {
		t.Errorf("%v %+v", err, told)
	}
}

func TestPlansThatAreRefused(t *testing.T) {
	w := licensetest.New(t)
	good := license.BackupPlan{Enabled: true, At: "02:00", KeepDays: 30}
	for name, c := range map[string]struct {
		change      func(*license.BackupPlan)
		code, field string
	}{
		"25:00":                  {func(p *license.BackupPlan) { p.At = "25:00" }, "time_of_day", "at"},
		"24:00":                  {func(p *license.BackupPlan) { p.At = "24:00" }, "time_of_day", "at"},
		"2:00":                   {func(p *license.BackupPlan) { p.At = "2:00" }, "time_of_day", "at"},
		"no time":                {func(p *license.BackupPlan) { p.At = "" }, "time_of_day", "at"},
		"words":                  {func(p *license.BackupPlan) { p.At = "night" }, "time_of_day", "at"},
		"0 days":                 {func(p *license.BackupPlan) { p.KeepDays = 0 }, "value_range", "keep_days"},
		"eleven years":           {func(p *license.BackupPlan) { p.KeepDays = 3651 }, "value_range", "keep_days"},
		"a cap of a byte":        {func(p *license.BackupPlan) { p.CapBytes = 1 }, "value_range", "cap_bytes"},
		"a cap below 0":          {func(p *license.BackupPlan) { p.CapBytes = -1 }, "value_range", "cap_bytes"},
		"a cap beyond all disks": {func(p *license.BackupPlan) { p.CapBytes = 1<<50 + 1 }, "value_range", "cap_bytes"},
		"a relative folder":      {func(p *license.BackupPlan) { p.SecondFolder = "backups" }, "folder_relative", "second_folder"},
		"a folder with a NUL":    {func(p *license.BackupPlan) { p.SecondFolder = "/a\x00b" }, "text_invalid", "second_folder"},
		"a folder that is no text": {
			func(p *license.BackupPlan) { p.SecondFolder = "/a\xff" }, "text_invalid", "second_folder",
		},
		"a long folder": {func(p *license.BackupPlan) { p.SecondFolder = "/" + strings.Repeat("a", 1024) }, "value_length", "second_folder"},
	} {
		p := good
		c.change(&p)
		_, err := w.SetBackupPlan(w.Owner, p)
		if f := fault.Of(err); err == nil || f.Code != c.code || f.Field != c.field {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, who := range map[string]license.Actor{"nobody": {}, "a customer": w.Customer()} {
		if _, err := w.BackupPlan(who); err == nil {
			t.Errorf("%s reads the plan", name)
		}
		if _, err := w.SetBackupPlan(who, good); err == nil {
			t.Errorf("%s sets the plan", name)
		}
	}
	if p, err := w.BackupPlan(w.Owner); err != nil || p != good {
		t.Errorf("%v %+v", err, p)
	}
}

func TestHowThePlanHasGoneIsKept(t *testing.T) {
	w := licensetest.New(t)
	if s, err := w.BackupState(); err != nil || s != (license.BackupState{}) {
		t.Errorf("at first: %v %+v", err, s)
	}
	want := license.BackupState{Slot: 1, Tries: 2, Done: true, Ended: 3, Code: "disk_full", Good: 4, Bytes: 5, Thin: 6, ThinAt: 7, Over: true, Why: "x", Failed: 8, Again: 9, Lone: "y"}
	w.Must(w.KeepBackupState(want))
	if s, err := w.BackupState(); err != nil || s != want {
		t.Errorf("%v %+v", err, s)
	}
}

func TestAPasswordOnceMore(t *testing.T) {
	w := licensetest.New(t)
	w.Must(w.ConfirmPassword(t.Context(), w.Owner, licensetest.Password))
	wrong := func() int {
		told, err := w.RecentEvents(100, 1000, func(e *license.Event) bool {
			return e.Kind == license.UserPassword && e.Code == "password_wrong" && e.ActorID == w.Owner.Account
		})
		w.Must(err)
		return len(told)
	}
	for _, plain := range []string{"", "wrong", licensetest.Password + "x", license.FirstPassword} {
		before := wrong()
		err := w.ConfirmPassword(t.Context(), w.Owner, plain)
		if f := fault.Of(err); err == nil || f.Code != "password_wrong" || f.Field != "password" || wrong() != before+1 {
			t.Errorf("%q: %v", plain, err)
		}
	}
	if err := w.ConfirmPassword(t.Context(), license.Actor{}, licensetest.Password); !fault.Has(err, "sign_in_required") {
		t.Errorf("nobody: %v", err)
	}
	w.Must(w.Logout(w.Owner))
	if err := w.ConfirmPassword(t.Context(), w.Owner, licensetest.Password); !fault.Has(err, "session_ended") {
		t.Errorf("after the sign-out: %v", err)
	}
}
