package license

import "time"

// remembered keeps values in memory for at least life, as long as no more than most new ones come in that
// time. It holds two generations; when the younger is full or old, the elder is forgotten whole, so that
// making room never looks through what is kept. It may forget, so nothing that must not be lost lies here;
// whoever uses it holds a lock.
type remembered[K comparable, V any] struct {
	life         time.Duration
	most         int // values in a generation
	young, elder map[K]V
	turned       time.Time
}

func (r *remembered[K, V]) get(key K) (V, bool) {
	v, ok := r.young[key]
	if !ok {
		v, ok = r.elder[key]
	}
	return v, ok
}

func (r *remembered[K, V]) put(now time.Time, key K, v V) {
	if r.young == nil || len(r.young) >= r.most || now.Sub(r.turned).Abs() >= r.life {
		r.young, r.elder, r.turned = map[K]V{}, r.young, now
	}
	delete(r.elder, key)
	r.young[key] = v
}

func (r *remembered[K, V]) drop(key K) {
	delete(r.young, key)
	delete(r.elder, key)
}
