package verdict

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"goldfish/license/fault"
)

// Own is what a client knows of itself when it judges its lease.
type Own struct {
	Pins  *Pins
	AppID string
	Key   string    // the own device public key
	Parts [3]string // part hashes computed now
}

// Judge says whether a stored lease is good at now (protocol §8). The faults
// name the first condition that fails, in the order of that section: no_lease
// (none, or not ours), device_changed, clock_back (now is before its issue),
// lease_expired. At process start ask Clock.SetBack as well.
func Judge(lease string, own Own, now int64) (Claims, error) {
	if lease == "" {
		return Claims{}, local("no_lease", errors.New("none is stored"))
	}
	c, err := OpenReceipt(lease, ExpectReceipt{Pins: own.Pins, AppID: own.AppID, Key: own.Key})
	switch {
	case err != nil:
		return Claims{}, local("no_lease", err)
	case differing(c.Parts, own.Parts) > c.Tol:
		return Claims{}, local("device_changed", errors.New("too many parts differ"))
	case c.IssuedAt > now+600:
		return Claims{}, local("clock_back", fmt.Errorf("issued %d s from now", c.IssuedAt-now))
	case now >= c.Expires:
		return Claims{}, local("lease_expired", fmt.Errorf("ended %d s ago", now-c.Expires))
	}
	return c, nil
}

func local(code string, cause error) error { return fault.New(fault.Forbidden, code).Because(cause) }

// differing counts positions whose part hashes are not the same text.
func differing(a, b [3]string) int64 {
	var n int64
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}

// StateMAC is the second line of state.json: hex(HMAC-SHA256(SHA-256(
// "goldfish-state-v1" + seed), bytes of line 1)), seed being the device key's.
func StateMAC(seed, line []byte) string {
	key := sha256.Sum256(append([]byte("goldfish-state-v1"), seed...))
	mac := hmac.New(sha256.New, key[:])
	mac.Write(line)
	return hex.EncodeToString(mac.Sum(nil))
}

// OpenState gives line 1 of a state file whose MAC is good; a bad one means
// that there is no state. A line break at the very end is allowed.
func OpenState(seed []byte, file string) (string, bool) {
	line, mac, found := strings.Cut(file, "\n")
	mac = strings.TrimSuffix(mac, "\n")
	if !found || !hmac.Equal([]byte(mac), []byte(StateMAC(seed, []byte(line)))) {
		return "", false
	}
	return line, true
}
