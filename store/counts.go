package store

import "strconv"

const countBucket = "counts"

// count adds to a counter in memory; the sums are written once, at the end of the group. The running
// function has put a row by now, so if it fails the whole transaction is rolled back and the sums with it.
func (tx *Tx) count(table, name string, by int64) {
	if tx.counts == nil {
		tx.counts = map[string]int64{}
	}
	tx.counts[table+"\x00"+name] += by
}

func (tx *Tx) counted(table, name string) (int64, error) {
	key := table + "\x00" + name
	stored, err := tx.storedCount(key)
	return stored + tx.counts[key], err
}

func (tx *Tx) storedCount(key string) (int64, error) {
	raw := tx.bucket(countBucket).Get([]byte(key))
	if raw == nil {
		return 0, nil
	}
	payload, err := unframed(countBucket, []byte(key), raw)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(string(payload), 10, 64)
	if err != nil {
		return 0, damaged(countBucket, []byte(key))
	}
	return n, nil
}

func (tx *Tx) flushCounts() error {
	b := tx.bucket(countBucket)
	for key, by := range tx.counts {
		if by == 0 {
			continue
		}
		n, err := tx.storedCount(key)
		if err != nil {
			return err
		}
		n += by
		if n == 0 {
			err = b.Delete([]byte(key))
		} else {
			err = b.Put([]byte(key), framed(countBucket, []byte(key), strconv.AppendInt(nil, n, 10)))
		}
		if err != nil {
			return err
		}
	}
	tx.counts = nil
	return nil
}
