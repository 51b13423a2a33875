package backup

import (
	"path/filepath"

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
	path := k.a.DB().Path()
	err := fits(k.a.DB().Size(), filepath.Dir(path))
	if err == nil {
		err = k.a.Compact(who)
	}
	if err != nil {
		f := Explain(path, err)
		complain(k.a, k.o, f)
		return f
	}
	return nil
}
