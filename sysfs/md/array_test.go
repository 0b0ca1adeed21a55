package md

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mdkit/mdkit/sysfs"
	"github.com/mdkit/mdkit/sysfs/block"
)

// tree makes a root with the given files, by path; a text that begins with "->"
// makes a symbolic link.
func tree(t testing.TB, files map[string]string) sysfs.FS {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, ok := strings.CutPrefix(text, "->"); ok {
			err = os.Symlink(target, path)
		} else {
			err = os.WriteFile(path, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	root, err := filepath.EvalSymlinks(root)
	if err != nil {
		t.Fatal(err)
	}
	fsys, err := sysfs.NewFS(root)
	if err != nil {
		t.Fatal(err)
	}
	return fsys
}

func array(t testing.TB, attrs map[string]string) *Array {
	t.Helper()
	files := map[string]string{"sys/block/md0/md/uuid": "00000000-0000-0000-0000-000000000000\n"}
	for name, text := range attrs {
		files["sys/block/md0/md/"+name] = text
	}
	a, err := Open(tree(t, files), "md0")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Every attribute in the table, with a text as the kernel prints it, and its
// value.
func TestAttributeValues(t *testing.T) {
	uuid := UUID{0x81, 0x8c, 0xa0, 0xa2, 0x0e, 0x43, 0x63, 0xe9, 0xfe, 0x4f, 0xf3, 0x91, 0x01, 0x40, 0x1b, 0xd4}
	array := map[string][]struct {
		text string
		want any
	}{
		"level":                    {{"raid5\n", RAID5}, {"5\n", Level("5")}},
		"new_level":                {{"-1000000\n", -1000000}, {"5\n", 5}},
		"layout":                   {{"2\n", Transition{Now: 2, Old: 2}}, {"-1\n", Transition{Now: -1, Old: -1}}},
		"raid_disks":               {{"5 (4)\n", Transition{Now: 5, Old: 4, Reshaping: true}}},
		"uuid":                     {{"818ca0a2-0e43-63e9-fe4f-f39101401bd4\n", uuid}},
		"chunk_size":               {{"524288\n", Transition{Now: 524288, Old: 524288}}},
		"component_size":           {{"18446744073709551615\n", uint64(1<<64 - 1)}},
		"array_size":               {{"default\n", None}, {"1024\n", Some(1024)}},
		"metadata_version":         {{"1.2\n", Metadata{Kind: MetadataNative, Major: 1, Minor: 2}}, {"none\n", Metadata{}}, {"external:-md127/0\n", Metadata{Kind: MetadataExternal, External: "-md127/0"}}},
		"resync_start":             {{"none\n", None}, {"0\n", Some(0)}},
		"array_state":              {{"write-pending\n", WritePending}, {"broken\n", Broken}},
		"safe_mode_delay":          {{"0.204\n", 204 * time.Millisecond}, {"0.000\n", time.Duration(0)}},
		"reshape_position":         {{"none\n", None}, {"3072\n", Some(3072)}},
		"reshape_direction":        {{"backwards\n", Backwards}},
		"max_read_errors":          {{"20\n", uint64(20)}},
		"consistency_policy":       {{"ppl\n", PolicyPPL}, {"unknown\n", PolicyUnknown}},
		"fail_last_dev":            {{"0\n", false}, {"1\n", true}},
		"serialize_policy":         {{"n/a\n", None}, {"1\n", Some(1)}},
		"logical_block_size":       {{"4096\n", uint64(4096)}},
		"bitmap_type":              {{"none [bitmap] llbitmap \n", Choice{"bitmap", []string{"none", "bitmap", "llbitmap"}}}},
		"sync_action":              {{"recover\n", Recover}, {"frozen\n", Frozen}},
		"last_sync_action":         {{"none\n", NoAction}, {"recovery\n", Recover}, {"check\n", Check}},
		"mismatch_cnt":             {{"128\n", uint64(128)}},
		"sync_speed_min":           {{"1000 (system)\n", Limit{N: 1000}}},
		"sync_speed_max":           {{"5 (local)\n", Limit{N: 5, Local: true}}},
		"sync_io_depth":            {{"32 (system)\n", Limit{N: 32}}},
		"sync_speed":               {{"none\n", None}, {"52224\n", Some(52224)}},
		"sync_force_parallel":      {{"0\n", false}},
		"sync_completed":           {{"none\n", Progress{}}, {"delayed\n", Progress{Running: true, Delayed: true}}, {"1024 / 4096\n", Progress{Running: true, Done: 1024, Total: 4096}}},
		"sync_min":                 {{"8\n", uint64(8)}},
		"sync_max":                 {{"max\n", None}, {"1024\n", Some(1024)}},
		"suspend_lo":               {{"0\n", uint64(0)}},
		"suspend_hi":               {{"0\n", uint64(0)}},
		"degraded":                 {{"1\n", 1}},
		"stripe_cache_size":        {{"256\n", uint64(256)}},
		"stripe_cache_active":      {{"0\n", uint64(0)}},
		"preread_bypass_threshold": {{"1\n", uint64(1)}},
		"group_thread_cnt":         {{"0\n", uint64(0)}},
		"skip_copy":                {{"0\n", false}},
		"rmw_level":                {{"1\n", uint64(1)}},
		"stripe_size":              {{"4096\n", uint64(4096)}},
		"journal_mode":             {{"[write-through] write-back\n", Choice{"write-through", []string{"write-through", "write-back"}}}},
		"ppl_write_hint":           {{"0\n", uint64(0)}},
		"bitmap/location":          {{"none\n", BitmapPlace{None: true}}, {"file\n", BitmapPlace{File: true}}, {"+8\n", BitmapPlace{Offset: 8}}, {"-16\n", BitmapPlace{Offset: -16}}},
		"bitmap/space":             {{"0\n", uint64(0)}},
		"bitmap/time_base":         {{"5\n", 5 * time.Second}, {"2.500\n", 2500 * time.Millisecond}},
		"bitmap/backlog":           {{"0\n", uint64(0)}},
		"bitmap/chunksize":         {{"67108864\n", uint64(67108864)}},
		"bitmap/metadata":          {{"clustered\n", BitmapClustered}},
		"bitmap/can_clear":         {{"true\n", true}, {"false\n", false}},
		"bitmap/max_backlog_used":  {{"0\n", uint64(0)}},
		"llbitmap/bits":            {{"unwritten 7\nneed sync unwritten 2\n", map[string]uint64{"unwritten": 7, "need sync unwritten": 2}}},
		"llbitmap/metadata":        {{"chunksize 128\nchunkshift 7\nchunks 16\noffset 8\ndaemon_sleep 5\n", map[string]uint64{"chunksize": 128, "chunkshift": 7, "chunks": 16, "offset": 8, "daemon_sleep": 5}}},
		"llbitmap/daemon_sleep":    {{"5\n", uint64(5)}},
		"llbitmap/barrier_idle":    {{"5\n", uint64(5)}},
	}
	member := map[string][]struct {
		text string
		want any
	}{
		"state":                     {{"in_sync,write_mostly\n", MemberInSync | MemberWriteMostly}, {"faulty,blocked,external_bbl\n", MemberFaulty | MemberBlocked | MemberExternalBBL}, {"\n", MemberState(0)}},
		"errors":                    {{"3\n", uint64(3)}},
		"slot":                      {{"0\n", Slot(0)}, {"none\n", NoSlot}, {"journal\n", JournalSlot}},
		"offset":                    {{"2048\n", uint64(2048)}},
		"new_offset":                {{"2048\n", uint64(2048)}},
		"size":                      {{"1024\n", uint64(1024)}},
		"recovery_start":            {{"none\n", None}, {"128\n", Some(128)}},
		"bad_blocks":                {{"", []BadBlocks(nil)}, {"100 8\n2048 512\n", []BadBlocks{{100, 8}, {2048, 512}}}},
		"unacknowledged_bad_blocks": {{"7 1\n", []BadBlocks{{7, 1}}}},
		"ppl_sector":                {{"0\n", uint64(0)}},
		"ppl_size":                  {{"0\n", uint64(0)}},
	}
	for _, set := range []struct {
		attrs []Attribute
		texts map[string][]struct {
			text string
			want any
		}
	}{{Attributes(), array}, {MemberAttributes(), member}} {
		for _, at := range set.attrs {
			if at.Access&ReadOnlyAttr == 0 {
				continue
			}
			if len(set.texts[at.Name]) == 0 {
				t.Errorf("%s has no test", at.Name)
			}
			for _, c := range set.texts[at.Name] {
				dir := t.TempDir()
				path := filepath.Join(dir, at.Name)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(c.text), 0o644); err != nil {
					t.Fatal(err)
				}
				got, err := at.Read(sysfs.Dir(dir))
				if err != nil || !reflect.DeepEqual(got, c.want) {
					t.Errorf("%s %q = %#v, %v, want %#v", at.Name, c.text, got, err, c.want)
				}
				// Text that no attribute can have is refused, with path and
				// text.
				if err := os.WriteFile(path, []byte("1 ?? [\n"), 0o644); err != nil {
					t.Fatal(err)
				}
				_, err = at.Read(sysfs.Dir(dir))
				var pe *sysfs.ParseError
				if !errors.As(err, &pe) || pe.Path != path || pe.Text != "1 ?? [" || strings.Contains(err.Error(), "\n") {
					t.Errorf("%s of nonsense: %v", at.Name, err)
				}
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
				if _, err = at.Read(sysfs.Dir(dir)); !errors.Is(err, sysfs.ErrNotSupported) || !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), at.Name) {
					t.Errorf("%s absent: %v", at.Name, err)
				}
			}
		}
	}
}

