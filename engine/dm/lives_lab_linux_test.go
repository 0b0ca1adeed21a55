package dm_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/engine/dm"
)

// part makes a device from part of a disk.
func (m *machine) part(t *testing.T, name, disk string, start, length uint64) *device {
	t.Helper()
	return m.start(t, name, one(length, dm.Linear{Device: m.numbers[disk], Offset: start}))
}

func liveLinear(t *testing.T, m *machine) {
	d := m.start(t, "l", one(2048, dm.Linear{Device: m.numbers["a"], Offset: 8}),
		dm.NewLine(2048, 1024, dm.Linear{Device: m.numbers["b"]}))
	d.keeps(4096)
	d.keeps(2048<<9 - 4096)
	d.reload(one(4096, dm.Linear{Device: m.numbers["b"], Offset: 8192}))
	d.keeps(1 << 20)
	d.remove()
}

func liveStriped(t *testing.T, m *machine) {
	stripes := []dm.Span{{Device: m.numbers["a"]}, {Device: m.numbers["b"], Offset: 64}}
	d := m.start(t, "s", one(4096, dm.Striped{Chunk: 16, Stripes: stripes}))
	d.keeps(8192)
	if st := d.status().(dm.StripedStatus); st.Health != "AA" {
		t.Errorf("health %s", st.Health)
	}
	broken := m.start(t, "broken", one(4096, dm.ErrorTarget{}))
	stripes[1] = dm.Span{Device: broken.number()}
	d.reload(one(4096, dm.Striped{Chunk: 16, Stripes: stripes}))
	if _, err := d.read(8192, 8192); err == nil {
		t.Error("a broken stripe was read")
	}
	d.wait("degraded", func(s dm.Status) bool { return s.(dm.StripedStatus).Health == "AD" })
	d.remove()
	broken.remove()
}

func liveZeroError(t *testing.T, m *machine) {
	d := m.start(t, "z", one(2048, dm.Zero{}))
	if err := d.write(0, pattern(1)); err != nil {
		t.Error(err)
	}
	if b, err := d.read(0, 4096); err != nil || !bytes.Equal(b, pattern(0)) {
		t.Errorf("zero reads as something: %v", err)
	}
	d.reload(one(2048, dm.ErrorTarget{}))
	if err := d.write(0, pattern(1)); err == nil {
		t.Error("error takes writes")
	}
	d.reload(one(2048, dm.ErrorTarget{Device: m.numbers["a"], Offset: 8}))
	d.remove()
}

func liveDelay(t *testing.T, m *machine) {
	a, b := dm.Span{Device: m.numbers["a"]}, dm.Span{Device: m.numbers["b"], Offset: 8}
	d := m.start(t, "d", one(2048, dm.Delay{Read: dm.DelaySpan{Span: a, Delay: 1}}))
	d.keeps(0)
	write := dm.DelaySpan{Span: b, Delay: 2}
	d.reload(one(2048, dm.Delay{Read: dm.DelaySpan{Span: b}, Write: &write}))
	d.keeps(4096)
	d.reload(one(2048, dm.Delay{Read: dm.DelaySpan{Span: b}, Write: &write, Flush: &dm.DelaySpan{Span: b, Delay: 3}}))
	d.keeps(8192)
	d.remove()
}

