package license

import "time"

// What tests of the package's outside need of its inside.

// CheckClock is the regular look at the clock.
func (a *Authority) CheckClock() error { return a.checkClock(aheadRunning) }

// FlushRefusals writes the refusals that were gathered.
func (a *Authority) FlushRefusals() error { return a.flushRefusals() }

// HastenJobs makes a failed slice of a job be tried again at once.
func (a *Authority) HastenJobs() { a.jobs.pause = time.Microsecond }
