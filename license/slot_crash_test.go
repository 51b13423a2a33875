package license_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"goldfish/license"
	"goldfish/license/fault"
	"goldfish/license/licensetest"
	"goldfish/store"
)

// The child process of TestKilledWhileKeysChange: its file, what it does, and at which reading of its clock or of its
// random source it kills itself. A transaction begins with the one, everything that is sealed reads the other.
const (
	keysEnv  = "GOLDFISH_TEST_KEYS"
	keysDo   = "GOLDFISH_TEST_KEYS_DO"
	keysStep = "GOLDFISH_TEST_KEYS_STEP" // "clock 17", "rand 203"
)

// passwords are the owner's, one after another.
var passwords = []string{licensetest.Password, "Battery-8-staple", "Carthorse-9-stop"}

// otherKey is the machine key of another machine.
var otherKey = bytes.Repeat([]byte{9}, 32)

// steps counts, and kills the process at one.
type steps struct {
	what        string
	at          int64
	clock, rand atomic.Int64
}

func (s *steps) step(what string, n int64) {
	if s.what == what && s.at == n {
		if self, err := os.FindProcess(os.Getpid()); err == nil {
			_ = self.Kill() // SIGKILL
		}
		select {}
	}
}

func (s *steps) now() time.Time {
	s.step("clock", s.clock.Add(1))
	return time.Now()
}

func (s *steps) Read(p []byte) (int, error) {
	s.step("rand", s.rand.Add(1))
	return rand.Read(p)
}

// keyOptions are what both sides open the file with.
func keyOptions(s *steps, machineKey []byte) license.Options {
	o := license.Options{Clock: time.Now, Rand: rand.Reader, MachineKey: machineKey, BcryptCost: 4, Argon: licensetest.Argon}
	if s != nil {
		o.Clock, o.Rand = s.now, s
	}
	return o
}

// changeKeys is the child. What it prints was acknowledged. It does not outlive its test by more than a minute.
func changeKeys() {
	time.AfterFunc(time.Minute, func() { os.Exit(3) })
	s := &steps{}
	if what, at, ok := strings.Cut(os.Getenv(keysStep), " "); ok {
		s.what = what
		s.at, _ = strconv.ParseInt(at, 10, 64)
	}
	do := map[string]func(*steps) error{"change": changeAll, "unseal": unsealAs(license.Moved), "copy": unsealAs(license.Copied)}[os.Getenv(keysDo)]
	if err := do(s); err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	fmt.Println("steps", s.clock.Load(), s.rand.Load())
	os.Exit(0)
}

// changeAll changes the password, the recovery code, all keys, and the password again.
func changeAll(s *steps) error {
	a, err := license.Open(os.Getenv(keysEnv), keyOptions(s, licensetest.MachineKey))
	if err != nil {
		return err
	}
	a.HastenJobs()
	moved := make(chan license.Job, 1<<16)
	a.OnJob(func(j license.Job) { moved <- j })
	change := func(from int) (license.Actor, error) {
		var who license.Actor
		tokens, _, err := a.SignIn(context.Background(), license.Actor{}, license.SignInIn{Name: "admin", Password: passwords[from]})
		if err == nil {
			who, err = a.Authenticate(tokens.Access, netip.Addr{}, false)
		}
		if err == nil {
			tokens, _, err = a.ChangePassword(context.Background(), who, passwords[from], passwords[from+1], "")
		}
		if err == nil {
			fmt.Println("password", from+1)
			who, err = a.Authenticate(tokens.Access, netip.Addr{}, false)
		}
		return who, err
	}
	who, err := change(0)
	if err != nil {
		return err
	}
	code, err := a.RecoveryCode(context.Background(), who, passwords[1])
	if err != nil {
		return err
	}
	fmt.Println("code", code)
	if err := a.ConfirmRecoveryCode(who, code); err != nil {
		return err
	}
	fmt.Println("confirmed")
	j, err := a.RotateKeys(context.Background(), who, passwords[1])
	for err == nil && j.State == license.JobRunning {
		<-moved
		j, err = a.Job(license.System, j.ID)
	}
	if err == nil && j.State != license.JobDone {
		err = errors.New("the rotation failed")
	}
	if err != nil {
		return err
	}
	fmt.Println("rotated")
	if _, err := change(1); err != nil {
		return err
	}
	return a.Close()
}

func unsealAs(came license.Arrival) func(*steps) error {
	return func(s *steps) error {
		sealed, err := license.OpenSealed(os.Getenv(keysEnv), keyOptions(s, otherKey))
		if err != nil {
			return err
		}
		a, err := sealed.SignIn(context.Background(), netip.Addr{}, "admin", passwords[0], came)
		if err != nil {
			return err
		}
		fmt.Println("opened")
		return a.Close()
	}
}

// said is what a child has acknowledged before it was killed.
type said struct {
	password                int
	code                    string
	confirmed, rotated      bool
	opened, ended           bool
	clockSteps, randomSteps int
}

