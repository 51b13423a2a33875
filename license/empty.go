package license

import "goldfish/store"

// Empty says whether nobody has used the appliance yet: the documented first account is the only one and its
// documented password stands. Nothing is lost then when another file takes this one's place.
func (a *Authority) Empty() (bool, error) {
	stands, err := a.FirstPasswordStands()
	if err != nil || !stands {
		return false, err
	}
	return store.Read(a.db, func(tx *store.Tx) (bool, error) {
		some := 0
		for _, err := range accounts.Scan(tx, store.Range{}) {
			if err != nil {
				return false, err
			}
			if some++; some > 1 {
				return false, nil
			}
		}
		return true, nil
	})
}
