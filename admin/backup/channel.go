package backup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"goldfish/license"
	"goldfish/license/fault"
)

// Where a running appliance takes orders on its control line.
const (
	backupsPath = "/backups"
	prunePath   = "/backups/prune"
	compactPath = "/file/compact"
)

// answer is what the control line says: what was made, or why nothing was.
type answer struct {
	Report *Report        `json:"report,omitempty"`
	Pruned *Pruned        `json:"pruned,omitempty"`
	Code   string         `json:"code,omitempty"`
	Args   map[string]any `json:"args,omitempty"`
}

// Handler takes the orders of the appliance's own command line.
func (k *Keeper) Handler() http.Handler {
	mux := http.NewServeMux()
	order := func(path string, do func() (answer, error)) {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, _ *http.Request) {
			out, err := do()
			if err != nil {
				f := Explain(k.dir, err)
				out = answer{Code: f.Code, Args: f.Args}
			}
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(out)
		})
	}
	order(backupsPath, func() (answer, error) {
		r, err := k.Make()
		return answer{Report: r}, err
	})
	order(prunePath, func() (answer, error) {
		p, err := k.Prune(license.System)
		return answer{Pruned: &p}, err
	})
	order(compactPath, func() (answer, error) { return answer{}, k.Compact(license.System) })
	return mux
}

// Doer is an http.Client that reaches a running appliance.
type Doer interface {
	Do(*http.Request) (*http.Response, error)
}

// Order has a running appliance make a backup. Faults: backup_running, those of Make, and control_failed.
func Order(ctx context.Context, line Doer) (*Report, error) {
	out, err := ordered(ctx, line, backupsPath)
	if err == nil && out.Report == nil {
		return nil, cut(errors.New("an empty answer"))
	}
	return out.Report, err
}

// OrderPrune has a running appliance take away the backups that its plan does not keep. Faults: backup_running, those
// of Explain, and control_failed.
func OrderPrune(ctx context.Context, line Doer) (Pruned, error) {
	out, err := ordered(ctx, line, prunePath)
	if err == nil && out.Pruned == nil {
		err = cut(errors.New("an empty answer"))
	}
	if err != nil {
		return Pruned{}, err
	}
	return *out.Pruned, nil
}

// OrderCompact has a running appliance compact its file. Faults: backup_running, those of Explain, and control_failed.
func OrderCompact(ctx context.Context, line Doer) error {
	_, err := ordered(ctx, line, compactPath)
	return err
}

// cut is a line on which no sense was heard.
func cut(err error) error {
	return fault.New(fault.Unavailable, "control_failed").With("error", err.Error()).Because(err)
}

func ordered(ctx context.Context, line Doer, path string) (out answer, err error) {
	if err := call(ctx, line, path, &out); err != nil {
		return answer{}, cut(err)
	}
	if out.Code == "" {
		return out, nil
	}
	f := fault.New(fault.Unavailable, out.Code)
	for name, value := range out.Args {
		f = f.With(name, value)
	}
	return answer{}, f
}

func call(ctx context.Context, line Doer, path string, out *answer) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://goldfish"+path, http.NoBody)
	if err != nil {
		return err
	}
	res, err := line.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d: %s", res.StatusCode, bytes.TrimSpace(raw[:min(len(raw), 200)]))
	}
	return json.Unmarshal(raw, out)
}
