package license

import (
	"context"
	"errors"
	"strconv"
	"sync"

	"goldfish/license/fault"
	"goldfish/store"
	"goldfish/store/keyring"
)

// resealRows is how many rows one step of a rotation looks at.
const resealRows = 500

// RotateKeys begins a rotation: another root, given to every slot without anybody's secret, and another data key, under
// which a job then seals every row anew, drops the old key when no row names it any more, and compacts the file. Every
// session ends but the caller's own, for a copy of the file knows them. Copies made before stay as they are: whoever
// rotates because a password is known changes that first. A person proves the password again; the appliance itself need
// not.
//
// Faults: password_wrong (password), rotation_running, session_ended, busy.
func (a *Authority) RotateKeys(ctx context.Context, who Actor, password string) (*Job, error) {
	if err := who.Authorise(WriteKeyring); err != nil {
		return nil, err
	}
	if who.Kind != ActorSystem {
		if err := a.ConfirmPassword(ctx, who, password); err != nil {
			return nil, err
		}
	}
	return a.rotate(who, who.Session)
}

// everySession stays in a rotation that nobody's secret has brought about.
const everySession = ^store.ID(0)

// rotate begins a rotation in which one session stays.
func (a *Authority) rotate(who Actor, stays store.ID) (*Job, error) {
	total, err := store.Read(a.db, func(tx *store.Tx) (n int, err error) {
		for _, table := range a.sealedTables() {
			n += tx.Rows(table)
		}
		return n, nil
	})
	if err != nil {
		return nil, err
	}
	job, err := store.Write(a.db, func(tx *store.Tx) (*Job, error) { return a.beginRotation(tx, who, stays, total) })
	if err == nil {
		a.jobs.start(job.ID)
	}
	return job, err
}

func (a *Authority) sealedTables() []string { return Schema(a.opts.Release).SealedTables() }

// beginRotation makes the new keys and the job in one transaction: from its commit on everything is sealed under the new
// data key, and until the job is done the old one still opens.
func (a *Authority) beginRotation(tx *store.Tx, who Actor, stays store.ID, total int) (*Job, error) {
	chest, root, err := a.keys.chest(tx)
	if err != nil {
		return nil, err
	}
	if chest.Job != 0 {
		return nil, fault.New(fault.Conflict, "rotation_running")
	}
	next, gone, err := chest.Renew(root, a.opts.Rand)
	if err != nil {
		return nil, err
	}
	old, err := chest.Open(next, a.opts.Rand)
	if err != nil {
		return nil, err
	}
	ring, err := old.With(tx.Now.UnixMilli())
	if err != nil {
		return nil, err
	}
	if err := chest.Keep(ring, next); err != nil {
		return nil, err
	}
	job, err := newJob(tx, who, JobRotate, stays, total)
	if err != nil {
		return nil, err
	}
	chest.Job = uint64(job.ID)
	if err := keepChest(tx, who, chest, gone); err != nil {
		return nil, err
	}
	if err := resetSeals(tx); err != nil {
		return nil, err
	}
	a.keys.learn(next) // for whoever comes later in the same commit
	tx.After(func() {
		a.keys.use(ring)
		a.db.SetSealer(ring)
		a.keys.forget(next.Turn() - 1) // a reader may still see the one before
	})
	return job, record(tx, who, rotated(ring, job).because("begun"))
}

func rotated(ring *keyring.Ring, job *Job) Event {
	id, _, _ := ring.DataKey()
	return about(KeyringRotated, NounJob, job.ID, 0).with("data_key", strconv.Itoa(int(id)))
}

// rotation is a job under way. Where its pass stands is in memory alone: rows name their key, so that a pass after a
// restart goes over what is done without touching it.
type rotation struct {
	a      *Authority
	id     store.ID
	tables []string
	after  []byte // in the first of tables
	done   int
	alone  bool   // all sessions have ended that have to
	seen   []byte // the last of them that was looked at
	passed bool   // a whole pass was made
	proven bool   // a second one found no row under an old key, and the file holds none any more
}

