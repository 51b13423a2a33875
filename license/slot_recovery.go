package license

import (
	"context"
	"sync"
	"time"

	"goldfish/license/fault"
	"goldfish/store"
	"goldfish/store/keyring"
)

// codeLife is how long a recovery code waits to be typed again.
const codeLife = 15 * time.Minute

// pendingCodes are recovery codes that were shown and not yet typed again, one per owner. They are in memory alone.
type pendingCodes struct {
	mu sync.Mutex
	by map[store.ID]pendingCode
}

type pendingCode struct {
	code keyring.Code
	made time.Time
}

func (p *pendingCodes) put(owner store.ID, c pendingCode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.by == nil {
		p.by = map[store.ID]pendingCode{}
	}
	p.by[owner] = c
}

// of gives the owner's code if it still waits.
func (p *pendingCodes) of(owner store.ID, now time.Time) (keyring.Code, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, ok := p.by[owner]
	if age := now.Sub(c.made); ok && (age < 0 || age >= codeLife) {
		delete(p.by, owner)
		return keyring.Code{}, false
	}
	return c.code, ok
}

// drop forgets the code, unless another has taken its place.
func (p *pendingCodes) drop(owner store.ID, code keyring.Code) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c, ok := p.by[owner]; ok && c.code.Equal(code) {
		delete(p.by, owner)
	}
}

// RecoveryCode makes a recovery code for an owner who proves the password again. It is shown this once, and opens nothing
// before ConfirmRecoveryCode has had it back, within 15 minutes; an older code stays good until then.
//
// Faults: password_wrong (password), session_ended, busy.
func (a *Authority) RecoveryCode(ctx context.Context, who Actor, password string) (string, error) {
	if err := who.Authorise(WriteKeyring); err != nil {
		return "", err
	}
	if err := a.ConfirmPassword(ctx, who, password); err != nil {
		return "", err
	}
	code, err := keyring.NewCode(a.opts.Rand)
	if err != nil {
		return "", err
	}
	a.codes.put(who.Account, pendingCode{code, a.Now()})
	return code.Text(), nil
}

// ConfirmRecoveryCode puts the caller's new recovery code into force, in place of any older one: typing it again proves
// that it was kept.
//
// Faults: recovery_code_form and recovery_code_other (code), recovery_code_late.
func (a *Authority) ConfirmRecoveryCode(who Actor, typed string) error {
	if err := who.Authorise(WriteKeyring); err != nil {
		return err
	}
	code, err := keyring.ParseCode(typed)
	if err != nil {
		return fault.New(fault.Invalid, "recovery_code_form").In("code")
	}
	want, ok := a.codes.of(who.Account, a.Now())
	if !ok {
		return fault.New(fault.Conflict, "recovery_code_late")
	}
	if !code.Equal(want) {
		return fault.New(fault.Invalid, "recovery_code_other").In("code")
	}
	draft, err := keyring.DraftRecovery(code, a.opts.Rand)
	if err != nil {
		return err
	}
	err = a.db.Update(func(tx *store.Tx) error {
		chest, root, err := a.keys.chest(tx)
		if err != nil {
			return err
		}
		gone := chest.Remove(func(s *keyring.Slot) bool { return s.Kind == keyring.Recovery })
		s, err := chest.Add(root, draft, keyring.Grant{Now: tx.Now.UnixMilli()})
		if err != nil {
			return err
		}
		if err := keepChest(tx, who, chest, gone, s); err != nil {
			return err
		}
		return record(tx, who, about(KeyringRecoverySet, NounAccount, who.Account, 0))
	})
	if err == nil {
		a.codes.drop(who.Account, code)
	}
	return err
}
