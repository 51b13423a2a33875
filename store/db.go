// Package store keeps typed rows in one bbolt file.
//
// Every change goes through one writer that commits what is waiting as one group: one sync for all, and a
// function that fails leaves its neighbours alone (writer.go). A table derives its index entries and its
// counters from the row by one function each, so that none can outlive its row (table.go). Every value in
// the file carries a checksum or a seal (frame.go). What changed and that it changed are one transaction:
// the log is a table like any other, and its followers are woken after the commit (log.go).
//
// The file may be copied by any tool while it is written to, if the tool reads it from front to back within the
// window: past states are kept for as long (pins.go). Which pages are free is written down only when the file is
// closed; of one that was not, every page is looked at before it is opened (inspect.go, structure.go). Where the
// newest state is damaged, the one before it can be had (salvage.go). Compact exchanges the file for a fresh copy
// under those who use it (compact.go, body.go).
//
// The package knows nothing of what the rows mean. Slices handed out are copies and outlive the transaction.
package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// What can be wrong with a file at Open, and with a call later. Each is compared with errors.Is.
var (
	ErrNotFound  = errors.New("store: no such row")
	ErrConflict  = errors.New("store: another row holds this unique key")
	ErrClosed    = errors.New("store: the file is closed")
	ErrSealed    = errors.New("store: the table is sealed and no key is open")
	ErrDamaged   = errors.New("store: a value does not match its checksum or seal")
	ErrLocked    = errors.New("store: another process has the file open")
	ErrNotOurs   = errors.New("store: not a file of this program")
	ErrTruncated = errors.New("store: the file is shorter than it says")
	ErrNewer     = errors.New("store: the file was written by a newer version")
	ErrOlder     = errors.New("store: the file must be migrated, and was opened for reading only")
	ErrReadOnly  = errors.New("store: a read transaction cannot change anything")
	// ErrOlderState comes beside ErrDamaged or ErrTruncated when the state before the last commit is whole:
	// Salvage makes a file of it.
	ErrOlderState = errors.New("store: the state before the last commit is whole")
	// ErrBroken: the disk failed at the last step of a commit. Whether that change is kept shows when the
	// file is opened again; until then it is read only.
	ErrBroken = errors.New("store: the disk failed and the file must be opened anew")
)

// ID names a row inside the file: the epoch in the upper 16 bits, a sequence number in the lower 48, so that
// a file restored to an older state never gives the same id out twice.
type ID uint64

// Key is the id as it stands in the file: 8 bytes, big-endian, so that rows lie in the order of their making.
func (id ID) Key() []byte { return binary.BigEndian.AppendUint64(nil, uint64(id)) }

// IDOf reads an id back from a key. A key of another length gives 0, which is no row's id.
func IDOf(key []byte) ID {
	if len(key) != 8 {
		return 0
	}
	return ID(binary.BigEndian.Uint64(key))
}

// Sealer seals rows whole and makes look-up keys. It is given to the file with SetSealer; until then sealed
// tables answer ErrSealed. Both directions must be safe for concurrent use.
type Sealer interface {
	// Seal appends key id, nonce and ciphertext of plain to dst; aad binds it to its place.
	Seal(dst, aad, plain []byte) ([]byte, error)
	// Open gives back what Seal sealed, or an error if a bit or the place differs.
	Open(aad, sealed []byte) ([]byte, error)
	// Lookup maps a secret value to 16 bytes that find it again and tell nothing of it. name separates uses.
	Lookup(name string, value []byte) []byte
}

// Schema declares what a file holds. Magic tells our files from others; Migrations is append-only and its
// length is the schema's version.
type Schema struct {
	Magic      string
	Release    string // the program's own version, kept in the file to name it to an older binary
	Tables     []Described
	Migrations []Migration
}

// Options of Open. Clock and Rand are required; CacheBytes 0 turns the row cache off.
type Options struct {
	Schema     *Schema
	Clock      func() time.Time
	Rand       io.Reader
	Log        *slog.Logger
	CacheBytes int64
	MustExist  bool // refuse to make a new file
	// Progress hears, while Open brings an older file up to date, how far that is: done of total, the snapshot
	// before it included, in no unit of its own. nil: nobody.
	Progress func(done, total int64)
	// ReadOnly opens a file without changing a byte of it, together with other readers. Nothing can be written
	// (ErrReadOnly), and an older schema is ErrOlder.
	ReadOnly bool
	// Window is how long a plain copy of the running file may take and still be good: 0 for a minute, and in
	// any case three times as long as 50 MB/s would need. Below 0 nothing is kept for copies.
	Window time.Duration

	// Reserve is how many bytes are kept on the disk beside the file, as <path>.reserve, and given up when it is
	// full, so that essential changes go on; never more than a twentieth of the disk. 0 keeps none.
	Reserve int64

	// For tests: the first map's size, the way of a system that exchanges no open file, and the list of free
	// pages written by every commit.
	mapBytes    int
	closeToSwap bool
	listFree    bool
}

