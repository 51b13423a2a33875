package daemon

import "testing"

func TestParseShow(t *testing.T) {
	const start = "ExecStart={ path=/usr/local/bin/goldfish ; argv[]=/usr/local/bin/goldfish serve ; ignore_errors=no }\n"
	for _, tc := range []struct {
		show string
		want Status
	}{
		{
			"LoadState=not-found\nActiveState=inactive\nSubState=dead\nMainPID=0\nUnitFileState=\n",
			Status{State: NotInstalled},
		},
		{
			start + "MainPID=42\nLoadState=loaded\nActiveState=active\nSubState=running\nUnitFileState=enabled\n",
			Status{State: Running, Program: "/usr/local/bin/goldfish", Boot: true, PID: 42, Detail: "active/running"},
		},
		{
			start + "MainPID=0\nLoadState=loaded\nActiveState=inactive\nSubState=dead\nUnitFileState=disabled\n",
			Status{State: Stopped, Program: "/usr/local/bin/goldfish", Detail: "inactive/dead"},
		},
		{
			start + "MainPID=0\nLoadState=loaded\nActiveState=activating\nSubState=auto-restart\nUnitFileState=enabled\n",
			Status{State: Starting, Program: "/usr/local/bin/goldfish", Boot: true, Detail: "activating/auto-restart"},
		},
		{
			"MainPID=7\nLoadState=loaded\nActiveState=deactivating\nSubState=stop-sigterm\nUnitFileState=enabled\n",
			Status{State: Stopping, Boot: true, PID: 7, Detail: "deactivating/stop-sigterm"},
		},
		{
			"MainPID=0\nLoadState=loaded\nActiveState=failed\nSubState=failed\nUnitFileState=enabled\n",
			Status{State: Failed, Boot: true, Detail: "failed/failed"},
		},
		{
			"MainPID=0\nLoadState=masked\nActiveState=inactive\nSubState=dead\nUnitFileState=masked\n",
			Status{State: Unknown, Detail: "masked"},
		},
		{"", Status{State: Unknown}},
	} {
		tc.want.ID = "goldfish.service"
		if got := parseShow("goldfish.service", tc.show); got != tc.want {
			t.Errorf("%q\n got %+v\nwant %+v", tc.show, got, tc.want)
		}
	}
}
