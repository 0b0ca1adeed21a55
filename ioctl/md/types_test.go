package md

import "testing"

func TestStateStrings(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{ArrayState(0).String(), "-"},
		{(ArrayClean | ArrayBitmapPresent | ArrayClustered).String(), "clean,clustered,bitmap"},
		{(ArrayErrors | 1<<20).String(), "errors,0x100000"},
		{DiskState(0).String(), "-"},
		{(DiskActive | DiskSync).String(), "active,sync"},
		{(DiskFaulty | DiskWriteMostly | DiskFailFast | DiskJournal).String(), "faulty,write-mostly,failfast,journal"},
		{(DiskRemoved | DiskClusterAdd | DiskCandidate).String(), "removed,cluster-add,candidate"},
		{Level(0).String(), "raid0"},
		{Level(10).String(), "raid10"},
		{LevelLinear.String(), "linear"},
		{LevelMultipath.String(), "multipath"},
		{LevelFaulty.String(), "faulty"},
		{LevelNone.String(), "none"},
		{Level(-3).String(), "level(-3)"},
		{Version{Major: 0, Minor: 90, Patchlevel: 3}.String(), "0.90.3"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}
