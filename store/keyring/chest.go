package keyring

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"io"
	"slices"
)

// Chest is a ring with the slots that open it, as they lie in the file. Numbers of members are never used again.
// Its methods change it in memory; whoever calls them puts it back.
type Chest struct {
	Ring  []byte  `cbor:"1,keyasint"`
	Slots []*Slot `cbor:"2,keyasint"`
	Turn  uint32  `cbor:"3,keyasint,omitempty"` // how often the root was renewed
	Given uint32  `cbor:"4,keyasint,omitempty"` // the highest slot id so far
	Job   uint64  `cbor:"5,keyasint,omitempty"` // the rotation that is under way
}

// Valid finds what no chest of ours has, before anything looks into it: whoever can write to a file can put anything
// there.
func (c *Chest) Valid() error {
	if len(c.Slots) > SlotsMost {
		return ErrFull
	}
	for _, s := range c.Slots {
		if s == nil || len(s.Hints) > 8 {
			return errors.New("keyring: a slot is none")
		}
	}
	return nil
}

// SlotsMost is how many slots a chest may have.
const SlotsMost = 64

// ErrFull is the answer to a slot too many.
var ErrFull = errors.New("keyring: the chest has no room for another slot")

// Grant says for whom a slot is: the account and the names under which it signs in, folded by the caller.
type Grant struct {
	Owner uint64
	Names []string
	Now   int64 // Unix milliseconds
}

// NewChest puts a fresh ring into a chest without slots.
func NewChest(rand io.Reader) (*Chest, *Ring, *Root, error) {
	ring, root, err := New(rand)
	if err != nil {
		return nil, nil, nil, err
	}
	c := &Chest{}
	c.Ring, err = ring.Sealed(root)
	return c, ring, root, err
}

// Open opens the ring; ErrKey if root is not the chest's present one.
func (c *Chest) Open(root *Root, rand io.Reader) (*Ring, error) {
	if root == nil || root.id != c.Turn {
		return nil, ErrKey
	}
	return Open(c.Ring, root, rand)
}

// Keep puts another state of the ring into the chest.
func (c *Chest) Keep(ring *Ring, root *Root) (err error) {
	if root.id != c.Turn {
		return ErrKey
	}
	c.Ring, err = ring.Sealed(root)
	return err
}

// OpenMachine gives the root and the slot that this machine key opens, or ErrKey.
func (c *Chest) OpenMachine(machineKey []byte) (*Root, *Slot, error) {
	if len(machineKey) != keySize {
		return nil, nil, ErrKey
	}
	for _, s := range c.Slots {
		if s.Kind != Machine {
			continue
		}
		open := func() (*Root, error) { return s.open(s.machineSecret(machineKey), c.Turn) }
		if s.Public == nil {
			open = func() (*Root, error) { return s.openFirst(machineKey) }
		}
		if root, err := open(); err == nil {
			return root, s, nil
		}
	}
	return nil, nil, ErrKey
}

// OpenRecovery gives the root and the slot that the recovery code opens, or ErrKey.
func (c *Chest) OpenRecovery(code Code) (*Root, *Slot, error) {
	for _, s := range c.Slots {
		if s.Kind != Recovery || code.IsZero() {
			continue
		}
		if root, err := s.open(s.recoverySecret(code), c.Turn); err == nil {
			return root, s, nil
		}
	}
	return nil, nil, ErrKey
}

// OpenPassword gives the root that the password opens in s, one of the chest's, or ErrKey. usual is the cost of new
// slots. It costs one Argon2id; ErrCost, at once, for a slot whose cost is not done.
func (c *Chest) OpenPassword(s *Slot, password []byte, usual Argon) (*Root, error) {
	if s.Kind != Password {
		return nil, ErrKey
	}
	if err := usual.admits(s.Argon); err != nil {
		return nil, err
	}
	return s.open(s.Argon.key(password, s.Salt), c.Turn)
}

// Named gives the password slots that may be of the account with this name: as a rule one or none.
func (c *Chest) Named(name string) []*Slot {
	var out []*Slot
	for _, s := range c.Slots {
		hint := s.hint(name)
		if s.Kind == Password && slices.ContainsFunc(s.Hints, func(h []byte) bool { return slices.Equal(h, hint) }) {
			out = append(out, s)
		}
	}
	return out
}

