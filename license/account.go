package license

import (
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"

	"goldfish/license/fault"
	"goldfish/license/password"
	"goldfish/store"
)

// The documented first account (AU7). It is good for signing in from the machine itself, once: to choose
// another password.
const (
	FirstUsername = "admin"
	FirstPassword = "admin1314159"
)

// Account is a person who can sign in: a customer, or somebody of the back office. There is one namespace
// for the appliance; apps are joined by Membership. The row lies sealed. Its numbers are never used again.
//
// An Account that a method of Authority hands out carries no Hash.
type Account struct {
	ID       store.ID `cbor:"1,keyasint"`
	UUID     []byte   `cbor:"2,keyasint"` // 16 bytes, for good
	Username string   `cbor:"3,keyasint"` // as it was typed; unique under foldName
	Email    string   `cbor:"4,keyasint,omitempty"`
	Name     string   `cbor:"5,keyasint,omitempty"` // to be shown instead of the user name
	Role     Role     `cbor:"6,keyasint"`
	Disabled bool     `cbor:"7,keyasint,omitempty"`
	// Hash is bcrypt's. It is empty only while the documented first password stands: nothing in the file is
	// ever made from that one.
	Hash            []byte `cbor:"8,keyasint,omitempty"`
	MustChange      bool   `cbor:"9,keyasint,omitempty"` // may do nothing but change its password
	Created         int64  `cbor:"10,keyasint"`
	LastLogin       int64  `cbor:"11,keyasint,omitempty"`
	PasswordChanged int64  `cbor:"12,keyasint,omitempty"` // also when the account was registered
}

// onFirstPassword says whether the documented first password is this account's. An account without a hash
// that is not the first one has no password at all.
func (c *Account) onFirstPassword() bool {
	return len(c.Hash) == 0 && c.MustChange && c.Role == RoleOwner && c.Username == FirstUsername
}

// id is the account's UUID, as clients see it.
func (c *Account) id() (id uuid.UUID) {
	copy(id[:], c.UUID)
	return id
}

// shown is a copy that may leave the package.
func (c *Account) shown() *Account {
	out := *c
	out.Hash = nil
	out.UUID = slices.Clone(c.UUID)
	return &out
}

// Membership says that an account uses an app. Its numbers are never used again.
type Membership struct {
	Account store.ID `cbor:"1,keyasint"`
	App     store.ID `cbor:"2,keyasint"`
	Joined  int64    `cbor:"3,keyasint"`
}

// ensureFirstAccount makes the documented first account in a file that has no account at all.
func (a *Authority) ensureFirstAccount() error {
	id, err := uuid.NewRandomFromReader(a.opts.Rand)
	if err != nil {
		return err
	}
	return a.db.Update(func(tx *store.Tx) error {
		if some, err := hasAccounts(tx); err != nil || some {
			return err
		}
		first := &Account{
			UUID: id[:], Username: FirstUsername, Role: RoleOwner, MustChange: true, Created: tx.Now.UnixMilli(),
		}
		return a.addAccount(tx, System, first, 0)
	})
}

func hasAccounts(tx *store.Tx) (bool, error) {
	for _, err := range accounts.Scan(tx, store.Range{}) {
		return err == nil, err
	}
	return false, nil
}

// FirstPasswordStands says whether the documented first password still opens the back office from this
// machine. As long as it does, nothing may listen beyond it.
func (a *Authority) FirstPasswordStands() (bool, error) {
	return store.Read(a.db, func(tx *store.Tx) (bool, error) {
		first, err := accountByName(tx, FirstUsername)
		if errors.Is(err, store.ErrNotFound) {
			return false, nil
		}
		return err == nil && first.onFirstPassword(), err
	})
}

// RegisterIn is what somebody gives to become a customer. Email may be empty, App nil.
type RegisterIn struct {
	Username, Password, Email string
	App                       *uuid.UUID
}

