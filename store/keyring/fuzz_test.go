package keyring

import (
	"crypto/rand"
	"testing"

	"github.com/fxamacker/cbor/v2"
)

func FuzzParseCode(f *testing.F) {
	code, err := NewCode(rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	for _, typed := range []string{code.Text(), "", "O0Il-", "\xff", "０１２"} {
		f.Add(typed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		if got, err := ParseCode(typed); err == nil {
			if again, err := ParseCode(got.Text()); err != nil || !again.Equal(got) {
				t.Errorf("%q is read as a code that is none: %v", typed, err)
			}
		}
	})
}

// Whatever lies in a file where the chest should, nothing panics and nothing but the right secret opens it.
func FuzzChest(f *testing.F) {
	c, _, code := filled(f)
	raw, err := cbor.Marshal(c)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(_ *testing.T, raw []byte) {
		c := &Chest{}
		if cbor.Unmarshal(raw, c) != nil || c.Valid() != nil {
			return
		}
		for _, s := range c.Named("admin") {
			if s.Argon == cheap { // other costs are bounded, and slow
				_, _ = c.OpenPassword(s, good, cheap)
			}
		}
		_, _, _ = c.OpenRecovery(code)
		root, _, err := c.OpenMachine(machineKey)
		if err != nil {
			return
		}
		_, _ = c.Open(root, rand.Reader)
		_, _, _ = c.Renew(root, rand.Reader)
	})
}
