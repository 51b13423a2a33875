package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"goldfish/admin/backup"
	"goldfish/admin/config"
	"goldfish/admin/control"
	"goldfish/license"
	"goldfish/license/fault"
)

// Where a running appliance takes orders about keys and passwords on its control line.
const (
	rotatePath = "/keyring/rotate"
	resetPath  = "/accounts/reset-password"
)

// keyOrder is what the command line says, keyAnswer what it hears: a password, rows, or why there is neither.
type keyOrder struct {
	User string `json:"user,omitempty"`
}

type keyAnswer struct {
	Password string         `json:"password,omitempty"`
	Rows     int            `json:"rows,omitempty"`
	Code     string         `json:"code,omitempty"`
	Args     map[string]any `json:"args,omitempty"`
}

// keyringLine answers the command line's orders about keys and passwords; all others go on to next.
func keyringLine(a *license.Authority, next http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", next)
	order := func(path string, do func(context.Context, *license.Authority, keyOrder) (keyAnswer, error)) {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
			var in keyOrder
			err := json.NewDecoder(io.LimitReader(r.Body, 4096)).Decode(&in)
			if err != nil {
				err = fault.New(fault.Invalid, "usage").With("error", err.Error())
			}
			var out keyAnswer
			if err == nil {
				out, err = do(r.Context(), a, in)
			}
			if err != nil {
				f := backup.Explain(a.DB().Path(), err)
				out = keyAnswer{Code: f.Code, Args: f.Args}
			}
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(out)
		})
	}
	order(rotatePath, rotateAndWait)
	order(resetPath, resetPassword)
	return mux
}

// resetPassword and rotateAndWait are the orders themselves, also where no appliance runs.
func resetPassword(ctx context.Context, a *license.Authority, in keyOrder) (keyAnswer, error) {
	password, err := a.ResetPassword(ctx, license.System, in.User)
	return keyAnswer{Password: password}, err
}

func rotateAndWait(ctx context.Context, a *license.Authority, _ keyOrder) (keyAnswer, error) {
	j, err := a.RotateKeys(ctx, license.System, "")
	if err != nil {
		return keyAnswer{}, err
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for j.State == license.JobRunning {
		select {
		case <-ctx.Done():
			return keyAnswer{}, ctx.Err()
		case <-tick.C:
		}
		if j, err = a.Job(license.System, j.ID); err != nil {
			return keyAnswer{}, err
		}
	}
	if j.State != license.JobDone {
		return keyAnswer{}, fault.New(fault.Internal, "rotation_failed")
	}
	return keyAnswer{Rows: j.Total}, nil
}

// doKeys carries out a command about keys and passwords: by the running appliance, or on the file itself where none
// runs.
func doKeys(ctx context.Context, c *config.Command, open Opener) (string, error) {
	if c.Name == "admin reset-password" {
		in := c.Admin.ResetPassword
		out, err := orderKeys(ctx, in.Place, resetPath, keyOrder{User: in.User}, open, resetPassword)
		if err != nil {
			return "", err
		}
		return config.PasswordReset(in.User, out.Password), nil
	}
	out, err := orderKeys(ctx, c.Keyring.Rotate.Place, rotatePath, keyOrder{}, open, rotateAndWait)
	if err != nil {
		return "", err
	}
	return config.KeysRotated(out.Rows), nil
}

func orderKeys(
	ctx context.Context, p config.Place, path string, in keyOrder, open Opener,
	do func(context.Context, *license.Authority, keyOrder) (keyAnswer, error),
) (keyAnswer, error) {
	line, err := control.Dial(ctx, p.Data)
	if errors.Is(err, control.ErrNobody) {
		return onStopped(ctx, p, in, open, do)
	}
	if err == nil {
		var out keyAnswer
		if out, err = askLine(ctx, line, path, in); err == nil {
			return out, out.failure()
		}
	}
	return keyAnswer{}, config.Fail("control_failed").With("error", err).Because(err)
}

func onStopped(
	ctx context.Context, p config.Place, in keyOrder, open Opener, do func(context.Context, *license.Authority, keyOrder) (keyAnswer, error),
) (keyAnswer, error) {
	var out keyAnswer
	err := onFile(ctx, p, open, func(a *license.Authority, _ license.Options) (err error) {
		out, err = do(ctx, a, in)
		return err
	})
	return out, err
}

// failure is what the appliance could not do, under a code that has a sentence.
func (k keyAnswer) failure() error {
	if k.Code == "" {
		return nil
	}
	f := config.Fail(k.Code)
	for name, value := range k.Args {
		f = f.With(name, value)
	}
	return f
}

func askLine(ctx context.Context, line backup.Doer, path string, in keyOrder) (out keyAnswer, err error) {
	body, err := json.Marshal(in)
	if err != nil {
		return out, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://goldfish"+path, bytes.NewReader(body))
	if err != nil {
		return out, err
	}
	res, err := line.Do(req)
	if err != nil {
		return out, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, 1<<16))
	if err != nil {
		return out, err
	}
	if res.StatusCode != http.StatusOK {
		return out, fmt.Errorf("status %d", res.StatusCode)
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		return out, err
	}
	if out.Code == "" && out.Password == "" && out.Rows == 0 {
		return out, errors.New("an empty answer")
	}
	return out, nil
}
