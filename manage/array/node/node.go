// Package node manages the names of arrays: device nodes and links under /dev, the map
// of arrays in /run/mdadm, the host that an array belongs to, and policies.
package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/array/device"
	"github.com/mdkit/mdkit/manage/mdconf"
	"github.com/mdkit/mdkit/manage/note"
	"github.com/mdkit/mdkit/manage/plan"
	"github.com/mdkit/mdkit/sysfs"
	sysblock "github.com/mdkit/mdkit/sysfs/block"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// Trust says how far the name of an array is trusted when its device is made (mdopen.c,
// create_mddev).
type Trust int

// Levels of trust.
const (
	TrustLocal   Trust = iota // the name was given by the user, or the array belongs to this host
	TrustForeign              // the name comes from metadata of another host: avoid conflicts
)

// NodeRequest asks for the device of an array that is about to be started.
type NodeRequest struct {
	Device string // as the user gave it: "/dev/md0", "/dev/md/home", "home"; may be empty
	Name   string // the array's own name; may be empty
	Trust  Trust
	Create *mdconf.Create // owner, mode and names of nodes; nil for the defaults

	HoldUdev bool // udev is not to see the array before Close
}

// ErrBadName marks a name that an md device cannot have.
var ErrBadName = errors.New("invalid name for an md device")

// Node is the device chosen for an array. Its Steps make and open it.
type Node struct {
	Kernel string // the kernel's name, such as md0
	Chosen string // its name for people: /dev/md0 or /dev/md/home

	fs     sysfs.FS
	report note.Reporter
	given  bool // Chosen was given by the user
	begun  bool // the device exists already
	create mdconf.Create
	dev    *mdctl.Device
	holds  bool   // udev is to be held back
	hold   string // the file that does so; "" if there is none
}

// PlanNode chooses the device of an array as mdadm does. Problems with the names are
// reported.
func PlanNode(fs sysfs.FS, req NodeRequest, report note.Reporter) (*Node, error) {
	n := &Node{fs: fs, report: report, create: mdconf.Create{GID: -1}, holds: req.HoldUdev}
	if req.Create != nil {
		n.create = *req.Create
	}
	if n.create.GID < 0 {
		n.create.GID = diskGroup
	}
	if n.create.Mode == 0 {
		n.create.Mode = nodeMode
	}
	short, num, err := n.shortName(req.Device)
	if err != nil {
		return nil, err
	}
	stat, err := sysmd.ReadMdstat(fs)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	busy := func(name string) bool { return stat.Array(name) != nil }
	if num < 0 && req.Trust == TrustLocal {
		num = numberOf(req.Name)
		if num >= 0 && busy("md"+strconv.Itoa(num)) {
			num = -1
		}
	}
	if short == "" && req.Name != "" {
		short = ownName(req, stat)
	}
	switch {
	case num >= 0:
		n.Kernel = "md" + strconv.Itoa(num)
		if busy(n.Kernel) {
			report.Say(note.Always, "node.fail-create-when-using-fallback-creation-via-node",
				n.Kernel, newArrayPath)
			return nil, report.Fail(fmt.Errorf("%s: %w", req.Device, ErrArrayExists), "node.already-use", req.Device)
		}
	case n.create.Names && short != "" && !busy("md_"+short):
		n.Kernel = "md_" + short
	default:
		if n.Kernel = freeNumber(busy); n.Kernel == "" {
			return nil, report.Fail(errors.New("no free number for an md device"), "node.no-avail-md-devices-aborting")
		}
	}
	switch {
	case strings.HasPrefix(req.Device, "/"):
		n.Chosen, n.given = req.Device, true
	case short == "":
		n.Chosen = n.path()
	default:
		n.Chosen = NamesDir + "/" + short
		if !hasUdev() && n.occupied() {
			report.Say(note.Always, "node.exists-ignoring", n.Chosen)
			n.Chosen = n.path()
		}
	}
	return n, nil
}

// BegunNode returns the device of an array that exists already.
func BegunNode(fs sysfs.FS, kernel, chosen string, report note.Reporter) *Node {
	return &Node{Kernel: kernel, Chosen: chosen, fs: fs, report: report, begun: true}
}

// ErrArrayExists marks the name of an array that exists already.
var ErrArrayExists = errors.New("already in use")

// NamesDir is the folder with the names of arrays.
const NamesDir = "/dev/md"