// Of gives the password slot of an account, or nil.
func (c *Chest) Of(owner uint64) *Slot {
	i := slices.IndexFunc(c.Slots, func(s *Slot) bool { return s.Kind == Password && s.Owner == owner })
	if i < 0 {
		return nil
	}
	return c.Slots[i]
}

// Has says whether the chest has a slot of the kind.
func (c *Chest) Has(k Kind) bool {
	return slices.ContainsFunc(c.Slots, func(s *Slot) bool { return s.Kind == k })
}

// Add seals the root to a drafted slot, proves that the slot opens, and puts it beside the others. ErrFull beyond
// SlotsMost.
func (c *Chest) Add(root *Root, d *Draft, g Grant) (*Slot, error) {
	if root == nil || root.id != c.Turn {
		return nil, ErrKey
	}
	if len(c.Slots) >= SlotsMost {
		return nil, ErrFull
	}
	s := d.slot // a copy: the draft may be put into another state of the chest
	for _, old := range c.Slots {
		c.Given = max(c.Given, old.ID)
	}
	c.Given++
	s.ID, s.Created, s.Owner = c.Given, g.Now, g.Owner
	s.Hints = nil
	for _, name := range g.Names {
		if name != "" {
			s.Hints = append(s.Hints, s.hint(name))
		}
	}
	if err := s.seal(root); err != nil {
		return nil, err
	}
	if got, err := s.open(d.secret, c.Turn); err != nil || !hmac.Equal(got.key, root.key) {
		return nil, errors.New("keyring: a new slot does not open")
	}
	var err error
	if s.Tag, err = s.tag(root); err != nil {
		return nil, err
	}
	c.Slots = append(c.Slots, &s)
	return &s, nil
}

// Remove takes away the slots that match and gives them.
func (c *Chest) Remove(match func(*Slot) bool) (gone []*Slot) {
	var left []*Slot
	for _, s := range c.Slots {
		c.Given = max(c.Given, s.ID) // a chest of the first form does not know
		if match(s) {
			gone = append(gone, s)
		} else {
			left = append(left, s)
		}
	}
	c.Slots = left
	return gone
}

// Touch notes when a slot of the chest opened the file.
func (c *Chest) Touch(root *Root, s *Slot, now int64) (err error) {
	s.Used = now
	s.Tag, err = s.tag(root)
	return err
}

// Vouched says whether the root stands behind the slot, which it does for all that Add made. A slot that somebody
// else put into the file, or one of the first form, it does not.
func (c *Chest) Vouched(root *Root, s *Slot) bool {
	want, err := s.tag(root)
	return err == nil && s.Public != nil && root.id == c.Turn && hmac.Equal(s.Tag, want)
}

// Renew makes another root and gives it to every slot for which the present one vouches; the others are taken away
// and given back. Nobody's secret is needed. A chest that no slot would open any more is left as it was, with an
// error.
func (c *Chest) Renew(root *Root, rand io.Reader) (next *Root, gone []*Slot, err error) {
	ring, err := c.Open(root, rand)
	if err != nil {
		return nil, nil, err
	}
	key, err := fresh(rand, keySize)
	if err != nil {
		return nil, nil, err
	}
	out := Chest{Turn: c.Turn + 1, Given: c.Given, Job: c.Job}
	if out.Turn == 0 {
		return nil, nil, ErrWorn
	}
	next = &Root{id: out.Turn, key: key}
	for _, s := range c.Slots {
		if !c.Vouched(root, s) {
			gone = append(gone, s)
			continue
		}
		kept := *s
		if err := kept.seal(next); err != nil {
			return nil, nil, err
		}
		if kept.Tag, err = kept.tag(next); err != nil {
			return nil, nil, err
		}
		out.Slots = append(out.Slots, &kept)
	}
	if len(out.Slots) == 0 {
		return nil, nil, errors.New("keyring: no slot would open the chest any more")
	}
	if out.Ring, err = ring.Sealed(next); err != nil {
		return nil, nil, err
	}
	*c = out
	return next, gone, nil
}

func sign(key, text []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(text)
	return mac.Sum(nil)
}
