// Package licensetest builds what a test of the rules needs in a few words: an appliance with an owner, an
// app, keys, customers and devices, on a real file with a clock that the test sets.
package licensetest

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/netip"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"goldfish/license"
	"goldfish/license/verdict"
	"goldfish/store"
	"goldfish/store/keyring"
	"goldfish/store/storetest"
)

// Password is good by all rules; every account of a test has it.
const Password = "Goldfish-2026!"

// MachineKey opens every file that a test makes.
var MachineKey = make([]byte, 32)

// Argon is the cost of password slots in tests: next to nothing.
var Argon = keyring.Argon{Memory: 64, Time: 1, Lanes: 1}

// World is an appliance under test. The owner has changed its first password.
type World struct {
	*license.Authority
	T     testing.TB
	Clock *storetest.Clock
	Path  string
	Owner license.Actor
	// StateDir is where the file's progress is kept outside, "" for nowhere.
	StateDir string
}

// New opens an appliance on a new file and signs its owner in. set changes the options that tests usually have.
func New(t testing.TB, set ...func(*license.Options)) *World {
	t.Helper()
	w := open(t, filepath.Join(t.TempDir(), "goldfish.db"), storetest.NewClock(storetest.Start), set...)
	local := license.Actor{Local: true, Address: netip.MustParseAddr("127.0.0.1")}
	tokens, _, err := w.SignIn(w.T.Context(), local, license.SignInIn{Name: "admin", Password: license.FirstPassword})
	w.Must(err)
	who, err := w.Authenticate(tokens.Access, local.Address, true)
	w.Must(err)
	tokens, _, err = w.ChangePassword(w.T.Context(), who, license.FirstPassword, Password, "")
	w.Must(err)
	w.Owner, err = w.Authenticate(tokens.Access, local.Address, true)
	w.Must(err)
	return w
}

// Open opens the file at path; at the test's end it is closed and nothing in it may be wrong.
func Open(t testing.TB, path string, clock *storetest.Clock) *World {
	t.Helper()
	return OpenWith(t, path, clock, "")
}

// OpenWith is Open with a folder for what is kept outside the file.
func OpenWith(t testing.TB, path string, clock *storetest.Clock, stateDir string) *World {
	t.Helper()
	return open(t, path, clock, func(o *license.Options) { o.StateDir = stateDir })
}