// newArrayPath is the file that makes md devices, for messages.
var newArrayPath = sysmd.ModuleParams(sysfs.Host).NewArrayTo("").Path()

// path returns the standard node.
func (n *Node) path() string { return "/dev/" + n.Kernel }

// shortName splits the name that the user gave into what follows /dev/md/, and the
// number that it asks for, or -1.
func (n *Node) shortName(device string) (short string, num int, err error) {
	bad := func(id note.ID, args ...any) (string, int, error) {
		return "", 0, n.report.Fail(fmt.Errorf("%s: %w", device, ErrBadName), id, args...)
	}
	num = -1
	switch rest, inNames := strings.CutPrefix(device, NamesDir+"/"); {
	case device == "":
		return "", -1, nil
	case inNames:
		short = rest
	case strings.HasPrefix(device, "/dev/"):
		kind := strings.TrimRight(device[5:], "0123456789")
		digits := device[5+len(kind):]
		if digits == "" || kind != "md" && kind != "md_d" {
			return bad("node.invalid-name-for-md-device-try-dev-md", device, device[5:])
		}
		if num, err = strconv.Atoi(digits); err != nil {
			return bad("node.invalid-name-for-md-device", device)
		}
		short = strings.TrimPrefix(kind, "md")
		short = strings.TrimPrefix(short, "_") + strconv.Itoa(num)
	default:
		short = device
	}
	switch {
	case strings.Contains(short, "/"):
		return bad("node.invalid-name-for-md-device", device)
	case short == "":
		return bad("node.invalid-name-for-md-device-empty", device)
	}
	if num < 0 {
		if x, err := strconv.ParseUint(strings.TrimPrefix(short, "d"), 10, 20); err == nil {
			num = int(x)
		}
	}
	return short, num, nil
}

// numberOf returns the number that an array is named by: "3", "md3", "/dev/md/3".
func numberOf(name string) int {
	name = strings.TrimPrefix(name, "/dev/")
	name = strings.TrimPrefix(name, "md")
	name = strings.TrimPrefix(name, "/")
	x, err := strconv.ParseUint(name, 10, 20)
	if err != nil {
		return -1
	}
	return int(x)
}

// ownName turns the array's own name into a file name. A number is appended if another
// array has that name, and always if the array is foreign and the name does not include
// its host.
func ownName(req NodeRequest, stat sysmd.Mdstat) string {
	name := strings.NewReplacer("/", "-", " ", "_", "\t", "_").Replace(req.Name[:min(len(req.Name), 200)])
	entries, _ := Map{}.Read() // without a map there are no conflicts
	taken := func(name string) bool { return namedIn(entries, stat, name) }
	if (req.Trust == TrustLocal || strings.Contains(name, ":")) && !taken(name) {
		return name
	}
	for i := 0; ; i++ {
		if numbered := name + "_" + strconv.Itoa(i); !taken(numbered) {
			return numbered
		}
	}
}

// namedIn reports whether a running array has that name in /dev/md.
func namedIn(entries []MapEntry, stat sysmd.Mdstat, name string) bool {
	for _, e := range entries {
		if e.Path == NamesDir+"/"+name && stat.Array(e.Name) != nil {
			return true
		}
	}
	return false
}

// NameTaken reports whether an array that is running now has that name in /dev/md.
func NameTaken(fs sysfs.FS, arrays Map, name string) bool {
	stat, err := sysmd.ReadMdstat(fs)
	if err != nil {
		return false
	}
	entries, _ := arrays.Read()
	return namedIn(entries, stat, name)
}

// freeNumber returns the first unused name, in mdadm's order: 127 down to 0, then 511
// down to 129.
func freeNumber(busy func(string) bool) string {
	for num := 127; num != 128; num-- {
		if name := "md" + strconv.Itoa(num); !busy(name) && (hasUdev() || !hasOtherName(name)) {
			return name
		}
		if num == 0 {
			num = 512
		}
	}
	return ""
}

// IsOther reports whether path exists and is not an md device. It does not open it: for
// the node of an array that is no more, the kernel would make the array anew
// (md.c, create_on_open). mdadm 4.2 does open it.
func IsOther(path string) bool {
	major, _, err := device.StatDevice(path)
	if err != nil {
		_, err := os.Stat(path)
		return err == nil // a file, a folder
	}
	return major != mdMajor && major != partitionableMajor()
}

// mdMajor is the major number of /dev/mdN (include/uapi/linux/major.h, MD_MAJOR).
const mdMajor = 9

