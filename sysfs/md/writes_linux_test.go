package md

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/internal/lab"
	iomd "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/sysfs"
)

// wrote checks that a write succeeded, and that the kernel shows what was
// written.
func wrote[T comparable](t *testing.T, set error, get func() (T, error), want T) {
	t.Helper()
	if set != nil {
		t.Error(set)
		return
	}
	if got, err := get(); err != nil || got != want {
		t.Errorf("shows %v, %v, want %v", got, err, want)
	}
}

// refuses checks that the kernel refused a write with that errno, and that the
// error explains it.
func refuses(t *testing.T, err error, no unix.Errno) {
	t.Helper()
	t.Log(err)
	var e *sysfs.Error
	if !errors.Is(err, no) || !errors.As(err, &e) || e.Meaning == "" {
		t.Errorf("%v, want %v and what it means", err, no)
	}
}

// patient repeats a call while the kernel says busy: md looks for work after a
// start and after most changes, and is busy meanwhile.
func patient(t *testing.T, call func() error) (err error) {
	t.Helper()
	lab.Poll(t, func() string {
		if err = call(); errors.Is(err, unix.EBUSY) {
			return err.Error()
		}
		return ""
	})
	return err
}

func memberOf(t *testing.T, a *Array, disk string) *Member {
	t.Helper()
	m, err := a.Member(strings.TrimPrefix(disk, "/dev/"))
	must(t, err)
	return m
}

// TestLabWrites writes every attribute that can be written on a kernel without
// a cluster, and reads it back.
func TestLabWrites(t *testing.T) {
	mdadm := lab.Peer(t, "mdadm")
	lab.Run(
		t,
		lab.Spec{Modules: labModules, Disks: labDisks(4, 16<<20), Files: mdadm.Files},
		lab.Case{Name: "running raid1", Run: writesRaid1},
		lab.Case{Name: "running raid5", Run: writesRaid5},
		lab.Case{Name: "before the start", Run: writesInactive},
		lab.Case{Name: "bitmap", Run: writesBitmap},
		lab.Case{Name: "native members", Run: writesNative},
		lab.Case{Name: "modules", Run: writesModules},
	)
}

