package license

import (
	"context"
	crand "crypto/rand"
	"io"
	"math/big"
	"strings"

	"golang.org/x/text/unicode/norm"

	"goldfish/license/fault"
	"goldfish/license/password"
	"goldfish/store"
	"goldfish/store/keyring"
)

// ChangePassword gives the caller's account another password (AU4, AU7). It ends all its sessions, the
// caller's too, and begins a new one. An owner's slot in the key ring is exchanged with it; copies of the file that
// were made before still open with the old password. A wrong old password is recorded. Hashing waits its turn for as
// long as ctx lets it.
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
	var made madePassword
	if proven {
		if made, err = a.makePassword(ctx, seen, next); err != nil {
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
		return a.setPassword(tx, who, c, made, agent)
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

// madePassword is what is made of a new password before the transaction that sets it.
type madePassword struct {
	hash []byte
	slot *keyring.Draft // of an owner
}

func (a *Authority) makePassword(ctx context.Context, c *Account, plain string) (out madePassword, err error) {
	hash, err := a.passwords.Hash(ctx, plain)
	if err != nil {
		return out, err
	}
	out.hash = []byte(hash)
	if c.Role == RoleOwner {
		out.slot, err = a.draftSlot(ctx, plain)
	}
	return out, err
}

// setPassword puts the new hash and slot in place of everything that the old password opened.
func (a *Authority) setPassword(tx *store.Tx, who Actor, c *Account, made madePassword, agent string) (signedIn, error) {
	if err := endAllOf(tx, who, c.ID); err != nil {
		return signedIn{}, err
	}
	c.Hash, c.MustChange, c.PasswordChanged = made.hash, false, tx.Now.UnixMilli()
	if err := accounts.Put(tx, c); err != nil {
		return signedIn{}, err
	}
	if err := a.keys.giveSlot(tx, who, c, made.slot); err != nil {
		return signedIn{}, err
	}
	t, err := a.begin(tx, who, c, agent)
	if err != nil {
		return signedIn{}, err
	}
	return signedIn{tokens: t, account: c.shown()}, record(tx, who, about(UserPassword, NounAccount, c.ID, 0))
}

// endAllOf ends the account's sessions because its password is another.
func endAllOf(tx *store.Tx, who Actor, account store.ID) error {
	all, err := sessionsOf(tx, account)
	if err != nil {
		return err
	}
	for _, s := range all {
		if err := endSession(tx, who, s, LevelInfo, endedByPassword); err != nil {
			return err
		}
	}
	return nil
}

// ResetPassword gives an account a password that somebody else has to hand over: whoever signs in with it may do nothing
// but choose another. Its sessions end, and its slot in the key ring goes. Only the appliance itself may, for whoever
// works on its machine. name is a user name or e-mail address.
//
// Faults: permission_denied, account_missing.
func (a *Authority) ResetPassword(ctx context.Context, who Actor, name string) (temporary string, err error) {
	if who.Kind != ActorSystem {
		return "", fault.New(fault.Forbidden, "permission_denied")
	}
	if temporary, err = temporaryPassword(a.opts.Rand); err != nil {
		return "", err
	}
	hash, err := a.passwords.Hash(ctx, temporary)
	if err != nil {
		return "", err
	}
	err = a.db.Update(func(tx *store.Tx) error {
		c, err := accountFor(tx, name)
		if isNotFound(err) {
			return fault.New(fault.NotFound, "account_missing")
		}
		if err != nil {
			return err
		}
		if err := endAllOf(tx, who, c.ID); err != nil {
			return err
		}
		c.Hash, c.MustChange, c.PasswordChanged = []byte(hash), true, tx.Now.UnixMilli()
		if err := accounts.Put(tx, c); err != nil {
			return err
		}
		if err := a.keys.dropSlot(tx, who, c); err != nil {
			return err
		}
		return record(tx, who, about(UserPassword, NounAccount, c.ID, 0).at(LevelWarning).because("reset"))
	})
	if err != nil {
		return "", err
	}
	return temporary, nil
}

// temporaryPassword is four groups of letters and digits that are not mistaken for one another, 90 bits and more, good
// by all rules.
func temporaryPassword(rand io.Reader) (string, error) {
	const letters = "23456789ABCDEFGHJKMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz"
	for {
		var b strings.Builder
		for i := range 20 {
			if i > 0 && i%5 == 0 {
				b.WriteByte('-')
			}
			n, err := crand.Int(rand, big.NewInt(int64(len(letters))))
			if err != nil {
				return "", err
			}
			b.WriteByte(letters[n.Int64()])
		}
		if password.Check(b.String()) == nil {
			return b.String(), nil
		}
	}
}
