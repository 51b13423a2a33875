package verdict_test

import (
	"fmt"
	"testing"

	"goldfish/license/fault"
	"goldfish/license/verdict"
)

// saved is state.json as far as time goes.
type saved struct {
	record verdict.Record
	lease  string
	edited bool
}

// replay plays one script by the reference: what any SDK's test does too.
type replay struct {
	t      *testing.T
	name   string
	clock  *verdict.Clock
	lease  string
	state  *saved
	second *verdict.Record
	kept   *saved
}

func (r *replay) play(n int, step timeStep) {
	switch step.Do {
	case "start":
		r.begin()
		reason := r.judge(*step.Local, 0)
		if reason == "good" && r.clock.SetBack(*step.Local) {
			reason = "clock_back"
		}
		r.expect(n, step, r.clock.Now(*step.Local, 0), reason)
		if want := step.Expect.Second; want != nil && (r.second == nil || *r.second != *want) {
			r.t.Errorf("%s, step %d: the second place holds %+v, expected %+v", r.name, n, r.second, want)
		}
	case "judge":
		r.expect(n, step, r.clock.Now(*step.Local, *step.Mono), r.judge(*step.Local, *step.Mono))
	case "verdict":
		if got := r.answer(step); got != *step.Expect.Accepted {
			r.t.Errorf("%s, step %d: accepted %v", r.name, n, got)
		}
	case "store":
		r.save(r.clock.Save(*step.Local, *step.Mono))
		if r.state.record.High != *step.Expect.High {
			r.t.Errorf("%s, step %d: high is %d, expected %d", r.name, n, r.state.record.High, *step.Expect.High)
		}
	case "keep_state":
		kept := *r.state
		r.kept = &kept
	case "put_back_state":
		back := *r.kept
		r.state = &back
	case "lose_state":
		r.state = nil
	case "lose_second":
		r.second = nil
	case "edit_state":
		r.state.record.High, r.state.edited = *step.Local, true
	default:
		r.t.Fatalf("%s, step %d: %s is no step", r.name, n, step.Do)
	}
}

func (r *replay) begin() {
	var found verdict.Record
	r.lease = ""
	if r.state != nil && r.state.edited {
		r.state = nil
	}
	if r.state != nil {
		found, r.lease = r.state.record, r.state.lease
	}
	if r.second != nil {
		found = verdict.Later(found, *r.second)
	}
	r.clock = verdict.StartClock(found, 0)
	if found != (verdict.Record{}) && r.second == nil {
		r.second = &found
	}
}

func (r *replay) save(record verdict.Record) {
	r.state = &saved{record: record, lease: r.lease}
	second := record
	r.second = &second
}

func (r *replay) answer(step timeStep) bool {
	claims := edit(verdictText, fmt.Sprintf(`"iat":1800000000,"exp":1800604800 => "iat":%d,"exp":%d ;; "ep":1 => "ep":%d ;; "act":"run" => "act":"%s"`, *step.Iat, *step.Exp, *step.Epoch, step.Act))
	token := rawToken("signing", head("signing", typVerdict), claims)
	got, err := verdict.Check(token, verdict.Expect{
		Pins: pins(r.t), AppID: appID, Nonce: nonce, Req: theReq, Key: public("device"), Last: r.clock.Known(),
	})
	if err != nil {
		return false
	}
	r.clock.Accept(got.IssuedAt, got.Epoch, *step.Local, *step.Mono)
	switch got.Means() {
	case verdict.Run:
		r.lease = token
	case verdict.Stop:
		r.lease = ""
	}
	r.save(r.clock.Save(*step.Local, *step.Mono))
	return true
}

func (r *replay) judge(local, mono int64) string {
	own := verdict.Own{Pins: pins(r.t), AppID: appID, Key: public("device"), Parts: [3]string{"HedFE2yLmfE", "OhTcmLTdYcM", "o6kuy88fT7I"}}
	if _, err := verdict.Judge(r.lease, own, r.clock.Now(local, mono)); err != nil {
		return fault.Of(err).Code
	}
	return "good"
}

func (r *replay) expect(n int, step timeStep, now int64, lease string) {
	if now != *step.Expect.Now || lease != step.Expect.Lease {
		r.t.Errorf("%s, step %d (%s): now %d (start%+d), lease %s; expected %d (start%+d), %s",
			r.name, n, step.Do, now, now-start, lease, *step.Expect.Now, *step.Expect.Now-start, step.Expect.Lease)
	}
}

func makeTime(t *testing.T) section[timeCase] {
	out := section[timeCase]{About: aboutTime, Cases: timeCases()}
	for _, script := range out.Cases {
		r := &replay{t: t, name: script.Name}
		for n, step := range script.Steps {
			r.play(n+1, step)
		}
	}
	return out
}