func liveFlakey(t *testing.T, m *machine) {
	a := dm.Span{Device: m.numbers["a"]}
	d := m.start(t, "f", one(2048, dm.Flakey{Span: a, Up: 600}))
	d.keeps(0)
	d.reload(one(2048, dm.Flakey{Span: a, Down: 600, DropWrites: true}))
	if err := d.write(0, pattern(9)); err != nil {
		t.Errorf("drop_writes: %v", err)
	}
	d.reload(one(2048, dm.Flakey{Span: a, Down: 600, ErrorWrites: true}))
	if err := d.write(0, pattern(9)); err == nil {
		t.Error("error_writes takes a write")
	}
	d.reload(one(2048, dm.Flakey{Span: a, Down: 600, Corrupt: &dm.CorruptByte{Byte: 32, Direction: "r", Value: 1}}))
	if _, err := d.read(0, 4096); err != nil {
		t.Errorf("corrupt_bio_byte: %v", err)
	}
	d.reload(one(2048, dm.Flakey{Span: a, Up: 1, Down: 1, DropWrites: true, Corrupt: &dm.CorruptByte{Byte: 1, Direction: "r", Value: 2}}))
	if m.g.AtLeast("6.12") {
		d.reload(one(2048, dm.Flakey{Span: a, Down: 600, ErrorReads: true, RandomWrite: 1000000000}))
		if _, err := d.read(0, 4096); err == nil {
			t.Error("error_reads is read")
		}
		d.reload(one(2048, dm.Flakey{Span: a, Up: 1, Down: 600, RandomRead: 5, RandomWrite: 6, ErrorWrites: !m.g.AtLeast("7.2")}))
	}
	d.remove()
}

func liveCrypt(t *testing.T, m *machine) {
	a := dm.Span{Device: m.numbers["a"], Offset: 8}
	key := strings.Repeat("0123456789abcdef", 8)
	args := dm.Crypt{Cipher: "aes-xts-plain64", Key: key, IVOffset: 16, Span: a}
	d := m.start(t, "c", one(2048, args))
	d.keeps(4096)
	d.suspend()
	d.message(dm.CryptKeyWipe)
	d.message(dm.CryptKeySet(key))
	d.resume()
	d.keeps(8192)
	args.AllowDiscards, args.SameCPU, args.SubmitFromCryptCPUs = true, true, true
	args.NoReadWorkqueue, args.NoWriteWorkqueue = true, true
	args.SectorSize, args.IVLargeSectors = 4096, true
	args.HighPriority = m.g.AtLeast("6.12")
	d.reload(one(2048, args))
	d.keeps(0)
	table, _ := d.show()
	masked := dm.Mask(table[0])
	if strings.Contains(masked.Params, key) || len(masked.Params) != len(table[0].Params) {
		t.Errorf("masked: %s", masked)
	}
	for _, cipher := range []string{"aes-cbc-essiv:sha256", "capi:cbc(aes)-plain", "aes", "aes-ecb", "aes-cbc-benbi", "aes-cbc-null", "aes-cbc-plain64be"} {
		d.reload(one(2048, dm.Crypt{Cipher: cipher, Key: key[:64], Span: a}))
		d.keeps(0)
	}
	d.reload(one(2048, dm.Crypt{Cipher: "cipher_null-ecb", Key: "-", Span: a}))
	d.keeps(0)
	d.remove()
}

func liveSnapshot(t *testing.T, m *machine) {
	origin := m.start(t, "origin", one(8192, dm.SnapshotOrigin{Device: m.numbers["a"]}))
	origin.keeps(0)
	snap := func(name, cow string, a dm.Snapshot) *device {
		a.Origin, a.COW = m.numbers["a"], m.numbers[cow]
		return m.start(t, name, one(8192, a))
	}
	// Linux 7.2 divides by zero in the discard features of a snapshot, and
	// crashes; no later kernel is known to be fixed.
	discards := !m.g.AtLeast("7.2")
	p := snap("p", "b", dm.Snapshot{Persistent: true, Overflow: true, Chunk: 16, DiscardZeroes: discards, DiscardPassdown: discards})
	n := snap("n", "c", dm.Snapshot{Chunk: 8})
	// An origin learns the chunk size of its snapshots when it is resumed.
	origin.suspend()
	origin.resume()
	p.keeps(4096)
	p.wait("used", func(s dm.Status) bool { return s.(dm.SnapshotStatus).Allocated > 0 })
	if st := n.status().(dm.SnapshotStatus); st.Word == "" && st.Total == 0 {
		t.Errorf("transient: %v", st)
	}
	// More than {c} holds: the snapshot overflows and becomes invalid.
	for off := int64(0); off < 2<<20; off += 1 << 18 {
		if err := origin.write(off, bytes.Repeat([]byte{7}, 1<<18)); err != nil {
			t.Fatal(err)
		}
	}
	n.wait("invalid", func(s dm.Status) bool { return s.(dm.SnapshotStatus).Word == "Invalid" })
	n.remove()
	origin.suspend()
	p.suspend()
	p.resume()
	origin.resume()
	p.remove()
	origin.remove()
	liveMerge(t, m)
}

