package license_test

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"goldfish/license"
	"goldfish/license/licensetest"
	"goldfish/license/verdict"
	"goldfish/store"
	"goldfish/store/storetest"
)

func TestMain(m *testing.M) {
	if os.Getenv(crashEnv) != "" {
		activateUntilKilled()
	}
	if os.Getenv(keysEnv) != "" {
		changeKeys()
	}
	if err := flag.Set("rapid.checks", "30"); err != nil { // unless the command line says more
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// TestSchema compares the drawn tree in tables.go with what the code declares.
func TestSchema(t *testing.T) {
	source, err := os.ReadFile("tables.go")
	if err != nil {
		t.Fatal(err)
	}
	var drawn []string
	for _, m := range regexp.MustCompile(`(?m)^//\t(\S.*)$`).FindAllStringSubmatch(string(source), -1) {
		drawn = append(drawn, strings.Join(strings.Fields(m[1]), " "))
	}
	var declared []string
	for _, table := range license.Schema("").Tables {
		for _, l := range table.Describe() {
			declared = append(declared, strings.Join(strings.Fields(l), " "))
		}
	}
	if !slices.Equal(drawn, declared) {
		t.Errorf("tables.go draws\n%s\nbut declares\n%s", strings.Join(drawn, "\n"), strings.Join(declared, "\n"))
	}
}

func TestExpiry(t *testing.T) {
	w := licensetest.New(t)
	app := w.App(nil)
	terms := license.Terms{Kind: license.Duration, Seconds: 3600, Devices: 1}
	keys := w.Keys(app, 3, terms)
	who := w.Customer()
	var ids []string
	for i, key := range keys {
		got, err := w.Device(app, i).Activate(who, key, nil)
		w.Must(err)
		ids = append(ids, got.CardID)
	}
	disabled := w.CardOf(keys[2]).Card.ID
	_, _, err := w.ActOnCards(w.Owner, license.DisableCard, []string{w.OuterID(disabled)}, "")
	w.Must(err)

	w.Clock.Advance(time.Hour - time.Second)
	w.Must(w.SweepExpired())
	if _, err := w.Device(app, 0).Verify(ids[0]); err != nil {
		t.Errorf("a second before its end: %v", err)
	}
	w.Clock.Advance(time.Second)
	if _, err := w.Device(app, 0).Verify(ids[0]); codeOf(err) != "card_expired" {
		t.Errorf("at its end, before any sweep: %v", err)
	}
	for range 3 {
		w.Must(w.SweepExpired())
	}
	for i, key := range keys[:2] {
		v := w.CardOf(key)
		if v.Card.State != license.CardLapsed {
			t.Errorf("card %d is %v", i, v.Card.State)
		}
		if got := w.Events(license.NounCard, v.Card.ID); fmt.Sprint(got) != "[card_key.activated card_key.expired]" {
			t.Errorf("card %d: events %v", i, got)
		}
	}
	_, failed, err := w.ActOnCards(w.Owner, license.EnableCard, []string{w.OuterID(disabled)}, "")
	if err != nil || len(failed) > 0 {
		t.Fatal(err, failed)
	}
	if v := w.CardOf(keys[2]); v.Card.State != license.CardLapsed {
		t.Errorf("a card that ended while it was disabled is %v once enabled", v.Card.State)
	}
}

func TestLeaseNeverOutlivesTheCard(t *testing.T) {
	w := licensetest.New(t)
	app := w.App(nil)
	until := w.Clock.Now().Add(36 * time.Hour).UnixMilli()
	keys := w.Keys(app, 2, license.Terms{Kind: license.Until, Until: until, Devices: 1})
	d := w.Device(app, 1)
	c := d.Call(activatePath, func(c *license.DeviceCall) { c.CardKey = keys[0] })
	a, err := w.Activate(w.Customer(), c)
	claims := want(t, d, c, a, err, "valid", verdict.Run)
	if claims.Expires != until/1000 || claims.Card.Validity != "until" {
		t.Errorf("%+v", claims)
	}
	w.Clock.Advance(36 * time.Hour)
	if _, err := w.Device(app, 2).Activate(w.Customer(), keys[1], nil); codeOf(err) != "card_expired" {
		t.Errorf("an unused card after its date: %v", err)
	}
	if v := w.CardOf(keys[1]); v.State != license.CardLapsed {
		t.Errorf("it shows as %v", v.State)
	}
}

func TestPresence(t *testing.T) {
	w := licensetest.New(t)
	app := w.App(nil)
	key := w.Keys(app, 1, licensetest.Month)[0]
	var heard []bool
	w.OnPresence(func(_ store.ID, online bool) { heard = append(heard, online) })
	d := w.Device(app, 1)
	got, err := d.Activate(w.Customer(), key, nil)
	w.Must(err)
	binding := w.CardOf(key).Bindings[0].Binding.ID
	online := func() bool {
		dv, err := w.Authority.Device(w.Owner, binding)
		w.Must(err)
		return dv.Presence.Online
	}
	for range 5 {
		w.Clock.Advance(5 * time.Minute)
		_, err := d.Verify(got.CardID)
		w.Must(err)
		w.Must(w.SweepOffline())
	}
	if !online() {
		t.Error("a device that beats is offline")
	}
	w.Clock.Advance(15 * time.Minute)
	w.Must(w.SweepOffline())
	if !online() {
		t.Error("offline at 15 minutes sharp; the rule says longer")
	}
	w.Must(w.FlushPresence())
	w.Clock.Advance(time.Second)
	for range 3 {
		w.Must(w.SweepOffline())
	}
	if online() {
		t.Error("online after 15 minutes of silence")
	}
	if got := w.Events(license.NounDevice, binding); fmt.Sprint(got) != "[device.registered device.offline]" {
		t.Errorf("events %v", got)
	}
	_, err = d.Verify(got.CardID)
	w.Must(err)
	if fmt.Sprint(heard) != "[true false true]" {
		t.Errorf("watchers heard %v", heard)
	}
}

func TestPresenceOutlivesARestart(t *testing.T) {
	w := licensetest.New(t)
	app := w.App(nil)
	key := w.Keys(app, 1, licensetest.Month)[0]
	_, err := w.Device(app, 1).Activate(w.Customer(), key, nil)
	w.Must(err)
	binding := w.CardOf(key).Bindings[0].Binding.ID
	w.Must(w.Close())
	again := licensetest.Open(t, w.Path, w.Clock)
	again.Owner = w.Owner
	again.Clock.Advance(15*time.Minute + time.Second)
	again.Must(again.SweepOffline())
	if got := again.Events(license.NounDevice, binding); fmt.Sprint(got) != "[device.registered device.offline]" {
		t.Errorf("events %v", got)
	}
}

func TestAnnouncements(t *testing.T) {
	w := licensetest.New(t)
	one, two := w.App(nil), w.App(nil)
	in := license.NewAnnouncement{
		Type: "notice", Priority: "high", Title: license.Text{ZH: "你好"}, Body: license.Text{ZH: "<b>正文</b>", EN: "Body"},
	}
	draft, err := w.CreateAnnouncement(w.Owner, in)
	w.Must(err)
	seqs := func(app *license.App) []uint64 {
		list, _, err := w.Notices(app.UUID, "", 0, 100)
		w.Must(err)
		out := []uint64{}
		for _, p := range list {
			out = append(out, p.Seq)
		}
		return out
	}
	if len(seqs(one)) != 0 {
		t.Error("a draft was sent")
	}
	_, err = w.PublishAnnouncement(w.Owner, draft.ID)
	w.Must(err)
	if _, err := w.PublishAnnouncement(w.Owner, draft.ID); codeOf(err) != "announcement_not_draft" {
		t.Errorf("published twice: %v", err)
	}
	in.Apps, in.Publish, in.Ends = append(in.Apps, one.UUID), true, w.Clock.Now().Add(time.Hour).UnixMilli()
	only, err := w.CreateAnnouncement(w.Owner, in)
	w.Must(err)
	if fmt.Sprint(seqs(one), seqs(two)) != "[1 2] [1]" {
		t.Errorf("numbers %v %v", seqs(one), seqs(two))
	}
	checkNotice(t, w, one)
	w.Clock.Advance(time.Hour)
	if fmt.Sprint(seqs(one)) != "[1]" {
		t.Errorf("after its end: %v", seqs(one))
	}
	_, err = w.WithdrawAnnouncement(w.Owner, draft.ID)
	w.Must(err)
	if fmt.Sprint(seqs(one), seqs(two)) != "[3] [2]" {
		t.Errorf("after withdrawing: %v %v", seqs(one), seqs(two))
	}
	if _, err := w.WithdrawAnnouncement(w.Owner, draft.ID); codeOf(err) != "announcement_not_published" {
		t.Errorf("withdrawn twice: %v", err)
	}
	if got, err := w.Announcement(w.Owner, only.ID); err != nil || got.StateAt(w.Clock.Now().UnixMilli()) != "expired" {
		t.Errorf("%+v %v", got, err)
	}
}

func checkNotice(t *testing.T, w *licensetest.World, app *license.App) {
	t.Helper()
	for i, key := range app.Keys {
		pins, err := verdict.NewPins(verdict.Encode64(key.Public))
		w.Must(err)
		list, _, err := w.Notices(app.UUID, pins.KeyIDs()[0], 1, 100)
		w.Must(err)
		n, err := verdict.CheckNotice(list[0].Token, pins, app.UUID.String(), 1)
		if err != nil || n.Seq != 2 || n.Kind != "announcement" || !strings.Contains(string(n.Data), `"en":"你好"`) {
			t.Errorf("key %d: %+v %s %v", i, n, n.Data, err)
		}
	}
}

func TestOrders(t *testing.T) {
	w := licensetest.New(t)
	app := w.App(nil)
	keys := w.Keys(app, 2, licensetest.Month)
	d := w.Device(app, 1)
	got, err := d.Activate(w.Customer(), keys[0], nil)
	w.Must(err)
	card := w.CardOf(keys[0]).Card.ID
	_, _, err = w.ActOnCards(w.Owner, license.DisableCard, []string{w.OuterID(card)}, "refund")
	w.Must(err)
	last, err := w.RecentEvents(1, 10, nil)
	w.Must(err)
	orders, err := w.Orders(last[0].Event, func(store.ID) bool { return true })
	w.Must(err)
	if len(orders) != 1 {
		t.Fatalf("%d orders", len(orders))
	}
	token, err := w.SignOrder(orders[0], d.Kids[1])
	w.Must(err)
	pins, err := verdict.NewPins(verdict.Encode64(app.Keys[1].Public))
	w.Must(err)
	o, err := verdict.CheckOrder(token, verdict.ExpectOrder{
		Pins: pins, AppID: app.UUID.String(), Key: d.Call(beatPath, nil).Request.DeviceKey, Epoch: 1, Seq: 0,
	})
	if err != nil || o.Act != verdict.Stop || o.Code != "card_disabled" || o.Card != got.CardID {
		t.Errorf("%+v %v", o, err)
	}
	history := w.CardOf(keys[0]).History
	if h := history[len(history)-1]; h.Kind != license.CardDisabled || h.Why != "refund" {
		t.Errorf("history %+v", history)
	}
	_, _, err = w.ActOnCards(w.Owner, license.DeleteCard, []string{w.OuterID(w.CardOf(keys[1]).Card.ID)}, "")
	w.Must(err)
	last, err = w.RecentEvents(1, 10, nil)
	w.Must(err)
	if orders, err := w.Orders(last[0].Event, func(store.ID) bool { return true }); err != nil || len(orders) != 0 {
		t.Errorf("an unused card gave %v, %v", orders, err)
	}
}

func TestCancelLeavesNothing(t *testing.T) {
	w := licensetest.New(t)
	app := w.App(nil)
	moved := make(chan struct{}, 1)
	w.OnJob(func(j license.Job) {
		if j.Done > 0 {
			select {
			case moved <- struct{}{}:
			default:
			}
		}
	})
	rows := func() map[string]int { n, _ := w.DB().Check(); return n }
	before := rows()
	batch, job, err := w.CreateBatch(w.Owner, license.NewBatch{App: app.UUID, Count: 200_000, Terms: licensetest.Month})
	w.Must(err)
	<-moved
	if got, _, err := w.ListCards(w.Owner, license.CardFilter{Batch: batch, Limit: 10}); err != nil || len(got) != 0 {
		t.Errorf("%d cards show before the batch is ready (%v)", len(got), err)
	}
	_, err = w.CancelJob(w.Owner, job.ID)
	w.Must(err)
	w.Await("the cancelled job", func() bool {
		job, err = w.Job(w.Owner, job.ID)
		w.Must(err)
		return job.State == license.JobCancelled
	})
	after := rows()
	for _, table := range []string{"cards", "card_texts", "batches"} {
		if after[table] != before[table] {
			t.Errorf("%s: %d rows, %d before", table, after[table], before[table])
		}
	}
	if _, err := w.Batch(w.Owner, batch.ID); codeOf(err) != "not_found" {
		t.Errorf("the batch: %v", err)
	}
	if _, err := w.CancelJob(w.Owner, job.ID); codeOf(err) != "job_not_running" {
		t.Errorf("cancelled twice: %v", err)
	}
}

func TestGenerationGoesOnAfterAStop(t *testing.T) {
	w := licensetest.New(t)
	app := w.App(nil)
	moved := make(chan struct{}, 1)
	w.OnJob(func(license.Job) {
		select {
		case moved <- struct{}{}:
		default:
		}
	})
	_, job, err := w.CreateBatch(w.Owner, license.NewBatch{App: app.UUID, Count: 30_000, Terms: licensetest.Month})
	w.Must(err)
	<-moved
	w.Must(w.Close())
	again := licensetest.Open(t, w.Path, w.Clock)
	again.Await("the job", func() bool {
		job, err = again.Job(w.Owner, job.ID)
		again.Must(err)
		return job.State == license.JobDone
	})
	o, err := again.Overview(w.Owner)
	again.Must(err)
	if o.Cards.Unused != 30_000 || o.Cards.Total() != 30_000 {
		t.Errorf("cards %+v", o.Cards)
	}
}

func TestAnotherMachineDoesNotOpenTheFile(t *testing.T) {
	w := licensetest.New(t)
	w.Must(w.Close())
	key := make([]byte, 32)
	key[0] = 1
	_, err := license.Open(w.Path, license.Options{Clock: w.Clock.Now, Rand: rand.Reader, MachineKey: key, BcryptCost: 4})
	if !errors.Is(err, license.ErrMachineKey) {
		t.Errorf("%v", err)
	}
}

func TestFileGivesNothingAway(t *testing.T) {
	w := licensetest.New(t)
	app := w.App(nil)
	keys := w.Keys(app, 200, licensetest.Month)
	d := w.Device(app, 1)
	d.Board = "CANARYBOARD77"
	who := w.Customer()
	_, err := d.Activate(who, keys[0], nil)
	w.Must(err)
	me, err := w.Me(who)
	w.Must(err)
	w.Must(w.Close())
	raw, err := os.ReadFile(w.Path)
	w.Must(err)
	file := string(raw)
	canaries := []string{d.Board, me.Username, string(app.Keys[0].Seed), licensetest.Password}
	for _, key := range keys {
		canaries = append(canaries, key, strings.ReplaceAll(key, "-", ""))
	}
	for _, c := range canaries {
		if strings.Contains(file, c) {
			t.Errorf("the file shows %q", c)
		}
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	w := licensetest.New(t)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); w.Run(ctx) }()
	cancel()
	<-done
}

func TestOpenLeavesAForeignFileAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "goldfish.db")
	if err := os.WriteFile(path, []byte("a letter"), 0o600); err != nil {
		t.Fatal(err)
	}
	clock := storetest.NewClock(storetest.Start)
	_, err := license.Open(path, license.Options{Clock: clock.Now, Rand: rand.Reader, MachineKey: licensetest.MachineKey})
	if !errors.Is(err, store.ErrNotOurs) {
		t.Errorf("%v", err)
	}
	if text, _ := os.ReadFile(path); string(text) != "a letter" {
		t.Error("the file was changed")
	}
}
