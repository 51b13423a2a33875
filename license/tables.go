package license

import (
	"goldfish/store"
	"goldfish/store/keyring"
)

// The file, bucket by bucket. Ids are 8 bytes (epoch, sequence), times Unix milliseconds, values CBOR with
// integer keys behind a checksum (plain) or AES-256-GCM (sealed). Besides these the store keeps `meta` and
// `counts`. A test prints the tree from the code and compares it with this comment.
//
//	keyring                  plain
//	accounts                 sealed
//	accounts.uuid            unique index
//	accounts.username        unique index
//	accounts.email           unique index
//	memberships              plain
//	sessions                 sealed
//	sessions.account         index
//	apps                     sealed
//	apps.uuid                unique index
//	pushes                   plain
//	batches                  sealed
//	batches.app              index
//	cards                    plain
//	card_texts               sealed
//	card_texts.code          unique index
//	licences                 plain
//	licences.account         index
//	licences.ends            index
//	grants                   plain
//	bindings                 sealed
//	bindings.licence         index
//	presence                 plain
//	announcements            plain
//	notices                  plain
//	notices.announcement     index
//	jobs                     plain
//	marks                    plain
//	traces                   plain
//	traces.key               index
//	receipts                 sealed
//	receipts.key             index
//	settings                 sealed
//	events                   plain log
var described = []store.Described{
	rings, accounts, memberships, sessions, apps, pushes, batches, cards, cardTexts, licences, grants, bindings,
	presences, announcements, notices, jobs, marks, traces, receipts, settings, events,
}

// Schema is what every Goldfish file holds. release is the program's version.
func Schema(release string) *store.Schema {
	return &store.Schema{
		Magic: "goldfish", Release: release, Tables: described,
		Migrations: []store.Migration{
			{Name: "the first tables", Up: func(*store.Tx) error { return nil }},
			{Name: "traces, receipts, settings", Up: func(*store.Tx) error { return nil }}, // new tables make themselves
		},
	}
}

// ringKey is the key of the one row of its table: the key ring with its slots.
var ringKey = []byte("ring")

