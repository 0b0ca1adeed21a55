package assemble

import (
	"testing"

	"github.com/mdkit/mdkit/engine/md"
)

// TestReread has another node write the superblocks of two members, one after the other,
// while they are read.
func TestReread(t *testing.T) {
	at := func(features md.FeatureMap, events ...uint64) (found []*FoundMember) {
		for _, e := range events {
			found = append(found, &FoundMember{Member: &md.Member{Version: md.V12, Super1: &md.Super1{FeatureMap: features, Events: e}}})
		}
		return found
	}
	for _, c := range []struct {
		name    string
		found   []*FoundMember
		writes  int // readings until the other node has written the second member
		reads   int // readings wanted
		agree   bool
		patient bool
	}{
		{name: "nobody writes", found: at(md.FeatureClustered, 7, 7), patient: true, agree: true},
		{name: "written at once", found: at(md.FeatureClustered, 8, 7), writes: 1, reads: 1, patient: true, agree: true},
		{name: "written later", found: at(md.FeatureClustered, 9, 7), writes: 5, reads: 5, patient: true, agree: true},
		{name: "never written", found: at(md.FeatureClustered, 8, 7), writes: 100, reads: rereads, patient: true},
		{name: "no time", found: at(md.FeatureClustered, 8, 7), writes: 1},
		{name: "an old member", found: at(md.FeatureClustered, 17, 7), writes: 1, patient: true},
		{name: "not shared", found: at(0, 8, 7), writes: 1, patient: true},
	} {
		reads := 0
		newest := c.found[0].Member.Events()
		got := settled(c.found, func(m *FoundMember) *FoundMember {
			if reads < c.writes || m.Member.Events() == newest {
				return m
			}
			return at(md.FeatureClustered, newest)[0]
		}, func() bool { reads++; return c.patient })
		if c.patient && reads != c.reads || !c.patient && reads > 1 {
			t.Errorf("%s: read again %d times, want %d", c.name, reads, c.reads)
		}
		if agree := got[0].Member.Events() == got[1].Member.Events(); agree != c.agree {
			t.Errorf("%s: agree: %v", c.name, agree)
		}
	}
}
