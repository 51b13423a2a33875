package license

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"goldfish/store"
	"goldfish/store/keyring"
	"goldfish/store/storetest"
)

// testdata holds one appliance's file in every version of the schema: v1 as release 0.1 made it on a vendor's first day,
// each later one as the migration makes it of the one before.
var writeGolden = flag.Bool("golden", false, "write the file of the present schema into testdata")

func goldenPath(version int) string {
	return filepath.Join("testdata", fmt.Sprintf("v%d.db.gz", version))
}

// golden unpacks the file of a version into a folder of its own.
func golden(t *testing.T, version int) string {
	t.Helper()
	f, err := os.Open(goldenPath(version))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(z)
	path := filepath.Join(t.TempDir(), "goldfish.db")
	if err == nil {
		err = os.WriteFile(path, raw, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func goldenKey(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "golden.key"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := keyring.ParseMachineKey(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

var goldenClock = storetest.NewClock(time.Date(2026, 11, 23, 20, 0, 0, 0, time.UTC))

// everything opens a file by the schema alone, which changes nothing in it but what migrations do, and gives all its rows
// by table.
func everything(t *testing.T, path string, schema *store.Schema) map[string][]string {
	t.Helper()
	db, err := store.Open(path, store.Options{Schema: schema, Clock: goldenClock.Now, Rand: rand.Reader, MustExist: true})
	if err == nil {
		err = Unlock(db, goldenKey(t), rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, faults := db.Check(); len(faults) > 0 {
		t.Errorf("%s: %v", path, faults)
	}
	out := tablesOf(t, db, len(schema.Migrations))
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return out
}

// rowsOf are all rows of a table as JSON, by their keys.
func rowsOf[T any](t *testing.T, tx *store.Tx, table *store.Table[T]) []string {
	t.Helper()
	var out []string
	for v, err := range table.Scan(tx, store.Range{}) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, rowText(t, table.Key(v), v))
	}
	return out
}

func rowText(t *testing.T, key []byte, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x %s", key, raw)
}

// tablesOf gives the tables that a version of the schema has.
func tablesOf(t *testing.T, db *store.DB, version int) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	err := db.View(func(tx *store.Tx) error {
		out["keyring"], out["accounts"], out["memberships"] = rowsOf(t, tx, rings), rowsOf(t, tx, accounts), rowsOf(t, tx, memberships)
		out["sessions"], out["apps"], out["pushes"] = rowsOf(t, tx, sessions), rowsOf(t, tx, apps), rowsOf(t, tx, pushes)
		out["batches"], out["cards"], out["card_texts"] = rowsOf(t, tx, batches), rowsOf(t, tx, cards), rowsOf(t, tx, cardTexts)
		out["licences"], out["grants"], out["bindings"] = rowsOf(t, tx, licences), rowsOf(t, tx, grants), rowsOf(t, tx, bindings)
		out["presence"], out["announcements"], out["notices"] = rowsOf(t, tx, presences), rowsOf(t, tx, announcements), rowsOf(t, tx, notices)
		out["jobs"], out["marks"] = rowsOf(t, tx, jobs), rowsOf(t, tx, marks)
		if version >= 2 {
			out["traces"], out["receipts"], out["settings"] = rowsOf(t, tx, traces), rowsOf(t, tx, receipts), rowsOf(t, tx, settings)
		}
		for seq, e := range events.After(tx, 0) {
			out["events"] = append(out["events"], rowText(t, store.ID(seq).Key(), e))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// firstTables is the schema of release 0.1.
func firstTables() *store.Schema {
	s := Schema("v0.1.0")
	s.Migrations = s.Migrations[:1]
	later := []store.Described{traces, receipts, settings}
	s.Tables = slices.DeleteFunc(slices.Clone(s.Tables), func(d store.Described) bool { return slices.Contains(later, d) })
	return s
}

func TestEveryOlderFileBecomesTheNewest(t *testing.T) {
	newest := len(Schema("").Migrations)
	if *writeGolden {
		path := golden(t, newest-1)
		everything(t, path, Schema("golden"))
		pack(t, path, goldenPath(newest))
	}
	want := everything(t, golden(t, newest), Schema("golden"))
	tables := Schema("").Tables
	if len(want) != len(tables) {
		t.Errorf("%d of %d tables are compared", len(want), len(tables))
	}
	for _, name := range []string{"accounts", "apps", "cards", "card_texts", "licences", "bindings", "announcements", "notices", "events"} {
		if len(want[name]) == 0 {
			t.Errorf("no %s: it proves nothing", name)
		}
	}
	for version := 1; version < newest; version++ {
		path := golden(t, version)
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got := everything(t, path, Schema("golden"))
		for name := range maps.Keys(want) {
			if !slices.Equal(got[name], want[name]) {
				t.Errorf("version %d, %s:\n%v\nwant\n%v", version, name, got[name], want[name])
			}
		}
		if version > 1 {
			continue // the tables of a version in between are not known any more
		}
		if err := os.WriteFile(path, before, 0o600); err != nil {
			t.Fatal(err)
		}
		was := everything(t, path, firstTables())
		kept := everything(t, path+fmt.Sprintf(".before-v%d", newest), firstTables())
		for name := range maps.Keys(was) {
			if !slices.Equal(kept[name], was[name]) {
				t.Errorf("the snapshot, %s: %v, want %v", name, kept[name], was[name])
			}
		}
	}
}

func pack(t *testing.T, from, to string) {
	t.Helper()
	raw, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err == nil {
		_, err = z.Write(raw)
	}
	if err == nil {
		err = z.Close()
	}
	if err == nil {
		err = os.WriteFile(to, out.Bytes(), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// The vendor of release 0.1 goes on with this one: signs in, finds what there was, and has a slot of its own.
func TestTheFirstReleasesVendorGoesOn(t *testing.T) {
	path, cheap := golden(t, 1), keyring.Argon{Memory: 64, Time: 1, Lanes: 1}
	a, err := Open(path, Options{Clock: goldenClock.Now, Rand: rand.Reader, MachineKey: goldenKey(t), BcryptCost: 4, Argon: cheap, Release: "test"})
	if err != nil {
		t.Fatal(err)
	}
	local := Actor{Local: true, Address: netip.MustParseAddr("127.0.0.1")}
	tokens, _, err := a.SignIn(t.Context(), local, SignInIn{Name: "admin", Password: "Demo-Vendor-2026!"})
	if err != nil {
		t.Fatal(err)
	}
	who, err := a.Authenticate(tokens.Access, local.Address, true)
	if err != nil {
		t.Fatal(err)
	}
	for key, state := range map[string]CardState{"84AE-ET85-8YGB-GXBM": CardActive, "ND9U-YEFW-6ERC-ATMM": CardOff, "TZF7-XQSM-GC9A-76KH": CardUnused} {
		found, _, err := a.ListCards(who, CardFilter{Key: key, Limit: 10})
		if err != nil || len(found) != 1 || found[0].Card.State != state {
			t.Errorf("%s: %+v, %v", key, found, err)
		}
	}
	apps, err := a.ListApps(who, 0, 10)
	if err != nil || len(apps) != 1 || apps[0].Name.EN != "Demo" || len(apps[0].Keys) == 0 {
		t.Errorf("%v, %v", apps, err)
	}
	if _, _, err := a.SignIn(t.Context(), local, SignInIn{Name: "demo_customer", Password: "Demo-Customer-1!"}); err != nil {
		t.Errorf("the customer: %v", err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	moved := Options{Clock: goldenClock.Now, Rand: rand.Reader, MachineKey: bytes.Repeat([]byte{7}, 32), BcryptCost: 4, Argon: cheap, Release: "test"}
	if _, err := Open(path, moved); err != ErrMachineKey {
		t.Fatalf("on another machine: %v", err)
	}
	s, err := OpenSealed(path, moved)
	if err != nil || !s.HasPassword() {
		t.Fatalf("no slot was made: %v", err)
	}
	b, err := s.SignIn(context.Background(), local.Address, "admin", "Demo-Vendor-2026!", Moved)
	if err != nil {
		t.Fatal(err)
	}
	if _, faults := b.DB().Check(); len(faults) > 0 {
		t.Errorf("%v", faults)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
}