func writesRaid1(t *testing.T, g *lab.Guest) {
	_, a := build(t, 0, 1, iomd.ArrayInfo{Size: 8192, NotPersistent: 1, State: iomd.ArrayClean}, g.Disks[:2]...)
	wrote(t, patient(t, func() error { return a.SetComponentSize(4096) }), a.ComponentSize, 4096)
	refuses(t, patient(t, func() error { return a.SetComponentSize(1 << 30) }), unix.ENOSPC)
	wrote(t, a.SetArraySize(Some(2048)), a.ArraySize, Some(2048))
	refuses(t, a.SetArraySize(Some(1<<20)), unix.E2BIG)
	wrote(t, a.SetArraySize(None), a.ArraySize, None)
	wrote(t, a.SetMaxReadErrors(7), a.MaxReadErrors, 7)
	wrote(t, a.SetFailLastDev(true), a.FailLastDev, true)
	wrote(t, a.SetFailLastDev(false), a.FailLastDev, false)
	wrote(t, a.SetSerializePolicy(true), a.SerializePolicy, Some(1))
	wrote(t, a.SetSerializePolicy(false), a.SerializePolicy, Some(0))
	wrote(t, a.SetSyncSpeedMin(500), a.SyncSpeedMin, Limit{N: 500, Local: true})
	wrote(t, a.SetSyncSpeedMin(System), a.SyncSpeedMin, Limit{N: 1000})
	wrote(t, a.SetSyncSpeedMax(5000), a.SyncSpeedMax, Limit{N: 5000, Local: true})
	wrote(t, a.SetSyncSpeedMax(System), a.SyncSpeedMax, Limit{N: 200000})
	if _, err := a.SyncIODepth(); errors.Is(err, sysfs.ErrNotSupported) {
		if err := a.SetSyncIODepth(8); !errors.Is(err, sysfs.ErrNotSupported) {
			t.Error(err)
		}
	} else {
		wrote(t, a.SetSyncIODepth(8), a.SyncIODepth, Limit{N: 8, Local: true})
	}
	wrote(t, a.SetSyncForceParallel(true), a.SyncForceParallel, true)
	wrote(t, a.SetSyncMax(Some(4096)), a.SyncMax, Some(4096))
	wrote(t, patient(t, func() error { return a.SetSyncMin(1028) }), a.SyncMin, 1024) // rounded down to 4 KiB
	refuses(t, a.SetSyncMax(Some(8)), unix.EINVAL)
	refuses(t, patient(t, func() error { return a.SetSyncMin(8192) }), unix.EINVAL)
	wrote(t, patient(t, func() error { return a.SetSyncMin(0) }), a.SyncMin, 0)
	wrote(t, a.SetSyncMax(None), a.SyncMax, None)
	wrote(t, a.SetSuspendHi(64), a.SuspendHi, 64)
	wrote(t, a.SetSuspendLo(64), a.SuspendLo, 64)
	delay, err := a.SafeModeDelay()
	if err != nil || delay < 190*time.Millisecond || delay > 210*time.Millisecond {
		t.Errorf("safe mode delay %v, %v", delay, err)
	}
	wrote(t, a.SetSafeModeDelay(3*time.Second), a.SafeModeDelay, 3*time.Second)

	refuses(t, a.SetResyncStart(Some(0)), unix.EBUSY)
	wrote(t, a.SetSyncAction(Frozen), a.SyncAction, Frozen)
	wrote(t, a.SetResyncStart(Some(2048)), a.ResyncStart, Some(2048))
	wrote(t, a.SetResyncStart(None), a.ResyncStart, None)
	wrote(t, a.SetSyncAction(Idle), a.SyncAction, Idle)
	refuses(t, a.SetSyncAction("dance"), unix.EINVAL)
	if last, err := a.LastSyncAction(); err != nil || last != NoAction && last != Idle {
		t.Errorf("last action %v, %v", last, err)
	}
	refuses(t, a.SetState("party"), unix.EINVAL)
	refuses(t, a.SetState(Clear), unix.EBUSY) // its device is open
	refuses(t, a.SetState(Suspended), unix.EINVAL)
	refuses(t, a.SetReshapePosition(0), unix.EBUSY)
	refuses(t, a.SetMetadata(Metadata{}), unix.EBUSY)
	refuses(t, patient(t, func() error { return a.SetLayout(3) }), unix.EINVAL)
	refuses(t, a.SetConsistencyPolicy(PolicyPPL), unix.EBUSY)
	refuses(t, a.AddDevice(diskNum(t, g.Disks[0])), unix.EBUSY)

	// The level changes while the array runs, and mdstat with it.
	wrote(t, patient(t, func() error { return a.SetLevel(RAID5) }), a.Level, RAID5)
	refuses(t, patient(t, func() error { return a.SetLevel("raid99") }), unix.EINVAL)

	m := memberOf(t, a, g.Disks[1])
	wrote(t, m.SetErrors(3), m.Errors, 3)
	for _, c := range []struct {
		set, clear MemberCommand
		flag       MemberState
	}{
		{SetWriteMostly, ClearWriteMostly, MemberWriteMostly},
		{SetFailFast, ClearFailFast, MemberFailFast},
		{Block, Unblock, MemberBlocked},
		{SetWriteError, ClearWriteError, MemberWriteError},
	} {
		wrote(t, m.Command(c.set), m.State, MemberInSync|c.flag)
		wrote(t, m.Command(c.clear), m.State, MemberInSync)
	}
	refuses(t, m.Command(SetReplacement), unix.EBUSY)
	refuses(t, m.Command(ClearReplacement), unix.EBUSY)
	refuses(t, m.Command(Remove), unix.EBUSY)
	refuses(t, m.Command(ReAdd), unix.EBUSY)
	refuses(t, m.Command(SetInSync), unix.EINVAL)
	refuses(t, m.Command(ExternalBadBlocks), unix.EINVAL)
	refuses(t, m.SetSlot(1), unix.EBUSY)
	refuses(t, m.SetSlot(NoSlot), unix.EBUSY)
	refuses(t, m.SetOffset(8), unix.EBUSY)
	refuses(t, m.SetRecoveryStart(None), unix.EBUSY)
	refuses(t, m.SetPPLSector(8), unix.EBUSY)
	must(t, m.Command(Fail))
	eventually(t, "the member is failed", func() bool {
		st, err := m.State()
		return err == nil && st.Has(MemberFaulty)
	})
	eventually(t, "the member leaves", func() bool { return m.Command(Remove) == nil })
	if n, err := a.Degraded(); err != nil || n != 1 {
		t.Errorf("degraded %d, %v", n, err)
	}
}

