package verdict_test

import "goldfish/license/verdict"

const aboutTime = `Scripts of what happens to one client without a network but for the verdicts named; each expectation follows from protocol §8 "Time" and §9. ` +
	`local is the local clock in Unix seconds, mono a monotonic reading in seconds that starts anew with each process. Steps by "do": ` +
	`start: a process begins with what is stored (of state.json and the second place the record with the higher (ep, high), whole; one place that is missing is written again from the other); expect now, lease as judged at process start, and second, the second place's record then, or null. ` +
	`verdict: a verdict with iat, ep, act and exp arrives, all else in it being good; expect accepted (false: unverifiable, nothing changes); an accepted one is stored in both places at once, run as the lease, stop deleting the lease. ` +
	`judge: expect now and lease while running. ` +
	`store: now is stored as high in both places; expect high. A process ends at the next start, and stores nothing of itself then. ` +
	`keep_state, put_back_state: state.json is copied aside, put back. lose_state, lose_second: deleted. edit_state: high in state.json is set to local by hand, the MAC left as it is. ` +
	`now is the client's estimate of server time, without any record the local clock. lease is good, no_lease, lease_expired or clock_back.`

type timeCase struct {
	Name  string     `json:"name"`
	Steps []timeStep `json:"steps"`
}

type timeStep struct {
	Do     string      `json:"do"`
	Local  *int64      `json:"local,omitempty"`
	Mono   *int64      `json:"mono,omitempty"`
	Iat    *int64      `json:"iat,omitempty"`
	Epoch  *int64      `json:"ep,omitempty"`
	Act    string      `json:"act,omitempty"`
	Exp    *int64      `json:"exp,omitempty"`
	Expect *timeExpect `json:"expect,omitempty"`
}

type timeExpect struct {
	Now      *int64          `json:"now,omitempty"`
	Lease    string          `json:"lease,omitempty"`
	Second   *verdict.Record `json:"second,omitempty"`
	Accepted *bool           `json:"accepted,omitempty"`
	High     *int64          `json:"high,omitempty"`
}

const week = 7 * dayLong

func begin(local, now int64, lease string) timeStep {
	mono := int64(0)
	return timeStep{Do: "start", Local: &local, Mono: &mono, Expect: &timeExpect{Now: &now, Lease: lease}}
}

// beginSecond also says what the second place then holds.
func beginSecond(local, now int64, lease string, second verdict.Record) timeStep {
	step := begin(local, now, lease)
	step.Expect.Second = &second
	return step
}

func judge(local, mono, now int64, lease string) timeStep {
	return timeStep{Do: "judge", Local: &local, Mono: &mono, Expect: &timeExpect{Now: &now, Lease: lease}}
}

func store(local, mono, high int64) timeStep {
	return timeStep{Do: "store", Local: &local, Mono: &mono, Expect: &timeExpect{High: &high}}
}

func answer(local, mono, iat, epoch int64, act string, accepted bool) timeStep {
	exp := iat
	if act == "run" {
		exp += week
	}
	return timeStep{Do: "verdict", Local: &local, Mono: &mono, Iat: &iat, Epoch: &epoch, Act: act, Exp: &exp, Expect: &timeExpect{Accepted: &accepted}}
}

func run(local, mono, iat int64) timeStep { return answer(local, mono, iat, 1, "run", true) }

func do(what string) timeStep { return timeStep{Do: what} }

func editState(local int64) timeStep { return timeStep{Do: "edit_state", Local: &local} }

// steady is a client whose clock is off by the same amount all along.
func steady(name string, off int64) timeCase {
	l := start + off
	return timeCase{name, []timeStep{
		begin(l, l, "no_lease"),
		run(l+2, 2, start+2),
		judge(l+2, 2, start+2, "good"),
		judge(l+602, 602, start+602, "good"),
		store(l+602, 602, start+602),
		begin(l+dayLong, start+dayLong, "good"),
		judge(l+dayLong+15, 15, start+dayLong+15, "good"),
		judge(l+2+week-1, week-dayLong+1, start+2+week-1, "good"),
		judge(l+2+week, week-dayLong+2, start+2+week, "lease_expired"),
	}}
}

