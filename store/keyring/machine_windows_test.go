package keyring

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMachineKeyIsSealedByWindows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "machine.key")
	key, err := MachineKeyFile(path, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil || !strings.HasPrefix(string(text), sealedByOS) || strings.Contains(string(text), hex.EncodeToString(key)) {
		t.Errorf("%.20s %v", text, err)
	}
	if again, err := MachineKeyFile(path, rand.Reader); err != nil || !bytes.Equal(key, again) {
		t.Errorf("read again: %v", err)
	}
	if err := os.WriteFile(path, []byte(hex.EncodeToString(key)+"\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if plain, err := MachineKeyFile(path, rand.Reader); err != nil || !bytes.Equal(key, plain) {
		t.Errorf("digits: %v", err)
	}
}
