package assemble

import (
	"crypto/rand"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/manage/array/device"
	"github.com/mdkit/mdkit/manage/array/node"
	"github.com/mdkit/mdkit/manage/note"
	"github.com/mdkit/mdkit/manage/plan"
)

// Update is one change to the superblocks before an assembly, as --update names them
// (Assemble.c, load_devices; update_super in super0.c and super1.c).
type Update struct {
	What    string // the word of --update
	Nodes   int    // for "nodes"
	Cluster string // for "home-cluster"
	Forget  bool   // "revert-reshape" drops a reshape that has not begun to move data
}

// word returns the word of the update, or "" if there is none.
func (u *Update) word() string {
	if u == nil {
		return ""
	}
	return u.What
}

// ErrUpdate marks an update that the metadata does not allow. It has been reported.
var ErrUpdate = errors.New("the superblock cannot be updated so")

// errNotUnderstood marks an update that the format does not know.
var errNotUnderstood = errors.New("not understood")

// updated is what an update changes: writes by member.
type updated struct {
	writes []updateWrite
}

type updateWrite struct {
	cand int
	what string
	off  int64
	data []byte
}

// updateSteps returns the writes of the update.
func (a *assembler) updateSteps() (steps []plan.Step) {
	if a.update == nil {
		return nil
	}
	for _, w := range a.update.writes {
		steps = append(steps, a.writeStep(w.cand, w.what, w.off, w.data))
	}
	return steps
}

// planUpdate changes the superblocks in memory, so that the assembly is decided by their
// new contents.
func (a *assembler) planUpdate() error {
	if a.Update == nil {
		return nil
	}
	a.update = &updated{}
	u := &Updater{
		Update: *a.Update, home: a.Home, id: a.Identity, minor: numberOfKernel(a.node.Kernel), say: a.Report,
	}
	for j, c := range a.found {
		m, writes, err := u.member(c)
		if errors.Is(err, errNotUnderstood) {
			a.Report.Say(note.Always, "assemble.update-not-understood-for-metadata", u.What, node.FormatFamily(c.Member.Version))
		}
		if err != nil {
			return &note.Reported{Err: errors.Join(ErrUpdate, err)}
		}
		for _, w := range writes {
			w.cand = j
			a.update.writes = append(a.update.writes, w)
		}
		c.Member = m
	}
	return nil
}

// numberOfKernel returns the number in a kernel name such as md127, 0 for names without
// a number.
func numberOfKernel(name string) int {
	n, err := strconv.Atoi(strings.TrimLeft(name, "md_"))
	if err != nil {
		return 0
	}
	return n
}

// Updater updates superblocks one after the other.
type Updater struct {
	Update
	home  node.Home
	id    Identity
	minor int      // of the array's md device
	uuid  *md.UUID // the same for all members
	say   note.Reporter
}

// member returns the member as the update leaves it, and what has to be written.
func (u *Updater) member(c *FoundMember) (*md.Member, []updateWrite, error) {
	d, err := device.Open(c.Path, block.ForReading)
	if err != nil {
		return nil, nil, u.say.Fail(err, "assemble.cannot-re-read-metadata-from-aborting", c.Path)
	}
	defer d.Close()
	m := *c.Member
	edit := md.EditSuper(&m)
	bitmap, _ := m.ReadBitmap(d) // a bitmap that cannot be read counts as none
	if err := u.sharedAllows(c.Path, bitmap); err != nil {
		return nil, nil, err
	}
	if u.What == "uuid" || u.What == "homehost" {
		if err := u.newUUID(c.Member); err != nil {
			return nil, nil, err
		}
	}
	var extra []updateWrite
	if edit.V0 != nil {
		extra, err = u.Super0(c, d, &m, &edit, bitmap)
	} else {
		extra, err = u.super1(c, d, &m, edit.V1, bitmap)
	}
	if err != nil {
		return nil, nil, err
	}
	m.Super0, m.Super1 = edit.V0, edit.V1
	m.Err = nil
	writes := []updateWrite{{what: "superblock " + m.Version.String(), off: m.Offset, data: edit.Bytes()}}
	return &m, append(writes, extra...), nil
}

// newUUID determines the new uuid of all members: the requested one or a random one.
func (u *Updater) newUUID(m *md.Member) error {
	if u.uuid != nil || u.What == "homehost" && m.Super1 != nil {
		return nil
	}
	u.uuid = u.id.UUID
	if u.What == "homehost" {
		old := m.Super0.UUID()
		u.uuid = &old
	}
	if u.uuid == nil {
		u.uuid = new(md.UUID)
		if _, err := rand.Read(u.uuid[:]); err != nil {
			return fmt.Errorf("make a uuid: %w", err)
		}
	}
	if m.Super0 != nil && u.home.Host != "" && (u.What == "homehost" || u.id.UUID == nil) {
		sum := sha1.Sum([]byte(u.home.Host))
		hashed := *u.uuid
		binary.BigEndian.PutUint32(hashed[8:], binary.NativeEndian.Uint32(sum[:]))
		binary.BigEndian.PutUint32(hashed[12:], binary.NativeEndian.Uint32(sum[4:]))
		u.uuid = &hashed
	}
	return nil
}

// sharedAllows refuses updates of what a cluster shares, or does not: a bad block log, which
// would lie in the second node's bitmap and which nodes do not tell each other of; a
// reshape turned round, which another node may have taken over; and a cluster's name for a
// bitmap that has none.
func (u *Updater) sharedAllows(path string, bitmap *md.Bitmap) error {
	clustered := bitmap != nil && bitmap.Version == md.BitmapClustered
	switch {
	case clustered && (u.What == "bbl" || u.What == "revert-reshape"):
		return u.refuse("assemble.update-not-for-clustered", u.What, path)
	case u.What != "home-cluster":
		return nil
	case bitmap != nil && !clustered:
		return u.refuse("assemble.update-only-for-clustered", u.What, path)
	case clustered && u.Cluster == "":
		return u.refuse("assemble.no-cluster-name")
	}
	return nil
}

// bitmapWrite returns the writes that put the array's uuid into a bitmap's superblock: for
// a cluster into each node's, as the kernel reads all of them (md-bitmap.c,
// md_bitmap_read_sb).
func bitmapWrite(m *md.Member, b *md.Bitmap, uuid md.UUID) []updateWrite {
	off, ok := m.BitmapOffset()
	if b == nil || !ok {
		return nil
	}
	edit := *b
	edit.UUID = uuid
	var writes []updateWrite
	for i := range edit.Copies() {
		at := off + int64(i)*int64(edit.CopyLen())
		writes = append(writes, updateWrite{what: "bitmap superblock", off: at, data: edit.AppendTo(nil)})
	}
	return writes
}

// refuse reports why an update is not possible.
func (u *Updater) refuse(id note.ID, args ...any) error {
	return u.say.Fail(ErrUpdate, id, args...)
}

// layoutOf returns the raid0 layout that the update asks for.
func (u *Updater) layoutOf() (layout int32, ok bool) {
	switch u.What {
	case "layout-original":
		return 1, true
	case "layout-alternate":
		return 2, true
	case "layout-unspecified":
		return 0, true
	}
	return 0, false
}
