package md

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/engine/binfmt"
	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/finding"
	"github.com/mdkit/mdkit/internal/lab"
)

// A patient is a sound array on memory devices. The surgeon damages its first
// member, and no other.
type patient struct {
	devs    []*block.Memory
	members []*Member
}

func (p *patient) put(b []byte, i int, off int64) {
	if _, err := p.devs[i].WriteAt(b, off); err != nil {
		panic(err)
	}
}

// patients are arrays that between them use every field of every structure.
var patients = map[string]func() *patient{
	"bitmap": func() *patient {
		p := lay(newArray(LevelRAID5, LayoutLeftSymmetric, 4, roles(4, RoleSpare), func(_ int, s *Super1) {
			s.FeatureMap |= FeatureBitmapOffset
			s.BitmapOffset = 8
		}))
		p.bitmaps(&Bitmap{Version: BitmapLittleEndian, SyncSize: 129024, ChunkSize: 64 << 10, SectorsReserved: 8})
		return p
	},
	"clustered": func() *patient {
		p := lay(newArray(LevelRAID1, 0, 2, roles(2), func(_ int, s *Super1) {
			s.FeatureMap |= FeatureBitmapOffset | FeatureClustered
			s.BitmapOffset, s.BblogSize, s.BblogOffset = 8, 0, 0
		}))
		b := &Bitmap{Version: BitmapClustered, SyncSize: 129024, ChunkSize: 1 << 20, Nodes: 2}
		copy(b.ClusterName[:], "cluster")
		p.bitmaps(b)
		for i, m := range p.members {
			p.put(b.AppendTo(nil), i, m.Offset+8*SectorSize+int64(b.CopyLen()))
		}
		return p
	},
	"lockless": func() *patient {
		p := lay(newArray(LevelRAID10, 0x102, 2, roles(2), func(_ int, s *Super1) {
			s.FeatureMap |= FeatureBitmapOffset
			s.BitmapOffset = 32
		}))
		p.bitmaps(&Bitmap{Version: BitmapLockless, SyncSize: 129024, ChunkSize: 128, SectorsReserved: 64})
		return p
	},
	"growing": func() *patient {
		return lay(newArray(LevelRAID5, LayoutLeftSymmetric, 5, roles(5), func(_ int, s *Super1) {
			s.FeatureMap |= FeatureReshapeActive | FeatureNewOffset
			s.NewLevel, s.NewLayout, s.NewChunk = LevelRAID5, LayoutLeftSymmetric, 1024
			s.DeltaDisks, s.ReshapePosition, s.NewOffset = 1, 8192, -1024
			s.Size -= 2048
		}))
	},
	"recovering": func() *patient {
		return lay(newArray(LevelRAID6, LayoutParityLast, 4, roles(4), func(i int, s *Super1) {
			s.LogicalBlockSize = 4096
			if i == 0 {
				s.FeatureMap |= FeatureRecoveryOffset
				s.RecoveryOffset = 4096
			}
		}))
	},
	"bad blocks": func() *patient {
		p := lay(newArray(LevelRAID1, 0, 2, roles(2), func(i int, s *Super1) {
			if i == 0 {
				s.FeatureMap |= FeatureBadBlocks
			}
		}))
		log, err := AppendBadBlocks(nil, []BadBlock{{4096, 8}, {5000, 512}}, 0, 8)
		if err != nil {
			panic(err)
		}
		p.put(log, 0, 4096+16*SectorSize)
		return p
	},
	"ppl": func() *patient {
		p := lay(newArray(LevelRAID5, LayoutLeftSymmetric, 3, roles(3), func(_ int, s *Super1) {
			s.FeatureMap |= FeatureMultiplePPLs
			s.SetPPL(64, 1024)
		}))
		parity := make([]byte, 4096)
		parity[7] = 7
		for i, m := range p.members {
			h := &PPLHeader{Signature: PPLSignature(m.NativeUUID()), Generation: 5, EntriesCount: 2}
			for j := range h.Reserved {
				h.Reserved[j] = 0xff
			}
			h.Entries[0] = PPLEntry{DataSector: 8, PPSize: 4096, DataSize: 4096, ParityDisk: 2, Checksum: CRC32C(parity)}
			h.Entries[1] = PPLEntry{DataSector: 4096, DataSize: 8192, ParityDisk: 1, Checksum: 0}
			p.put(append(h.AppendTo(nil), parity...), i, m.Offset+64*SectorSize)
		}
		return p
	},
	"journal": func() *patient {
		p := lay(newArray(LevelRAID5, LayoutLeftSymmetric, 2, []Role{RoleJournal, 0, 1}, func(i int, s *Super1) {
			s.FeatureMap |= FeatureJournal
			if i == 0 {
				s.RecoveryOffset = 80 // the tail
			}
		}))
		m := p.members[0]
		data := make([]byte, JournalBlockSize)
		data[1] = 1
		sum := JournalSum(data, m.NativeUUID())
		at := int64(m.DataOffset()+80) * SectorSize
		j := &JournalBlock{Magic: JournalMagic, Version: JournalVersion, Seq: 100, Position: 80}
		if err := j.SetPayloads([]JournalPayload{
			{Type: PayloadData, Size: 8, Location: 8, Checksums: []uint32{sum}},
			{Type: PayloadParity, Size: 8, Location: 8, Checksums: []uint32{sum}},
			{Type: PayloadFlush, Stripes: []uint64{16}},
		}); err != nil {
			panic(err)
		}
		p.put(slices.Concat(j.AppendTo(nil, m.NativeUUID()), data, data), 0, at)
		return p
	},
	"raid0": func() *patient {
		return lay(newArray(LevelRAID0, LayoutRAID0Original, 2, roles(2), func(_ int, s *Super1) {
			s.FeatureMap |= FeatureRAID0Layout
		}))
	},
	"0.90": func() *patient { return layOld(90) },
	"0.91": func() *patient { return layOld(91) },
}

