package backup

import "os/exec"

// together has nothing to do: a child starts no process of its own, and is ended by itself.
func together(*exec.Cmd) {}

// boundMemory: the collector's own limit is all there is.
func boundMemory(string) {}
