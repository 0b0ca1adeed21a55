package md

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/internal/lab"
	iomd "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/sysfs"
	"github.com/mdkit/mdkit/sysfs/block"
)

// pause is where the scenes hold a resync or similar, in sectors: a whole
// number of chunks that each of them reaches almost at once.
const pause = 1024

// stage is an array that goes through several states. Each is read from
// /proc/mdstat, compared with what the scene has just done, and handed to the
// host as a fixture.
type stage struct {
	*testing.T
	g *lab.Guest
}

// shot reads /proc/mdstat, and checks it the same way as the fixture is checked
// later.
func (s *stage) shot(name string) {
	s.Helper()
	text, err := sysfs.ReadProc(sysfs.Host.Proc("mdstat"))
	if err != nil {
		s.Fatal(err)
	}
	s.g.Publish("mdstat/"+name, []byte(text))
	checkShot(s, name, text)
}

// hold lets a running array continue until it reaches pause, and waits for
// that.
func (s *stage) hold(a *Array) {
	s.Helper()
	eventually(s, "action reaches the pause", func() bool {
		p, err := a.SyncCompleted()
		return err == nil && p.Running && !p.Delayed && p.Done >= pause
	})
}

// settled retries while the kernel says busy: it keeps working for a moment
// after an action has ended, and looks for work when a member was added.
func (s *stage) settled(call func() error) {
	s.Helper()
	eventually(s, "kernel settles", func() bool {
		err := call()
		if err != nil && !errors.Is(err, unix.EBUSY) {
			s.Fatal(err)
		}
		return err == nil
	})
}

