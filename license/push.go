package license

import (
	"bytes"
	"encoding/json"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"

	"goldfish/license/fault"
	"goldfish/license/verdict"
	"goldfish/store"
)

// PushCounter numbers what is pushed to an app's clients: notices and orders share one rising count.
type PushCounter struct {
	App  store.ID `cbor:"1,keyasint"`
	Seq  uint64   `cbor:"2,keyasint"`
	News uint64   `cbor:"3,keyasint"` // the seq of the last notice
}

// nextPush takes the app's next push number.
func nextPush(tx *store.Tx, app store.ID, notice bool) (uint64, error) {
	p, err := pushes.Get(tx, app.Key())
	if err != nil {
		return 0, err
	}
	next := *p
	next.Seq++
	if notice {
		next.News = next.Seq
	}
	return next.Seq, pushes.Put(tx, &next)
}

func seqText(seq uint64) string { return strconv.FormatUint(seq, 10) }

// Notice is a signed notice to an app in its unsigned form: what an announcement became there.
type Notice struct {
	App          store.ID `cbor:"1,keyasint"`
	Seq          uint64   `cbor:"2,keyasint"`
	Kind         string   `cbor:"3,keyasint"` // noticeAnnouncement, noticeWithdrawn
	Announcement store.ID `cbor:"4,keyasint"`
	At           int64    `cbor:"5,keyasint"`
	Ends         int64    `cbor:"6,keyasint,omitempty"`
	Gone         bool     `cbor:"7,keyasint,omitempty"` // withdrawn since: no longer sent to those who come later
}

// The kinds of notice that there are, as they stand in file and token.
const (
	noticeAnnouncement = "announcement"
	noticeWithdrawn    = "withdrawn"
)

// Pushed is a notice ready to be sent to clients that pin the key it is signed with.
type Pushed struct {
	Seq          uint64
	Kind         string // announcement, withdrawn
	Announcement *Announcement
	Token        string
}

// noticeData is the member `data` of an announcement's notice.
type noticeData struct {
	ID        string            `json:"id"`
	Type      string            `json:"type,omitempty"`
	Priority  string            `json:"priority,omitempty"`
	Title     map[string]string `json:"title,omitempty"`
	Body      map[string]string `json:"body,omitempty"`
	Published string            `json:"published_at,omitempty"`
}

func textMap(t Text) map[string]string { return map[string]string{"zh": t.In("zh"), "en": t.In("en")} }

// signed identifies a notice's token. Ed25519 is deterministic and so is the payload, so that all clients with
// the same key get the same bytes; they are remembered, since anybody may ask for them.
type signed struct {
	app   store.ID
	seq   uint64
	kid   string
	epoch uint16
}

// signedNotices remembers tokens: at most 2 × 500 of up to 64 KiB.
type signedNotices struct {
	mu    sync.Mutex
	token remembered[signed, string]
}

func newSignedNotices() signedNotices {
	return signedNotices{token: remembered[signed, string]{life: time.Hour, most: 500}}
}

func (a *Authority) noticeToken(now time.Time, app *App, s *verdict.Signer, n *Notice, ann *Announcement) (string, error) {
	id := signed{n.App, n.Seq, s.KeyID(), a.db.Epoch()}
	a.notices.mu.Lock()
	token, ok := a.notices.token.get(id)
	a.notices.mu.Unlock()
	if ok {
		return token, nil
	}
	token, err := a.signNotice(app, s, n, ann, id.epoch)
	if err == nil {
		a.notices.mu.Lock()
		a.notices.token.put(now, id, token)
		a.notices.mu.Unlock()
	}
	return token, err
}

// signNotice makes a notice's token.
func (a *Authority) signNotice(app *App, s *verdict.Signer, n *Notice, ann *Announcement, epoch uint16) (string, error) {
	data := noticeData{ID: a.ids.Out(NounAnnouncement, n.Announcement)}
	if n.Kind == noticeAnnouncement {
		data.Type, data.Priority = ann.Type.String(), ann.Priority.String()
		data.Title, data.Body = textMap(ann.Title), textMap(ann.Body)
		data.Published = stamp(ann.Published)
	}
	var raw bytes.Buffer
	encoder := json.NewEncoder(&raw)
	encoder.SetEscapeHTML(false) // six bytes for one would not fit into a token
	if err := encoder.Encode(data); err != nil {
		return "", err
	}
	c := verdict.Notice{
		Version: 1, Issuer: a.issuer, Audience: app.UUID.String(), IssuedAt: n.At / 1000,
		Epoch: int64(epoch), Seq: int64(n.Seq), Kind: n.Kind, Data: bytes.TrimSpace(raw.Bytes()),
	}
	if n.Ends != 0 {
		ends := n.Ends / 1000
		c.Expires = &ends
	}
	return s.Sign(verdict.TypNotice, c)
}

func stamp(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339) }

// Notices gives an app's notices after seq that still hold, oldest first, at most limit, signed with its key
// kid ("" for the current one), and whether there are more. Anyone may ask: a notice is no secret.
func (a *Authority) Notices(app uuid.UUID, kid string, after uint64, limit int) (out []Pushed, more bool, err error) {
	err = a.db.View(func(tx *store.Tx) error {
		p, err := a.appByUUID(tx, app)
		if err != nil {
			return err
		}
		s, err := a.signerFor(p, kid)
		if err != nil {
			return err
		}
		r := store.Range{Prefix: p.ID.Key(), After: pair(p.ID, store.ID(after))}
		for n, err := range notices.Scan(tx, r) {
			if err != nil {
				return err
			}
			if !n.holds(tx.Now.UnixMilli()) {
				continue
			}
			if len(out) == limit {
				more = true
				return nil
			}
			one, err := a.pushed(tx, p, s, n)
			if err != nil {
				return err
			}
			out = append(out, one)
		}
		return nil
	})
	return out, more, err
}

