// Package metrics shows how an appliance does in the form that Prometheus reads. Everything is read when it is asked
// for; nothing is counted here. No label holds what a caller or a vendor has written.
package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"goldfish/hub"
	"goldfish/license"
)

// Sources are where the figures come from.
type Sources struct {
	Rules   *license.Authority
	Release string
	// Backups is how the backups stand, and what is going on with them ("" for nothing); nil where there are none.
	Backups func() (s license.BackupState, work string, next time.Time, err error)
	Doors   []Door
}

// Door is one listener: its sockets, and its answers by the first digit of their status (0: cut off).
type Door struct {
	Name    string
	Hub     *hub.Hub
	Answers func() [6]uint64
}

// Handler answers with all figures.
func Handler(s Sources) http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), reader(s))
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 3})
}

// reader is Sources as prometheus asks it.
type reader Sources

// figure describes a metric; its labels are those that read names.
type figure struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

func gauge(name, about string, labels ...string) figure {
	return figure{prometheus.NewDesc("goldfish_"+name, about, labels, nil), prometheus.GaugeValue}
}

func counter(name, about string, labels ...string) figure {
	f := gauge(name, about, labels...)
	f.kind = prometheus.CounterValue
	return f
}

func (f figure) is(out chan<- prometheus.Metric, value float64, labels ...string) {
	out <- prometheus.MustNewConstMetric(f.desc, f.kind, value, labels...)
}

var (
	buildInfo = gauge("build_info", "Always 1; the label says which version runs.", "version")

	backupGood    = gauge("backup_last_success_timestamp_seconds", "When the last good backup ended, Unix time; 0 if there is none.")
	backupEnded   = gauge("backup_last_timestamp_seconds", "When the last backup ended, good or not, Unix time; 0 if there is none.")
	backupFailed  = gauge("backup_last_failed", "1 if the last backup failed, or could not be copied to the second folder.")
	backupBytes   = gauge("backup_bytes", "Length of the last good backup.")
	backupRunning = gauge("backup_running", "1 while a backup is being made.")
	backupNext    = gauge("backup_next_timestamp_seconds", "The next planned backup, Unix time; 0 if none is planned.")
	backupOver    = gauge("backup_over_cap", "1 if the backups exceed their cap though the older ones were thinned.")

	copyWindow = gauge("safe_copy_window_seconds", "How long a plain copy of the running file that begins now may take and still be good.")
	copyWanted = gauge("safe_copy_window_wanted_seconds", "How long that should be; less while the file changes fast.")
	copyPins   = gauge("safe_copy_pins", "States of the file that are kept for plain copies.")
	copyBytes  = gauge("safe_copy_pinned_bytes", "Bytes of the file that only past states need.")
	copyGaps   = counter("safe_copy_gaps_total", "How often all past states were let go at once, so that copies under way may be bad.")

	fileBytes   = gauge("file_bytes", "Length of the data file.")
	fileLow     = gauge("file_low_space", "1 while the disk is full and only what must be written is.")
	fileEpoch   = gauge("file_epoch", "Epoch of the data file: it rises with a restore, another machine, and a clock that fell back.")
	commits     = counter("store_commits_total", "Commits to the data file.")
	ops         = counter("store_ops_total", "Changes that were committed or refused by their own check.")
	failed      = counter("store_failed_total", "Changes that failed.")
	replays     = counter("store_replays_total", "Commits that were run again without a change that failed.")
	commitTime  = counter("store_commit_seconds_total", "Time spent in commits.")
	sockets     = gauge("sockets", "Open WebSockets.", "door")
	socketsMost = gauge("sockets_limit", "How many WebSockets there may be.", "door")
	opened      = counter("sockets_opened_total", "WebSockets that were opened.", "door")
	refused     = counter("sockets_refused_total", "WebSocket handshakes that were refused.", "door")
	cut         = counter("sockets_cut_total", "WebSockets that were closed because they did not read fast enough.", "door")
	dropped     = counter("socket_messages_dropped_total", "Messages that were queued for a WebSocket and never sent.", "door")
	received    = counter("socket_messages_received_total", "Messages received by WebSockets.", "door")
	sent        = counter("socket_messages_sent_total", "Messages sent by WebSockets.", "door")
	sentBytes   = counter("socket_bytes_sent_total", "Bytes sent by WebSockets.", "door")
	answers     = counter("http_answers_total", "Answers to HTTP requests by the class of their status; cut: those that broke off.", "door", "class")

	online = gauge("devices_online", "Devices that are online.")
	bound  = gauge("devices_bound", "Devices that are bound.")
	cards  = gauge("cards", "Card keys by state.", "state")
)