func open(t testing.TB, path string, clock *storetest.Clock, set ...func(*license.Options)) *World {
	t.Helper()
	o := license.Options{
		Clock: clock.Now, Rand: rand.Reader, MachineKey: MachineKey, BcryptCost: 4, Argon: Argon, CacheBytes: 1 << 20, Release: "test",
	}
	for _, change := range set {
		change(&o)
	}
	a, err := license.Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	w := &World{Authority: a, T: t, Clock: clock, Path: path, StateDir: o.StateDir}
	t.Cleanup(func() {
		if _, faults := a.DB().Check(); len(faults) > 0 && a.Ready() == nil {
			t.Errorf("the file has faults: %v", faults)
		}
		if err := a.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return w
}

// Must fails the test on an error.
func (w *World) Must(err error) {
	w.T.Helper()
	if err != nil {
		w.T.Fatalf("unexpected: %v", err)
	}
}

// HoldWriter keeps the file's writer busy until let is called, which returns when it is free again.
func (w *World) HoldWriter() (let func()) {
	held, free, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- w.DB().Update(func(*store.Tx) error {
			close(held)
			<-free
			return nil
		})
	}()
	<-held
	return func() {
		close(free)
		w.Must(<-ended)
	}
}

// App registers an app; policy nil keeps the default.
func (w *World) App(policy *license.Policy) *license.App {
	w.T.Helper()
	app, err := w.CreateApp(w.Owner, license.NewApp{Name: license.Text{ZH: "测试", EN: "Test"}})
	w.Must(err)
	if policy != nil {
		app, err = w.ChangeApp(w.Owner, app.UUID, license.AppChange{Policy: policy})
		w.Must(err)
	}
	return app
}

// Month is what a usual card gives: 30 days on one device.
var Month = license.Terms{Kind: license.Duration, Seconds: 30 * 24 * 3600, Devices: 1}

// Keys generates n cards and gives their keys, oldest first.
func (w *World) Keys(app *license.App, n int, terms license.Terms) []string {
	w.T.Helper()
	batch, job, err := w.CreateBatch(w.Owner, license.NewBatch{App: app.UUID, Count: n, Terms: terms})
	w.Must(err)
	w.Await("the batch", func() bool {
		job, err = w.Job(w.Owner, job.ID)
		w.Must(err)
		return job.State == license.JobDone
	})
	batch, err = w.Batch(w.Owner, batch.ID)
	w.Must(err)
	var keys []string
	w.Must(w.ExportCards(w.Owner, license.CardFilter{Batch: batch}, func(views []license.CardView) error {
		for _, v := range views {
			keys = append(keys, v.Text.Key())
		}
		return nil
	}))
	return keys
}

// Await waits for a condition that other goroutines bring about, and fails the test after a minute.
func (w *World) Await(what string, ok func() bool) {
	w.T.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); {
		if time.Now().After(deadline) {
			w.T.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

var customers atomic.Int64

// Customer registers an account and gives it as a signed-in actor.
func (w *World) Customer() license.Actor {
	w.T.Helper()
	name := fmt.Sprintf("customer%d", customers.Add(1))
	from := license.Actor{Address: netip.MustParseAddr("203.0.113.7")}
	_, err := w.Register(w.T.Context(), from, license.RegisterIn{Username: name, Password: Password})
	w.Must(err)
	tokens, _, err := w.SignIn(w.T.Context(), from, license.SignInIn{Name: name, Password: Password})
	w.Must(err)
	who, err := w.Authenticate(tokens.Access, from.Address, false)
	w.Must(err)
	return who
}

// Device is a customer's machine with its device key and facts.
type Device struct {
	Private         ed25519.PrivateKey
	CPU, Board, MAC string
	Kids            []string
	Session         string
	App             *license.App
	Off             int64 // seconds its clock is off
	world           *World
}

// Device makes a machine; the same n is the same machine with the same key.
func (w *World) Device(app *license.App, n int) *Device {
	seed, session := sha256.Sum256(fmt.Appendf(nil, "device %d", n)), sha256.Sum256(fmt.Appendf(nil, "session %d", n))
	d := &Device{
		Private: ed25519.NewKeyFromSeed(seed[:]), world: w, App: app, Session: verdict.Encode64(session[:16]),
		CPU: fmt.Sprintf("CPU%d", n), Board: fmt.Sprintf("BOARD%d", n), MAC: fmt.Sprintf("00:11:22:33:%02x:%02x", n>>8&255, n&255),
	}
	for _, key := range app.Keys {
		d.Kids = append(d.Kids, verdict.KeyID(key.Public))
	}
	return d
}

// Call makes a signed call of the device: path from /api/v1 on, with what change adds to it.
func (d *Device) Call(path string, change func(*license.DeviceCall)) license.DeviceCall {
	nonce := make([]byte, 16)
	if _, err := rand.Read(nonce); err != nil {
		panic(err)
	}
	c := license.DeviceCall{
		Nonce: verdict.Encode64(nonce), Kids: d.Kids, Version: "1.0.0", Session: d.Session, Platform: "linux-amd64", CPU: d.CPU, Board: d.Board, MAC: d.MAC,
	}
	c.Request = verdict.Request{Method: "POST", Path: path, AppID: d.App.UUID.String(), Time: d.world.Clock.Now().Unix() + d.Off}
	if change != nil {
		change(&c)
	}
	body, err := json.Marshal(map[string]any{"nonce": c.Nonce, "card_key": c.CardKey, "card_id": c.CardID})
	if err != nil {
		panic(err)
	}
	c.Request.Body = body
	c.Proof, c.Request = verdict.MakeProof(d.Private, c.Request)
	return c
}

// Activate activates a key on the device.
func (d *Device) Activate(who license.Actor, key string, change func(*license.DeviceCall)) (*license.DeviceAnswer, error) {
	return d.world.Activate(who, d.Call("/api/v1/card-keys/activate", func(c *license.DeviceCall) {
		c.CardKey = key
		if change != nil {
			change(c)
		}
	}))
}

// Verify asks for a verdict by card id.
func (d *Device) Verify(cardID string) (*license.DeviceAnswer, error) {
	return d.world.Verify(license.Actor{Address: netip.MustParseAddr("203.0.113.7")},
		d.Call("/api/v1/card-keys/verify", func(c *license.DeviceCall) { c.CardID = cardID }))
}

// Read checks a verdict as a client does and gives its claims.
func (d *Device) Read(c license.DeviceCall, token string) verdict.Claims {
	d.world.T.Helper()
	var publics []string
	for _, key := range d.App.Keys {
		publics = append(publics, verdict.Encode64(key.Public))
	}
	pins, err := verdict.NewPins(publics...)
	d.world.Must(err)
	claims, err := verdict.Check(token, verdict.Expect{
		Pins: pins, AppID: d.App.UUID.String(), Nonce: c.Nonce, Req: c.Request.Req(), Key: c.Request.DeviceKey,
	})
	d.world.Must(err)
	return claims
}

// CardOf finds the back office's view of a card key.
func (w *World) CardOf(key string) license.CardView {
	w.T.Helper()
	views, _, err := w.ListCards(w.Owner, license.CardFilter{Key: key, Limit: 1})
	w.Must(err)
	if len(views) != 1 {
		w.T.Fatalf("%d cards have the key", len(views))
	}
	v, err := w.CardByID(w.Owner, views[0].Card.ID)
	w.Must(err)
	return v
}

// OuterID is a card's id as clients and the back office know it.
func (w *World) OuterID(id store.ID) string { return w.IDs().Out(license.NounCard, id) }

// Events gives the kinds of all events about an object, oldest first.
func (w *World) Events(n license.Noun, id store.ID) []license.EventKind {
	w.T.Helper()
	got, err := w.RecentEvents(10_000, 100_000, func(e *license.Event) bool { return e.Noun == n && e.Object == id })
	w.Must(err)
	var out []license.EventKind
	for i := len(got) - 1; i >= 0; i-- {
		out = append(out, got[i].Event.Kind)
	}
	return out
}
