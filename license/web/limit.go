package web

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	limitShards = 16
	limitKept   = 4096 // addresses in a shard
)

// limiter gives every address (/64 in IPv6) a bucket of one second's calls. It is bounded: when a shard is full, the
// buckets that are full again go, or else any one.
type limiter struct {
	perSecond int
	seed      maphash.Seed
	shards    [limitShards]limitShard
}

type limitShard struct {
	mu sync.Mutex
	by map[netip.Prefix]*rate.Limiter
}

// newLimiter makes a limiter; perSecond 0 lets everything pass.
func newLimiter(perSecond int) *limiter {
	l := &limiter{perSecond: perSecond, seed: maphash.MakeSeed()}
	for i := range l.shards {
		l.shards[i].by = map[netip.Prefix]*rate.Limiter{}
	}
	return l
}

// take counts a call and gives how long the caller must wait, 0 if it may go on.
func (l *limiter) take(addr netip.Addr, now time.Time) time.Duration {
	if l.perSecond <= 0 {
		return 0
	}
	bits := 32
	if addr.Is6() {
		bits = 64
	}
	network, _ := addr.Prefix(bits)
	s := &l.shards[maphash.Comparable(l.seed, network)%limitShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	bucket := s.by[network]
	if bucket == nil {
		if len(s.by) >= limitKept {
			s.forget(now, float64(l.perSecond))
		}
		bucket = rate.NewLimiter(rate.Limit(l.perSecond), l.perSecond)
		s.by[network] = bucket
	}
	if bucket.AllowN(now, 1) {
		return 0
	}
	return time.Second
}

func (s *limitShard) forget(now time.Time, full float64) {
	for network, bucket := range s.by {
		if bucket.TokensAt(now) >= full {
			delete(s.by, network)
		}
	}
	for network := range s.by {
		if len(s.by) < limitKept {
			return
		}
		delete(s.by, network)
	}
}
