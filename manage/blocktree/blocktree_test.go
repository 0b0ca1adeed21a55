package blocktree

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/sysfs"
	"github.com/mdkit/mdkit/sysfs/block"
)

// fake builds sys and proc in a folder: lines "NAME MAJ:MIN SECTORS [KEY=VALUE...]"
// where slaves=a,b, disk=NAME for partitions, and others are attributes.
func fake(t *testing.T, lines string) sysfs.FS {
	t.Helper()
	root := t.TempDir()
	write := func(path, text string) {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for line := range strings.Lines(lines) {
		f := strings.Fields(line)
		dir := "sys/devices/" + f[0]
		attrs := map[string]string{"dev": f[1], "size": f[2]}
		slaves := ""
		for _, a := range f[3:] {
			k, v, _ := strings.Cut(a, "=")
			switch k {
			case "slaves":
				slaves = v
			case "disk":
				dir = "sys/devices/" + v + "/" + f[0]
				attrs["partition"] = "1"
			default:
				attrs[k] = v
			}
		}
		for k, v := range attrs {
			write(dir+"/"+k, v+"\n")
		}
		for _, sub := range []string{"slaves", "holders"} {
			if err := os.MkdirAll(filepath.Join(root, dir, sub), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		for s := range strings.SplitSeq(slaves, ",") {
			if s != "" {
				write(dir+"/slaves/"+s, "")
			}
		}
		link := func(name string) {
			path := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(filepath.Join(root, dir), path); err != nil {
				t.Fatal(err)
			}
		}
		link("sys/class/block/" + f[0])
		link("sys/dev/block/" + f[1])
		if attrs["partition"] == "" {
			link("sys/block/" + f[0])
		}
	}
	write("proc/self/mountinfo", "20 1 253:1 / /mnt\\040point rw - ext4 /dev/dm-1 rw\n21 1 253:1 / /second rw - ext4 /dev/dm-1 rw\nbroken\n")
	write("proc/swaps", "Filename Type Size Used Priority\n/dev/sda2 partition 1 0 -2\n/swapfile file 1 0 -2\n")
	fs, err := sysfs.NewFS(root)
	if err != nil {
		t.Fatal(err)
	}
	return fs
}

const stack = `sda 8:0 1000
sda1 8:1 500 disk=sda
sda2 8:2 400 disk=sda
sdb 8:16 1000
sr0 11:0 10 device/type=5
ram0 1:0 100
loop0 7:0 8
loop1 7:1 0
md0 9:0 400 slaves=sda1,sdb md/level=raid1
dm-0 253:0 300 slaves=md0 dm/name=vg-lv dm/uuid=LVM-abc
dm-1 253:1 300 slaves=dm-0 dm/name=secret dm/uuid=CRYPT-PLAIN-x
dm-2 253:2 20 slaves=md0 dm/name=bare dm/uuid=
dm-10 253:10 20 slaves=loop0 dm/name=half dm/uuid=part1-mpath-x
`

func TestTree(t *testing.T) {
	tree, err := Read(fake(t, stack))
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, d := range tree.Devices {
		fmt.Fprintf(&got, "%s %s %s %q\n", d.Kernel, d.Name, d.Type, d.Mount())
	}
	want := `dm-0 vg-lv lvm ""
dm-1 secret crypt "/second"
dm-2 bare dm ""
dm-10 half part ""
loop0 loop0 loop ""
md0 md0 raid1 ""
sda sda disk ""
sda1 sda1 part ""
sda2 sda2 part "[SWAP]"
sdb sdb disk ""
sr0 sr0 rom ""
`
	if got.String() != want {
		t.Errorf("got\n%swant\n%s", got.String(), want)
	}
	names := func(list []*Device) string {
		var s []string
		for _, d := range list {
			s = append(s, d.Kernel)
		}
		return strings.Join(s, " ")
	}
	if got := names(tree.Find("sda").Upward()); got != "sda sda1 md0 dm-0 dm-1 dm-2 sda2" {
		t.Error(got)
	}
	if got := names(tree.Downward()); got != "dm-1 dm-0 md0 sda1 sda sdb dm-2 dm-10 loop0 sda2 sr0" {
		t.Error(got)
	}
	if d := tree.FindNumber(block.Num{Major: 253, Minor: 1}); d == nil || len(d.Mounts) != 2 || d.Mounts[0] != "/mnt point" || d.Partition() || !tree.Find("sda1").Partition() {
		t.Error(d)
	}
	if tree.Find("nothing") != nil || tree.FindNumber(block.Num{}) != nil {
		t.Error("what is not there was found")
	}
}
