// Package fuse shows a block device as a file in a folder, through the kernel's FUSE,
// so that any program can read it and loop devices can be made of it. Root mounts it
// directly; other users need the fusermount3 of the fuse3 package.
package fuse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/mdkit/mdkit/engine/block"
)

// Export is what to show.
type Export struct {
	// Device is the content of the file. Requests come from many goroutines at
	// once.
	Device block.Device
	// Name is the file's name in the folder.
	Name string
	// ReadOnly refuses writes, and gives the file read-only permissions.
	ReadOnly bool
	// AllowOther lets users other than the one who mounts it see the file. Unless
	// root mounts it, /etc/fuse.conf must allow that.
	AllowOther bool
}

// busyLimit is how long Serve tries to unmount while the file is in use.
const busyLimit = 10 * time.Second

// ErrBusy marks a folder that cannot be unmounted because something uses it.
var ErrBusy = errors.New("still in use")

// Serve mounts the export on dir, an empty folder, calls ready when the file is there,
// and serves until it is unmounted: by Serve when ctx ends, or by someone else. It
// fails with ErrBusy if the file is still in use ten seconds after ctx has ended; then
// the mount stays, and reading the file fails.
func Serve(ctx context.Context, dir string, e Export, ready func()) error {
	server, err := mount(dir, e)
	if err != nil {
		return fmt.Errorf("fuse: mount on %s: %w", dir, err)
	}
	ready()
	ended := make(chan struct{})
	go func() {
		server.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
	}
	deadline := time.Now().Add(busyLimit)
	for {
		if err = server.Unmount(); err == nil {
			<-ended
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("fuse: unmount %s: %w: %w; umount it when nothing uses it any more", dir, ErrBusy, err)
		}
		select {
		case <-ended:
			return nil
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// attributesLast is how long the kernel may keep attributes, which do not change.
const attributesLast = time.Hour

func mount(dir string, e Export) (*fuse.Server, error) {
	last := attributesLast
	opts := &fs.Options{
		AttrTimeout: &last, EntryTimeout: &last,
		MountOptions: fuse.MountOptions{
			FsName: block.Name(e.Device), Name: "mdkit", MaxWrite: 1 << 20, DirectMount: true,
			AllowOther: e.AllowOther, DisableXAttrs: true,
		},
	}
	if e.ReadOnly {
		opts.MountOptions.Options = append(opts.MountOptions.Options, "ro")
	}
	return fs.Mount(dir, &folder{export: e}, opts)
}

// folder is the root, with one file.
type folder struct {
	fs.Inode
	export Export
}

// OnAdd adds the file.
func (f *folder) OnAdd(ctx context.Context) {
	f.AddChild(f.export.Name, f.NewPersistentInode(ctx, &file{export: f.export}, fs.StableAttr{Mode: syscall.S_IFREG}), false)
}

// file is the device.
type file struct {
	fs.Inode
	export Export
}

// Getattr returns the size and the permissions.
func (f *file) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Mode = syscall.S_IFREG | 0o600
	if f.export.ReadOnly {
		out.Mode = syscall.S_IFREG | 0o400
	}
	out.Size = uint64(f.export.Device.Size())
	out.Blocks = out.Size / block.SectorSize
	out.Blksize = 4096
	out.Nlink = 1
	out.SetTimeout(attributesLast)
	return fs.OK
}

// Setattr accepts what tools set routinely, but refuses to change the size.
func (f *file) Setattr(ctx context.Context, h fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	if size, ok := in.GetSize(); ok && size != uint64(f.export.Device.Size()) {
		return syscall.EPERM
	}
	return f.Getattr(ctx, h, out)
}

// Open lets the kernel keep what it has cached: nothing else writes to the device.
func (f *file) Open(_ context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	if f.export.ReadOnly && flags&syscall.O_ACCMODE != syscall.O_RDONLY {
		return nil, 0, syscall.EROFS
	}
	return nil, fuse.FOPEN_KEEP_CACHE, fs.OK
}

// Read reads from the device.
func (f *file) Read(_ context.Context, _ fs.FileHandle, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	n, err := f.export.Device.ReadAt(dest, off)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, errno(err)
	}
	return fuse.ReadResultData(dest[:n]), fs.OK
}

// Write writes to the device.
func (f *file) Write(_ context.Context, _ fs.FileHandle, data []byte, off int64) (uint32, syscall.Errno) {
	if f.export.ReadOnly {
		return 0, syscall.EROFS
	}
	n, err := f.export.Device.WriteAt(data, off)
	return uint32(n), errno(err)
}

// Fsync makes what was written durable.
func (f *file) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	if f.export.ReadOnly {
		return fs.OK
	}
	return errno(f.export.Device.Sync())
}

// errno is the error number that a program sees for an error.
func errno(err error) syscall.Errno {
	var number syscall.Errno
	switch {
	case err == nil:
		return fs.OK
	case errors.Is(err, block.ErrOutOfRange):
		return syscall.ENOSPC
	case errors.Is(err, block.ErrReadOnly):
		return syscall.EROFS
	case errors.As(err, &number):
		return number
	}
	return syscall.EIO
}

var _ interface {
	fs.NodeGetattrer
	fs.NodeSetattrer
	fs.NodeOpener
	fs.NodeReader
	fs.NodeWriter
	fs.NodeFsyncer
} = (*file)(nil)
