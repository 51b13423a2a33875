package store

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"
)

// body is the file as it is open now. Compact puts another into its place; readers that began in the old one
// end there, and the last of them lets it be closed.
//
// Readers hold no lock, so that a View inside a View cannot lock up with a Close between the two.
type body struct {
	bolt    *bolt.DB
	file    *os.File // bbolt's own, for reading past the map
	mapped  int      // the least length of its map
	began   int      // the newest transaction at the opening
	readers atomic.Int64
	gate    atomic.Pointer[gate]
	idle    chan struct{}     // the last reader has left since the gate was shut
	copying func(bytes int64) // hears what a copy has taken so far; nil: nobody
}

// gate stands before a body that takes no reader any more; open is closed when it is worth trying again.
type gate struct{ open chan struct{} }

// enter counts a reader into the present body; nil says that the file is closed.
func (db *DB) enter() *body {
	for {
		b := db.body.Load()
		b.readers.Add(1)
		g := b.gate.Load()
		if g == nil {
			return b
		}
		b.leave()
		<-g.open
		if db.shut.Load() {
			return nil
		}
	}
}

// leave counts a reader out.
func (b *body) leave() {
	if b.readers.Add(-1) == 0 && b.gate.Load() != nil {
		select {
		case b.idle <- struct{}{}:
		default:
		}
	}
}

// lock lets no further reader in until the gate that it gives is opened.
func (b *body) lock() *gate {
	g := &gate{open: make(chan struct{})}
	b.gate.Store(g)
	return g
}

// unlock lets readers in again.
func (b *body) unlock(g *gate) {
	b.gate.Store(nil)
	close(g.open)
}

// drained waits until the last reader of a locked body has left, or until the channel gives up.
func (b *body) drained(giveUp <-chan time.Time) bool {
	for b.readers.Load() != 0 {
		select {
		case <-b.idle:
		case <-giveUp:
			return false
		}
	}
	return true
}

// listFree writes the list of free pages, which is left out while the file is written to, so that the next
// opening need not look at every page for it. A file to which nothing was written is left as it is.
func (b *body) listFree() (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, p)
		}
	}()
	tx, err := b.bolt.Begin(true)
	if err != nil {
		return err
	}
	if tx.ID() == b.began+1 {
		return tx.Rollback()
	}
	b.bolt.NoFreelistSync = false
	return tx.Commit()
}

// close ends the body, which no reader and no pin holds any more. A list of free pages that could not be
// written is no loss: the next start looks for them.
func (b *body) close(log *slog.Logger, path string, list bool) error {
	if list {
		if err := b.listFree(); err != nil {
			log.Warn("the list of free pages could not be written: the next start looks at every page", "path", path, "err", err)
		}
	}
	return b.bolt.Close()
}

// openBody opens the file for writing or, if asked, for reading only. It changes nothing in it.
func openBody(path string, opts *Options) (*body, error) {
	b, err := openBolt(path, opts)
	if err != nil {
		return nil, err
	}
	tx, err := b.bolt.Begin(false)
	if err != nil {
		return nil, errors.Join(err, b.bolt.Close())
	}
	b.began = tx.ID()
	return b, tx.Rollback()
}

// Room that the file grows by: an eighth of it, within these bounds. It takes no space on the disk before it is
// used. The fewer steps, the fewer copies whose tool asked for the file's length just before one.
const (
	leastGrowth = 1 << 20
	mostGrowth  = 16 << 20
)

// stock sets how much the file grows by the next time.
func (b *body) stock() {
	if info, err := b.file.Stat(); err == nil {
		b.bolt.AllocSize = int(min(max(info.Size()/8, leastGrowth), mostGrowth))
	}
}