// liveMerge merges a snapshot back into its origin.
func liveMerge(t *testing.T, m *machine) {
	m.wipe(t)
	s := m.start(t, "s", one(8192, dm.Snapshot{Origin: m.numbers["a"], COW: m.numbers["b"], Persistent: true, Chunk: 16}))
	s.keeps(8192)
	want, err := s.read(8192, 4096)
	s.must(err)
	s.remove()
	d := m.start(t, "m", one(8192, dm.Snapshot{Merge: true, Origin: m.numbers["a"], COW: m.numbers["b"], Persistent: true, Chunk: 16}))
	d.wait("merged", func(s dm.Status) bool { st := s.(dm.SnapshotStatus); return st.Allocated == st.Metadata })
	if got, err := d.read(8192, 4096); err != nil || !bytes.Equal(got, want) {
		t.Errorf("merged: something else is read, %v", err)
	}
	d.remove()
}

func liveMirror(t *testing.T, m *machine) {
	legs := []dm.Span{{Device: m.numbers["a"]}, {Device: m.numbers["b"], Offset: 8}}
	d := m.start(t, "m", one(4096, dm.Mirror{Log: dm.MirrorLog{Kind: "core", Region: 64}, Legs: legs, HandleErrors: true}))
	synced := func(s dm.Status) bool { st := s.(dm.MirrorStatus); return st.InSync == st.Regions }
	d.wait("in sync", synced)
	d.keeps(0)
	d.reload(one(4096, dm.Mirror{Log: dm.MirrorLog{Kind: "core", Region: 128, Sync: "nosync"}, Legs: legs}))
	d.keeps(4096)
	d.reload(one(4096, dm.Mirror{Log: dm.MirrorLog{Kind: "disk", Device: m.numbers["c"], Region: 64, Sync: "sync"}, Legs: legs, HandleErrors: true, KeepLog: true}))
	d.wait("in sync", synced)
	d.reload(one(4096, dm.Mirror{Log: dm.MirrorLog{Kind: "disk", Device: m.numbers["c"], Region: 64}, Legs: legs}))
	broken := m.start(t, "broken", one(4096, dm.ErrorTarget{}))
	legs[1] = dm.Span{Device: broken.number()}
	d.reload(one(4096, dm.Mirror{Log: dm.MirrorLog{Kind: "core", Region: 64, Sync: "nosync"}, Legs: legs, HandleErrors: true}))
	// The mirror holds the request back until the table has been dealt with.
	written := make(chan error, 1)
	go func() { written <- errors.Join(d.write(0, pattern(3)), d.flush()) }()
	d.wait("degraded", func(s dm.Status) bool { return s.(dm.MirrorStatus).Health[1] != 'A' })
	d.reload(one(4096, dm.Linear{Device: m.numbers["a"]}))
	<-written
	d.remove()
	broken.remove()
}