// lay writes the superblocks to devices.
func lay(members []*Member) *patient {
	p := &patient{members: members}
	for i, m := range members {
		p.devs = append(p.devs, block.NewMemory(m.Name, m.Size))
		p.put(m.AppendSuper(nil), i, m.Offset)
	}
	return p
}

func (p *patient) bitmaps(b *Bitmap) {
	b.Magic, b.DaemonSleep = BitmapMagic, 5
	for i, m := range p.members {
		b.UUID, b.Events, b.EventsCleared = m.NativeUUID(), m.Events(), m.Events()
		off, _ := m.BitmapOffset()
		p.put(b.AppendTo(nil), i, off)
	}
}

// layOld makes a 0.90 array, or one that is growing from 2 to 3 slots.
func layOld(minor uint32) *patient {
	var members []*Member
	for i := range 3 {
		s := &Super0{
			Order: binary.LittleEndian, MDMagic: SuperMagic, MinorVersion: minor, Level: LevelRAID5, Layout: LayoutLeftSymmetric,
			CTime: 1700000000, UTime: 1700000100, Size: 64 << 10, NrDisks: 3, RaidDisks: 3, State: Super0Clean | Super0BitmapPresent,
			ActiveDisks: 3, WorkingDisks: 3, Events: 20, CPEvents: 20, RecoveryCP: ^uint32(0), ChunkSize: 64 << 10,
			SetUUID0: 1, SetUUID1: 2, SetUUID2: 3, SetUUID3: 4,
		}
		if minor == 91 {
			s.NewLevel, s.NewLayout, s.NewChunk, s.DeltaDisks, s.ReshapePosition = LevelRAID5, LayoutLeftSymmetric, 64<<10, 1, 4096
		}
		for n := range uint32(3) {
			s.Disks[n] = Disk0{Number: n, Major: 8, Minor: n, RaidDisk: n, State: DiskActive | DiskSync}
		}
		s.ThisDisk = s.Disks[i]
		size := int64(65 << 20)
		off, _ := V090.SuperOffset(size)
		members = append(members, &Member{Name: fmt.Sprintf("disk%d", i), Size: size, Version: V090, Offset: off, Super0: s})
	}
	p := lay(members)
	p.bitmaps(&Bitmap{Version: BitmapLittleEndian, SyncSize: 128 << 10, ChunkSize: 64 << 20})
	return p
}

