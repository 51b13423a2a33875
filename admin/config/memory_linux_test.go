package config

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"
)

func TestTheTightestControlGroupCounts(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "a/b/c"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"memory.max": "9000\n", "a/memory.max": "500\n", "a/b/memory.max": "max\n", "a/b/c/memory.max": "700\n"} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]int64{"/a/b/c": 500, "/a/b": 500, "/": 1000, "/gone": 1000} {
		if got := groupMemory(root, path, 1000); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
}

func TestMemoryLimitLeavesRoomAndYieldsToTheOperator(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	t.Setenv("GOMEMLIMIT", "")
	if limit := LimitMemory(); limit <= 0 || limit >= memory() {
		t.Errorf("limit %d of %d", limit, memory())
	}
	debug.SetMemoryLimit(12345678)
	t.Setenv("GOMEMLIMIT", "12345678")
	if limit := LimitMemory(); limit != 12345678 {
		t.Errorf("the operator's limit became %d", limit)
	}
}