func liveRaid(t *testing.T, m *machine) {
	// While there are other requests, md limits its own to this many KiB/s.
	if err := os.WriteFile("/proc/sys/dev/raid/speed_limit_min", []byte("1000000"), 0); err != nil {
		t.Fatal(err)
	}
	var parts []*device
	var disks []dm.RaidDisk
	for _, disk := range []string{"a", "b", "d"} {
		meta, data := m.part(t, "meta-"+disk, disk, 0, 8192), m.part(t, "data-"+disk, disk, 8192, 16384)
		parts = append(parts, meta, data)
		disks = append(disks, dm.RaidDisk{Metadata: meta.number(), Data: data.number()})
	}
	n := func(i int) *int { return &i }
	done := func(s dm.Status) bool {
		st := s.(dm.RaidStatus)
		return st.Action == "idle" && st.Progress == st.Total && !strings.ContainsAny(st.Health, "aD")
	}
	d := m.start(t, "r", one(8192, dm.Raid{
		Level: "raid1", Disks: disks[:2], RegionSize: n(1024),
		MaxWriteBehind: n(32), WriteMostly: []int{1},
		MinRecoveryRate: n(1000), MaxRecoveryRate: n(100000), DaemonSleep: n(500),
	}))
	d.keeps(0)
	d.wait("in sync", done)
	for _, action := range []string{"check", "repair", "frozen", "idle"} {
		msg, err := dm.RaidAction(action)
		d.must(err)
		if m.g.AtLeast("6.12") && (action == "idle" || action == "frozen") {
			d.refuse(msg) // the kernel obeys, but reports failure
		} else {
			d.message(msg)
		}
		d.wait("at rest", func(s dm.Status) bool { a := s.(dm.RaidStatus).Action; return a == "idle" || a == "frozen" })
	}
	d.wait("idle", done)
	d.reload(one(8192, dm.Raid{Level: "raid1", Disks: disks[:2], Rebuild: []int{1}}))
	d.wait("rebuilt", done)
	d.remove()
	for _, r := range []dm.Raid{
		{Level: "raid5_ls", Chunk: 64, Sync: true, StripeCache: n(256), Disks: disks},
		{Level: "raid4", Chunk: 64, NoSync: true, Disks: disks},
		{Level: "raid0", Chunk: 64, Disks: []dm.RaidDisk{{Metadata: "-", Data: disks[0].Data}, {Metadata: "-", Data: disks[1].Data}}},
		{Level: "raid10", Chunk: 64, Raid10Copies: n(2), Raid10Format: "near", Disks: disks[:2]},
		{Level: "raid5_n", Chunk: 64, Disks: disks},
	} {
		for _, p := range parts {
			if strings.HasPrefix(p.name, "meta") {
				p.must(p.write(0, bytes.Repeat([]byte{0}, 1<<20)))
			}
		}
		d := m.start(t, "r", one(8192, r))
		d.keeps(4096)
		d.suspend()
		d.show()
		d.resume()
		d.wait("in sync", func(s dm.Status) bool { return r.Level == "raid0" || done(s) })
		d.remove()
	}
	// The same array as before, without one of its devices.
	disks[2] = dm.RaidDisk{Metadata: "-", Data: "-"}
	d = m.start(t, "r", one(8192, dm.Raid{Level: "raid5_n", Chunk: 64, Disks: disks}))
	if st := d.status().(dm.RaidStatus); st.Health[2] != '-' {
		t.Errorf("degraded: %v", st)
	}
	d.keeps(4096)
	d.remove()
	for _, p := range parts {
		p.remove()
	}
}

func liveMultipath(t *testing.T, m *machine) {
	a, b := m.part(t, "pa", "a", 0, 4096), m.part(t, "pb", "b", 0, 4096)
	for _, selector := range []struct {
		name string
		args []string
	}{{"round-robin", []string{"1"}}, {"queue-length", []string{"1"}}, {"service-time", []string{"1", "3"}}} {
		args := dm.Multipath{QueueMode: "bio", PgInitRetries: 3, QueueIfNoPath: true, InitialGroup: 1}
		delay := uint32(100)
		args.PgInitDelay = &delay
		for _, p := range []*device{a, b} {
			args.Groups = append(args.Groups, dm.PathGroup{Selector: selector.name, Paths: []dm.Path{{Device: p.number(), Args: selector.args}}})
		}
		d := m.start(t, "mp", one(4096, args))
		d.keeps(0)
		d.message(dm.MultipathPath(a.number(), false))
		d.wait("failed over", func(s dm.Status) bool { return !s.(dm.MultipathStatus).Groups[0].Paths[0].Active })
		if _, err := d.read(4096, 4096); err != nil {
			t.Error(err)
		}
		d.show()
		d.message(dm.MultipathPath(a.number(), true))
		d.message(dm.MultipathGroup(2, false))
		d.message(dm.MultipathGroup(2, true))
		d.message(dm.MultipathSwitch(2))
		d.message(dm.MultipathFail)
		d.message(dm.MultipathQueue)
		d.message(dm.MultipathFail)
		d.reload(one(4096, dm.Multipath{QueueMode: "bio", InitialGroup: 1, Groups: []dm.PathGroup{{
			Selector: selector.name, Paths: []dm.Path{{Device: a.number(), Args: selector.args}, {Device: b.number(), Args: selector.args}},
		}}}))
		d.remove()
	}
	empty := m.start(t, "empty", one(4096, dm.Multipath{}))
	empty.remove()
	a.remove()
	b.remove()
}

