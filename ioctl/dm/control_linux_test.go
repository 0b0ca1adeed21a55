package dm

import (
	"testing"

	"github.com/mdkit/mdkit/internal/lab"
)

func TestMain(m *testing.M) { lab.Main(m) }

// open returns a Control, and removes every device when the test ends.
func open(t *testing.T) *Control {
	t.Helper()
	c, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.RemoveAll(RemoveOptions{}); err != nil {
			t.Error(err)
		}
		if left, err := c.List(ListOptions{}); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
		c.Close()
	})
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func line(start, length uint64, typ, params string) Target {
	return Target{Start: start, Length: length, Type: typ, Params: params}
}
