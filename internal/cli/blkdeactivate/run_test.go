package blkdeactivate

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/sysfs"
)

// pretend implements actions without doing anything, and fails when told to.
type pretend struct {
	done  []string
	fails string // actions that begin like this fail
	tools bool   // the tools of LVM and VDO exist
	root  string
}

func (p *pretend) act(format string, args ...any) bool {
	what := fmt.Sprintf(format, args...)
	p.done = append(p.done, what)
	return p.fails == "" || !strings.HasPrefix(what, p.fails)
}

func (p *pretend) Unmount(_ context.Context, mount string) bool { return p.act("umount %s", mount) }
func (p *pretend) Mounted(mount string) bool                    { return mount != "/gone" }
func (p *pretend) StopArray(_ context.Context, kernel string) bool {
	return p.act("stop %s", kernel) && p.leave(kernel)
}

func (p *pretend) RemoveMapped(_ context.Context, name string) bool {
	return p.act("remove %s", name) && p.leave(name)
}

// leave removes a device from sysfs.
func (p *pretend) leave(name string) bool {
	found, _ := filepath.Glob(filepath.Join(p.root, "sys/block/*"))
	for _, dir := range found {
		mapped, _ := os.ReadFile(filepath.Join(dir, "dm/name"))
		if filepath.Base(dir) == name || strings.TrimSpace(string(mapped)) == name {
			os.Remove(filepath.Join(p.root, "sys/class/block", filepath.Base(dir)))
			os.Remove(dir)
		}
	}
	return true
}

func (p *pretend) WaitArray(_ context.Context, kernel string) int {
	p.act("wait %s", kernel)
	return map[string]int{"md1": 1, "md2": 4}[kernel]
}
func (p *pretend) SyncAction(string) string { return "resync" }
func (p *pretend) LVM(_ context.Context, args ...string) (string, bool) {
	return "  lv1 lv2\n", p.act("lvm %s", strings.Join(args, " "))
}
func (p *pretend) StopVDO(_ context.Context, name string) bool { return p.act("vdo %s", name) }
func (p *pretend) DisableQueueing(context.Context) (running, ok bool) {
	return true, p.act("multipathd")
}
func (p *pretend) HasNode(string) bool { return true }
func (p *pretend) HasLVM() bool        { return p.tools }
func (p *pretend) HasVDO() bool        { return p.tools }