func timeCases() []timeCase {
	out := []timeCase{
		steady("a clock that is right", 0),
		steady("a clock two years behind", -2*365*dayLong),
		steady("a clock ten years ahead", 10*365*dayLong),
		steady("a clock a time zone off", 8*3600),
	}
	out = append(out, movedWhileRunning()...)
	out = append(out, movedWhileStopped()...)
	out = append(out, wrongServer()...)
	out = append(out, tampered()...)
	return append(out, actsAndTime()...)
}

func movedWhileRunning() []timeCase {
	return []timeCase{
		{"set back by a year while running: time goes on by the monotonic clock", []timeStep{
			begin(start, start, "no_lease"),
			run(start, 10, start),
			judge(start-365*dayLong, 70, start+60, "good"),
			judge(start-365*dayLong+dayLong, 10+dayLong, start+dayLong, "good"),
			judge(start-365*dayLong+week, 10+week, start+week, "lease_expired"),
		}},
		{"a clock that stands still", []timeStep{
			begin(start, start, "no_lease"),
			run(start, 0, start),
			judge(start, 3600, start+3600, "good"),
			judge(start, week-1, start+week-1, "good"),
			judge(start, week, start+week, "lease_expired"),
		}},
		{"sleep is counted by the local clock", []timeStep{
			begin(start, start, "no_lease"),
			run(start, 0, start),
			judge(start+60, 60, start+60, "good"),
			judge(start+3*dayLong, 75, start+3*dayLong, "good"),
			judge(start+week, 90, start+week, "lease_expired"),
		}},
		{"moved forward by a year by mistake: heals with the next verdict", []timeStep{
			begin(start, start, "no_lease"),
			run(start, 0, start),
			judge(start+365*dayLong, 60, start+365*dayLong, "lease_expired"),
			run(start+365*dayLong+60, 120, start+120),
			judge(start+365*dayLong+60, 120, start+120, "good"),
			judge(start+365*dayLong+120, 180, start+180, "good"),
			store(start+365*dayLong+120, 180, start+180),
			begin(start+365*dayLong+200, start+260, "good"),
		}},
		{"moved forward and back again between two judgements", []timeStep{
			begin(start, start, "no_lease"),
			run(start, 0, start),
			judge(start+365*dayLong, 60, start+365*dayLong, "lease_expired"),
			judge(start+120, 120, start+120, "good"),
		}},
	}
}

func movedWhileStopped() []timeCase {
	return []timeCase{
		{"set back by a day while stopped: clock_back, and a verdict heals", []timeStep{
			begin(start, start, "no_lease"),
			run(start, 0, start),
			store(start+dayLong, dayLong, start+dayLong),
			begin(start, start+dayLong, "clock_back"),
			run(start+5, 5, start+dayLong+5),
			judge(start+5, 5, start+dayLong+5, "good"),
			store(start+65, 65, start+dayLong+65),
			begin(start+100, start+dayLong+100, "good"),
		}},
		{"set back by 600 s while stopped", []timeStep{
			begin(start, start, "no_lease"),
			run(start, 0, start),
			store(start+dayLong, dayLong, start+dayLong),
			begin(start+dayLong-600, start+dayLong, "good"),
		}},
		{"set back by 601 s while stopped", []timeStep{
			begin(start, start, "no_lease"),
			run(start, 0, start),
			store(start+dayLong, dayLong, start+dayLong),
			begin(start+dayLong-601, start+dayLong, "clock_back"),
		}},
		{"set back while stopped and put right", []timeStep{
			begin(start, start, "no_lease"),
			run(start, 0, start),
			store(start+dayLong, dayLong, start+dayLong),
			begin(start, start+dayLong, "clock_back"),
			begin(start+dayLong+300, start+dayLong+300, "good"),
		}},
		{"moved forward by two days while running, stored, put right: clock_back until a verdict", []timeStep{
			begin(start, start, "no_lease"),
			run(start, 0, start),
			store(start+2*dayLong, 60, start+2*dayLong),
			begin(start+120, start+2*dayLong, "clock_back"),
			run(start+130, 10, start+130),
			judge(start+140, 20, start+140, "good"),
			begin(start+200, start+200, "good"),
		}},
		{"moved forward beyond the lease, stored, put right: lease_expired until a verdict", []timeStep{
			begin(start, start, "no_lease"),
			run(start, 0, start),
			store(start+30*dayLong, 60, start+30*dayLong),
			begin(start+120, start+30*dayLong, "lease_expired"),
			run(start+130, 10, start+130),
			begin(start+200, start+200, "good"),
		}},
		{"set to the last moment seen before every start: the lease is spent in running time", []timeStep{
			begin(start, start, "no_lease"),
			run(start, 0, start),
			store(start+3*dayLong, 3*dayLong, start+3*dayLong),
			begin(start+3*dayLong, start+3*dayLong, "good"),
			store(start+5*dayLong, 2*dayLong, start+5*dayLong),
			begin(start+5*dayLong, start+5*dayLong, "good"),
			judge(start+week-1, 2*dayLong-1, start+week-1, "good"),
			store(start+week, 2*dayLong, start+week),
			begin(start+week, start+week, "lease_expired"),
		}},
		{"set back to the same moment again and again: each start has the time that ran", []timeStep{
			begin(start, start, "no_lease"),
			run(start, 0, start),
			store(start, 500, start+500),
			begin(start, start+500, "good"),
			store(start, 400, start+900),
			begin(start, start+900, "clock_back"),
		}},
	}
}

