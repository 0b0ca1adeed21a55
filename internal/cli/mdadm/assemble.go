package mdadm

import (
	"context"
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/internal/cli/ui"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/array"
)

// assemble is --assemble of one array from the devices listed.
func (c *Command) assemble(ctx context.Context, std ui.IO) int {
	t := c.teller(std)
	req, code := c.assembleRequest(t)
	if code != 0 || req == nil {
		return c.assembled(t, nil, code)
	}
	result, err := array.Assemble(ctx, *req)
	t.failed(err)
	switch {
	case errors.Is(err, array.ErrNoMembers):
		code = 2 // nothing matched: mdadm's own code for it, which no text goes with
	case err != nil:
		code = 1
	}
	return c.assembled(t, result, code)
}

// assembleRequest turns the command line into a request. It returns nil and an
// exit code for those that are refused.
func (c *Command) assembleRequest(t *teller) (*array.AssembleRequest, int) {
	cf := c.readConf(t.std)
	refuse := func(what string) (*array.AssembleRequest, int) { return nil, c.notBuilt(t.std, what) }
	switch {
	case c.Scan:
		return refuse("--assemble --scan")
	case c.Update != "":
		return refuse("--assemble --update=" + c.Update)
	case c.Config != "":
		return refuse("--assemble --config")
	case c.BackupFile != "":
		return refuse("--assemble --backup-file")
	case c.BitmapFileOpen != "":
		return refuse("--assemble with a bitmap in a file")
	case c.Nodes != 0 || c.HomeCluster != "":
		return refuse("--assemble of clustered arrays")
	}
	minor, err := c.arrayNode(t)
	switch {
	case err != nil:
		return nil, 1
	case c.SuperMinor == superMinorDev && minor < 0:
		t.say("--super-minor=dev given, and listed device %s doesn't exist.", c.Devices[0].Name)
		return nil, 1
	case !c.superUser(t.std):
		return nil, 1
	case c.RunStop < 0:
		t.say("--no-degraded not meaningful without a --scan assembly.")
		return nil, 1
	case len(c.Devices) == 1 && c.UUID == "" && c.Name == "" && c.SuperMinor == Unset && len(cf.Arrays) == 0:
		t.say("%s not identified in config file.", c.Devices[0].Name)
		return nil, 1
	case len(c.Devices) == 1:
		return refuse("--assemble without a list of devices")
	}
	req := &array.AssembleRequest{
		Array: c.Devices[0].Name,
		Home:  c.home(cf),
		Run:   c.RunStop > 0, Force: c.Force, ReadOnly: c.ReadOnly,
		DryRun: c.DryRun, Report: t.report,
		Identity: array.Identity{Name: c.Name},
	}
	for _, d := range c.Devices[1:] {
		req.Devices = append(req.Devices, d.Name)
	}
	v, versioned, ok := formatOf(c.Shape.Metadata)
	switch {
	case !ok:
		return refuse("--assemble --metadata=" + c.Shape.Metadata)
	case versioned:
		req.Version = &v
	default:
		req.Newest1 = c.Shape.Metadata == "1" // "default" is 1.2 to mdadm, and read as such
	}
	if c.UUID != "" {
		uuid, err := md.ParseUUID(c.UUID)
		if err != nil {
			t.say("Bad uuid: %s", c.UUID)
			return nil, 2
		}
		req.Identity.UUID = &uuid
	}
	switch c.SuperMinor {
	case Unset:
	case superMinorDev:
		req.Identity.SuperMinor = &minor
	default:
		req.Identity.SuperMinor = &c.SuperMinor
	}
	return req, 0
}

// arrayNode looks at the array's node, which need not exist, and gives its
// minor number, or -1.
func (c *Command) arrayNode(t *teller) (minor int, err error) {
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

// formatOf reads --metadata as it is meant outside of --create, where "1" is
// any version of format 1.
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
	Array   string                 `json:"array,omitempty"`
	Kernel  string                 `json:"kernel_name,omitempty"`
	UUID    *md.UUID               `json:"uuid,omitempty"`
	Started bool                   `json:"started"`
	Members []array.AssembleMember `json:"members"`
}

// assembled ends the command.
func (c *Command) assembled(t *teller, r *array.AssembleResult, code int) int {
	if r == nil {
		r = &array.AssembleResult{Members: []array.AssembleMember{}}
	}
	switch {
	case c.JSON:
		doc := assembleDocument{
			change: t.change(c, "assemble", code, r.Steps),
			Array:  r.Array, Kernel: r.Kernel, Started: r.Started, Members: r.Members,
		}
		if !r.UUID.IsZero() {
			doc.UUID = &r.UUID
		}
		t.document(doc)
	case c.DryRun:
		printPlan(t.std.Out, r.Steps)
	}
	return code
}
