// Package license holds the rules of Goldfish: who may sign in, which keys exist, what a device is told.
//
// Everything that decides is a pure function of values and a time (card.go, licence.go, call.go); the methods
// of Authority read, decide, write and record in one transaction. The actor is a parameter. A change
// and its event are one transaction; whoever must hear of a change follows the log.
package license

import (
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"goldfish/license/password"
	"goldfish/license/token"
	"goldfish/store"
	"goldfish/store/keyring"
)

// Options of Open. Clock, Rand and MachineKey are required.
type Options struct {
	// StateDir is a folder outside the data, which remembers how far the file has come; "": none.
	StateDir string

	Clock      func() time.Time
	Rand       io.Reader
	Log        *slog.Logger
	Release    string
	MachineKey []byte        // 32 bytes that are not in the file (keyring.MachineKeyFile)
	BcryptCost int           // 0: 12
	Argon      keyring.Argon // of new password slots; zero: keyring.UsualArgon
	CacheBytes int64         // row cache; 0: none
	MustExist  bool          // refuse to make a new file
	Reserve    int64         // bytes kept on the disk for what matters most (store.Options.Reserve)
	Window     time.Duration // how long a plain copy of the running file may take; 0: as usual (store.Options.Window)
	// Progress hears how far an older file is brought up to date (store.Options.Progress).
	Progress func(done, total int64)
}

// passwordQueue is how many sign-ins may wait for a password to be hashed; those beyond get 503 busy.
const passwordQueue = 32

// ErrMachineKey is the answer to a file that another machine's key opens.
var ErrMachineKey = errors.New("license: this machine's key does not open the file")

// Authority is the one owner of the file. It is safe for concurrent use.
type Authority struct {
	db        *store.DB
	keys      *openKeys
	ids       *IDs
	issuer    string // the appliance's UUID
	tokens    *token.Issuer
	passwords *password.Pool
	slots     *slotGate
	opts      Options
	log       *slog.Logger

	signers  signerCache
	presence *presence
	repeats  *repeats
	misses   *misses
	refusals refusals
	jobs     jobRunner
	idle     idleWatch
	compacts atomic.Int32 // how many compactions are under way
	seals    sealCount
	codes    pendingCodes
	clock    clockWatch
	notices  signedNotices
	opened   Loss // the last event before the file was opened, and when that was
	outside  outside
	purge    purge

	deviceTickets  tickets[DeviceTicket]
	consoleTickets tickets[Actor]

	closeOnce sync.Once
}

// Open opens or makes the file at path, its keys and what lives in memory beside it.
func Open(path string, o Options) (*Authority, error) {
	db, o, err := openFile(path, o)
	if err != nil {
		return nil, err
	}
	keys, err := openRing(db, o)
	if err != nil {
		_ = db.Close()
		return nil, err
	}
	return owned(db, o, keys)
}

// openFile opens the file and fills in what the options leave out.
func openFile(path string, o Options) (*store.DB, Options, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.BcryptCost == 0 {
		o.BcryptCost = 12
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, o, err
	}
	db, err := store.Open(path, store.Options{
		Schema: Schema(o.Release), Clock: o.Clock, Rand: o.Rand, Log: o.Log, CacheBytes: o.CacheBytes, MustExist: o.MustExist,
		Reserve: o.Reserve, Window: o.Window, Progress: o.Progress,
	})
	return db, o, err
}

// owned gives the file its Authority, or closes it.
func owned(db *store.DB, o Options, keys *openKeys) (*Authority, error) {
	a, err := build(db, o, keys)
	if err != nil {
		_ = db.Close()
		return nil, err
	}
	return a, nil
}

func build(db *store.DB, o Options, keys *openKeys) (*Authority, error) {
	a := &Authority{db: db, keys: keys, issuer: db.UUID().String(), opts: o, log: o.Log}
	ring := keys.now()
	db.SetSealer(ring)
	var err error
	if a.ids, err = newIDs(ring.Derive("outer ids", 32)); err != nil {
		return nil, err
	}
	if a.tokens, err = token.NewIssuer(ring.Derive("sign-in tokens", 32), a.issuer, "goldfish", o.Clock, o.Rand); err != nil {
		return nil, err
	}
	if a.passwords, err = password.NewPool(runtime.NumCPU(), passwordQueue, o.BcryptCost); err != nil {
		return nil, err
	}
	a.slots = newSlotGate()
	a.presence = newPresence()
	a.repeats = newRepeats(o.Clock)
	a.misses = newMisses(o.Clock)
	a.notices = newSignedNotices()
	a.jobs.begin(a)
	if err := a.beginEpoch(); err != nil {
		return nil, err
	}
	if err := a.ensureFirstAccount(); err != nil {
		return nil, err
	}
	if err := a.beginClock(); err != nil {
		return nil, err
	}
	if err := a.loadPresence(); err != nil {
		return nil, err
	}
	return a, a.resumeJobs()
}

// Unlock gives a file that is looked at without an Authority (a backup) its keys, so that sealed rows can be
// read and checked. It changes nothing in the file. Errors: ErrMachineKey, store.ErrNotFound.
func Unlock(db *store.DB, machineKey []byte, rand io.Reader) error {
	chest, err := store.Read(db, readChest)
	if err != nil {
		return err
	}
	root, _, err := chest.OpenMachine(machineKey)
	if err != nil {
		return ErrMachineKey
	}
	ring, err := chest.Open(root, rand)
	if err == nil {
		db.SetSealer(ring)
	}
	return err
}

// Close stops jobs, writes what is only in memory and closes the file.
func (a *Authority) Close() error {
	var err error
	a.closeOnce.Do(func() {
		a.jobs.end()
		for what, flush := range map[string]func() error{"heartbeats": a.FlushPresence, "refusals": a.flushRefusals} {
			if ferr := flush(); ferr != nil {
				a.log.Error("the last of what was in memory was not written", "what", what, "err", ferr)
			}
		}
		if ferr := a.keepOutside(); ferr != nil {
			a.log.Error("how far the file has come was not written outside", "err", ferr)
		}
		err = a.db.Close()
		a.keys.wipe()
	})
	return err
}

// DB is the open file, for backup, checks and figures.
func (a *Authority) DB() *store.DB { return a.db }

// IDs turns ids into their outer form and back.
func (a *Authority) IDs() *IDs { return a.ids }

// Now is the appliance's clock.
func (a *Authority) Now() time.Time { return a.opts.Clock() }

// Ready says whether the file answers: nil, or why it does not.
func (a *Authority) Ready() error { return a.db.View(func(*store.Tx) error { return nil }) }
