package md

import (
	"iter"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/mdkit/mdkit/sysfs"
	"github.com/mdkit/mdkit/sysfs/block"
)

// Array is one md device. It holds no open file; each method reads or writes
// its attribute again. Methods may be called from several goroutines.
type Array struct {
	fs   sysfs.FS
	name string
	dir  sysfs.Dir
}

// Open finds the array with the kernel's name, such as "md0" or "md_home". If
// there is no such array, the error matches fs.ErrNotExist. An array exists
// from the first time its device is opened, whether or not it is set up.
func Open(fs sysfs.FS, name string) (*Array, error) {
	a := At(fs, name)
	if _, err := os.Stat(string(a.dir)); err != nil {
		return nil, &sysfs.Error{Op: "find", Path: string(a.dir), Meaning: "no md array of that name", Err: err}
	}
	return a, nil
}

// At is the array with the kernel's name, whether or not it exists: a plan
// names the attributes of an array that its first steps will create.
func At(fs sysfs.FS, name string) *Array {
	return &Array{fs: fs, name: name, dir: sysfs.Dir(fs.Sys("block", name, "md"))}
}

// Names returns the kernel's names of all md devices, sorted, including those
// that are not set up.
func Names(fs sysfs.FS) ([]string, error) {
	names, err := block.Names(fs)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(names, func(name string) bool {
		_, err := os.Stat(fs.Sys("block", name, "md"))
		return err != nil
	}), nil
}

// Name returns the kernel's name, such as "md0".
func (a *Array) Name() string { return a.name }

// Dir returns the folder of attributes, for kernels that have more of them than
// this package knows.
func (a *Array) Dir() sysfs.Dir { return a.dir }

// Block returns the array as a block device: its size, number and holders.
func (a *Array) Block() (*block.Device, error) { return block.Open(a.fs, a.name) }

// Attributes returns every attribute this package knows of an array, those of
// the bitmap with their folder. No kernel and no level has all of them.
func Attributes() []Attribute { return describeAll(arrayAttrs) }

// All reads every attribute the kernel shows of the array, in the order of
// [Attributes]. It leaves out those that are absent, empty or write-only; for
// one that cannot be read or understood the value is the error.
func (a *Array) All() iter.Seq2[string, any] { return allOf(a.dir, Attributes()) }

// Members returns the devices bound to the array, including failed ones and
// spares, in the order of their names.
func (a *Array) Members() ([]*Member, error) {
	names, err := a.dir.List()
	if err != nil {
		return nil, err
	}
	return a.membersOf(names), nil
}

// MembersUnsorted returns the members in the order in which the kernel lists
// them, which is the order in which mdadm reports them (fs/kernfs/dir.c
// kernfs_fop_readdir: by a hash of the name).
func (a *Array) MembersUnsorted() ([]*Member, error) {
	f, err := os.Open(string(a.dir))
	if err != nil {
		return nil, &sysfs.Error{Op: "list", Path: string(a.dir), Err: err}
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return nil, &sysfs.Error{Op: "list", Path: string(a.dir), Err: err}
	}
	return a.membersOf(names), nil
}

func (a *Array) membersOf(names []string) []*Member {
	var members []*Member
	for _, name := range names {
		if dev, ok := strings.CutPrefix(name, "dev-"); ok {
			members = append(members, a.member(dev))
		}
	}
	return members
}

// Member finds the member with the kernel's name of its device, such as "sda1".
// If there is none, the error matches fs.ErrNotExist.
func (a *Array) Member(device string) (*Member, error) {
	m := a.MemberAt(device)
	if _, err := os.Stat(string(m.dir)); err != nil {
		return nil, &sysfs.Error{Op: "find", Path: string(m.dir), Meaning: "no such member", Err: err}
	}
	return m, nil
}

// MemberAt is the member with the kernel's name of its device, whether or not
// it exists.
func (a *Array) MemberAt(device string) *Member {
	return a.member(strings.ReplaceAll(device, "/", "!"))
}

func (a *Array) member(sysName string) *Member {
	return &Member{dir: sysfs.Dir(a.dir.Path("dev-" + sysName)), name: strings.ReplaceAll(sysName, "!", "/")}
}

// Slots returns which member is in which slot, from the links rdN, which only a
// running array has. A slot with a replacement shows the device that is being
// replaced.
func (a *Array) Slots() (map[int]*Member, error) {
	names, err := a.dir.List()
	if err != nil {
		return nil, err
	}
	slots := make(map[int]*Member)
	for _, name := range names {
		num, ok := strings.CutPrefix(name, "rd")
		if !ok {
			continue
		}
		n, err := strconv.Atoi(num)
		if err != nil {
			continue
		}
		target, err := a.dir.Link(name)
		if err != nil {
			return nil, err
		}
		if dev, ok := strings.CutPrefix(target, "dev-"); ok {
			slots[n] = a.member(dev)
		}
	}
	return slots, nil
}

// AddDevice binds a member by its number (new_dev). With native metadata the
// array takes what the device's metadata says; otherwise the member's slot,
// offset and size have to be set afterwards.
func (a *Array) AddDevice(n block.Num) error { return attrNewDev.set(a.dir, n.String()) }

func allOf(d sysfs.Dir, attrs []Attribute) iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		for _, at := range attrs {
			if at.Access&ReadOnlyAttr == 0 {
				continue
			}
			v, err := at.Read(d)
			if skippable(err) {
				continue
			}
			if err != nil {
				v = err
			}
			if !yield(at.Name, v) {
				return
			}
		}
	}
}