func (s *stage) idle(a *Array) {
	s.Helper()
	must(s, a.SetSyncMax(None))
	ctx := lab.Patient(s)
	_, err := a.WaitSyncAction(ctx, func(act SyncAction) bool { return act == Idle })
	must(s, err)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// readAuto makes arrays start without their resync, so that a scene can set
// where it is to pause.
func readAuto(t testing.TB, on bool) {
	t.Helper()
	must(t, ModuleParams(sysfs.Host).SetStartReadOnly(on))
}

func (s *stage) add(d *iomd.Device, disk string, state iomd.DiskState) {
	s.Helper()
	n := diskNum(s, disk)
	must(s, d.AddNewDisk(iomd.DiskInfo{Number: -1, Major: int32(n.Major), Minor: int32(n.Minor), RaidDisk: -1, State: state}))
}

func (s *stage) fail(d *iomd.Device, disk string) {
	s.Helper()
	n := diskNum(s, disk)
	must(s, d.SetDiskFaulty(n.Major, n.Minor))
}

// remove removes a failed member, as soon as the kernel lets go of it.
func (s *stage) remove(d *iomd.Device, disk string) {
	s.Helper()
	n := diskNum(s, disk)
	eventually(s, "member is released", func() bool {
		err := d.HotRemoveDisk(n.Major, n.Minor)
		if err != nil && !errors.Is(err, iomd.ErrBusy) {
			s.Fatal(err)
		}
		return err == nil
	})
}

func (s *stage) mdadm(args ...string) {
	s.Helper()
	out, err := exec.Command("mdadm", args...).CombinedOutput()
	if err != nil {
		s.Fatalf("mdadm %s: %v: %s\n%s", strings.Join(args, " "), err, out, strings.Join(s.g.KernelLog(s), "\n"))
	}
}

// scenes are the states, by array; each ends with the array stopped.
var scenes = []struct {
	name string
	play func(s *stage)
}{
	{"nothing", func(s *stage) { s.shot("nothing") }},
	{"raid1", sceneRaid1},
	{"raid5", sceneRaid5},
	{"levels", sceneLevels},
	{"faulty", sceneFaulty},
	{"unstarted", sceneUnstarted},
	{"external", sceneExternal},
	{"delayed", sceneDelayed},
	{"metadata", sceneMetadata},
	{"journal", sceneJournal},
	{"bitmap file", sceneBitmapFile},
	{"bitmap type", sceneBitmapType},
}

func sceneRaid1(s *stage) {
	readAuto(s, true)
	defer readAuto(s, false)
	disks := s.g.Disks
	d, a := build(s, 0, 1, iomd.ArrayInfo{Size: 8192, NotPersistent: 1}, disks[:3]...)
	s.shot("raid1/pending")
	s.settled(func() error { return a.SetSyncMax(Some(pause)) })
	must(s, a.SetState(Active))
	s.hold(a)
	s.shot("raid1/resync")
	s.idle(a)
	s.shot("raid1/clean")

	w, _, err := WatchMdstat(sysfs.Host)
	must(s, err)
	defer w.Close()
	s.fail(d, disks[1])
	s.shot("raid1/failed")
	ctx := lab.Patient(s)
	for text := ""; !strings.Contains(text, "(F)"); {
		text, err = w.Wait(ctx)
		must(s, err)
	}
	s.remove(d, disks[1])
	s.shot("raid1/removed")
	s.settled(func() error { return a.SetSyncMax(Some(pause)) })
	// The removed member is released some time later.
	n := diskNum(s, disks[1])
	eventually(s, "member is added again", func() bool {
		err := d.HotAddDisk(n.Major, n.Minor)
		if err != nil && !errors.Is(err, iomd.ErrExist) {
			s.Fatal(err)
		}
		return err == nil
	})
	s.hold(a)
	s.shot("raid1/recovery")
	s.idle(a)

	s.settled(func() error { return a.SetSyncMax(Some(pause)) })
	must(s, a.SetSyncAction(Check))
	s.hold(a)
	s.shot("raid1/check")
	must(s, a.SetSyncAction(Idle))
	must(s, a.SetSyncAction(Repair))
	s.hold(a)
	s.shot("raid1/repair")
	must(s, a.SetSyncAction(Idle))
	s.idle(a)

	s.add(d, disks[3], 0)
	s.add(d, disks[4], iomd.DiskWriteMostly)
	s.shot("raid1/spares")
	s.settled(func() error { return a.SetSyncMax(Some(pause)) })
	m, err := a.Member(strings.TrimPrefix(disks[0], "/dev/"))
	must(s, err)
	must(s, m.Command(WantReplacement))
	s.hold(a)
	s.shot("raid1/replacement")
	s.idle(a)
	s.shot("raid1/replaced")

	began := make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		_, err := a.WaitState(ctx, func(st State) bool {
			if st != ReadOnly {
				close(began) // closed only once: the state goes straight to read-only
			}
			return st == ReadOnly
		})
		ended <- err
	}()
	<-began
	must(s, d.StopArrayReadOnly())
	must(s, <-ended)
	s.shot("raid1/readonly")
}

func sceneRaid5(s *stage) {
	readAuto(s, true)
	defer readAuto(s, false)
	disks := s.g.Disks
	d, a := build(s, 0, 5, iomd.ArrayInfo{Size: 8192, NotPersistent: 1, ChunkSize: 65536, Layout: 2, State: iomd.ArrayClean}, disks[:3]...)
	s.shot("raid5/read-auto")
	must(s, a.SetState(Active))
	s.add(d, disks[3], 0)
	s.settled(func() error { return a.SetRaidDisks(4) })
	s.settled(func() error { return a.SetSyncMax(Some(pause)) })
	must(s, a.SetSyncAction(Reshape))
	s.hold(a)
	s.shot("raid5/reshape")
	// Both shapes are shown while the reshape is held.
	for name, c := range map[string]struct {
		get  func() (Transition, error)
		want Transition
	}{
		"raid_disks": {a.RaidDisks, Transition{Now: 4, Old: 3, Reshaping: true}},
		"layout":     {a.Layout, Transition{Now: 2, Old: 2}},
		"chunk_size": {a.ChunkSize, Transition{Now: 65536, Old: 65536}},
	} {
		if got, err := c.get(); err != nil || got != c.want {
			s.Errorf("%s while reshaping: %v, %v", name, got, err)
		}
	}
	if pos, err := a.ReshapePosition(); err != nil || !pos.Set {
		s.Errorf("reshape position %v, %v", pos, err)
	}
	s.idle(a)

	s.fail(d, disks[0])
	s.shot("raid5/degraded")
	// The kernel fails the member, and reports the consequence with EBUSY.
	n := diskNum(s, disks[1])
	if err := d.SetDiskFaulty(n.Major, n.Minor); !errors.Is(err, iomd.ErrBusy) {
		s.Errorf("the second failure of a raid5: %v", err)
	}
	s.shot("raid5/broken")
}

