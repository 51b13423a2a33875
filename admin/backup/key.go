package backup

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"goldfish/license/fault"
	"goldfish/store/keyring"
)

// MachineKey reads the key that opens an appliance's file and its backups: from text if there is some, else
// from the file at path. create lets that file be made where it is not: for a new appliance, or for one whose file
// somebody can open without it.
//
// Faults: machine_key_form, machine_key_missing and those of Explain.
func MachineKey(text, path string, create bool, rand io.Reader) ([]byte, error) {
	if text != "" {
		key, err := keyring.ParseMachineKey(text)
		return key, keyForm("GOLDFISH_MACHINE_KEY", err)
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && !create {
		return nil, fault.New(fault.Unavailable, "machine_key_missing").With("path", path).Because(err)
	}
	key, err := keyring.MachineKeyFile(path, rand)
	if _, isPath := errors.AsType[*fs.PathError](err); isPath {
		return nil, Explain(path, err)
	}
	return key, keyForm(path, err)
}

func keyForm(where string, err error) error {
	if err == nil {
		return nil
	}
	return fault.New(fault.Unavailable, "machine_key_form").With("path", where).Because(err)
}
