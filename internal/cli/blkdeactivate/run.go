package blkdeactivate

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/manage/blocktree"
	"github.com/mdkit/mdkit/sysfs"
)

// actions are what is done to devices. Each returns whether it worked.
type actions interface {
	Unmount(ctx context.Context, mount string) bool
	Mounted(mount string) bool
	RemoveMapped(ctx context.Context, name string) bool
	StopArray(ctx context.Context, kernel string) bool
	WaitArray(ctx context.Context, kernel string) (code int)
	SyncAction(kernel string) string
	LVM(ctx context.Context, args ...string) (output string, ok bool)
	StopVDO(ctx context.Context, name string) bool
	DisableQueueing(ctx context.Context) (running, ok bool)
	HasNode(path string) bool
	HasLVM() bool
	HasVDO() bool
}

// run is one run of the program. It skips devices and volume groups that could not be
// deactivated.
type run struct {
	options
	std ui.IO
	fs  sysfs.FS
	do  actions

	skipped  map[string]bool // kernel names
	skippedV map[string]bool // volume groups
	gone     map[string]bool // kernel names of devices that a dry run would have deactivated
	events   []event
}

// event is what --json shows about a device.
type event struct {
	Kind   string `json:"kind"`             // umount, dm, md, lvm, vdo, skip, multipath
	Device string `json:"device,omitempty"` // kernel name
	Name   string `json:"name,omitempty"`
	Mount  string `json:"mount,omitempty"`
	Result string `json:"result"` // the last word of the text
}

type document struct {
	ui.Document
	DryRun bool    `json:"dry_run"`
	Events []event `json:"events"`
}

// keepMounted returns the mount points that are never unmounted.
func keepMounted() []string {
	return []string{
		"/", "/lib", "/lib64", "/bin", "/sbin", "/var", "/var/log", "/usr", "/usr/lib", "/usr/lib64", "/usr/sbin", "/usr/bin", "[SWAP]",
	}
}

// say prints text, unless --json was given.
func (r *run) say(format string, args ...any) {
	if !r.json {
		fmt.Fprintf(r.std.Out, format, args...)
	}
}

// result ends a line, and records the event.
func (r *run) result(e event, word string) {
	r.say("%s\n", word)
	e.Result = word
	r.events = append(r.events, e)
}

// try does one thing or, in a dry run, says that it would do so.
func (r *run) try(e event, do func() bool, failed func() string) bool {
	switch {
	case r.dryRun:
		r.gone[e.Device] = e.Kind != "umount"
		r.result(e, "would be done")
		return true
	case do():
		r.result(e, "done")
		return true
	}
	r.result(e, failed())
	return false
}

func skipping() string { return "skipping" }

// all does what the command line asks for.
func (r *run) all(ctx context.Context) int {
	r.skipped, r.skippedV, r.gone = map[string]bool{}, map[string]bool{}, map[string]bool{}
	r.say("Deactivating block devices:\n")
	if r.disableQueueing && !r.dryRun {
		if running, ok := r.do.DisableQueueing(ctx); running {
			r.say("  [DM]: disabling queueing on all multipath devices... ")
			word := "failed"
			if ok {
				word = "done"
			}
			r.result(event{Kind: "multipath"}, word)
		}
	}
	code := ui.ExitOK
	if len(r.devices) == 0 {
		if err := r.everything(ctx); err != nil {
			fmt.Fprintf(r.std.Err, "blkdeactivate: %v\n", err)
			code = 1
		}
	}
	for _, path := range r.devices {
		ok, err := r.one(ctx, path)
		if err != nil {
			fmt.Fprintf(r.std.Err, "blkdeactivate: %v\n", err)
		}
		if !ok {
			code = 1
			break
		}
		code = ui.ExitOK
	}
	if r.json {
		doc := document{Document: ui.Schema("blkdeactivate"), DryRun: r.dryRun, Events: append([]event{}, r.events...)}
		if err := r.std.JSON(doc); err != nil {
			return 1
		}
	}
	return code
}

// everything deactivates all devices, from the top of each stack down. If a device
// cannot be deactivated, the devices below it are left alone.
func (r *run) everything(ctx context.Context) error {
	tree, err := blocktree.Read(r.fs)
	if err != nil {
		return err
	}
	r.unmountAll(ctx, tree.Devices)
	skip := false
	for _, d := range tree.Downward() {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if d.Type == "disk" || skip && !r.top(tree, d) {
			continue
		}
		skip = false
		if r.skipped[d.Kernel] {
			continue
		}
		ok, err := r.deactivate(ctx, d)
		if err != nil {
			return err
		}
		skip = !ok
	}
	return nil
}

// top reports whether no other device is built on this one now.
func (r *run) top(tree *blocktree.Tree, d *blocktree.Device) bool {
	if !r.dryRun {
		if fresh, err := blocktree.Read(r.fs); err == nil {
			tree = fresh
		}
	}
	now := tree.Find(d.Kernel)
	return now == nil || !slices.ContainsFunc(now.Above, func(a *blocktree.Device) bool { return !a.Partition() && !r.gone[a.Kernel] })
}

// one deactivates the device at a path and what is built on it.
func (r *run) one(ctx context.Context, path string) (bool, error) {
	tree, err := blocktree.Read(r.fs)
	if err != nil {
		return false, err
	}
	d := r.find(tree, path)
	if d != nil {
		r.unmountAll(ctx, d.Upward())
	}
	if !isBlock(path) {
		if r.json {
			r.events = append(r.events, event{Kind: "skip", Name: path, Result: "not found"})
		}
		r.say("%s: device not found\n", path)
		return false, nil
	}
	if d == nil || r.skipped[d.Kernel] {
		return true, nil
	}
	_, err = r.deactivate(ctx, d)
	return true, err
}

