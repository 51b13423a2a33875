package license

import (
	"slices"

	"github.com/google/uuid"

	"goldfish/license/fault"
	"goldfish/store"
)

// AnnouncementType sorts announcements (AN1). The numbers lie in the file and are never used again.
type AnnouncementType uint8

// Priority decides the order in which announcements are shown.
type Priority uint8

// AnnouncementState is where an announcement stands.
type AnnouncementState uint8

// The states; one whose validity has passed shows as expired.
const (
	Draft     AnnouncementState = 1
	Published AnnouncementState = 2
	Withdrawn AnnouncementState = 3
)

var (
	announcementTypes  = []string{"", "notice", "maintenance", "release", "security"}
	priorities         = []string{"", "high", "medium", "low"}
	announcementStates = []string{"", "draft", "published", "withdrawn"}
)

func nameOf(names []string, i uint8) string {
	if int(i) < len(names) {
		return names[i]
	}
	return ""
}

func parseName(names []string, s, field string) (uint8, error) {
	if i := slices.Index(names, s); i > 0 {
		return uint8(i), nil
	}
	return 0, fault.New(fault.Invalid, "value_unknown").In(field)
}

// String is the type's name on the wire.
func (t AnnouncementType) String() string { return nameOf(announcementTypes, uint8(t)) }

// String is the priority's name on the wire.
func (p Priority) String() string { return nameOf(priorities, uint8(p)) }

// Announcement is what a vendor tells the customers of all or some apps.
type Announcement struct {
	ID        store.ID          `cbor:"1,keyasint"`
	Apps      []store.ID        `cbor:"2,keyasint,omitempty"` // none: all apps
	Type      AnnouncementType  `cbor:"3,keyasint"`
	Priority  Priority          `cbor:"4,keyasint"`
	Title     Text              `cbor:"5,keyasint"`
	Body      Text              `cbor:"6,keyasint"`
	State     AnnouncementState `cbor:"7,keyasint"`
	Created   int64             `cbor:"8,keyasint"`
	Published int64             `cbor:"9,keyasint,omitempty"`
	Ends      int64             `cbor:"10,keyasint,omitempty"` // 0: it does not hide itself
	By        store.ID          `cbor:"11,keyasint,omitempty"`
}

// StateAt is the state on the wire at a time.
func (n *Announcement) StateAt(now int64) string {
	if n.State == Published && n.Ends != 0 && now >= n.Ends {
		return "expired"
	}
	return nameOf(announcementStates, uint8(n.State))
}

// NewAnnouncement is what a vendor writes. Apps empty means all.
type NewAnnouncement struct {
	Apps           []uuid.UUID
	Type, Priority string
	Title, Body    Text
	Ends           int64 // Unix milliseconds, 0: never
	Publish        bool
}

// fill puts what was written into the announcement, or says which member is wrong.
func (n *Announcement) fill(a *Authority, tx *store.Tx, in NewAnnouncement) error {
	t, err := parseName(announcementTypes, in.Type, "type")
	if err != nil {
		return err
	}
	p, err := parseName(priorities, in.Priority, "priority")
	if err != nil {
		return err
	}
	n.Type, n.Priority = AnnouncementType(t), Priority(p)
	if n.Title, err = textOf(in.Title, "title", 120, true, false); err != nil {
		return err
	}
	if n.Body, err = textOf(in.Body, "body", 5000, true, true); err != nil {
		return err
	}
	if n.Ends = in.Ends; n.Ends != 0 && (n.Ends <= tx.Now.UnixMilli() || n.Ends > tx.Now.AddDate(100, 0, 0).UnixMilli()) {
		return fault.New(fault.Invalid, "until_past").In("expires_at")
	}
	if len(in.Apps) > 200 {
		return fault.New(fault.Invalid, "value_range").In("app_ids").With("least", 0).With("most", 200)
	}
	n.Apps = nil
	for _, id := range in.Apps {
		app, err := a.appByUUID(tx, id)
		if err != nil {
			return err
		}
		if !slices.Contains(n.Apps, app.ID) {
			n.Apps = append(n.Apps, app.ID)
		}
	}
	return nil
}

