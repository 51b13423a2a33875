package backup

import (
	"path/filepath"
	"strconv"

	"goldfish/license"
)

// Compact makes the file as small as its rows are, and records who wanted it. Calls wait while it runs; a failure
// leaves the file as it was. Faults: those of Start, and of Explain.
func (k *Keeper) Compact(who license.Actor) error {
	if err := k.takeCompact(who); err != nil {
		return err
	}
	defer k.leave()
	return k.compact(who)
}

// StartCompact is Compact in the background. Faults: those of Start.
func (k *Keeper) StartCompact(who license.Actor) error {
	if err := k.takeCompact(who); err != nil {
		return err
	}
	go func() {
		defer k.leave()
		_ = k.compact(who)
	}()
	return nil
}

func (k *Keeper) takeCompact(who license.Actor) error {
	if err := who.Authorise(license.WriteFile); err != nil {
		return err
	}
	return k.take(WorkCompact)
}

func (k *Keeper) compact(who license.Actor) error {
	db := k.a.DB()
	before := db.Size()
	err := fits(before, filepath.Dir(db.Path()))
	if err == nil {
		err = db.Compact()
	}
	if err != nil {
		f := Explain(db.Path(), err)
		complain(k.a, k.o, f)
		return f
	}
	args := map[string]string{"before": strconv.FormatInt(before, 10), "bytes": strconv.FormatInt(db.Size(), 10)}
	return k.a.Record(who, license.Event{Kind: license.SystemCompacted, Level: license.LevelInfo, Args: args})
}
