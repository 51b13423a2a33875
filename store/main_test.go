package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"

	"goldfish/store"
	"goldfish/store/storetest"
)

// Some tests need a second process: the test binary runs itself with the name of a child in the environment.
const childVariable = "STORE_TEST_CHILD"

var children = map[string]func(arg string){
	"open": childOpen, "create": childCreate, "write": childWrite, "migrate": childMigrate,
}

func TestMain(m *testing.M) {
	if child := children[os.Getenv(childVariable)]; child != nil {
		time.AfterFunc(30*time.Minute, func() { os.Exit(5) }) // whoever started it may have been killed
		child(os.Getenv(childVariable + "_ARG"))
		return
	}
	goleak.VerifyTestMain(m)
}

func child(t testing.TB, name, arg string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childVariable+"="+name, childVariable+"_ARG="+arg)
	cmd.Stderr = os.Stderr
	return cmd
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
}

// thing is a row with one of everything.
type thing struct {
	ID      store.ID `cbor:"1,keyasint"`
	Code    string   `cbor:"2,keyasint,omitempty"`
	Group   byte     `cbor:"3,keyasint,omitempty"`
	Tags    []string `cbor:"4,keyasint,omitempty"`
	State   string   `cbor:"5,keyasint,omitempty"`
	Version uint64   `cbor:"6,keyasint,omitempty"`
}

// event says what a function did, so that the log tells the order in which the functions really ran.
type event struct {
	Put  *thing   `cbor:"1,keyasint,omitempty"`
	Gone store.ID `cbor:"2,keyasint,omitempty"`
	Op   int      `cbor:"3,keyasint,omitempty"`
}

type secret struct {
	ID   store.ID `cbor:"1,keyasint"`
	Code string   `cbor:"2,keyasint"`
}

var (
	byCode = &store.Index[thing]{Name: "code", Unique: true, Keys: func(_ *store.Tx, v *thing) ([][]byte, error) {
		if v.Code == "" {
			return nil, nil
		}
		return [][]byte{[]byte(v.Code)}, nil
	}}
	byGroup = &store.Index[thing]{Name: "group", Keys: func(_ *store.Tx, v *thing) ([][]byte, error) {
		return [][]byte{{v.Group}}, nil
	}}
	byTag = &store.Index[thing]{Name: "tag", Keys: func(_ *store.Tx, v *thing) ([][]byte, error) {
		var keys [][]byte
		for _, tag := range v.Tags {
			keys = append(keys, []byte(tag))
		}
		return keys, nil
	}}
	things = &store.Table[thing]{
		Name: "things", Cached: true, Sequential: true,
		Key:     func(v *thing) []byte { return v.ID.Key() },
		Indexes: []*store.Index[thing]{byCode, byGroup, byTag},
		Counts: func(v *thing) []string {
			if v.State == "" {
				return nil
			}
			return []string{"all", v.State}
		},
	}
	bySecret = &store.Index[secret]{Name: "code", Unique: true, Keys: func(tx *store.Tx, v *secret) ([][]byte, error) {
		key, err := tx.Lookup("secret", []byte(v.Code))
		return [][]byte{key}, err
	}}
	secrets = &store.Table[secret]{
		Name: "secrets", Sealed: true, Cached: true, Key: func(v *secret) []byte { return v.ID.Key() }, Indexes: []*store.Index[secret]{bySecret},
	}
	events  = &store.Log[event]{Name: "events"}
	hushed  = &store.Log[event]{Name: "hushed", Sealed: true}
	errWant = errors.New("wanted")
)

func schema() *store.Schema {
	return &store.Schema{Magic: "store-test", Release: "1.0.0", Tables: []store.Described{things, secrets, events, hushed}}
}

func open(t testing.TB, options ...storetest.Option) *storetest.File {
	t.Helper()
	return storetest.Open(t, schema(), options...)
}

func put(t testing.TB, db *storetest.File, rows ...*thing) {
	t.Helper()
	if err := db.Update(func(tx *store.Tx) error {
		for _, v := range rows {
			if err := things.Put(tx, v); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func get(t testing.TB, db *storetest.File, id store.ID) *thing {
	t.Helper()
	v, err := store.Read(db.DB, func(tx *store.Tx) (*thing, error) { return things.Get(tx, id.Key()) })
	if err != nil {
		t.Fatalf("row %x: %v", id, err)
	}
	return v
}

// together has the functions run in one commit, in their order: the writer is held until all have queued.
func together(db *storetest.File, fns ...func(*store.Tx) error) []error {
	running, gate := make(chan struct{}), make(chan struct{})
	held := make(chan error, 1)
	go func() {
		held <- db.Update(func(*store.Tx) error { close(running); <-gate; return nil })
	}()
	<-running
	errs := make([]error, len(fns))
	done := make(chan struct{})
	for i, fn := range fns {
		go func() {
			errs[i] = db.Update(fn)
			done <- struct{}{}
		}()
		for db.Queued() <= i {
			runtime.Gosched()
		}
	}
	close(gate)
	<-held
	for range fns {
		<-done
	}
	return errs
}

func content(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func unchanged(t testing.TB, path string, before []byte) {
	t.Helper()
	if !bytes.Equal(content(t, path), before) {
		t.Errorf("%s was changed", path)
	}
}
