package license

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"

	"goldfish/license/fault"
	"goldfish/license/token"
	"goldfish/store"
)

// sessionsMost is how many live sessions an account may have (AU3).
const sessionsMost = 3

// Session is one sign-in of an account: a chain of refresh tokens of which only the last is good. A session
// that ends leaves its event in the log and no row. The row lies sealed. Its numbers are never used again.
type Session struct {
	ID      store.ID `cbor:"1,keyasint"`
	Account store.ID `cbor:"2,keyasint"`
	Created int64    `cbor:"3,keyasint"`
	Used    int64    `cbor:"4,keyasint"`           // last sign-in or refresh
	Ends    int64    `cbor:"5,keyasint"`           // when its refresh token expires; each refresh moves it
	Refresh []byte   `cbor:"6,keyasint"`           // SHA-256 of the refresh token that is good now
	Address []byte   `cbor:"7,keyasint,omitempty"` // of the last use: 4 or 16 bytes
	Agent   string   `cbor:"8,keyasint,omitempty"` // what the client called itself at sign-in
	// Bind is random and stands in every token of the session, so that a token cannot be made of the appliance's keys
	// alone, which whoever opened an old copy of the file has for good. Sessions of release 0.1 have none.
	Bind []byte `cbor:"9,keyasint,omitempty"`
}

// Tokens are what a client holds of a session.
type Tokens struct {
	Access, Refresh         string
	AccessEnds, RefreshEnds time.Time
}

// Why a session ends, in the code of its event and for whoever is told by push.
const (
	endedByCrowd    = "too_many_sessions"
	endedByReuse    = "session_reused"
	endedByPassword = "password_changed"
	endedByRotation = "keys_rotated"
)

func sessionEnded() *fault.Error    { return fault.New(fault.Unauthenticated, "session_ended") }
func tokenExpired() *fault.Error    { return fault.New(fault.Unauthenticated, token.CodeExpired) }
func accountDisabled() *fault.Error { return fault.New(fault.Forbidden, "account_disabled") }

// Lifetimes of the tokens (AU1).
const (
	accessLife  = 2 * time.Hour
	refreshLife = 7 * 24 * time.Hour
)

// issue makes the session's next tokens.
func (a *Authority) issue(s *Session, c *Account) (Tokens, error) {
	who := token.Who{
		Account: a.ids.Out(NounAccount, c.ID), Session: a.ids.Out(NounSession, s.ID), Kind: c.Role.String(),
	}
	if len(s.Bind) > 0 {
		who.Session += bindMark + base64.RawURLEncoding.EncodeToString(s.Bind)
	}
	access, ac, err := a.tokens.Issue(token.Access, who, accessLife)
	if err != nil {
		return Tokens{}, err
	}
	refresh, rc, err := a.tokens.Issue(token.Refresh, who, refreshLife)
	return Tokens{Access: access, Refresh: refresh, AccessEnds: ac.Expires, RefreshEnds: rc.Expires}, err
}

const (
	bindMark = "." // between a session's outer id and its bind
	bindSize = 12  // bytes
)

// sessionIn gives the session of a token in the place of typ, and the bind that the token has.
func (a *Authority) sessionIn(raw string, typ token.Typ) (id store.ID, bind []byte, err error) {
	claims, err := a.tokens.Parse(raw, typ)
	if err != nil {
		return 0, nil, err
	}
	outer, text, _ := strings.Cut(claims.Session, bindMark)
	if bind, err = base64.RawURLEncoding.DecodeString(text); err == nil {
		id, err = a.ids.In(NounSession, outer)
	}
	if err != nil {
		return 0, nil, fault.New(fault.Unauthenticated, token.CodeInvalid).Because(err)
	}
	return id, bind, nil
}

// bound gives a session that is good and has the bind of a token, with its account.
func bound(tx *store.Tx, id store.ID, bind []byte, local bool) (*Session, *Account, error) {
	s, c, err := liveSession(tx, id, local)
	if err == nil && !hmac.Equal(s.Bind, bind) {
		return nil, nil, sessionEnded()
	}
	return s, c, err
}

// judge says what keeps a session from being used: session_ended, token_expired or nothing. A session of
// another epoch is over: a file that was restored must not bring back one that had been ended since.
func (s *Session) judge(now int64, epoch uint16) error {
	switch {
	case uint16(s.ID>>48) != epoch:
		return sessionEnded()
	case now >= s.Ends:
		return tokenExpired()
	}
	return nil
}

// holds says whether refresh is the refresh token that is good now.
func (s *Session) holds(refresh string) bool {
	sum := sha256.Sum256([]byte(refresh))
	return hmac.Equal(s.Refresh, sum[:])
}

// open says what keeps the account from being used in a call, beside its password. With the documented
// first password it is used from the machine itself or not at all.
func (c *Account) open(local bool) error {
	switch {
	case c.Disabled:
		return accountDisabled()
	case c.onFirstPassword() && !local:
		return sessionEnded()
	}
	return nil
}

// liveSession gives a session that is good, with its account.
func liveSession(tx *store.Tx, id store.ID, local bool) (*Session, *Account, error) {
	s, err := sessions.Get(tx, id.Key())
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil, sessionEnded()
	}
	if err != nil {
		return nil, nil, err
	}
	if err := s.judge(tx.Now.UnixMilli(), tx.Epoch()); err != nil {
		return nil, nil, err
	}
	c, err := accounts.Get(tx, s.Account.Key())
	if err != nil {
		return nil, nil, err
	}
	return s, c, c.open(local)
}

