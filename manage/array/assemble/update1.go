package assemble

import (
	"bytes"
	"math"
	"strconv"
	"strings"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/fresh"
	"github.com/mdkit/mdkit/manage/array/device"
	"github.com/mdkit/mdkit/manage/note"
)

// super1 updates a 1.x superblock.
func (u *Updater) super1(c *FoundMember, d *device.Device, m *md.Member, s *md.Super1, bitmap *md.Bitmap) ([]updateWrite, error) {
	switch u.What {
	case "resync":
		s.ResyncOffset = 0
	case "uuid":
		s.SetUUID = *u.uuid
		if s.FeatureMap&md.FeatureBitmapOffset != 0 {
			return bitmapWrite(m, bitmap, s.SetUUID), nil
		}
	case "name":
		u.rename(s, u.id.Name)
	case "homehost":
		if u.home.Host == "" {
			return nil, errNotUnderstood
		}
		name := s.Name()
		if _, rest, ok := strings.Cut(name, ":"); ok {
			name = rest
		}
		u.rename(s, name)
	case "devicesize":
		if s.SuperOffset >= s.DataOffset {
			return nil, errNotUnderstood // 1.0: there is nothing after the data
		}
		s.DataSize = uint64(d.Size())/md.SectorSize - s.DataOffset
	case "no-bitmap":
		s.FeatureMap &^= md.FeatureBitmapOffset
	case "revert-reshape":
		return nil, u.revert1(c, s)
	case "home-cluster", "nodes":
		return u.cluster(m, s, bitmap)
	default:
		if layout, ok := u.layoutOf(); ok {
			return nil, u.layout1(c, s, layout)
		}
		return nil, u.logs1(c, s, bitmap)
	}
	return nil, nil
}

// rename renames the array, with the host in front of the name if both fit.
func (u *Updater) rename(s *md.Super1, name string) {
	if name == "" {
		name = strconv.Itoa(u.minor)
	}
	full := name
	if host := u.home.Host; host != "" && !strings.Contains(name, ":") && len(host)+1+len(name) < len(s.SetName) {
		full = host + ":" + name
	}
	clear(s.SetName[:])
	copy(s.SetName[:len(s.SetName)-1], full)
}

func (u *Updater) layout1(c *FoundMember, s *md.Super1, layout int32) error {
	if s.Level != md.LevelRAID0 {
		u.say.Say(note.Always, "assemble.only-supported-for-raid0", c.Path, u.What)
		return errNotUnderstood
	}
	s.Layout = layout
	s.FeatureMap |= md.FeatureRAID0Layout
	if layout == 0 {
		s.FeatureMap &^= md.FeatureRAID0Layout
	}
	return nil
}

// logs1 adds and removes bad block logs and partial parity logs.
func (u *Updater) logs1(c *FoundMember, s *md.Super1, bitmap *md.Bitmap) error {
	switch u.What {
	case "bbl":
		addBadBlockLog(s, bitmap)
	case "no-bbl":
		if s.FeatureMap&md.FeatureBadBlocks != 0 {
			u.say.Say(note.Always, "assemble.cannot-remove-active-bbl", c.Path)
			return nil
		}
		s.BblogSize, s.BblogShift, s.BblogOffset = 0, 0, 0
	case "force-no-bbl":
		s.FeatureMap &^= md.FeatureBadBlocks
		s.BblogSize, s.BblogShift, s.BblogOffset = 0, 0, 0
	case "ppl":
		return u.addPPL(s)
	case "no-ppl":
		s.FeatureMap &^= md.FeaturePPL | md.FeatureMultiplePPLs
	default:
		return errNotUnderstood
	}
	return nil
}

// addBadBlockLog makes room for a bad block log. If the superblock is before the data,
// the log goes after the bitmap or the partial parity log, at least 32 KiB after the
// superblock if there is room; otherwise it goes just before the superblock.
func addBadBlockLog(s *md.Super1, bitmap *md.Bitmap) {
	super, data := int64(s.SuperOffset), int64(s.DataOffset)
	var at, size int64
	switch {
	case s.FeatureMap&md.FeatureBitmapOffset != 0 && bitmap != nil:
		at, size = int64(s.BitmapOffset), int64(bitmap.CopyLen())/md.SectorSize
	case s.HasPPL():
		off, n := s.PPL()
		at, size = int64(off), int64(n)
	}
	if super >= data { // 1.0
		space := super - data - int64(s.DataSize)
		if size > 0 && at < 0 {
			space = -at - size
		}
		if space >= fresh.BblogSectors {
			s.BblogSize, s.BblogOffset = fresh.BblogSectors, -fresh.BblogSectors
		}
		return
	}
	off := super + 8
	if size > 0 && at > 0 {
		off = at + size
	}
	for off < super+8+64 && off+8+8 <= data {
		off += 8
	}
	if off+fresh.BblogSectors <= data {
		s.BblogSize, s.BblogOffset = fresh.BblogSectors, int32(off)
	}
}

// Sizes of partial parity logs, in sectors.
const (
	pplHeader    = 8
	pplLarge     = 2048 // room for several logs
	pplLeastData = 256
)