// Notice gives one notice of an app by its number, signed with kid.
func (a *Authority) Notice(app store.ID, kid string, seq uint64) (Pushed, error) {
	return store.Read(a.db, func(tx *store.Tx) (Pushed, error) {
		p, err := apps.Get(tx, app.Key())
		if err != nil {
			return Pushed{}, err
		}
		s, err := a.signerFor(p, kid)
		if err != nil {
			return Pushed{}, err
		}
		n, err := notices.Get(tx, pair(app, store.ID(seq)))
		if err != nil {
			return Pushed{}, err
		}
		return a.pushed(tx, p, s, n)
	})
}

func (n *Notice) holds(now int64) bool { return !n.Gone && (n.Ends == 0 || now < n.Ends) }

func (a *Authority) pushed(tx *store.Tx, p *App, s *verdict.Signer, n *Notice) (Pushed, error) {
	ann, err := announcements.Get(tx, n.Announcement.Key())
	if err != nil {
		return Pushed{}, err
	}
	token, err := a.noticeToken(tx.Now, p, s, n, ann)
	return Pushed{Seq: n.Seq, Kind: n.Kind, Announcement: ann, Token: token}, err
}

func (a *Authority) signerFor(p *App, kid string) (*verdict.Signer, error) {
	if kid == "" {
		kid = verdict.KeyID(p.Keys[0].Public)
	}
	s, err := a.signer(p, []string{kid})
	if err == nil && s == nil {
		err = refuse(fault.Invalid, "keys_unknown").In("kid")
	}
	return s, err
}

// PushState is an app's push counter as of now.
func (a *Authority) PushState(app store.ID) (PushCounter, error) {
	return store.Read(a.db, func(tx *store.Tx) (PushCounter, error) {
		p, err := pushes.Get(tx, app.Key())
		if err != nil {
			return PushCounter{}, err
		}
		return *p, nil
	})
}

// Order is an order to one device, not yet signed.
type Order struct {
	App     *App
	Binding store.ID
	Card    store.ID
	Key     string // the device public key it is for
	Act     string
	Code    string
	Seq     uint64
	Spread  int
}

// orderCodes says which events order devices about, and with which code.
var orderCodes = map[EventKind]string{
	CardDisabled: "card_disabled", CardDeleted: "card_deleted", CardExpired: "card_expired",
	DeviceReplaced: "device_key_mismatch", DeviceUnbound: "device_unbound",
}

// Orders gives the orders that an event means for devices; none for most events. online says whether a
// binding has a socket: there are no orders to others, who hear it with their next verdict.
func (a *Authority) Orders(e *Event, online func(binding store.ID) bool) ([]Order, error) {
	code := orderCodes[e.Kind]
	if e.Kind == AppChanged && e.Code == "disabled" {
		code = "app_disabled"
	}
	seq, err := strconv.ParseUint(e.Args["seq"], 10, 64)
	if code == "" || err != nil {
		return nil, nil
	}
	return store.Read(a.db, func(tx *store.Tx) ([]Order, error) {
		app, err := apps.Get(tx, e.App.Key())
		if err != nil {
			return nil, err
		}
		held, err := a.ordered(tx, e, online)
		if err != nil {
			return nil, err
		}
		var out []Order
		for _, b := range held {
			o := Order{App: app, Binding: b.ID, Card: b.Card, Key: b.Key, Act: verdict.Stop, Code: code, Seq: seq, Spread: spreadCard}
			if e.Noun == NounApp {
				o.Spread = spreadApp
			}
			if key := e.Args["key"]; key != "" {
				o.Key = key
			}
			if o.Key != "" && online(b.ID) {
				out = append(out, o)
			}
		}
		return out, nil
	})
}

// In how many seconds the devices that an order reaches ask again.
const (
	spreadCard = 5
	spreadApp  = 60
)

// ordered are the bindings that an event's order is for, as far as they need be looked at.
func (a *Authority) ordered(tx *store.Tx, e *Event, online func(store.ID) bool) ([]*Binding, error) {
	switch e.Noun {
	case NounDevice:
		b, err := bindings.Get(tx, e.Object.Key())
		return []*Binding{b}, err
	case NounCard:
		card, err := cards.Get(tx, e.Object.Key())
		if err != nil || card.Licence == 0 {
			return nil, err
		}
		return seatsOf(tx, card.Licence)
	}
	var out []*Binding
	for _, id := range a.presence.bindings(e.App) {
		if !online(id) {
			continue
		}
		b, err := bindings.Get(tx, id.Key())
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

// SignOrder signs an order with the app's key kid.
func (a *Authority) SignOrder(o Order, kid string) (string, error) {
	s, err := a.signerFor(o.App, kid)
	if err != nil {
		return "", err
	}
	return s.Sign(verdict.TypOrder, verdict.Order{
		Version: 1, Issuer: a.issuer, Audience: o.App.UUID.String(), IssuedAt: a.Now().Unix(),
		Epoch: int64(a.db.Epoch()), Seq: int64(o.Seq), Key: o.Key, Card: a.ids.Out(NounCard, o.Card),
		Act: o.Act, Code: o.Code, Spread: int64(o.Spread),
	})
}
