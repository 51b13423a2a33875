package admin

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"goldfish/admin/backup"
	"goldfish/admin/config"
	"goldfish/admin/control"
	"goldfish/license"
	"goldfish/license/fault"
)

// ordered has the running appliance of a place do something, or does it on the file itself where none runs. No
// command line opens the file of a running appliance.
func ordered(ctx context.Context, p config.Place, running func(*control.Client) error, stopped func() error) error {
	line, err := control.Dial(ctx, p.Data)
	if errors.Is(err, control.ErrNobody) {
		return stopped()
	}
	if err != nil {
		return config.Fail("control_failed").With("error", err).Because(err)
	}
	return running(line)
}

// onFile opens the file of an appliance that does not run, checked like at its start, does something and closes it.
func onFile(ctx context.Context, p config.Place, open Opener, do func(*license.Authority, license.Options) error) error {
	if !p.Started() {
		return config.Fail("file_missing").With("path", p.File())
	}
	o, err := open(p)
	if err != nil {
		return err
	}
	o.MustExist, o.StateDir = true, backup.StateFolder(o.StateDir, o.Log)
	checks := backup.NewChecks(p.File(), p.Backups(), o)
	if err := checks.BeforeOpen(ctx, nil); err != nil {
		return err
	}
	a, err := license.Open(p.File(), o)
	if err != nil {
		return backup.Explain(p.File(), err)
	}
	checks.Opened(a)
	err = do(a, o)
	if cerr := a.Close(); cerr != nil {
		return errors.Join(err, backup.Explain(p.File(), cerr))
	}
	checks.Closed()
	return err
}

// onKeeper is onFile for what the keeper of the backups does.
func onKeeper(ctx context.Context, p config.Place, open Opener, do func(*backup.Keeper) error) error {
	return onFile(ctx, p, open, func(a *license.Authority, o license.Options) error {
		k, err := backup.NewKeeper(a, o, p.Backups())
		if err != nil {
			return err
		}
		return do(k)
	})
}

// keyless gives the options for a look at any file: without a machine key where this machine has none yet. One that
// is named on the command line must be there.
func keyless(p config.Place, open Opener) (license.Options, error) {
	o, err := open(p)
	if p.MachineKey == "" && fault.Has(err, "machine_key_missing") {
		err = nil
	}
	return o, err
}

func createBackup(ctx context.Context, c config.BackupCreate, open Opener) (told string, err error) {
	var r *backup.Report
	err = ordered(ctx, c.Place, func(line *control.Client) (err error) {
		if r, err = backup.Order(ctx, line); err == nil && c.Out != "" {
			r, err = backup.Move(r, backup.Target(c.Out, r.Changed))
		}
		return err
	}, func() error {
		return onFile(ctx, c.Place, open, func(a *license.Authority, o license.Options) (err error) {
			out := c.Out
			if out == "" {
				out = c.Backups() + string(filepath.Separator)
			}
			r, err = backup.Make(a, o, backup.Target(out, o.Clock()))
			return err
		})
	})
	if err != nil {
		return "", err
	}
	return kept(r).Made(), nil
}

func kept(r *backup.Report) config.Kept {
	return config.Kept{
		Path: r.Path, Bytes: r.Bytes, SHA256: r.SHA256, Changed: r.Changed, Epoch: r.Epoch, Rows: r.Rows, Newest: r.Newest,
		Schema: r.Schema, Release: r.Release, Opens: r.Seal == backup.SealThis, Sealed: r.Sealed, ByOwner: r.Password || r.Recovery, Clean: r.Clean, Running: r.Running, Faults: r.Faults,
	}
}

func listBackups(p config.Place) (string, error) {
	all, err := backup.List(p.Backups())
	if err != nil {
		return "", err
	}
	if len(all) == 0 {
		return config.NoBackups(p.Backups()), nil
	}
	var lines []string
	for _, e := range all {
		lines = append(lines, config.Kept{Path: e.Path, Bytes: e.Bytes, Changed: e.Changed}.Listed(e.Summed))
	}
	return strings.Join(lines, "\n"), nil
}