func sceneLevels(s *stage) {
	disks := s.g.Disks
	must(s, ModuleParams(sysfs.Host).SetRaid0Layout(2))
	for _, l := range []struct {
		name   string
		module string
		level  iomd.Level
		layout int32
		disks  int
	}{
		{"raid0", "raid0", 0, 0, 2},
		{"raid4", "raid456", 4, 0, 3},
		{"raid6", "raid456", 6, 2, 4},
		{"raid10/near", "raid10", 10, 0x102, 4},
		{"raid10/far", "raid10", 10, 0x201, 3},
		{"raid10/offset", "raid10", 10, 0x10201, 3},
		{"raid10/sets", "raid10", 10, 0x40201, 4},
		{"raid10/one", "raid10", 10, 0x102, 2},
		{"linear", "linear", iomd.LevelLinear, 0, 2},
		{"multipath", "multipath", iomd.LevelMultipath, 0, 2},
	} {
		if !s.g.HasModule(l.module) {
			continue
		}
		info := iomd.ArrayInfo{NotPersistent: 1, ChunkSize: 65536, Layout: l.layout, State: iomd.ArrayClean}
		if l.level > 0 {
			info.Size = 8192
		}
		s.Run(strings.ReplaceAll(l.name, "/", " "), func(t *testing.T) {
			d, a := build(t, 0, l.level, info, disks[:l.disks]...)
			(&stage{t, s.g}).shot("levels/" + l.name)
			if l.level != 0 && l.level != iomd.LevelLinear {
				return
			}
			// A raid0 that loses a member is broken at once, and its state says
			// so.
			n := diskNum(t, disks[0])
			if err := d.SetDiskFaulty(n.Major, n.Minor); !errors.Is(err, iomd.ErrBusy) {
				t.Errorf("failing a member of %s: %v", l.name, err)
			}
			if st, err := a.State(); err != nil || st != Broken {
				t.Errorf("state of a failed %s: %v, %v", l.name, st, err)
			}
		})
	}
}

func sceneFaulty(s *stage) {
	if !s.g.HasModule("faulty") {
		return
	}
	_, a := build(s, 0, iomd.LevelFaulty, iomd.ArrayInfo{NotPersistent: 1, Layout: -1}, s.g.Disks[0])
	s.shot("faulty/none")
	// layout = period << 5 | mode (md-faulty.c): transient and persistent, for
	// writes (0 and 2) and reads (1 and 3), and fixable reads (5).
	for _, layout := range []uint32{100 << 5, 200<<5 | 1, 300<<5 | 2, 400<<5 | 3, 500<<5 | 5} {
		must(s, a.SetLayout(layout))
	}
	s.shot("faulty/modes")
	must(s, a.SetLayout(1<<5|4))
	s.shot("faulty/write-all")
}

func sceneUnstarted(s *stage) {
	d, err := iomd.OpenNumber(9, 1, os.O_RDWR)
	must(s, err)
	defer d.Close()
	must(s, d.SetArrayInfo(&iomd.ArrayInfo{Level: 1, RaidDisks: 2, NrDisks: 2, NotPersistent: 1}))
	s.shot("unstarted/empty")
	stop(s, d)
	prepare(s, 0, 1, iomd.ArrayInfo{NotPersistent: 1, Size: 8192}, s.g.Disks[:2]...)
	s.shot("unstarted/inactive")
}

