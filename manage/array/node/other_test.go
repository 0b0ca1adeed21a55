package node

import (
	"os"
	"path/filepath"
	"testing"
)

// TestIsOther asks about what is surely no md device, and about nothing.
func TestIsOther(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{file: true, dir: true, os.DevNull: true, filepath.Join(dir, "none"): false} {
		if got := IsOther(path); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}
