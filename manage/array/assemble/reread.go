package assemble

import (
	"context"
	"time"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/manage/array/node"
)

// How often, and how far apart, the superblocks of members that a cluster shares are read
// again.
const (
	rereads     = 20
	rereadPause = 50 * time.Millisecond
)

// midWrite is how many events a member can be behind because another node is in the middle
// of writing: md_update_sb writes one member after the other, and can be called again before
// all of it has been read here.
const midWrite = 2

// reread reads the superblocks again while it looks as if another node of the cluster was
// writing them: the member that it has yet to reach would be taken for an older one, and
// left out. mdadm reads them once.
func (a *assembler) reread(ctx context.Context) {
	a.found = settled(a.found, func(c *FoundMember) *FoundMember {
		if again, bad := ProbeDevice(c.Path, &c.Member.Version, false); bad == nil && SameArray(c.Member, again.Member) {
			again.Included = c.Included
			return again
		}
		return c
	}, func() bool { return node.Pause(ctx, rereadPause) })
}

// settled reads members until they agree, or it has been tried often enough, or wait says
// that there is no time left.
func settled(found []*FoundMember, read func(*FoundMember) *FoundMember, wait func() bool) []*FoundMember {
	for try := 0; try < rereads && beingWritten(found) && wait(); try++ {
		next := make([]*FoundMember, len(found))
		for i, c := range found {
			next[i] = read(c)
		}
		found = next
	}
	return found
}

// beingWritten reports whether members that a cluster shares differ by so few events that
// another node may be writing them.
func beingWritten(found []*FoundMember) bool {
	newest := uint64(0)
	for _, c := range found {
		if c.Member.Super1 == nil || c.Member.Super1.FeatureMap&md.FeatureClustered == 0 {
			return false
		}
		newest = max(newest, c.Member.Events())
	}
	for _, c := range found {
		if behind := newest - c.Member.Events(); behind > 0 && behind <= midWrite {
			return true
		}
	}
	return false
}
