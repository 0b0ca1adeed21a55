// Package mapped times our dmsetup and our library on many mapped devices beside
// Debian's dmsetup: on one lab machine, in one go. As a test it uses few devices
// and checks only that all do the work; `make bench` sets MDKIT_BENCH_MAPPED and
// reads the times.
package mapped

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	table "github.com/mdkit/mdkit/engine/dm"
	"github.com/mdkit/mdkit/internal/cli/dmsetup"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/internal/lab"
	"github.com/mdkit/mdkit/ioctl/dm"
	"github.com/mdkit/mdkit/manage/mapper"
)

// face makes this program behave as dmsetup, so that what is timed is a process of
// its own, like its peer.
const face = "MDKIT_BENCH_FACE"

// wanted names the setting for how many devices are made.
const wanted = "MDKIT_BENCH_MAPPED"

func TestMain(m *testing.M) {
	if os.Getenv(face) != "" {
		std := ui.IO{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}
		os.Exit(dmsetup.Main(context.Background(), append([]string{"dmsetup"}, os.Args[1:]...), std))
	}
	lab.Main(m)
}

func TestMapped(t *testing.T) {
	peer := lab.Peer(t, "dmsetup")
	count := "2"
	if s := os.Getenv(wanted); s != "" {
		count = s
	}
	lab.Run(t, lab.Spec{
		Modules: []string{"dm-mod"},
		Files:   peer.Files,
		Env:     map[string]string{wanted: count},
	}, lab.Case{Name: "race", Run: func(t *testing.T, g *lab.Guest) {
		n, err := strconv.Atoi(g.Env[wanted])
		if err != nil {
			t.Fatal(err)
		}
		theirs := commands(t, n, false)
		t.Logf("measured dm.create%d.cli %.3f %.3f", n, commands(t, n, true), theirs)
		t.Logf("measured dm.create%d.library %.3f %.3f", n, library(t, n), theirs)
	}})
}

const sectors = 8

// commands makes, lists and removes n devices, with one process for each command,
// and returns how many milliseconds that took.
func commands(t *testing.T, n int, ours bool) float64 {
	t.Helper()
	run := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), "dmsetup", args...)
		if ours {
			cmd = exec.CommandContext(t.Context(), "/proc/self/exe", args...)
			cmd.Env = append(os.Environ(), face+"=1")
		}
		var said bytes.Buffer
		cmd.Stderr = &said
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("ours %t: dmsetup %v: %v\n%s", ours, args, err, said.String())
		}
		return string(out)
	}
	start := time.Now()
	for i := range n {
		run("create", fmt.Sprintf("d%d", i), "--table", fmt.Sprintf("0 %d error", sectors))
	}
	if got := strings.Count(run("ls"), "\n"); got != n {
		t.Errorf("ours %t: %d of %d devices listed", ours, got, n)
	}
	for i := range n {
		run("remove", fmt.Sprintf("d%d", i))
	}
	return float64(time.Since(start).Microseconds()) / 1000
}

// library does the same in this process.
func library(t *testing.T, n int) float64 {
	t.Helper()
	start := time.Now()
	m, err := mapper.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for i := range n {
		c, err := m.PlanCreate(mapper.CreateRequest{
			Name: fmt.Sprintf("d%d", i), Owner: mapper.DefaultOwner,
			Table: table.Table{table.NewLine(0, sectors, table.ErrorTarget{})},
		})
		if err == nil {
			err = c.Apply(t.Context(), nil)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if list, err := m.Control.List(dm.ListOptions{}); err != nil || len(list) != n {
		t.Errorf("%d of %d devices listed, %v", len(list), n, err)
	}
	for i := range n {
		name := fmt.Sprintf("d%d", i)
		if err := m.PlanRemove(dm.ByName(name), name, mapper.RemoveRequest{}).Apply(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	return float64(time.Since(start).Microseconds()) / 1000
}
