package license

import (
	"cmp"
	"slices"
	"time"

	"goldfish/store"
)

// loadPresence brings back who was online when the appliance stopped. Their silence counts from now, for while
// it was down nobody could be heard; those who do not come back go offline with their one event.
func (a *Authority) loadPresence() error {
	return a.db.View(func(tx *store.Tx) error {
		for row, err := range presences.Scan(tx, store.Range{}) {
			if err != nil {
				return err
			}
			if !row.Online {
				continue
			}
			silence := DefaultPolicy.silence()
			if app := a.appByID(tx, row.App); app != nil {
				silence = app.Policy.silence()
			}
			a.presence.enter(row.Binding, row.App, &present{Presence: *row, heard: tx.Now.UnixMilli(), silence: silence})
		}
		a.presence.news = nil
		return nil
	})
}

func byBinding(x, y Presence) int { return cmp.Compare(x.Binding, y.Binding) }

// FlushPresence writes what was heard since the last flush.
func (a *Authority) FlushPresence() error {
	a.presence.writing.Lock()
	defer a.presence.writing.Unlock()
	rows := a.presence.takeDirty()
	for part := range slices.Chunk(rows, presenceRows) {
		err := a.db.UpdateSpare(func(tx *store.Tx) error {
			for i := range part {
				if err := presences.Put(tx, &part[i]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			a.presence.markDirty(rows)
			return unlessFull(err)
		}
	}
	return nil
}

func (p *presence) takeDirty() (rows []Presence) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range p.online {
		if d.dirty {
			rows = append(rows, d.Presence)
			d.dirty = false
		}
	}
	slices.SortFunc(rows, byBinding)
	return rows
}

func (p *presence) markDirty(rows []Presence) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range rows {
		if d := p.online[r.Binding]; d != nil {
			d.dirty = true
		}
	}
}

// SweepOffline takes devices offline that have no socket and were told to stop or not heard for 15 minutes, each
// with exactly one event. One that is heard while its going is being written has come back after it.
func (a *Authority) SweepOffline() error {
	for {
		n, err := a.sweepSome()
		a.tellPresence()
		if n == 0 || err != nil {
			return err
		}
	}
}

func (a *Authority) sweepSome() (n int, err error) {
	a.presence.writing.Lock()
	defer a.presence.writing.Unlock()
	gone := a.presence.takeSilent(a.Now(), presenceRows)
	if len(gone) == 0 {
		return 0, nil
	}
	if err = a.writeGone(gone); err != nil {
		a.presence.putBack(gone)
	}
	return len(gone), err
}

func (a *Authority) writeGone(gone []*present) error {
	return a.db.Update(func(tx *store.Tx) error {
		for _, d := range gone {
			row := d.Presence
			row.Online = false
			if err := presences.Put(tx, &row); err != nil {
				return err
			}
			if err := record(tx, System, about(DeviceOffline, NounDevice, row.Binding, row.App)); err != nil {
				return err
			}
		}
		return nil
	})
}

// takeSilent takes up to most devices out that are to go offline.
func (p *presence) takeSilent(now time.Time, most int) (gone []*present) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range p.online {
		if d.sockets == 0 && (d.stopped || now.Sub(time.UnixMilli(d.heard)) > d.silence) {
			if gone = append(gone, d); len(gone) == most {
				break
			}
		}
	}
	for _, d := range gone {
		p.leave(d)
	}
	slices.SortFunc(gone, func(x, y *present) int { return byBinding(x.Presence, y.Presence) })
	return gone
}

// putBack undoes takeSilent for those that were not heard meanwhile.
func (p *presence) putBack(gone []*present) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range gone {
		if p.online[d.Binding] == nil {
			p.enter(d.Binding, d.App, d)
		}
	}
}

// resetTime makes silence count from now for whoever was heard by a clock that has fallen back since.
func (p *presence) resetTime(now int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range p.online {
		if d.heard > now {
			d.heard, d.Seen, d.dirty = now, now, true
		}
	}
}