var (
	rings = &store.Table[keyring.Chest]{Name: "keyring", Key: func(*keyring.Chest) []byte { return ringKey }}

	accountByUUID = &store.Index[Account]{Name: "uuid", Unique: true, Keys: func(_ *store.Tx, v *Account) ([][]byte, error) {
		return [][]byte{v.UUID}, nil
	}}
	accountByUsername = &store.Index[Account]{Name: "username", Unique: true, Keys: func(tx *store.Tx, v *Account) ([][]byte, error) {
		return lookupKeys(tx, "account.username", foldName(v.Username))
	}}
	accountByEmail = &store.Index[Account]{Name: "email", Unique: true, Keys: func(tx *store.Tx, v *Account) ([][]byte, error) {
		return lookupKeys(tx, "account.email", foldName(v.Email))
	}}
	accounts = &store.Table[Account]{
		Name: "accounts", Sealed: true, Cached: true, Sequential: true, Key: func(v *Account) []byte { return v.ID.Key() },
		Indexes: []*store.Index[Account]{accountByUUID, accountByUsername, accountByEmail},
		Counts:  func(v *Account) []string { return []string{v.Role.String()} },
	}
	memberships = &store.Table[Membership]{Name: "memberships", Key: func(v *Membership) []byte { return pair(v.Account, v.App) }}

	sessionByAccount = &store.Index[Session]{Name: "account", Keys: func(_ *store.Tx, v *Session) ([][]byte, error) {
		return [][]byte{v.Account.Key()}, nil
	}}
	sessions = &store.Table[Session]{
		Name: "sessions", Sealed: true, Cached: true, Sequential: true, Key: func(v *Session) []byte { return v.ID.Key() },
		Indexes: []*store.Index[Session]{sessionByAccount},
	}

	appByUUID = &store.Index[App]{Name: "uuid", Unique: true, Keys: func(_ *store.Tx, v *App) ([][]byte, error) {
		return [][]byte{v.UUID[:]}, nil
	}}
	apps = &store.Table[App]{
		Name: "apps", Sealed: true, Cached: true, Sequential: true, Key: func(v *App) []byte { return v.ID.Key() },
		Indexes: []*store.Index[App]{appByUUID},
	}
	pushes = &store.Table[PushCounter]{Name: "pushes", Key: func(v *PushCounter) []byte { return v.App.Key() }}

	batchByApp = &store.Index[Batch]{Name: "app", Keys: func(_ *store.Tx, v *Batch) ([][]byte, error) {
		return [][]byte{v.App.Key()}, nil
	}}
	batches = &store.Table[Batch]{
		Name: "batches", Sealed: true, Cached: true, Sequential: true, Key: func(v *Batch) []byte { return v.ID.Key() },
		Indexes: []*store.Index[Batch]{batchByApp},
	}

	cards = &store.Table[Card]{
		Name: "cards", Sequential: true, Key: func(v *Card) []byte { return v.ID.Key() },
		Counts: func(v *Card) []string { return []string{cardCounter(v.Batch, v.State)} },
	}
	textByCode = &store.Index[CardText]{Name: "code", Unique: true, Keys: func(tx *store.Tx, v *CardText) ([][]byte, error) {
		return lookupKeys(tx, "card.code", string(v.Code))
	}}
	cardTexts = &store.Table[CardText]{
		Name: "card_texts", Sealed: true, Sequential: true, Key: func(v *CardText) []byte { return v.Card.Key() },
		Indexes: []*store.Index[CardText]{textByCode},
	}

	licenceByAccount = &store.Index[Licence]{Name: "account", Keys: func(_ *store.Tx, v *Licence) ([][]byte, error) {
		if v.Account == 0 {
			return nil, nil
		}
		return [][]byte{v.Account.Key()}, nil
	}}
	licenceByEnd = &store.Index[Licence]{Name: "ends", Keys: func(_ *store.Tx, v *Licence) ([][]byte, error) {
		if v.Ends == 0 || v.Lapsed {
			return nil, nil
		}
		return [][]byte{store.ID(v.Ends).Key()}, nil
	}}
	licences = &store.Table[Licence]{
		Name: "licences", Sequential: true, Cached: true, Key: func(v *Licence) []byte { return v.ID.Key() },
		Indexes: []*store.Index[Licence]{licenceByAccount, licenceByEnd},
		Counts:  func(v *Licence) []string { return []string{begunCounter(0, v.Created), begunCounter(v.App, v.Created)} },
	}
	grants = &store.Table[Grant]{Name: "grants", Sequential: true, Key: func(v *Grant) []byte { return pair(v.Licence, v.Card) }}

	bindingByLicence = &store.Index[Binding]{Name: "licence", Keys: func(_ *store.Tx, v *Binding) ([][]byte, error) {
		return [][]byte{v.Licence.Key()}, nil
	}}
	bindings = &store.Table[Binding]{
		Name: "bindings", Sealed: true, Cached: true, Sequential: true, Key: func(v *Binding) []byte { return v.ID.Key() },
		Indexes: []*store.Index[Binding]{bindingByLicence},
		Counts:  bindingCounters,
	}
	presences = &store.Table[Presence]{Name: "presence", Sequential: true, Key: func(v *Presence) []byte { return v.Binding.Key() }}

	announcements = &store.Table[Announcement]{Name: "announcements", Sequential: true, Key: func(v *Announcement) []byte { return v.ID.Key() }}
	noticeOf      = &store.Index[Notice]{Name: "announcement", Keys: func(_ *store.Tx, v *Notice) ([][]byte, error) {
		return [][]byte{v.Announcement.Key()}, nil
	}}
	notices = &store.Table[Notice]{
		Name: "notices", Key: func(v *Notice) []byte { return pair(v.App, store.ID(v.Seq)) },
		Indexes: []*store.Index[Notice]{noticeOf},
	}
	jobs  = &store.Table[Job]{Name: "jobs", Sequential: true, Key: func(v *Job) []byte { return v.ID.Key() }}
	marks = &store.Table[Marker]{Name: "marks", Key: func(v *Marker) []byte { return []byte(v.Name) }}

	traceByKey = &store.Index[Trace]{Name: "key", Keys: func(_ *store.Tx, v *Trace) ([][]byte, error) {
		if v.Key == "" {
			return nil, nil
		}
		return [][]byte{[]byte(v.Key)}, nil
	}}
	traces = &store.Table[Trace]{
		Name: "traces", Sequential: true, Key: func(v *Trace) []byte { return v.Binding.Key() },
		Indexes: []*store.Index[Trace]{traceByKey},
	}
	receiptByKey = &store.Index[Receipt]{Name: "key", Keys: func(_ *store.Tx, v *Receipt) ([][]byte, error) {
		return [][]byte{[]byte(v.Key)}, nil
	}}
	receipts = &store.Table[Receipt]{
		Name: "receipts", Sealed: true, Sequential: true, Key: func(v *Receipt) []byte { return v.ID.Key() },
		Indexes: []*store.Index[Receipt]{receiptByKey},
		Counts:  receiptCounters,
	}
	settings = &store.Table[Setting]{Name: "settings", Sealed: true, Key: func(v *Setting) []byte { return []byte(v.Name) }}

	events = &store.Log[Event]{Name: "events"}
)

// pair is the key of a row that belongs to two others.
func pair(a, b store.ID) []byte { return append(a.Key(), b.Key()...) }

// lookupKeys is the one index entry of a secret value, none for an empty one.
func lookupKeys(tx *store.Tx, name, value string) ([][]byte, error) {
	if value == "" {
		return nil, nil
	}
	key, err := tx.Lookup(name, []byte(value))
	if err != nil {
		return nil, err
	}
	return [][]byte{key}, nil
}
