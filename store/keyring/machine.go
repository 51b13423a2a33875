package keyring

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// ParseMachineKey reads a machine key as it is written in a file or an environment variable: 64 hex digits,
// blanks around them forgiven. The error names no part of the value.
func ParseMachineKey(text string) ([]byte, error) {
	key, err := hex.DecodeString(strings.TrimSpace(text))
	if err != nil || len(key) != keySize {
		return nil, errors.New("keyring: a machine key is 64 hex digits")
	}
	return key, nil
}

// sealedByOS begins a key file that Windows' data protection has sealed; base64 follows.
const sealedByOS = "dpapi:"

// MachineKeyFile reads the key from path, or makes a new one there (mode 0600, folder 0700) when there is
// no such file, and returns when the disk has it: what is sealed under a key must not outlive it. A file that
// is there but holds no key is an error and stays as it is.
//
// On Windows, where a file's mode says nothing, a new key is sealed by the system for this machine (DPAPI): a copy
// of the file is worth nothing elsewhere. A file with plain digits is read there too.
func MachineKeyFile(path string, rand io.Reader) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err == nil {
		key, err := readKey(string(text))
		if err != nil {
			return nil, fmt.Errorf("%w: %s", err, path)
		}
		return key, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	key, err := fresh(rand, keySize)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	text, err = written(key)
	if err != nil {
		return nil, err
	}
	if err := writeNew(path, string(text)+"\n"); err != nil {
		return nil, err
	}
	return key, nil
}

func readKey(text string) ([]byte, error) {
	sealed, ok := strings.CutPrefix(strings.TrimSpace(text), sealedByOS)
	if !ok {
		return ParseMachineKey(text)
	}
	blob, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil {
		return nil, errors.New("keyring: the machine key is not whole")
	}
	key, err := unprotect(blob)
	if err == nil && len(key) != keySize {
		err = errors.New("keyring: the machine key is not whole")
	}
	return key, err
}

// writeNew makes the file whole or not at all, and never over another.
func writeNew(path, text string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".machine-key-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(text)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	if err := name(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// name gives the file tmp its name, unless another has it. Where the file system has no links, two processes
// that make the same key at the same instant are not told apart.
func name(tmp, path string) error {
	err := os.Link(tmp, path)
	if err == nil || errors.Is(err, os.ErrExist) {
		return err
	}
	if _, err := os.Lstat(path); err == nil {
		return &os.PathError{Op: "create", Path: path, Err: os.ErrExist}
	}
	return os.Rename(tmp, path)
}

// syncDir makes a new name durable. Windows has no such call and needs none; some network file systems
// refuse it.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(filepath.Clean(dir))
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}
