package backup

import (
	"fmt"
	"io"
	"path/filepath"

	"goldfish/license/fault"
)

// Receive keeps what comes from elsewhere as the new file path, as long as the disk has room for it, and returns when
// the disk has it. A failure leaves nothing; one of the sender comes back as it is. Faults: those of Explain.
func Receive(in io.Reader, path string) error {
	dir := filepath.Dir(path)
	left, err := room(dir)
	if err != nil {
		return Explain(path, err)
	}
	most := left - spareRoom
	src := &watched{Reader: in}
	err = write(path, func(out io.Writer) error {
		n, err := io.Copy(out, io.LimitReader(src, max(0, most)+1))
		if err == nil && n > most {
			err = fault.New(fault.Unavailable, "disk_full").With("path", dir)
		}
		return err
	})
	if src.err != nil {
		return src.err
	}
	if err != nil {
		return Explain(path, fmt.Errorf("receiving: %w", err))
	}
	return nil
}
