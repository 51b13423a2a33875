package license

import "goldfish/store"

// Arrival says how a sealed file came to the machine that opens it.
type Arrival bool

// A file was moved if the other machine runs it no more, and also if this one has lost its key. It was copied if the other
// one goes on: then this is an appliance of its own from now on.
const (
	Moved  Arrival = false
	Copied Arrival = true
)

const (
	copyMark   = "copied" // when the file last became another appliance's, Unix milliseconds
	codeCopied = "copied"
)

// above is what the epoch must rise above as well. A copy leaves one out, so that the original may be moved without both
// giving out the same ids.
func (by Arrival) above(tx *store.Tx) uint16 {
	if by == Copied {
		return tx.Epoch() + 1
	}
	return 0
}

// becomeAnother gives a copy an identity of its own, and takes from its plan what it must not share with its original:
// two that prune one folder delete each other's backups. It gives the event of the opening more to tell.
func becomeAnother(tx *store.Tx, who Actor, opening Event) (Event, error) {
	was, err := tx.RenewUUID()
	if err != nil {
		return opening, err
	}
	if err := marks.Put(tx, &Marker{Name: copyMark, Value: tx.Now.UnixMilli()}); err != nil {
		return opening, err
	}
	opening = opening.because(codeCopied).with("original", was.String())
	plan, err := backupPlan.in(tx)
	if err != nil || plan.SecondFolder == "" {
		return opening, err
	}
	plan.SecondFolder = ""
	if err := backupPlan.keep(tx, plan); err != nil {
		return opening, err
	}
	return opening, record(tx, who, about(SystemSetting, 0, 0, 0).because(codeCopied).with("setting", backupPlan.name))
}

// CopiedAt says when the file became an appliance of its own beside the one that it was copied from, in Unix
// milliseconds; 0: never.
func (a *Authority) CopiedAt(who Actor) (int64, error) {
	if err := who.Authorise(ReadFile); err != nil {
		return 0, err
	}
	m, err := store.Read(a.db, func(tx *store.Tx) (*Marker, error) { return markOf(tx, copyMark) })
	if err != nil {
		return 0, err
	}
	return m.Value, nil
}
