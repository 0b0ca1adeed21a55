package native

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/probe"
)

// copyHole is the smallest run of zeroes that becomes a hole, in bytes.
const copyHole = 64 << 10

// copy copies the array to o.out.
func (o *openOptions) copy(ctx context.Context, array block.Device, length int64, candidates []candidate) (int64, error) {
	info, err := os.Stat(o.out)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return o.copyFile(ctx, array, length, o.out)
	case err != nil:
		return 0, err
	}
	if err := notMember(info, candidates); err != nil {
		return 0, fmt.Errorf("%s: %w", o.out, err)
	}
	switch mode := info.Mode(); {
	case mode.IsRegular():
		if info.Size() > 0 && !o.force {
			return 0, fmt.Errorf("%s: the file exists and is not empty; --force replaces it", o.out)
		}
		// The file is replaced, not a link that leads to it.
		target, err := filepath.EvalSymlinks(o.out)
		if err != nil {
			return 0, err
		}
		return o.copyFile(ctx, array, length, target)
	case mode&fs.ModeDevice != 0 && mode&fs.ModeCharDevice == 0:
		return o.copyDevice(ctx, array, length)
	case mode.IsDir():
		return 0, fmt.Errorf("%s: is a directory; name a file in it", o.out)
	}
	return 0, fmt.Errorf("%s: is neither a file nor a block device; --cat writes to anything", o.out)
}

// notMember refuses to write to a device that is being read.
func notMember(info fs.FileInfo, candidates []candidate) error {
	for _, c := range candidates {
		member, err := os.Stat(c.path)
		if err == nil && os.SameFile(info, member) {
			return fmt.Errorf("is a member of the array that is to be read")
		}
	}
	return nil
}

// copyFile copies to a new file beside path and gives it that name when it is
// complete and durable. Zeroes become holes.
func (o *openOptions) copyFile(ctx context.Context, array block.Device, length int64, path string) (written int64, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.part")
	var refused *fs.PathError
	switch {
	case errors.As(err, &refused): // it names the temporary file, which means nothing to the user
		return 0, fmt.Errorf("%s: cannot be made: %w", path, refused.Err)
	case err != nil:
		return 0, err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	progress := o.std.Progress("copying to "+o.out, length, o.quiet)
	defer progress.Close()
	if written, err = stream(ctx, array, o.off, length, &sparseSink{w: f}, progress); err != nil {
		return 0, err
	}
	// CreateTemp makes files that only their owner may read, which is right for an
	// image.
	if err := errors.Join(f.Truncate(length), f.Sync()); err != nil {
		return 0, err
	}
	if err := f.Close(); err != nil {
		return 0, err
	}
	return written, os.Rename(f.Name(), path)
}

// copyDevice overwrites the start of the block device at o.out.
func (o *openOptions) copyDevice(ctx context.Context, array block.Device, length int64) (int64, error) {
	d, err := block.OpenFile(o.out, block.ForWriting|block.Exclusive)
	if err != nil {
		return 0, err
	}
	defer d.Close()
	return o.overwrite(ctx, array, length, d)
}

// overwrite copies to an open device, unless there is something on it.
func (o *openOptions) overwrite(ctx context.Context, array block.Device, length int64, d block.Device) (int64, error) {
	if d.Size() < length {
		return 0, fmt.Errorf("%s: has %d bytes, and %d are to be copied; --length copies a part", o.out, d.Size(), length)
	}
	found, err := probe.Probe(d)
	if err != nil {
		return 0, err
	}
	if len(found) > 0 && !o.force {
		return 0, fmt.Errorf("%s: carries %s; --force overwrites it", o.out, found[0])
	}
	progress := o.std.Progress("copying to "+o.out, length, o.quiet)
	defer progress.Close()
	written, err := stream(ctx, array, o.off, length, &deviceSink{d}, progress)
	if err != nil {
		return written, fmt.Errorf("%w; %s is partly overwritten", err, o.out)
	}
	return written, d.Sync()
}

// deviceSink writes everything, zeroes too: a device may hold anything.
type deviceSink struct{ d block.Device }

func (s *deviceSink) put(p []byte, off int64) (int64, error) {
	n, err := s.d.WriteAt(p, off)
	return int64(n), err
}

// sparseSink leaves holes where there are only zeroes.
type sparseSink struct{ w io.WriterAt }

func (s *sparseSink) put(p []byte, off int64) (written int64, err error) {
	zeroes := make([]byte, copyHole)
	for len(p) > 0 {
		n := min(len(p), copyHole)
		if !bytes.Equal(p[:n], zeroes[:n]) {
			if _, err := s.w.WriteAt(p[:n], off); err != nil {
				return written, err
			}
			written += int64(n)
		}
		p, off = p[n:], off+int64(n)
	}
	return written, nil
}