func wrongServer() []timeCase {
	year := 365 * dayLong
	return []timeCase{
		{"a server clock ten years ahead heals by a new epoch", []timeStep{
			begin(start, start, "no_lease"),
			run(start, 0, start+10*year),
			judge(start+60, 60, start+10*year+60, "good"),
			answer(start+120, 120, start+120, 2, "run", true),
			judge(start+180, 180, start+180, "good"),
			store(start+180, 180, start+180),
			begin(start+300, start+300, "good"),
		}},
		{"a server clock that falls back within its epoch is not believed", []timeStep{
			begin(start, start, "no_lease"),
			run(start, 0, start),
			answer(start+60, 60, start-900, 1, "wait", true),
			judge(start+60, 60, start-900, "clock_back"),
			answer(start+70, 70, start-1801, 1, "run", false),
			judge(start+80, 80, start-880, "clock_back"),
			answer(start+90, 90, start-1800, 1, "run", true),
			judge(start+90, 90, start-1800, "good"),
		}},
		{"900 s older in the same epoch counts, also downwards", []timeStep{
			begin(start, start, "no_lease"),
			run(start, 0, start),
			run(start+60, 60, start-840),
			judge(start+60, 60, start-840, "good"),
			judge(start+120, 120, start-780, "good"),
		}},
		{"901 s older in the same epoch changes nothing", []timeStep{
			begin(start, start, "no_lease"),
			run(start, 0, start),
			answer(start+60, 60, start-901, 1, "stop", false),
			judge(start+60, 60, start+60, "good"),
		}},
		{"an older epoch is no reason to refuse an answer made for this nonce", []timeStep{
			begin(start, start, "no_lease"),
			answer(start, 0, start, 3, "run", true),
			answer(start+60, 60, start-dayLong, 2, "run", true),
			judge(start+60, 60, start-dayLong, "good"),
		}},
	}
}