// partitionableMajor is the major number of /dev/md_dN, which the kernel chooses
// (lib.c, get_mdp_major); 0 if there is none.
func partitionableMajor() uint32 {
	b, _ := os.ReadFile("/proc/devices")
	_, blocks, _ := strings.Cut(string(b), "Block devices:")
	for line := range strings.Lines(blocks) {
		if w := strings.Fields(line); len(w) == 2 && w[1] == "mdp" {
			major, _ := strconv.ParseUint(w[0], 10, 32)
			return uint32(major)
		}
	}
	return 0
}

// hasOtherName reports whether the node of the device exists and is the target of a name
// in /dev/md other than its number: an array of that name was here, and may come back.
func hasOtherName(kernel string) bool {
	if _, err := os.Stat("/dev/" + kernel); err != nil {
		return false
	}
	entries, err := os.ReadDir(NamesDir)
	if err != nil {
		return false
	}
	for _, e := range entries {
		to, err := os.Readlink(NamesDir + "/" + e.Name())
		if err == nil && to == "/dev/"+kernel && "md"+e.Name() != kernel {
			return true
		}
	}
	return false
}

// Steps returns the steps that make the device known to the kernel, open it exclusively
// and, if udev does not do that, make its nodes. Device returns it afterwards.
func (n *Node) Steps() []plan.Step {
	if n.begun {
		return []plan.Step{plan.NewStep(plan.StepInfo{Kind: plan.KindDevice, Target: n.Chosen, What: "open for exclusive use"},
			n.open, func(context.Context) error { return n.Close() })}
	}
	steps := []plan.Step{plan.NewStep(plan.StepInfo{Kind: plan.KindDevice, Target: n.Kernel, What: "create the device"}, n.ask, nil)}
	if hasUdev() {
		if n.holds {
			steps = append([]plan.Step{n.holdStep()}, steps...)
		}
	} else {
		steps = append(steps, n.nodeStep())
		if n.Chosen != n.path() {
			steps = append(steps, n.linkStep())
		}
	}
	return append(steps, plan.NewStep(plan.StepInfo{Kind: plan.KindDevice, Target: n.Chosen, What: "open for exclusive use"},
		n.open, func(context.Context) error {
			// The kernel keeps the device of an array that was never set up until it is
			// stopped.
			if n.dev != nil {
				_ = n.dev.StopArray()
			}
			return n.Close()
		}))
}

// Device returns the open device once the steps have run, nil before.
func (n *Node) Device() *mdctl.Device { return n.dev }

// Close closes the device, and lets udev at it if it was held back; the array remains.
func (n *Node) Close() error {
	defer n.letUdev() // what udev then mounts must not find it busy
	if n.dev == nil {
		return nil
	}
	err := n.dev.Close()
	n.dev = nil
	return err
}

// hasUdev reports whether udev manages /dev (lib.c, use_udev).
func hasUdev() bool {
	if os.Getenv("MDADM_NO_UDEV") == "1" {
		return false
	}
	for _, path := range []string{"/dev/.udev", "/run/udev"} {
		if _, err := os.Stat(path); err == nil {
			return true
		}
	}
	return false
}

// ask asks the md module for the device. If that does not work, opening its node may
// still create it.
func (n *Node) ask(ctx context.Context) error {
	params := sysmd.ModuleParams(n.fs)
	err := params.NewArray(n.Kernel)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, sysfs.ErrNotSupported) {
		if device.LoadModule(ctx, "md_mod") == nil {
			err = params.NewArray(n.Kernel)
		}
	}
	if err != nil {
		n.report.Say(note.Always, "node.fail-create-when-using-fallback-creation-via-node", n.Kernel, newArrayPath)
	}
	return nil
}

// Number returns the device's number, from the kernel or, for numbered arrays, from the
// name.
func (n *Node) Number() (sysblock.Num, error) {
	if d, err := sysblock.Open(n.fs, n.Kernel); err == nil {
		return d.Num()
	}
	const mdMajor = 9 // include/uapi/linux/major.h, MD_MAJOR
	minor, err := strconv.ParseUint(strings.TrimPrefix(n.Kernel, "md"), 10, 20)
	if err != nil {
		return sysblock.Num{}, fmt.Errorf("%s: the kernel has no such device", n.Kernel)
	}
	return sysblock.Num{Major: mdMajor, Minor: uint32(minor)}, nil
}

// Nodes belong to root and the group disk, as Debian's mdadm makes them.
const (
	nodeMode  = 0o660
	diskGroup = 6
)

