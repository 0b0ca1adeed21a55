package array

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/mdconf"
	"github.com/mdkit/mdkit/sysfs"
	sysblock "github.com/mdkit/mdkit/sysfs/block"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// IncrementalRequest asks to put one device that has appeared into its array,
// and to start the array once that is safe.
type IncrementalRequest struct {
	Device  string
	Links   []string        // further names of it, any of which DEVICE may list
	List    func() []string // the devices of the configuration
	Version *md.Version
	Newest1 bool
	Home    Home
	Conf    *mdconf.Config
	Run     bool // start the array as soon as it can run at all
	Export  bool // the outcome is told in another way: say only what goes wrong
	DryRun  bool
	Report  Reporter
}

// Started says what became of an array that got a device; the words are those
// of MD_STARTED.
type Started string

// Outcomes.
const (
	StartedNo      Started = "no"      // too few members
	StartedUnsafe  Started = "unsafe"  // enough, but some are missing
	StartedYes     Started = "yes"     // it runs from now on
	StartedAlready Started = "already" // it ran before
)

// IncrementalResult tells what an IncrementalRequest did, or would do.
type IncrementalResult struct {
	Array   string // what the array is called; "" if the device was not taken
	Kernel  string // the kernel's name
	UUID    md.UUID
	Foreign bool // its name is not to be trusted
	Started Started
	Steps   []StepInfo
	Code    int // mdadm's exit code
}

// Incremental carries the request out. Everything about a failure has been
// said.
func Incremental(ctx context.Context, req IncrementalRequest) *IncrementalResult {
	i := &incremental{IncrementalRequest: req, fs: sysfs.Host, result: &IncrementalResult{Code: 1}}
	i.run(ctx)
	return i.result
}

// incremental works through one request.
type incremental struct {
	IncrementalRequest
	fs     sysfs.FS
	arrays Map
	result *IncrementalResult

	member   *md.Member
	info     memberInfo
	policies mdconf.Policies
	line     *mdconf.Array
	name     string
	trust    Trust

	node    *Node
	there   *sysmd.MdstatArray // the array, if it has been begun
	dev     *mdctl.Device      // open array
	devices []*contender       // its members, with the new one last
	count   *count
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
	if !i.DryRun {
		held, unlock, err := i.arrays.Lock()
		if err != nil {
			i.Report.say(Always, "failed to get exclusive lock on mapfile")
		} else {
			i.arrays = held
			defer unlock()
			i.arrays.ensure(i.Home, i.Conf)
		}
	}
	if err := claimDevice(i.Device); err != nil {
		i.Report.say(Normal, "cannot reopen %s: %s.", i.Device, errnoText(err))
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
		i.result.Array, i.result.Kernel, i.result.UUID = i.node.Chosen, i.node.Kernel, i.info.UUID
		i.result.Foreign = i.trust == TrustForeign
		i.start(ctx)
	}
}

// identify finds out what the device is.
func (i *incremental) identify(ctx context.Context) bool {
	d, err := openDevice(i.Device, block.ForReading)
	switch {
	case errors.Is(err, os.ErrNotExist):
		i.Report.say(Always, "stat failed for %s: %s", i.Device, errnoText(err))
		return i.fail(1)
	case err != nil && errors.Is(err, block.ErrNotDevice):
		i.Report.say(Always, "%s is not a block device.", i.Device)
		return i.fail(1)
	case err != nil:
		i.Report.say(Normal, "cannot open %s: %s.", i.Device, errnoText(err))
		return i.fail(1)
	}
	defer d.Close()
	if !d.IsBlockDevice() {
		i.Report.say(Always, "%s is not a block device.", i.Device)
		return i.fail(1)
	}
	if !i.listed(d) {
		i.Report.say(Normal, "%s not permitted by mdadm.conf.", i.Device)
		return i.fail(1)
	}
	i.policies = policiesOf(i.Conf, d.major, d.minor)
	c, bad := probeDevice(i.Device, i.Version, i.Newest1)
	if bad == nil {
		for _, n := range c.asides {
			i.Report.say(Normal, "%s", n)
		}
		i.member, i.info = c.member, infoOf(c.member)
		i.info.Major, i.info.Minor = c.major, c.minor
		return true
	}
	if i.Version == nil && !i.Newest1 {
		i.Report.say(Normal, "no recognisable superblock on %s.", i.Device)
	} else {
		for _, n := range bad.notes[:max(len(bad.notes)-1, 0)] {
			i.Report.say(Normal, "%s", n)
		}
		i.Report.say(Normal, "no RAID superblock on %s.", i.Device)
	}
	i.spare(ctx, d)
	return false
}