func liveThin(t *testing.T, m *machine) {
	args := dm.ThinPool{Metadata: m.numbers["a"], Data: m.numbers["b"], Block: 128, LowWater: 16}
	pool := m.start(t, "pool", one(16384, args))
	send := func(msg dm.Message, err error) {
		t.Helper()
		pool.must(err)
		pool.message(msg)
	}
	send(dm.ThinCreate(0))
	thin := m.start(t, "thin", one(8192, dm.Thin{Pool: pool.number(), ID: 0}))
	if st := thin.status().(dm.ThinStatus); st.Highest != nil || st.Mapped != 0 {
		t.Errorf("new thin device: %v", st)
	}
	thin.keeps(0)
	thin.suspend()
	send(dm.ThinSnapshot(1, 0))
	thin.resume()
	snap := m.start(t, "snap", one(8192, dm.Thin{Pool: pool.number(), ID: 1, Origin: m.numbers["d"]}))
	snap.keeps(1 << 20)
	send(dm.ThinTransaction(0, 7), nil)
	pool.refuse(dm.ThinTransaction(0, 8))
	send(dm.ThinReserveSnap, nil)
	if st := pool.status().(dm.ThinPoolStatus); st.HeldRoot == nil || st.Transaction != 7 {
		t.Errorf("pool: %v", st)
	}
	send(dm.ThinReleaseSnap, nil)
	snap.remove()
	send(dm.ThinDelete(1))
	args.SkipZeroing, args.NoDiscardPassdown, args.ErrorIfNoSpace = true, true, true
	pool.reload(one(16384, args))
	// More than the pool holds: it runs out of data space.
	big := m.start(t, "big", one(65536, dm.Thin{Pool: pool.number(), ID: 0}))
	off := int64(0)
	pool.wait("full", func(s dm.Status) bool {
		// A freed block becomes available with the next commit, so the pool can
		// have room again after the first write that failed.
		_ = big.write(off, bytes.Repeat([]byte{1}, 1<<20))
		off = (off + 1<<20) % (32 << 20)
		return s.(dm.ThinPoolStatus).Mode == "out_of_data_space"
	})
	big.show()
	big.remove()
	thin.remove()
	args = dm.ThinPool{Metadata: m.numbers["a"], Data: m.numbers["b"], Block: 128, ReadOnly: true, NoDiscardPassdown: true}
	pool.reload(one(16384, args))
	pool.remove()
}

