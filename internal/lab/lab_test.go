package lab

import (
	"os"
	"strings"
	"testing"
)

func TestMain(m *testing.M) { Main(m) }

func TestBoot(t *testing.T) {
	Run(t, Spec{Modules: []string{"raid456", "raid1", "brd rd_nr=4 rd_size=65536"}, Disks: []Disk{{Size: 16 << 20}}},
		Case{Name: "mdstat", Run: func(t *testing.T, g *Guest) {
			b, err := os.ReadFile("/proc/mdstat")
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s: %s", g.Release, b)
			if !strings.Contains(string(b), "[raid6]") {
				t.Error("no raid6 personality")
			}
			t.Log(g.KernelLog(t))
			t.Run("sub", func(t *testing.T) { t.Log("inner", g.Disks) })
		}},
		Case{Name: "other", Run: func(t *testing.T, g *Guest) { t.Skip("because") }},
	)
}
