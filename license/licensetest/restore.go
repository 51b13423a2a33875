package licensetest

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"

	"goldfish/license"
	"goldfish/store"
)

var copies atomic.Int64

// Copy takes a copy of the file as it is now and gives its path.
func (w *World) Copy() string {
	w.T.Helper()
	path := filepath.Join(w.T.TempDir(), fmt.Sprintf("copy-%d.db", copies.Add(1)))
	w.Must(w.DB().Snapshot(path))
	return path
}

// Restored ends the appliance and puts a copy in the place of its file as a restore does: with an epoch above
// that of either. It gives the appliance on the restored file.
func (w *World) Restored(from string) *World {
	w.T.Helper()
	return w.PutBack(from, w.DB().Epoch())
}

// PutBack ends the appliance and puts a copy in the place of its file; above lifts the copy's epoch over that
// number first, 0 leaves it as it is, as somebody does who copies by hand.
func (w *World) PutBack(from string, above uint16) *World {
	w.T.Helper()
	w.Must(w.Close())
	w.place(from, above)
	next := OpenWith(w.T, w.Path, w.Clock, w.StateDir)
	next.Owner = w.Owner
	return next
}

// place puts the copy where the file was.
func (w *World) place(from string, above uint16) {
	w.T.Helper()
	raw, err := os.ReadFile(from)
	w.Must(err)
	w.Must(os.WriteFile(w.Path, raw, 0o600))
	if above == 0 {
		return
	}
	db, err := store.Open(w.Path, store.Options{
		Schema: license.Schema("test"), Clock: w.Clock.Now, Rand: rand.Reader, MustExist: true,
	})
	w.Must(err)
	for db.Epoch() <= above {
		_, err := db.NextEpoch()
		w.Must(err)
	}
	w.Must(db.Close())
}