func runChild(t *testing.T, path, do, step string) (out said) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), keysEnv+"="+path, keysDo+"="+do, keysStep+"="+step)
	raw, err := child.Output()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(raw))
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		switch name {
		case "password":
			out.password, _ = strconv.Atoi(value)
		case "code":
			out.code = value
		case "confirmed":
			out.confirmed = true
		case "rotated":
			out.rotated = true
		case "opened":
			out.opened = true
		case "steps":
			out.ended = true
			_, err = fmt.Sscan(value, &out.clockSteps, &out.randomSteps)
		default:
			err = fmt.Errorf("the child says %q", lines.Text())
		}
		if err != nil && name != "password" && !isKill(err) {
			t.Fatalf("at step %q: %v", step, err)
		}
	}
	return out
}

func isKill(err error) bool {
	e, ok := errors.AsType[*exec.ExitError](err)
	return ok && e.ExitCode() == -1
}

// duplicate copies a file that nobody has open.
func duplicate(t *testing.T, path string) string {
	t.Helper()
	from, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	to, err := os.Create(filepath.Join(t.TempDir(), "goldfish.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	if _, err := io.Copy(to, from); err != nil {
		t.Fatal(err)
	}
	return to.Name()
}

// prepared is a file with an owner, a recovery code and some cards.
func prepared(t *testing.T) (path, code string) {
	t.Helper()
	w := licensetest.New(t)
	w.Keys(w.App(nil), 700, licensetest.Month)
	code, err := w.RecoveryCode(t.Context(), w.Owner, licensetest.Password)
	w.Must(err)
	w.Must(w.ConfirmRecoveryCode(w.Owner, code))
	w.Must(w.Close())
	return w.Path, code
}

// killRounds is how many steps are tried of either kind.
func killRounds(few int) int {
	if os.Getenv("GOLDFISH_LONG") != "" {
		return 1000
	}
	return few
}

// chosen gives up to n of the steps 1 … most, spread over all of them.
func chosen(n, most int) (out []int) {
	if n >= most {
		for i := range n {
			out = append(out, i%most+1)
		}
		return out
	}
	for i := range n {
		from, to := i*most/n, (i+1)*most/n
		out = append(out, from+1+mrand.IntN(to-from))
	}
	return out
}

// TestKilledWhileKeysChange kills the process at the steps of a change of password, of recovery code and of all keys,
// and once more of password: afterwards this machine opens the file, one password and one code open it elsewhere, what
// was acknowledged holds, the rotation goes on to its end, and every row is readable.
func TestKilledWhileKeysChange(t *testing.T) {
	path, code := prepared(t)
	whole := runChild(t, duplicate(t, path), "change", "")
	if !whole.ended || whole.password != 2 || !whole.rotated || whole.clockSteps < 20 || whole.randomSteps < 500 {
		t.Fatalf("without a kill: %+v", whole)
	}
	killed := 0
	for what, most := range map[string]int{"clock": whole.clockSteps, "rand": whole.randomSteps} {
		for _, n := range chosen(killRounds(15), most) {
			step := fmt.Sprint(what, " ", n)
			file := duplicate(t, path)
			got := runChild(t, file, "change", step)
			if !got.ended {
				killed++
			}
			t.Run(step, func(t *testing.T) { mustHaveOutlived(t, file, code, got) })
			if t.Failed() {
				return
			}
		}
	}
	t.Logf("%d rounds killed", killed)
	if killed < killRounds(15) {
		t.Errorf("only %d rounds were killed: they prove nothing", killed)
	}
}

func mustHaveOutlived(t *testing.T, path, firstCode string, got said) {
	t.Helper()
	before := duplicate(t, path) // as the kill left it: it may be the copy that a vendor has
	a, err := license.Open(path, keyOptions(nil, licensetest.MachineKey))
	if err != nil {
		t.Fatalf("this machine does not open it: %v", err)
	}
	a.HastenJobs()
	w := &licensetest.World{Authority: a, T: t}
	w.Await("the rotation's end", func() bool {
		v, err := a.Keyring(license.System)
		w.Must(err)
		return v.Job == 0
	})
	if rows, faults := a.DB().Check(); len(faults) > 0 || rows["card_texts"] != 700 {
		t.Errorf("%d cards, %v", rows["card_texts"], faults)
	}
	own := -1
	for i, p := range passwords {
		if _, _, err := a.SignIn(t.Context(), license.Actor{}, license.SignInIn{Name: "admin", Password: p}); err == nil {
			if own >= 0 {
				t.Error("two passwords are good")
			}
			own = i
		}
	}
	if own < got.password || own > got.password+1 {
		t.Errorf("password %d is good, %d was acknowledged", own, got.password)
	}
	after := filepath.Join(t.TempDir(), "copy.db")
	w.Must(a.DB().Snapshot(after))
	w.Must(a.Close())
	for _, file := range []string{before, after} {
		for i, p := range passwords {
			if opens := opensElsewhere(t, file, func(s *license.Sealed) (*license.Authority, error) {
				return s.SignIn(t.Context(), netip.Addr{}, "admin", p, license.Moved)
			}); opens != (i == own) {
				t.Errorf("password %d opens it: %v; %d is the account's", i, opens, own)
			}
		}
		good := 0
		for i, c := range []string{firstCode, got.code} {
			if c == "" || !opensElsewhere(t, file, func(s *license.Sealed) (*license.Authority, error) {
				return s.Recover(t.Context(), netip.Addr{}, c, "admin", "Recovered-7-horse", license.Moved)
			}) {
				continue
			}
			if good++; i == 0 && got.confirmed {
				t.Error("the first code is good although the second was acknowledged")
			}
		}
		if good != 1 {
			t.Errorf("%d recovery codes open it", good)
		}
	}
}

// opensElsewhere tries a copy of the file on another machine, and reads all of it there.
func opensElsewhere(t *testing.T, path string, open func(*license.Sealed) (*license.Authority, error)) bool {
	t.Helper()
	s, err := license.OpenSealed(duplicate(t, path), keyOptions(nil, otherKey))
	if err != nil {
		t.Fatal(err)
	}
	a, err := open(s)
	if err != nil {
		if f := fault.Of(err); f.Kind != fault.Unauthenticated {
			t.Error(err)
		}
		_ = s.Close()
		return false
	}
	if _, faults := a.DB().Check(); len(faults) > 0 {
		t.Error(faults)
	}
	return a.Close() == nil
}

// TestKilledWhileUnsealing kills the process at every step of opening a sealed file: afterwards it is sealed for this
// machine or for the other one, never for both.
func TestKilledWhileUnsealing(t *testing.T) {
	path, _ := prepared(t)
	whole := runChild(t, duplicate(t, path), "unseal", "")
	if !whole.ended || !whole.opened || whole.clockSteps < 3 || whole.randomSteps < 3 {
		t.Fatalf("without a kill: %+v", whole)
	}
	sealed, open := 0, 0
	for what, most := range map[string]int{"clock": whole.clockSteps, "rand": whole.randomSteps} {
		for n := 1; n <= most; n++ {
			file := duplicate(t, path)
			got := runChild(t, file, "unseal", fmt.Sprint(what, " ", n))
			here, other := opensAt(t, file, licensetest.MachineKey), opensAt(t, file, otherKey)
			if here == other || got.opened && !other {
				t.Fatalf("%s %d: opens here %v, there %v, acknowledged %v", what, n, here, other, got.opened)
			}
			if here {
				sealed++
			} else {
				open++
			}
			if !opensElsewhere(t, file, func(s *license.Sealed) (*license.Authority, error) {
				return s.SignIn(t.Context(), netip.Addr{}, "admin", passwords[0], license.Moved)
			}) {
				t.Fatalf("%s %d: the password opens it no more", what, n)
			}
		}
	}
	t.Logf("%d still sealed, %d open", sealed, open)
	if sealed == 0 || open == 0 {
		t.Error("all kills fell on one side of the transaction")
	}
}

// TestKilledWhileACopyIsOpened kills the process at the last steps of it: afterwards the file is sealed and the original's,
// or open and an appliance of its own, never half of each.
func TestKilledWhileACopyIsOpened(t *testing.T) {
	path, _ := prepared(t)
	original, _ := identityOf(t, path)
	whole := runChild(t, duplicate(t, path), "copy", "")
	if !whole.ended || !whole.opened {
		t.Fatalf("without a kill: %+v", whole)
	}
	sealed, open := 0, 0
	for what, most := range map[string]int{"clock": whole.clockSteps, "rand": whole.randomSteps} {
		for _, n := range chosen(min(killRounds(8), most), most) {
			file := duplicate(t, path)
			got := runChild(t, file, "copy", fmt.Sprint(what, " ", n))
			other := opensAt(t, file, otherKey)
			switch id, epoch := identityOf(t, file); {
			case !other && !got.opened && id == original && epoch == 1:
				sealed++
			case other && id != original && epoch == 3:
				open++
			default:
				t.Fatalf("%s %d: opens there %v, acknowledged %v, the original's %v, epoch %d", what, n, other, got.opened, id == original, epoch)
			}
		}
	}
	t.Logf("%d still sealed, %d open", sealed, open)
	if sealed == 0 || open == 0 {
		t.Error("all kills fell on one side of the transaction")
	}
}

func identityOf(t *testing.T, path string) (id string, epoch uint16) {
	t.Helper()
	db, err := store.Open(duplicate(t, path), store.Options{Schema: license.Schema("test"), Clock: time.Now, Rand: rand.Reader, MustExist: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	return db.UUID().String(), db.Epoch()
}

func opensAt(t *testing.T, path string, key []byte) bool {
	t.Helper()
	db, err := store.Open(duplicate(t, path), store.Options{Schema: license.Schema("test"), Clock: time.Now, Rand: rand.Reader, MustExist: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = license.Unlock(db, key, rand.Reader)
	if err != nil && !errors.Is(err, license.ErrMachineKey) {
		t.Error(err)
	}
	return err == nil
}
