// Package incremental adds devices to arrays as they appear, one by one, and takes them out as
// they go.
package incremental

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/array/assemble"
	"github.com/mdkit/mdkit/manage/array/device"
	"github.com/mdkit/mdkit/manage/array/live"
	"github.com/mdkit/mdkit/manage/array/node"
	"github.com/mdkit/mdkit/manage/mdconf"
	"github.com/mdkit/mdkit/manage/note"
	"github.com/mdkit/mdkit/manage/plan"
	"github.com/mdkit/mdkit/sysfs"
	sysblock "github.com/mdkit/mdkit/sysfs/block"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// IncrementalRequest asks to add one device that has appeared to its array, and to start
// the array once that is safe.
type IncrementalRequest struct {
	Device  string
	Links   []string        // its other names, any of which DEVICE may list
	List    func() []string // the devices of the configuration
	Version *md.Version
	Newest1 bool
	Home    node.Home
	Conf    *mdconf.Config
	Run     bool // start the array as soon as it can run at all
	Export  bool // the outcome is reported in another way: say only what goes wrong
	// BackupDir is where to save the previous contents of a device that becomes a spare.
	// See plan.Backup.
	BackupDir string
	DryRun    bool
	Report    note.Reporter
}

// Started says whether an array that got a device runs; the words are those of
// MD_STARTED.
type Started string

// Outcomes.
const (
	StartedNo      Started = "no"      // too few members
	StartedUnsafe  Started = "unsafe"  // enough, but some are missing
	StartedYes     Started = "yes"     // it has been started
	StartedAlready Started = "already" // it was already running
)

// IncrementalResult says what an IncrementalRequest did, or would do.
type IncrementalResult struct {
	Array   string // the path of the array; "" if the device was not added
	Kernel  string // the kernel's name
	UUID    md.UUID
	Foreign bool // its name is not trusted
	Started Started
	Steps   []plan.StepInfo
	Code    int // mdadm's exit code
}

// Incremental carries out the request. Failures have been reported in full.
func Incremental(ctx context.Context, req IncrementalRequest) *IncrementalResult {
	i := &incremental{IncrementalRequest: req, fs: sysfs.Host, result: &IncrementalResult{Code: 1}}
	i.runner.DryRun = req.DryRun
	i.run(ctx)
	i.result.Steps = append(i.result.Steps, i.runner.Steps...)
	return i.result
}

// incremental carries out one request.
type incremental struct {
	IncrementalRequest
	runner plan.Runner
	fs     sysfs.FS
	arrays node.Map
	result *IncrementalResult

	found    *assemble.FoundMember
	member   *md.Member // the member that was found
	policies mdconf.Policies
	line     *mdconf.Array
	name     string
	trust    node.Trust

	node    *node.Node
	there   *sysmd.MdstatArray      // the array, if it has been begun
	dev     *mdctl.Device           // the existing array, open
	devices []*assemble.FoundMember // the array's members, with the new one last
	asm     *md.Assembly            // the assessment of devices
}

// fail ends the command with an exit code.
func (i *incremental) fail(code int) bool {
	i.result.Code = code
	return false
}

func (i *incremental) run(ctx context.Context) {
	if !i.identify(ctx) || !i.permitted() {
		return
	}
	release, err := i.arrays.Hold(ctx, &i.runner, i.Home, i.Conf)
	defer release()
	if err != nil {
		i.Report.Say(note.Always, "incremental.failed-get-exclusive-lock-on-mapfile")
	}
	if err := device.ClaimDevice(i.Device); err != nil {
		i.Report.Say(note.Normal, "incremental.cannot-reopen", i.Device, note.Errno{Err: err})
		return
	}
	defer func() {
		if i.node != nil {
			_ = i.node.Close()
		}
		if i.dev != nil {
			_ = i.dev.Close()
		}
	}()
	if i.choose() && i.add(ctx) {
		i.result.Array, i.result.Kernel, i.result.UUID = i.node.Chosen, i.node.Kernel, i.member.UUID()
		i.result.Foreign = i.trust == node.TrustForeign
		i.start(ctx)
	}
}

