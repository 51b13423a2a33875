package config

import (
	"strings"
	"testing"
	"time"
)

func TestReadyNamesTheFirstAccountOnlyWhileItStands(t *testing.T) {
	r := Ready{Version: "v1", Console: "http://c", Client: "http://a", File: "/f", User: "admin", Password: "secret"}
	both := r.Text("both")
	for _, want := range []string{"已就绪", "is ready", "http://c", "http://a", "/f", "admin / secret", "v1"} {
		if !strings.Contains(both, want) {
			t.Errorf("no %q in %s", want, both)
		}
	}
	if zh := r.Text("zh"); strings.Contains(zh, "ready") {
		t.Error(zh)
	}
	r.User = ""
	if text := r.Text("both"); strings.Contains(text, "secret") || strings.Contains(text, "account") {
		t.Error(text)
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 5 << 20: "5.0 MiB", 3 << 40: "3.0 TiB", 1 << 60: "1048576.0 TiB"} {
		if got := Size(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}

func TestBackupsAreToldInBothLanguages(t *testing.T) {
	k := Kept{Path: "/b.db", Bytes: 2048, SHA256: "abc", Epoch: 3, Rows: map[string]int{"cards": 1000}, Changed: time.Unix(0, 0)}
	for _, text := range []string{k.Made(), k.Looked()} {
		if !strings.Contains(text, "卡密 1000") || !strings.Contains(text, "card keys 1000") {
			t.Error(text)
		}
	}
	if text := k.Restored("/f", ""); strings.Contains(text, "kept") || !strings.Contains(text, "epoch 3") || !strings.Contains(text, "所有者") {
		t.Error(text)
	}
	k.Opens = true
	if text := k.Restored("/f", "/old"); !strings.Contains(text, "kept at /old") || strings.Contains(text, "owner") {
		t.Error(text)
	}
	if text := k.Listed(true); !strings.Contains(text, "1970-01-01T00:00:00Z") || !strings.Contains(text, "/b.db") {
		t.Error(text)
	}
}

func TestALookIsToldInFull(t *testing.T) {
	k := Kept{Path: "/b.db", Bytes: 2048, Epoch: 3, Schema: 2, Release: "v1", Sealed: 7, Newest: time.Unix(0, 0)}
	for want, k := range map[string]Kept{
		"7 行加密数据未能检查": k, "7 sealed rows were not judged": k, "newest record 1970-01-01 00:00:00 UTC": k, "结构版本 2（v1）": k,
		"its owner's sign-in": {ByOwner: true}, "只能用原机器的 machine.key": {}, "everything was checked": {Opens: true}, "SHA-256 abc": {SHA256: "abc"}, "schema 0 (-)": {}, "newest record -": {},
		"stopped in order": {Clean: true}, "a copy of it was checked": {Running: true}, "运行中文件的副本": {},
		"检查通过：/b.db": k, "文件已损坏": {Faults: []string{"x"}}, "\n  - the fault": {Faults: []string{"the fault"}},
		"\n  … 5": {Faults: make([]string, 25)},
	} {
		if text := k.Looked(); !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
	if text := DryRun("/f", true); !strings.Contains(text, "nothing was changed") || !strings.Contains(text, "/f, which is kept") {
		t.Error(text)
	}
	if text := DryRun("/f", false); strings.Contains(text, "kept") {
		t.Error(text)
	}
	if text := Compacted("/f", 2048, 1024); !strings.Contains(text, "2.0 KiB → 1.0 KiB") {
		t.Error(text)
	}
	if text := Pruned(1, 2, 3, 1024) + OverCap(); !strings.Contains(text, "1 by age, 2 by the size cap") || !strings.Contains(text, "3 are kept") {
		t.Error(text)
	}
}

func TestDaemonState(t *testing.T) {
	if text := DaemonState("goldfish.service", "running", "active/running", "start", false, false); !strings.Contains(text, "运行中") || !strings.Contains(text, "Nothing had to be changed") {
		t.Error(text)
	}
	if text := DaemonState("goldfish.service", "odd", "", "", false, false); !strings.Contains(text, "unknown") {
		t.Error(text)
	}
}

func TestInstalledSaysWhereAndWhatNext(t *testing.T) {
	text := Installed("/d", "/k", Listen{"127.0.0.1", 8990}, Listen{"127.0.0.1", 8000})
	for _, want := range []string{"/d", "/k", "http://127.0.0.1:8990", "http://127.0.0.1:8000", "goldfish service start", "下一步"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
}
