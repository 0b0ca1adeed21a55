package md

// When a reshape begins, and when it ends, md writes superblocks that say so to
// all members at once. A power failure may leave some members with the new
// superblock and some with the old; they are then one update apart. No data is
// moved until the superblocks of all members tell of the beginning, nor after the
// first tells of the end. So a member with the old superblock can be read as if it
// had the new one.
//
// The kernel and mdadm do not see this: the kernel takes each member's data
// offset from its own superblock (md.c, super_1_validate).

// CaughtUp returns m as it would be if the beginning or end of a reshape, which f
// tells of, had been written to its superblock too. It returns m itself if there
// is nothing to catch up with.
func CaughtUp(f, m *Member) *Member {
	if m.Super1 == nil || f.Super1 == nil || m.Version != f.Version || m.UUID() != f.UUID() || m.Events()+1 != f.Events() {
		return m
	}
	switch begun, was := f.Reshape(), m.Reshape(); {
	case begun != nil && was == nil:
		return f.begins(m, begun)
	case begun == nil && was != nil:
		return f.ends(m, was)
	}
	return m
}

// begins returns m with the beginning of the reshape r, which f tells of.
func (f *Member) begins(m *Member, r *Reshape) *Member {
	if m.Level() != f.Level() || m.Layout() != f.Layout() || m.ChunkSectors() != f.ChunkSectors() || m.RaidDisks() != f.RaidDisks()-r.Delta {
		return m
	}
	s, from := m.Super1.Clone(), f.Super1
	s.FeatureMap |= from.FeatureMap & (FeatureReshapeActive | FeatureReshapeBackwards | FeatureNewOffset)
	s.ReshapePosition, s.NewLevel, s.NewLayout, s.NewChunk = from.ReshapePosition, from.NewLevel, from.NewLayout, from.NewChunk
	s.DeltaDisks, s.NewOffset, s.RaidDisks = from.DeltaDisks, from.NewOffset, from.RaidDisks
	return m.with(s)
}

// ends returns m with the end of the reshape r, which m still tells of.
func (f *Member) ends(m *Member, r *Reshape) *Member {
	if r.Level != f.Level() || r.Layout != f.Layout() || r.Chunk != f.ChunkSectors() || m.RaidDisks() != f.RaidDisks() {
		return m
	}
	s := m.Super1.Clone()
	s.FeatureMap &^= FeatureReshapeActive | FeatureReshapeBackwards | FeatureNewOffset
	s.Level, s.Layout, s.ChunkSize = r.Level, r.Layout, r.Chunk
	s.DataSize += s.DataOffset - r.NewDataOffset // as md_finish_reshape does
	s.DataOffset, s.NewOffset = r.NewDataOffset, 0
	s.DeltaDisks, s.ReshapePosition = 0, 0
	s.Size = f.Super1.Size
	if slot, ok := m.Role().Slot(); ok && r.Delta > 0 && slot >= m.RaidDisks()-r.Delta {
		s.FeatureMap &^= FeatureRecoveryOffset // complete from now on
		s.RecoveryOffset = 0
	}
	return m.with(s)
}

// with returns a copy of m with another superblock.
func (m *Member) with(s *Super1) *Member {
	c := *m
	c.Super1 = s
	return &c
}