// identify finds out what is on the device.
func (i *incremental) identify(ctx context.Context) bool {
	d, err := device.Open(i.Device, block.ForReading)
	switch {
	case errors.Is(err, os.ErrNotExist):
		i.Report.Say(note.Always, "incremental.stat-failed", i.Device, note.Errno{Err: err})
		return i.fail(1)
	case err != nil && errors.Is(err, block.ErrNotDevice):
		i.Report.Say(note.Always, "incremental.not-block-device", i.Device)
		return i.fail(1)
	case err != nil:
		i.Report.Say(note.Normal, "incremental.cannot-open", i.Device, note.Errno{Err: err})
		return i.fail(1)
	}
	defer d.Close()
	if !d.IsBlockDevice() {
		i.Report.Say(note.Always, "incremental.not-block-device", i.Device)
		return i.fail(1)
	}
	if !i.listed(d) {
		i.Report.Say(note.Normal, "incremental.not-permitted-by-mdadm-conf", i.Device)
		return i.fail(1)
	}
	i.policies = node.PoliciesOf(i.Conf, d.Major, d.Minor)
	c, bad := assemble.ProbeDevice(i.Device, i.Version, i.Newest1)
	if bad == nil {
		for _, n := range c.Asides {
			i.Report.Say(note.Normal, note.Reason, n)
		}
		if c.Truncated() {
			i.Report.Say(note.Always, "assemble.not-large-enough", i.Device)
			i.Report.Say(note.Normal, "incremental.no-recognisable-superblock", i.Device)
			return i.fail(1)
		}
		i.found, i.member = c, c.Member
		return true
	}
	if i.Version == nil && !i.Newest1 {
		i.Report.Say(note.Normal, "incremental.no-recognisable-superblock", i.Device)
	} else {
		for _, n := range bad.Notes[:max(len(bad.Notes)-1, 0)] {
			i.Report.Say(note.Normal, note.Reason, n)
		}
		i.Report.Say(note.Normal, "incremental.no-raid-superblock", i.Device)
	}
	i.spare(ctx, d)
	return false
}

// listed reports whether DEVICE lines list the device, by any of its names.
func (i *incremental) listed(d *device.Device) bool {
	for _, name := range append([]string{i.Device}, i.Links...) {
		if i.Conf.Listed(name) {
			return true
		}
	}
	for _, name := range i.List() {
		if major, minor, err := device.StatDevice(name); err == nil && major == d.Major && minor == d.Minor {
			return true
		}
	}
	return false
}

// permitted checks the array against the configuration.
func (i *incremental) permitted() bool {
	line, two := i.Conf.Match(mdconf.Facts{
		UUID: i.member.UUID(), Name: i.member.SetName(), SuperMinor: i.member.SuperMinor(), Device: i.Device,
	}, func(why string) { i.Report.Say(note.VeryChatty, note.Reason, why) })
	switch {
	case two != nil && line.Device != "" && two.Device != "":
		i.Report.Say(note.Normal, "incremental.we-match-both-and-cannot-decide-which-use", line.Device, two.Device)
		return i.fail(2)
	case two != nil:
		i.Report.Say(note.Normal, "incremental.multiple-lines-mdadm-conf-match")
		return i.fail(2)
	case line != nil && line.Ignored():
		i.Report.Say(note.Normal, "incremental.array-containing-explicitly-ignored-by-mdadm-conf", i.Device)
		return i.fail(1)
	}
	i.line = line
	ours := line != nil || i.Home.Owns(i.member)
	if line == nil && !i.policies.AutoAllowed(node.FormatFamily(i.member.Version), ours) {
		i.Report.Say(note.Chatty, "incremental.has-metadata-type-for-which-auto-assembly-disabled", i.Device, node.FormatFamily(i.member.Version))
		return i.fail(1)
	}
	i.name, i.trust = assemble.TrustName(i.member, i.Home, i.Conf, line != nil)
	return true
}

