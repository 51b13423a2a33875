package admin

import (
	"context"
	"errors"
	"log/slog"
	"net"

	"goldfish/admin/backup"
	"goldfish/admin/config"
	"goldfish/admin/control"
	"goldfish/license"
)

// Appliance is a running Goldfish: one file, two doors.
type Appliance struct {
	Settings config.Serve
	Version  string
	Log      *slog.Logger
	Quiet    *slog.Logger // without the terminal, which gets the failure's one sentence instead
	// Options are what the file is opened with; fresh says that it will be a new one.
	Options func(fresh bool) (license.Options, error)
	// Build makes the two doors over the open file, without listeners, and what runs beside them.
	Build func(a *license.Authority, shown Options) (console, client Door, beside []func(context.Context), err error)
}

// Run starts the appliance, says so by ready, and works until ctx ends. What keeps it from starting is a
// *config.Failure or a fault whose code has a sentence, and is found before anything in the file is changed,
// as far as that can be.
func (p Appliance) Run(ctx context.Context, ready func(config.Ready)) (err error) {
	defer func() {
		if err != nil {
			p.Quiet.Error("the appliance ends", "err", err)
		}
	}()
	s := p.Settings
	console, err := s.ConsoleListen.Open("--console-listen")
	if err != nil {
		return err
	}
	defer console.Close()
	client, err := s.APIListen.Open("--api-listen")
	if err != nil {
		return err
	}
	defer client.Close()
	fresh := !s.Started()
	if err := s.Beyond(fresh); err != nil {
		return err
	}
	o, err := p.Options(fresh)
	if err != nil {
		return err
	}
	a, err := license.Open(s.File(), o)
	if err != nil {
		return backup.Explain(s.File(), err)
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	stands, err := a.FirstPasswordStands()
	if err = errors.Join(err, s.Beyond(stands)); err != nil {
		return err
	}
	told := config.Ready{Version: p.Version, Console: s.ConsoleListen.URL(console.Addr()), Client: s.APIListen.URL(client.Addr()), File: s.File()}
	if stands {
		told.User, told.Password = license.FirstUsername, license.FirstPassword
	}
	return p.serve(ctx, a, o, [2]net.Listener{console, client}, told, ready)
}

// serve answers at the doors and on the control line until ctx ends.
func (p Appliance) serve(ctx context.Context, a *license.Authority, o license.Options, at [2]net.Listener, told config.Ready, ready func(config.Ready)) error {
	s := p.Settings
	console, client, beside, err := p.Build(a, Options{
		Release: p.Version, Started: o.Clock(), DataFile: s.File(), ConsoleURL: told.Console, ClientURL: told.Client,
	})
	if err != nil {
		return err
	}
	line, err := control.Listen(s.Data, backup.Handler(a, o, s.Backups()))
	if err != nil {
		return backup.Explain(s.Data, err)
	}
	if err := a.Record(license.System, license.Event{Kind: license.SystemStarted, Level: license.LevelInfo}); err != nil {
		p.Log.Error("the start was not recorded", "err", err)
	}
	console.Listener, client.Listener = at[0], at[1]
	console.Handler = Hosts(s.ConsoleListen.Host, console.Handler)
	p.Log.Info("ready", "version", p.Version, "console", told.Console, "client", told.Client, "file", told.File)
	ready(told)
	err = Serve(ctx, p.Log, []Door{console, client}, beside...)
	cut, cancel := context.WithCancel(context.Background())
	cancel()
	if cerr := line.Close(cut); !errors.Is(cerr, context.Canceled) {
		err = errors.Join(err, cerr)
	}
	return err
}
