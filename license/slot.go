package license

import (
	"context"
	"errors"

	"goldfish/license/password"
	"goldfish/store"
	"goldfish/store/keyring"
)

// holdsSlot says whether an account has a password slot: an owner who may act and whose password is its own. The
// documented first password, and one that somebody else has set, open no file.
func (c *Account) holdsSlot() bool {
	return c.Role == RoleOwner && !c.Disabled && !c.MustChange && len(c.Hash) > 0
}

// draftSlot drafts the slot of a password. It waits its turn for as long as ctx lets it.
func (a *Authority) draftSlot(ctx context.Context, plain string) (*keyring.Draft, error) {
	return draftPassword(ctx, a.slots, plain, a.opts)
}

func draftPassword(ctx context.Context, gate *slotGate, plain string, o Options) (*keyring.Draft, error) {
	text, err := password.Bytes(plain)
	if err != nil {
		return nil, err
	}
	leave, err := gate.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	return keyring.DraftPassword(text, o.Argon, o.Rand)
}

// missingSlot drafts the slot that an account lacks whose password was just proven; nil if it lacks none. A sign-in
// must not fail for it: without a slot the next one tries again.
func (a *Authority) missingSlot(ctx context.Context, c *Account, plain string) *keyring.Draft {
	if c == nil || !c.holdsSlot() {
		return nil
	}
	chest, err := store.Read(a.db, readChest)
	if err != nil {
		a.log.Error("the key ring was not read", "err", err)
		return nil
	}
	if s := chest.Of(uint64(c.ID)); s != nil && !s.Argon.Below(a.opts.Argon) || s == nil && len(chest.Slots) >= keyring.SlotsMost {
		return nil
	}
	draft, err := a.draftSlot(ctx, plain)
	if err != nil {
		a.log.Warn("an owner's slot was not made and will be tried at the next sign-in", "err", err)
	}
	return draft
}

// giveSlot puts the drafted slot in the place of the account's. Where there is no room the account goes without.
func (k *openKeys) giveSlot(tx *store.Tx, who Actor, c *Account, draft *keyring.Draft) error {
	chest, root, err := k.chest(tx)
	if err != nil {
		return err
	}
	gone := chest.Remove(func(s *keyring.Slot) bool { return s.Kind == keyring.Password && s.Owner == uint64(c.ID) })
	var came []*keyring.Slot
	if draft != nil && c.holdsSlot() {
		g := keyring.Grant{Owner: uint64(c.ID), Names: []string{foldName(c.Username), foldName(c.Email)}, Now: tx.Now.UnixMilli()}
		s, err := chest.Add(root, draft, g)
		switch {
		case err == nil:
			came = append(came, s)
		case !errors.Is(err, keyring.ErrFull):
			return err
		}
	}
	if len(gone)+len(came) == 0 {
		return nil
	}
	return keepChest(tx, who, chest, gone, came...)
}

// dropSlot takes the account's slot away: it was disabled or deleted, it lost its role, or its password is no longer
// its own. Call it in the transaction that does so.
func (k *openKeys) dropSlot(tx *store.Tx, who Actor, c *Account) error {
	return k.giveSlot(tx, who, c, nil)
}

// sweepSlots takes away the slots of accounts that may have none (any more), whatever took the right away.
func (a *Authority) sweepSlots() error {
	stray, err := store.Read(a.db, straySlots)
	if err != nil || len(stray) == 0 {
		return err
	}
	return a.db.Update(func(tx *store.Tx) error {
		stray, err := straySlots(tx)
		if err != nil || len(stray) == 0 {
			return err
		}
		chest, _, err := a.keys.chest(tx)
		if err != nil {
			return err
		}
		gone := chest.Remove(func(s *keyring.Slot) bool { return stray[s.ID] })
		return keepChest(tx, System, chest, gone)
	})
}

func straySlots(tx *store.Tx) (map[uint32]bool, error) {
	chest, err := readChest(tx)
	if err != nil {
		return nil, err
	}
	var stray map[uint32]bool
	for _, s := range chest.Slots {
		if s.Kind != keyring.Password {
			continue
		}
		c, err := accounts.Get(tx, store.ID(s.Owner).Key())
		if err != nil && !isNotFound(err) {
			return nil, err
		}
		if err != nil || !c.holdsSlot() {
			if stray == nil {
				stray = map[uint32]bool{}
			}
			stray[s.ID] = true
		}
	}
	return stray, nil
}
