package array_test

import (
	"errors"
	"testing"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/array"
)

func faultyArray(t testing.TB, layout int32) *array.Array {
	t.Helper()
	disks := makeArray(t, arraySpec{level: md.LevelFaulty, layout: layout, sizes: same(1, 200), change: func(_ int, s *md.Super1) { s.Size = 200 }})
	return mustOpen(t, devices(disks), array.Options{})
}

// TestFaultyModes does the same few requests in each mode.
func TestFaultyModes(t *testing.T) {
	const (
		r = 'r' // read of a sector
		w = 'w' // write of it
		o = 'o' // read of another
	)
	for _, c := range []struct {
		mode     string
		requests string
		fails    string // 1 for a request that fails
	}{
		{"clear", "rwrwrw", "000000"},
		{"write-transient", "rwwrw", "01000"},
		{"write-transient2", "wwwwrw", "010100"},
		{"read-transient3", "rrrwrrr", "0010001"},
		{"write-persistent", "rwrwwo", "010110"},
		{"read-persistent", "wrrwro", "011010"},
		{"read-fixable", "wrrwro", "011000"},
		{"write-all", "rwrwo", "01010"},
		{"write-persistent2", "wwrwo", "01010"},
	} {
		mode, err := md.ParseLayout(md.LevelFaulty, c.mode)
		if err != nil {
			t.Fatal(err)
		}
		a := faultyArray(t, mode)
		b, got := make([]byte, 512), ""
		for _, request := range c.requests {
			var err error
			switch request {
			case r:
				_, err = a.ReadAt(b, 60<<10)
			case w:
				_, err = a.WriteAt(b, 60<<10)
			case o:
				_, err = a.ReadAt(b, 70<<10)
			}
			switch {
			case err == nil:
				got += "0"
			case errors.Is(err, array.ErrInjected):
				got += "1"
			default:
				t.Fatal(err)
			}
		}
		if got != c.fails {
			t.Errorf("%s, requests %s: failures %s; want %s", c.mode, c.requests, got, c.fails)
		}
	}
}

func TestFaultyRefuses(t *testing.T) {
	a := faultyArray(t, md.FaultyClearErrors)
	for _, mode := range []int32{-1, 6, 29} {
		if err := a.SetFaults(mode); !errors.Is(err, array.ErrUnsupported) {
			t.Errorf("mode %d: %v; want %v", mode, err, array.ErrUnsupported)
		}
	}
	other := mustOpen(t, devices(makeArray(t, arraySpec{level: md.LevelRAID1, sizes: same(2, 100)})), array.Options{})
	if err := other.SetFaults(0); !errors.Is(err, array.ErrUnsupported) {
		t.Errorf("raid1: %v; want %v", err, array.ErrUnsupported)
	}
}

// openByMembers reads the superblocks from files, and opens the array on devs, which
// may fail.
func openByMembers(files, devs []block.Device) (*array.Array, error) {
	of := make(map[*md.Member]block.Device)
	var members []*md.Member
	for i, f := range files {
		m, err := md.ReadMember(f)
		if err != nil {
			return nil, err
		}
		of[m], members = devs[i], append(members, m)
	}
	return array.Open(md.Assess(members, md.Strict), of, array.Options{})
}

// TestMultipathFailsOver breaks one path, then the other.
func TestMultipathFailsOver(t *testing.T) {
	disks := makeArray(t, arraySpec{level: md.LevelMultipath, sizes: same(2, 200), change: func(_ int, s *md.Super1) {
		s.DevRoles, s.DeviceUUID, s.DevNumber = []md.Role{md.RoleSpare}, md.UUID{7}, 0
	}})
	one := disks[0] // both paths lead there
	path := func(script string) block.Device {
		f, err := block.NewFault(one, script)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	open := func(scripts ...string) *array.Array {
		var paths []block.Device
		for _, s := range scripts {
			paths = append(paths, path(s))
		}
		a, err := openByMembers([]block.Device{one, one}, paths)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	b := []byte{1, 2, 3}
	a := open("any 30K+64K error", "")
	if _, err := a.WriteAt(b, 50<<10); err != nil {
		t.Fatal(err)
	}
	if err := a.Sync(); err != nil {
		t.Error(err)
	}
	got := make([]byte, 3)
	if _, err := a.ReadAt(got, 50<<10); err != nil || string(got) != string(b) {
		t.Errorf("read %v, %v", got, err)
	}
	mustClose(t, a)
	// The last path is kept, because it may come back.
	a = open("any 30K+64K error", "any 30K+64K error times=1")
	if _, err := a.ReadAt(got, 50<<10); !errors.Is(err, array.ErrLost) {
		t.Errorf("with no path left: %v; want %v", err, array.ErrLost)
	}
	if _, err := a.ReadAt(got, 50<<10); err != nil {
		t.Errorf("with the last path back: %v", err)
	}
}