func liveCache(t *testing.T, m *machine) {
	meta := m.part(t, "meta", "d", 0, 8192)
	args := dm.Cache{Metadata: meta.number(), Cache: m.numbers["b"], Origin: m.numbers["a"], Block: 64, Mode: "writeback", Metadata2: true, Policy: "smq"}
	d := m.start(t, "c", one(16384, args))
	d.keeps(0)
	d.message(dm.CacheSet(dm.KeyValue{Key: "migration_threshold", Value: "4096"}))
	d.refuse(dm.CacheSet(dm.KeyValue{Key: "nonsense", Value: "1"}))
	args.Mode, args.NoDiscardPassdown = "writethrough", true
	args.PolicyArgs = []dm.KeyValue{{Key: "migration_threshold", Value: "1024"}}
	d.reload(one(16384, args))
	d.keeps(4096)
	args.Policy, args.PolicyArgs = "cleaner", nil
	d.reload(one(16384, args))
	d.wait("clean", func(s dm.Status) bool { return s.(dm.CacheStatus).Dirty == 0 })
	args.Mode, args.Policy = "passthrough", "default"
	d.reload(one(16384, args))
	msg, err := dm.CacheInvalidate(dm.BlockRange{Begin: 0, End: 1}, dm.BlockRange{Begin: 2, End: 5})
	d.must(err)
	d.message(msg)
	args.Policy, args.PolicyArgs = "mq", []dm.KeyValue{{Key: "sequential_threshold", Value: "1024"}, {Key: "random_threshold", Value: "8"}}
	d.reload(one(16384, args))
	d.remove()
	meta.remove()
}

func liveEra(t *testing.T, m *machine) {
	d := m.start(t, "e", one(16384, dm.Era{Metadata: m.numbers["c"], Origin: m.numbers["a"], Block: 64}))
	d.keeps(0)
	before := d.status().(dm.EraStatus).Era
	d.message(dm.EraCheckpoint)
	if now := d.status().(dm.EraStatus).Era; now <= before {
		t.Errorf("era %d after %d", now, before)
	}
	d.message(dm.EraTakeSnap)
	if d.status().(dm.EraStatus).Snap == nil {
		t.Error("no metadata snapshot")
	}
	d.message(dm.EraDropSnap)
	d.suspend()
	d.resume()
	d.remove()
}

// hashTree writes the hash tree for that many 4096-byte blocks of zeros to the
// disk, and returns the digest of its root.
func hashTree(t *testing.T, disk string, blocks int) string {
	t.Helper()
	level := make([]byte, 0, blocks*sha256.Size)
	zeros := sha256.Sum256(make([]byte, 4096))
	for range blocks {
		level = append(level, zeros[:]...)
	}
	var tree []byte
	for {
		level = append(level, make([]byte, -len(level)&4095)...)
		tree = append(bytes.Clone(level), tree...)
		var up []byte
		for b := range len(level) / 4096 {
			sum := sha256.Sum256(level[b*4096 : b*4096+4096])
			up = append(up, sum[:]...)
		}
		if level = up; len(level) == sha256.Size {
			break
		}
	}
	if err := os.WriteFile(disk, tree, 0); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", level)
}

func liveVerity(t *testing.T, m *machine) {
	root := hashTree(t, m.g.Disks[1], 256)
	if err := os.WriteFile(m.g.Disks[0], make([]byte, 1<<20), 0); err != nil {
		t.Fatal(err)
	}
	args := dm.Verity{Version: 1, Data: m.numbers["a"], Hash: m.numbers["b"], DataBlock: 4096, HashBlock: 4096, DataBlocks: 256, Algorithm: "sha256", RootDigest: root, Salt: "-"}
	d := m.start(t, "v", one(2048, args))
	if _, err := d.read(0, 1<<20); err != nil {
		t.Error(err)
	}
	if d.status().(dm.VerityStatus).Corrupted {
		t.Error("corrupted from the start")
	}
	d.remove()
	args.OnCorruption, args.IgnoreZeroBlocks, args.CheckAtMostOnce = "ignore_corruption", true, true
	args.TryTasklet = true
	if m.g.AtLeast("6.12") {
		args.OnError = "restart_on_error"
	}
	args.Salt = "00ff"
	d = m.start(t, "v", one(2048, args))
	if _, err := d.read(0, 4096); err != nil {
		t.Error(err)
	}
	d.wait("corrupted", func(s dm.Status) bool { return s.(dm.VerityStatus).Corrupted })
	d.suspend()
	d.resume()
	d.remove()
}