func (n *Node) nodeStep() plan.Step {
	made := false
	return plan.NewStep(plan.StepInfo{Kind: plan.KindMknod, Target: n.path(), What: "device node", Value: fmt.Sprintf("mode %#o, group %d", n.create.Mode, n.create.GID)},
		func(context.Context) error {
			num, err := n.Number()
			if err != nil {
				return err
			}
			dev := unix.Mkdev(num.Major, num.Minor)
			var st unix.Stat_t
			switch err := unix.Lstat(n.path(), &st); {
			case err == nil && (st.Mode&unix.S_IFMT != unix.S_IFBLK || st.Rdev != dev):
				err := fmt.Errorf("%s is not the node of device %v", n.path(), num)
				return n.report.Fail(err, "node.exists-but-looks-wrong-please-fix", n.path())
			case err == nil:
				return nil
			}
			if err := unix.Mknod(n.path(), unix.S_IFBLK|0o600, int(dev)); err != nil {
				return n.report.Fail(err, "node.failed-create", n.path())
			}
			made = true
			return errors.Join(os.Chown(n.path(), n.create.UID, n.create.GID), os.Chmod(n.path(), n.create.Mode))
		},
		func(context.Context) error {
			if !made {
				return nil
			}
			return plan.RemoveIfThere(n.path())
		})
}

// linkStep makes the name in /dev/md. A name that the user gave replaces an existing
// one; others do not.
func (n *Node) linkStep() plan.Step {
	made, madeDir := false, false
	return plan.NewStep(plan.StepInfo{Kind: plan.KindSymlink, Target: n.Chosen, What: "name", Value: n.path()},
		func(context.Context) error {
			if err := os.Mkdir(NamesDir, 0o700); err == nil {
				madeDir = true
				if err := errors.Join(os.Chown(NamesDir, n.create.UID, n.create.GID),
					os.Chmod(NamesDir, n.create.Mode|n.create.Mode>>2&0o111)); err != nil {
					return err
				}
			}
			if n.given {
				if err := plan.RemoveIfThere(n.Chosen); err != nil {
					return err
				}
			}
			if _, err := os.Lstat(n.Chosen); err == nil {
				if n.occupied() { // it has appeared since
					n.report.Say(note.Always, "node.exists-ignoring", n.Chosen)
					n.Chosen = n.path()
				}
				return nil
			}
			if err := os.Symlink(n.path(), n.Chosen); err != nil {
				n.report.Say(note.Always, "node.failed-create-2", n.Chosen, note.Errno{Err: err})
				return nil
			}
			made = true
			return nil
		},
		func(context.Context) error {
			var err error
			if made {
				err = plan.RemoveIfThere(n.Chosen)
			}
			if madeDir {
				err = errors.Join(err, plan.RemoveIfThere(NamesDir))
			}
			return err
		})
}

// occupied reports whether the name exists and points to another device.
func (n *Node) occupied() bool {
	if _, err := os.Lstat(n.Chosen); err != nil {
		return false
	}
	to, err := os.Readlink(n.Chosen)
	return err != nil || to != n.path()
}

// open opens the device exclusively. Programs that only look at it may have it open for
// a moment.
func (n *Node) open(ctx context.Context) error {
	num, err := n.Number()
	if err != nil {
		return err
	}
	for tries, delay := 0, time.Millisecond; ; tries, delay = tries+1, min(2*delay, 200*time.Millisecond) {
		n.dev, err = mdctl.OpenNumber(num.Major, num.Minor, os.O_RDWR|unix.O_EXCL)
		if err == nil {
			return nil
		}
		if !errors.Is(err, mdctl.ErrBusy) || tries == 25 || !Pause(ctx, delay) {
			return n.report.Fail(err, "node.unexpected-failure-opening", n.path())
		}
	}
}

// Pause waits, and returns false if ctx ended meanwhile.
func Pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// WaitForName waits until the name of an array exists (util.c, wait_for).
func WaitForName(ctx context.Context, path string, report note.Reporter) {
	for delay, tries := time.Millisecond, 0; tries < 25; delay, tries = min(2*delay, 200*time.Millisecond), tries+1 {
		if fi, err := os.Stat(path); err == nil && fi.Mode()&os.ModeDevice != 0 {
			return
		}
		if !Pause(ctx, delay) {
			return
		}
	}
	report.Say(note.Always, "node.timeout-waiting", path)
}
