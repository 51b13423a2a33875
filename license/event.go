package license

import (
	"context"
	"fmt"

	"goldfish/store"
)

// EventKind says what happened. The numbers lie in the log and are never used again.
type EventKind uint16

// What is recorded. Names are those of EV1 where it names them.
const (
	UserLogin             EventKind = 1
	UserLogout            EventKind = 2
	UserRegister          EventKind = 3
	UserPassword          EventKind = 4
	UserLoginRefused      EventKind = 5
	SessionEnded          EventKind = 6
	AppCreated            EventKind = 10
	AppChanged            EventKind = 11
	BatchCreated          EventKind = 20
	BatchReady            EventKind = 21
	BatchCancelled        EventKind = 22
	BatchFailed           EventKind = 23
	CardsExported         EventKind = 24
	CardActivated         EventKind = 30
	CardExpired           EventKind = 31
	CardDisabled          EventKind = 32
	CardEnabled           EventKind = 33
	CardDeleted           EventKind = 34
	CardRefused           EventKind = 35
	DeviceRegistered      EventKind = 40
	DeviceOnline          EventKind = 41
	DeviceOffline         EventKind = 42
	DeviceAnomaly         EventKind = 43
	DeviceReplaced        EventKind = 44
	DeviceUnbound         EventKind = 45
	AnnouncementPublished EventKind = 50
	AnnouncementWithdrawn EventKind = 51
	AnnouncementChanged   EventKind = 52
	SystemBackup          EventKind = 60
	SystemError           EventKind = 61
	SystemStarted         EventKind = 62
	SystemSetting         EventKind = 63
	SystemBackupDeleted   EventKind = 64
	SystemBackupTaken     EventKind = 65
	KeyringSlotAdded      EventKind = 70
	KeyringSlotRemoved    EventKind = 71
	KeyringRotated        EventKind = 72
	KeyringRecoverySet    EventKind = 73
	SystemUnsealed        EventKind = 74
	SystemCompacted       EventKind = 75
	SystemRestored        EventKind = 76
	ReceiptAdopted        EventKind = 77
	ReceiptKept           EventKind = 78
	ReceiptDecided        EventKind = 79
	SystemCompacting      EventKind = 80
)

var eventNames = map[EventKind]string{
	UserLogin: "user.login", UserLogout: "user.logout", UserRegister: "user.register",
	UserPassword: "user.password", UserLoginRefused: "user.login.refused", SessionEnded: "user.session.ended",
	AppCreated: "app.created", AppChanged: "app.changed",
	BatchCreated: "batch.created", BatchReady: "batch.ready", BatchCancelled: "batch.cancelled",
	BatchFailed: "batch.failed", CardsExported: "card_key.exported",
	CardActivated: "card_key.activated", CardExpired: "card_key.expired", CardDisabled: "card_key.disabled",
	CardEnabled: "card_key.enabled", CardDeleted: "card_key.deleted", CardRefused: "card_key.refused",
	DeviceRegistered: "device.registered", DeviceOnline: "device.online", DeviceOffline: "device.offline",
	DeviceAnomaly: "device.anomaly", DeviceReplaced: "device.replaced", DeviceUnbound: "device.unbound",
	AnnouncementPublished: "announcement.published", AnnouncementWithdrawn: "announcement.withdrawn",
	AnnouncementChanged: "announcement.changed",
	SystemBackup:        "system.backup", SystemError: "system.error", SystemStarted: "system.started",
	SystemSetting: "system.setting.changed", SystemBackupDeleted: "system.backup.deleted", SystemBackupTaken: "system.backup.downloaded",
	KeyringSlotAdded: "keyring.slot.added", KeyringSlotRemoved: "keyring.slot.removed", KeyringRotated: "keyring.rotated",
	KeyringRecoverySet: "keyring.recovery.set", SystemUnsealed: "system.unsealed", SystemCompacted: "system.compacted",
	SystemRestored: "system.restored", SystemCompacting: "system.compacting",
	ReceiptAdopted: "receipt.adopted", ReceiptKept: "receipt.kept", ReceiptDecided: "receipt.decided",
}