func verifyBackup(c config.BackupVerify, open Opener) (string, error) {
	o, err := keyless(c.Place, open)
	if err != nil {
		return "", err
	}
	r, err := backup.Verify(c.File, o)
	if r == nil {
		return "", err
	}
	return kept(r).Looked(), err
}

// verifyFile looks at any file. What is wrong with it is told in full, and which backup to take instead.
func verifyFile(ctx context.Context, c config.Verify, open Opener) (string, error) {
	config.LimitMemory()
	o, err := keyless(c.Place, open)
	if err != nil {
		return "", err
	}
	r, err := backup.Examine(ctx, c.File, o, nil)
	if err != nil {
		return "", err
	}
	if r.Good() {
		return kept(r).Looked(), nil
	}
	code, f := "verify_damaged", config.Fail("")
	if r.Salvageable() {
		code = "verify_older"
		f = f.With("newest", config.Moment(r.Older.Newest))
	}
	folders := append(c.Folders(), backup.KnownFolders(o.StateDir, c.File)...)
	if good := backup.NewestGood(ctx, folders, r.Appliance, o); good != nil && !sameFile(good.Path, c.File) {
		code += "_backup"
		f = f.With("backup", good.Path).With("made", config.Moment(good.Newest))
	}
	f.Code = code
	return kept(r).Looked(), f.With("path", c.File).With("faults", len(r.Faults))
}

func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	y, berr := os.Stat(b)
	return err == nil && berr == nil && os.SameFile(x, y)
}

func restoreBackup(ctx context.Context, c config.BackupRestore, open Opener) (told string, err error) {
	o, err := keyless(c.Place, open)
	if err != nil {
		return "", err
	}
	if c.DryRun {
		r, err := backup.Verify(c.File, o)
		if err != nil {
			return "", err
		}
		return kept(r).Looked() + "\n" + config.DryRun(c.Place.File(), c.Place.Started()), nil
	}
	o.StateDir = backup.StateFolder(o.StateDir, o.Log)
	err = ordered(ctx, c.Place, func(*control.Client) error {
		return config.Fail("backup_running_appliance").With("path", c.Place.File())
	}, func() error {
		r, err := backup.Restore(c.File, c.Place.File(), o)
		if err == nil {
			told = kept(&r.Report).Looked() + "\n" + kept(&r.Report).Restored(r.File, r.Kept)
		}
		return err
	})
	return told, err
}

// compactFile makes the file as small as its rows are; where no appliance runs it is also checked afterwards.
func compactFile(ctx context.Context, p config.Place, open Opener) (string, error) {
	before, err := os.Stat(p.File())
	if err != nil {
		return "", backup.Explain(p.File(), err)
	}
	err = ordered(ctx, p, func(line *control.Client) error {
		return backup.OrderCompact(ctx, line)
	}, func() error {
		return onFile(ctx, p, open, func(a *license.Authority, o license.Options) error {
			k, err := backup.NewKeeper(a, o, p.Backups())
			if err == nil {
				err = k.Compact(license.System)
			}
			if err != nil {
				return err
			}
			_, faults := a.DB().Check()
			for _, err := range faults {
				o.Log.Error("the data file has a fault", "path", p.File(), "err", err)
			}
			if len(faults) > 0 {
				return config.Fail("verify_damaged").With("path", p.File()).With("faults", len(faults)).Because(faults[0])
			}
			return nil
		})
	})
	if err != nil {
		return "", err
	}
	after, err := os.Stat(p.File())
	if err != nil {
		return "", backup.Explain(p.File(), err)
	}
	return config.Compacted(p.File(), before.Size(), after.Size()), nil
}

func pruneBackups(ctx context.Context, p config.Place, open Opener) (string, error) {
	var out backup.Pruned
	err := ordered(ctx, p, func(line *control.Client) (err error) {
		out, err = backup.OrderPrune(ctx, line)
		return err
	}, func() error {
		return onKeeper(ctx, p, open, func(k *backup.Keeper) (err error) {
			out, err = k.Prune(license.System)
			return err
		})
	})
	if err != nil {
		return "", err
	}
	told := config.Pruned(out.Old, out.Thinned, out.Kept, out.Bytes)
	if out.Over {
		told += "\n" + config.OverCap()
	}
	return told, nil
}
