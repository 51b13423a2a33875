package backup

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"

	"goldfish/license/fault"
	"goldfish/license/licensetest"
)

// compressed is an appliance with some keys, and a compressed backup of it.
func compressed(t *testing.T) (w *licensetest.World, path string) {
	t.Helper()
	w = licensetest.New(t)
	app := w.App(nil)
	keys := w.Keys(app, 20, licensetest.Month)
	_, err := w.Device(app, 1).Activate(w.Customer(), keys[0], nil)
	w.Must(err)
	path = filepath.Join(t.TempDir(), "b", "one.db.zst")
	_, err = Make(w.Authority, options(w), path)
	w.Must(err)
	return w, path
}

func TestACompressedBackup(t *testing.T) {
	w, path := compressed(t)
	only(t, filepath.Dir(path), "one.db.zst", "one.db.zst.sha256")
	r, err := Verify(path, options(w))
	w.Must(err)
	info, err := os.Stat(path)
	w.Must(err)
	if r.Rows["cards"] != 20 || r.Rows["bindings"] != 1 || r.Path != path || r.Bytes != info.Size() || r.Bytes >= w.DB().Size() {
		t.Errorf("%+v", r)
	}
	sums := exec.CommandContext(t.Context(), "sha256sum", "--check", "--strict", "one.db.zst.sha256")
	sums.Dir = filepath.Dir(path)
	if out, err := sums.CombinedOutput(); err != nil {
		t.Errorf("sha256sum: %v %s", err, out)
	}
	file := filepath.Join(t.TempDir(), "goldfish.db")
	if restored, err := Restore(path, file, options(w)); err != nil || restored.Rows["cards"] != 20 {
		t.Errorf("%v %+v", err, restored)
	}
	only(t, filepath.Dir(file), "goldfish.db", "goldfish.db.notes.json")
	only(t, filepath.Dir(path), "one.db.zst", "one.db.zst.sha256")
}

// The name says nothing of what is inside: whoever renames a backup, or unpacks it, still has one.
func TestABackupUnderAnotherName(t *testing.T) {
	w, path := compressed(t)
	other := filepath.Join(t.TempDir(), "renamed.db")
	raw, err := os.ReadFile(path)
	w.Must(err)
	w.Must(os.WriteFile(other, raw, 0o600))
	if r, err := Verify(other, options(w)); err != nil || r.Rows["cards"] != 20 {
		t.Errorf("%v %+v", err, r)
	}
	plain := filepath.Join(t.TempDir(), "plain.db.zst")
	if _, err := unpack(path, plain); err != nil {
		t.Fatal(err)
	}
	if r, err := Verify(plain, options(w)); err != nil || r.Rows["cards"] != 20 {
		t.Errorf("%v %+v", err, r)
	}
}

func TestMovingPacksAndUnpacks(t *testing.T) {
	w, path := compressed(t)
	r, err := Verify(path, options(w))
	w.Must(err)
	for _, name := range []string{"a.db", "b.db", "c.db.zst", "d.db.zst"} {
		to := filepath.Join(t.TempDir(), name)
		r, err = Move(r, to)
		w.Must(err)
		again, err := Verify(to, options(w))
		w.Must(err)
		if again.SHA256 != r.SHA256 || again.Bytes != r.Bytes || r.Path != to {
			t.Errorf("%s: moved %+v, found %+v", name, r, again)
		}
		head, err := os.ReadFile(to)
		w.Must(err)
		if bytes.HasPrefix(head, zstdMagic) != isPacked(name) {
			t.Errorf("%s begins with %x", name, head[:4])
		}
		only(t, filepath.Dir(to), name, name+".sha256")
	}
	only(t, filepath.Dir(path))
}

