package backup

import (
	"bytes"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMachineKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "conf", "machine.key")
	if _, err := MachineKey("", path, false, rand.Reader); code(err) != "machine_key_missing" {
		t.Errorf("none, and none may be made: %v", err)
	}
	first, err := MachineKey("", path, true, rand.Reader)
	if err != nil || len(first) != 32 {
		t.Fatalf("%v", err)
	}
	if again, err := MachineKey("", path, false, rand.Reader); err != nil || !bytes.Equal(again, first) {
		t.Errorf("read again: %v", err)
	}
	if key, err := MachineKey(strings.Repeat("0a", 32), path, false, rand.Reader); err != nil || key[0] != 10 {
		t.Errorf("as text: %v", err)
	}
	if _, err := MachineKey("short", path, false, rand.Reader); code(err) != "machine_key_form" || strings.Contains(err.Error(), "short") {
		t.Errorf("bad text: %v", err)
	}
	if err := os.WriteFile(path, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := MachineKey("", path, true, rand.Reader); code(err) != "machine_key_form" {
		t.Errorf("a file without a key: %v", err)
	}
	if _, err := MachineKey("", filepath.Join(path, "under", "a", "file"), true, rand.Reader); code(err) != "folder_failed" {
		t.Errorf("a file in the way: %v", err)
	}
}
