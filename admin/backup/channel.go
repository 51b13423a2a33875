package backup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	"goldfish/license"
	"goldfish/license/fault"
)

// channelPath is where a running appliance takes orders for backups on its control line.
const channelPath = "/backups"

// answer is what the control line says: a report, or why there is none.
type answer struct {
	Report *Report        `json:"report,omitempty"`
	Code   string         `json:"code,omitempty"`
	Args   map[string]any `json:"args,omitempty"`
}

// Handler makes backups of a running appliance into dir, one at a time, for its own command line. What an
// interrupted one has left there goes.
func Handler(a *license.Authority, o license.Options, dir string) http.Handler {
	left, _ := filepath.Glob(filepath.Join(dir, "*.part"))
	for _, path := range left {
		_ = os.Remove(path)
	}
	var running sync.Mutex
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+channelPath, func(w http.ResponseWriter, _ *http.Request) {
		if !running.TryLock() {
			reply(w, nil, fault.New(fault.Conflict, "backup_running"))
			return
		}
		defer running.Unlock()
		r, err := Make(a, o, free(filepath.Join(dir, Name(o.Clock()))))
		reply(w, r, err)
	})
	return mux
}

func reply(w http.ResponseWriter, r *Report, err error) {
	out := answer{Report: r}
	if err != nil {
		f := fault.Of(err)
		out = answer{Code: f.Code, Args: f.Args}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out)
}

// Doer is an http.Client that reaches a running appliance.
type Doer interface {
	Do(*http.Request) (*http.Response, error)
}

// Order has a running appliance make a backup. Faults: backup_running, those of Make, and control_failed.
func Order(ctx context.Context, line Doer) (*Report, error) {
	out, err := order(ctx, line)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "control_failed").With("error", err.Error()).Because(err)
	}
	if out.Code != "" {
		f := fault.New(fault.Unavailable, out.Code)
		for name, value := range out.Args {
			f = f.With(name, value)
		}
		return nil, f
	}
	return out.Report, nil
}

func order(ctx context.Context, line Doer) (*answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://goldfish"+channelPath, http.NoBody)
	if err != nil {
		return nil, err
	}
	res, err := line.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d: %s", res.StatusCode, bytes.TrimSpace(raw[:min(len(raw), 200)]))
	}
	out := new(answer)
	if err := json.Unmarshal(raw, out); err != nil {
		return nil, err
	}
	if out.Report == nil && out.Code == "" {
		return nil, errors.New("an empty answer")
	}
	return out, nil
}
