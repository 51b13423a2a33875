package license

import (
	"goldfish/store"
	"goldfish/store/keyring"
)

// KeyringView is what is shown of the key ring: who can open the file, and under which data key it lies.
type KeyringView struct {
	Slots       []SlotView
	RecoverySet bool
	DataKey     uint16
	DataKeyMade int64 // Unix milliseconds; 0: with the file
	Job         ID    // the rotation that is under way, 0 if none is
}

// SlotView is one way to open the file. Account and Username are those of a password's owner.
type SlotView struct {
	ID            uint32
	Kind          string
	Account       ID
	Username      string
	Created, Used int64 // Unix milliseconds; Used 0: never yet
}

// Keyring shows the key ring.
func (a *Authority) Keyring(who Actor) (*KeyringView, error) {
	if err := who.Authorise(ReadKeyring); err != nil {
		return nil, err
	}
	return store.Read(a.db, func(tx *store.Tx) (*KeyringView, error) {
		chest, root, err := a.keys.chest(tx)
		if err != nil {
			return nil, err
		}
		ring, err := chest.Open(root, a.opts.Rand)
		if err != nil {
			return nil, err
		}
		out := &KeyringView{RecoverySet: chest.Has(keyring.Recovery), Job: store.ID(chest.Job)}
		out.DataKey, out.DataKeyMade, _ = ring.DataKey()
		for _, s := range chest.Slots {
			v := SlotView{ID: s.ID, Kind: s.Kind.String(), Account: store.ID(s.Owner), Created: s.Created, Used: s.Used}
			if s.Owner != 0 {
				c, err := accounts.Get(tx, v.Account.Key())
				if err != nil && !isNotFound(err) {
					return nil, err
				}
				if err == nil {
					v.Username = c.Username
				}
			}
			out.Slots = append(out.Slots, v)
		}
		return out, nil
	})
}