// sceneExternal makes a container and an array in it through sysfs alone, as
// mdadm does for metadata that mdmon keeps.
func sceneExternal(s *stage) {
	must(s, ModuleParams(sysfs.Host).NewArray("md_box"))
	box, err := Open(sysfs.Host, "md_box")
	must(s, err)
	must(s, box.SetMetadata(Metadata{Kind: MetadataExternal, External: "ddf"}))
	s.shot("external/empty")
	for _, disk := range s.g.Disks[:2] {
		must(s, box.AddDevice(diskNum(s, disk)))
	}
	s.shot("external/container")

	must(s, ModuleParams(sysfs.Host).NewArray("md_sub"))
	sub, err := Open(sysfs.Host, "md_sub")
	must(s, err)
	must(s, sub.SetMetadata(Metadata{Kind: MetadataExternal, External: "/md_box/0"}))
	must(s, sub.SetLevel(RAID1))
	must(s, sub.SetRaidDisks(2))
	must(s, sub.SetComponentSize(4096))
	for i, disk := range s.g.Disks[:2] {
		must(s, sub.AddDevice(diskNum(s, disk)))
		m, err := sub.Member(strings.TrimPrefix(disk, "/dev/"))
		must(s, err)
		must(s, m.SetOffset(2048))
		must(s, m.SetSize(4096))
		must(s, m.SetSlot(Slot(i)))
		must(s, m.SetRecoveryStart(None))
	}
	must(s, sub.SetResyncStart(None))
	must(s, sub.SetState(ReadOnly))
	s.shot("external/subarray")
	must(s, sub.SetState(Clear))
	must(s, box.SetState(Clear))
}

// sceneDelayed makes two arrays on partitions of the same disks: the resync of
// the second waits for the first.
func sceneDelayed(s *stage) {
	disks := s.g.Disks[:2]
	for _, disk := range disks {
		addPartition(s, disk, 1, 1<<20, 6<<20)
		addPartition(s, disk, 2, 8<<20, 6<<20)
	}
	readAuto(s, true)
	defer readAuto(s, false)
	_, a := build(s, 0, 1, iomd.ArrayInfo{Size: 4096, NotPersistent: 1}, disks[0]+"1", disks[1]+"1")
	_, b := build(s, 1, 1, iomd.ArrayInfo{Size: 4096, NotPersistent: 1}, disks[0]+"2", disks[1]+"2")
	s.settled(func() error { return a.SetSyncMax(Some(pause)) })
	must(s, a.SetState(Active))
	s.hold(a)
	must(s, b.SetState(Active))
	eventually(s, "the second waits", func() bool {
		p, err := b.SyncCompleted()
		return err == nil && p.Delayed
	})
	s.shot("delayed")
	s.idle(a)
	s.idle(b)
}

// addPartition tells the kernel about a partition, in bytes, and makes its
// node.
func addPartition(t testing.TB, disk string, number int32, start, length int64) {
	t.Helper()
	f, err := os.OpenFile(disk, os.O_RDWR, 0)
	must(t, err)
	defer f.Close()
	part := struct {
		start, length int64
		number        int32
		names         [128]byte
	}{start: start, length: length, number: number}
	arg := unix.BlkpgIoctlArg{Op: unix.BLKPG_ADD_PARTITION, Datalen: int32(unsafe.Sizeof(part)), Data: (*byte)(unsafe.Pointer(&part))}
	if _, _, no := unix.Syscall(unix.SYS_IOCTL, f.Fd(), unix.BLKPG, uintptr(unsafe.Pointer(&arg))); no != 0 {
		t.Fatalf("BLKPG %s %d: %v", disk, number, no)
	}
}

