package license_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"goldfish/license"
	"goldfish/license/licensetest"
	"goldfish/store/storetest"
)

// spotter finds any of many secrets in a text, however it is written: as it is, in another case, in hex, in base64.
type spotter struct {
	by map[[spotLength]byte][]spot // by the first bytes of each form
	n  int                         // secrets
}

type spot struct {
	form   string // the whole of it
	secret string // what it is, without saying it
}

const spotLength = 10

func (s *spotter) add(what string, secrets ...string) {
	if s.by == nil {
		s.by = map[[spotLength]byte][]spot{}
	}
	for i, secret := range secrets {
		s.n++
		name := fmt.Sprintf("%s %d", what, i)
		forms := []string{
			secret, strings.ToLower(secret), strings.ToUpper(secret),
			hex.EncodeToString([]byte(secret)), strings.ToUpper(hex.EncodeToString([]byte(secret))),
		}
		if bare := strings.NewReplacer("-", "", ":", "").Replace(secret); bare != secret {
			forms = append(forms, bare, strings.ToLower(bare), hex.EncodeToString([]byte(bare)))
			forms = append(forms, inBase64(bare)...)
		}
		for _, form := range append(forms, inBase64(secret)...) {
			if len(form) < spotLength {
				panic("too short to be found: " + name)
			}
			key := [spotLength]byte([]byte(form))
			s.by[key] = append(s.by[key], spot{form, name})
		}
	}
}

// inBase64 is the secret as it stands inside a longer text in base64, of which it may begin at any of three places.
func inBase64(secret string) (out []string) {
	for lead := range 3 {
		for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			text := enc.EncodeToString(append(make([]byte, lead), secret...))
			text = text[(lead*8+5)/6:]
			if (lead+len(secret))%3 != 0 {
				text = text[:len(text)-1]
			}
			out = append(out, text)
		}
	}
	return out
}

// find names the secrets that stand in text, each once.
func (s *spotter) find(text []byte) (found []string) {
	seen := map[string]bool{}
	for i := 0; i+spotLength <= len(text); i++ {
		for _, p := range s.by[[spotLength]byte(text[i:])] {
			if !seen[p.secret] && bytes.HasPrefix(text[i:], []byte(p.form)) {
				seen[p.secret] = true
				found = append(found, p.secret)
			}
		}
	}
	return found
}

// lockedBuffer takes a log from many goroutines.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Clone(b.buf.Bytes())
}

// aviary is an appliance full of canaries.
type aviary struct {
	*licensetest.World
	log        lockedBuffer
	spots      spotter
	machineKey []byte
}

