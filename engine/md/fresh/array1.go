package fresh

import (
	"fmt"

	"github.com/mdkit/mdkit/engine/md"
)

// format1 lays out a 1.x array. Like mdadm, it carries one superblock from device
// to device, so some fields keep the value of the device before.
func (a *NewArray) format1(members []NewMember, dataOffset uint64) ([][]Extent, error) {
	s, err := a.super1(members)
	if err != nil {
		return nil, err
	}
	var bitmap []byte
	var each uint64 // sectors of one bitmap
	if a.Bitmap != nil {
		off, chunk, err := bitmapGeometry(a.Version, a.Size, a.Bitmap.SyncSize, a.Bitmap.Chunk)
		if err != nil {
			return nil, err
		}
		s.BitmapOffset = off
		s.FeatureMap |= md.FeatureBitmapOffset
		super := a.bitmapSuper(s.SetUUID, chunk)
		bitmap = bitmapBytes(super, roundUp(super.Len(), 4096))
		each = uint64(len(bitmap) / md.SectorSize)
		if a.Bitmap.Nodes > 0 {
			s.FeatureMap |= md.FeatureClustered
			bitmap = BitmapCopies(super)
		}
	}
	if a.raid0NeedsLayout(members) {
		s.FeatureMap |= md.FeatureRAID0Layout
	}
	images := make([][]Extent, len(members))
	for i, m := range members {
		if err := a.place1(s, m, dataOffset, each); err != nil {
			return nil, err
		}
		if err := a.roomForCopies(s, each); err != nil {
			return nil, err
		}
		images[i] = a.extents1(s, m, bitmap)
	}
	return images, nil
}

// roomForCopies checks that the bitmaps of all nodes, each of so many sectors, end before
// the data begins; mdadm does not when it creates an array. Only metadata 1.2 is shared by
// a cluster.
func (a *NewArray) roomForCopies(s *md.Super1, each uint64) error {
	if a.Bitmap == nil || a.Bitmap.Nodes == 0 {
		return nil
	}
	first := s.SuperOffset + uint64(s.BitmapOffset)
	if most := (s.DataOffset - min(first, s.DataOffset)) / each; uint64(a.Bitmap.Nodes) > most {
		return &TooManyNodesError{Most: most}
	}
	return nil
}

// super1 makes the superblock that all members share.
func (a *NewArray) super1(members []NewMember) (*md.Super1, error) {
	spares := a.WorkingDisks - a.ActiveDisks
	if a.RaidDisks+spares > md.Super1MaxDevs {
		return nil, fmt.Errorf("%w: %d+%d > %d", ErrTooManyDevices, a.RaidDisks, spares, md.Super1MaxDevs)
	}
	s := &md.Super1{
		Magic: md.SuperMagic, MajorVersion: 1, SetUUID: a.UUID,
		CTime: uint64(a.CTime.Unix()), UTime: uint64(a.CTime.Unix()),
		Level: a.Level, Layout: a.Layout, Size: a.Size, ChunkSize: a.Chunk,
		RaidDisks: uint32(a.RaidDisks), Events: 1,
	}
	s.SetNameString(a.Name)
	if a.Clean {
		s.ResyncOffset = md.MaxSector
	}
	if a.PPL {
		s.FeatureMap |= md.FeaturePPL
	}
	roles := (int(roundUp(uint64(md.Super1Fixed+2*(a.RaidDisks+spares)), md.SectorSize)) - md.Super1Fixed) / 2
	for _, m := range members {
		roles = max(roles, m.Number+1)
		if m.Journal {
			s.FeatureMap |= md.FeatureJournal
		}
	}
	s.DevRoles = make([]md.Role, min(roles, md.Super1MaxDevs))
	for i := range s.DevRoles {
		s.DevRoles[i] = md.RoleSpare
	}
	for _, m := range members {
		switch {
		case m.Journal:
			s.DevRoles[m.Number] = md.RoleJournal
		case a.spare(m) && m.WriteMostly:
			// mdadm takes any bit but failfast in the state of a spare for a fault.
			s.DevRoles[m.Number] = md.RoleFaulty
		case !a.spare(m):
			s.DevRoles[m.Number] = md.Role(m.RaidDisk)
		}
	}
	return s, nil
}

// raid0NeedsLayout reports whether the layout of a raid0 has to be recorded: always for
// kernels that know it, for others only because its members differ in size. The comparison
// is mdadm's (super1.c, write_init_super1), which subtracts sectors from bytes and divides
// by sectors.
func (a *NewArray) raid0NeedsLayout(members []NewMember) bool {
	if a.Level != md.LevelRAID0 || a.Layout == md.LayoutRAID0Unspecified || a.Chunk == 0 {
		return false
	}
	if a.RecordRAID0Layout {
		return true
	}
	chunks := func(m NewMember) uint64 {
		size := m.Bytes
		if m.DataOffset != DefaultDataOffset {
			size -= m.DataOffset
		}
		return size / uint64(a.Chunk)
	}
	for _, m := range members {
		if chunks(m) != chunks(members[0]) {
			return true
		}
	}
	return false
}

