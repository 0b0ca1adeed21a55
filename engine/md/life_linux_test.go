package md_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/internal/lab"
)

// story is something that happens to an array, after which its metadata is
// still sound.
type story struct {
	recipe
	tell func(r rig, devs []string) []*md.Member
}

func create(version string, n, spares int, module string, args ...string) recipe {
	return recipe{version: version, n: n, spares: spares, module: module, args: args}
}

// write writes data to the array and syncs it.
func (r rig) write(off int64, n int) {
	r.t.Helper()
	f, err := os.OpenFile(array, os.O_WRONLY, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	b := bytes.Repeat([]byte("mdkit life test "), n/16)
	if _, err := f.WriteAt(b, off); err != nil {
		r.t.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		r.t.Fatal(err)
	}
}

// slow slows down resync, recovery and reshape, so that they do not end before the
// test looks at them.
func (r rig) slow() {
	r.t.Helper()
	r.setSysfs("sync_speed_max", "400")
	r.setSysfs("sync_speed_min", "400")
}

func (r rig) stop() {
	r.t.Helper()
	r.mdadm("--stop", array)
}

// stories returns the stories by name; they are told in a guest, one by one.
func stories() map[string]story {
	out := func(rules ...string) []string { return rules }
	return map[string]story{
		"raid5-1.2-degraded": {
			create("1.2", 3, 0, "raid456", "--level=5", "--bitmap=internal", "--bitmap-chunk=64K", "--force"),
			func(r rig, devs []string) []*md.Member {
				r.mdadm("--fail", array, devs[1])
				r.write(1<<20, 3<<20)
				lab.ArraysIdle(r.t)
				r.stop()
				return r.read(devs, out("md.member.stale", "md.member.missing")...)
			},
		},
		"raid1-0.90-failed": {
			create("0.90", 2, 0, "raid1", "--level=1", "--bitmap=internal"),
			func(r rig, devs []string) []*md.Member {
				r.mdadm("--fail", array, devs[0])
				r.write(0, 1<<20)
				lab.ArraysIdle(r.t)
				r.stop()
				return r.read(devs, out("md.member.stale", "md.member.missing")...)
			},
		},
		"raid1-1.0-rebuilding": {
			create("1.0", 2, 0, "raid1", "--level=1", "--bitmap=none"),
			func(r rig, devs []string) []*md.Member {
				r.mdadm("--fail", array, devs[1])
				r.mdadm("--remove", array, devs[1])
				r.slow()
				r.mdadm("--add", array, r.g.Disks[2])
				r.until("recovery", func() bool { return r.sysfs("sync_action") == "recover" && r.sysfs("sync_completed") != "none" })
				time.Sleep(2 * time.Second) // some of it gets done, however much
				r.stop()
				return r.read([]string{devs[0], r.g.Disks[2]}, out("md.member.missing")...)
			},
		},
		"raid1-1.2-badblocks": {
			create("1.2", 2, 0, "raid1", "--level=1", "--bitmap=none"),
			func(r rig, devs []string) []*md.Member {
				r.setSysfs("dev-ubda/bad_blocks", "4096 8")
				r.setSysfs("dev-ubda/bad_blocks", "6000 100")
				r.write(4<<20, 4096) // makes the kernel update the superblock
				lab.ArraysIdle(r.t)
				r.stop()
				members := r.read(devs)
				list, err := members[0].ReadBadBlocks(r.open(devs[0], block.ForReading))
				if want := []md.BadBlock{{Sector: 4096, Length: 8}, {Sector: 6000, Length: 100}}; err != nil || !slices.Equal(list, want) {
					r.t.Errorf("bad blocks %v, %v; want %v", list, err, want)
				}
				said := r.mdadm("--examine-badblocks", devs[0])
				for _, bb := range list {
					if !strings.Contains(said, fmt.Sprintf("%20d for %d sectors", bb.Sector, bb.Length)) {
						r.t.Errorf("mdadm does not say %v: %s", bb, said)
					}
				}
				return members
			},
		},
		"raid5-1.2-journal": {
			create("1.2", 3, 0, "raid456", "--level=5", "--write-journal=/dev/ubdd", "--force"),
			func(r rig, devs []string) []*md.Member {
				r.setSysfs("journal_mode", "write-back")
				r.write(0, 64<<10)
				r.write(4<<20, 256<<10)
				devs = append(devs, "/dev/ubdd")
				lab.ArraysIdle(r.t)
				return r.read(devs)
			},
		},
		"raid5-1.1-ppl": {
			create("1.1", 3, 0, "raid456", "--level=5", "--consistency-policy=ppl", "--force"),
			func(r rig, devs []string) []*md.Member {
				r.write(64<<10, 16<<10)
				r.write(3<<20, 8<<10)
				lab.ArraysIdle(r.t)
				return r.read(devs)
			},
		},
		"raid5-1.2-replacing": {
			create("1.2", 3, 1, "raid456", "--level=5", "--bitmap=internal", "--spare-devices=1", "--force"),
			func(r rig, devs []string) []*md.Member {
				r.slow()
				r.mdadm("--replace", array, devs[1], "--with", devs[3])
				r.until("recovery", func() bool { return r.sysfs("sync_action") == "recover" && r.sysfs("sync_completed") != "none" })
				time.Sleep(time.Second) // some of it gets done, however much
				r.stop()
				return r.read(devs)
			},
		},
		"raid5-1.2-reshaping": {
			create("1.2", 3, 1, "raid456", "--level=5", "--bitmap=none", "--spare-devices=1", "--force"),
			func(r rig, devs []string) []*md.Member {
				r.reshape("--raid-devices=4")
				return r.read(devs)
			},
		},
		"raid5-0.90-reshaping": {
			create("0.90", 3, 1, "raid456", "--level=5", "--bitmap=none", "--spare-devices=1", "--force"),
			func(r rig, devs []string) []*md.Member {
				r.reshape("--raid-devices=4", "--backup-file=/tmp/backup")
				return r.read(devs)
			},
		},
		"raid6-1.1-relayout": {
			create("1.1", 4, 0, "raid456", "--level=6", "--bitmap=none", "--force", "--chunk=64"),
			func(r rig, devs []string) []*md.Member {
				r.reshape("--chunk=32")
				return r.read(devs)
			},
		},
		"raid10-1.0-bitmap": {
			create("1.0", 4, 0, "raid10", "--level=10", "--layout=n2", "--bitmap=internal", "--force"),
			func(r rig, devs []string) []*md.Member {
				r.write(0, 4<<20)
				return r.read(devs) // bits are set, and the array is dirty
			},
		},
		"raid1-1.2-dirty": {
			create("1.2", 2, 0, "raid1", "--level=1", "--bitmap=internal", "--bitmap-chunk=64K"),
			func(r rig, devs []string) []*md.Member {
				r.setSysfs("safe_mode_delay", "60")
				r.write(0, 4<<20)
				return r.read(devs)
			},
		},
		// Each half ran alone and was written to: they must not be assembled together.
		"raid1-1.2-split": {
			create("1.2", 2, 0, "raid1", "--level=1", "--bitmap=none"),
			func(r rig, devs []string) []*md.Member {
				r.stop()
				for i, dev := range devs {
					r.mdadm("--assemble", "--run", array, dev)
					for range i + 2 {
						r.write(0, 4096)
						lab.ArraysIdle(r.t)
					}
					r.stop()
				}
				return r.read(devs, out("md.member.split", "md.member.missing")...)
			},
		},
		"raid5-1.2-two-failed": {
			create("1.2", 4, 0, "raid456", "--level=5", "--bitmap=none", "--force"),
			func(r rig, devs []string) []*md.Member {
				r.mdadm("--fail", array, devs[1])
				r.write(0, 1<<20)
				lab.ArraysIdle(r.t)
				r.tryMdadm("--fail", array, devs[2]) // the kernel says busy, and fails it all the same
				lab.ArraysIdle(r.t)
				r.stop()
				return r.read(devs, out("md.member.stale", "md.member.faulty", "md.member.missing", "md.member.not_startable")...)
			},
		},
		"linear-1.2": {
			create("1.2", 2, 0, "linear", "--level=linear"),
			func(r rig, devs []string) []*md.Member {
				r.stop()
				return r.read(devs)
			},
		},
		"multipath-0.90": {
			create("0.90", 2, 0, "multipath", "--level=multipath"),
			func(r rig, devs []string) []*md.Member {
				r.stop()
				return r.read(devs)
			},
		},
		"raid0-1.0": {
			create("1.0", 3, 0, "raid0", "--level=0"),
			func(r rig, devs []string) []*md.Member {
				r.stop()
				return r.read(devs)
			},
		},
	}
}

// reshape starts a slow change of geometry and stops the array in the middle.
func (r rig) reshape(args ...string) {
	r.t.Helper()
	r.slow()
	r.mdadm(append([]string{"--grow", array}, args...)...)
	r.until("the reshape", func() bool {
		pos := r.sysfs("reshape_position")
		return pos != "none" && pos != "0"
	})
	time.Sleep(time.Second) // some of it gets done, however much
	r.stop()
}

// TestKernelLife has the kernel and mdadm do to arrays what the stories tell, and
// reads the members afterwards. With -update the images go to testdata.
func TestKernelLife(t *testing.T) {
	all := stories()
	var names []string
	var cases []lab.Case
	for name, s := range all {
		names = append(names, name)
		cases = append(cases, lab.Case{Name: name, Run: func(t *testing.T, g *lab.Guest) {
			if !g.HasModule(s.module) {
				t.Skipf("kernel %s has no %s", g.Release, s.module)
			}
			r := rig{t, g}
			defer r.wipe()
			devs := s.create(r)
			lab.ArraysIdle(r.t)
			members := s.tell(r, devs)
			g.Publish(name, r.fixture(s, members))
			if _, err := os.Stat(arraySys + "level"); err != nil {
				r.compare(members)
			}
			if !strings.Contains(name, "reshaping") && !strings.Contains(name, "relayout") {
				r.assembles(members)
			}
		}})
	}
	slices.Sort(names)
	slices.SortFunc(cases, func(a, b lab.Case) int { return strings.Compare(a.Name, b.Name) })
	set := lab.Cases(t, cases...)
	if !*update {
		names = lab.Sample(t, names, 3)
	}
	result := set.Start(t, kernelSpec(t), names...).Wait()
	if !*update {
		return
	}
	for name, data := range result.Published {
		if err := os.WriteFile(filepath.Join(fixtureDir, name+".txtar"), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// assembles has mdadm assemble the members, and checks that those are in the array
// that Assess says are in. (In the middle of a reshape mdadm needs a backup file.)
func (r rig) assembles(members []*md.Member) {
	r.t.Helper()
	if _, err := os.Stat(arraySys + "level"); err == nil {
		r.stop()
	}
	args := []string{"--assemble", array}
	var again []*md.Member
	for _, m := range members {
		args = append(args, m.Name)
		m, err := md.ReadMember(r.open(m.Name, block.ForReading))
		if err != nil {
			r.t.Fatal(err)
		}
		again = append(again, m)
	}
	a := md.Assess(again, md.Strict)
	out, err := r.tryMdadm(args...)
	start := a.Startable()
	if (start == nil) != (err == nil) {
		r.t.Errorf("Startable: %v; mdadm: %v: %s", start, err, out)
	}
	if err != nil {
		return // mdadm leaves nothing behind to look at
	}
	for _, v := range a.Verdicts {
		_, err := os.Stat(arraySys + "dev-" + filepath.Base(v.Member.Name))
		if v.In != (err == nil) {
			r.t.Errorf("%v; in the kernel's array: %v\nmdadm: %s", v, err == nil, out)
		}
	}
}

// fixture is the archive of the members as they are now.
func (r rig) fixture(s story, members []*md.Member) []byte {
	r.t.Helper()
	ar := &txtar.Archive{Comment: fmt.Appendf(nil, "Linux %s, mdadm 4.2 (Debian): mdadm --create --metadata=%s --raid-devices=%d %s\nand the story of that name in life_linux_test.go, which rewrites this with -update.\n",
		r.g.Release, s.version, s.n, strings.Join(s.args, " "))}
	for _, m := range members {
		text, err := formatMember(r.open(m.Name, block.ForReading), m)
		if err != nil {
			r.t.Fatal(err)
		}
		ar.Files = append(ar.Files, txtar.File{Name: fmt.Sprintf("%s %d", filepath.Base(m.Name), m.Size), Data: text})
	}
	return txtar.Format(ar)
}

// complaint matches what the kernel says about metadata that it does not like.
var complaint = regexp.MustCompile(`(?i)invalid|error|fail|out of date|kick|overlap|unrecogni|warn|bad |mismatch|strange|different|too small|not clean|does not|cannot`)

// TestKernelReads writes superblocks with the package, and checks that the kernel
// assembles the array without complaint.
func TestKernelReads(t *testing.T) {
	var cases []lab.Case
	for _, rc := range lab.Sample(t, recipes(), 6) {
		if strings.Contains(rc.name, "ppl") {
			continue // the signature of its log is that of the old uuid
		}
		cases = append(cases, lab.Case{Name: rc.name, Run: func(t *testing.T, g *lab.Guest) {
			if !g.HasModule(rc.module) {
				t.Skipf("kernel %s has no %s", g.Release, rc.module)
			}
			r := rig{t, g}
			defer r.wipe()
			devs := rc.create(r)
			lab.ArraysIdle(r.t)
			r.stop()
			before := r.read(devs)
			uuid := md.UUID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
			for _, dev := range devs {
				r.rewrite(dev, uuid)
			}
			r.read(devs)
			g.KernelLog(t)
			args := []string{"--assemble", array}
			if rc.module == "faulty" {
				args = append(args, "--run") // mdadm does not know how many members are enough
			}
			out := r.mdadm(append(args, devs...)...)
			if want := fmt.Sprintf("started with %d drive", rc.n); !strings.Contains(out, want) {
				t.Errorf("mdadm says %q, want %q", out, want)
			}
			for _, line := range g.KernelLog(t) {
				if complaint.MatchString(line) {
					t.Errorf("the kernel says: %s", line)
				}
			}
			r.againstSysfs(r.read(devs))
			r.stop()
			after := r.read(devs)
			r.compare(after)
			for i, m := range after {
				if m.UUID() != uuid || m.Events() < before[i].Events()+2 || m.Super1 != nil && m.SetName() != "lab:renamed" {
					t.Errorf("%s: uuid %v, events %d (were %d), name %s", m.Name, m.UUID(), m.Events(), before[i].Events(), m.SetName())
				}
			}
		}})
	}
	lab.Run(t, kernelSpec(t), cases...)
}

// rewrite changes uuid, name and event count of a member, in its superblock and
// bitmap.
func (r rig) rewrite(dev string, uuid md.UUID) {
	r.t.Helper()
	d := r.open(dev, block.ForWriting)
	m, err := md.ReadMember(d)
	if err != nil {
		r.t.Fatal(err)
	}
	bitmap, err := m.ReadBitmap(d)
	if err != nil {
		r.t.Fatal(err)
	}
	if s := m.Super0; s != nil {
		s.SetUUID(uuid)
		s.Events += 2
		s.CPEvents = s.Events
	} else {
		m.Super1.SetUUID = uuid
		m.Super1.SetNameString("lab:renamed")
		m.Super1.Events += 2
	}
	if bitmap != nil {
		bitmap.UUID = m.NativeUUID()
		bitmap.Events += 2
		if _, err := d.WriteAt(bitmap.AppendTo(nil), bitmap.Offset); err != nil {
			r.t.Fatal(err)
		}
	}
	if _, err := d.WriteAt(m.AppendSuper(nil), m.Offset); err != nil {
		r.t.Fatal(err)
	}
	if err := d.Sync(); err != nil {
		r.t.Fatal(err)
	}
	unix.Sync()
}
