package mdadm

import (
	"context"
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/internal/cli/mdadm/mdtext"
	"github.com/mdkit/mdkit/internal/cli/ui"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/array/assemble"
	"github.com/mdkit/mdkit/manage/array/node"
	"github.com/mdkit/mdkit/manage/array/reshape"
	"github.com/mdkit/mdkit/manage/mdconf"
	"github.com/mdkit/mdkit/manage/plan"
)

// assemble is --assemble: of one array from the devices listed, or of arrays that
// are in the configuration or found by scanning (mdadm.c, main).
func (c *Command) assemble(ctx context.Context, std ui.IO) int {
	t := c.messages(std)
	cf := c.readConf(std)
	req, code := c.assembleRequest(t, cf)
	switch {
	case req == nil:
		return c.assembled(t, nil, code)
	case c.Scan && len(c.Devices) == 0:
		return c.assembleScan(ctx, t, *req)
	case c.Scan || len(c.Devices) == 1 && !c.identified():
		return c.assembleListed(ctx, t, cf, *req)
	case req.Array == "": // a request without a name would take any array
		return leave(usage("an md device must be given in this mode"), std)
	}
	result, err := assemble.Assemble(ctx, *req)
	return c.assembled(t, result, assembleCode(t, err))
}

// assembleCode is the exit code for the outcome of one assembly.
func assembleCode(t *messages, err error) int {
	t.failed(err)
	switch {
	case errors.Is(err, assemble.ErrNoMembers):
		return 2 // nothing matched: mdadm has a code for this, but no text
	case err != nil:
		return 1
	}
	return 0
}

// identified reports whether the command line says which array is meant by
// more than a name in /dev.
func (c *Command) identified() bool { return c.UUID != "" || c.Name != "" || c.SuperMinor != Unset }

// assembleListed assembles the named arrays as the configuration describes them.
func (c *Command) assembleListed(ctx context.Context, t *messages, cf *mdconf.Config, req assemble.AssembleRequest) int {
	code := 0
	scan := &assemble.ScanResult{}
	for _, d := range c.Devices {
		line := cf.Array(d.Name)
		if line == nil {
			t.say("%s not identified in config file.", d.Name)
			code |= 1
			continue
		}
		one := req
		if err := one.ForLine(line); err != nil {
			t.failed(err)
			code |= 1
			continue
		}
		one.Array = d.Name
		result, err := assemble.Assemble(ctx, one)
		if result != nil {
			scan.Arrays = append(scan.Arrays, result)
		}
		code |= assembleCode(t, err)
	}
	if !c.Scan && len(scan.Arrays) == 1 {
		return c.assembled(t, scan.Arrays[0], code)
	}
	scan.Code = code
	return c.scanned(t, scan)
}

// assembleScan assembles all arrays that can be found.
func (c *Command) assembleScan(ctx context.Context, t *messages, req assemble.AssembleRequest) int {
	return c.scanned(t, assemble.AssembleScan(ctx, req))
}

// scanDocument is what --assemble --scan --json prints.
type scanDocument struct {
	change
	Arrays []assembledArray `json:"arrays"`
}

// assembledArray is one array of a document.
type assembledArray struct {
	Array   string            `json:"array,omitempty"`
	Kernel  string            `json:"kernel_name,omitempty"`
	UUID    *md.UUID          `json:"uuid,omitempty"`
	Started bool              `json:"started"`
	Members []assembledMember `json:"members"`
}

// assembledMember is a member, and if it is not in the array, the reason.
type assembledMember struct {
	assemble.AssembleMember
	Why string `json:"why,omitempty"`
}

func arrayOf(r *assemble.AssembleResult) assembledArray {
	a := assembledArray{Array: r.Array, Kernel: r.Kernel, Started: r.Started, Members: []assembledMember{}}
	for _, m := range r.Members {
		a.Members = append(a.Members, assembledMember{m, mdtext.Of(m.Why)})
	}
	if !r.UUID.IsZero() {
		a.UUID = &r.UUID
	}
	return a
}

// scanned ends a command that may have found many arrays.
func (c *Command) scanned(t *messages, r *assemble.ScanResult) int {
	var steps []plan.StepInfo
	doc := scanDocument{Arrays: []assembledArray{}}
	for _, a := range r.Arrays {
		steps = append(steps, a.Steps...)
		doc.Arrays = append(doc.Arrays, arrayOf(a))
	}
	switch {
	case c.JSON:
		doc.change = t.change(c, "assemble-scan", r.Code, steps)
		t.document(doc)
	case c.DryRun:
		printPlan(t.std.Out, steps)
	}
	return r.Code
}

