// Oldclock makes a data file take the present for a time that is 40 days ahead of it: it opens the file, which nobody
// else may have open, with a clock that stands 40 days back, as a machine would whose clock is wrong. The tests of the
// console use it.
package main

import (
	"crypto/rand"
	"fmt"
	"os"
	"time"

	"goldfish/license"
	"goldfish/store/keyring"
)

const back = 40 * 24 * time.Hour

func main() {
	if err := run(os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "oldclock:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("usage: oldclock FILE MACHINE_KEY_FILE")
	}
	key, err := keyring.MachineKeyFile(args[2], rand.Reader)
	if err != nil {
		return err
	}
	a, err := license.Open(args[1], license.Options{
		Clock: func() time.Time { return time.Now().Add(-back) }, Rand: rand.Reader, MachineKey: key, Release: "oldclock",
	})
	if err != nil {
		return err
	}
	return a.Close()
}