// CreateAnnouncement writes an announcement, and publishes it at once if the vendor says so.
func (a *Authority) CreateAnnouncement(who Actor, in NewAnnouncement) (*Announcement, error) {
	if err := who.Authorise(WriteAnnouncements); err != nil {
		return nil, err
	}
	return store.Write(a.db, func(tx *store.Tx) (*Announcement, error) {
		n := &Announcement{State: Draft, Created: tx.Now.UnixMilli(), By: who.Account}
		if err := n.fill(a, tx, in); err != nil {
			return nil, err
		}
		var err error
		if n.ID, err = announcements.NextID(tx); err != nil {
			return nil, err
		}
		if in.Publish {
			return n, a.publish(tx, who, n)
		}
		if err := announcements.Put(tx, n); err != nil {
			return nil, err
		}
		return n, record(tx, who, about(AnnouncementChanged, NounAnnouncement, n.ID, 0).because("created"))
	})
}

// ChangeAnnouncement rewrites a draft.
func (a *Authority) ChangeAnnouncement(who Actor, id store.ID, in NewAnnouncement) (*Announcement, error) {
	return a.changeDraft(who, id, func(tx *store.Tx, n *Announcement) error {
		if err := n.fill(a, tx, in); err != nil {
			return err
		}
		if err := announcements.Put(tx, n); err != nil {
			return err
		}
		return record(tx, who, about(AnnouncementChanged, NounAnnouncement, n.ID, 0).because("changed"))
	})
}

// PublishAnnouncement sends a draft to those online; the others find it when they come.
func (a *Authority) PublishAnnouncement(who Actor, id store.ID) (*Announcement, error) {
	return a.changeDraft(who, id, func(tx *store.Tx, n *Announcement) error {
		if n.Ends != 0 && n.Ends <= tx.Now.UnixMilli() {
			return fault.New(fault.Invalid, "until_past").In("expires_at")
		}
		return a.publish(tx, who, n)
	})
}

// DeleteAnnouncement throws a draft away. One that was published is withdrawn instead.
func (a *Authority) DeleteAnnouncement(who Actor, id store.ID) error {
	_, err := a.changeDraft(who, id, func(tx *store.Tx, n *Announcement) error {
		if err := announcements.Delete(tx, n.ID.Key()); err != nil {
			return err
		}
		return record(tx, who, about(AnnouncementChanged, NounAnnouncement, n.ID, 0).because("deleted"))
	})
	return err
}

func (a *Authority) changeDraft(who Actor, id store.ID, fn func(*store.Tx, *Announcement) error) (*Announcement, error) {
	if err := who.Authorise(WriteAnnouncements); err != nil {
		return nil, err
	}
	return store.Write(a.db, func(tx *store.Tx) (*Announcement, error) {
		n, err := rowOf(tx, announcements, id, NounAnnouncement)
		if err != nil {
			return nil, err
		}
		if n.State != Draft {
			return nil, fault.New(fault.Conflict, "announcement_not_draft")
		}
		return n, fn(tx, n)
	})
}

// publish gives the announcement a notice with a number in every app that it is for.
func (a *Authority) publish(tx *store.Tx, who Actor, n *Announcement) error {
	n.State, n.Published = Published, tx.Now.UnixMilli()
	if err := announcements.Put(tx, n); err != nil {
		return err
	}
	audience, err := audienceOf(tx, n)
	if err != nil {
		return err
	}
	if len(audience) == 0 { // a first app will find it
		return record(tx, who, about(AnnouncementPublished, NounAnnouncement, n.ID, 0))
	}
	for _, app := range audience {
		if err := notify(tx, who, n, app, noticeAnnouncement); err != nil {
			return err
		}
	}
	return nil
}