func writesRaid5(t *testing.T, g *lab.Guest) {
	_, a := build(t, 0, 5, iomd.ArrayInfo{Size: 8192, NotPersistent: 1, ChunkSize: 65536, Layout: 2, State: iomd.ArrayClean}, g.Disks[:3]...)
	wrote(t, a.SetStripeCacheSize(512), a.StripeCacheSize, 512)
	refuses(t, a.SetStripeCacheSize(3), unix.EINVAL)
	if _, err := a.StripeCacheActive(); err != nil {
		t.Error(err)
	}
	wrote(t, a.SetPrereadBypassThreshold(4), a.PrereadBypassThreshold, 4)
	refuses(t, a.SetPrereadBypassThreshold(1<<20), unix.EINVAL)
	wrote(t, a.SetGroupThreadCount(2), a.GroupThreadCount, 2)
	refuses(t, a.SetGroupThreadCount(10000), unix.EINVAL)
	wrote(t, a.SetGroupThreadCount(0), a.GroupThreadCount, 0)
	wrote(t, a.SetSkipCopy(true), a.SkipCopy, true)
	wrote(t, a.SetRMWLevel(0), a.RMWLevel, 0)
	refuses(t, a.SetRMWLevel(9), unix.EINVAL)
	if n, err := a.StripeSize(); err != nil || n != 4096 {
		t.Errorf("stripe size %d, %v", n, err)
	}
	refuses(t, a.SetStripeSize(8192), unix.EACCES) // a page is 4096 bytes here
	refuses(t, a.SetPPLWriteHint(1), unix.EINVAL)
	refuses(t, a.SetJournalMode("write-back"), unix.ENODEV)
	if _, err := a.JournalMode(); !errors.Is(err, sysfs.ErrEmpty) {
		t.Errorf("journal mode without a journal: %v", err)
	}
	refuses(t, a.SetConsistencyPolicy(PolicyResync), unix.EINVAL)
	refuses(t, a.SetSerializePolicy(true), unix.EINVAL)
	refuses(t, patient(t, func() error { return a.SetChunkSize(1000) }), unix.EINVAL)
	refuses(t, patient(t, func() error { return a.SetLayout(99) }), unix.EINVAL)
	refuses(t, patient(t, func() error { return a.SetRaidDisks(1) }), unix.EINVAL)
}