// listed reports whether DEVICE lines have the device, by any of its names.
func (i *incremental) listed(d *device) bool {
	for _, name := range append([]string{i.Device}, i.Links...) {
		if i.Conf.Listed(name) {
			return true
		}
	}
	for _, name := range i.List() {
		if major, minor, err := statDevice(name); err == nil && major == d.major && minor == d.minor {
			return true
		}
	}
	return false
}

// permitted holds the array against the configuration.
func (i *incremental) permitted() bool {
	line, two := i.Conf.Match(mdconf.Facts{
		UUID: i.info.UUID, Name: i.info.Name, SuperMinor: i.info.SuperMinor, Device: i.Device,
	}, func(why string) { i.Report.say(veryChatty, "%s", why) })
	switch {
	case two != nil && line.Device != "" && two.Device != "":
		i.Report.say(Normal, "we match both %s and %s - cannot decide which to use.", line.Device, two.Device)
		return i.fail(2)
	case two != nil:
		i.Report.say(Normal, "multiple lines in mdadm.conf match")
		return i.fail(2)
	case line != nil && line.Ignored():
		i.Report.say(Normal, "array containing %s is explicitly ignored by mdadm.conf", i.Device)
		return i.fail(1)
	}
	i.line = line
	ours := line != nil || i.Home.owns(i.member)
	if line == nil && !i.policies.AutoAllowed(formatFamily(i.member.Version), ours) {
		i.Report.say(Chatty, "%s has metadata type %s for which auto-assembly is disabled", i.Device, formatFamily(i.member.Version))
		return i.fail(1)
	}
	i.name, i.trust = trustName(i.member, i.Home, i.Conf, line != nil)
	return true
}

// choose finds the array that has been begun, or the device for a new one.
func (i *incremental) choose() bool {
	uuid := mapUUID(i.member)
	stat, _ := sysmd.ReadMdstat(i.fs)
	entries, _ := i.arrays.Read()
	for _, e := range entries {
		if there := stat.Array(e.Name); e.UUID == uuid && there != nil {
			i.there = there
			i.node = begunNode(i.fs, e.Name, e.Path, i.Report)
			return i.fits()
		}
	}
	if i.member.Super1 != nil && i.clustered() {
		return i.fail(1) // the cluster's own tools start those
	}
	device := ""
	if i.line != nil {
		device = i.line.Device
	}
	node, err := PlanNode(i.fs, NodeRequest{Device: device, Name: i.name, Trust: i.trust, Create: createOf(i.Conf)}, i.Report)
	if err != nil {
		return i.fail(1)
	}
	i.node = node
	return true
}

func (i *incremental) clustered() bool {
	d, err := openDevice(i.Device, block.ForReading)
	if err != nil {
		return false
	}
	defer d.Close()
	b, err := i.member.ReadBitmap(d)
	return err == nil && b != nil && b.Version == md.BitmapClustered
}

// state is the array's state in sysfs.
func (i *incremental) state() string {
	s, err := sysfs.Dir(i.fs.Sys("block", i.node.Kernel, "md")).Read("array_state")
	if err != nil {
		return "clear"
	}
	return strings.TrimSpace(s)
}

// running reports whether the array has been started.
func (i *incremental) running() bool {
	s := i.state()
	return s != "clear" && s != "inactive"
}

// fits checks the device against the array that is there.
func (i *incremental) fits() bool {
	if i.info.State.Sync && !i.policies.Allows(formatFamily(i.member.Version), mdconf.ActionReAdd) && !i.Run && i.running() {
		i.Report.say(Always, "not adding %s to active array (without --run) %s", i.Device, i.node.Chosen)
		return i.fail(2)
	}
	for _, m := range i.there.Members {
		path, err := nodeOf(i.fs, m.Name)
		if err != nil {
			i.Report.say(Always, "unable to open %s", i.Device)
			return i.fail(2)
		}
		c, bad := probeDevice(path, &i.member.Version, false)
		if bad != nil {
			if len(i.devices) > 0 {
				continue
			}
			i.Report.say(Always, "metadata mismatch between %s and chosen array %s", i.Device, i.node.Chosen)
			return i.fail(2)
		}
		if len(i.devices) == 0 && !sameArray(i.member, c.member) {
			i.Report.say(Always, "metadata mismatch between %s and chosen array %s", i.Device, i.node.Chosen)
			return i.fail(2)
		}
		c.included = true
		i.devices = append(i.devices, c)
	}
	return true
}

// open opens the array that is there, beside whoever uses it.
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

// array is the open array, new or old.
func (i *incremental) array() *mdctl.Device {
	if i.dev != nil {
		return i.dev
	}
	return i.node.Device()
}

