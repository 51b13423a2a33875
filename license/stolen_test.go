package license

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"goldfish/store"
	"goldfish/store/keyring"
)

// TestMachineKeyAndFileStolenTogether shows what is not protected, and what then helps. Who has both needs no password. A
// change of keys alone does not shut the machine key out, for it gives the new root to every slot; a new machine key and
// then a change of keys do. What was stolen stays open for ever.
func TestMachineKeyAndFileStolenTogether(t *testing.T) {
	a, clock := people(t)
	changed(t, a)
	mustRegister(t, a, "alice")
	old, fresh := machine('k', clock), machine('n', clock)
	path, stolen := a.db.Path(), copied(t, a)
	root := rootOf(t, a)

	opensWithoutPassword := func(file string, o Options) bool {
		t.Helper()
		b, err := Open(another(t, file), o)
		if errors.Is(err, ErrMachineKey) {
			return false
		}
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		c, err := store.Read(b.db, func(tx *store.Tx) (*Account, error) { return accountFor(tx, "alice") })
		return err == nil && len(c.Hash) > 0
	}
	if !opensWithoutPassword(stolen, old) {
		t.Error("file and key do not open: then the documents say too little")
	}
	if opensWithoutPassword(stolen, fresh) {
		t.Error("the file opens without its key")
	}

	mustRotate(t, a)
	if !opensWithoutPassword(copied(t, a), old) {
		t.Error("a change of keys shuts the machine key out: then the documents ask for too much")
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	b := opened(t)(sealedAt(t, path, fresh).SignIn(t.Context(), elsewhere, "admin", goodPassword, Moved)) // its owner took the key away
	if known := rootOf(t, b); opensRing(t, b, known) != nil || opensRing(t, b, root) == nil {
		t.Error("the root is not the one of the first change of keys")
	}
	known := rootOf(t, b) // what the old machine key opened until now
	mustRotate(t, b)
	if after := copied(t, b); opensWithoutPassword(after, old) || !opensWithoutPassword(after, fresh) {
		t.Error("it opens by the old machine key, or not by the new one")
	}
	if opensRing(t, b, known) == nil {
		t.Error("what was known of the file opens it still")
	}
	if b.db.UUID().String() != a.issuer {
		t.Error("it is another appliance")
	}
	if !opensWithoutPassword(stolen, old) {
		t.Error("what was stolen is closed: that cannot be")
	}
}

func rootOf(t *testing.T, a *Authority) *keyring.Root {
	t.Helper()
	root, err := store.Read(a.db, func(tx *store.Tx) (*keyring.Root, error) {
		_, root, err := a.keys.chest(tx)
		return root, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// opensRing says whether a root opens the file's ring as it is now.
func opensRing(t *testing.T, a *Authority, root *keyring.Root) error {
	t.Helper()
	chest, err := store.Read(a.db, readChest)
	if err != nil {
		t.Fatal(err)
	}
	_, err = keyring.Open(chest.Ring, root, a.opts.Rand)
	return err
}

// another is a copy of a file that nobody has open.
func another(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	to := filepath.Join(t.TempDir(), "goldfish.db")
	if err == nil {
		err = os.WriteFile(to, raw, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return to
}
