package keyring

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func ring(t *testing.T) (*Ring, *Root) {
	t.Helper()
	r, root, err := New(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return r, root
}

func TestRingOpensOnlyWithItsRoot(t *testing.T) {
	r, root := ring(t)
	sealed, err := r.Sealed(root)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Open(sealed, root, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(r.Lookup("code", []byte("x")), again.Lookup("code", []byte("x"))) {
		t.Error("the opened ring makes other look-up keys")
	}
	ct, err := r.Seal(nil, []byte("place"), []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := again.Open([]byte("place"), ct); err != nil || string(plain) != "secret" {
		t.Errorf("opened %q, %v", plain, err)
	}
	_, other := ring(t)
	if _, err := Open(sealed, other, rand.Reader); !errors.Is(err, ErrKey) {
		t.Errorf("another root: %v", err)
	}
}

func TestEveryBitOfASealCounts(t *testing.T) {
	r, _ := ring(t)
	aad, plain := []byte("cards\x00\x01"), []byte("ABCD-EFGH-JKLM-NPQR")
	sealed, err := r.Seal([]byte{2}, aad, plain)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, plain[:8]) {
		t.Error("the plain text shows")
	}
	for i := range (len(sealed) - 1) * 8 {
		bad := bytes.Clone(sealed[1:])
		bad[i/8] ^= 1 << (i % 8)
		if _, err := r.Open(aad, bad); !errors.Is(err, ErrKey) {
			t.Fatalf("bit %d flipped: %v", i, err)
		}
	}
	if _, err := r.Open([]byte("cards\x00\x02"), sealed[1:]); !errors.Is(err, ErrKey) {
		t.Errorf("at another place: %v", err)
	}
	for n := range len(sealed) - 1 {
		if _, err := r.Open(aad, sealed[1:1+n]); !errors.Is(err, ErrKey) {
			t.Fatalf("cut to %d: %v", n, err)
		}
	}
}

func TestSealGivesBackAnything(t *testing.T) {
	r, _ := ring(t)
	rapid.Check(t, func(t *rapid.T) {
		aad, plain := rapid.SliceOf(rapid.Byte()).Draw(t, "aad"), rapid.SliceOf(rapid.Byte()).Draw(t, "plain")
		sealed, err := r.Seal(nil, aad, plain)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := r.Open(aad, sealed); err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("%x, %v", got, err)
		}
	})
}

func TestNamesAndPurposesSeparateKeys(t *testing.T) {
	r, _ := ring(t)
	if bytes.Equal(r.Lookup("code", []byte("x")), r.Lookup("email", []byte("x"))) {
		t.Error("two names give one look-up key")
	}
	if bytes.Equal(r.Derive("tokens", 32), r.Derive("ids", 32)) {
		t.Error("two purposes give one key")
	}
	if len(r.Derive("ids", 16)) != 16 {
		t.Error("length")
	}
}

func TestMachineKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "conf", "machine.key")
	first, err := MachineKeyFile(path, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	again, err := MachineKeyFile(path, rand.Reader)
	if err != nil || !bytes.Equal(first, again) {
		t.Errorf("read again: %v", err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := os.WriteFile(path, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := MachineKeyFile(path, rand.Reader); err == nil {
		t.Error("a file without a key was taken")
	}
	if text, _ := os.ReadFile(path); string(text) != "nonsense" {
		t.Error("the file was changed")
	}
}

func TestKeysDoNotPrint(t *testing.T) {
	r, root := ring(t)
	code, err := NewCode(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	draft, err := DraftRecovery(code, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		out := fmt.Sprintf(strings.Repeat(verb+" ", 4), r, root, code, draft)
		if out != "keyring.Ring keyring.Root keyring.Code keyring.Draft " {
			t.Errorf("%s prints %q", verb, out)
		}
	}
}

// A key that Windows sealed is of no use on another machine, and is not taken for something else.
func TestKeyOfWindows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "machine.key")
	for _, text := range []string{"dpapi:AAAA", "dpapi:", "dpapi:!", "DPAPI:AAAA"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := MachineKeyFile(path, rand.Reader); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

func TestMachineKeyFileIsNeverWrittenOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "machine.key")
	keys := make(chan []byte, 8)
	for range cap(keys) {
		go func() {
			key, _ := MachineKeyFile(path, rand.Reader)
			keys <- key
		}()
	}
	want := [][]byte{}
	for range cap(keys) {
		if key := <-keys; key != nil {
			want = append(want, key)
		}
	}
	kept, err := MachineKeyFile(path, rand.Reader)
	if err != nil || len(want) == 0 {
		t.Fatalf("%d callers got a key, then %v", len(want), err)
	}
	for _, key := range want {
		if !bytes.Equal(key, kept) {
			t.Error("a caller was given a key that the file does not hold")
		}
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".machine-key-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
