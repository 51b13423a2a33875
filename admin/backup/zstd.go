package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"

	"goldfish/license/fault"
)

// A compressed backup is one Zstandard frame (RFC 8878) that says how long its content is.
const (
	packedSuffix = ".zst"
	windowMost   = 64 << 20 // of a frame: what its decoder keeps in memory
	ratioMost    = 200      // times that a file of ours may shrink; real ones shrink 2 to 20 times …
	ratioFree    = 64 << 20 // … but the pages that a small file keeps in reserve are all zeros
)

// spareRoom is how many bytes are left free on a disk. A variable for tests alone: no disk fills up with it.
var spareRoom int64 = 64 << 20

var zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}

// caller reads no further once nobody waits for it any more.
type caller struct {
	ctx context.Context
	io.Reader
}

func (c caller) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.Reader.Read(p)
}

// pack writes from, compressed, to the new file to, and returns when the disk has it: its SHA-256.
func pack(ctx context.Context, from, to string) (sum string, err error) {
	in, err := os.Open(from)
	if err != nil {
		return "", err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	err = write(to, func(out io.Writer) error {
		z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
		if err != nil {
			return err
		}
		z.ResetContentSize(io.MultiWriter(out, h), info.Size())
		_, err = io.Copy(z, caller{ctx, in})
		return errors.Join(err, z.Close())
	})
	return hexSum(h), err
}

// write makes the new file to by fn, and returns when the disk has it. A failure leaves none.
func write(to string, fn func(io.Writer) error) error {
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err = errors.Join(fn(out), out.Sync(), out.Close()); err != nil {
		_ = os.Remove(to)
	}
	return err
}

// unpack makes the new file to of a backup, compressed or not, and returns when the disk has it: the SHA-256 of
// the backup as it lies. A frame that says nothing of its length, or too much for the disk or for what it comes
// from, is refused; no more is written than it says. The sum is given with an error, too, if all could be read.
//
// Faults: backup_implausible, backup_unreadable, disk_full.
func unpack(from, to string) (sum string, err error) {
	return unpackFor(context.Background(), from, to)
}

func unpackFor(ctx context.Context, from, to string) (sum string, err error) {
	in, err := os.Open(from)
	if err != nil {
		return "", err
	}
	defer in.Close()
	head := make([]byte, zstd.HeaderMaxSize)
	n, err := io.ReadFull(in, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", err
	}
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	h := sha256.New()
	tee := io.TeeReader(caller{ctx, in}, h)
	if !bytes.HasPrefix(head[:n], zstdMagic) {
		err = write(to, func(out io.Writer) error {
			_, err := io.Copy(out, tee)
			return err
		})
		return hexSum(h), err
	}
	size, err := contentSize(in, head[:n], filepath.Dir(to))
	if err != nil {
		return "", err
	}
	err = write(to, func(out io.Writer) error { return inflate(out, tee, size, from) })
	if _, rerr := io.Copy(io.Discard, tee); rerr != nil {
		return "", errors.Join(err, rerr)
	}
	return hexSum(h), err
}

// contentSize is how long the content of a frame is by its head, if that may be.
func contentSize(in *os.File, head []byte, dir string) (int64, error) {
	implausible := fault.New(fault.Unavailable, "backup_implausible").With("path", in.Name())
	var frame zstd.Header
	if err := frame.Decode(head); err != nil {
		return 0, unreadable(in.Name(), err)
	}
	info, err := in.Stat()
	if err != nil {
		return 0, err
	}
	if frame.Skippable || !frame.HasFCS || frame.FrameContentSize > uint64(info.Size())*ratioMost+ratioFree {
		return 0, implausible
	}
	left, err := room(dir)
	if err != nil {
		return 0, err
	}
	if int64(frame.FrameContentSize) > left-spareRoom {
		return 0, fault.New(fault.Unavailable, "disk_full").With("path", dir)
	}
	return int64(frame.FrameContentSize), nil
}

// inflate writes the content of a frame, which must be as long as it says.
func inflate(out io.Writer, in io.Reader, size int64, path string) error {
	z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(windowMost), zstd.WithDecoderMaxMemory(1<<62))
	if err != nil {
		return unreadable(path, err)
	}
	defer z.Close()
	src := &watched{Reader: z}
	n, err := io.Copy(out, io.LimitReader(src, size+1))
	switch {
	case src.err != nil:
		return unreadable(path, src.err)
	case err != nil:
		return err
	case n != size:
		return unreadable(path, io.ErrUnexpectedEOF)
	}
	return nil
}

// watched remembers why a reader failed, to tell it from what is wrong with the writer.
type watched struct {
	io.Reader
	err error
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		w.err = err
	}
	return n, err
}

// unreadable is compressed data that makes no sense. Whoever stopped waiting, and a disk that does not read, are
// not its fault.
func unreadable(path string, err error) error {
	if _, isPath := errors.AsType[*os.PathError](err); isPath || errors.Is(err, context.Canceled) {
		return err
	}
	return fault.New(fault.Unavailable, "backup_unreadable").With("path", path).Because(err)
}
