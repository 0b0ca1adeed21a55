package floorplan

import (
	"slices"
	"strings"
	"testing"
)

func TestFloor(t *testing.T) {
	for pkg, want := range map[string]int{
		"engine/block": 1, "engine/raid/asm": 1, "engine/blockade": 2, "engine/md": 2, "ioctl/md": 3, "sysfs": 3,
		"manage/array/live": 4, "internal/cli/ui": 5, "cmd/mdkit": 6, "internal/lab": 0, "commands": 0,
	} {
		if got, known := Floor(pkg); got != want || known != (want != 0) {
			t.Errorf("%s: %d, %v; want %d", pkg, got, known, want)
		}
	}
}

// TestDirect leaves out what follows from other imports.
func TestDirect(t *testing.T) {
	imports := map[string][]string{
		"a": {"b", "c", "d"},
		"b": {"c"},
		"c": {"e"},
		"d": nil,
		"e": nil,
	}
	for pkg, want := range map[string][]string{"a": {"b", "d"}, "b": {"c"}, "d": nil} {
		if got := direct(imports, pkg); !slices.Equal(got, want) {
			t.Errorf("%s: %q; want %q", pkg, got, want)
		}
	}
}

func TestDrawAndPlace(t *testing.T) {
	picture := Draw(map[string][]string{"cmd/mdkit": {"engine/md", "engine/block"}, "engine/md": {"engine/block"}, "engine/block": nil})
	for _, line := range []string{"    cmd_mdkit[\"cmd/mdkit\"]\n", "  cmd_mdkit --> engine_md\n", "  engine_md --> engine_block\n"} {
		if !strings.Contains(picture, line) {
			t.Errorf("no %q in\n%s", line, picture)
		}
	}
	if strings.Contains(picture, "cmd_mdkit --> engine_block") {
		t.Errorf("an arrow that follows from others:\n%s", picture)
	}
	page, err := Place("before\n"+begin+"old\n"+end+"after\n", picture)
	if want := "before\n" + begin + picture + end + "after\n"; err != nil || page != want {
		t.Errorf("got %v\n%s", err, page)
	}
	if _, err := Place("nothing", picture); err == nil {
		t.Error("a page without a place was taken")
	}
}