// add hands the device to the kernel.
func (i *incremental) add(ctx context.Context) bool {
	i.devices = append(i.devices, &contender{
		path: i.Device, member: i.member, major: i.info.Major, minor: i.info.Minor,
	})
	steps := []Step{dropPartitions(i.Device)}
	if i.there == nil {
		steps = append(steps, i.node.Steps()...)
		steps = append(steps, i.setStep())
	}
	steps = append(steps, i.addStep())
	if i.there == nil {
		steps = append(steps, i.mapStep())
	}
	plan := &Plan{Steps: steps}
	if i.DryRun {
		i.result.Steps = described(plan.Describe())
		return true
	}
	if i.there != nil {
		if err := i.open(); err != nil {
			i.Report.say(Always, "unable to open %s", i.Device)
			return i.fail(2)
		}
	}
	err := plan.Apply(ctx, func(s StepInfo) { i.result.Steps = append(i.result.Steps, described([]StepInfo{s})...) })
	if err != nil {
		if !WasSaid(err) {
			i.Report.say(Always, "%v", err)
		}
		return i.fail(2)
	}
	return true
}

func (i *incremental) setStep() Step {
	v := i.member.Version
	return NewStep(StepInfo{Kind: KindIoctl, Target: i.node.Chosen, What: "SET_ARRAY_INFO", Value: "metadata " + v.String()},
		func(context.Context) error {
			err := i.array().SetArrayInfo(&mdctl.ArrayInfo{MajorVersion: int32(v.Major), MinorVersion: int32(v.Minor)})
			if err != nil {
				return i.Report.fail(err, "failed to set array info for %s: %s", i.node.Chosen, errnoText(err))
			}
			return nil
		},
		func(context.Context) error { return i.array().StopArray() })
}

func (i *incremental) mapStep() Step {
	return NewStep(StepInfo{Kind: KindMap, Target: MapDir + "/map", What: i.node.Kernel, Value: i.node.Chosen},
		func(context.Context) error {
			// An array without a line in the map is no worse an array.
			_ = i.arrays.Update(MapEntry{
				Name: i.node.Kernel, Metadata: i.member.Version.String(), UUID: mapUUID(i.member), Path: i.node.Chosen,
			})
			return nil
		}, func(context.Context) error { return i.arrays.Remove(i.node.Kernel) })
}

// addStep is the device itself. A member of its number that is older makes
// room; what the kernel takes only as a spare becomes one if the policy
// allows.
func (i *incremental) addStep() Step {
	c := candidate{memberInfo: i.info}
	disk := c.diskInfo()
	return NewStep(StepInfo{
		Kind: KindIoctl, Target: i.node.Chosen, What: "ADD_NEW_DISK",
		Value: fmt.Sprintf("%s (%s) as %d, slot %d", i.Device, devNumber(&disk), disk.Number, disk.RaidDisk),
	}, func(context.Context) error {
		err := i.array().AddNewDisk(disk)
		if i.there == nil {
			if err != nil {
				return i.Report.fail(err, "failed to add %s to new array %s: %s.", i.Device, i.node.Chosen, errnoText(err))
			}
			return nil
		}
		if errors.Is(err, unix.EBUSY) {
			i.reject()
			err = i.array().AddNewDisk(disk)
		}
		if errors.Is(err, unix.EINVAL) && i.info.State.Sync {
			if i.policies.Allows(formatFamily(i.member.Version), mdconf.ActionForceSpare) {
				disk.State &^= mdctl.DiskSync
				err = i.array().AddNewDisk(disk)
			} else {
				i.Report.say(Normal, "can only add %s to %s as a spare, and force-spare is not set.", i.Device, i.node.Chosen)
			}
		}
		if err != nil {
			return i.Report.fail(err, "failed to add %s to existing array %s: %s.", i.Device, i.node.Chosen, errnoText(err))
		}
		return nil
	}, nil)
}

// reject takes members of the new one's number out that are older than it.
func (i *incremental) reject() {
	if i.running() {
		return
	}
	for _, c := range i.devices[:len(i.devices)-1] {
		info := infoOf(c.member)
		if info.Number != i.info.Number || info.Events >= i.info.Events {
			continue
		}
		name, err := kernelNameOf(c.major, c.minor)
		if err != nil {
			continue
		}
		if i.remove(name) == nil {
			i.Report.say(Normal, "removing old device %s from %s", name, i.node.Chosen)
		}
	}
}

// remove takes a member out of an array that does not run.
func (i *incremental) remove(name string) error {
	dir := sysfs.Dir(i.fs.Sys("block", i.node.Kernel, "md", "dev-"+strings.ReplaceAll(name, "/", "!")))
	_ = dir.Write("slot", "none") // of one that has none the kernel refuses it
	return dir.Write("state", "remove")
}