// pretended runs a command line on pretended devices, each given as "NAME MAJ:MIN UUID
// MAPPERNAME BELOW,..." with "-" for what is missing.
func pretended(t *testing.T, p *pretend, devices, mounts string, args ...string) string {
	t.Helper()
	root := t.TempDir()
	p.root = root
	write := func(path, text string) {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for line := range strings.Lines(devices) {
		f := strings.Fields(line)
		dir := "sys/devices/" + f[0] + "/"
		write(dir+"dev", f[1])
		write(dir+"size", "8")
		if f[3] != "-" {
			write(dir+"dm/uuid", f[2])
			write(dir+"dm/name", f[3])
		}
		if strings.HasPrefix(f[0], "md") {
			write(dir+"md/level", "raid1")
		}
		for below := range strings.SplitSeq(f[4], ",") {
			write(dir+"slaves/"+below, "")
		}
		for _, link := range []string{"sys/block/" + f[0], "sys/class/block/" + f[0]} {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(root, link)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(filepath.Join(root, dir), filepath.Join(root, link)); err != nil {
				t.Fatal(err)
			}
		}
	}
	write("proc/self/mountinfo", mounts)
	write("proc/swaps", "Filename Type")
	fs, err := sysfs.NewFS(root)
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	std := ui.IO{Out: &out, Err: &errs}
	r := &run{options: parse(args, std), std: std, fs: fs, do: p}
	code := r.all(t.Context())
	return fmt.Sprintf("%s%s= %d", out.String(), errs.String(), code)
}

const devices = `sda 8:0 - - -
md1 9:1 - - sda
md2 9:2 - - sda
dm-0 253:0 LVM-x vg-l--v sda
dm-1 253:1 VDO-x v sda
dm-2 253:2 - top md1
`

func TestRun(t *testing.T) {
	const head = "Deactivating block devices:\n"
	for _, c := range []struct {
		args   string
		p      pretend
		mounts string
		want   string
		done   []string
	}{
		{"", pretend{tools: true}, "", "  [LVM]: deactivating Logical Volume vg/l-v... done\n  [VDO]: deactivating VDO volume v... done\n  [DM]: deactivating dm device top (dm-2)... done\n  [MD]: deactivating raid1 device md1... done\n  [MD]: deactivating raid1 device md2... done\n= 0", nil},
		{"", pretend{}, "", "  [DM]: deactivating dm device top (dm-2)... done\n  [MD]: deactivating raid1 device md1... done\n  [MD]: deactivating raid1 device md2... done\n= 0", []string{"remove top", "stop md1", "stop md2"}},
		{"", pretend{fails: "remove"}, "", "  [DM]: deactivating dm device top (dm-2)... skipping\n  [MD]: deactivating raid1 device md2... done\n= 0", []string{"remove top", "stop md2"}},
		{"-r wait", pretend{}, "", "  [DM]: deactivating dm device top (dm-2)... done\n  [MD]: deactivating raid1 device md1... resync action in progress... done\n  [MD]: deactivating raid1 device md2... resync action in progress... failed to wait for resync action... done\n= 0", []string{"remove top", "wait md1", "stop md1", "wait md2", "stop md2"}},
		{"-m disablequeueing -d force", pretend{fails: "stop"}, "", "  [DM]: disabling queueing on all multipath devices... done\n  [DM]: deactivating dm device top (dm-2)... done\n  [MD]: deactivating raid1 device md1... skipping\n  [MD]: deactivating raid1 device md2... skipping\n= 0", []string{"multipathd", "remove top", "stop md1", "stop md2"}},
		{"-m disablequeueing", pretend{fails: "multipathd"}, "", "  [DM]: disabling queueing on all multipath devices... failed\n  [DM]: deactivating dm device top (dm-2)... done\n  [MD]: deactivating raid1 device md1... done\n  [MD]: deactivating raid1 device md2... done\n= 0", nil},
		{"-l wholevg,retry", pretend{tools: true, fails: "lvm vgchange"}, "", "  [LVM]: deactivating Volume Group vg... skipping\n  [VDO]: deactivating VDO volume v... done\n  [DM]: deactivating dm device top (dm-2)... done\n  [MD]: deactivating raid1 device md1... done\n  [MD]: deactivating raid1 device md2... done\n= 0", nil},
		{"", pretend{}, "1 1 253:2 / /mnt rw\n", "  [SKIP]: unmount of top (dm-2) mounted on /mnt\n  [MD]: deactivating raid1 device md2... done\n= 0", []string{"stop md2"}},
		{"-u", pretend{}, "1 1 253:2 / /mnt rw\n2 1 253:2 / /more rw\n", "  [UMOUNT]: unmounting top (dm-2) mounted on /more... done\n  [DM]: deactivating dm device top (dm-2)... done\n  [MD]: deactivating raid1 device md1... done\n  [MD]: deactivating raid1 device md2... done\n= 0", []string{"umount /more", "umount /mnt", "remove top", "stop md1", "stop md2"}},
		{"-u", pretend{fails: "umount"}, "1 1 253:2 / /mnt rw\n", "  [UMOUNT]: unmounting top (dm-2) mounted on /mnt... skipping\n  [MD]: deactivating raid1 device md2... done\n= 0", nil},
		{"-u", pretend{fails: "umount"}, "1 1 253:2 / /gone rw\n", "  [UMOUNT]: unmounting top (dm-2) mounted on /gone... already unmounted\n  [DM]: deactivating dm device top (dm-2)... done\n  [MD]: deactivating raid1 device md1... done\n  [MD]: deactivating raid1 device md2... done\n= 0", nil},
		{"-u", pretend{}, "1 1 253:2 / /usr rw\n", "  [SKIP]: unmount of top (dm-2) mounted on /usr\n  [MD]: deactivating raid1 device md2... done\n= 0", nil},
		{"--dry-run", pretend{}, "", "  [DM]: deactivating dm device top (dm-2)... would be done\n  [MD]: deactivating raid1 device md1... would be done\n  [MD]: deactivating raid1 device md2... would be done\n= 0", []string{}},
	} {
		got := pretended(t, &c.p, devices, c.mounts, strings.Fields(c.args)...)
		if got != head+c.want {
			t.Errorf("%s\ngot\n%s\nwant\n%s", c.args, got, head+c.want)
		}
		if c.done != nil && !slices.Equal(c.p.done, c.done) {
			t.Errorf("%s: done %q, want %q", c.args, c.p.done, c.done)
		}
	}
}

func TestJSON(t *testing.T) {
	got := pretended(t, &pretend{}, "sda 8:0 - - -\ndm-0 253:0 - d sda\n", "1 1 253:0 / /m rw\n", "--json", "-u", "--dry-run")
	want := `{
  "schema": "mdkit.blkdeactivate/1",
  "dry_run": true,
  "events": [
    {
      "kind": "umount",
      "device": "dm-0",
      "name": "d",
      "mount": "/m",
      "result": "would be done"
    },
    {
      "kind": "dm",
      "device": "dm-0",
      "name": "d",
      "result": "would be done"
    }
  ]
}
= 0`
	if got != want {
		t.Errorf("got\n%s", got)
	}
	got = pretended(t, &pretend{}, "sda 8:0 - - -\n", "", "--json", "/nosuch")
	if !strings.Contains(got, `"result": "not found"`) || !strings.HasSuffix(got, "= 1") {
		t.Errorf("got\n%s", got)
	}
}
