package node

import (
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

func TestMap(t *testing.T) {
	m := Map{Dir: filepath.Join(t.TempDir(), "run")}
	if err := m.Remove("md0"); err != nil {
		t.Fatalf("remove from a map that does not exist: %v", err)
	}
	a := MapEntry{Name: "md0", Metadata: "1.2", UUID: MapUUID{0x818ca0a2, 1, 2, 0xffffffff}, Path: "/dev/md0"}
	b := MapEntry{Name: "md127", Metadata: "0.90", UUID: MapUUID{1, 2, 3, 4}, Path: "/dev/md/home"}
	for _, e := range []MapEntry{a, b} {
		if err := m.Update(e); err != nil {
			t.Fatal(err)
		}
	}
	a.Path = "/dev/md/root"
	if err := m.Update(a); err != nil {
		t.Fatal(err)
	}
	got, err := m.Read()
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(got, func(x, y MapEntry) int { return len(x.Name) - len(y.Name) })
	if want := []MapEntry{a, b}; !slices.Equal(got, want) {
		t.Fatalf("read %v, want %v", got, want)
	}
	if err := m.Remove("md0"); err != nil {
		t.Fatal(err)
	}
	if got, _ = m.Read(); !slices.Equal(got, []MapEntry{b}) {
		t.Fatalf("after removal: %v, want %v", got, b)
	}
	if left, _ := filepath.Glob(m.path("map.*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestMapConcurrentUpdates: each writer's entry must survive the others.
func TestMapConcurrentUpdates(t *testing.T) {
	m := Map{Dir: t.TempDir()}
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if err := m.Update(MapEntry{Name: "md" + string(rune('a'+i)), Metadata: "1.2", Path: "/dev/x"}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got, err := m.Read()
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 20 {
		t.Errorf("%d entries survived, want 20", len(got))
	}
}

func TestMapReadLeavesOutNonsense(t *testing.T) {
	dir := t.TempDir()
	text := "md0 1.2 1:2:3:4 /dev/md0\n\nmd1 1.2 zz:2:3:4 /dev/md1\nmd2 1.2 1:2:3 /dev/md2\nmd3 1.2 1:2:3:4\n md4 imsm/md0/0 1:2:3:4 /dev/md/x\n"
	if err := os.WriteFile(filepath.Join(dir, "map"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := Map{Dir: dir}.Read()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range got {
		names = append(names, e.Name)
	}
	if want := []string{"md4", "md0"}; !slices.Equal(names, want) {
		t.Errorf("read %v, want %v", names, want)
	}
}
