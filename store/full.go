package store

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// ErrFull is the answer to a change for which the disk has no room. The file is as before it, everything can be
// read, and changes are taken again as soon as there is room.
var ErrFull = errors.New("store: the disk is full")

const (
	// Less room than a twentieth of the disk, on a large one than 256 MB, counts as little.
	lowShare = 20
	lowMost  = 256 << 20
)

// lookAgain is how often the disk is asked for its room, and how long a full one is left alone.
var lookAgain = time.Second

// room watches how much the disk still takes. It keeps a reserve on it, a file of nothing, that is given up when the
// disk is full so that essential changes go on, and made again when there is room. Only the writer does either.
type room struct {
	dir, reserve string
	size         int64 // of the reserve, 0: there is none
	log          *slog.Logger

	mu     sync.Mutex
	asked  time.Time // when the disk was last asked
	little bool      // what it answered
	lost   bool      // the reserve is not there
	told   bool      // low, as the log was told
	full   time.Time // the last change for which there was no room; zero once another was written
	tried  time.Time // the last attempt to make the reserve again
	failed bool      // it failed, as the log was told
}

func newRoom(path string, opts *Options) *room {
	r := &room{dir: filepath.Dir(path), reserve: path + ".reserve", size: opts.Reserve, log: opts.Log}
	if opts.ReadOnly {
		r.size = 0
	}
	if _, all, err := diskRoom(r.dir); err == nil {
		r.size = min(r.size, all/lowShare)
	}
	if r.size > 0 && !r.stands() {
		r.lost = true
		r.restore(time.Now())
	}
	return r
}

// Low says whether the disk has so little room that only essential changes are taken: the reserve was given up, or
// less than a twentieth of the disk (on a large one, less than 256 MB) is free. It may lag by a second.
func (db *DB) Low() bool { return db.room.low() }

// UpdateSpare is Update for what is no harm to lose: ErrFull at once while Low.
func (db *DB) UpdateSpare(fn func(*Tx) error) error {
	if db.Low() {
		return ErrFull
	}
	return db.hand(&op{fn: fn, spare: true, done: make(chan struct{})})
}

func (r *room) low() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := time.Now(); now.Sub(r.asked) >= lookAgain {
		r.asked = now
		free, all, err := diskRoom(r.dir)
		r.little = err == nil && free < lowBelow(all) // some network disks answer nothing of use
	}
	low := r.lost || r.little
	if low != r.told {
		r.told = low
		if low {
			r.log.Warn("the disk has little room: only essential changes are taken", "folder", r.dir)
		} else {
			r.log.Info("the disk has room again", "folder", r.dir)
		}
	}
	return low
}

func lowBelow(all int64) int64 { return min(all/lowShare, lowMost) }

// refusal answers a change at once while the disk is known to be full. It is tried again once a second: a commit
// that fails costs a look at every page.
func (r *room) refusal() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.full.IsZero() && time.Since(r.full) < lookAgain {
		return ErrFull
	}
	return nil
}

// makeRoom says whether a commit that failed with err should be tried again, because room was made for it: first
// the reserve goes, then what is kept for copies, whose pages can then be used anew. try counts from 0.
func (db *DB) makeRoom(err error, try int) bool {
	if !isFull(err) || errors.Is(err, ErrFull) || errors.Is(err, ErrBroken) {
		return false
	}
	if try == 0 && db.room.giveUp() {
		return true
	}
	if try < 2 {
		if n := db.pins.drop(); n > 1 {
			db.pins.gaps.Add(1)
			db.opts.Log.Warn("the disk is full, and what was kept for copies of the running file was let go: "+
				"a plain copy that was being made at this moment may not open", "path", db.path, "states", n)
			return true
		}
	}
	return false
}

// wrote notes how a commit ended, and gives the error that its functions get.
func (r *room) wrote(err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		r.full = time.Time{}
	} else if isFull(err) && !errors.Is(err, ErrFull) {
		if r.full = time.Now(); !errors.Is(err, ErrBroken) {
			err = fmt.Errorf("%w: %w", ErrFull, err)
		}
		r.asked = time.Time{}
	}
	return err
}

// giveUp makes the reserve's room free. It is cut first: some file systems cannot take a name away when full.
func (r *room) giveUp() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.size == 0 || r.lost {
		return false
	}
	r.lost, r.tried = true, time.Now()
	err := errors.Join(os.Truncate(r.reserve, 0), os.Remove(r.reserve), syncDir(r.dir))
	r.log.Warn("the disk is full: the reserve was given up", "file", r.reserve, "bytes", r.size, "err", err)
	return true
}

// due is when a quiet writer should see whether the reserve can be made again; never, if it is there.
func (r *room) due() <-chan time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.lost {
		return nil
	}
	return time.After(lookAgain)
}

// remake makes the reserve again, if it is gone and there is room for it.
func (r *room) remake() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := time.Now(); r.lost && now.Sub(r.tried) >= lookAgain {
		r.restore(now)
	}
}

func (r *room) restore(now time.Time) {
	r.tried, r.asked = now, time.Time{}
	free, all, err := diskRoom(r.dir)
	if err == nil && free-r.size < lowBelow(all) {
		return
	}
	if err := r.make(); err != nil {
		_ = os.Remove(r.reserve)
		if !r.failed {
			r.failed = true
			r.log.Warn("the reserve could not be made", "file", r.reserve, "bytes", r.size, "err", err)
		}
		return
	}
	r.lost, r.failed = false, false
}

// stands says whether the reserve is there, as large as it should be and really on the disk.
func (r *room) stands() bool {
	info, err := os.Lstat(r.reserve)
	return err == nil && info.Mode().IsRegular() && info.Size() == r.size && allocated(info) >= r.size
}

func (r *room) make() error {
	if err := os.Remove(r.reserve); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(r.reserve, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if allocate(f, r.size) != nil {
		// Bytes that no file system can press together or share.
		_, err = io.CopyN(f, rand.NewChaCha8([32]byte{1}), r.size)
	}
	return errors.Join(err, f.Sync(), f.Close())
}

// isFull says whether err is the disk's being full. bbolt keeps but the text of what stopped it growing a file.
func isFull(err error) bool {
	if err == nil {
		return false
	}
	for _, full := range fullErrors {
		if errors.Is(err, full) || strings.Contains(err.Error(), full.Error()) {
			return true
		}
	}
	return errors.Is(err, ErrFull)
}