// writesInactive sets up an array with external metadata through sysfs alone,
// which accepts every attribute that an array has before it runs.
func writesInactive(t *testing.T, g *lab.Guest) {
	must(t, ModuleParams(sysfs.Host).NewArray("md_set"))
	if err := ModuleParams(sysfs.Host).NewArray("md_set"); !errors.Is(err, unix.EEXIST) {
		t.Errorf("the same name again: %v", err)
	}
	a, err := Open(sysfs.Host, "md_set")
	must(t, err)
	if st, err := a.State(); err != nil || st != Clear || st.Running() {
		t.Errorf("state %v, %v", st, err)
	}
	refuses(t, a.SetMetadata(Metadata{Kind: MetadataNative, Major: 7}), unix.ENOENT)
	for _, m := range []string{"none", "0.90", "1.2", "external:test"} {
		meta, err := parseMetadata(m)
		must(t, err)
		wrote(t, a.SetMetadata(meta), a.Metadata, meta)
	}
	wrote(t, a.SetLevel(RAID5), a.Level, RAID5)
	wrote(t, a.SetLayout(2), a.Layout, Transition{Now: 2, Old: 2})
	wrote(t, a.SetRaidDisks(3), a.RaidDisks, Transition{Now: 3, Old: 3})
	wrote(t, a.SetChunkSize(65536), a.ChunkSize, Transition{Now: 65536, Old: 65536})
	wrote(t, a.SetComponentSize(8192), a.ComponentSize, 8192)
	refuses(t, a.SetComponentSize(16384), unix.ENOSPC)
	wrote(t, a.SetResyncStart(Some(128)), a.ResyncStart, Some(128))
	wrote(t, a.SetResyncStart(None), a.ResyncStart, None)
	wrote(t, a.SetConsistencyPolicy(PolicyPPL), a.ConsistencyPolicy, PolicyPPL)

	// A reshape from three members to four, set up as assembly would to resume
	// one.
	wrote(t, a.SetReshapePosition(1024), a.ReshapePosition, Some(1024))
	wrote(t, a.SetRaidDisks(4), a.RaidDisks, Transition{Now: 4, Old: 3, Reshaping: true})
	refuses(t, a.SetReshapeDirection(Backwards), unix.EBUSY)
	wrote(t, a.SetRaidDisks(3), a.RaidDisks, Transition{Now: 3, Old: 3})
	wrote(t, a.SetReshapeDirection(Backwards), a.ReshapeDirection, Backwards)
	wrote(t, a.SetReshapeDirection(Forwards), a.ReshapeDirection, Forwards)
	wrote(t, a.SetChunkSize(131072), a.ChunkSize, Transition{Now: 131072, Old: 65536, Reshaping: true})
	wrote(t, a.SetLayout(3), a.Layout, Transition{Now: 3, Old: 2, Reshaping: true})
	if _, err := a.NewLevel(); errors.Is(err, sysfs.ErrNotSupported) {
		if err := a.SetNewLevel(6); !errors.Is(err, sysfs.ErrNotSupported) {
			t.Error(err)
		}
	} else {
		wrote(t, a.SetNewLevel(6), a.NewLevel, 6)
	}
	wrote(t, a.SetReshapePosition(0), a.ReshapePosition, Some(0)) // and the new shape is the old one

	must(t, a.AddDevice(diskNum(t, g.Disks[0])))
	if err := a.AddDevice(diskNum(t, "/dev/null")); !errors.Is(err, unix.ENXIO) {
		t.Errorf("a device that does not exist: %v", err)
	}
	m := memberOf(t, a, g.Disks[0])
	wrote(t, m.SetOffset(2048), m.Offset, 2048)
	wrote(t, m.SetSize(8192), m.Size, 8192)
	refuses(t, m.SetOffset(4096), unix.EBUSY)
	refuses(t, m.SetSize(4096), unix.EINVAL)
	wrote(t, m.SetSlot(2), m.Slot, 2)
	refuses(t, m.SetSlot(3), unix.ENOSPC)
	refuses(t, m.SetNewOffset(8192), unix.E2BIG)
	wrote(t, m.SetNewOffset(1024), m.NewOffset, 1024)
	wrote(t, m.SetNewOffset(2048), m.NewOffset, 2048)
	wrote(t, m.SetRecoveryStart(Some(256)), m.RecoveryStart, Some(256))
	if st, err := m.State(); err != nil || !st.Has(MemberSpare) {
		t.Errorf("state %v, %v", st, err)
	}
	wrote(t, m.SetRecoveryStart(None), m.RecoveryStart, None)
	wrote(t, m.Command(ExternalBadBlocks), m.State, MemberInSync|MemberExternalBBL)
	must(t, m.AddBadBlocks(BadBlocks{4096, 8}))
	must(t, m.AddBadBlocks(BadBlocks{8192, 520}))
	must(t, m.AddUnacknowledgedBadBlocks(BadBlocks{16384, 4}))
	if list, err := m.BadBlocks(); err != nil || len(list) < 3 || list[0] != (BadBlocks{4096, 8}) {
		t.Errorf("bad blocks %v, %v", list, err)
	}
	if list, err := m.UnacknowledgedBadBlocks(); err != nil || len(list) != 1 || list[0] != (BadBlocks{16384, 4}) {
		t.Errorf("unacknowledged bad blocks %v, %v", list, err)
	}
	must(t, m.Command(NotExternalBadBlocks))
	if st, err := m.State(); err != nil || !st.Has(MemberFaulty|MemberBlocked) {
		t.Errorf("state with bad blocks nobody wrote down: %v, %v", st, err)
	}
	must(t, m.Command(ExternalBadBlocks))
	must(t, m.Command(SetReplacement))
	if st, err := m.State(); err != nil || !st.Has(MemberReplacement) {
		t.Errorf("state %v, %v", st, err)
	}
	must(t, m.Command(ClearReplacement))
	must(t, m.Command(WantReplacement))
	if st, err := m.State(); err != nil || !st.Has(MemberWantReplacement) {
		t.Errorf("state %v, %v", st, err)
	}
	must(t, m.Command(UnwantReplacement))
	wrote(t, m.SetPPLSector(16), m.PPLSector, 16)
	wrote(t, m.SetPPLSize(2048), m.PPLSize, 2048)
	must(t, m.Command(ClearInSync))
	if slot, err := m.Slot(); err != nil || slot != NoSlot {
		t.Errorf("slot %v, %v", slot, err)
	}
	must(t, m.Command(SetInSync))
	must(t, m.Command(Remove))
	must(t, a.SetState(Clear))

	if _, err := a.LogicalBlockSize(); errors.Is(err, sysfs.ErrNotSupported) {
		if err := a.SetLogicalBlockSize(4096); !errors.Is(err, sysfs.ErrNotSupported) {
			t.Error(err)
		}
	}
}