// choose finds the array that has been begun, or the md device for a new one.
func (i *incremental) choose() bool {
	uuid := node.MapUUIDOf(i.member)
	stat, _ := sysmd.ReadMdstat(i.fs)
	entries, _ := i.arrays.Read()
	for _, e := range entries {
		if there := stat.Array(e.Name); e.UUID == uuid && there != nil {
			i.there = there
			i.node = node.BegunNode(i.fs, e.Name, e.Path, i.Report)
			return i.fits()
		}
	}
	if i.member.Super1 != nil && i.clustered() {
		return i.fail(1) // those are started by the cluster's own tools
	}
	device := ""
	if i.line != nil {
		device = i.line.Device
	}
	node, err := node.PlanNode(i.fs, node.NodeRequest{
		Device: device, Name: i.name, Trust: i.trust, Create: assemble.CreateOf(i.Conf), HoldUdev: true,
	}, i.Report)
	if err != nil {
		return i.fail(1)
	}
	i.node = node
	return true
}

// clustered reports whether a cluster shares the device's array. A node that runs it asks
// the others whether they see the device too (md-cluster.c, add_new_disk).
func (i *incremental) clustered() bool {
	d, err := device.Open(i.Device, block.ForReading)
	if err != nil {
		return false
	}
	defer d.Close()
	b, err := i.member.ReadBitmap(d)
	return err == nil && b != nil && b.Version == md.BitmapClustered
}

// sysfs returns the array that the device belongs to, which need not exist yet.
func (i *incremental) sysfs() *sysmd.Array { return sysmd.At(i.fs, i.node.Kernel) }

// running reports whether the array has been started.
func (i *incremental) running() bool {
	s, err := i.sysfs().State()
	return err == nil && s.Running()
}

// fits checks the device against the existing array.
func (i *incremental) fits() bool {
	if i.member.State().Sync && !i.policies.Allows(node.FormatFamily(i.member.Version), mdconf.ActionReAdd) && !i.Run && i.running() {
		i.Report.Say(note.Always, "incremental.not-adding-active-array-without-run", i.Device, i.node.Chosen)
		return i.fail(2)
	}
	if i.member.State().Sync && i.running() && i.clustered() {
		// The kernel would bring back only what this node has written meanwhile.
		i.Report.Say(note.Always, "incremental.not-back-into-cluster", i.Device, i.node.Chosen, i.node.Chosen, i.Device)
		return i.fail(2)
	}
	for _, m := range i.there.Members {
		path, err := device.NodeOf(i.fs, m.Name)
		if err != nil {
			i.Report.Say(note.Always, "incremental.unable-open", i.Device)
			return i.fail(2)
		}
		c, bad := assemble.ProbeDevice(path, &i.member.Version, false)
		if bad != nil {
			if len(i.devices) > 0 {
				continue
			}
			i.Report.Say(note.Always, "incremental.metadata-mismatch-between-and-chosen-array", i.Device, i.node.Chosen)
			return i.fail(2)
		}
		if len(i.devices) == 0 && !assemble.SameArray(i.member, c.Member) {
			i.Report.Say(note.Always, "incremental.metadata-mismatch-between-and-chosen-array", i.Device, i.node.Chosen)
			return i.fail(2)
		}
		c.Included = true
		i.devices = append(i.devices, c)
	}
	return true
}

// open opens the existing array, which others may have open too.
func (i *incremental) open() error {
	dev, err := sysblock.Open(i.fs, i.node.Kernel)
	if err != nil {
		return err
	}
	num, err := dev.Num()
	if err != nil {
		return err
	}
	i.dev, err = mdctl.OpenNumber(num.Major, num.Minor, os.O_RDONLY)
	return err
}

// array returns the open array, new or old.
func (i *incremental) array() *mdctl.Device {
	if i.dev != nil {
		return i.dev
	}
	return i.node.Device()
}

// add hands the device to the kernel.
func (i *incremental) add(ctx context.Context) bool {
	i.devices = append(i.devices, i.found)
	steps := []plan.Step{device.DropPartitions(i.Device)}
	if i.there == nil {
		steps = append(steps, i.node.Steps()...)
		steps = append(steps, i.setStep())
	} else {
		open := plan.AsideStep(func(context.Context) error {
			if err := i.open(); err != nil {
				return i.Report.Fail(err, "incremental.unable-open", i.Device)
			}
			return nil
		})
		steps = append([]plan.Step{open}, steps...)
	}
	steps = append(steps, i.addStep())
	if i.there == nil {
		steps = append(steps, i.mapStep())
	}
	if _, err := i.runner.Run(ctx, &plan.Plan{Steps: steps}); err != nil {
		if !note.WasReported(err) {
			i.Report.Say(note.Always, note.Reason, err)
		}
		return i.fail(2)
	}
	return true
}

