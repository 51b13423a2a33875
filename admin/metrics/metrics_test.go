package metrics

import (
	"context"
	"errors"
	"maps"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"goldfish/hub"
	"goldfish/license"
	"goldfish/license/licensetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scrape gives every sample by its name and labels, and the names that have a HELP line.
func scrape(t *testing.T, s Sources) (samples map[string]float64, helped []string, text string) {
	t.Helper()
	w := httptest.NewRecorder()
	Handler(s).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	samples = map[string]float64{}
	for line := range strings.Lines(w.Body.String()) {
		line = strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(line, "# HELP "); ok {
			name, about, _ := strings.Cut(rest, " ")
			if helped = append(helped, name); about == "" {
				t.Errorf("%s says nothing of itself", name)
			}
		}
		if strings.HasPrefix(line, "#") {
			continue
		}
		i := strings.LastIndexByte(line, ' ')
		v, err := strconv.ParseFloat(line[i+1:], 64)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		samples[line[:i]] = v
	}
	return samples, helped, w.Body.String()
}

func TestWhatIsShown(t *testing.T) {
	w := licensetest.New(t)
	app := w.App(nil)
	keys := w.Keys(app, 10, licensetest.Month)
	_, err := w.Device(app, 1).Activate(w.Customer(), keys[0], nil)
	w.Must(err)
	h := hub.New(hub.Options{MaxSockets: 7})
	t.Cleanup(func() { w.Must(h.Close(context.WithoutCancel(t.Context()))) })
	next := time.Unix(1_800_000_000, 0)
	s := Sources{
		Rules: w.Authority, Release: "1.2.3", Doors: []Door{{"console", h, func() [6]uint64 { return [6]uint64{1, 0, 20, 3, 4, 5} }}, {Name: "client"}},
		Backups: func() (license.BackupState, string, time.Time, error) {
			return license.BackupState{Good: 1_700_000_000_500, Ended: 1_700_000_001_000, Bytes: 77, Code: "disk_full", Over: true}, "backup", next, nil
		},
	}
	got, helped, _ := scrape(t, s)
	for name, want := range map[string]float64{
		`goldfish_build_info{version="1.2.3"}`: 1, "goldfish_backup_last_success_timestamp_seconds": 1_700_000_000.5, "goldfish_backup_last_timestamp_seconds": 1_700_000_001,
		"goldfish_backup_last_failed": 1, "goldfish_backup_bytes": 77, "goldfish_backup_running": 1, "goldfish_backup_next_timestamp_seconds": 1_800_000_000, "goldfish_backup_over_cap": 1,
		"goldfish_devices_online": 1, "goldfish_devices_bound": 1, `goldfish_cards{state="unused"}`: 9, `goldfish_cards{state="active"}`: 1, `goldfish_cards{state="deleted"}`: 0,
		`goldfish_sockets{door="console"}`: 0, `goldfish_sockets_limit{door="console"}`: 7,
		`goldfish_http_answers_total{class="2xx",door="console"}`: 20, `goldfish_http_answers_total{class="cut",door="console"}`: 1,
		"goldfish_file_bytes": float64(w.DB().Size()), "goldfish_file_epoch": 1, "goldfish_file_low_space": 0, "goldfish_safe_copy_gaps_total": 0,
		"goldfish_store_commits_total": float64(w.DB().Stats().Commits.Load()),
	} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s is %v (%v), want %v", name, v, ok, want)
		}
	}
	for _, name := range []string{
		"goldfish_safe_copy_window_seconds", "goldfish_safe_copy_window_wanted_seconds", "goldfish_safe_copy_pins", "goldfish_safe_copy_pinned_bytes", "goldfish_store_ops_total",
		"goldfish_store_failed_total", "goldfish_store_replays_total", "goldfish_store_commit_seconds_total", "go_goroutines", "process_start_time_seconds",
	} {
		if _, ok := got[name]; !ok {
			t.Errorf("%s is not shown", name)
		}
	}
	if got["goldfish_store_commits_total"] <= 0 || got["goldfish_store_commit_seconds_total"] <= 0 {
		t.Error("nothing was committed")
	}
	if len(slices.Compact(slices.Sorted(slices.Values(helped)))) != len(helped) {
		t.Errorf("a metric is described twice: %v", helped)
	}
}

// Whatever a vendor or a customer writes, it adds no label and no series, and no secret shows.
func TestNoLabelIsMadeUpByAnybody(t *testing.T) {
	w := licensetest.New(t)
	s := Sources{Rules: w.Authority, Release: "1"}
	before, _, _ := scrape(t, s)
	app := w.App(nil)
	keys := w.Keys(app, 5, licensetest.Month)
	_, err := w.Device(app, 1).Activate(w.Customer(), keys[0], nil)
	w.Must(err)
	after, _, text := scrape(t, s)
	label := regexp.MustCompile(`\{(.*)\}`)
	ours := func(m map[string]float64) []string {
		return slices.Sorted(func(yield func(string) bool) {
			for name := range maps.Keys(m) {
				if strings.HasPrefix(name, "goldfish_") && !yield(name) {
					return
				}
			}
		})
	}
	if !slices.Equal(ours(before), ours(after)) {
		t.Errorf("%v, then %v", ours(before), ours(after))
	}
	for name := range after {
		if m := label.FindStringSubmatch(name); m != nil && strings.HasPrefix(name, "goldfish_") && !regexp.MustCompile(`^(version="1"|state="[a-z]+")$`).MatchString(m[1]) {
			t.Errorf("a label of %s", name)
		}
	}
	for _, secret := range append(keys, app.UUID.String(), w.Path, w.DB().UUID().String(), "admin", "customer") {
		if strings.Contains(text, secret) {
			t.Errorf("%s is shown", secret)
		}
	}
}

// What cannot be read does not hide the rest.
func TestAFileThatIsClosing(t *testing.T) {
	w := licensetest.New(t)
	broken := func() (license.BackupState, string, time.Time, error) {
		return license.BackupState{}, "", time.Time{}, errors.New("closed")
	}
	if got, _, _ := scrape(t, Sources{Rules: w.Authority, Release: "1", Backups: broken}); got["goldfish_file_epoch"] != 1 || len(got) < 20 {
		t.Errorf("%v", got)
	}
	w.Must(w.Close())
	got, _, _ := scrape(t, Sources{Rules: w.Authority, Release: "1"})
	if _, ok := got["goldfish_devices_online"]; ok || got["goldfish_file_epoch"] != 1 {
		t.Errorf("%v", got)
	}
}