func liveSwitch(t *testing.T, m *machine) {
	paths := []dm.Span{{Device: m.numbers["a"]}, {Device: m.numbers["b"], Offset: 8}}
	d := m.start(t, "s", one(4096, dm.Switch{Region: 8, Paths: paths}))
	d.message(dm.SwitchMappings(dm.SwitchMapping{Count: 16, Path: 1}, dm.SwitchMapping{Region: 16, Count: 1}, dm.SwitchMapping{Region: 0x20, Count: 3, Path: 1}))
	d.refuse(dm.SwitchMappings(dm.SwitchMapping{Region: 0, Count: 1, Path: 2}))
	d.keeps(0)
	d.keeps(64 << 10)
	d.remove()
}

func liveLogWrites(t *testing.T, m *machine) {
	d := m.start(t, "l", one(2048, dm.LogWrites{Device: m.numbers["a"], Log: m.numbers["b"]}))
	d.keeps(0)
	d.message(dm.LogWritesMark("here"))
	d.wait("logged", func(s dm.Status) bool { return s.(dm.LogWritesStatus).Entries > 1 })
	d.remove()
	small := m.part(t, "small", "c", 0, 16)
	d = m.start(t, "l", one(2048, dm.LogWrites{Device: m.numbers["a"], Log: small.number()}))
	for i := range int64(4) {
		_ = errors.Join(d.write(i<<12, pattern(1)), d.flush()) // the log has no room for all of them
	}
	d.wait("disabled", func(s dm.Status) bool { return s.(dm.LogWritesStatus).Disabled })
	d.remove()
	small.remove()
}

func liveIntegrity(t *testing.T, m *machine) {
	n := func(i uint32) *uint32 { return &i }
	crc := dm.Integrity{Device: m.numbers["a"], Mode: "J", InternalHash: "crc32c"}
	hmac := dm.Integrity{
		Device: m.numbers["a"], Mode: "J", InternalHash: "hmac(sha256):" + strings.Repeat("ab", 32), BlockSize: n(4096),
		JournalMAC: "hmac(sha256):0011", JournalCrypt: "ctr(aes):" + strings.Repeat("cd", 16), FixPadding: true, FixHMAC: true,
		BufferSectors: n(64), Interleave: n(1024), JournalSectors: n(1024), JournalWatermark: n(70), CommitTime: n(500),
	}
	bitmap := dm.Integrity{Device: m.numbers["a"], Mode: "B", InternalHash: "crc32c", MetaDevice: m.numbers["b"], BitmapFlush: n(1000)}
	direct := dm.Integrity{Device: m.numbers["a"], Mode: "D", InternalHash: "sha256", AllowDiscards: true, Recalculate: true}
	for _, args := range []dm.Integrity{crc, hmac, bitmap, direct} {
		m.wipe(t)
		d := m.start(t, "i", one(4096, args))
		if args.Recalculate {
			d.wait("recalculated", func(s dm.Status) bool {
				st := s.(dm.IntegrityStatus)
				return st.Recalculate == nil || *st.Recalculate == st.Provided
			})
		}
		d.must(d.write(0, bytes.Repeat([]byte{1}, 64<<10)))
		d.keeps(4096)
		d.suspend()
		d.show()
		d.resume()
		table, _ := d.show()
		masked := dm.Mask(table[0]).Params
		for _, key := range []string{"abab", ":0011", "cdcd"} {
			if strings.Contains(masked, key) {
				t.Errorf("%s is not masked: %s", key, masked)
			}
		}
		// What the kernel prints can be loaded again.
		d.reload(table[0])
		d.remove()
	}
}