// examine returns every finding about the patient: about each device, and between
// members.
func (p *patient) examine() []finding.Finding {
	var list []finding.Finding
	var members []*Member
	for _, d := range p.devs {
		list = slices.AppendSeq(list, CheckDevice(d))
		if m, err := ReadMember(d); err == nil {
			members = append(members, m)
		}
	}
	return slices.AppendSeq(list, CheckMembers(members))
}

// sick counts the findings by rule.
func sick(list []finding.Finding) map[string]int {
	rules := make(map[string]int)
	for _, f := range list {
		rules[f.Rule]++
	}
	return rules
}

// organ is a structure on the first member, and how to compute its checksum again.
type organ struct {
	fields []place
	off    int64
	size   int
	sign   func(raw []byte)
}

type place struct {
	name      string
	off, size int
}

func placesOf[T any](l *binfmt.Layout[T]) []place {
	var list []place
	for _, f := range l.Fields {
		list = append(list, place{f.Name, f.Off, f.Size})
	}
	return list
}

// organs lists the structures that are to be damaged.
func (p *patient) organs() map[string]organ {
	m := p.members[0]
	list := make(map[string]organ)
	if m.Super0 != nil {
		list["md0"] = organ{placesOf(super0Layout()), m.Offset, Super0Size, func(raw []byte) {
			binary.LittleEndian.PutUint32(raw[super0CsumOff:], super0Sum(raw, binary.LittleEndian))
		}}
	} else {
		fields := placesOf(super1Layout())
		fields = append(fields, place{"dev_roles", Super1Fixed, 2})
		n := m.Super1.EncodedLen()
		list["md1"] = organ{fields, m.Offset, n, func(raw []byte) {
			binary.LittleEndian.PutUint32(raw[super1CsumOff:], super1Sum(raw))
		}}
	}
	if off, ok := m.BitmapOffset(); ok {
		list["md.bitmap"] = organ{placesOf(BitmapLayout()), off, BitmapSuperSize, func([]byte) {}}
	}
	if off, _, ok := m.PPLLog(); ok {
		list["md.ppl"] = organ{placesOf(pplLayout()), off, PPLHeaderSize, func(raw []byte) {
			binary.LittleEndian.PutUint32(raw[pplCsumOff:], pplSum(raw))
		}}
	}
	if m.Role() == RoleJournal {
		list["md.journal"] = organ{placesOf(journalLayout()), int64(m.DataOffset()+m.Super1.JournalTail()) * SectorSize, JournalBlockSize, func(raw []byte) {
			binary.LittleEndian.PutUint32(raw[journalCsumOff:], journalBlockSum(raw, m.NativeUUID()))
		}}
	}
	return list
}

// cuts are ways to damage the bytes of a field.
var cuts = map[string]func(b []byte){
	"zeroes":   func(b []byte) { clear(b) },
	"ones":     func(b []byte) { copy(b, strings.Repeat("\xff", len(b))) },
	"low bit":  func(b []byte) { b[0] ^= 1 },
	"high bit": func(b []byte) { b[len(b)-1] ^= 0x80 },
	"bit 4":    func(b []byte) { b[0] ^= 0x10 },
}

// unruly are fields that no rule can judge, with the reason.
var unruly = map[string]string{
	"md.ppl.generation": "any number is as good as another: only its growth counts",
	"md.journal.seq":    "the first block's number is random, and the journal ends where the numbers stop following",
}