// place1 fills in the fields that differ between devices (super1.c,
// write_init_super1). bitmap is the size of the bitmap in sectors.
func (a *NewArray) place1(s *md.Super1, m NewMember, dataOffset, bitmap uint64) error {
	if m.Sectors < md.Super1MinSize/md.SectorSize {
		return &TooSmallError{Version: a.Version, Sectors: m.Sectors, Need: md.Super1MinSize / md.SectorSize}
	}
	s.DevNumber = uint32(m.Number)
	s.DeviceUUID = m.UUID
	s.DevFlags = 0
	if m.WriteMostly {
		s.DevFlags |= md.DevWriteMostly
	}
	if m.FailFast {
		s.DevFlags |= md.DevFailFast
	}
	if !m.Journal {
		s.Events = 0
	}
	if m.DataOffset != DefaultDataOffset {
		dataOffset = m.DataOffset
	}
	space, off := BitmapSpace(a.Size), int64(8)
	switch {
	case a.Bitmap != nil:
		space, off = bitmap, int64(s.BitmapOffset)
	case a.PPL:
		space = pplArea
		if a.Version == md.V10 {
			off = -pplArea - 8
		}
		s.SetPPL(int16(off), pplArea)
	}
	byteOff, _ := a.Version.SuperOffset(int64(m.Bytes))
	s.SuperOffset = uint64(byteOff / md.SectorSize)
	if a.Version == md.V10 {
		a.placeAtEnd(s, dataOffset, space)
	} else if err := a.placeAtStart(s, m, dataOffset, uint64(off)+space); err != nil {
		return err
	}
	if a.NoBadBlocks || a.Bitmap != nil && a.Bitmap.Nodes > 0 { // nodes do not share the log
		s.BblogSize, s.BblogOffset = 0, 0
	}
	return nil
}

// placeAtEnd places data and the bad block log before a superblock at the end.
func (a *NewArray) placeAtEnd(s *md.Super1, dataOffset, space uint64) {
	space += bblogArea
	s.DataOffset = 0
	if dataOffset != DefaultDataOffset {
		s.DataOffset = dataOffset
	}
	if s.SuperOffset < a.Size+space {
		space = s.SuperOffset - a.Size
	}
	s.DataSize = s.SuperOffset - space
	if space >= bblogArea {
		s.BblogSize, s.BblogOffset = bblogArea, -bblogArea
	}
}

// placeAtStart places data and the bad block log behind a superblock at the start.
// used is where the bitmap or partial parity log ends, in sectors from the
// superblock.
func (a *NewArray) placeAtStart(s *md.Super1, m NewMember, dataOffset, used uint64) error {
	if dataOffset == DefaultDataOffset {
		dataOffset = s.SuperOffset + 16
	}
	if dataOffset > m.Sectors {
		return &TooSmallError{Version: a.Version, Sectors: m.Sectors, Need: dataOffset}
	}
	s.DataOffset = dataOffset
	s.DataSize = m.Sectors - dataOffset
	switch {
	case dataOffset >= s.SuperOffset+used+bblogArea:
		s.BblogSize, s.BblogOffset = bblogArea, int32(used)
	case dataOffset >= s.SuperOffset+16:
		s.BblogSize, s.BblogOffset = bblogArea, int32(dataOffset-bblogArea-s.SuperOffset)
	}
	return nil
}

// extents1 returns the bytes for one device.
func (a *NewArray) extents1(s *md.Super1, m NewMember, bitmap []byte) []Extent {
	super := s.AppendTo(nil)
	for len(super)%md.SectorSize != 0 {
		super = append(super, 0xff) // like the roles that mdadm has no device for
	}
	at := int64(s.SuperOffset) * md.SectorSize
	list := []Extent{{What: "superblock " + a.Version.String(), Off: at, Data: super}}
	if m.Journal {
		block := md.JournalBlock{Magic: md.JournalMagic, Version: md.JournalVersion, MetaSize: md.JournalHeaderSize, Seq: m.JournalSeq}
		list = append(list, Extent{
			What: "journal", Off: int64(s.DataOffset) * md.SectorSize, Data: block.AppendTo(nil, s.SetUUID),
		})
	}
	switch {
	case bitmap != nil:
		list = append(list, split("bitmap", at+int64(s.BitmapOffset)*md.SectorSize, bitmap)...)
	case a.PPL:
		off, _ := s.PPL()
		list = append(list, split("partial parity log", at+int64(off)*md.SectorSize, emptyPPL(s.SetUUID))...)
	}
	return list
}