func (a *Authority) newRotation(id store.ID) *rotation {
	return &rotation{a: a, id: id, tables: a.sealedTables()}
}

// step does a little of the job and says where it stands.
func (r *rotation) step() (*Job, error) {
	j, err := store.Read(r.a.db, func(tx *store.Tx) (*Job, error) { return jobs.Get(tx, r.id.Key()) })
	switch {
	case err != nil || j.State != JobRunning:
		return j, err
	case !r.alone:
		return j, r.endSessions(j)
	case len(r.tables) > 0 && !r.passed:
		return r.pass(j)
	case len(r.tables) > 0:
		return j, r.prove()
	case !r.passed:
		r.passed, r.tables = true, r.a.sealedTables()
		return j, nil
	case !r.proven:
		err := r.dropOld()
		r.proven = err == nil
		return j, err
	}
	return r.finish()
}

// endSessions ends the next sessions that were there when the rotation began.
func (r *rotation) endSessions(j *Job) error {
	if j.Object == everySession {
		r.alone = true
		return nil
	}
	var last []byte
	err := r.a.db.Update(func(tx *store.Tx) error {
		last = nil
		n := 0
		for s, err := range sessions.Scan(tx, store.Range{After: r.seen}) {
			if err != nil {
				return err
			}
			if n++; n > resealRows {
				return nil
			}
			last = s.ID.Key()
			if s.ID == j.Object || s.Created > j.Created {
				continue
			}
			if err := endSession(tx, System, s, LevelInfo, endedByRotation); err != nil {
				return err
			}
		}
		last = nil
		return nil
	})
	if err == nil {
		r.seen, r.alone = last, last == nil
	}
	return err
}

// pass seals the next rows of a table anew, if one of them needs it. While the disk has little room that waits: the
// reserve is for activations.
func (r *rotation) pass(j *Job) (*Job, error) {
	stale, n, next, err := r.look()
	if err != nil {
		return nil, err
	}
	if stale > 0 {
		err = r.a.db.UpdateSpare(func(tx *store.Tx) (err error) {
			if j, err = jobs.Get(tx, r.id.Key()); err != nil {
				return err
			}
			if next, n, err = tx.Reseal(r.tables[0], r.after, resealRows); err != nil {
				return err
			}
			j.Done = min(r.done+n, j.Total)
			return jobs.Put(tx, j)
		})
		if err != nil {
			return nil, err
		}
	}
	r.done += n
	j.Done = min(r.done, j.Total)
	r.move(next)
	return j, nil
}

// look counts, in the next rows, those under another key than the present one, and all.
func (r *rotation) look() (stale, n int, next []byte, err error) {
	current, _, _ := r.a.keys.now().DataKey()
	err = r.a.db.View(func(tx *store.Tx) error {
		rows, last, err := tx.SealedUnder(r.tables[0], r.after, resealRows)
		next = last
		for key, count := range rows {
			n += count
			if key != current && key != 0 {
				stale += count
			}
		}
		return err
	})
	return stale, n, next, err
}

func (r *rotation) move(next []byte) {
	if r.after = next; next == nil {
		r.tables = r.tables[1:]
	}
}

// errStale is a row that could not be sealed anew.
var errStale = errors.New("license: a row lies under an old key and does not open")

// prove looks at the next rows. One under an old key is damaged: the pass left it as it was.
func (r *rotation) prove() error {
	stale, _, next, err := r.look()
	if err != nil {
		return err
	}
	if stale > 0 {
		r.a.log.Error("the key ring keeps its old key", "table", r.tables[0], "err", errStale)
		return r.fail()
	}
	r.move(next)
	return nil
}

// fail ends the job; the old key stays for whoever can mend the row, and the next rotation drops it.
func (r *rotation) fail() error {
	return r.end(JobFailed, about(SystemError, NounJob, r.id, 0).at(LevelError).because("rows_damaged"))
}