func writesBitmap(t *testing.T, g *lab.Guest) {
	disks := g.Disks[:2]
	out, err := exec.Command("mdadm", "--create", "/dev/md0", "--run", "--level=1", "--raid-devices=2", "--assume-clean",
		"--bitmap=internal", disks[0], "--write-mostly", disks[1]).CombinedOutput()
	if err != nil {
		t.Fatalf("mdadm: %v: %s", err, out)
	}
	defer func() {
		if out, err := exec.Command("mdadm", "--stop", "/dev/md0").CombinedOutput(); err != nil {
			t.Errorf("mdadm: %v: %s", err, out)
		}
	}()
	a, err := Open(sysfs.Host, "md0")
	must(t, err)
	place, err := a.BitmapLocation()
	if err != nil || place.None || place.File {
		t.Fatalf("location %v, %v", place, err)
	}
	refuses(t, a.SetBitmapLocation(BitmapPlace{Offset: 16}), unix.EBUSY)
	wrote(t, a.SetBitmapTimeBase(2500*time.Millisecond), a.BitmapTimeBase, 2500*time.Millisecond)
	wrote(t, a.SetBitmapCanClear(false), a.BitmapCanClear, false)
	wrote(t, a.SetBitmapCanClear(true), a.BitmapCanClear, true)
	wrote(t, a.SetBitmapBacklog(128), a.BitmapBacklog, 128)
	refuses(t, a.SetBitmapBacklog(1<<20), unix.EINVAL)
	refuses(t, a.SetBitmapSpace(0), unix.EINVAL)
	wrote(t, a.SetBitmapSpace(16), a.BitmapSpace, 16)
	refuses(t, a.SetBitmapChunkSize(131072), unix.EBUSY)
	refuses(t, a.SetBitmapMetadata(BitmapExternal), unix.EBUSY)
	if n, err := a.BitmapMaxBacklogUsed(); err != nil || n != 0 {
		t.Errorf("backlog used %d, %v", n, err)
	}
	must(t, a.ResetBitmapMaxBacklogUsed())
	must(t, a.SetBitmapBits(0, 3))
	if p, err := a.ConsistencyPolicy(); err != nil || p != PolicyBitmap {
		t.Errorf("policy %v, %v", p, err)
	}

	none := BitmapPlace{None: true}
	settle := func(p BitmapPlace) {
		t.Helper()
		(&stage{t, g}).settled(func() error { return a.SetBitmapLocation(p) })
		wrote(t, nil, a.BitmapLocation, p)
	}
	settle(none)
	if _, err := a.BitmapMetadata(); errors.Is(err, sysfs.ErrNotSupported) {
		// Later kernels show the rest only while there is a bitmap.
		if err := a.SetBitmapChunkSize(65536); !errors.Is(err, sysfs.ErrNotSupported) {
			t.Error(err)
		}
	} else {
		wrote(t, a.SetBitmapMetadata(BitmapExternal), a.BitmapMetadata, BitmapExternal)
		wrote(t, a.SetBitmapMetadata(BitmapInternal), a.BitmapMetadata, BitmapInternal)
		refuses(t, a.SetBitmapChunkSize(1000), unix.EINVAL)
		wrote(t, a.SetBitmapChunkSize(65536), a.BitmapChunkSize, 65536)
		refuses(t, a.SetBitmapCanClear(true), unix.ENOENT)
		if _, err := a.BitmapCanClear(); !errors.Is(err, sysfs.ErrEmpty) {
			t.Errorf("can_clear without a bitmap: %v", err)
		}
	}
	refuses(t, patient(t, func() error { return a.SetBitmapLocation(BitmapPlace{Offset: place.Offset + 64}) }), unix.EINVAL)
	settle(none)  // up to Linux 6.12 the refused location stays set
	settle(place) // the kernel expects a bitmap superblock there, and finds the old one
	settle(none)
	m := memberOf(t, a, disks[0])
	wrote(t, m.SetSize(0), m.Size, 15360) // everything after the data offset
}