// check puts the input into its kept form or says which member is wrong.
func (in RegisterIn) check() (RegisterIn, error) {
	var err error
	if in.Username, err = usernameOf(in.Username); err != nil {
		return in, err
	}
	if in.Email, err = emailOf(in.Email); err != nil {
		return in, err
	}
	return in, password.Check(in.Password, in.Username, in.Email)
}

// Register makes a customer's account (AU1, AU5 without e-mail) and, where an app is named, its membership
// there. Anybody may call it. The account is not signed in.
//
// Hashing waits its turn for as long as ctx lets it. Faults: username_invalid, username_taken,
// email_invalid, email_taken, password_weak, app_unknown, busy.
func (a *Authority) Register(ctx context.Context, who Actor, in RegisterIn) (*Account, error) {
	in, err := in.check()
	if err != nil {
		return nil, err
	}
	// Looked up before as well, so that a name that is taken does not cost a hash.
	if err := a.db.View(func(tx *store.Tx) error { _, err := a.admit(tx, in); return err }); err != nil {
		return nil, err
	}
	hash, err := a.passwords.Hash(ctx, in.Password)
	if err != nil {
		return nil, err
	}
	id, err := uuid.NewRandomFromReader(a.opts.Rand)
	if err != nil {
		return nil, err
	}
	return store.Write(a.db, func(tx *store.Tx) (*Account, error) {
		app, err := a.admit(tx, in)
		if err != nil {
			return nil, err
		}
		now := tx.Now.UnixMilli()
		c := &Account{
			UUID: id[:], Username: in.Username, Email: in.Email, Role: RoleCustomer, Hash: []byte(hash),
			Created: now, PasswordChanged: now,
		}
		if err := a.addAccount(tx, who, c, app); err != nil {
			return nil, err
		}
		return c.shown(), nil
	})
}

// admit says whether the name and the e-mail address are free, and gives the app's inner id (0: none named).
func (a *Authority) admit(tx *store.Tx, in RegisterIn) (store.ID, error) {
	if taken, err := isTaken(accountByName(tx, in.Username)); err != nil {
		return 0, err
	} else if taken {
		return 0, fault.New(fault.Conflict, "username_taken").In("username")
	}
	if taken, err := isTaken(accountByMail(tx, in.Email)); err != nil {
		return 0, err
	} else if taken {
		return 0, fault.New(fault.Conflict, "email_taken").In("email")
	}
	if in.App == nil {
		return 0, nil
	}
	app, err := a.appByUUID(tx, *in.App)
	if err != nil {
		return 0, err
	}
	return app.ID, nil
}

func isTaken(_ *Account, err error) (bool, error) {
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// addAccount stores a new account with its id, its membership (app 0: none) and its event.
func (a *Authority) addAccount(tx *store.Tx, who Actor, c *Account, app store.ID) error {
	var err error
	if c.ID, err = accounts.NextID(tx); err != nil {
		return err
	}
	if err := accounts.Put(tx, c); err != nil {
		return err
	}
	if app != 0 {
		if err := a.join(tx, c.ID, app); err != nil {
			return err
		}
	}
	return record(tx, who, about(UserRegister, NounAccount, c.ID, app))
}

// accountByName finds an account by its user name in any typing, or store.ErrNotFound.
func accountByName(tx *store.Tx, name string) (*Account, error) {
	return accountBy(tx, accountByUsername, "account.username", name)
}

// accountByMail finds an account by its e-mail address in any typing, or store.ErrNotFound.
func accountByMail(tx *store.Tx, address string) (*Account, error) {
	return accountBy(tx, accountByEmail, "account.email", address)
}

func accountBy(tx *store.Tx, ix *store.Index[Account], name, value string) (*Account, error) {
	keys, err := lookupKeys(tx, name, foldName(value))
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, store.ErrNotFound
	}
	return accounts.Find(tx, ix, keys[0])
}