// end ends the job in the file.
func (r *rotation) end(state JobState, e Event) error {
	return r.a.db.Update(func(tx *store.Tx) error {
		chest, _, err := r.a.keys.chest(tx)
		if err != nil {
			return err
		}
		j, err := jobs.Get(tx, r.id.Key())
		if err != nil {
			return err
		}
		chest.Job = 0
		j.State, j.Finished, j.Code = state, tx.Now.UnixMilli(), e.Code
		if state == JobDone {
			j.Done = j.Total
		}
		if err := rings.Put(tx, chest); err != nil {
			return err
		}
		if err := jobs.Put(tx, j); err != nil {
			return err
		}
		return record(tx, System, e)
	})
}

// dropOld takes the old keys out of the file: since the rotation began nothing was sealed under them, and no row names
// them any more. In memory they stay, for readers of an older state.
func (r *rotation) dropOld() error {
	return r.a.db.Update(func(tx *store.Tx) error {
		chest, root, err := r.a.keys.chest(tx)
		if err != nil {
			return err
		}
		ring, err := chest.Open(root, r.a.opts.Rand)
		if err != nil {
			return err
		}
		if _, _, others := ring.DataKey(); others == 0 { // before a restart
			return nil
		}
		if ring, err = ring.Only(); err != nil {
			return err
		}
		if err := chest.Keep(ring, root); err != nil {
			return err
		}
		if err := rings.Put(tx, chest); err != nil {
			return err
		}
		return wishCompaction(tx)
	})
}

// finish compacts the file, which still holds what was sealed under the old key. If that fails, or the disk has no room
// for it, it stays wished for.
func (r *rotation) finish() (*Job, error) {
	if err := r.a.compactUnasked(); err != nil {
		if errors.Is(err, store.ErrClosed) {
			return nil, err
		}
		r.a.log.Error("the file was not compacted after a rotation and will be", "err", err)
	}
	j := &Job{ID: r.id}
	if err := r.end(JobDone, rotated(r.a.keys.now(), j)); err != nil {
		return nil, err
	}
	return store.Read(r.a.db, func(tx *store.Tx) (*Job, error) { return jobs.Get(tx, r.id.Key()) })
}

// rotationStalls tells of a rotation whose steps fail; it is tried on.
func (a *Authority) rotationStalls() {
	if err := a.Record(System, about(SystemError, 0, 0, 0).at(LevelError).because("rotation_stalls")); err != nil {
		a.log.Error("a stalled rotation was not recorded", "err", err)
	}
}

const (
	sealsMark = "seals" // about how often the present data key has sealed
	sealsStep = 100_000 // of which the file is told at once: what a crash may leave uncounted
)

// sealCount is how much of the ring's count stands in the file already.
type sealCount struct {
	mu   sync.Mutex
	ring *keyring.Ring
	told uint64
}

// countSeals keeps the count of the data key's use, roughly, and has the keys rotated before it is worn.
func (a *Authority) countSeals() error {
	a.seals.mu.Lock()
	defer a.seals.mu.Unlock()
	ring := a.keys.now()
	if ring != a.seals.ring {
		a.seals.ring, a.seals.told = ring, 0
	}
	n := ring.Seals()
	if n-a.seals.told < sealsStep {
		return nil
	}
	sum, err := a.addSeals(n - a.seals.told)
	if err != nil {
		return err
	}
	a.seals.told = n
	if sum < keyring.SealsMost {
		return nil
	}
	_, err = a.rotate(System, everySession)
	if fault.Has(err, "rotation_running") {
		return nil
	}
	return err
}

func (a *Authority) addSeals(n uint64) (uint64, error) {
	return store.Write(a.db, func(tx *store.Tx) (uint64, error) {
		m, err := marks.Get(tx, []byte(sealsMark))
		if isNotFound(err) {
			m, err = &Marker{Name: sealsMark}, nil
		}
		if err != nil {
			return 0, err
		}
		m.Value += int64(n)
		return uint64(m.Value), marks.Put(tx, m)
	})
}

func resetSeals(tx *store.Tx) error {
	err := marks.Delete(tx, []byte(sealsMark))
	if isNotFound(err) {
		return nil
	}
	return err
}
