package license

import "goldfish/store"

// Hashes gives the bcrypt strings of all accounts, by user name.
func (a *Authority) Hashes() (map[string]string, error) {
	return store.Read(a.db, func(tx *store.Tx) (map[string]string, error) {
		out := map[string]string{}
		for c, err := range accounts.Scan(tx, store.Range{}) {
			if err != nil {
				return nil, err
			}
			out[c.Username] = string(c.Hash)
		}
		return out, nil
	})
}

// MarkPlainly puts a name where it lies open.
func (a *Authority) MarkPlainly(name string) error {
	return a.db.Update(func(tx *store.Tx) error { return marks.Put(tx, &Marker{Name: name, Value: 1}) })
}
