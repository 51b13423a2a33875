package license_test

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"goldfish/license"
	"goldfish/license/fault"
	"goldfish/license/licensetest"
	"goldfish/license/verdict"
)

// rubbish is what somebody may put into any member.
func rubbish() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.String(),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 64), func(b []byte) string { return string(b) }),
		rapid.SampledFrom([]string{
			"", "\x00", "null", "v1", "v1...", "v1.9223372036854775808.x.y", "-1", strings.Repeat("A", 16<<10), "../../etc",
			"00000000-0000-0000-0000-000000000000", "\xff\xfe", "\u202eabc", "1.0.0", strings.Repeat("9", 300) + ".0.0",
			"AAECAwQFBgcICQoLDA0ODw", "0123456789abcdef", "ABCD-EFGH-JKLM-NPQR", "AAAAAAAAAAAAAAAAAAAAAA", "00:11:22:33:44:55",
		}),
	)
}

// TestHostileCalls sends device calls with anything in any member: each is answered by a fault that is the
// caller's, signed exactly where the protocol says so, and changes nothing.
func TestHostileCalls(t *testing.T) {
	w := licensetest.New(t)
	policy := license.DefaultPolicy
	policy.KeyOptional = true
	app := w.App(&policy)
	keys := w.Keys(app, 2, licensetest.Month)
	who, d := w.Customer(), w.Device(app, 1)
	got, err := d.Activate(who, keys[0], nil)
	w.Must(err)
	pins, err := verdict.NewPins(verdict.Encode64(app.Keys[0].Public))
	w.Must(err)
	calls := map[string]func(license.Actor, license.DeviceCall) (*license.DeviceAnswer, error){
		activatePath: w.Activate, verifyPath: w.Verify, beatPath: w.Heartbeat, unbindPath: w.Unbind,
	}
	rapid.Check(t, func(rt *rapid.T) {
		w.Clock.Advance(license.PresenceFlush * 40) // so that no budget of misses runs out
		path := rapid.SampledFrom([]string{activatePath, verifyPath, beatPath, unbindPath}).Draw(rt, "path")
		c := d.Call(path, func(c *license.DeviceCall) { c.CardID = got.CardID })
		members := []*string{
			&c.Request.AppID, &c.Request.IdempotencyKey, &c.Request.Bearer, &c.Proof, &c.Nonce, &c.Version, &c.Session,
			&c.Platform, &c.CPU, &c.Board, &c.MAC, &c.CardKey, &c.CardID, &c.Request.Method,
		}
		for range rapid.IntRange(1, 4).Draw(rt, "how many") {
			*members[rapid.IntRange(0, len(members)-1).Draw(rt, "which")] = rubbish().Draw(rt, "what")
		}
		if rapid.Bool().Draw(rt, "other kids") {
			c.Kids = append([]string{}, rapid.SliceOfN(rubbish(), 0, 10).Draw(rt, "kids")...)
		}
		c.Replace, c.Ticket = rapid.Bool().Draw(rt, "replace"), true
		if path == unbindPath { // it may not succeed, or the others have nothing to hold
			c.Proof = "v1" + c.Proof
		}
		answer, err := calls[path](who, c)
		if err == nil {
			if answer.CardID != got.CardID {
				rt.Fatalf("another card: %+v", answer)
			}
			return
		}
		f := fault.Of(err)
		if f.Kind == fault.Internal {
			rt.Fatalf("a failure of ours: %v", err)
		}
		if r, ok := errors.AsType[*license.Refusal](err); ok {
			raw, err := pins.Open(r.Verdict, verdict.TypVerdict)
			if err != nil || strings.Contains(string(raw), `"act":"run"`) || !strings.Contains(string(raw), `"nonce":"`+c.Nonce+`"`) {
				rt.Fatalf("%s: %s %v", f.Code, raw, err)
			}
		}
	})
	if v := w.CardOf(keys[1]); v.State != license.CardUnused {
		t.Errorf("the other card is %v", v.State)
	}
	if v := w.CardOf(keys[0]); v.Bound != 1 {
		t.Errorf("%d are bound", v.Bound)
	}
}
