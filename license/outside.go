package license

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"goldfish/store"
)

// outside keeps, in a folder apart from the data, how far the file has come. Whoever puts an old copy of the
// file in its place by hand does not put back this record: it shows at the next start.
type outside struct {
	mu   sync.Mutex
	path string // "": there is no such folder
	kept progress
}

// progress is how far a file has come.
type progress struct {
	Appliance string    `json:"appliance"`
	Epoch     uint16    `json:"epoch"`
	Sequence  uint64    `json:"sequence"` // of the newest event
	Time      time.Time `json:"time"`
}

// beyond says whether p has come further than q.
func (p progress) beyond(q progress) bool {
	return p.Epoch > q.Epoch || p.Epoch == q.Epoch && p.Sequence > q.Sequence
}

func (a *Authority) progress() (progress, error) {
	return store.Read(a.db, func(tx *store.Tx) (progress, error) {
		return progress{a.issuer, tx.Epoch(), events.Last(tx), tx.Now.UTC()}, nil
	})
}

// beginOutside holds the file against the record. A file that has not come as far is an old copy put back by
// hand: its epoch rises above the recorded one before anything is given out.
func (a *Authority) beginOutside() error {
	if a.opts.StateDir == "" {
		return nil
	}
	a.outside.path = filepath.Join(a.opts.StateDir, a.issuer+".json")
	now, err := a.progress()
	if err != nil {
		return err
	}
	if kept := a.readOutside(); kept.beyond(now) {
		if err := a.rolledBack(kept.Epoch); err != nil {
			return err
		}
	}
	return a.keepOutside()
}

// readOutside gives the record, an empty one where there is none of this file.
func (a *Authority) readOutside() progress {
	var kept progress
	raw, err := os.ReadFile(a.outside.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		a.log.Warn("the record of how far the file has come cannot be read", "path", a.outside.path, "err", err)
	case json.Unmarshal(raw, &kept) != nil || kept.Appliance != a.issuer:
		a.log.Warn("the record of how far the file has come is damaged and is written anew", "path", a.outside.path)
		return progress{}
	}
	return kept
}

// rolledBack begins an epoch above one that the file should have had, and tells of it.
func (a *Authority) rolledBack(epoch uint16) error {
	next, err := store.Write(a.db, func(tx *store.Tx) (uint16, error) {
		next, err := nextEpoch(tx, epoch, true)
		if err != nil {
			return 0, err
		}
		return next, record(tx, System, about(SystemError, 0, 0, 0).at(LevelError).because(codeRolledBack).with("epoch", seqText(uint64(next))))
	})
	if err == nil {
		a.log.Error("the file is an old copy that was put in the place of a newer one", "epoch", next)
	}
	return err
}

// keepOutside writes how far the file has come, if that is further than what is written. A folder that takes
// nothing stops nobody.
func (a *Authority) keepOutside() error {
	o := &a.outside
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.path == "" {
		return nil
	}
	now, err := a.progress()
	if err != nil || !now.beyond(o.kept) {
		return err
	}
	if found := a.readOutside(); found.beyond(now) {
		a.log.Warn("another process has a newer copy of this file", "path", o.path, "epoch", found.Epoch)
		return nil
	}
	if err := now.write(o.path); err != nil {
		a.log.Warn("how far the file has come could not be written and will be tried again", "path", o.path, "err", err)
		return nil
	}
	o.kept = now
	return nil
}

// write puts the record in its place in one step.
func (p progress) write(path string) error {
	raw, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(append(raw, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
