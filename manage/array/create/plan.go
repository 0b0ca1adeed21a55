package create

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/fresh"
	blockctl "github.com/mdkit/mdkit/ioctl/block"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/array/node"
	"github.com/mdkit/mdkit/manage/note"
	"github.com/mdkit/mdkit/manage/plan"
	"github.com/mdkit/mdkit/sysfs"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// Creation is a planned array with metadata.
type Creation struct {
	plan.Plan
	Node  *node.Node
	Array fresh.NewArray

	report note.Reporter
	fs     sysfs.FS
	log    *note.KernelLog
}

// plan turns the decisions into steps.
func (c *creator) plan() (*Creation, error) {
	node, err := node.PlanNode(c.FS, node.NodeRequest{Device: c.Device, Name: c.Name, HoldUdev: true}, c.Report)
	if err != nil {
		return nil, err
	}
	num, err := node.Number()
	if err != nil {
		return nil, err
	}
	a, err := c.array(node, num.Minor)
	if err != nil {
		return nil, err
	}
	members, err := c.newMembers()
	if err != nil {
		return nil, err
	}
	if c.version == md.V090 && c.DataOffset != nil {
		return nil, c.refuse("create.data-offset-not-support-for-0-90")
	}
	var nodes *fresh.TooManyNodesError
	images, err := a.Format(members.list, c.dataOffset)
	switch {
	case errors.Is(err, fresh.ErrTooManyDevices):
		return nil, c.refuse("create.too-many-devices-requested",
			a.RaidDisks, a.WorkingDisks-a.ActiveDisks, c.maxDevices())
	case errors.Is(err, fresh.ErrBitmapChunk):
		c.sayDefault()
		return nil, c.refuse("create.given-bitmap-chunk-size-not-supported")
	case errors.As(err, &nodes):
		return nil, c.refuse("create.too-many-nodes", nodes.Most)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	c.sayDefault()
	for _, refuse := range []func() error{c.sharedEvenly, c.sameDevice} {
		if err := refuse(); err != nil {
			return nil, err
		}
	}
	made := &Creation{Node: node, Array: *a, report: c.Report, fs: c.FS, log: note.NoKernelLog()}
	made.Steps = append(made.Steps, node.Steps()...)
	made.Steps = append(made.Steps, made.mapStep(a.Version.String(), newMapUUID(a)))
	for i, d := range members.devices {
		made.Steps = append(made.Steps, writeSteps(d, images[i])...)
	}
	made.Steps = append(made.Steps, made.infoStep())
	for _, d := range members.devices {
		made.Steps = append(made.Steps, made.addStep(d.Path, d.major, d.minor))
	}
	made.Steps = append(made.Steps, made.startStep(c.ReadOnly))
	return made, nil
}

func (c *creator) sayDefault() {
	if c.defaulted {
		c.Report.Say(note.Normal, "create.defaulting-version-metadata", c.version)
	}
}

// array describes the new array to the format.
func (c *creator) array(node *node.Node, minor uint32) (*fresh.NewArray, error) {
	a := &fresh.NewArray{
		Version: c.version, Level: c.Level, Layout: c.layout,
		Chunk: uint32(max(c.chunk, 0) * 2), Size: c.size * 2, RaidDisks: c.RaidDisks,
		CTime: c.Now, Minor: minor, Clean: c.clean(), PPL: c.PPL,
		ActiveDisks: c.active, WorkingDisks: c.working,
		SpareDisks: c.SpareDisks, FailedDisks: c.missingDisks,
		RecordRAID0Layout: c.Level == md.LevelRAID0 && knowsRAID0Layout(),
	}
	var err error
	if c.UUID != nil {
		a.UUID = *c.UUID
	} else if a.UUID, err = c.newUUID(); err != nil {
		return nil, err
	}
	if c.version == md.V090 {
		if c.HomeHost != "" && c.UUID == nil {
			a.UUID = fresh.HomeHostUUID(a.UUID, c.HomeHost)
		}
	} else {
		name := c.Name
		if name == "" {
			name = nameFromPath(node.Chosen)
		}
		a.Name = fresh.NewArrayName(c.HomeHost, name)
	}
	if c.Bitmap != "" {
		a.Bitmap = &fresh.NewBitmap{
			Chunk: c.BitmapChunk, SyncSize: a.SyncSize(), Delay: c.Delay, WriteBehind: c.WriteBehind,
		}
		if c.Bitmap == clustered {
			a.Bitmap.Nodes, a.Bitmap.Cluster = c.Nodes, c.Cluster
		}
	}
	return a, nil
}

// knowsRAID0Layout reports whether the kernel has MD_FEATURE_RAID0_LAYOUT, which came with
// Linux 5.4. It then takes a raid0 without that feature for one of unknown layout.
func knowsRAID0Layout() bool {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return false
	}
	var major, minor int
	if _, err := fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &major, &minor); err != nil {
		return false
	}
	return major > 5 || major == 5 && minor >= 4
}