func liveWritecache(t *testing.T, m *machine) {
	n := func(i uint32) *uint32 { return &i }
	args := dm.Writecache{Origin: m.numbers["a"], Cache: m.numbers["b"], Block: 4096}
	d := m.start(t, "w", one(8192, args))
	d.keeps(0)
	d.message(dm.WritecacheFlush)
	d.message(dm.WritecacheClearStats)
	d.message(dm.WritecacheFlushOnSuspend)
	d.suspend()
	d.resume()
	d.message(dm.WritecacheClean)
	d.remove()
	m.wipe(t)
	start := uint64(8)
	args = dm.Writecache{
		Origin: m.numbers["a"], Cache: m.numbers["b"], Block: 4096, StartSector: &start, HighWatermark: n(60), LowWatermark: n(40),
		WritebackJobs: n(3), AutocommitBlocks: n(16), AutocommitTime: n(1000), MaxAge: n(5000), Cleaner: true, MetadataOnly: true, PauseWriteback: n(100),
	}
	d = m.start(t, "w", one(8192, args))
	d.keeps(4096)
	d.remove()
}

func liveUnstriped(t *testing.T, m *machine) {
	d := m.start(t, "u", one(2048, dm.Unstriped{Stripes: 2, Chunk: 16, Stripe: 1, Span: dm.Span{Device: m.numbers["a"]}}))
	d.keeps(8192)
	d.remove()
}

func liveDust(t *testing.T, m *machine) {
	d := m.start(t, "d", one(2048, dm.Dust{Span: dm.Span{Device: m.numbers["a"]}, Block: 4096}))
	d.keeps(0)
	d.message(dm.DustAdd(3, 0))
	d.message(dm.DustAdd(4, 2))
	d.message(dm.DustAdd(5, 0))
	d.message(dm.DustRemove(5))
	for msg, want := range map[dm.Message]string{
		dm.DustCount:    "countbadblocks: 2 badblock(s) found",
		dm.DustQuery(3): "dust_query_block: block 3 found in badblocklist",
		dm.DustList:     "3\n4\n",
	} {
		if reply := d.message(msg); strings.TrimSpace(reply) != strings.TrimSpace(want) {
			t.Errorf("%s: %q", msg, reply)
		}
	}
	d.message(dm.DustEnable)
	d.message(dm.DustQuiet)
	if st := d.status().(dm.DustStatus); !st.FailRead || !st.Quiet {
		t.Errorf("status %v", st)
	}
	if _, err := d.read(3*4096, 4096); err == nil {
		t.Error("a bad block is read")
	}
	d.message(dm.DustDisable)
	d.message(dm.DustClear)
	d.remove()
}

func liveClone(t *testing.T, m *machine) {
	dest := m.part(t, "dest", "b", 0, 4096)
	args := dm.Clone{Metadata: m.numbers["c"], Destination: dest.number(), Source: m.numbers["a"], Region: 8, NoHydration: true}
	d := m.start(t, "c", one(4096, args))
	d.keeps(0)
	d.message(dm.CloneThreshold(4))
	d.message(dm.CloneBatch(2))
	d.message(dm.CloneHydrate)
	d.wait("hydrated", func(s dm.Status) bool { st := s.(dm.CloneStatus); return st.Hydrated == st.Regions })
	d.message(dm.CloneStopHydrate)
	d.remove()
	n := uint32(16)
	for _, args := range []dm.Clone{
		{Metadata: m.numbers["c"], Destination: dest.number(), Source: m.numbers["a"], Region: 8},
		{Metadata: m.numbers["c"], Destination: dest.number(), Source: m.numbers["a"], Region: 8, NoDiscardPassdown: true, HydrationThreshold: &n, HydrationBatch: &n},
	} {
		d := m.start(t, "c", one(4096, args))
		d.keeps(8192)
		d.remove()
	}
	d = m.start(t, "c", dm.Line{Length: 4096, Type: "clone", Params: m.numbers["c"] + " " + dest.number() + " " + m.numbers["a"] + " 8 0 0"})
	d.remove()
	dest.remove()
}

func liveEBS(t *testing.T, m *machine) {
	d := m.start(t, "e", one(2048, dm.EBS{Span: dm.Span{Device: m.numbers["a"], Offset: 8}, Emulated: 1, Underlying: 8}))
	d.keeps(4096)
	d.reload(one(2048, dm.EBS{Span: dm.Span{Device: m.numbers["a"]}, Emulated: 8}))
	d.remove()
}
