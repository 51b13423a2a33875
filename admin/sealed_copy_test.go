package admin

import (
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"goldfish/license"
	"goldfish/license/licensetest"
)

// copying is a sign-in that says whether the file was copied.
func copying(copied bool) map[string]any {
	return map[string]any{"username": "admin", "password": licensetest.Password, "copied": copied}
}

func (a *alive) read(path, token string) map[string]any {
	a.t.Helper()
	status, _, out := a.call("GET", a.console+adminPath+path, token, nil)
	if status != 200 {
		a.t.Fatalf("%s: %d %v", path, status, out)
	}
	return out["data"].(map[string]any)
}

// One file comes to two machines: the owner says of the one that it was moved there, and of the other that it is a copy.
func TestAFileIsMovedOrCopied(t *testing.T) {
	s := place(t)
	home, second := bring(t, s, nil), t.TempDir()
	token := home.signIn("admin", licensetest.Password)
	if status, _, out := home.call("PUT", home.console+adminPath+"/backup-plan", token, map[string]any{"enabled": true, "at": "02:00", "keep_days": 7, "second_folder": second}); status != 200 {
		t.Fatalf("%d %v", status, out)
	}
	was := home.read("/file", token)
	if was["copied_at"] != nil || was["appliance_id"] == "" {
		t.Errorf("%v", was)
	}
	places := map[bool]string{false: t.TempDir(), true: t.TempDir()}
	_, owner := home.inside()
	for _, dir := range places {
		if err := owner.DB().Snapshot(filepath.Join(dir, "goldfish.db")); err != nil {
			t.Fatal(err)
		}
	}
	for copied, dir := range places {
		a := bring(t, at(dir), moved)
		status, _, out := a.call("POST", a.console+"/api/v1/auth/login", "", copying(copied))
		token, _ := out["access_token"].(string)
		if status != 200 || token == "" {
			t.Fatalf("copied %v: %d %v", copied, status, out)
		}
		a.again()
		file, plan := a.read("/file", token), a.read("/backup-plan", token)
		if copied != (file["appliance_id"] != was["appliance_id"]) || copied != (file["copied_at"] != nil) {
			t.Errorf("copied %v: %v after %v", copied, file, was)
		}
		if folder := plan["second_folder"]; copied != (folder == nil || folder == "") || plan["keep_days"] != 7.0 {
			t.Errorf("copied %v: the plan is %v", copied, plan)
		}
		_, owner := a.inside()
		told, err := owner.RecentEvents(9, 1000, func(e *license.Event) bool { return e.Kind == license.SystemUnsealed && e.Code == "copied" })
		if err != nil || copied != (len(told) == 1) {
			t.Errorf("copied %v: events %v, %v", copied, told, err)
		}
		a.stop()
		<-a.ended
	}
}

// That a file was copied is said where it is sealed, or it is refused: nothing is taken and not done.
func TestOnlyASealedFileIsACopy(t *testing.T) {
	a := bring(t, place(t), nil)
	_, owner := a.inside()
	before := owner.DB().UUID()
	for copied, want := range map[bool]int{true: 409, false: 200} {
		status, _, out := a.call("POST", a.console+"/api/v1/auth/login", "", copying(copied))
		if status != want || copied && out["code"] != "not_sealed" {
			t.Errorf("copied %v: %d %v", copied, status, out)
		}
	}
	for _, bad := range []any{"yes", 1} {
		body := copying(false)
		body["copied"] = bad
		if status, _, out := a.call("POST", a.console+"/api/v1/auth/login", "", body); status != 400 || out["code"] != "wrong_type" {
			t.Errorf("copied %v: %d %v", bad, status, out)
		}
	}
	status, _, out := a.call("POST", a.console+adminPath+"/unseal", "", map[string]any{"recovery_code": "x", "username": "admin", "new_password": "Another-2026!", "copied": true})
	if status != 409 || out["code"] != "not_sealed" {
		t.Errorf("unseal: %d %v", status, out)
	}
	if owner.DB().UUID() != before {
		t.Error("it has become another")
	}
}

func TestTheRecoveryCodeOpensACopy(t *testing.T) {
	w := licensetest.New(t)
	code, err := w.RecoveryCode(t.Context(), w.Owner, licensetest.Password)
	w.Must(err)
	w.Must(w.ConfirmRecoveryCode(w.Owner, code))
	before := w.DB().UUID().String()
	w.Must(w.Close())
	a := bring(t, at(filepath.Dir(w.Path)), moved)
	status, _, out := a.call("POST", a.console+adminPath+"/unseal", "", map[string]any{"recovery_code": code, "username": "admin", "new_password": "Another-2026!", "copied": true})
	if status != 200 {
		t.Fatalf("%d %v", status, out)
	}
	a.again()
	if file := a.read("/file", a.signIn("admin", "Another-2026!")); file["copied_at"] == nil || file["appliance_id"] == before {
		t.Errorf("%v", file)
	}
}

// Of many who open it at once and say it differently one is right: nobody is let in who was told otherwise than it went.
func TestOfMoversAndCopiersOneIsRight(t *testing.T) {
	a := bring(t, place(t), moved)
	var crew sync.WaitGroup
	statuses := make([]int, 8)
	for i := range statuses {
		crew.Go(func() {
			statuses[i], _, _ = a.call("POST", a.console+"/api/v1/auth/login", "", copying(i%2 == 1))
		})
	}
	crew.Wait()
	a.again()
	isCopy := a.read("/file", a.signIn("admin", licensetest.Password))["copied_at"] != nil
	in, others := 0, 0
	for i, status := range statuses {
		switch {
		case status == 200 && i%2 == 1 && !isCopy:
			t.Errorf("who said that it was copied is in, and it was moved: %v", statuses)
		case status == 200 && i%2 == 1:
			in++
		case status == 200:
			others++
		case !slices.Contains([]int{409, 429, 503}, status):
			t.Errorf("%v", statuses)
		}
	}
	if isCopy && in != 1 || !isCopy && others == 0 {
		t.Errorf("a copy: %v, and %v", isCopy, statuses)
	}
}
