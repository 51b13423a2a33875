package keyring

import (
	"encoding/base64"
	"runtime"
	"unsafe"

	"golang.org/x/sys/windows"
)

// entropy separates what is sealed here from what other programs on the machine have sealed. It is no secret.
const entropy = "goldfish machine key"

// written is the key as it stands in a new file. It is sealed for the machine, not for one user: the service and the
// command line run under different ones. Who may read the file is its folder's access list's affair.
func written(key []byte) ([]byte, error) {
	blob, err := protection(key, func(in, with, out *windows.DataBlob) error {
		return windows.CryptProtectData(in, nil, with, 0, nil, windows.CRYPTPROTECT_LOCAL_MACHINE|windows.CRYPTPROTECT_UI_FORBIDDEN, out)
	})
	if err != nil {
		return nil, err
	}
	return []byte(sealedByOS + base64.StdEncoding.EncodeToString(blob)), nil
}

func unprotect(blob []byte) ([]byte, error) {
	return protection(blob, func(in, with, out *windows.DataBlob) error {
		return windows.CryptUnprotectData(in, nil, with, 0, nil, windows.CRYPTPROTECT_UI_FORBIDDEN, out)
	})
}

// protection calls the system with in and gives a copy of what comes out, whose memory is the system's.
func protection(in []byte, call func(in, with, out *windows.DataBlob) error) ([]byte, error) {
	salt := []byte(entropy)
	var out windows.DataBlob
	err := call(dataBlob(in), dataBlob(salt), &out)
	runtime.KeepAlive(in)
	runtime.KeepAlive(salt)
	if err != nil {
		return nil, err
	}
	held := unsafe.Slice(out.Data, out.Size)
	got := append([]byte(nil), held...)
	clear(held)
	_, err = windows.LocalFree(windows.Handle(unsafe.Pointer(out.Data)))
	return got, err
}

func dataBlob(b []byte) *windows.DataBlob {
	return &windows.DataBlob{Size: uint32(len(b)), Data: unsafe.SliceData(b)}
}
