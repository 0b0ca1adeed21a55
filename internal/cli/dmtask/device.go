package dmtask

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/ioctl/dm"
	"github.com/mdkit/mdkit/manage/mapper"
)

// Call is one run of a command, with the words that are left for it, of which the first
// is the device.
type Call struct {
	Name     string // of the command
	Sub      string // the word after stats
	Args     []string
	Multiple bool // several devices are shown: print each one's name
}

// First returns the first word, if there is one.
func (c Call) First() (string, bool) {
	if len(c.Args) == 0 {
		return "", false
	}
	return c.Args[0], true
}

// Device is a device as the command line names it: by name, by UUID or by
// number.
type Device struct {
	Name  string // as the user gave it; this is the name of the node
	Known string // the name in the kernel
	UUID  string // the UUID in the kernel
	Num   dm.Number
	ByNum bool

	NumText  string // the number for messages if it is not valid
	Creating bool   // it is being created: it has a number after the first step
}

// String returns the device as it was given.
func (d Device) String() string {
	if d.Name != "" {
		return d.Name
	}
	return d.Selector().String()
}

// Selector returns the device for ioctl/dm.
func (d Device) Selector() dm.Device {
	switch {
	case d.ByNum:
		return dm.ByNumber(d.Num.Major, d.Num.Minor)
	case d.UUID != "":
		return dm.ByUUID(d.UUID)
	}
	return dm.ByName(d.Known)
}

// Label returns how messages about a refused command name the device: by name, UUID and
// number, each if it is known, with the blanks of the original.
func (d Device) Label() string {
	s := d.Known + " " + d.UUID
	if d.ByNum {
		s = " "
	}
	if d.Num.Major > 0 {
		s += fmt.Sprintf("(%d:%d)", d.Num.Major, d.Num.Minor)
	}
	return s + d.NumText
}

// Devices looks up the devices that a command line names.
type Devices struct{ *Driver }

// Device determines the device that a command is for: the first word, or what --uuid or
// --major and --minor say.
func (ds *Devices) Device(c Call) (Device, error) {
	if name, ok := c.First(); ok {
		return ds.Named(name)
	}
	a := ds.Line
	switch {
	case a.Has(dmopt.UUID):
		return ds.WithUUID(a.Text[dmopt.UUID])
	case a.Has(dmopt.Major) && a.Has(dmopt.Minor):
		return ds.Numbered(a.Number[dmopt.Major], a.Number[dmopt.Minor])
	}
	return Device{}, ds.Refuse("No device specified.")
}

// DeviceAside is Device for commands whose words are not devices if an option names one.
// It returns the remaining words.
func (ds *Devices) DeviceAside(c Call) (Device, []string, error) {
	a := ds.Line
	if a.Has(dmopt.UUID) || a.Has(dmopt.Major) {
		d, err := ds.Device(Call{})
		return d, c.Args, err
	}
	d, err := ds.Device(c)
	if len(c.Args) > 0 {
		c.Args = c.Args[1:]
	}
	return d, c.Args, err
}

// Numbered looks up a device by number. As in the original, a major number that is not
// positive is refused, and a negative minor number counts as not given.
func (ds *Devices) Numbered(major, minor int) (Device, error) {
	switch {
	case minor >= 0 && major <= 0:
		_ = ds.Refuse("Missing major number for persistent device.")
		return Device{}, ds.Refuse("Couldn't create ioctl argument.")
	case minor < 0:
		return Device{NumText: ui.Choose(major > 0, fmt.Sprintf("(%d:)", major), "")}, nil
	}
	return Device{Num: dm.Number{Major: uint32(major), Minor: uint32(minor)}, ByNum: true}, nil
}

// WithUUID looks up a device by UUID.
func (ds *Devices) WithUUID(uuid string) (Device, error) {
	known, err := ds.MangleUUID(uuid)
	return Device{UUID: known}, err
}

// Named looks up a device by name, or by the path of a node.
func (ds *Devices) Named(name string) (Device, error) {
	if strings.Contains(name, "/") {
		found, err := ds.nameOfNode(name)
		return Device{Name: found, Known: found}, err
	}
	known, err := ds.MangleName(name)
	return Device{Name: name, Known: known}, err
}

// NewName is Named for a device that does not exist yet.
func (ds *Devices) NewName(name string) (Device, error) {
	if strings.Contains(name, "/") {
		return Device{}, ds.Refuse("Name \"%s\" invalid. It contains \"/\".", name)
	}
	return ds.Named(name)
}

// nameOfNode returns the name of the device whose node is at path.
func (ds *Devices) nameOfNode(path string) (string, error) {
	name, err := mapper.Nodes{Dir: ds.Folder()}.NameAt(path)
	var missing *mapper.PathError
	if !errors.As(err, &missing) {
		return name, err
	}
	if missing.Err != nil {
		_ = ds.Refuse("opendir: %s: %v", ds.Folder(), missing.Err)
	}
	return "", ds.Refuse("Device %s not found", missing.Path)
}

// All reports whether a command is for every device because none is named.
func (ds *Devices) All(c Call) bool {
	return len(c.Args) == 0 && !ds.Line.Has(dmopt.UUID) && !ds.Line.Has(dmopt.Major)
}

// Each calls one for every device that exists, and continues after a failure. If there
// is none, it says so.
func (ds *Devices) Each(ctx context.Context, c Call, one func(context.Context, Call) error) error {
	list, err := ds.AskList()
	if err != nil {
		return err
	}
	if len(list) == 0 && !ds.Line.Has(dmopt.JSON) {
		fmt.Fprintln(ds.Out, "No devices found")
	}
	return ds.Among(ctx, c, list, one)
}

// Among calls one for every device of a list.
func (ds *Devices) Among(ctx context.Context, c Call, list []dm.Entry, one func(context.Context, Call) error) error {
	var failed error
	c.Multiple = true
	for _, e := range list {
		c.Args = []string{e.Name}
		failed = errors.Join(failed, ds.Complain(one(ctx, c)))
	}
	return failed
}

// Missing returns the error for a device that does not exist, for commands where the
// original uses these words.
func (ds *Devices) Missing() error {
	return ds.Complain(&dmopt.UsageError{Lines: []string{"Device does not exist."}, Class: dm.ErrNotExist})
}
