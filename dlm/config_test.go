package dlm

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/mdkit/mdkit/sysfs"
)

// TestEach reads folders of which one is removed between the list and the reading, and one
// cannot be read.
func TestEach(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"1", "2", "3"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	read := func(d sysfs.Dir) (string, error) {
		name := filepath.Base(string(d))
		if name == "2" {
			if err := os.RemoveAll(string(d)); err != nil {
				t.Fatal(err)
			}
			_, err := d.Read("nodeid")
			return "", err
		}
		return name, nil
	}
	if got, err := each(sysfs.Dir(dir), read); err != nil || !slices.Equal(got, []string{"1", "3"}) {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := each(sysfs.Dir(dir), func(d sysfs.Dir) (string, error) { return d.Read("nodeid") }); err == nil {
		t.Errorf("folders without attributes: %v", got)
	}
}
