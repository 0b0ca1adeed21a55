package blkdeactivate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/internal/lab"
)

// story builds stacks of devices and takes them down: first with the script, then with
// our program.
type story struct {
	name  string
	build []string // command lines; "hold PATH" opens a device, "mount DEV DIR" mounts it
	lines []string // arguments of blkdeactivate
}

const (
	linear = "dmsetup create NAME --table '0 8192 linear BELOW 0'"
	array  = "mdadm --create /dev/md0 --run --assume-clean --level=1 --raid-devices=2 --metadata=1.2 DISK1 DISK2"
)

// on makes a linear device on top of another.
func on(name, below string) string {
	return strings.NewReplacer("NAME", name, "BELOW", below).Replace(linear)
}

func stories() []story {
	two := []string{on("low", "DISK0"), on("high", "/dev/mapper/low")}
	return []story{
		{"help", nil, []string{"-h", "--help", "-e -h -u"}},
		{"nothing", nil, []string{"", "-u", "-e", "/dev/nosuch", "/etc", "-d", "-d nonsense,retry", "-l x,retry", "-m y", "-r wait,z", "-o w,configfile=/x", "-d retry -l wholevg -u /dev/nosuch"}},
		{"two", two, []string{"", ""}},
		{"one device", two, []string{"/dev/mapper/high", "/dev/mapper/low", "/dev/mapper/low"}},
		{"holders", two, []string{"/dev/mapper/low"}},
		{"disk", two, []string{"DISK0", ""}},
		{"several", append(two, on("other", "DISK1")), []string{"/dev/mapper/other /dev/mapper/nosuch /dev/mapper/low", "/dev/mapper/low /dev/mapper/high"}},
		{"options", two, []string{"-d retry /dev/mapper/high", "-d retry,force -u"}},
		{"busy top", append(two, "hold /dev/mapper/high"), []string{"", "/dev/mapper/low", "/dev/mapper/high"}},
		{"busy side", append(two, on("side", "/dev/mapper/low"), "hold /dev/mapper/side"), []string{"", "/dev/mapper/low"}},
		{"array", []string{array}, []string{"/dev/md0", ""}},
		{"array below", []string{array, on("top", "/dev/md0")}, []string{"-r wait", ""}},
		{"array alone", []string{array, on("top", "/dev/md0")}, []string{"/dev/md0"}},
		{"array in use", []string{array, on("top", "/dev/md0"), "hold /dev/mapper/top"}, []string{"", "-u /dev/md0"}},
		{"mounted", append(two, "mke2fs -q -F /dev/mapper/high", "mount /dev/mapper/high /tmp/m1"), []string{"", "/dev/mapper/low", "-u /dev/mapper/low"}},
		{"mounted all", append(two, "mke2fs -q -F /dev/mapper/high", "mount /dev/mapper/high /tmp/m1"), []string{"-u"}},
		{"mounted busy", append(two, "mke2fs -q -F /dev/mapper/high", "mount /dev/mapper/high /tmp/m1", "hold /tmp/m1"), []string{"-u", "-u /dev/mapper/high"}},
		{"lvm without tools", []string{"dmsetup create vg-lv -u LVM-x --table '0 8 linear DISK0 0'", "node /dev/vg/lv"}, []string{"", "-l wholevg", "/dev/mapper/vg-lv"}},
		{"crypt type", []string{"dmsetup create c -u CRYPT-PLAIN-c --table '0 8 linear DISK0 0'"}, []string{"-u"}},
	}
}