func (u *Updater) addPPL(s *md.Super1) error {
	switch {
	case s.FeatureMap&md.FeatureBitmapOffset != 0:
		return u.refuse("assemble.cannot-add-ppl-array-with-bitmap")
	case s.FeatureMap&md.FeatureJournal != 0:
		return u.refuse("assemble.cannot-add-ppl-array-with-journal")
	}
	bad := int64(s.BblogOffset)
	off, space := int64(8), int64(s.DataOffset)-int64(s.SuperOffset)-8
	switch {
	case s.SuperOffset >= s.DataOffset: // 1.0
		off = max(-int64(s.SuperOffset-s.DataOffset-s.DataSize), math.MinInt16)
		space = -(off - bad)
	case bad != 0:
		space = bad - 8
	}
	if space < pplHeader+8 {
		return u.refuse("assemble.not-enough-space-add-ppl")
	}
	if space >= pplLarge {
		space = pplLarge
	} else {
		space = min(space, pplHeader+max(int64(s.ChunkSize), pplLeastData), math.MaxUint16)
	}
	s.SetPPL(int16(off), uint16(space))
	s.FeatureMap |= md.FeaturePPL
	return nil
}

// revert1 reverses the direction of a reshape.
func (u *Updater) revert1(c *FoundMember, s *md.Super1) error {
	if s.FeatureMap&md.FeatureReshapeActive == 0 {
		return u.refuse("assemble.no-active-reshape-revert", c.Path)
	}
	before := int64(s.RaidDisks) - int64(s.DeltaDisks)
	backwards := s.FeatureMap&md.FeatureReshapeBackwards != 0
	if u.Forget && s.ReshapePosition == 0 && (s.DeltaDisks > 0 || s.DeltaDisks == 0 && !backwards) {
		s.FeatureMap &^= md.FeatureReshapeActive
		s.RaidDisks, s.DeltaDisks = uint32(before), 0
		return nil
	}
	if s.DeltaDisks == 0 && (s.FeatureMap&md.FeatureNewOffset == 0 || s.NewOffset == 0) {
		// On the way back nothing would back up what it overwrites.
		return u.refuse("assemble.can-only-revert-reshape-which-changes-number-devices", c.Path)
	}
	if s.Level.Parity() && Misaligned(s.ReshapePosition, int64(s.NewChunk), before, s.Level) {
		u.say.Say(note.Always, "assemble.reshape-position-not-suitably-aligned")
		return u.refuse("assemble.try-normal-assembly-and-stop-again")
	}
	s.RaidDisks = uint32(before)
	if s.DeltaDisks == 0 {
		s.FeatureMap ^= md.FeatureReshapeBackwards
	} else {
		s.DeltaDisks = -s.DeltaDisks
	}
	s.NewLayout, s.Layout = s.Layout, s.NewLayout
	s.NewChunk, s.ChunkSize = s.ChunkSize, s.NewChunk
	if s.FeatureMap&md.FeatureNewOffset != 0 {
		delta := int64(s.NewOffset)
		s.DataOffset = uint64(int64(s.DataOffset) + delta)
		s.NewOffset = -s.NewOffset
		s.DataSize = uint64(int64(s.DataSize) - delta)
	}
	return nil
}

// Misaligned reports whether the position of a reshape is not a whole number of stripes
// of the shape that it would go back to.
func Misaligned(position uint64, chunk, disks int64, level md.Level) bool {
	parity := int64(1)
	if level == md.LevelRAID6 {
		parity = 2
	}
	stripe := chunk * (disks - parity)
	return stripe <= 0 || position%uint64(stripe) != 0
}

// cluster changes the superblock of a bitmap for clusters. All bits of the first node
// are set, as the other nodes may have written anywhere.
func (u *Updater) cluster(m *md.Member, s *md.Super1, bitmap *md.Bitmap) ([]updateWrite, error) {
	off, ok := m.BitmapOffset()
	clustered := ok && bitmap != nil && bitmap.Version == md.BitmapClustered
	if u.What == "nodes" && !clustered && u.Nodes != 0 {
		u.say.Say(note.Always, "assemble.warning-nodes-option-only-suitable-for-clustered-bitmap")
	}
	if !ok || bitmap == nil {
		return nil, u.refuse("assemble.error-invalid-bitmap")
	}
	edit := *bitmap
	switch {
	case u.What == "home-cluster":
		clear(edit.ClusterName[:])
		copy(edit.ClusterName[:len(edit.ClusterName)-1], u.Cluster)
	case clustered && m.Version != md.V12:
		return nil, u.refuse("assemble.warning-cluster-md-only-works-with-superblock-1")
	case clustered:
		space := (s.DataOffset-s.SuperOffset)*md.SectorSize - 4096
		if each := edit.CopyLen(); uint32(u.Nodes) >= edit.Nodes && each*uint64(u.Nodes) > space {
			return nil, u.refuse("assemble.warning-max-num-nodes-cant-exceed", space/each)
		}
		edit.Nodes = uint32(u.Nodes)
	}
	size := edit.CopyLen()
	if s.BitmapOffset&7 != 0 {
		size = (edit.Len() + md.SectorSize - 1) &^ (md.SectorSize - 1)
	}
	// A bitmap cannot be larger than the device it is on.
	size = min(size, uint64(max(m.Size-off, 0)))
	var writes []updateWrite
	for i := range max(int(edit.Nodes), 1) {
		fill := byte(0)
		if i == 0 {
			fill = 0xff
		}
		b := edit.AppendTo(nil)
		if uint64(len(b)) < size {
			b = append(b, bytes.Repeat([]byte{fill}, int(size)-len(b))...)
		}
		writes = append(writes, updateWrite{what: "bitmap", off: off + int64(i)*int64(size), data: b})
	}
	return writes, nil
}