// DB is one open file. It is safe for concurrent use.
type DB struct {
	body   atomic.Pointer[body]
	path   string
	opts   Options
	clean  bool
	pins   *pins
	room   *room
	sealer atomic.Pointer[Sealer]
	cache  *rowCache
	epoch  atomic.Uint32
	uuid   atomic.Pointer[uuid.UUID]

	foundVersion uint32
	foundRelease string

	queue    chan *op
	compacts chan chan error
	retired  sync.WaitGroup // bodies that wait for their last reader
	stop     chan struct{}
	stopped  chan struct{}
	closing  sync.RWMutex // held for reading while an op is handed in, so that none is lost at Close
	closed   bool
	broken   atomic.Bool
	settled  atomic.Bool // what Open found is on the disk for certain
	shut     atomic.Bool // no reader may begin any more

	bellMu sync.Mutex
	bell   chan struct{}
	stats  Stats
}

// Stats counts since Open what the writer did. Times are sums.
type Stats struct {
	Commits, Ops, Failed, Replays atomic.Int64
	CommitTime                    atomic.Int64 // nanoseconds spent in commits
}

// Open opens the file at path, making it first where there is none (unless MustExist). A file that is
// locked, not ours, newer or truncated is refused with an error that wraps one of the Err values above and
// is left as it was. Of a file that was not closed, because its process ended or because it is a copy of a
// running one, every page is looked at first.
func Open(path string, opts Options) (*DB, error) {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	db, err := open(path, opts)
	if errors.Is(err, ErrTruncated) || errors.Is(err, ErrDamaged) {
		if salvageable(path) {
			err = fmt.Errorf("%w: %w", err, ErrOlderState)
		}
	}
	return db, err
}

func open(path string, opts Options) (*DB, error) {
	seen, err := prepare(path, &opts)
	if err != nil {
		return nil, err
	}
	if seen.half {
		opts.Log.Warn("one of the file's two first pages is damaged: the last change before a crash may be missing", "path", path)
	}
	b, err := openBody(path, &opts)
	if err != nil {
		return nil, err
	}
	if !opts.ReadOnly {
		_ = removeAll(path + ".compact-") // of a compaction that was killed
	}
	db := &DB{
		path: path, opts: opts, clean: seen.clean, pins: newPins(path, &opts), bell: make(chan struct{}),
		queue: make(chan *op, 4096), compacts: make(chan chan error, 1), stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	db.body.Store(b)
	if err := db.load(); err != nil {
		_ = b.bolt.Close()
		return nil, err
	}
	if opts.CacheBytes > 0 {
		if db.cache, err = newRowCache(opts.CacheBytes); err != nil {
			_ = b.bolt.Close()
			return nil, err
		}
	}
	db.room = newRoom(path, &opts)
	go db.write()
	return db, nil
}

// prepare makes a new file where none is, and otherwise looks at the file before bbolt may map it.
func prepare(path string, opts *Options) (look, error) {
	if err := opts.Schema.valid(); err != nil {
		return look{}, err
	}
	_, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) && !opts.MustExist && !opts.ReadOnly {
		err = create(path, opts)
	}
	if err != nil {
		return look{}, err
	}
	return inspect(path)
}

// Close waits for what was handed in and for the readers, then closes the file. Calls that come later get
// ErrClosed. A second Close does nothing. It must not be called from inside a View or a write function.
func (db *DB) Close() error {
	db.closing.Lock()
	if db.closed {
		db.closing.Unlock()
		return nil
	}
	db.closed = true
	db.closing.Unlock()
	close(db.stop)
	<-db.stopped
	db.shut.Store(true)
	b := db.body.Load()
	close(b.lock().open)
	db.ring() // followers that wait see the end
	b.drained(nil)
	db.retired.Wait()
	if db.cache != nil {
		db.cache.close() // ristretto panics if a reader still fills it
	}
	db.pins.drop()
	return b.close(db.opts.Log, db.path, !db.opts.ReadOnly && !db.broken.Load())
}

// Closed says whether Close was called.
func (db *DB) Closed() bool {
	db.closing.RLock()
	defer db.closing.RUnlock()
	return db.closed
}

// Path is where the file lies.
func (db *DB) Path() string { return db.path }

// Clean says whether the file was closed in order before it was opened. It was not after a crash, and neither
// is a copy of a running file.
func (db *DB) Clean() bool { return db.clean }

// UUID is the appliance's own, made with the file and kept for good, unless a copy takes another (Tx.RenewUUID).
func (db *DB) UUID() uuid.UUID { return *db.uuid.Load() }

// Epoch is the file's present epoch, 1 at first.
func (db *DB) Epoch() uint16 { return uint16(db.epoch.Load()) }

// Stats gives the writer's counters.
func (db *DB) Stats() *Stats { return &db.stats }

// Size is the file's length in bytes.
func (db *DB) Size() int64 {
	info, err := os.Stat(db.path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// SetSealer opens the sealed tables. Rows that were cached before are not used any more.
func (db *DB) SetSealer(s Sealer) {
	db.sealer.Store(&s)
	if db.cache != nil {
		db.cache.forget()
	}
}

func (db *DB) seal() (Sealer, error) {
	if p := db.sealer.Load(); p != nil {
		return *p, nil
	}
	return nil, ErrSealed
}