func newAviary(t *testing.T) *aviary {
	v := &aviary{machineKey: make([]byte, 32)}
	if _, err := rand.Read(v.machineKey); err != nil {
		t.Fatal(err)
	}
	clock := storetest.NewClock(storetest.Start)
	path := filepath.Join(t.TempDir(), "goldfish.db")
	a, err := license.Open(path, license.Options{
		Clock: clock.Now, Rand: rand.Reader, MachineKey: v.machineKey, BcryptCost: 4, Argon: licensetest.Argon, Release: "test",
		Log: slog.New(slog.NewMultiHandler(
			slog.NewTextHandler(&v.log, &slog.HandlerOptions{Level: slog.LevelDebug}), slog.NewJSONHandler(&v.log, &slog.HandlerOptions{Level: slog.LevelDebug}),
		)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	v.World = &licensetest.World{Authority: a, T: t, Clock: clock, Path: path, Owner: license.System}
	v.spots.add("machine key", string(v.machineKey))
	return v
}

// secret is a canary that is a good password, too.
func secret(what string, n int) string {
	return fmt.Sprintf("Kanarie!%s-%06d-%s", what, n, rand.Text()[:8])
}

// TestCanaries puts 10,000 card keys and hundreds of other secrets through the rules, changes and deletes some of them,
// and finds none in the file, its free pages, a snapshot, the log and the events.
func TestCanaries(t *testing.T) {
	v := newAviary(t)
	v.sellAndDevices()
	v.people()
	v.searched("after the work")
	j, err := v.RotateKeys(t.Context(), license.System, "")
	v.Must(err)
	v.Await("the rotation", func() bool {
		j, err = v.Job(license.System, j.ID)
		v.Must(err)
		return j.State == license.JobDone
	})
	v.searched("after the rotation")
	if v.spots.n < 10_000+500 {
		t.Errorf("only %d secrets", v.spots.n)
	}
	t.Logf("%d secrets in %d forms", v.spots.n, len(v.spots.by))
}

// sellAndDevices makes the card keys, binds devices to some, and changes and deletes others.
func (v *aviary) sellAndDevices() {
	app := v.App(nil)
	for i, key := range app.Keys {
		v.spots.add(fmt.Sprint("signing key ", i), string(key.Seed))
	}
	terms := licensetest.Month
	terms.Devices = 2
	keys := v.Keys(app, 10_000, terms)
	v.spots.add("card key", keys...)
	var ids []string
	for _, key := range keys[500:900] {
		ids = append(ids, v.OuterID(v.CardOf(key).Card.ID))
	}
	for _, act := range []license.CardAct{license.DisableCard, license.EnableCard, license.DeleteCard} {
		_, failed, err := v.ActOnCards(v.Owner, act, ids, "canary")
		if err != nil || len(failed) > 0 {
			v.T.Fatal(failed, err)
		}
	}
	who := v.Customer()
	for i := range 200 {
		d := v.World.Device(app, i)
		d.CPU, d.Board, d.MAC = secret("cpu", i), secret("board", i), fmt.Sprintf("02:7e:%02x:a1:5c:%02x", i>>8+7, i&255)
		v.spots.add("device part", d.CPU, d.Board, d.MAC)
		got, err := d.Activate(who, keys[i], nil)
		v.Must(err)
		if i%3 == 0 {
			_, err := v.Unbind(who, d.Call(unbindPath, func(c *license.DeviceCall) { c.CardID = got.CardID }))
			v.Must(err)
			continue
		}
		_, err = d.Verify(got.CardID)
		v.Must(err)
		if i%10 == 0 { // a stranger's machine, and a key that does not exist
			stranger := v.World.Device(app, 1000+i)
			stranger.CPU, stranger.Board = secret("stranger", i), secret("strange-board", i)
			unknown := "ZZZZ-" + rand.Text()[:4] + "-" + rand.Text()[:4] + "-" + rand.Text()[:4]
			v.spots.add("refused part", stranger.CPU, stranger.Board, unknown)
			_, _ = stranger.Activate(license.Actor{Address: netip.AddrFrom4([4]byte{10, 0, byte(i), 1})}, unknown, nil)
			_, _ = stranger.Verify(got.CardID)
		}
	}
	v.Must(v.FlushRefusals())
	v.Must(v.FlushPresence())
}

// people registers customers with addresses and passwords, changes some, refuses others, and has an owner with a
// recovery code.
func (v *aviary) people() {
	ctx, near := v.T.Context(), license.Actor{Local: true, Address: netip.MustParseAddr("127.0.0.1")}
	as := func(name, password string) license.Actor {
		tokens, _, err := v.SignIn(ctx, near, license.SignInIn{Name: name, Password: password})
		v.Must(err)
		v.spots.add("token", tokens.Access[len(tokens.Access)-43:], tokens.Refresh[len(tokens.Refresh)-43:])
		who, err := v.Authenticate(tokens.Access, near.Address, true)
		v.Must(err)
		return who
	}
	hashes := func() {
		all, err := v.Hashes()
		v.Must(err)
		for _, hash := range all {
			if hash != "" {
				v.spots.add("bcrypt string", hash, hash[7:])
			}
		}
	}
	for i := range 100 {
		name, mail, old, next := fmt.Sprintf("kanarienvogel%03d", i), fmt.Sprintf("kanarie.%03d@voliere-%d.example", i, i), secret("old", i), secret("new", i)
		v.spots.add("person", name, mail, old, next)
		_, err := v.Register(ctx, near, license.RegisterIn{Username: name, Email: mail, Password: old})
		v.Must(err)
		wrong, nobody := secret("wrong", i), fmt.Sprintf("niemand%d@nirgends.example", i)
		v.spots.add("refused", wrong, nobody)
		_, _, _ = v.SignIn(ctx, near, license.SignInIn{Name: mail, Password: wrong})
		_, _, _ = v.SignIn(ctx, near, license.SignInIn{Name: nobody, Password: wrong})
		if i%4 == 0 {
			who := as(name, old)
			if i == 0 {
				hashes()
			}
			_, _, err := v.ChangePassword(ctx, who, old, next, "")
			v.Must(err)
			as(mail, next)
		}
	}
	owner := secret("owner", 0)
	who := as("admin", license.FirstPassword)
	_, _, err := v.ChangePassword(ctx, who, license.FirstPassword, owner, "")
	v.Must(err)
	who = as("admin", owner)
	for range 2 {
		code, err := v.RecoveryCode(ctx, who, owner)
		v.Must(err)
		v.spots.add("recovery code", code)
		v.Must(v.ConfirmRecoveryCode(who, code))
	}
	temporary, err := v.ResetPassword(ctx, license.System, "kanarienvogel001")
	v.Must(err)
	v.spots.add("temporary password", temporary)
	v.spots.add("owner's password", owner)
	hashes()
}

// searched looks everywhere for the secrets.
func (v *aviary) searched(when string) {
	v.T.Helper()
	control := "canary-control-" + when
	v.Must(v.MarkPlainly(control))
	var seen spotter
	seen.add("control", control)
	snapshot := filepath.Join(v.T.TempDir(), "snapshot.db")
	v.Must(v.DB().Snapshot(snapshot))
	for _, path := range []string{v.Path, snapshot} {
		raw, err := os.ReadFile(path)
		v.Must(err)
		if found := v.spots.find(raw); len(found) > 0 {
			v.T.Errorf("%s, %s holds %d secrets: %.20q", when, filepath.Base(path), len(found), found)
		}
		if len(seen.find(raw)) != 1 {
			v.T.Errorf("%s: what lies open in %s is not found: the search proves nothing", when, filepath.Base(path))
		}
	}
	if found := v.spots.find(v.log.bytes()); len(found) > 0 {
		v.T.Errorf("%s, the log holds %.20q", when, found)
	}
	rows, err := v.RecentEvents(1<<20, 1<<20, nil)
	v.Must(err)
	for _, row := range rows {
		raw, err := cbor.Marshal(row.Event)
		v.Must(err)
		if found := v.spots.find(append(raw, fmt.Sprintf("%+v", row.Event)...)); len(found) > 0 {
			v.T.Errorf("%s, an event %v holds %.20q", when, row.Event.Kind, found)
		}
	}
	if len(rows) < 1000 {
		v.T.Errorf("%s, only %d events", when, len(rows))
	}
}

// The search finds each form, at any place.
func TestSpotterFindsEveryForm(t *testing.T) {
	key := "ABCD-EFGH-JKLM-NPQR"
	bare := strings.ReplaceAll(key, "-", "")
	var s spotter
	s.add("key", key)
	for _, text := range []string{
		key, strings.ToLower(key), bare, strings.ToLower(bare), hex.EncodeToString([]byte(key)), strings.ToUpper(hex.EncodeToString([]byte(key))),
		hex.EncodeToString([]byte(bare)), base64.StdEncoding.EncodeToString([]byte(key)), base64.URLEncoding.EncodeToString([]byte("x" + key + "y")),
		base64.RawStdEncoding.EncodeToString([]byte("xy" + key)), base64.StdEncoding.EncodeToString([]byte("xyz" + key + "abc")),
	} {
		if len(s.find([]byte("…"+text+"…"))) != 1 {
			t.Errorf("%q is not found", text)
		}
	}
	if found := s.find([]byte("ABCD-EFGH-JKLM-NPQS abcd efgh jklm npqr")); len(found) > 0 {
		t.Errorf("found %q", found)
	}
}
