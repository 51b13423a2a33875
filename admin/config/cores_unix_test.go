//go:build unix

package config

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestNoCores(t *testing.T) {
	NoCores()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &limit); err != nil || limit.Cur != 0 || limit.Max != 0 {
		t.Errorf("%+v %v", limit, err)
	}
}

func TestWideKeyFilesAreToldOf(t *testing.T) {
	path := filepath.Join(t.TempDir(), "machine.key")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, wide := range map[os.FileMode]bool{0o600: false, 0o400: false, 0o640: true, 0o604: true, 0o644: true} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		var told bytes.Buffer
		log := slog.New(slog.NewTextHandler(&told, nil))
		KeySource{Path: path}.Warn(log)
		KeySource{Text: "key"}.Warn(log)
		KeySource{Path: path + "x"}.Warn(log)
		if strings.Contains(told.String(), "machine.key") != wide || strings.Count(told.String(), "\n") > 1 {
			t.Errorf("mode %v: %s", mode, told.String())
		}
	}
}