// sceneMetadata has mdadm make arrays of each native format, with bitmaps.
func sceneMetadata(s *stage) {
	disks := s.g.Disks
	for _, v := range []string{"0.90", "1.0", "1.1", "1.2"} {
		s.mdadm("--create", "/dev/md0", "--run", "--level=1", "--raid-devices=2", "--metadata="+v,
			"--bitmap=internal", "--assume-clean", disks[0], disks[1])
		s.shot("metadata/" + v)
		a, err := Open(sysfs.Host, "md0")
		must(s, err)
		if m, err := a.Metadata(); err != nil || m.String() != v {
			s.Errorf("metadata %v, %v, want %s", m, err, v)
		}
		if p, err := a.BitmapLocation(); err != nil || p.Offset == 0 {
			s.Errorf("bitmap location %v, %v", p, err)
		}
		s.mdadm("--stop", "/dev/md0")
	}
	s.mdadm("--create", "/dev/md0", "--run", "--level=raid1", "--raid-devices=2", "--assume-clean",
		"--bitmap=internal", disks[0], "--write-mostly", disks[1])
	s.shot("metadata/write-mostly")
	s.mdadm("--stop", "/dev/md0")
	s.mdadm("--zero-superblock", disks[0], disks[1])
}

// sceneJournal has mdadm make a raid5 with a journal, and one with a partial
// parity log.
func sceneJournal(s *stage) {
	disks := s.g.Disks
	s.mdadm("--create", "/dev/md0", "--run", "--level=5", "--raid-devices=3", "--assume-clean",
		"--write-journal="+disks[3], disks[0], disks[1], disks[2])
	s.shot("journal")
	a, err := Open(sysfs.Host, "md0")
	must(s, err)
	if c, err := a.JournalMode(); err != nil || c.Current != "write-through" || len(c.Available) != 2 {
		s.Errorf("journal mode %v, %v", c, err)
	}
	must(s, a.SetJournalMode("write-back"))
	if p, err := a.ConsistencyPolicy(); err != nil || p != PolicyJournal {
		s.Errorf("policy %v, %v", p, err)
	}
	m, err := a.Member(strings.TrimPrefix(disks[3], "/dev/"))
	must(s, err)
	if slot, err := m.Slot(); err != nil || slot != JournalSlot {
		s.Errorf("slot of the journal %v, %v", slot, err)
	}
	if st, err := m.State(); err != nil || !st.Has(MemberJournal) {
		s.Errorf("state of the journal %v, %v", st, err)
	}
	s.mdadm("--stop", "/dev/md0")
	s.mdadm("--zero-superblock", disks[0], disks[1], disks[2], disks[3])

	s.mdadm("--create", "/dev/md0", "--run", "--level=5", "--raid-devices=3", "--assume-clean",
		"--consistency-policy=ppl", disks[0], disks[1], disks[2])
	if p, err := a.ConsistencyPolicy(); err != nil || p != PolicyPPL {
		s.Errorf("policy %v, %v", p, err)
	}
	m, err = a.Member(strings.TrimPrefix(disks[0], "/dev/"))
	must(s, err)
	sector, err := m.PPLSector()
	must(s, err)
	size, err := m.PPLSize()
	must(s, err)
	offset, err := m.Offset()
	must(s, err)
	if sector == 0 || size == 0 || sector+size > offset {
		s.Errorf("log at %d+%d, data at %d", sector, size, offset)
	}
	must(s, a.SetConsistencyPolicy(PolicyResync))
	if p, err := a.ConsistencyPolicy(); err != nil || p != PolicyResync {
		s.Errorf("policy %v, %v", p, err)
	}
	s.mdadm("--stop", "/dev/md0")
	s.mdadm("--zero-superblock", disks[0], disks[1], disks[2])
}