// frame is content as one frame of Zstandard; size −1 leaves its length unsaid.
func frame(t *testing.T, content []byte, size int64) []byte {
	t.Helper()
	var out bytes.Buffer
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	if size < 0 {
		z.Reset(&out)
	} else {
		z.ResetContentSize(&out, size)
	}
	if _, err := z.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestCompressedFilesThatAreRefused(t *testing.T) {
	w, path := compressed(t)
	good, err := os.ReadFile(path)
	w.Must(err)
	noise := make([]byte, 200_000)
	chacha := rand.NewChaCha8([32]byte{})
	_, _ = chacha.Read(noise)
	zeros := make([]byte, 1<<20)
	flipped := bytes.Clone(good)
	flipped[len(flipped)/2] ^= 4
	vast, err := (&zstd.Header{WindowSize: 1 << 20, HasFCS: true, FrameContentSize: 1 << 40}).AppendTo(nil)
	w.Must(err)
	vast = append(vast, frame(t, noise, int64(len(noise)))[10:]...)
	for name, c := range map[string]struct {
		bytes []byte
		want  string
	}{
		"a head that says a terabyte":    {vast, "backup_implausible"},
		"a bomb":                         {frame(t, make([]byte, 300<<20), 300<<20), "backup_implausible"},
		"a length that is not said":      {frame(t, bytes.Repeat(noise, 4), -1), "backup_implausible"},
		"a frame to be skipped":          {[]byte{0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4}, "file_not_ours"},
		"two frames":                     {append(bytes.Clone(good), good...), "backup_unreadable"},
		"a bomb behind a good one":       {append(bytes.Clone(good), frame(t, zeros, int64(len(zeros)))...), "backup_unreadable"},
		"cut off":                        {good[:len(good)/2], "backup_unreadable"},
		"cut off in its head":            {good[:5], "backup_unreadable"},
		"a bit":                          {flipped, "backup_unreadable"},
		"a letter, compressed":           {frame(t, noise[:1000], 1000), "file_not_ours"},
		"nothing, compressed":            {frame(t, nil, 0), "backup_implausible"},
		"zeros, compressed":              {frame(t, zeros, int64(len(zeros))), "file_not_ours"},
		"something behind a good backup": {append(bytes.Clone(good), "more"...), "backup_unreadable"},
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, "x.db.zst")
		w.Must(os.WriteFile(file, c.bytes, 0o600))
		_, err := Verify(file, options(w))
		if code(err) != c.want {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		} else if fault.Of(err).Args["path"] != file {
			t.Errorf("%s: it speaks of %v", name, fault.Of(err).Args["path"])
		}
		only(t, dir, "x.db.zst")
		to := filepath.Join(t.TempDir(), "goldfish.db")
		if _, err := Restore(file, to, options(w)); code(err) != c.want {
			t.Errorf("%s: restored: %v", name, err)
		}
		only(t, filepath.Dir(to))
	}
}

func TestNoMoreIsWrittenThanTheFrameSays(t *testing.T) {
	content := make([]byte, 1<<20)
	chacha := rand.NewChaCha8([32]byte{})
	_, _ = chacha.Read(content)
	var out bytes.Buffer
	err := inflate(&out, bytes.NewReader(frame(t, content, -1)), 1000, "x")
	if code(err) != "backup_unreadable" || out.Len() > 1001 {
		t.Errorf("%v, %d bytes were written", err, out.Len())
	}
}

func TestNobodyWaitsForItAnyMore(t *testing.T) {
	w, path := compressed(t)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	dir := t.TempDir()
	if _, err := unpackFor(ctx, path, filepath.Join(dir, "a")); !errors.Is(err, context.Canceled) {
		t.Errorf("unpack: %v", err)
	}
	if _, err := pack(ctx, w.Path, filepath.Join(dir, "b")); !errors.Is(err, context.Canceled) {
		t.Errorf("pack: %v", err)
	}
	if _, err := produce(ctx, w.Authority, options(w), filepath.Join(dir, "c.db.zst")); code(err) != "backup_stopped" {
		t.Errorf("make: %v", err)
	}
	only(t, dir)
}
