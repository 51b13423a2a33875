package admin

import (
	"context"
	"log/slog"
	"net"
	"sync"

	"goldfish/admin/config"
	"goldfish/license"
	"goldfish/license/fault"
	"goldfish/license/web"
)

// Appliance is a running Goldfish: one file, two doors.
type Appliance struct {
	Settings config.Serve
	Version  string
	Log      *slog.Logger
	Quiet    *slog.Logger // without the terminal, which gets the failure's one sentence instead
	Web      web.Options  // what both listeners have: log, clock and limit
	// Options are what the file is opened with; create lets a machine key be made where there is none. Without one they
	// come with the fault machine_key_missing.
	Options func(create bool) (license.Options, error)
	// Build makes the two doors over the open file, and what runs beside them. It is called anew each time that the
	// file is opened.
	Build func(a *license.Authority, shown Options) (console, client Door, beside []func(context.Context), err error)
}

// Run works until ctx ends. tell hears each time that somebody can sign in, started once that the appliance has
// started: it serves, waits for its owner, or brings an older file up to date.
//
// What keeps it from starting is a *config.Failure or a fault whose code has a sentence, and is found before
// anything in the file is changed, as far as that can be. Later a file that cannot be opened ends it in the same way,
// after some tries.
func (p Appliance) Run(ctx context.Context, tell func(config.Ready), started func()) (err error) {
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
	o, keyless := p.Options(fresh)
	if keyless != nil && (fresh || fault.Of(keyless).Code != "machine_key_missing") {
		return keyless
	}
	l := &life{
		Appliance: p, opts: o, keyless: keyless, tell: tell, started: sync.OnceFunc(started), standing: &standing{phase: phaseStarting},
		told: config.Ready{
			Version: p.Version, Console: s.ConsoleListen.URL(console.Addr()), Client: s.APIListen.URL(client.Addr()), File: s.File(),
		},
	}
	return l.run(ctx, [2]net.Listener{console, client})
}