// Methods that none of our tools call read the attribute they are named after.
func TestReadsForOthers(t *testing.T) {
	a := array(t, map[string]string{
		"sync_speed": "1\n", "ppl_write_hint": "2\n", "llbitmap/daemon_sleep": "3\n", "llbitmap/barrier_idle": "4\n",
	})
	speed, err1 := a.SyncSpeed()
	hint, err2 := a.PPLWriteHint()
	sleep, err3 := a.LocklessDaemonSleep()
	idle, err4 := a.LocklessBarrierIdle()
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	if speed != Some(1) || hint != 2 || sleep != 3 || idle != 4 {
		t.Errorf("%v, %d, %d, %d", speed, hint, sleep, idle)
	}
}

// Every method that writes, with the text that reaches the file.
func TestWrites(t *testing.T) {
	a := array(t, map[string]string{"dev-sda/state": "spare\n"})
	m, err := a.Member("sda")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		file string
		call func() error
		want string
	}{
		{"level", func() error { return a.SetLevel(RAID6) }, "raid6"},
		{"new_level", func() error { return a.SetNewLevel(6) }, "6"},
		{"layout", func() error { return a.SetLayout(2) }, "2"},
		{"raid_disks", func() error { return a.SetRaidDisks(5) }, "5"},
		{"chunk_size", func() error { return a.SetChunkSize(65536) }, "65536"},
		{"component_size", func() error { return a.SetComponentSize(1 << 40) }, "1099511627776"},
		{"array_size", func() error { return a.SetArraySize(None) }, "default"},
		{"array_size", func() error { return a.SetArraySize(Some(7)) }, "7"},
		{"metadata_version", func() error { return a.SetMetadata(Metadata{Kind: MetadataExternal, External: "imsm"}) }, "external:imsm"},
		{"metadata_version", func() error { return a.SetMetadata(Metadata{Kind: MetadataNative, Minor: 90}) }, "0.90"},
		{"reshape_position", func() error { return a.SetReshapePosition(64) }, "64"},
		{"reshape_direction", func() error { return a.SetReshapeDirection(Backwards) }, "backwards"},
		{"logical_block_size", func() error { return a.SetLogicalBlockSize(4096) }, "4096"},
		{"array_state", func() error { return a.SetState(ReadAuto) }, "read-auto"},
		{"safe_mode_delay", func() error { return a.SetSafeModeDelay(1204 * time.Millisecond) }, "1.204"},
		{"max_read_errors", func() error { return a.SetMaxReadErrors(20) }, "20"},
		{"consistency_policy", func() error { return a.SetConsistencyPolicy(PolicyPPL) }, "ppl"},
		{"fail_last_dev", func() error { return a.SetFailLastDev(true) }, "1"},
		{"serialize_policy", func() error { return a.SetSerializePolicy(false) }, "0"},
		{"bitmap_type", func() error { return a.SetBitmapType("llbitmap") }, "llbitmap"},
		{"new_dev", func() error { return a.AddDevice(block.Num{Major: 8, Minor: 16}) }, "8:16"},
		{"sync_action", func() error { return a.SetSyncAction(Check) }, "check"},
		{"sync_speed_min", func() error { return a.SetSyncSpeedMin(System) }, "system"},
		{"sync_speed_max", func() error { return a.SetSyncSpeedMax(100) }, "100"},
		{"sync_io_depth", func() error { return a.SetSyncIODepth(8) }, "8"},
		{"sync_force_parallel", func() error { return a.SetSyncForceParallel(true) }, "1"},
		{"sync_min", func() error { return a.SetSyncMin(8) }, "8"},
		{"sync_max", func() error { return a.SetSyncMax(None) }, "max"},
		{"resync_start", func() error { return a.SetResyncStart(None) }, "none"},
		{"suspend_lo", func() error { return a.SetSuspendLo(16) }, "16"},
		{"suspend_hi", func() error { return a.SetSuspendHi(32) }, "32"},
		{"stripe_cache_size", func() error { return a.SetStripeCacheSize(512) }, "512"},
		{"preread_bypass_threshold", func() error { return a.SetPrereadBypassThreshold(2) }, "2"},
		{"group_thread_cnt", func() error { return a.SetGroupThreadCount(4) }, "4"},
		{"skip_copy", func() error { return a.SetSkipCopy(true) }, "1"},
		{"rmw_level", func() error { return a.SetRMWLevel(0) }, "0"},
		{"stripe_size", func() error { return a.SetStripeSize(4096) }, "4096"},
		{"journal_mode", func() error { return a.SetJournalMode("write-back") }, "write-back"},
		{"ppl_write_hint", func() error { return a.SetPPLWriteHint(0) }, "0"},
		{"bitmap/location", func() error { return a.SetBitmapLocation(BitmapPlace{Offset: 8}) }, "+8"},
		{"bitmap/space", func() error { return a.SetBitmapSpace(8) }, "8"},
		{"bitmap/time_base", func() error { return a.SetBitmapTimeBase(5500 * time.Millisecond) }, "5.5000"},
		{"bitmap/backlog", func() error { return a.SetBitmapBacklog(256) }, "256"},
		{"bitmap/chunksize", func() error { return a.SetBitmapChunkSize(1 << 26) }, "67108864"},
		{"bitmap/metadata", func() error { return a.SetBitmapMetadata(BitmapExternal) }, "external"},
		{"bitmap/can_clear", func() error { return a.SetBitmapCanClear(true) }, "true"},
		{"bitmap/max_backlog_used", a.ResetBitmapMaxBacklogUsed, "0"},
		{"bitmap_set_bits", func() error { return a.SetBitmapBits(0, 9) }, "0-9"},
		{"llbitmap/daemon_sleep", func() error { return a.SetLocklessDaemonSleep(5) }, "5"},
		{"llbitmap/barrier_idle", func() error { return a.SetLocklessBarrierIdle(5) }, "5"},
		{"llbitmap/proactive_sync", a.LocklessProactiveSync, "1"},
		{"dev-sda/state", func() error { return m.Command(ClearInSync) }, "-insync"},
		{"dev-sda/errors", func() error { return m.SetErrors(0) }, "0"},
		{"dev-sda/slot", func() error { return m.SetSlot(NoSlot) }, "none"},
		{"dev-sda/slot", func() error { return m.SetSlot(3) }, "3"},
		{"dev-sda/offset", func() error { return m.SetOffset(2048) }, "2048"},
		{"dev-sda/new_offset", func() error { return m.SetNewOffset(4096) }, "4096"},
		{"dev-sda/size", func() error { return m.SetSize(1024) }, "1024"},
		{"dev-sda/recovery_start", func() error { return m.SetRecoveryStart(Some(8)) }, "8"},
		{"dev-sda/bad_blocks", func() error { return m.AddBadBlocks(BadBlocks{100, 8}) }, "100 8"},
		{"dev-sda/unacknowledged_bad_blocks", func() error { return m.AddUnacknowledgedBadBlocks(BadBlocks{7, 1}) }, "7 1"},
		{"dev-sda/ppl_sector", func() error { return m.SetPPLSector(16) }, "16"},
		{"dev-sda/ppl_size", func() error { return m.SetPPLSize(2048) }, "2048"},
	} {
		path := a.Dir().Path(c.file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		if err := c.call(); !errors.Is(err, sysfs.ErrNotSupported) {
			t.Errorf("%s absent: %v", c.file, err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := c.call(); err != nil {
			t.Errorf("%s: %v", c.file, err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != c.want {
			t.Errorf("%s got %q, %v, want %q", c.file, got, err, c.want)
		}
	}
}

// A setting says what it is going to write, and what was there before.
func TestSettings(t *testing.T) {
	a := array(t, map[string]string{"sync_max": "max\n", "dev-sda/slot": "3\n", "journal_mode": "", "mine": "x\n"})
	m := a.MemberAt("sda")
	for _, c := range []struct {
		set               Setting
		name, value, back string
	}{
		{a.SyncMaxTo(Some(8)), "sync_max", "8", "max"},
		{m.SlotTo(NoSlot), "slot", "none", "3"},
		{a.Custom("mine", "y"), "mine", "y", "x"},
	} {
		if c.set.Name() != c.name || c.set.Value() != c.value || c.set.Path() != c.set.dir.Path(c.name) {
			t.Errorf("%s: %s = %s", c.set.Path(), c.set.Name(), c.set.Value())
		}
		back, err := c.set.Present()
		if err != nil || back.Path() != c.set.Path() || back.Value() != c.back {
			t.Errorf("%s goes back to %q, %v", c.name, back.Value(), err)
		}
		if err := errors.Join(c.set.Write(), back.Write()); err != nil {
			t.Error(err)
		}
	}
	if _, err := a.Custom("journal_mode", "x").Present(); !errors.Is(err, sysfs.ErrEmpty) {
		t.Errorf("nothing to go back to: %v", err)
	}
	if _, err := At("/nowhere", "md0").StateTo(Clear).Present(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an array that does not exist: %v", err)
	}
	if err := At("/nowhere", "md0").StateTo(Clear).Write(); !errors.Is(err, sysfs.ErrNotSupported) {
		t.Errorf("an array that does not exist: %v", err)
	}
}

func TestRefusedWriteSaysWhy(t *testing.T) {
	err := explain("array_state", &sysfs.Error{Op: "write", Path: "/sys/block/md0/md/array_state", Value: "clear", Err: syscall.EBUSY})
	want := `write /sys/block/md0/md/array_state "clear": the array is in use: mounted, held by another device, or open in a process; or writes are under way (device or resource busy)`
	if err.Error() != want || !errors.Is(err, syscall.EBUSY) {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	err = explain("uuid", &sysfs.Error{Op: "write", Path: "/p", Value: "x", Err: syscall.EROFS})
	if want := `write /p "x": the array is read-only (read-only file system)`; err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	// ENOENT from a file that opened is the kernel's answer, not an absent file.
	err = explain("bitmap/can_clear", &sysfs.Error{Op: "write", Path: "/p", Value: "true", Err: syscall.ENOENT})
	if errors.Is(err, sysfs.ErrNotSupported) || !strings.Contains(err.Error(), "no bitmap") {
		t.Error(err)
	}
	known := map[string]bool{"": true}
	for _, at := range append(Attributes(), MemberAttributes()...) {
		known[at.Name] = true
	}
	for key := range refusals {
		if !known[key.attr] {
			t.Errorf("a refusal of %q, which is not an attribute", key.attr)
		}
	}
}

func TestMembersAndSlots(t *testing.T) {
	a := array(t, map[string]string{
		"dev-sda1/slot":                          "0\n",
		"dev-sda1/block":                         "->../../../../devices/sda/sda1",
		"../../../devices/sda/sda1/dev":          "8:1\n",
		"../../../devices/sda/sda1/device/state": "offline\n",
		"dev-cciss!c0d0/slot":                    "none\n",
		"dev-cciss!c0d0/state":                   "faulty\n",
		"rd0":                                    "->dev-sda1",
		"rdx":                                    "not a link",
		"bitmap/location":                        "none\n",
	})
	members, err := a.Members()
	if err != nil || len(members) != 2 {
		t.Fatalf("%v, %v", members, err)
	}
	if members[0].Name() != "cciss/c0d0" || members[1].Name() != "sda1" {
		t.Errorf("members %q %q", members[0].Name(), members[1].Name())
	}
	if b, err := members[1].Block(); err != nil || b != "sda1" {
		t.Errorf("block %q, %v", b, err)
	}
	if _, err := members[0].Block(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("block that is not a link: %v", err)
	}
	if n, err := members[1].Number(); err != nil || n != (block.Num{Major: 8, Minor: 1}) || !members[1].Offline() {
		t.Errorf("number %v, %v, offline %v", n, err, members[1].Offline())
	}
	if n, err := members[0].Number(); !errors.Is(err, fs.ErrNotExist) || members[0].Offline() {
		t.Errorf("number %v, %v of something that is not a link", n, err)
	}
	unsorted, err := a.MembersUnsorted()
	slices.SortFunc(unsorted, func(a, b *Member) int { return strings.Compare(a.Name(), b.Name()) })
	if err != nil || !reflect.DeepEqual(unsorted, members) {
		t.Errorf("%v, %v, want %v", unsorted, err, members)
	}
	slots, err := a.Slots()
	if err != nil || len(slots) != 1 || slots[0].Name() != "sda1" {
		t.Errorf("slots %v, %v", slots, err)
	}
	m, err := a.Member("cciss/c0d0")
	if err != nil {
		t.Fatal(err)
	}
	if s, err := m.State(); err != nil || !s.Has(MemberFaulty) || s.String() != "faulty" {
		t.Errorf("state %v, %v", s, err)
	}
	if _, err := a.Member("sdz"); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "no such member") {
		t.Errorf("absent member: %v", err)
	}
	all := map[string]any{}
	for name, v := range m.All() {
		all[name] = v
	}
	if want := map[string]any{"state": MemberFaulty, "slot": NoSlot}; !reflect.DeepEqual(all, want) {
		t.Errorf("all %v", all)
	}
}

func TestOpenAndNames(t *testing.T) {
	fsys := tree(t, map[string]string{
		"sys/block/md0/md/array_state":               "clear\n",
		"sys/block/md_home/md/level":                 "raid1\n",
		"sys/block/sda/size":                         "8\n",
		"sys/module/raid0/parameters/default_layout": "2\n",
		"proc/mdstat":                                "Personalities : [raid0] \nunused devices: <none>\n",
	})
	names, err := Names(fsys)
	if err != nil || fmt.Sprint(names) != "[md0 md_home]" {
		t.Errorf("%v, %v", names, err)
	}
	if _, err := Open(fsys, "sda"); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "no md array of that name") {
		t.Errorf("a disk that is not an array: %v", err)
	}
	m, err := ReadMdstat(fsys)
	if err != nil || len(m.Personalities) != 1 {
		t.Errorf("%v, %v", m, err)
	}
	p := ModuleParams(fsys)
	if n, err := p.Raid0Layout(); err != nil || n != 2 {
		t.Errorf("default_layout %d, %v", n, err)
	}
	if _, err := p.StartReadOnly(); !errors.Is(err, sysfs.ErrNotSupported) {
		t.Errorf("module that is not loaded: %v", err)
	}
}

// An attribute that exists but is empty is neither absent nor malformed.
func TestEmptyAttribute(t *testing.T) {
	a := array(t, map[string]string{"raid_disks": "", "journal_mode": "", "bitmap/can_clear": "\n"})
	_, err1 := a.RaidDisks()
	_, err2 := a.JournalMode()
	_, err3 := a.BitmapCanClear()
	for _, err := range []error{err1, err2, err3} {
		if !errors.Is(err, sysfs.ErrEmpty) || errors.Is(err, sysfs.ErrNotSupported) {
			t.Error(err)
		}
	}
	for name, v := range a.All() {
		if name != "uuid" {
			t.Errorf("All gave %s = %v", name, v)
		}
	}
}

func TestSubarray(t *testing.T) {
	for text, want := range map[string]string{
		"external:/md127/0": "md127 0 false true",
		"external:-md127/1": "md127 1 true true",
		"external:imsm":     "  false false",
		"external:":         "  false false",
		"1.2":               "  false false",
	} {
		m, err := parseMetadata(text)
		if err != nil {
			t.Fatal(err)
		}
		c, i, b, ok := m.Subarray()
		if got := fmt.Sprint(c, " ", i, " ", b, " ", ok); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
		if m.String() != text {
			t.Errorf("%s prints as %s", text, m)
		}
	}
}
