package backup

import (
	"errors"
	"io/fs"
	"syscall"

	"goldfish/license"
	"goldfish/license/fault"
	"goldfish/store"
)

// Explain turns what went wrong with the file at path, or beside it, into a fault with a stable code and what
// its sentence fills in: file_locked, file_not_ours, file_truncated, file_damaged, file_newer, file_missing,
// machine_key_wrong, folder_denied, disk_full or folder_failed. A fault stays what it is; an error of another
// sort is internal.
func Explain(path string, err error) *fault.Error {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f
	}
	told := func(code string) *fault.Error {
		return fault.New(fault.Unavailable, code).With("path", path).Because(err)
	}
	if newer, ok := errors.AsType[*store.NewerError](err); ok {
		return told("file_newer").With("release", newer.Release)
	}
	for _, known := range []struct {
		is   error
		code string
	}{
		{store.ErrLocked, "file_locked"},
		{store.ErrNotOurs, "file_not_ours"},
		{store.ErrTruncated, "file_truncated"},
		{store.ErrDamaged, "file_damaged"},
		{store.ErrNotFound, "file_damaged"}, // its key ring is gone
		{store.ErrFull, "disk_full"},
		{license.ErrMachineKey, "machine_key_wrong"},
	} {
		if errors.Is(err, known.is) {
			return told(known.code)
		}
	}
	return explainSystem(path, err)
}

// diskFull is ERROR_DISK_FULL, which Windows says instead of ENOSPC.
const diskFull = syscall.Errno(112)

func explainSystem(path string, err error) *fault.Error {
	at, isPath := errors.AsType[*fs.PathError](err)
	reason := err
	if isPath {
		path, reason = at.Path, at.Err
	}
	told := func(code string) *fault.Error {
		return fault.New(fault.Unavailable, code).With("path", path).Because(err)
	}
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return told("folder_denied")
	case errors.Is(err, fs.ErrNotExist):
		return told("file_missing")
	case errors.Is(err, syscall.ENOSPC), isWindows && errors.Is(err, diskFull):
		return told("disk_full")
	case isPath:
		return told("folder_failed").With("error", reason.Error())
	}
	return fault.Of(err).With("error", err.Error())
}
