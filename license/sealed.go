package license

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"goldfish/license/fault"
	"goldfish/license/password"
	"goldfish/store"
	"goldfish/store/keyring"
)

// Sealed is a file that this machine's key does not open: it was moved, or the key was lost. An owner's password or the
// recovery code opens it. It is safe for concurrent use.
type Sealed struct {
	db     *store.DB
	opts   Options
	chest  *keyring.Chest
	slots  *slotGate
	delays *sealedDelays

	mu   sync.Mutex // held by the one that opens
	over bool       // it has an Authority, or is closed
}

// OpenSealed opens the file at path, which must exist, without its keys. Use it where Open gave ErrMachineKey.
func OpenSealed(path string, o Options) (*Sealed, error) {
	o.MustExist = true
	db, o, err := openFile(path, o)
	if err != nil {
		return nil, err
	}
	chest, err := store.Read(db, readChest)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &Sealed{db: db, opts: o, chest: chest, slots: newSlotGate(), delays: newSealedDelays(o.Clock)}, nil
}

// HasPassword says whether some owner's password opens the file.
func (s *Sealed) HasPassword() bool { return s.chest.Has(keyring.Password) }

// HasRecovery says whether a recovery code opens the file.
func (s *Sealed) HasRecovery() bool { return s.chest.Has(keyring.Recovery) }

// Close closes the file, unless it has an Authority by now, which does that.
func (s *Sealed) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return nil
	}
	s.over = true
	return s.db.Close()
}

// opener is who opens the file, and by which root and slot.
type opener struct {
	who     Actor
	came    Arrival
	root    *keyring.Root
	slot    uint32
	account *Account
	hash    []byte         // of a new password; nil: the password stays
	draft   *keyring.Draft // of its slot
}

// SignIn opens the file with an owner's password. This machine's slot takes the place of another's, the epoch rises, and
// all sessions end, in one transaction; whoever asked signs in at the Authority then. An unknown name and a wrong
// password get one answer for one Argon2id. Wrong ones are recorded, without the name, and the address waits longer
// each time. A file that was copied gets a UUID of its own in the same transaction, and its plan of backups no second
// folder.
//
// Faults: credentials_wrong, account_disabled, rate_limited, busy.
func (s *Sealed) SignIn(ctx context.Context, address netip.Addr, username, plain string, came Arrival) (*Authority, error) {
	return s.attempt(address, came, func() (*opener, error) { return s.byPassword(ctx, username, plain) })
}

// Recover opens the file with the recovery code, and sets another password of an owner: that one signs in with it then.
// Otherwise it is like SignIn.
//
// Faults: recovery_code_form (recovery_code), recovery_wrong, password_weak (new_password), rate_limited, busy.
func (s *Sealed) Recover(ctx context.Context, address netip.Addr, code, username, newPassword string, came Arrival) (*Authority, error) {
	return s.attempt(address, came, func() (*opener, error) { return s.byCode(ctx, code, username, newPassword) })
}

// attempt lets an address try, and records a try that failed.
func (s *Sealed) attempt(address netip.Addr, came Arrival, prove func() (*opener, error)) (*Authority, error) {
	if err := s.delays.try(address); err != nil {
		return nil, err
	}
	by, err := prove()
	if err == nil {
		by.who, by.came = Actor{Kind: ActorAccount, Account: by.account.ID, Role: RoleOwner, Address: address}, came
		return s.open(by)
	}
	f := fault.Of(err)
	if f.Kind != fault.Unauthenticated && f.Kind != fault.Forbidden {
		s.delays.undo(address)
		return nil, err
	}
	e := about(UserLoginRefused, NounAccount, 0, 0).at(LevelWarning).because(f.Code)
	nobody := Actor{Address: address}
	if rerr := s.db.Update(func(tx *store.Tx) error { return record(tx, nobody, e) }); rerr != nil {
		s.opts.Log.Error("a refused sign-in was not recorded", "err", rerr)
	}
	return nil, err
}

// candidatesMost bounds what one attempt costs in a file that somebody has filled with slots of one hint.
const candidatesMost = 4

// byPassword finds whose password it is.
func (s *Sealed) byPassword(ctx context.Context, username, plain string) (*opener, error) {
	text, err := password.Bytes(plain)
	if err != nil {
		return nil, wrongCredentials()
	}
	leave, err := s.slots.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	var candidates []*keyring.Slot
	if len(username) <= emailMost {
		candidates = s.chest.Named(foldName(username))
	}
	wasted := false
	for _, slot := range candidates[:min(len(candidates), candidatesMost)] {
		root, err := s.chest.OpenPassword(slot, text, s.opts.Argon)
		if errors.Is(err, keyring.ErrCost) {
			s.opts.Log.Warn("a slot of the key ring has a cost that is not done", "slot", slot.ID)
			continue
		}
		wasted = true
		if err == nil {
			return s.ownerOf(root, slot, username)
		}
	}
	if !wasted {
		s.opts.Argon.Waste(text)
	}
	return nil, wrongCredentials()
}