// assembleRequest turns the command line into a request. For a line that is refused
// it returns nil and an exit code.
func (c *Command) assembleRequest(t *messages, cf *mdconf.Config) (*assemble.AssembleRequest, int) {
	refuse := func(what string) (*assemble.AssembleRequest, int) { return nil, c.notBuilt(t.std, what) }
	if code := c.assembleCheck(t); code != 0 {
		return nil, code
	}
	switch {
	case c.BitmapFileOpen != "":
		return refuse("--assemble with a bitmap in a file")
	}
	nodes := &node.Nodes{}
	req := &assemble.AssembleRequest{
		Home: c.home(cf), Conf: cf,
		List: func() []string { return scanDevices(cf, nodes, t.std) },
		Run:  c.RunStop > 0, NoDegraded: c.RunStop < 0, Force: c.Force, ReadOnly: c.ReadOnly,
		DryRun: c.DryRun, BackupDir: c.BackupMetadata, Report: t.report,
		Identity:   assemble.Identity{Name: c.Name},
		BackupFile: c.BackupFile, InvalidBackup: c.InvalidBackup,
		FreezeReshape:  c.FreezeReshape || inInitrd(),
		AllowOldBackup: os.Getenv("MDADM_GROW_ALLOW_OLD") == "1",
		Background:     func(next reshape.GrowRequest) error { return background(next, t.std) },
	}
	if len(c.Devices) > 0 {
		req.Array = c.Devices[0].Name
		for _, d := range c.Devices[1:] {
			req.Devices = append(req.Devices, d.Name)
		}
	}
	if c.Update != "" {
		req.Update = &assemble.Update{What: c.Update, Nodes: c.Nodes, Cluster: c.cluster(cf), Forget: c.InvalidBackup}
	}
	v, versioned, ok := formatOf(c.Shape.Metadata)
	switch {
	case c.Shape.Metadata == "0.swap":
		req.Swapped = true
	case !ok:
		return refuse("--assemble --metadata=" + c.Shape.Metadata)
	case versioned:
		req.Version = &v
	default:
		req.Newest1 = c.Shape.Metadata == "1" // "default" is 1.2 to mdadm, and read as such
	}
	return req, c.assembleIdentity(t, req)
}

// inInitrd reports whether this is the system that mounts the root of the real one, as
// systemd has it. A process that accompanies a reshape would not outlive it: udev's rules
// for arrays start another one then (mdadm-grow-continue@.service).
func inInitrd() bool {
	_, err := os.Stat("/etc/initrd-release")
	return err == nil
}

// assembleCheck refuses options that do not go together.
func (c *Command) assembleCheck(t *messages) int {
	refuse := func(format string, args ...any) int {
		t.say(format, args...)
		return 1
	}
	if len(c.Devices) > 0 && !c.Scan {
		minor, err := c.arrayNode(t)
		switch {
		case err != nil:
			return 1
		case c.SuperMinor == superMinorDev && minor < 0:
			return refuse("--super-minor=dev given, and listed device %s doesn't exist.", c.Devices[0].Name)
		case c.SuperMinor == superMinorDev:
			c.SuperMinor = minor
		}
	}
	switch {
	case !c.superUser(t.std):
		return 1
	case !c.Scan && c.RunStop < 0:
		return refuse("--no-degraded not meaningful without a --scan assembly.")
	case c.Scan && len(c.Devices) > 1 && c.Update != "":
		return refuse("can only update a single array at a time")
	case c.Scan && len(c.Devices) > 1 && c.BackupFile != "":
		return refuse("can only assemble a single array when providing a backup file.")
	case c.Scan && len(c.Devices) == 0 && c.Update != "":
		return refuse("--update not meaningful with a --scan assembly.")
	case c.Scan && len(c.Devices) == 0 && c.BackupFile != "":
		return refuse("--backup_file not meaningful with a --scan assembly.")
	}
	return 0
}

// assembleIdentity takes the options that say which array is meant.
func (c *Command) assembleIdentity(t *messages, req *assemble.AssembleRequest) int {
	if c.UUID != "" {
		uuid, err := md.ParseUUID(c.UUID)
		if err != nil {
			t.say("Bad uuid: %s", c.UUID)
			return 2
		}
		req.Identity.UUID = &uuid
	}
	if c.SuperMinor != Unset {
		req.Identity.SuperMinor = &c.SuperMinor
	}
	return 0
}

// arrayNode looks at the array's node, which need not exist, and returns its minor
// number, or -1.
func (c *Command) arrayNode(t *messages) (minor int, err error) {
	name := c.Devices[0].Name
	dev, err := mdctl.Open(name, os.O_RDONLY)
	if errors.Is(err, mdctl.ErrNotArray) {
		t.say("device %s exists but is not an md array.", name)
		return -1, err
	}
	if err != nil {
		return -1, nil
	}
	defer dev.Close()
	if _, err := dev.Version(); err != nil {
		t.say("device %s exists but is not an md array.", name)
		return -1, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(dev.File().Fd()), &st); err != nil {
		return -1, nil
	}
	return int(unix.Minor(st.Rdev)), nil
}

// formatOf reads --metadata as it is meant outside --create: "1" is any version of
// format 1.
func formatOf(word string) (v md.Version, versioned, ok bool) {
	if word == "" || word == "1" {
		return v, false, true
	}
	v, err := md.ParseVersion(word)
	return v, true, err == nil
}

// assembleDocument is what --assemble --json prints.
type assembleDocument struct {
	change
	assembledArray
}

// assembled ends the command.
func (c *Command) assembled(t *messages, r *assemble.AssembleResult, code int) int {
	if r == nil {
		r = &assemble.AssembleResult{}
	}
	switch {
	case c.JSON:
		t.document(assembleDocument{change: t.change(c, "assemble", code, r.Steps), assembledArray: arrayOf(r)})
	case c.DryRun:
		printPlan(t.std.Out, r.Steps)
	}
	return code
}
