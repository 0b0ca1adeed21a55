package assemble

import (
	"errors"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/internal/cli/mdadm/mdtext"
	"github.com/mdkit/mdkit/manage/array/node"
	"github.com/mdkit/mdkit/manage/note"
)

// newMember makes the version 1.2 superblock of a member of an array with n slots, all
// of which it believes to be in use.
func newMember(name string, level md.Level, n, slot int, events uint64) *md.Member {
	s := &md.Super1{
		Magic: md.SuperMagic, MajorVersion: 1, SetUUID: md.UUID{1}, Level: level, RaidDisks: uint32(n),
		Size: 2048, ChunkSize: 128, DataOffset: 2048, SuperOffset: 8, DevNumber: uint32(slot),
		Events: events, ResyncOffset: md.MaxSector,
	}
	if level == md.LevelRAID10 {
		s.Layout = 0x102
	}
	for i := range n {
		s.DevRoles = append(s.DevRoles, md.Role(i))
	}
	return &md.Member{Name: name, Version: md.V12, Offset: 4096, Super1: s}
}

// TestSelect selects from devices of several arrays.
func TestSelect(t *testing.T) {
	on := map[string]*md.Member{
		"a": newMember("a", md.LevelRAID1, 2, 0, 9), "b": newMember("b", md.LevelRAID1, 2, 1, 9),
		"x": newMember("x", md.LevelRAID1, 2, 0, 9),
	}
	on["x"].Super1.SetUUID = md.UUID{2}
	on["x"].Super1.SetNameString("here:x")
	uuid := md.UUID{1}
	for _, tc := range []struct {
		name  string
		id    Identity
		home  node.Home
		paths string
		want  string
		said  string
	}{
		{name: "fit", paths: "a b", want: "a b"},
		{name: "no superblock", paths: "a none", said: "nothing on none; none has no superblock - assembly aborted"},
		{name: "other array", paths: "a x", said: "superblock on x doesn't match others - assembly aborted"},
		{name: "other array, of this host", home: node.Home{Host: "here"}, paths: "a x b", want: "x", said: "x overrides previous devices due to good homehost; b misses out due to wrong homehost"},
		{name: "by uuid", id: Identity{UUID: &uuid}, paths: "x none a b", want: "a b", said: "x has wrong uuid.; nothing on none"},
		{name: "by name", id: Identity{Name: "x"}, home: node.Home{Host: "here"}, paths: "a x", want: "x", said: "a has wrong name."},
		{name: "busy", paths: "a busy b", want: "a b", said: "busy is busy - skipping"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var said []string
			s := &selector{
				id: tc.id, home: tc.home, listed: true, say: func(n note.Note) { said = append(said, mdtext.Of(n.Sentence)) },
				probe: func(path string, _ *md.Version, _ bool) (*FoundMember, *probeError) {
					m := on[path]
					if path == "busy" {
						m = on["b"]
					}
					if m == nil {
						return nil, &probeError{Notes: []note.Sentence{note.Of(note.Reason, "nothing on "+path)}}
					}
					return &FoundMember{Path: path, Member: m}, nil
				},
				claim: func(path string) error {
					if path == "busy" {
						return errors.New("busy")
					}
					return nil
				},
			}
			found, err := s.run(newPool(strings.Fields(tc.paths)))
			var got []string
			for _, c := range found {
				got = append(got, c.Path)
			}
			if strings.Join(got, " ") != tc.want || (err == nil) != (tc.want != "") || strings.Join(said, "; ") != tc.said {
				t.Errorf("got %q, %v, said %q", got, err, said)
			}
		})
	}
}

func TestNameMatches(t *testing.T) {
	for _, tc := range []struct {
		home        node.Home
		found, want string
		ok          bool
	}{
		{node.Home{}, "data", "data", true},
		{node.Home{Host: "h"}, "h:data", "data", true},
		{node.Home{Host: "h"}, "other:data", "data", false},
		{node.Home{Host: "h"}, "any:data", "data", true},
		{node.Home{Ignored: true}, "other:data", "data", true},
		{node.Home{Host: "any"}, "other:data", "data", true},
		{node.Home{}, "other:data", "data", false},
		{node.Home{Host: "h"}, "h:data", "h:data", true},
	} {
		if got := tc.home.NameMatches(tc.found, tc.want); got != tc.ok {
			t.Errorf("%+v %q %q: %v", tc.home, tc.found, tc.want, got)
		}
	}
}