// String is the event's stable name on the wire.
func (k EventKind) String() string {
	if s := eventNames[k]; s != "" {
		return s
	}
	return fmt.Sprintf("event.%d", uint16(k))
}

// Level grades an event as LG1 does.
type Level uint8

// The levels, lowest first.
const (
	LevelDebug Level = iota
	LevelInfo
	LevelWarning
	LevelError
	LevelCritical
)

var levelNames = [...]string{"debug", "info", "warning", "error", "critical"}

// String is the level's name on the wire.
func (l Level) String() string {
	if int(l) < len(levelNames) {
		return levelNames[l]
	}
	return "error"
}

// Event is one row of the log: that something happened, to what, by whom. It holds no name, e-mail address
// or sentence: those are looked up and translated when it is shown.
type Event struct {
	Time    int64             `cbor:"1,keyasint"` // Unix milliseconds
	Kind    EventKind         `cbor:"2,keyasint"`
	Level   Level             `cbor:"3,keyasint,omitempty"`
	Actor   ActorKind         `cbor:"4,keyasint,omitempty"`
	ActorID store.ID          `cbor:"5,keyasint,omitempty"` // account, or binding of the device
	Noun    Noun              `cbor:"6,keyasint,omitempty"`
	Object  store.ID          `cbor:"7,keyasint,omitempty"`
	App     store.ID          `cbor:"8,keyasint,omitempty"`
	Address []byte            `cbor:"9,keyasint,omitempty"` // 4 or 16 bytes
	Code    string            `cbor:"10,keyasint,omitempty"`
	Args    map[string]string `cbor:"11,keyasint,omitempty"`
}

// about makes an event of an object in an app (0: none).
func about(kind EventKind, n Noun, object, app store.ID) Event {
	return Event{Kind: kind, Level: LevelInfo, Noun: n, Object: object, App: app}
}

func (e Event) at(l Level) Event { e.Level = l; return e }

func (e Event) because(code string) Event { e.Code = code; return e }

func (e Event) with(key, value string) Event {
	args := map[string]string{key: value}
	for k, v := range e.Args {
		args[k] = v
	}
	e.Args = args
	return e
}

// record appends the event in the transaction of the change it tells of.
func record(tx *store.Tx, who Actor, e Event) error {
	e.Time = tx.Now.UnixMilli()
	e.Actor, e.ActorID = who.Kind, who.Account
	if who.Address.IsValid() {
		e.Address = who.Address.Unmap().AsSlice()
	}
	_, err := events.Append(tx, &e)
	return err
}

// Record writes an event that comes with no change of its own: a backup made, a failure of the appliance.
func (a *Authority) Record(who Actor, e Event) error {
	return a.db.Update(func(tx *store.Tx) error { return record(tx, who, e) })
}

// Follow calls fn for every event after seq, in order, until ctx ends. fn must not block for long and must
// not change anything inside a transaction of its own caller.
func (a *Authority) Follow(ctx context.Context, seq uint64, fn func(seq uint64, e *Event)) error {
	return events.Follow(ctx, a.db, seq, func(seq uint64, e *Event) {
		a.guarded("event "+e.Kind.String(), func() { fn(seq, e) })
	})
}

// LastEvent is the sequence number of the newest event.
func (a *Authority) LastEvent() (uint64, error) {
	return store.Read(a.db, func(tx *store.Tx) (uint64, error) { return events.Last(tx), nil })
}

// RecentEvents gives up to n events, newest first, that match (nil: all); at most scan rows are looked at.
func (a *Authority) RecentEvents(n, scan int, match func(*Event) bool) ([]Recorded, error) {
	return store.Read(a.db, func(tx *store.Tx) ([]Recorded, error) {
		var out []Recorded
		for seq, e := range events.Before(tx, 0) {
			if match == nil || match(e) {
				out = append(out, Recorded{seq, e})
			}
			if scan--; len(out) >= n || scan <= 0 {
				break
			}
		}
		return out, nil
	})
}

// Recorded is an event with its place in the log.
type Recorded struct {
	Seq   uint64
	Event *Event
}