// sceneBitmapFile keeps a bitmap in a file on the file system of another disk.
func sceneBitmapFile(s *stage) {
	disks := s.g.Disks
	if out, err := exec.Command("mke2fs", "-q", disks[4]).CombinedOutput(); err != nil {
		s.Fatalf("mke2fs: %v: %s", err, out)
	}
	const dir = "/run/bits"
	must(s, os.Mkdir(dir, 0o700))
	if err := unix.Mount(disks[4], dir, "ext4", 0, ""); err != nil {
		s.Fatal(err)
	}
	defer unix.Unmount(dir, 0)
	holders, err := block.Holders(sysfs.Host, diskNum(s, disks[4]))
	if err != nil || len(holders) != 1 || holders[0].Kind != block.HeldByMount || holders[0].By != dir {
		s.Errorf("holders of a mounted disk: %v, %v", holders, err)
	}
	path := filepath.Join(dir, "bit map")
	out, err := exec.Command("mdadm", "--build", "/dev/md0", "--level=1", "--raid-devices=2",
		"--bitmap="+path, "--bitmap-chunk=64", disks[0], disks[1]).CombinedOutput()
	s.Logf("%s", out)
	if err != nil {
		// This kernel has no CONFIG_MD_BITMAP_FILE.
		d, err := iomd.OpenNumber(9, 0, os.O_RDWR)
		must(s, err)
		defer d.Close()
		if err := d.RemoveBitmapFile(); !errors.Is(err, iomd.ErrInvalid) {
			s.Errorf("no bitmap file, and %v", err)
		}
		stop(s, d)
		return
	}
	a, err := Open(sysfs.Host, "md0")
	must(s, err)
	eventually(s, "the array is in sync", func() bool {
		from, err := a.ResyncStart()
		return err == nil && !from.Set
	})
	s.idle(a)
	s.shot("bitmap-file")
	if p, err := a.BitmapLocation(); err != nil || !p.File {
		s.Errorf("location %v, %v", p, err)
	}
	if n, err := a.BitmapChunkSize(); err != nil || n != 65536 {
		s.Errorf("chunk %d, %v", n, err)
	}
	d, err := iomd.Open("/dev/md0", os.O_RDWR)
	must(s, err)
	defer d.Close()
	if got, err := d.BitmapFile(); err != nil || got != path {
		s.Errorf("bitmap file %q, %v", got, err)
	}
	s.settled(d.RemoveBitmapFile)
	if p, err := a.BitmapLocation(); err != nil || !p.None {
		s.Errorf("location %v, %v", p, err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	must(s, err)
	s.settled(func() error { return d.SetBitmapFile(f) })
	must(s, f.Close())
	if p, err := a.BitmapLocation(); err != nil || !p.File {
		s.Errorf("location %v, %v", p, err)
	}
	stop(s, d)
}

// sceneBitmapType chooses the kind of bitmap before there is one. No lab kernel
// is built with the lockless kind; if one is, the test notices.
func sceneBitmapType(s *stage) {
	_, a := prepare(s, 0, 1, iomd.ArrayInfo{NotPersistent: 1}, s.g.Disks[:2]...)
	kind, err := a.BitmapType()
	if errors.Is(err, sysfs.ErrNotSupported) {
		if err := a.SetBitmapType("none"); !errors.Is(err, sysfs.ErrNotSupported) {
			s.Error(err)
		}
		return
	}
	must(s, err)
	if !slices.Equal(kind.Available, []string{"none", "bitmap"}) || kind.Current != "bitmap" {
		s.Errorf("bitmap type %v", kind)
	}
	must(s, a.SetBitmapType("none"))
	if kind, err := a.BitmapType(); err != nil || kind.Current != "none" {
		s.Errorf("bitmap type %v, %v", kind, err)
	}
	err = a.SetBitmapType("llbitmap")
	if !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) || !strings.Contains(err.Error(), "does not have that kind") {
		s.Error(err)
	}
	if _, err := a.LocklessBits(); !errors.Is(err, sysfs.ErrNotSupported) {
		s.Error(err)
	}
	if _, err := a.LocklessMetadata(); !errors.Is(err, sysfs.ErrNotSupported) {
		s.Error(err)
	}
}