// unmountAll unmounts devices, the deepest mount points first.
func (r *run) unmountAll(ctx context.Context, devices []*blocktree.Device) {
	list := slices.Clone(devices)
	slices.SortStableFunc(list, func(a, b *blocktree.Device) int { return strings.Compare(b.Mount(), a.Mount()) })
	for _, d := range list {
		if d.Mount() == "" || d.Type != "lvm" && !strings.HasPrefix(d.Kernel, "dm-") && !strings.HasPrefix(d.Kernel, "md") {
			continue
		}
		r.unmount(ctx, d)
	}
}

// unmount unmounts a device from all its mount points.
func (r *run) unmount(ctx context.Context, d *blocktree.Device) {
	mount := d.Mount()
	e := event{Kind: "umount", Device: d.Kernel, Name: d.Name, Mount: mount}
	if slices.Contains(keepMounted(), mount) || !r.umount {
		r.say("  [SKIP]: unmount of %s (%s) mounted on %s\n", d.Name, d.Kernel, mount)
		e.Kind, e.Result = "skip", "skipping"
		r.events = append(r.events, e)
		r.skipped[d.Kernel] = true
		return
	}
	r.say("  [UMOUNT]: unmounting %s (%s) mounted on %s... ", d.Name, d.Kernel, mount)
	r.try(e, func() bool {
		ok := true
		for _, m := range slices.Backward(d.Mounts) {
			ok = r.do.Unmount(ctx, m) && ok
		}
		return ok
	}, func() string {
		if r.do.Mounted(mount) {
			r.skipped[d.Kernel] = true
			return "skipping"
		}
		return "already unmounted"
	})
}

// deactivate deactivates a device after everything that is built on it. It returns false
// if that is impossible.
func (r *run) deactivate(ctx context.Context, d *blocktree.Device) (bool, error) {
	switch {
	case d.Type == "lvm":
		return r.volume(ctx, d)
	case d.Type == "vdo":
		return r.vdoVolume(ctx, d)
	case strings.HasPrefix(d.Kernel, "dm-"):
		return r.mapped(ctx, d)
	case strings.HasPrefix(d.Kernel, "md"):
		return r.array(ctx, d)
	}
	return true, nil
}

// holders deactivates what is built on a device.
func (r *run) holders(ctx context.Context, kernel string) (bool, error) {
	tree, err := blocktree.Read(r.fs)
	if err != nil {
		return false, err
	}
	d := tree.Find(kernel)
	if d == nil {
		return true, nil
	}
	for i, h := range d.Upward() {
		if r.gone[h.Kernel] || h.Partition() || tree.Find(h.Kernel) == nil {
			continue
		}
		if r.skipped[h.Kernel] {
			return false, nil
		}
		if i == 0 {
			continue
		}
		if !r.dryRun {
			if tree, err = blocktree.Read(r.fs); err != nil {
				return false, err
			}
			if tree.Find(h.Kernel) == nil {
				continue
			}
		}
		if ok, err := r.deactivate(ctx, h); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

func (r *run) skip(d *blocktree.Device) bool {
	r.skipped[d.Kernel] = true
	return false
}

func (r *run) mapped(ctx context.Context, d *blocktree.Device) (bool, error) {
	if !r.do.HasNode("/dev/mapper/" + d.Name) {
		return true, nil
	}
	if r.skipped[d.Kernel] {
		return false, nil
	}
	if ok, err := r.holders(ctx, d.Kernel); !ok || err != nil {
		return false, err
	}
	r.say("  [DM]: deactivating %s device %s (%s)... ", d.Type, d.Name, d.Kernel)
	ok := r.try(event{Kind: "dm", Device: d.Kernel, Name: d.Name}, func() bool { return r.do.RemoveMapped(ctx, d.Name) }, skipping)
	return ok || r.skip(d), nil
}

func (r *run) array(ctx context.Context, d *blocktree.Device) (bool, error) {
	if !r.do.HasNode("/dev/" + d.Name) {
		return true, nil
	}
	if r.skipped[d.Kernel] {
		return false, nil
	}
	if ok, err := r.holders(ctx, d.Kernel); !ok || err != nil {
		return false, err
	}
	r.say("  [MD]: deactivating %s device %s... ", d.Type, d.Kernel)
	if r.mdWait && !r.dryRun {
		if action := r.do.SyncAction(d.Kernel); action != "idle" {
			r.say("%s action in progress... ", action)
			switch r.do.WaitArray(ctx, d.Kernel) {
			case 0:
				r.say("complete... ")
			case 1:
			default:
				r.say("failed to wait for %s action... ", action)
			}
		}
	}
	ok := r.try(event{Kind: "md", Device: d.Kernel, Name: d.Name}, func() bool { return r.do.StopArray(ctx, d.Kernel) }, skipping)
	return ok || r.skip(d), nil
}

func (r *run) vdoVolume(ctx context.Context, d *blocktree.Device) (bool, error) {
	if !r.do.HasNode("/dev/mapper/" + d.Name) {
		return true, nil
	}
	if r.skipped[d.Kernel] {
		return false, nil
	}
	if !r.do.HasVDO() {
		return r.skip(d), nil
	}
	if ok, err := r.holders(ctx, d.Kernel); !ok || err != nil {
		return false, err
	}
	r.say("  [VDO]: deactivating VDO volume %s... ", d.Name)
	ok := r.try(event{Kind: "vdo", Device: d.Kernel, Name: d.Name}, func() bool { return r.do.StopVDO(ctx, d.Name) }, skipping)
	return ok || r.skip(d), nil
}