// writesNative binds the members of an array with metadata 1.2 again by
// new_dev, and puts a failed member back in its slot.
func writesNative(t *testing.T, g *lab.Guest) {
	disks := g.Disks[:2]
	mdadm := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("mdadm", args...).CombinedOutput(); err != nil {
			t.Fatalf("mdadm: %v: %s", err, out)
		}
	}
	mdadm("--create", "/dev/md0", "--run", "--level=1", "--raid-devices=2", "--assume-clean", "--bitmap=internal", disks[0], disks[1])
	mdadm("--stop", "/dev/md0")

	must(t, ModuleParams(sysfs.Host).NewArray("md_back"))
	a, err := Open(sysfs.Host, "md_back")
	must(t, err)
	must(t, a.SetMetadata(Metadata{Kind: MetadataNative, Major: 1, Minor: 2}))
	refuses(t, a.AddDevice(diskNum(t, g.Disks[3])), unix.EINVAL)
	for _, disk := range disks {
		must(t, a.AddDevice(diskNum(t, disk)))
	}
	must(t, a.SetState(Active))
	if id, err := a.UUID(); err != nil || id == (UUID{}) {
		t.Errorf("uuid %v, %v", id, err)
	}
	if _, err := a.LogicalBlockSize(); err == nil {
		refuses(t, a.SetLogicalBlockSize(4096), unix.EBUSY)
	}
	m := memberOf(t, a, disks[1])
	must(t, m.AddBadBlocks(BadBlocks{4096, 8}))
	if list, err := m.BadBlocks(); err != nil || len(list) != 1 {
		t.Errorf("bad blocks %v, %v", list, err)
	}
	must(t, m.Command(Fail))
	eventually(t, "the member is out", func() bool {
		slot, err := m.Slot()
		return err == nil && slot == NoSlot
	})
	must(t, m.Command(ReAdd))
	eventually(t, "the member is back", func() bool {
		st, err := m.State()
		return err == nil && st.Has(MemberInSync)
	})
	must(t, a.SetState(Inactive))
	if st, err := a.State(); err != nil || st != Inactive {
		t.Errorf("state %v, %v", st, err)
	}
	must(t, a.SetState(Clear))
	mdadm("--zero-superblock", disks[0], disks[1])
}

func writesModules(t *testing.T, _ *lab.Guest) {
	p := ModuleParams(sysfs.Host)
	for name, c := range map[string]struct {
		get func() (bool, error)
		set func(bool) error
	}{
		"start_ro":                      {p.StartReadOnly, p.SetStartReadOnly},
		"start_dirty_degraded":          {p.StartDirtyDegraded, p.SetStartDirtyDegraded},
		"create_on_open":                {p.CreateOnOpen, p.SetCreateOnOpen},
		"legacy_async_del_gendisk":      {p.LegacyDelete, p.SetLegacyDelete},
		"check_new_feature":             {p.CheckNewFeature, p.SetCheckNewFeature},
		"devices_handle_discard_safely": {p.DiscardSafely, p.SetDiscardSafely},
	} {
		was, err := c.get()
		if errors.Is(err, sysfs.ErrNotSupported) {
			t.Logf("no %s", name)
			if err := c.set(true); !errors.Is(err, sysfs.ErrNotSupported) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		t.Logf("%s is %v, %v", name, was, err)
		wrote(t, c.set(!was), c.get, !was)
		wrote(t, c.set(was), c.get, was)
	}
	for _, layout := range []int{1, 2, 0} {
		wrote(t, p.SetRaid0Layout(layout), p.Raid0Layout, layout)
	}
	if err := p.NewArray("sda"); !errors.Is(err, unix.EINVAL) {
		t.Errorf("an array by a disk's name: %v", err)
	}
}
