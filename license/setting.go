package license

import (
	"github.com/fxamacker/cbor/v2"

	"goldfish/store"
)

// Setting is one group of the vendor's choices, as CBOR under a name. The row lies sealed: passwords of other systems
// may stand in it.
type Setting struct {
	Name  string `cbor:"1,keyasint"`
	Value []byte `cbor:"2,keyasint"`
}

// settingOf is one group of choices of the form T: where it lies, what holds as long as nothing was chosen, and who may
// read and write it. check says what is wrong with a choice, or gives it in its kept form.
type settingOf[T any] struct {
	name        string
	usual       T
	read, write Permission
	check       func(T) (T, error)
}

// in gives the choices as they stand in a transaction. Members that were not there when they were kept have their zero
// value.
func (s settingOf[T]) in(tx *store.Tx) (T, error) {
	row, err := settings.Get(tx, []byte(s.name))
	if isNotFound(err) {
		return s.usual, nil
	}
	var out T
	if err == nil {
		err = cbor.Unmarshal(row.Value, &out)
	}
	return out, err
}

// keep writes the choices; no event tells of it.
func (s settingOf[T]) keep(tx *store.Tx, v T) error {
	raw, err := cbor.Marshal(v)
	if err != nil {
		return err
	}
	return settings.Put(tx, &Setting{Name: s.name, Value: raw})
}

// get gives the choices to somebody who may see them.
func (s settingOf[T]) get(a *Authority, who Actor) (out T, err error) {
	if err := who.Authorise(s.read); err != nil {
		return out, err
	}
	return store.Read(a.db, s.in)
}

// set makes the choices of somebody who may, and records that it was done, not what was chosen.
func (s settingOf[T]) set(a *Authority, who Actor, v T) (out T, err error) {
	if err := who.Authorise(s.write); err != nil {
		return out, err
	}
	if v, err = s.check(v); err != nil {
		return out, err
	}
	return store.Write(a.db, func(tx *store.Tx) (T, error) {
		if err := s.keep(tx, v); err != nil {
			return out, err
		}
		return v, record(tx, who, about(SystemSetting, 0, 0, 0).with("setting", s.name))
	})
}