// ownerOf gives the account of a slot that opened, if it is still one that may open the file.
func (s *Sealed) ownerOf(root *keyring.Root, slot *keyring.Slot, username string) (*opener, error) {
	if err := s.unlock(root); err != nil {
		return nil, err
	}
	c, err := store.Read(s.db, func(tx *store.Tx) (*Account, error) { return nobodyIsNil(accountFor(tx, username)) })
	switch {
	case err != nil:
		return nil, err
	case c == nil || uint64(c.ID) != slot.Owner:
		return nil, wrongCredentials()
	case c.Disabled:
		return nil, accountDisabled()
	case !c.holdsSlot():
		return nil, wrongCredentials()
	}
	return &opener{root: root, slot: slot.ID, account: c}, nil
}

// unlock lets the sealed rows be read.
func (s *Sealed) unlock(root *keyring.Root) error {
	ring, err := s.chest.Open(root, s.opts.Rand)
	if err == nil {
		s.db.SetSealer(ring)
	}
	return err
}

// byCode proves the recovery code, and hashes the new password.
func (s *Sealed) byCode(ctx context.Context, typed, username, newPassword string) (*opener, error) {
	code, err := keyring.ParseCode(typed)
	if err != nil {
		return nil, fault.New(fault.Invalid, "recovery_code_form").In("recovery_code")
	}
	if err := password.Check(newPassword, username); err != nil {
		return nil, fault.Of(err).In("new_password")
	}
	root, slot, err := s.chest.OpenRecovery(code)
	if err != nil {
		return nil, recoveryWrong()
	}
	if err := s.unlock(root); err != nil {
		return nil, err
	}
	c, err := store.Read(s.db, func(tx *store.Tx) (*Account, error) { return nobodyIsNil(accountFor(tx, username)) })
	if err != nil {
		return nil, err
	}
	if c == nil || c.Role != RoleOwner || c.Disabled {
		return nil, recoveryWrong()
	}
	if err := password.Check(newPassword, c.Username, c.Email); err != nil {
		return nil, fault.Of(err).In("new_password")
	}
	draft, err := draftPassword(ctx, s.slots, newPassword, s.opts)
	if err != nil {
		return nil, err
	}
	hash, err := password.Hash(newPassword, s.opts.BcryptCost)
	if err != nil {
		return nil, err
	}
	return &opener{root: root, slot: slot.ID, account: c, hash: []byte(hash), draft: draft}, nil
}

func recoveryWrong() *fault.Error { return fault.New(fault.Unauthenticated, "recovery_wrong") }

// open makes this machine's slot and gives the file its Authority.
func (s *Sealed) open(by *opener) (*Authority, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over { // somebody else was first
		return nil, fault.New(fault.Unavailable, "busy").After(time.Second)
	}
	ring, err := s.chest.Open(by.root, s.opts.Rand)
	if err != nil {
		return nil, err
	}
	keys := newKeys(ring, by.root)
	draft, err := keyring.DraftMachine(s.opts.MachineKey, s.opts.Rand)
	if err != nil {
		return nil, err
	}
	if err := s.db.Update(func(tx *store.Tx) error { return keys.unseal(tx, by, draft) }); err != nil {
		return nil, err
	}
	s.over = true
	return owned(s.db, s.opts, keys)
}

// unseal is the one transaction of opening: a kill before its end leaves the file sealed, after it open.
func (k *openKeys) unseal(tx *store.Tx, by *opener, machine *keyring.Draft) error {
	if _, err := nextEpoch(tx, by.came.above(tx), true); err != nil { // which ends all sessions; before any event, for it may be a loss
		return err
	}
	if err := k.putMachine(tx, machine); err != nil {
		return err
	}
	c, root, err := k.chest(tx)
	if err != nil {
		return err
	}
	for _, s := range c.Slots {
		if s.ID != by.slot {
			continue
		}
		if err := c.Touch(root, s, tx.Now.UnixMilli()); err != nil {
			return err
		}
	}
	if err := rings.Put(tx, c); err != nil {
		return err
	}
	if by.hash != nil {
		if err := k.recovered(tx, by); err != nil {
			return err
		}
	}
	e := about(SystemUnsealed, NounAccount, by.account.ID, 0).at(LevelWarning)
	if by.came == Copied {
		if e, err = becomeAnother(tx, by.who, e); err != nil {
			return err
		}
	}
	return record(tx, by.who, e)
}

// recovered sets the password of whoever had the recovery code.
func (k *openKeys) recovered(tx *store.Tx, by *opener) error {
	c, err := accounts.Get(tx, by.account.ID.Key())
	if err != nil {
		return err
	}
	c.Hash, c.MustChange, c.PasswordChanged = by.hash, false, tx.Now.UnixMilli()
	if err := accounts.Put(tx, c); err != nil {
		return err
	}
	if err := k.giveSlot(tx, by.who, c, by.draft); err != nil {
		return err
	}
	return record(tx, by.who, about(UserPassword, NounAccount, c.ID, 0).because("recovered").at(LevelWarning))
}