// nameFromPath derives an array's name from the path of its device: 0 from /dev/md0, foo
// from /dev/md_foo, home from /dev/md/home.
func nameFromPath(device string) string {
	name := path.Base(device)
	if path.Dir(device) != "/dev" {
		return name
	}
	if rest, ok := strings.CutPrefix(name, "md_"); ok && rest != "" {
		return rest
	}
	if rest, ok := strings.CutPrefix(name, "md"); ok && rest != "" && rest[0] >= '0' && rest[0] <= '9' {
		return rest
	}
	return name
}

// orderedDevices are the real devices in the order in which they are added, with what
// the format needs to know about each.
type orderedDevices struct {
	devices []createDevice
	list    []fresh.NewMember
}

// newMembers numbers the devices. The one that becomes a spare comes last.
func (c *creator) newMembers() (*orderedDevices, error) {
	o := &orderedDevices{}
	slot := 0
	put := func(number int, d createDevice) error {
		m := fresh.NewMember{
			Sectors: d.bytes / md.SectorSize, Bytes: d.bytes, Number: number, RaidDisk: slot,
			Journal: d.Journal, WriteMostly: d.WriteMostly, FailFast: d.FailFast,
			DataOffset: fresh.DefaultDataOffset, Major: d.major, Minor: d.minor,
		}
		switch {
		case d.CreateMember.DataOffset != nil:
			m.DataOffset = *d.CreateMember.DataOffset
		case c.DataOffset != nil:
			m.DataOffset = *c.DataOffset
		}
		var err error
		if m.UUID, err = c.newUUID(); err != nil {
			return err
		}
		if d.Journal {
			if m.JournalSeq, err = c.newSeq(); err != nil {
				return err
			}
		} else {
			slot++
		}
		o.devices = append(o.devices, d)
		o.list = append(o.list, m)
		return nil
	}
	for number, d := range c.devices {
		if number == c.insert || d.missing() {
			slot++
			continue
		}
		if err := put(number, d); err != nil {
			return nil, err
		}
	}
	if c.insert < len(c.devices) && !c.devices[c.insert].missing() {
		if err := put(len(c.devices), c.devices[c.insert]); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// writeSteps wipe old superblocks and write the new metadata of one device.
func writeSteps(d createDevice, image []fresh.Extent) []plan.Step {
	var steps []plan.Step
	if len(d.partitions) > 0 {
		steps = append(steps, forgetPartitions(d))
	}
	for _, e := range append(d.stale, image...) {
		steps = append(steps, plan.NewWrite(d.Path, e.What, e.Off, e.Data))
	}
	return steps
}

// forgetPartitions makes the kernel forget the partitions of a device, which is no
// longer used for them.
func forgetPartitions(d createDevice) plan.Step {
	with := func(use func(*os.File) error) error {
		f, err := blockctl.Open(d.Path, os.O_RDONLY)
		if err != nil {
			return err
		}
		return errors.Join(use(f), f.Close())
	}
	return plan.NewIoctl(d.Path, "BLKPG, forget partitions", strings.Trim(fmt.Sprint(d.partitions), "[]"),
		func() error {
			return with(func(f *os.File) error {
				for _, number := range d.partitions {
					if err := blockctl.ForgetPartition(f, number); err != nil {
						return err
					}
				}
				return nil
			})
		},
		func() error { return with(blockctl.RereadPartitions) })
}

// mapStep enters the array in mdadm's map.
func (made *Creation) mapStep(metadata string, uuid node.MapUUID) plan.Step {
	e := node.MapEntry{Name: made.Node.Kernel, Metadata: metadata, UUID: uuid, Path: made.Node.Chosen}
	return plan.NewStep(
		plan.StepInfo{Kind: plan.KindMap, Target: e.Name, What: "enter into the map", Value: e.Metadata + " " + e.Path},
		func(context.Context) error {
			e.Path = made.Node.Chosen
			return node.Map{}.Update(e)
		},
		func(context.Context) error { return node.Map{}.Remove(e.Name) })
}

// newMapUUID returns the array's uuid in the form of the map.
func newMapUUID(a *fresh.NewArray) node.MapUUID {
	if a.Version == md.V090 {
		return node.MapUUIDFromWords(a.UUID)
	}
	return node.MapUUIDFromBytes(a.UUID)
}

// ioctlStep returns a step that sends the driver a request.
func (made *Creation) ioctlStep(name, value string, do func(*mdctl.Device) error, undo func(context.Context) error) plan.Step {
	return plan.NewPatientIoctl(made.Node.Chosen, name, value,
		func(context.Context) error { return do(made.Node.Device()) }, undo)
}

// infoStep tells the driver which metadata to expect. Undoing it stops the array, which
// also undoes all that follows.
func (made *Creation) infoStep() plan.Step {
	v := made.Array.Version
	return made.ioctlStep("SET_ARRAY_INFO", "metadata "+v.String(),
		func(dev *mdctl.Device) error {
			err := dev.SetArrayInfo(&mdctl.ArrayInfo{MajorVersion: int32(v.Major), MinorVersion: int32(v.Minor)})
			if err != nil {
				return made.report.Fail(err, "create.failed-set-array-info", made.Node.Chosen, note.Errno{Err: err})
			}
			return nil
		},
		made.stop)
}

// stop stops the half-made array. The kernel may not yet have closed what the failed
// start opened.
func (made *Creation) stop(ctx context.Context) error {
	for tries := 0; ; tries++ {
		err := made.Node.Device().StopArray()
		if err == nil || errors.Is(err, mdctl.ErrNoArray) {
			return nil
		}
		if !errors.Is(err, mdctl.ErrBusy) || tries == 25 || !node.Pause(ctx, 200*time.Millisecond) {
			return err
		}
	}
}

func (made *Creation) addStep(path string, major, minor uint32) plan.Step {
	return made.ioctlStep("ADD_NEW_DISK", path,
		func(dev *mdctl.Device) error {
			err := dev.AddNewDisk(mdctl.DiskInfo{Major: int32(major), Minor: int32(minor)})
			if err == nil {
				return nil
			}
			made.report.Say(note.Always, "create.add-new-disk-for-failed", path, note.Errno{Err: err})
			if errors.Is(err, unix.EINVAL) && made.Array.Level == md.LevelRAID0 {
				made.report.Say(note.Always, "create.possibly-your-kernel-doesnt-support-raid0-layouts")
				made.report.Say(note.Always, "create.either-upgrade-or-use-layout-dangerous")
			}
			made.sayKernel()
			return &note.Reported{Err: err}
		}, nil)
}

// errRAID0Layout is the kernel's ENOTSUPP, which raid0 returns for an array
// without a layout (raid0.c, create_strip_zones).
const errRAID0Layout = unix.Errno(524)

// startStep starts the array. With the module parameter start_ro it would not resync
// before the first write, so it is made writable at once.
func (made *Creation) startStep(readOnly bool) plan.Step {
	if readOnly {
		set := sysmd.At(made.fs, made.Node.Kernel).StateTo(sysmd.ReadOnly)
		info := plan.SettingInfo(set)
		info.What = "start read-only"
		return plan.NewStep(info,
			func(context.Context) error {
				if err := set.Write(); err != nil {
					made.report.Say(note.Always, "create.failed-start-array", note.Errno{Err: err})
					made.sayKernel()
					return &note.Reported{Err: err}
				}
				return nil
			}, nil)
	}
	return made.ioctlStep("RUN_ARRAY", "",
		func(dev *mdctl.Device) error {
			err := dev.RunArray()
			if err == nil {
				_ = dev.RestartArrayReadWrite() // refused if the array is already writable
				return nil
			}
			made.report.Say(note.Always, "create.run-array-failed", note.Errno{Err: err})
			if errors.Is(err, errRAID0Layout) && made.Array.Level == md.LevelRAID0 {
				made.report.More(note.Always, "create.please-use-layout-original-or-layout-alternate")
			}
			if chunk := made.Array.Chunk; chunk&(chunk-1) != 0 {
				made.report.More(note.Always, "create.problem-may-be-that-chunk-size-not-power")
			}
			made.sayKernel()
			return &note.Reported{Err: err}
		}, nil)
}

// sayKernel reports what the kernel has logged about the array since the plan began.
func (made *Creation) sayKernel() {
	for _, line := range note.Heard(made.log, made.Node.Kernel) {
		made.report.Extra(note.Always, "create.kernel", line)
	}
}

// Run makes the array, and returns whether it did: a dry run does not. If it fails, the
// devices are as they were before, or the *PlanError says what is not.
func (made *Creation) Run(ctx context.Context, r *plan.Runner) (applied bool, err error) {
	made.log = note.ListenToKernel()
	defer made.log.Close()
	if applied, err = r.Run(ctx, &made.Plan); err != nil {
		var failed *plan.PlanError
		if errors.As(err, &failed) {
			for _, left := range failed.Left {
				made.report.Extra(note.Always, "create.not-taken-back", left.Step, left.Err)
			}
			if len(failed.Left) == 0 && note.WasReported(err) {
				made.report.Extra(note.Normal, "create.everything-as-it-was-before")
			}
		}
	}
	return applied, err
}

// Finish reports that the array has started, waits for its name to appear, and closes
// it.
func (made *Creation) Finish(ctx context.Context) error {
	made.report.Say(note.Normal, "create.array-started", made.Node.Chosen)
	node.WaitForName(ctx, made.Node.Chosen, made.report)
	announced := made.Node.HoldsUdev()
	err := made.Node.Close()
	if announced {
		return err
	}
	if d, openErr := sysmd.Open(made.fs, made.Node.Kernel); openErr == nil {
		if b, blockErr := d.Block(); blockErr == nil {
			_ = b.Announce("change") // only udev is interested in the result
		}
	}
	return err
}
