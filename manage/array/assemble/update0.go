package assemble

import (
	"crypto/rand"
	"encoding/binary"
	"strconv"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/manage/array/device"
	"github.com/mdkit/mdkit/manage/array/node"
	"github.com/mdkit/mdkit/manage/note"
)

// Super0 updates a 0.90 superblock, or converts it to version 1.0.
func (u *Updater) Super0(c *FoundMember, d *device.Device, m *md.Member, edit *md.SuperEdit, bitmap *md.Bitmap) ([]updateWrite, error) {
	s := edit.V0
	switch u.What {
	case "sparc2.2":
		moved, err := SparcMoved(s)
		if err != nil {
			return nil, u.refuse(note.In, c.Path, err)
		}
		edit.V0 = moved
		u.say.Say(note.Normal, "assemble.adjusting-superblock-for-2-2-sparc-compatibility", c.Path)
	case "super-minor":
		s.MDMinor = uint32(u.minor)
		u.say.Say(note.Chatty, "assemble.updating-superblock-with-minor-number", c.Path, u.minor)
	case "summaries":
		summarise(s)
	case "resync":
		s.State &^= md.Super0Clean
		s.RecoveryCP = 0
	case "uuid", "homehost":
		if u.What == "homehost" && u.home.Host == "" {
			return nil, errNotUnderstood
		}
		words := node.MapUUIDFromWords(*u.uuid)
		s.SetUUID0, s.SetUUID1, s.SetUUID2, s.SetUUID3 = words[0], words[1], words[2], words[3]
		if s.State&md.Super0BitmapPresent != 0 {
			return bitmapWrite(m, bitmap, s.UUID().Native(binary.NativeEndian)), nil
		}
	case "byteorder":
		s.Order = NativeByteOrder()
	case "no-bitmap":
		s.State &^= md.Super0BitmapPresent
	case "metadata":
		return nil, u.toVersion1(d, m, edit)
	case "revert-reshape":
		return nil, u.revert0(c, s)
	default:
		return nil, errNotUnderstood
	}
	return nil, nil
}

// NativeByteOrder returns this machine's byte order.
func NativeByteOrder() binary.ByteOrder {
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		return binary.LittleEndian
	}
	return binary.BigEndian
}

// SparcMoved removes the extra word that Linux 2.2 on sparc had before the event count;
// all that follows moves up.
func SparcMoved(s *md.Super0) (*md.Super0, error) {
	const at = (32 + 7) * 4 // md_p.h, MD_SB_GENERIC_CONSTANT_WORDS and the words up to the checksum
	b := s.AppendTo(nil)
	copy(b[at:], b[at+4:])
	moved, err := md.ParseSuper0(b)
	if moved == nil {
		return nil, err
	}
	return moved, nil // the checksum is recomputed when it is written
}

// summarise recounts the disks in the table. Unused places beyond the slots do not count
// as failed.
func summarise(s *md.Super0) {
	s.NrDisks, s.ActiveDisks, s.WorkingDisks, s.FailedDisks, s.SpareDisks = 0, 0, 0, 0, 0
	for i := range s.Disks {
		d := &s.Disks[i]
		switch {
		case d.Major == 0 && d.Minor == 0:
			if i >= int(s.RaidDisks) && d.Number == 0 {
				d.State = 0
			}
			continue
		case d.State&md.DiskRemoved != 0:
			continue
		}
		s.NrDisks++
		if d.State&md.DiskActive != 0 {
			s.ActiveDisks++
		}
		if d.State&md.DiskFaulty != 0 {
			s.FailedDisks++
		} else {
			s.WorkingDisks++
		}
		if d.State == 0 {
			s.SpareDisks++
		}
	}
}

// toVersion1 makes a 1.0 superblock with the same contents, one second younger so that
// it takes precedence. The old one stays where it is.
func (u *Updater) toVersion1(d *device.Device, m *md.Member, edit *md.SuperEdit) error {
	s := edit.V0
	switch {
	case s.State&md.Super0BitmapPresent != 0:
		return u.refuse("assemble.cannot-update-metadata-when-bitmap-present")
	case s.State != md.Super0Clean:
		return u.refuse("assemble.cannot-update-metadata-on-unclean-array")
	}
	off, ok := md.V10.SuperOffset(d.Size())
	if !ok {
		return u.refuse("assemble.too-small-for-md-size-sectors", m.Name, d.Size()/md.SectorSize)
	}
	n := &md.Super1{
		Magic: md.SuperMagic, MajorVersion: 1, SetUUID: s.UUID(), CTime: uint64(s.CTime) + 1,
		Level: s.Level, Layout: s.Layout, Size: uint64(s.Size) * 2, ChunkSize: s.ChunkSize / md.SectorSize,
		RaidDisks: s.RaidDisks, ResyncOffset: md.MaxSector, MaxDev: md.Super0Disks, DevNumber: s.ThisDisk.Number,
		UTime: uint64(s.UTime), SuperOffset: uint64(off) / md.SectorSize, DevRoles: make([]md.Role, md.Super0Disks),
	}
	n.SetNameString(strconv.FormatUint(uint64(s.MDMinor), 10))
	if n.DataSize = n.Size; s.Level <= 0 {
		old, _ := md.V090.SuperOffset(d.Size())
		n.DataSize = uint64(old) / md.SectorSize
	}
	if _, err := rand.Read(n.DeviceUUID[:]); err != nil {
		return err
	}
	for i := range n.DevRoles {
		n.DevRoles[i] = md.RoleSpare
		if s.Disks[i].State&(md.DiskSync|md.DiskFaulty) == md.DiskSync {
			n.DevRoles[i] = md.Role(s.Disks[i].RaidDisk)
		}
	}
	m.Version, m.Offset = md.V10, off
	edit.V0, edit.V1 = nil, n
	return nil
}

// revert0 reverses the direction of a reshape.
func (u *Updater) revert0(c *FoundMember, s *md.Super0) error {
	switch {
	case s.MinorVersion <= 90:
		return u.refuse("assemble.no-active-reshape-revert", c.Path)
	case s.DeltaDisks == 0:
		return u.refuse("assemble.can-only-revert-reshape-which-changes-number-devices", c.Path)
	}
	before := int64(s.RaidDisks) - int64(s.DeltaDisks)
	if s.Level.Parity() && Misaligned(s.ReshapePosition, int64(s.NewChunk)/md.SectorSize, before, s.Level) {
		u.say.Say(note.Always, "assemble.reshape-position-not-suitably-aligned")
		return u.refuse("assemble.try-normal-assembly-and-stop-again")
	}
	s.RaidDisks, s.DeltaDisks = uint32(before), -s.DeltaDisks
	s.NewLayout, s.Layout = s.Layout, s.NewLayout
	s.NewChunk, s.ChunkSize = s.ChunkSize, s.NewChunk
	return nil
}