func TestTwins(t *testing.T) {
	files := maps.Clone(lab.Peer(t, "blkdeactivate").Files)
	maps.Copy(files, lab.Peer(t, "e2fsprogs").Files)
	if sort, ok := files["/usr/bin/sort"]; ok {
		files["/bin/sort"] = sort // the same folder in Debian
	}
	var cases []lab.Case
	for _, s := range lab.Sample(t, stories(), 2) {
		cases = append(cases, lab.Case{Name: s.name, Run: s.run})
	}
	lab.Run(t, lab.Spec{
		Files:   files,
		Disks:   []lab.Disk{{Size: 8 << 20}, {Size: 8 << 20}, {Size: 8 << 20}},
		Modules: []string{"dm-mod", "raid1", "ext4"},
		Env:     map[string]string{"DM_DISABLE_UDEV": "1"}, // so that dmsetup makes the nodes itself
	}, cases...)
}

// tools are lines printed by the tools that the script always runs.
var tools = regexp.MustCompile(`(?m)^lsblk: .*\n`)

func (s story) run(t *testing.T, g *lab.Guest) {
	script := s.told(t, g, func(t *testing.T, args []string) string {
		said := command(t, "bash", append([]string{"/sbin/blkdeactivate"}, args...)...)
		return tools.ReplaceAllString(said, "")
	})
	ours := s.told(t, g, func(_ *testing.T, args []string) string {
		var out, errs bytes.Buffer
		code := Main(context.Background(), append([]string{"blkdeactivate"}, args...), ui.IO{In: strings.NewReader(""), Out: &out, Err: &errs})
		return describe(code, out.String(), errs.String())
	})
	for i, line := range s.lines {
		if script[i] != ours[i] {
			t.Errorf("blkdeactivate %s\n--- want\n%s\n--- got\n%s", line, script[i], ours[i])
		}
	}
}

func describe(code int, out, errs string) string {
	return fmt.Sprintf("exit %d\n--- stdout\n%s--- stderr\n%s", code, out, errs)
}

func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return describe(cmd.ProcessState.ExitCode(), out.String(), errs.String())
}

// told builds the stack, runs the lines and takes down what is left.
func (s story) told(t *testing.T, g *lab.Guest, run func(*testing.T, []string) string) (answers []string) {
	t.Helper()
	fill := strings.NewReplacer("DISK0", g.Disks[0], "DISK1", g.Disks[1], "DISK2", g.Disks[2])
	var held []*os.File
	letGo := func() {
		for _, f := range held {
			f.Close()
		}
		held = nil
		unix.Unmount("/tmp/m1", 0)
		command(t, "dmsetup", "remove_all")
		command(t, "mdadm", "--stop", "--scan")
		for _, d := range g.Disks {
			command(t, "mdadm", "--zero-superblock", d)
		}
		os.RemoveAll("/dev/vg")
	}
	defer letGo()
	for _, line := range s.build {
		words := words(fill.Replace(line))
		var err error
		switch words[0] {
		case "hold":
			var f *os.File
			if f, err = os.Open(words[1]); err == nil {
				held = append(held, f)
			}
		case "mount":
			if err = os.MkdirAll(words[2], 0o755); err == nil {
				err = unix.Mount(words[1], words[2], "ext4", 0, "")
			}
		case "node":
			if err = os.MkdirAll("/dev/vg", 0o755); err == nil {
				err = unix.Mknod(words[1], unix.S_IFBLK|0o600, int(unix.Mkdev(1, 9)))
			}
		default:
			if said := command(t, words[0], words[1:]...); !strings.HasPrefix(said, "exit 0\n") {
				t.Fatalf("%s: %s", line, said)
			}
		}
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	for _, line := range s.lines {
		said := run(t, words(fill.Replace(line)))
		answers = append(answers, said+"--- left\n"+command(t, "dmsetup", "ls")+arrays(t)+mounts(t))
	}
	return answers
}

func arrays(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/proc/mdstat")
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintln("md0 is there:", strings.Contains(string(text), "md0 :"))
}

func mounts(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/proc/mounts")
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintln("/tmp/m1 is mounted:", strings.Contains(string(text), " /tmp/m1 "))
}

// words splits a line as a shell does, but knows only single quotes.
func words(line string) []string {
	var list []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			list = append(list, part)
			continue
		}
		list = append(list, strings.Fields(part)...)
	}
	return list
}
