package license

import (
	"errors"
	"fmt"
	"maps"
	"sync"

	"goldfish/store"
	"goldfish/store/keyring"
)

// openKeys is the key ring that seals now, and the roots that opened it. A root is found by its turn, so that of two
// changes in one commit the second finds the root that the first has made.
type openKeys struct {
	mu    sync.Mutex
	ring  *keyring.Ring
	roots map[uint32]*keyring.Root
}

func newKeys(ring *keyring.Ring, root *keyring.Root) *openKeys {
	return &openKeys{ring: ring, roots: map[uint32]*keyring.Root{root.Turn(): root}}
}

func (k *openKeys) now() *keyring.Ring {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.ring
}

func (k *openKeys) use(ring *keyring.Ring) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ring = ring
}

func (k *openKeys) learn(root *keyring.Root) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.roots[root.Turn()] = root
}

// forget drops the roots before turn.
func (k *openKeys) forget(turn uint32) {
	k.mu.Lock()
	defer k.mu.Unlock()
	maps.DeleteFunc(k.roots, func(t uint32, _ *keyring.Root) bool { return t < turn })
}

// wipe overwrites the keys once nothing works with them any more.
func (k *openKeys) wipe() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ring.Wipe()
	for _, root := range k.roots {
		root.Wipe()
	}
}

// chest gives the chest as a transaction sees it, with the root that opens it.
func (k *openKeys) chest(tx *store.Tx) (*keyring.Chest, *keyring.Root, error) {
	c, err := readChest(tx)
	if err != nil {
		return nil, nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	root := k.roots[c.Turn]
	if root == nil {
		return nil, nil, fmt.Errorf("license: nobody has opened turn %d of the root", c.Turn)
	}
	return c, root, nil
}

func readChest(tx *store.Tx) (*keyring.Chest, error) {
	c, err := rings.Get(tx, ringKey)
	if err == nil && c.Valid() != nil {
		return nil, fmt.Errorf("%w: the key ring", store.ErrDamaged)
	}
	return c, err
}

// openRing opens the key ring with the machine key, making both ring and slot in a new file.
func openRing(db *store.DB, o Options) (*openKeys, error) {
	chest, err := store.Read(db, readChest)
	if errors.Is(err, store.ErrNotFound) {
		return makeRing(db, o)
	}
	if err != nil {
		return nil, err
	}
	root, slot, err := chest.OpenMachine(o.MachineKey)
	if err != nil {
		return nil, ErrMachineKey
	}
	ring, err := chest.Open(root, o.Rand)
	if err != nil {
		return nil, fmt.Errorf("%w: the key ring", store.ErrDamaged)
	}
	keys := newKeys(ring, root)
	if chest.Vouched(root, slot) {
		return keys, keys.touched(db, slot.ID)
	}
	// A slot of the first form, or one that somebody has changed.
	draft, err := keyring.DraftMachine(o.MachineKey, o.Rand)
	if err != nil {
		return nil, err
	}
	return keys, db.Update(func(tx *store.Tx) error { return keys.putMachine(tx, draft) })
}

// dayMillis is how often it is noted that a slot opened the file.
const dayMillis = 24 * 3600 * 1000

func (k *openKeys) touched(db *store.DB, slot uint32) error {
	return db.Update(func(tx *store.Tx) error {
		c, root, err := k.chest(tx)
		if err != nil {
			return err
		}
		for _, s := range c.Slots {
			if s.ID == slot && tx.Now.UnixMilli()-s.Used >= dayMillis {
				if err := c.Touch(root, s, tx.Now.UnixMilli()); err != nil {
					return err
				}
				return rings.Put(tx, c)
			}
		}
		return nil
	})
}

// putMachine makes the drafted slot the only one of a machine.
func (k *openKeys) putMachine(tx *store.Tx, draft *keyring.Draft) error {
	c, root, err := k.chest(tx)
	if err != nil {
		return err
	}
	gone := c.Remove(func(s *keyring.Slot) bool { return s.Kind == keyring.Machine })
	now := tx.Now.UnixMilli()
	added, err := c.Add(root, draft, keyring.Grant{Now: now})
	if err != nil {
		return err
	}
	if err := c.Touch(root, added, now); err != nil {
		return err
	}
	return keepChest(tx, System, c, gone, added)
}

// keepChest puts the chest back and records which of its slots went and came. Bytes of those that went are still in
// the file's free pages: it wishes for a compaction.
func keepChest(tx *store.Tx, who Actor, c *keyring.Chest, gone []*keyring.Slot, came ...*keyring.Slot) error {
	if err := rings.Put(tx, c); err != nil {
		return err
	}
	for _, s := range gone {
		if err := record(tx, who, slotEvent(KeyringSlotRemoved, s)); err != nil {
			return err
		}
	}
	for _, s := range came {
		if err := record(tx, who, slotEvent(KeyringSlotAdded, s)); err != nil {
			return err
		}
	}
	if len(gone) == 0 {
		return nil
	}
	return wishCompaction(tx)
}

func slotEvent(kind EventKind, s *keyring.Slot) Event {
	noun := NounAccount
	if s.Owner == 0 {
		noun = 0
	}
	return about(kind, noun, store.ID(s.Owner), 0).with("slot", s.Kind.String())
}

func makeRing(db *store.DB, o Options) (*openKeys, error) {
	chest, ring, root, err := keyring.NewChest(o.Rand)
	if err != nil {
		return nil, err
	}
	draft, err := keyring.DraftMachine(o.MachineKey, o.Rand)
	if err != nil {
		return nil, fmt.Errorf("license: no slot for this machine: %w", err)
	}
	err = db.Update(func(tx *store.Tx) error {
		c := *chest
		s, err := c.Add(root, draft, keyring.Grant{Now: tx.Now.UnixMilli()})
		if err != nil {
			return err
		}
		if err := c.Touch(root, s, tx.Now.UnixMilli()); err != nil {
			return err
		}
		return rings.Put(tx, &c)
	})
	return newKeys(ring, root), err
}