// disk0Unruly reports whether a field of a 0.90 descriptor has no rule: those are the
// device numbers of the last assembly, which the next one may change.
func disk0Unruly(name string) bool {
	return strings.HasSuffix(name, ".major") || strings.HasSuffix(name, ".minor")
}

// TestSurgeon damages every field of every structure in several ways, computes its
// checksum again, and wants a finding of a rule that had none before.
func TestSurgeon(t *testing.T) {
	if lab.Race {
		t.Skip("nothing runs concurrently; run without the race detector")
	}
	noticed := make(map[string][]string) // structure.field to rules
	tried := make(map[string]bool)
	for name, admit := range patients {
		p := admit()
		before := sick(p.examine())
		for rule := range before {
			if rule != "md.member.missing" { // a member is being rebuilt
				t.Fatalf("%s: the patient is sick before the operation: %v", name, p.examine())
			}
		}
		for kind, o := range p.organs() {
			whole := make([]byte, o.size)
			if err := block.ReadFull(p.devs[0], whole, o.off); err != nil {
				t.Fatal(err)
			}
			for _, f := range o.fields {
				id := kind + "." + f.name
				tried[id] = true
				for _, cut := range cuts {
					raw := slices.Clone(whole)
					cut(raw[f.off : f.off+f.size])
					if slices.Equal(raw, whole) {
						continue
					}
					if !strings.Contains(f.name, "csum") && f.name != "checksum" {
						o.sign(raw)
					}
					p.put(raw, 0, o.off)
					for rule, n := range sick(p.examine()) {
						if n > before[rule] && !slices.Contains(noticed[id], rule) {
							noticed[id] = append(noticed[id], rule)
						}
					}
				}
				p.put(whole, 0, o.off)
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(tried)) {
		switch reason, rules := unruly[id], noticed[id]; {
		case len(rules) == 0 && reason == "" && !disk0Unruly(id):
			t.Errorf("%s can be damaged, and no rule notices", id)
		case len(rules) > 0 && reason != "":
			t.Errorf("%s is said to have no rule, but %v noticed", id, rules)
		}
	}
	everyRuleFired(t, noticed)
}

// edit changes the superblock of member i and writes it, with a new checksum.
func (p *patient) edit(i int, change func(m *Member)) {
	change(p.members[i])
	p.put(p.members[i].AppendSuper(nil), i, p.members[i].Offset)
}

// unreadable is a device that cannot be read from an offset on.
type unreadable struct {
	*block.Memory
	from int64
}

func (d unreadable) ReadAt(b []byte, off int64) (int, error) {
	if off+int64(len(b)) > d.from {
		return 0, &block.Error{Op: "read", Device: d.Name(), Off: off, Len: int64(len(b)), Err: block.ErrMedium}
	}
	return d.Memory.ReadAt(b, off)
}

// operations break the rules that damage to a single field does not break.
var operations = []struct {
	rule, patient string
	operate       func(p *patient) []finding.Finding
}{
	{"md1.magic", "bitmap", func(p *patient) []finding.Finding {
		p.put(make([]byte, 4), 0, 4096)
		return p.examine()
	}},
	{"md0.magic", "0.90", func(p *patient) []finding.Finding {
		p.put(make([]byte, 4), 0, p.members[0].Offset)
		return p.examine()
	}},
	{"md0.set_uuid", "0.90", func(p *patient) []finding.Finding {
		p.edit(0, func(m *Member) { m.Super0.SetUUID(UUID{}) })
		return p.examine()
	}},
	{"md.read", "bitmap", func(p *patient) []finding.Finding {
		return slices.Collect(CheckDevice(unreadable{p.devs[0], 0}))
	}},
	{"md.read", "bitmap", func(p *patient) []finding.Finding {
		return slices.Collect(CheckDevice(unreadable{p.devs[0], 8192}, V12))
	}},
	{"md.none", "bitmap", func(p *patient) []finding.Finding {
		return slices.Collect(CheckDevice(block.NewMemory("blank", 1<<20)))
	}},
	{"md.none", "bitmap", func(p *patient) []finding.Finding {
		return slices.Collect(CheckDevice(block.NewMemory("tiny", 100)))
	}},
	{"md.member.version", "raid0", func(p *patient) []finding.Finding {
		p.put(make([]byte, 512), 0, 4096)
		m := p.members[0]
		m.Version, m.Offset, m.Super1.SuperOffset = V11, 0, 0
		p.put(m.AppendSuper(nil), 0, 0)
		return p.examine()
	}},
	{"md.member.other_super", "raid0", func(p *patient) []finding.Finding {
		old := p.members[0].Super1.Clone()
		old.CTime--
		old.SuperOffset = 0
		p.put(old.AppendTo(nil), 0, 0)
		return p.examine()
	}},
	{"md.member.no_active", "raid0", func(p *patient) []finding.Finding {
		for i := range p.members {
			p.edit(i, func(m *Member) { m.Super1.DevRoles = []Role{RoleSpare, RoleSpare} })
		}
		return p.examine()
	}},
	{"md.member.device_uuid", "bitmap", func(p *patient) []finding.Finding {
		p.edit(0, func(m *Member) { m.Super1.DeviceUUID = p.members[1].DeviceUUID() })
		return p.examine()
	}},
	{"md.member.dev_number", "bitmap", func(p *patient) []finding.Finding {
		p.edit(0, func(m *Member) { m.Super1.DevNumber, m.Super1.DevRoles[0], m.Super1.DevRoles[1] = 1, 1, 0 })
		return p.examine()
	}},
	{"md.member.data_offset", "recovering", func(p *patient) []finding.Finding {
		p.edit(0, func(m *Member) { m.Super1.DataOffset -= 8 })
		return p.examine()
	}},
	{"md.journal.data", "journal", func(p *patient) []finding.Finding {
		p.put([]byte{1}, 0, int64(p.members[0].DataOffset()+88)*SectorSize)
		return p.examine()
	}},
	{"md.bitmap.bits", "lockless", func(p *patient) []finding.Finding {
		off, _ := p.members[0].BitmapOffset()
		p.put([]byte{0x77}, 0, off+llbitmapDataOffset+9)
		return p.examine()
	}},
	{"md.badblocks.order", "bad blocks", func(p *patient) []finding.Finding {
		log, err := AppendBadBlocks(nil, []BadBlock{{5000, 8}, {4096, 8}}, 0, 8)
		if err != nil {
			panic(err)
		}
		p.put(log, 0, 4096+16*SectorSize)
		return p.examine()
	}},
}

// everyRuleFired checks that each rule of the package was broken by damage to a
// field or by an operation.
func everyRuleFired(t *testing.T, noticed map[string][]string) {
	fired := map[string]bool{ruleIn.ID: true} // the only rule that is not about a fault
	for _, rules := range noticed {
		for _, r := range rules {
			fired[r] = true
		}
	}
	for _, o := range operations {
		p := patients[o.patient]()
		list := o.operate(p)
		if sick(list)[o.rule] == 0 {
			t.Errorf("%s has no finding; these are there: %v", o.rule, list)
		}
		fired[o.rule] = true
	}
	known := make(map[string]bool)
	for _, r := range Rules() {
		if known[r.ID] {
			t.Errorf("two rules have the id %s", r.ID)
		}
		known[r.ID] = true
		if !fired[r.ID] {
			t.Errorf("no test breaks %s", r.ID)
		}
		if r.About == "" {
			t.Errorf("%s does not say what it is about", r.ID)
		}
	}
	for id := range fired {
		if !known[id] {
			t.Errorf("Rules does not know %s", id)
		}
	}
}