func tampered() []timeCase {
	year := 365 * dayLong
	return []timeCase{
		{"the second place deleted: written again", []timeStep{
			begin(start-year, start-year, "no_lease"),
			run(start-year, 0, start),
			store(start-year+300, 300, start+300),
			do("lose_second"),
			beginSecond(start-year+400, start+400, "good", verdict.Record{IssuedAt: start, Epoch: 1, At: start - year, High: start + 300}),
		}},
		{"state.json deleted: time is kept, the lease is gone", []timeStep{
			begin(start-year, start-year, "no_lease"),
			run(start-year, 0, start),
			store(start-year+300, 300, start+300),
			do("lose_state"),
			beginSecond(start-year+400, start+400, "no_lease", verdict.Record{IssuedAt: start, Epoch: 1, At: start - year, High: start + 300}),
		}},
		{"both deleted: no lease, and the local clock", []timeStep{
			begin(start-year, start-year, "no_lease"),
			run(start-year, 0, start),
			do("lose_state"),
			do("lose_second"),
			begin(start-year+400, start-year+400, "no_lease"),
		}},
		{"state.json edited: a bad MAC is no state", []timeStep{
			begin(start, start, "no_lease"),
			run(start, 0, start),
			store(start+2*dayLong, 2*dayLong, start+2*dayLong),
			editState(start),
			begin(start, start+2*dayLong, "no_lease"),
		}},
		{"state.json edited and the second place deleted", []timeStep{
			begin(start, start, "no_lease"),
			run(start, 0, start),
			store(start+2*dayLong, 2*dayLong, start+2*dayLong),
			editState(start),
			do("lose_second"),
			begin(start, start, "no_lease"),
		}},
		{"an older state.json put back, the clock set back: the second place knows", []timeStep{
			begin(start, start, "no_lease"),
			run(start, 0, start),
			do("keep_state"),
			store(start+6*dayLong, 6*dayLong, start+6*dayLong),
			do("put_back_state"),
			begin(start, start+6*dayLong, "clock_back"),
			begin(start+6*dayLong+60, start+6*dayLong+60, "good"),
			judge(start+week, dayLong, start+week, "lease_expired"),
		}},
		{"an older state.json put back, the second place deleted: the clock tells", []timeStep{
			begin(start, start, "no_lease"),
			run(start, 0, start),
			do("keep_state"),
			store(start+6*dayLong, 6*dayLong, start+6*dayLong),
			do("put_back_state"),
			do("lose_second"),
			begin(start+week, start+week, "lease_expired"),
		}},
		{"a lease from the future: put back from before the server's clock was mended", []timeStep{
			begin(start, start, "no_lease"),
			run(start, 0, start+year),
			do("keep_state"),
			answer(start+3600, 3600, start+3600, 2, "run", true),
			judge(start+3600, 3600, start+3600, "good"),
			do("put_back_state"),
			begin(start+3700, start+3700, "clock_back"),
		}},
		{"the higher epoch counts, even with a lower high", []timeStep{
			begin(start, start, "no_lease"),
			run(start, 0, start+year),
			do("keep_state"),
			answer(start+3600, 3600, start+3600, 2, "wait", true),
			do("put_back_state"),
			beginSecond(start+3700, start+3700, "clock_back", verdict.Record{IssuedAt: start + 3600, Epoch: 2, At: start + 3600, High: start + 3600}),
		}},
	}
}

func actsAndTime() []timeCase {
	year := 365 * dayLong
	return []timeCase{
		{"wait sets the time and leaves the lease: a clock moved while stopped heals by proof_time", []timeStep{
			begin(start, start, "no_lease"),
			run(start, 0, start),
			begin(start+year, start+year, "lease_expired"),
			answer(start+year+2, 2, start+600, 1, "wait", true),
			judge(start+year+2, 2, start+600, "good"),
			begin(start+year+62, start+660, "good"),
		}},
		{"hold leaves the lease", []timeStep{
			begin(start, start, "no_lease"),
			run(start, 0, start),
			answer(start+60, 60, start+60, 1, "hold", true),
			begin(start+120, start+120, "good"),
		}},
		{"stop deletes the lease", []timeStep{
			begin(start, start, "no_lease"),
			run(start, 0, start),
			answer(start+60, 60, start+60, 1, "stop", true),
			judge(start+60, 60, start+60, "no_lease"),
			begin(start+120, start+120, "no_lease"),
		}},
		{"each run renews the lease", []timeStep{
			begin(start, start, "no_lease"),
			run(start, 0, start),
			run(start+6*dayLong, 6*dayLong, start+6*dayLong),
			judge(start+12*dayLong, 12*dayLong, start+12*dayLong, "good"),
			judge(start+13*dayLong, 13*dayLong, start+13*dayLong, "lease_expired"),
		}},
	}
}
