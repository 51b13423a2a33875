package license

import (
	"bytes"
	"context"

	"goldfish/license/fault"
	"goldfish/store"
)

// ConfirmPassword has a signed-in account prove its password once more, before a step that cannot be taken back. A
// wrong one is recorded. Hashing waits its turn for as long as ctx lets it.
//
// Faults: password_wrong (password), session_ended, busy.
func (a *Authority) ConfirmPassword(ctx context.Context, who Actor, plain string) error {
	if err := who.self(); err != nil {
		return err
	}
	seen, err := store.Read(a.db, func(tx *store.Tx) (*Account, error) { return accountByID(tx, who.Account) })
	if err != nil {
		return err
	}
	proven, err := a.proves(ctx, seen, plain, who.Local)
	if err != nil {
		return err
	}
	refused := fault.New(fault.Invalid, "password_wrong").In("password")
	if !proven {
		if err := a.Record(who, about(UserPassword, NounAccount, seen.ID, 0).at(LevelWarning).because(refused.Code)); err != nil {
			return err
		}
		return refused
	}
	return a.db.View(func(tx *store.Tx) error {
		_, now, err := liveSession(tx, who.Session, who.Local)
		if err == nil && !bytes.Equal(now.Hash, seen.Hash) {
			err = sessionEnded()
		}
		return err
	})
}
