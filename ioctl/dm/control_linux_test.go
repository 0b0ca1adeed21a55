package dm

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/internal/lab"
)

func TestMain(m *testing.M) { lab.Main(m) }

// open gives a Control and sees to it that no device is left.
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

func TestLabLife(t *testing.T) {
	lab.Run(t, lab.Spec{Modules: []string{"dm-mod", "dm-zero"}}, lab.Case{Name: "life", Run: func(t *testing.T, g *lab.Guest) {
		c := open(t)
		v, err := c.Version()
		must(t, err)
		if v.Major != 4 {
			t.Errorf("version %v", v)
		}
		info, err := c.Create("a", CreateOptions{UUID: "u-a"})
		must(t, err)
		if info.Name != "a" || info.UUID != "u-a" || info.LiveTable() || info.InactiveTable() {
			t.Errorf("created: %+v", info)
		}
		dev := ByName("a")
		info, err = c.Load(dev, []Target{line(0, 8, "zero", ""), line(8, 16, "error", "")}, LoadOptions{})
		must(t, err)
		if !info.InactiveTable() || info.LiveTable() {
			t.Errorf("loaded: %+v", info)
		}
		info, err = c.Resume(dev, ResumeOptions{})
		must(t, err)
		if !info.LiveTable() || info.InactiveTable() || info.TargetCount != 2 || !info.UeventGenerated() {
			t.Errorf("resumed: %+v", info)
		}
		_, table, err := c.TableStatus(dev, TableStatusOptions{Kind: KindTable})
		must(t, err)
		if len(table) != 2 || table[1] != line(8, 16, "error", "") {
			t.Errorf("table %v", table)
		}
		info, err = c.Suspend(dev, SuspendOptions{})
		must(t, err)
		if !info.Suspended() {
			t.Errorf("suspended: %+v", info)
		}
		_, err = c.Remove(ByUUID("u-a"), RemoveOptions{})
		must(t, err)
		if _, err = c.Status(dev, StatusOptions{}); !errors.Is(err, ErrNotExist) || !errors.Is(err, unix.ENXIO) {
			t.Errorf("gone: %v", err)
		}
	}})
}
