package license

import (
	"errors"
	"strings"

	"goldfish/store"
)

// accountByID gives an account, or session_ended: its id came from a session.
func accountByID(tx *store.Tx, id store.ID) (*Account, error) {
	c, err := accounts.Get(tx, id.Key())
	if errors.Is(err, store.ErrNotFound) {
		return nil, sessionEnded()
	}
	return c, err
}

// Me gives the caller's own account, also before its first password change.
func (a *Authority) Me(who Actor) (*Account, error) {
	if err := who.self(); err != nil {
		return nil, err
	}
	c, err := store.Read(a.db, func(tx *store.Tx) (*Account, error) { return accountByID(tx, who.Account) })
	if err != nil {
		return nil, err
	}
	return c.shown(), nil
}

// AccountFilter says which accounts are wanted: Query is a part of a user name or e-mail address in any
// typing (empty: all), Role 0 is any, Before is the cursor (0: from the newest).
type AccountFilter struct {
	Query  string
	Role   Role
	Before store.ID
}

// matches judges one account; query is folded.
func (f AccountFilter) matches(c *Account, query string) bool {
	if f.Role != 0 && c.Role != f.Role {
		return false
	}
	return query == "" || strings.Contains(foldName(c.Username), query) || strings.Contains(foldName(c.Email), query)
}

// AccountRow is an account in the back office's list.
type AccountRow struct {
	Account  *Account
	Licences int // at most 1,000 are counted
}

const licencesCounted = 1000

// ListAccounts gives up to limit accounts, newest first, and the cursor with which the list goes on (0: it
// is complete). One call looks at a bounded number of accounts, so a page may be short, or even empty, and
// go on.
func (a *Authority) ListAccounts(who Actor, f AccountFilter, limit int) (rows []AccountRow, next store.ID, err error) {
	if err := who.Authorise(ReadAccounts); err != nil {
		return nil, 0, err
	}
	if f.Query, err = line(f.Query, "q", emailMost, false); err != nil {
		return nil, 0, err
	}
	err = a.db.View(func(tx *store.Tx) error {
		rows, next, err = listAccounts(tx, f, limit, scanMost)
		return err
	})
	return rows, next, err
}

// listAccounts looks at no more than scan accounts.
func listAccounts(tx *store.Tx, f AccountFilter, limit, scan int) (rows []AccountRow, next store.ID, err error) {
	query := foldName(f.Query)
	for c, err := range accounts.Scan(tx, backFrom(f.Before)) {
		if err != nil {
			return nil, 0, err
		}
		if len(rows) >= limit || scan <= 0 {
			return rows, next, nil
		}
		scan--
		next = c.ID
		if !f.matches(c, query) {
			continue
		}
		n, err := countLicences(tx, c.ID)
		if err != nil {
			return nil, 0, err
		}
		rows = append(rows, AccountRow{Account: c.shown(), Licences: n})
	}
	return rows, 0, nil
}

func countLicences(tx *store.Tx, account store.ID) (n int, err error) {
	for _, err := range licences.ScanBy(tx, licenceByAccount, store.Range{Prefix: account.Key()}) {
		if err != nil {
			return 0, err
		}
		if n++; n == licencesCounted {
			break
		}
	}
	return n, nil
}