func (i *incremental) setStep() plan.Step {
	v := i.member.Version
	return plan.NewIoctl(i.node.Chosen, "SET_ARRAY_INFO", "metadata "+v.String(),
		func() error {
			err := i.array().SetArrayInfo(&mdctl.ArrayInfo{MajorVersion: int32(v.Major), MinorVersion: int32(v.Minor)})
			if err != nil {
				return i.Report.Fail(err, "incremental.failed-set-array-info", i.node.Chosen, note.Errno{Err: err})
			}
			return nil
		},
		func() error { return i.array().StopArray() })
}

func (i *incremental) mapStep() plan.Step {
	return plan.NewStep(plan.StepInfo{Kind: plan.KindMap, Target: node.MapDir + "/map", What: i.node.Kernel, Value: i.node.Chosen},
		func(context.Context) error {
			// An array without a line in the map works as well.
			_ = i.arrays.Update(node.MapEntry{
				Name: i.node.Kernel, Metadata: i.member.Version.String(), UUID: node.MapUUIDOf(i.member), Path: i.node.Chosen,
			})
			return nil
		}, func(context.Context) error { return i.arrays.Remove(i.node.Kernel) })
}

// addStep adds the device itself. An older member with the same number is removed first;
// what the kernel takes only as a spare becomes one if the policy allows it.
func (i *incremental) addStep() plan.Step {
	disk := i.found.DiskInfo(i.member.State())
	if i.there != nil && i.clustered() {
		disk.State |= mdctl.DiskClusterAdd
	}
	value := fmt.Sprintf("%s (%s) as %d, slot %d", i.Device, live.DevNumber(&disk), disk.Number, disk.RaidDisk)
	return plan.NewIoctl(i.node.Chosen, "ADD_NEW_DISK", value, func() error {
		err := i.array().AddNewDisk(disk)
		if i.there == nil {
			if err != nil {
				return i.Report.Fail(err, "incremental.failed-add-new-array", i.Device, i.node.Chosen, note.Errno{Err: err})
			}
			return nil
		}
		if errors.Is(err, unix.EBUSY) {
			i.reject()
			err = i.array().AddNewDisk(disk)
		}
		if errors.Is(err, unix.EINVAL) && i.member.State().Sync {
			if i.policies.Allows(node.FormatFamily(i.member.Version), mdconf.ActionForceSpare) {
				disk.State &^= mdctl.DiskSync
				err = i.array().AddNewDisk(disk)
			} else {
				i.Report.Say(note.Normal, "incremental.can-only-add-as-spare-and-force-spare", i.Device, i.node.Chosen)
			}
		}
		if err != nil {
			failed := i.Report.Fail(err, "incremental.failed-add-existing-array", i.Device, i.node.Chosen, note.Errno{Err: err})
			if i.clustered() && errors.Is(err, unix.ENOENT) {
				i.Report.Extra(note.Always, "incremental.another-node-does-not-see-it", i.Device)
			}
			return failed
		}
		return nil
	}, nil)
}

// reject removes members that have the new one's number and are older.
func (i *incremental) reject() {
	if i.running() {
		return
	}
	for _, c := range i.devices[:len(i.devices)-1] {
		if c.Member.DevNumber() != i.member.DevNumber() || c.Member.Events() >= i.member.Events() {
			continue
		}
		name, err := live.KernelNameOf(c.Major, c.Minor)
		if err != nil {
			continue
		}
		if i.remove(name) == nil {
			i.Report.Say(note.Normal, "incremental.removing-old-device", name, i.node.Chosen)
		}
	}
}

// remove removes a member from an array that does not run.
func (i *incremental) remove(name string) error {
	m := i.sysfs().MemberAt(name)
	_ = m.SetSlot(sysmd.NoSlot) // the kernel refuses this for a member without a slot
	return m.Command(sysmd.Remove)
}
