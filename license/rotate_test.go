package license

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"goldfish/license/fault"
	"goldfish/license/token"
	"goldfish/store"
	"goldfish/store/keyring"
)

// mustRotate rotates the keys and waits until that is done.
func mustRotate(t *testing.T, a *Authority) *Job {
	t.Helper()
	j, err := a.RotateKeys(t.Context(), System, "")
	if err != nil {
		t.Fatal(err)
	}
	return ends(t, a, j)
}

func ends(t *testing.T, a *Authority, j *Job) *Job {
	t.Helper()
	moved := make(chan Job, 1)
	a.OnJob(func(j Job) {
		select {
		case moved <- j:
		default:
		}
	})
	limit := time.After(time.Minute)
	for {
		now, err := a.Job(System, j.ID)
		if err != nil {
			t.Fatal(err)
		}
		if now.State != JobRunning {
			return now
		}
		select {
		case <-moved:
		case <-limit:
			t.Fatalf("the rotation stands at %d of %d", now.Done, now.Total)
		}
	}
}

// underKeys counts all sealed rows of the file by the number of their key.
func underKeys(t *testing.T, a *Authority) map[uint16]int {
	t.Helper()
	sum := map[uint16]int{}
	if err := a.db.View(func(tx *store.Tx) error {
		for _, table := range a.sealedTables() {
			rows, _, err := tx.SealedUnder(table, nil, 1<<30)
			if err != nil {
				return err
			}
			for key, n := range rows {
				sum[key] += n
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return sum
}

// crowded registers many customers, so that a rotation takes several steps.
func crowded(t *testing.T, a *Authority, n int) {
	t.Helper()
	if err := a.db.Update(func(tx *store.Tx) error {
		for i := range n {
			c := &Account{
				UUID: fmt.Appendf(nil, "%016d", i), Username: fmt.Sprint("someone", i), Email: fmt.Sprintf("p%d@example.cn", i), Role: RoleCustomer,
				Hash: []byte("x"), Created: tx.Now.UnixMilli(),
			}
			if err := a.addAccount(tx, System, c, 0); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestRotationSealsEverythingAnew(t *testing.T) {
	a, clock := people(t)
	who, code := ownerWithCode(t, a)
	crowded(t, a, 2300)
	before, was := copied(t, a), mustView(t, a)
	stolen, err := store.Read(a.db, func(tx *store.Tx) (*keyring.Root, error) {
		_, root, err := a.keys.chest(tx)
		return root, err
	})
	if err != nil {
		t.Fatal(err)
	}
	clock.Advance(time.Minute)
	if _, err := a.RotateKeys(t.Context(), who, "wrong"); !fault.Has(err, "password_wrong") {
		t.Error(err)
	}
	j, err := a.RotateKeys(t.Context(), who, goodPassword)
	if err != nil || j.Kind.String() != "keyring.rotate" || j.Total < 2300 || j.By != who.Account {
		t.Fatalf("%+v %v", j, err)
	}
	j = ends(t, a, j)
	if j.State != JobDone || j.Done != j.Total || j.Finished == 0 || j.Code != "" {
		t.Errorf("%+v", j)
	}
	is := mustView(t, a)
	if is.DataKey != was.DataKey+1 || is.DataKeyMade != clock.Now().UnixMilli() || is.Job != 0 || len(is.Slots) != len(was.Slots) {
		t.Errorf("%+v", is)
	}
	if rows := underKeys(t, a); len(rows) != 1 || rows[is.DataKey] < 2300 {
		t.Errorf("rows by key: %v", rows)
	}
	if _, faults := a.db.Check(); len(faults) > 0 {
		t.Error(faults)
	}
	chest, err := store.Read(a.db, readChest)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keyring.Open(chest.Ring, stolen, a.opts.Rand); !errors.Is(err, keyring.ErrKey) {
		t.Errorf("the root before opens the ring: %v", err)
	}
	if !opensWith(t, a, "admin", goodPassword) {
		t.Error("the password does not open it any more")
	}
	b := opened(t)(sealedAt(t, copied(t, a), machine('x', clock)).Recover(t.Context(), elsewhere, code, "admin", nextPassword, Moved))
	if rows := underKeys(t, b); len(rows) != 1 {
		t.Errorf("elsewhere: %v", rows)
	}
	opened(t)(sealedAt(t, before, machine('x', clock)).SignIn(t.Context(), elsewhere, "admin", goodPassword, Moved)) // old copies stay as they are
	told := recorded(t, a, KeyringRotated)
	if len(told) != 2 || told[0].Code != "begun" || told[0].ActorID != who.Account || told[1].Code != "" || told[1].Args["data_key"] != "2" {
		t.Errorf("events: %+v", told)
	}
	path := a.db.Path()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	c := opened(t)(Open(path, machine('k', clock)))
	if _, faults := c.db.Check(); len(faults) > 0 {
		t.Error(faults)
	}
}

// Rows that are written while the job runs are sealed under the new key; readers of an older state still read.
func TestRotationUnderWork(t *testing.T) {
	a, _ := people(t)
	changed(t, a)
	crowded(t, a, 1500)
	stop, stopped := make(chan struct{}), make(chan error, 1)
	go func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				stopped <- nil
				return
			default:
			}
			if _, err := a.Register(t.Context(), far, RegisterIn{Username: fmt.Sprint("late", i), Password: goodPassword}); err != nil {
				stopped <- err
				return
			}
		}
	}()
	before, err := a.keys.now().Seal(nil, nil, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	if j := mustRotate(t, a); j.State != JobDone {
		t.Errorf("%+v", j)
	}
	if _, err := a.keys.now().Open(nil, before); err != nil {
		t.Errorf("what a reader of an older state sees does not open: %v", err)
	}
	close(stop)
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if rows := underKeys(t, a); len(rows) != 1 {
		t.Errorf("rows by key: %v", rows)
	}
}

// A second rotation is refused while one runs; it cannot be cancelled; a restart goes on with it.
func TestRotationOutlivesARestart(t *testing.T) {
	a, clock := people(t)
	changed(t, a)
	crowded(t, a, 1200)
	a.jobs.end() // no job of this process runs any more
	j, err := a.RotateKeys(t.Context(), System, "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.RotateKeys(t.Context(), System, "")
	wantFault(t, err, fault.Conflict, "rotation_running")
	_, err = a.CancelJob(System, j.ID)
	wantFault(t, err, fault.Conflict, "job_not_cancellable")
	if v := mustView(t, a); v.Job != j.ID || v.DataKey != 2 {
		t.Errorf("%+v", v)
	}
	if rows := underKeys(t, a); rows[1] < 1200 {
		t.Errorf("rows by key: %v", rows)
	}
	mustRegister(t, a, "alice")
	if rows := underKeys(t, a); rows[2] == 0 {
		t.Error("a new row lies under the old key")
	}
	path := a.db.Path()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	b := opened(t)(Open(path, machine('k', clock)))
	if j = ends(t, b, j); j.State != JobDone {
		t.Errorf("%+v", j)
	}
	if rows := underKeys(t, b); len(rows) != 1 {
		t.Errorf("rows by key: %v", rows)
	}
}

// A password that changes in the same commit as a rotation begins has a slot that opens.
func TestPasswordChangesAsARotationBegins(t *testing.T) {
	a, _ := people(t)
	tokens, _ := changed(t, a)
	for i := range 20 {
		who := mustBe(t, a, tokens.Access)
		old, next := goodPassword, nextPassword
		if i%2 == 1 {
			old, next = nextPassword, goodPassword
		}
		begun := make(chan *Job, 1)
		go func() {
			j, err := a.rotate(System, everySession)
			if err != nil {
				t.Error(err)
			}
			begun <- j
		}()
		var err error
		if tokens, _, err = a.ChangePassword(t.Context(), who, old, next, ""); err != nil {
			t.Fatal(err)
		}
		if j := <-begun; j == nil || ends(t, a, j).State != JobDone {
			t.Fatal("the rotation failed")
		}
		if opensWith(t, a, "admin", old) || !opensWith(t, a, "admin", next) {
			t.Fatalf("round %d: the password does not open the file", i)
		}
	}
}

// A row that is damaged cannot be sealed anew: the old key stays, and it is told.
func TestRotationKeepsTheKeyOfADamagedRow(t *testing.T) {
	a, _ := people(t)
	changed(t, a)
	crowded(t, a, 700)
	stranger, _, err := keyring.New(a.opts.Rand) // its key has the same number, and is another
	if err != nil {
		t.Fatal(err)
	}
	a.db.SetSealer(stranger)
	mine := a.keys.now()
	if err := a.db.Update(func(tx *store.Tx) error {
		return settings.Put(tx, &Setting{Name: "damaged"})
	}); err != nil {
		t.Fatal(err)
	}
	a.db.SetSealer(mine)
	if j := mustRotate(t, a); j.State != JobFailed || j.Code != "rows_damaged" {
		t.Errorf("%+v", j)
	}
	if v := mustView(t, a); v.Job != 0 || v.DataKey != 2 {
		t.Errorf("%+v", v)
	}
	if rows := underKeys(t, a); rows[1] != 1 {
		t.Errorf("rows by key: %v", rows)
	}
	if told := recorded(t, a, SystemError); len(told) != 1 || told[0].Code != "rows_damaged" {
		t.Errorf("events: %+v", told)
	}
}

// The count of the data key's use is kept, roughly, and a worn key is exchanged without being asked.
func TestWornKeyIsRotated(t *testing.T) {
	a, _ := people(t)
	changed(t, a)
	ring := a.keys.now()
	for ring.Seals() < sealsStep {
		if _, err := ring.Seal(nil, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	count := func() int64 {
		m, err := store.Read(a.db, func(tx *store.Tx) (*Marker, error) { return marks.Get(tx, []byte(sealsMark)) })
		if err != nil {
			t.Fatal(err)
		}
		return m.Value
	}
	for range 2 {
		if err := a.countSeals(); err != nil {
			t.Fatal(err)
		}
		if n := count(); n < sealsStep || n > 2*sealsStep {
			t.Fatalf("counted %d", n)
		}
	}
	if v := mustView(t, a); v.DataKey != 1 {
		t.Fatal("rotated too soon")
	}
	if _, err := a.addSeals(keyring.SealsMost); err != nil {
		t.Fatal(err)
	}
	for target := ring.Seals() + sealsStep; ring.Seals() < target; {
		if _, err := ring.Seal(nil, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.countSeals(); err != nil {
		t.Fatal(err)
	}
	if v := mustView(t, a); v.DataKey != 2 {
		t.Errorf("a worn key goes on: %+v", v)
	}
	rows, err := a.ListJobs(System, 0, 10)
	if err != nil || len(rows) != 1 || ends(t, a, rows[0]).State != JobDone {
		t.Errorf("%v %v", rows, err)
	}
}

// A copy of the file knows the sessions of its time: they end, but for the one that ordered the rotation.
func TestRotationEndsSessions(t *testing.T) {
	a, clock := people(t)
	first, _ := changed(t, a)
	mustRegister(t, a, "alice")
	alice, second := mustSignIn(t, a, "alice"), mustSignIn(t, a, "admin")
	who := mustBe(t, a, second.Access)
	j, err := a.RotateKeys(t.Context(), who, goodPassword)
	if err != nil || ends(t, a, j).State != JobDone {
		t.Fatalf("%+v %v", j, err)
	}
	wantOver(t, a, first)
	wantOver(t, a, alice)
	mustBe(t, a, second.Access)
	if _, _, err := a.Refresh(far, second.Refresh); err != nil {
		t.Error(err)
	}
	if told := recorded(t, a, SessionEnded); len(told) != 3 || told[1].Code != "keys_rotated" || told[2].Actor != ActorSystem {
		t.Errorf("%+v", told)
	}
	clock.Advance(time.Second)
	alice = mustSignIn(t, a, "alice")
	worn, err := a.rotate(System, everySession)
	if err != nil || ends(t, a, worn).State != JobDone {
		t.Fatalf("%+v %v", worn, err)
	}
	mustBe(t, a, alice.Access) // a key that was worn out is nobody's secret
	mustRotate(t, a)
	wantOver(t, a, alice)
}

// Whoever knows the keys of the appliance alone, from an old copy, makes no token of a session that began since.
func TestNoTokenIsMadeOfTheKeysAlone(t *testing.T) {
	a, _ := people(t)
	tokens, c := changed(t, a)
	who := mustBe(t, a, tokens.Access)
	thief, err := token.NewIssuer(a.keys.now().Derive("sign-in tokens", 32), a.issuer, "goldfish", a.opts.Clock, a.opts.Rand)
	if err != nil {
		t.Fatal(err)
	}
	session := a.ids.Out(NounSession, who.Session)
	for _, sid := range []string{session, session + ".", session + ".AAAAAAAAAAAAAAAA", session + ".AAAA"} {
		for _, typ := range []token.Typ{token.Access, token.Refresh} {
			forged, _, err := thief.Issue(typ, token.Who{Account: a.ids.Out(NounAccount, c.Account), Session: sid, Kind: "owner"}, time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			if typ == token.Access {
				_, err = a.Authenticate(forged, far.Address, false)
			} else {
				_, _, err = a.Refresh(far, forged)
			}
			wantFault(t, err, fault.Unauthenticated, "session_ended")
		}
	}
	mustBe(t, a, tokens.Access) // and does not even end it
	claims, err := thief.Parse(tokens.Access, token.Access)
	if err != nil || !strings.HasPrefix(claims.Session, session+".") || len(claims.Session) != len(session)+1+16 {
		t.Errorf("%+v %v", claims, err)
	}
	for _, sid := range []string{session + ".!", "." + session, session[1:] + "."} {
		bad, _, err := thief.Issue(token.Access, token.Who{Account: "x", Session: sid, Kind: "owner"}, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		_, err = a.Authenticate(bad, far.Address, false)
		wantFault(t, err, fault.Unauthenticated, "token_invalid")
	}
}
