package license

import (
	"context"

	"golang.org/x/text/unicode/norm"

	"goldfish/license/fault"
	"goldfish/license/password"
	"goldfish/store"
)

// ChangePassword gives the caller's account another password (AU4, AU7). It ends all its sessions, the
// caller's too, and begins a new one. A wrong old password is recorded. Hashing waits its turn for as long
// as ctx lets it.
//
// Faults: password_wrong (old_password), password_same and password_weak (new_password), session_ended,
// busy.
func (a *Authority) ChangePassword(ctx context.Context, who Actor, old, next, agent string) (Tokens, *Account, error) {
	if err := who.self(); err != nil {
		return Tokens{}, nil, err
	}
	seen, err := store.Read(a.db, func(tx *store.Tx) (*Account, error) { return accountByID(tx, who.Account) })
	if err != nil {
		return Tokens{}, nil, err
	}
	if err := mayBecome(next, old, seen); err != nil {
		return Tokens{}, nil, err
	}
	proven, err := a.proves(ctx, seen, old, who.Local)
	if err != nil {
		return Tokens{}, nil, err
	}
	var hash string
	if proven {
		if hash, err = a.passwords.Hash(ctx, next); err != nil {
			return Tokens{}, nil, err
		}
	}
	out, err := store.Write(a.db, func(tx *store.Tx) (signedIn, error) {
		s, c, err := liveSession(tx, who.Session, who.Local)
		if err != nil {
			return signedIn{}, err
		}
		if s.Account != seen.ID {
			return signedIn{}, sessionEnded()
		}
		// What was compared still stands: another change would have ended this session.
		if !proven {
			wrong := fault.New(fault.Invalid, "password_wrong").In("old_password")
			return signedIn{refused: wrong}, record(tx, who, about(UserPassword, NounAccount, c.ID, 0).at(LevelWarning).because(wrong.Code))
		}
		return a.setPassword(tx, who, c, []byte(hash), agent)
	})
	return out.answer(err)
}

// mayBecome says whether next may become the password of c after old.
func mayBecome(next, old string, c *Account) error {
	if norm.NFC.String(next) == norm.NFC.String(old) {
		return fault.New(fault.Invalid, "password_same").In("new_password")
	}
	if err := password.Check(next, c.Username, c.Email); err != nil {
		return fault.Of(err).In("new_password")
	}
	return nil
}

// setPassword puts the new hash in place of everything that the old password opened.
func (a *Authority) setPassword(tx *store.Tx, who Actor, c *Account, hash []byte, agent string) (signedIn, error) {
	all, err := sessionsOf(tx, c.ID)
	if err != nil {
		return signedIn{}, err
	}
	for _, s := range all {
		if err := endSession(tx, who, s, LevelInfo, endedByPassword); err != nil {
			return signedIn{}, err
		}
	}
	c.Hash, c.MustChange, c.PasswordChanged = hash, false, tx.Now.UnixMilli()
	if err := accounts.Put(tx, c); err != nil {
		return signedIn{}, err
	}
	t, err := a.begin(tx, who, c, agent)
	if err != nil {
		return signedIn{}, err
	}
	return signedIn{tokens: t, account: c.shown()}, record(tx, who, about(UserPassword, NounAccount, c.ID, 0))
}
