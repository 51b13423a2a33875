package config

import (
	"math"
	"os"
	"runtime/debug"
)

// LimitMemory makes the collector work harder before the process reaches three quarters of the memory that
// it may use: the machine's, or its control group's where that is less. An operator's GOMEMLIMIT stands. It
// gives the limit in force, 0 for none.
func LimitMemory() int64 {
	if have := memory(); have > 0 && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(have / 4 * 3)
	}
	if limit := debug.SetMemoryLimit(-1); limit < math.MaxInt64 {
		return limit
	}
	return 0
}
