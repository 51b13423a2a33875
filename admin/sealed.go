package admin

import (
	"context"
	"errors"
	"net/http"

	"github.com/go-json-experiment/json"

	"goldfish/admin/backup"
	"goldfish/license"
	"goldfish/license/fault"
	"goldfish/license/web"
)

// opening is an Authority that somebody at the sealed doors has got, on its way to the life cycle; nil where the file
// must be opened anew.
type opening struct {
	owner *license.Authority
	up    chan struct{} // closed when the house over it answers
}

// closedDoors are what answers while no house stands: how the appliance stands, its pages, and 503 to all else. They
// judge a request as the house does: by its origin, its rate, its form.
func (l *life) closedDoors() (doors [3]Door, err error) {
	pages, err := Pages()
	if err != nil {
		return doors, err
	}
	o := l.Web
	o.Closed = l.why
	client := web.New(o)
	web.RegisterStanding(client)
	o.Fallback = waitingRoom(l.standing, pages)
	console := web.New(o)
	web.RegisterStanding(console)
	registerState(console, l.state)
	web.RegisterOpening(console, func(c *web.Call, username, password string, came license.Arrival) (http.Handler, error) {
		err := l.unseal(func(s *license.Sealed) (*license.Authority, error) {
			return s.SignIn(c.Ctx, c.Address(), username, password, came)
		})
		if came == license.Moved && fault.Has(err, web.NotSealed().Code) { // somebody else was first, and it is as it should be
			err = nil
		}
		return &l.console, err
	})
	registerUnseal(console, func(c *web.Call, in *UnsealIn) (StateOut, error) {
		err := l.unseal(func(s *license.Sealed) (*license.Authority, error) {
			return s.Recover(c.Ctx, c.Address(), in.Body.Code, in.Body.Username, in.Body.Password, license.Arrival(in.Body.Copied))
		})
		if err != nil {
			return StateOut{}, err
		}
		return l.state(c.Lang)
	})
	orders := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.MarshalWrite(w, map[string]string{"code": fault.Of(l.why()).Code})
	})
	return [3]Door{{Handler: console}, {Handler: client}, {Handler: orders}}, nil
}

// unseal has the sealed file opened, and returns when the house over it answers. Where one does already, open has done
// nothing: fault not_sealed.
func (l *life) unseal(open func(*license.Sealed) (*license.Authority, error)) error {
	s, ready := l.sealedFile()
	if ready {
		return web.NotSealed()
	}
	if s == nil {
		return l.why()
	}
	a, err := open(s)
	if _, ready := l.sealedFile(); err != nil && ready { // somebody else was first
		return web.NotSealed()
	}
	if err != nil && fault.Of(err).Kind != fault.Internal {
		return err
	}
	o := opening{a, make(chan struct{})}
	select {
	case l.opened <- o: // also after a failure: what the file is by now shows when it is opened anew
	case <-l.over:
		if a != nil {
			err = errors.Join(err, a.Close())
		}
		return errors.Join(err, l.why())
	}
	if err != nil {
		return err
	}
	select {
	case <-o.up:
		return nil
	case <-l.over:
		return l.why()
	}
}

// openSealed opens a file that this machine's key does not open, and waits until its owner has opened it: nil if ctx
// ended first. A file that nobody can open is no better than one that does not open.
func (l *life) openSealed(ctx context.Context) (*license.Authority, error) {
	for {
		s, err := license.OpenSealed(l.told.File, l.openWith())
		if err != nil {
			return nil, backup.Explain(l.told.File, err)
		}
		if !s.HasPassword() && !s.HasRecovery() {
			return nil, errors.Join(backup.Explain(l.told.File, license.ErrMachineKey), s.Close())
		}
		if err := l.hear(); err != nil {
			return nil, errors.Join(err, s.Close())
		}
		a, err := l.await(ctx, s)
		if a != nil || err != nil || ctx.Err() != nil {
			return a, err
		}
		if a, err = license.Open(l.told.File, l.openWith()); !errors.Is(err, license.ErrMachineKey) {
			return a, err
		}
	}
}

// await answers at the sealed doors until the file is opened. It gives nil where it must be opened anew, and when ctx
// ends.
func (l *life) await(ctx context.Context, s *license.Sealed) (*license.Authority, error) {
	told := l.told
	told.Sealed, told.User, told.Password = true, "", ""
	l.setSealed(s)
	l.Log.Warn("the file is sealed: its owner opens it by signing in to the console", "version", l.Version, "console", l.told.Console, "file", l.told.File)
	l.tell(told)
	l.started()
	select {
	case <-ctx.Done():
	case o := <-l.opened:
		l.setStarting()
		if o.owner != nil {
			l.up = o.up
			return o.owner, nil
		}
	}
	return nil, s.Close()
}

// haveKey makes a machine key for a file that came without: it starts sealed. If nobody can open that without the old
// key, none is made, and its absence is the fault.
func (l *life) haveKey() error {
	if l.keyless == nil {
		return nil
	}
	s, err := license.OpenSealed(l.told.File, l.openWith())
	if err != nil {
		return err
	}
	can := s.HasPassword() || s.HasRecovery()
	if err := s.Close(); err != nil || !can {
		return errors.Join(err, l.keyless)
	}
	l.opts, l.keyless = l.Options(true)
	return l.keyless
}
