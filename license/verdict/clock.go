package verdict

// Record is what a client keeps of time, in state.json and in the second place
// (protocol §9). The zero Record is none.
type Record struct {
	IssuedAt int64 `json:"iat"`  // of the last accepted verdict
	Epoch    int64 `json:"ep"`   // of the same
	At       int64 `json:"at"`   // the local clock when it was accepted
	High     int64 `json:"high"` // the latest moment seen, in server time
}

// Later gives of two records the one with the higher (ep, high), whole.
func Later(a, b Record) Record {
	if above(b.Epoch, b.High, a.Epoch, a.High) {
		return b
	}
	return a
}

// Clock is a client's estimate of server time (protocol §8, "Time"), a pure
// reference: the caller reads the clocks. local is the local clock in Unix
// seconds, mono a monotonic reading in seconds with any origin that one process
// keeps. A Clock belongs to one process.
type Clock struct {
	record Record
	high   int64 // h: record.High when the last verdict came or the process began
	mono   int64 // the monotonic reading at that moment
}

// StartClock begins a process with the record it found; the zero Record is none.
func StartClock(found Record, mono int64) *Clock {
	return &Clock{record: found, high: found.High, mono: mono}
}

// Accept sets the time by an accepted verdict, also downwards.
func (c *Clock) Accept(iat, epoch, local, mono int64) {
	c.record = Record{IssuedAt: iat, Epoch: epoch, At: local, High: iat}
	c.high, c.mono = iat, mono
}

// Now is max(L + V.iat − at, h + m). Without any verdict it is the local clock.
func (c *Clock) Now(local, mono int64) int64 {
	if c.record == (Record{}) {
		return local
	}
	return max(c.shifted(local), c.high+mono-c.mono)
}

// shifted is L + V.iat − at: the local clock with what it was off by.
func (c *Clock) shifted(local int64) int64 { return local + c.record.IssuedAt - c.record.At }

// Save gives the record to store every beat and at exit. The stored high only
// rises here: nothing but a verdict sets time back.
func (c *Clock) Save(local, mono int64) Record {
	if c.record != (Record{}) {
		c.record.High = max(c.record.High, c.Now(local, mono))
	}
	return c.record
}

// SetBack says, at process start, whether the local clock stands more than 600
// s before the latest moment seen: then no lease is good (clock_back).
func (c *Clock) SetBack(local int64) bool {
	return c.record != (Record{}) && c.shifted(local) < c.record.High-600
}

// Known is what the next answer's age is held against.
func (c *Clock) Known() Known { return Known{Epoch: c.record.Epoch, IssuedAt: c.record.IssuedAt} }