// notify makes a notice of an announcement in one app, and its event.
func notify(tx *store.Tx, who Actor, n *Announcement, app store.ID, kind string) error {
	seq, err := nextPush(tx, app, true)
	if err != nil {
		return err
	}
	row := &Notice{App: app, Seq: seq, Kind: kind, Announcement: n.ID, At: tx.Now.UnixMilli(), Ends: n.Ends}
	if err := notices.Put(tx, row); err != nil {
		return err
	}
	event := AnnouncementPublished
	if kind == noticeWithdrawn {
		event = AnnouncementWithdrawn
	}
	return record(tx, who, about(event, NounAnnouncement, n.ID, app).with("seq", seqText(seq)))
}

// greet gives a new app the announcements to all apps that still hold.
func greet(tx *store.Tx, who Actor, app store.ID) error {
	var hold []*Announcement
	for n, err := range announcements.Scan(tx, store.Range{}) {
		if err != nil {
			return err
		}
		if len(n.Apps) == 0 && n.State == Published && (n.Ends == 0 || tx.Now.UnixMilli() < n.Ends) {
			hold = append(hold, n)
		}
	}
	for _, n := range hold {
		if err := notify(tx, who, n, app, noticeAnnouncement); err != nil {
			return err
		}
	}
	return nil
}

func audienceOf(tx *store.Tx, n *Announcement) ([]store.ID, error) {
	if len(n.Apps) > 0 {
		return n.Apps, nil
	}
	var all []store.ID
	for app, err := range apps.Scan(tx, store.Range{}) {
		if err != nil {
			return nil, err
		}
		all = append(all, app.ID)
	}
	return all, nil
}

// WithdrawAnnouncement takes a published announcement back: those who come later do not get it, those online
// are told to hide it.
func (a *Authority) WithdrawAnnouncement(who Actor, id store.ID) (*Announcement, error) {
	if err := who.Authorise(WriteAnnouncements); err != nil {
		return nil, err
	}
	return store.Write(a.db, func(tx *store.Tx) (*Announcement, error) {
		n, err := rowOf(tx, announcements, id, NounAnnouncement)
		if err != nil {
			return nil, err
		}
		if n.State != Published {
			return nil, fault.New(fault.Conflict, "announcement_not_published")
		}
		n.State = Withdrawn
		if err := announcements.Put(tx, n); err != nil {
			return nil, err
		}
		return n, a.takeBack(tx, who, n)
	})
}

// takeBack ends the announcement's notices, and tells the apps that had one.
func (a *Authority) takeBack(tx *store.Tx, who Actor, n *Announcement) error {
	var gone []*Notice
	for row, err := range rowsBy(tx, notices, noticeOf, store.Range{Prefix: n.ID.Key()}) {
		if err != nil {
			return err
		}
		gone = append(gone, row)
	}
	if len(gone) == 0 {
		return record(tx, who, about(AnnouncementWithdrawn, NounAnnouncement, n.ID, 0))
	}
	for _, row := range gone {
		row.Gone = true
		if err := notices.Put(tx, row); err != nil {
			return err
		}
		if err := notify(tx, who, n, row.App, noticeWithdrawn); err != nil {
			return err
		}
	}
	return nil
}

// Announcement gives one announcement, for the back office.
func (a *Authority) Announcement(who Actor, id store.ID) (*Announcement, error) {
	if err := who.Authorise(ReadAnnouncements); err != nil {
		return nil, err
	}
	return store.Read(a.db, func(tx *store.Tx) (*Announcement, error) {
		return rowOf(tx, announcements, id, NounAnnouncement)
	})
}

// ListAnnouncements gives up to limit announcements, newest first.
func (a *Authority) ListAnnouncements(who Actor, before store.ID, limit int) ([]*Announcement, error) {
	if err := who.Authorise(ReadAnnouncements); err != nil {
		return nil, err
	}
	return store.Read(a.db, func(tx *store.Tx) ([]*Announcement, error) {
		return page(announcements.Scan(tx, backFrom(before)), limit)
	})
}

// AppsOf gives the apps that an announcement names; none means all.
func (a *Authority) AppsOf(n *Announcement) []*App {
	out := []*App{}
	_ = a.db.View(func(tx *store.Tx) error {
		for _, id := range n.Apps {
			if app := a.appByID(tx, id); app != nil {
				out = append(out, app)
			}
		}
		return nil
	})
	return out
}
