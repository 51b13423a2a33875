package license

import (
	"bytes"
	"context"
	"errors"
	"strings"

	"github.com/google/uuid"

	"goldfish/license/fault"
	"goldfish/license/password"
	"goldfish/store"
	"goldfish/store/keyring"
)

// SignInIn is what somebody gives to sign in. Name is a user name or an e-mail address; App, where it is
// named, becomes one of the customer's apps; Agent is what the client calls itself.
type SignInIn struct {
	Name, Password string
	App            *uuid.UUID
	Agent          string
}

func wrongCredentials() *fault.Error { return fault.New(fault.Unauthenticated, "credentials_wrong") }

// SignIn opens a session (AU1). Unknown name and wrong password get one answer in one time; the documented
// first password is a wrong one anywhere but on the machine itself (AU7). Of more than three sessions the
// oldest gives way. Every refusal is recorded, without the name. An owner that has no slot in the key ring yet
// gets one. Comparing waits its turn for as long as ctx lets it.
//
// Faults: credentials_wrong, account_disabled, app_unknown, busy.
func (a *Authority) SignIn(ctx context.Context, who Actor, in SignInIn) (Tokens, *Account, error) {
	seen, err := store.Read(a.db, func(tx *store.Tx) (*Account, error) { return nobodyIsNil(accountFor(tx, in.Name)) })
	if err != nil {
		return Tokens{}, nil, err
	}
	proven, err := a.proves(ctx, seen, in.Password, who.Local)
	if err != nil {
		return Tokens{}, nil, err
	}
	var slot *keyring.Draft
	if proven {
		slot = a.missingSlot(ctx, seen, in.Password)
	}
	out, err := store.Write(a.db, func(tx *store.Tx) (signedIn, error) {
		c, err := nobodyIsNil(accountFor(tx, in.Name))
		if err != nil {
			return signedIn{}, err
		}
		if refused := admitSignIn(seen, c, proven); refused != nil {
			return signedIn{refused: refused}, record(tx, who, refusedSignIn(c, refused))
		}
		if slot != nil {
			if err := a.keys.giveSlot(tx, who.as(c), c, slot); err != nil {
				return signedIn{}, err
			}
		}
		return a.enter(tx, who.as(c), c, in)
	})
	return out.answer(err)
}

// accountFor finds an account by user name or e-mail address, or store.ErrNotFound.
func accountFor(tx *store.Tx, name string) (*Account, error) {
	if len(name) > emailMost {
		return nil, store.ErrNotFound
	}
	if strings.Contains(name, "@") { // which no user name holds
		return accountByMail(tx, name)
	}
	return accountByName(tx, name)
}

func nobodyIsNil(c *Account, err error) (*Account, error) {
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return c, err
}

// proves says whether plain is the password of c, which is nil for an unknown name. Exactly one bcrypt
// comparison runs whoever it is, so that the time tells nothing.
func (a *Authority) proves(ctx context.Context, c *Account, plain string, local bool) (bool, error) {
	var hash string // none: the pool compares with a decoy
	if c != nil {
		hash = string(c.Hash)
	}
	equal, err := a.passwords.Verify(ctx, hash, plain)
	if err != nil {
		return false, err
	}
	if c != nil && c.onFirstPassword() {
		return password.IsFirst(plain) && local, nil
	}
	return equal && hash != "", nil
}

// admitSignIn judges a sign-in: seen is the account whose password was compared, now the one that stands
// under the name in the deciding transaction. That an account is disabled is told to nobody without the
// right password.
func admitSignIn(seen, now *Account, proven bool) *fault.Error {
	switch {
	case !proven || now == nil || seen == nil || seen.ID != now.ID || !bytes.Equal(seen.Hash, now.Hash):
		return wrongCredentials()
	case now.Disabled:
		return accountDisabled()
	}
	return nil
}

func refusedSignIn(c *Account, why *fault.Error) Event {
	var id store.ID
	if c != nil {
		id = c.ID
	}
	return about(UserLoginRefused, NounAccount, id, 0).at(LevelWarning).because(why.Code)
}

// enter makes room, opens the session and records it.
func (a *Authority) enter(tx *store.Tx, who Actor, c *Account, in SignInIn) (signedIn, error) {
	app, err := a.enterApp(tx, c, in.App)
	if err != nil {
		return signedIn{}, err
	}
	if err := makeRoom(tx, who, c.ID); err != nil {
		return signedIn{}, err
	}
	c.LastLogin = tx.Now.UnixMilli()
	if err := accounts.Put(tx, c); err != nil {
		return signedIn{}, err
	}
	t, err := a.begin(tx, who, c, in.Agent)
	if err != nil {
		return signedIn{}, err
	}
	return signedIn{tokens: t, account: c.shown()}, record(tx, who, about(UserLogin, NounAccount, c.ID, app))
}

// enterApp makes a customer a member of the app it signs in from; it gives the app's inner id, 0 for none.
func (a *Authority) enterApp(tx *store.Tx, c *Account, id *uuid.UUID) (store.ID, error) {
	if id == nil {
		return 0, nil
	}
	app, err := a.appByUUID(tx, *id)
	if err != nil || c.Role != RoleCustomer {
		return 0, err
	}
	return app.ID, a.join(tx, c.ID, app.ID)
}

// makeRoom clears the account's sessions for one more.
func makeRoom(tx *store.Tx, who Actor, account store.ID) error {
	all, err := sessionsOf(tx, account)
	if err != nil {
		return err
	}
	over, yield := crowd(all, tx.Now.UnixMilli(), tx.Epoch())
	for _, s := range over {
		if err := sessions.Delete(tx, s.ID.Key()); err != nil {
			return err
		}
	}
	for _, s := range yield {
		if err := endSession(tx, who, s, LevelInfo, endedByCrowd); err != nil {
			return err
		}
	}
	return nil
}

// crowd sorts an account's sessions, given oldest first, before another one begins: those that are over by
// themselves, and the oldest of the others as far as they must give way.
func crowd(all []*Session, now int64, epoch uint16) (over, yield []*Session) {
	var good []*Session
	for _, s := range all {
		if s.judge(now, epoch) != nil {
			over = append(over, s)
		} else {
			good = append(good, s)
		}
	}
	return over, good[:max(0, len(good)-sessionsMost+1)]
}