// Describe says nothing: what is shown depends on what there is.
func (reader) Describe(chan<- *prometheus.Desc) {}

// Collect reads everything.
func (r reader) Collect(out chan<- prometheus.Metric) {
	buildInfo.is(out, 1, r.Release)
	r.file(out)
	for what, read := range map[string]func(chan<- prometheus.Metric) error{"cards": r.rows, "backups": r.backups} {
		if err := read(out); err != nil { // a file that is being closed
			out <- prometheus.NewInvalidMetric(prometheus.NewDesc("goldfish_"+what, "", nil, nil), err)
		}
	}
	for _, d := range r.Doors {
		d.collect(out)
	}
}

func (r reader) file(out chan<- prometheus.Metric) {
	db := r.Rules.DB()
	c := db.Copying()
	copyWindow.is(out, c.Window.Seconds())
	copyWanted.is(out, c.Wanted.Seconds())
	copyPins.is(out, float64(c.Pins))
	copyBytes.is(out, float64(c.Bytes))
	copyGaps.is(out, float64(c.Gaps))
	fileBytes.is(out, float64(db.Size()))
	fileLow.is(out, yes(db.Low()))
	fileEpoch.is(out, float64(db.Epoch()))
	s := db.Stats()
	commits.is(out, float64(s.Commits.Load()))
	ops.is(out, float64(s.Ops.Load()))
	failed.is(out, float64(s.Failed.Load()))
	replays.is(out, float64(s.Replays.Load()))
	commitTime.is(out, time.Duration(s.CommitTime.Load()).Seconds())
}

func (r reader) rows(out chan<- prometheus.Metric) error {
	f, err := r.Rules.Figures()
	if err != nil {
		return err
	}
	online.is(out, float64(f.Online))
	bound.is(out, float64(f.Bound))
	for state, n := range map[string]int64{
		"unused": f.Cards.Unused, "active": f.Cards.Active, "expired": f.Cards.Expired, "disabled": f.Cards.Disabled, "deleted": f.Cards.Deleted,
	} {
		cards.is(out, float64(n), state)
	}
	return nil
}

func (r reader) backups(out chan<- prometheus.Metric) error {
	if r.Backups == nil {
		return nil
	}
	s, work, next, err := r.Backups()
	if err != nil {
		return err
	}
	backupGood.is(out, seconds(s.Good))
	backupEnded.is(out, seconds(s.Ended))
	backupFailed.is(out, yes(s.Code != ""))
	backupBytes.is(out, float64(s.Bytes))
	backupRunning.is(out, yes(work == "backup"))
	backupOver.is(out, yes(s.Over))
	if next.IsZero() {
		next = time.UnixMilli(0)
	}
	backupNext.is(out, seconds(next.UnixMilli()))
	return nil
}

func (d Door) collect(out chan<- prometheus.Metric) {
	if d.Hub != nil {
		s := d.Hub.Stats()
		sockets.is(out, float64(s.Sockets), d.Name)
		socketsMost.is(out, float64(s.Limit), d.Name)
		opened.is(out, float64(s.Opened), d.Name)
		refused.is(out, float64(s.Refused), d.Name)
		cut.is(out, float64(s.Cut), d.Name)
		dropped.is(out, float64(s.Dropped), d.Name)
		received.is(out, float64(s.In), d.Name)
		sent.is(out, float64(s.Out), d.Name)
		sentBytes.is(out, float64(s.BytesOut), d.Name)
	}
	if d.Answers == nil {
		return
	}
	for class, n := range d.Answers() {
		name := []string{"cut", "1xx", "2xx", "3xx", "4xx", "5xx"}[class]
		answers.is(out, float64(n), d.Name, name)
	}
}

func yes(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// seconds is a time in milliseconds as Prometheus has it.
func seconds(ms int64) float64 { return float64(ms) / 1000 }
