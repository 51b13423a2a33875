package web

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

func TestLimitByNetwork(t *testing.T) {
	l := newLimiter(3)
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	take := func(addr string) bool { return l.take(netip.MustParseAddr(addr), now) == 0 }
	for i := range 4 {
		if take("203.0.113.7") != (i < 3) {
			t.Errorf("call %d of one address", i)
		}
	}
	if !take("203.0.113.8") {
		t.Error("another address pays for the first")
	}
	for i := range 4 {
		if take(fmt.Sprintf("2001:db8::%d", i)) != (i < 3) {
			t.Errorf("call %d of one /64", i)
		}
	}
	if !take("2001:db8:0:1::1") {
		t.Error("another /64 pays for the first")
	}
	now = now.Add(time.Second)
	for i := range 4 {
		if take("203.0.113.7") != (i < 3) {
			t.Errorf("call %d a second later", i)
		}
	}
}

func TestLimitOff(t *testing.T) {
	l := newLimiter(0)
	for range 1000 {
		if l.take(netip.MustParseAddr("203.0.113.7"), time.Time{}) != 0 {
			t.Fatal("no limit is a limit")
		}
	}
}

// However many addresses call, the limiter keeps a bounded number, and one that is empty stays known the longest.
func TestLimitIsBounded(t *testing.T) {
	l := newLimiter(1)
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	for i := range 3 * limitShards * limitKept {
		l.take(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), now)
		now = now.Add(time.Millisecond)
	}
	kept := 0
	for i := range l.shards {
		kept += len(l.shards[i].by)
	}
	if kept > limitShards*limitKept {
		t.Errorf("%d addresses are kept", kept)
	}
}