// Authenticate gives the actor of a call that carries an access token. address is the caller's; local says
// that the call came from this machine and was not forwarded.
//
// Faults: token_invalid, token_expired, session_ended, account_disabled.
func (a *Authority) Authenticate(access string, address netip.Addr, local bool) (Actor, error) {
	id, bind, err := a.sessionIn(access, token.Access)
	if err != nil {
		return Actor{}, err
	}
	return store.Read(a.db, func(tx *store.Tx) (Actor, error) {
		s, c, err := bound(tx, id, bind, local)
		if err != nil {
			return Actor{}, err
		}
		return Actor{
			Kind: ActorAccount, Account: c.ID, Session: s.ID, Role: c.Role, MustChange: c.MustChange,
			Address: address, Local: local,
		}, nil
	})
}

// as is the same call with the account known.
func (a Actor) as(c *Account) Actor {
	a.Kind, a.Account, a.Role, a.MustChange = ActorAccount, c.ID, c.Role, c.MustChange
	return a
}

// begin opens a session of the account and gives its tokens.
func (a *Authority) begin(tx *store.Tx, who Actor, c *Account, agent string) (Tokens, error) {
	id, err := sessions.NextID(tx)
	if err != nil {
		return Tokens{}, err
	}
	s := &Session{ID: id, Account: c.ID, Created: tx.Now.UnixMilli(), Agent: cutAgent(agent), Bind: make([]byte, bindSize)}
	if _, err := io.ReadFull(a.opts.Rand, s.Bind); err != nil {
		return Tokens{}, err
	}
	return a.turn(tx, who, s, c)
}

// turn gives the session new tokens and makes all earlier refresh tokens used ones.
func (a *Authority) turn(tx *store.Tx, who Actor, s *Session, c *Account) (Tokens, error) {
	t, err := a.issue(s, c)
	if err != nil {
		return Tokens{}, err
	}
	sum := sha256.Sum256([]byte(t.Refresh))
	s.Refresh, s.Used, s.Ends = sum[:], tx.Now.UnixMilli(), t.RefreshEnds.UnixMilli()
	s.Address = nil
	if who.Address.IsValid() {
		s.Address = who.Address.Unmap().AsSlice()
	}
	return t, sessions.Put(tx, s)
}

// endSession takes the session away and records why.
func endSession(tx *store.Tx, who Actor, s *Session, level Level, code string) error {
	if err := sessions.Delete(tx, s.ID.Key()); err != nil {
		return err
	}
	return record(tx, who, about(SessionEnded, NounSession, s.ID, 0).at(level).because(code))
}

// sessionsOf gives the account's sessions, oldest first. There are few: each sign-in clears away.
func sessionsOf(tx *store.Tx, account store.ID) ([]*Session, error) {
	var out []*Session
	for e, err := range sessions.ScanBy(tx, sessionByAccount, store.Range{Prefix: account.Key()}) {
		if err != nil {
			return nil, err
		}
		out = append(out, e.Row)
	}
	return out, nil
}

// Refresh exchanges a refresh token for new tokens, once. A token that was used before is in two hands, so
// it ends the session for both.
//
// Faults: token_invalid, token_expired, session_ended, account_disabled.
func (a *Authority) Refresh(who Actor, refresh string) (Tokens, *Account, error) {
	id, bind, err := a.sessionIn(refresh, token.Refresh)
	if err != nil {
		return Tokens{}, nil, err
	}
	out, err := store.Write(a.db, func(tx *store.Tx) (signedIn, error) {
		s, c, err := bound(tx, id, bind, who.Local)
		if err != nil {
			return signedIn{}, err
		}
		if !s.holds(refresh) {
			return signedIn{refused: sessionEnded()}, endSession(tx, who.as(c), s, LevelWarning, endedByReuse)
		}
		t, err := a.turn(tx, who, s, c)
		return signedIn{tokens: t, account: c.shown()}, err
	})
	return out.answer(err)
}

// signedIn is what a write that may end in a recorded refusal gives: the refusal must not roll back.
type signedIn struct {
	tokens  Tokens
	account *Account
	refused error
}

func (s signedIn) answer(err error) (Tokens, *Account, error) {
	if err == nil {
		err = s.refused
	}
	if err != nil {
		return Tokens{}, nil, err
	}
	return s.tokens, s.account, nil
}

// Logout ends the caller's session (AU3). One that is over already stays so.
func (a *Authority) Logout(who Actor) error {
	if err := who.self(); err != nil {
		return err
	}
	return a.db.Update(func(tx *store.Tx) error {
		err := sessions.Delete(tx, who.Session.Key())
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return record(tx, who, about(UserLogout, NounSession, who.Session, 0))
	})
}

// self refuses whoever is not a signed-in account.
func (a Actor) self() error {
	if a.Kind != ActorAccount {
		return fault.New(fault.Unauthenticated, "sign_in_required")
	}
	return a.Authorise(OwnProfile)
}

const agentMost = 200 // bytes

// cutAgent keeps of a client's name for itself what may be stored and shown.
func cutAgent(s string) string {
	s = strings.ToValidUTF8(s, "")
	s = strings.Map(func(r rune) rune {
		if forbiddenRune(r, false) {
			return -1
		}
		return r
	}, s)
	for len(s) > agentMost {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return s
}
