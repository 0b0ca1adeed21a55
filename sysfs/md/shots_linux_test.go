package md

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

func (w wantArray) String() string {
	return fmt.Sprintf("%s %s %s %d KiB meta %s %+v [%s] sync %q bitmap %v: %s",
		w.name, w.state, w.level, w.kib, w.meta, w.geom, w.slots, w.sync, w.bitmap, w.members)
}

// describe converts what was parsed to the form of wantArray.
func describe(a *MdstatArray) string {
	if a == nil {
		return "absent"
	}
	w := wantArray{
		name: a.Name, state: a.State, level: a.Level, kib: a.Blocks, meta: a.Metadata.String(),
		geom: a.Geometry, slots: a.Slots, bitmap: a.Bitmap != nil,
	}
	if a.ReadOnly {
		w.state += " ro"
	}
	if a.AutoReadOnly {
		w.state += " auto"
	}
	var members []string
	for _, m := range a.Members {
		s := m.Name
		for _, mark := range []struct {
			set  bool
			mark string
		}{{m.WriteMostly, "W"}, {m.Journal, "J"}, {m.Faulty, "F"}, {m.Spare, "S"}, {m.Replacement, "R"}} {
			if mark.set {
				s += mark.mark
			}
		}
		members = append(members, s)
	}
	slices.SortFunc(members, cmp.Compare[string])
	w.members = strings.Join(members, " ")
	if s := a.Sync; s != nil {
		w.sync = s.Action
		switch {
		case s.Delayed:
			w.sync += "=delayed"
		case s.Pending:
			w.sync += "=pending"
		case s.Remote:
			w.sync += "=remote"
		case s.Done == 0 || s.Done > s.Total || s.Total == 0:
			w.sync += fmt.Sprintf(" %d/%d", s.Done, s.Total)
		}
	}
	if a.RaidDisks != len(a.Slots) || a.Working+a.Missing() < a.RaidDisks {
		w.slots += fmt.Sprintf(" %d/%d", a.RaidDisks, a.Working)
	}
	if len(a.Unparsed) != 0 {
		w.name += fmt.Sprintf(" UNPARSED %q", a.Unparsed)
	}
	return w.String()
}

func one(w wantArray) shot {
	w.name = cmp.Or(w.name, "md0")
	w.state = cmp.Or(w.state, "active")
	return shot{arrays: []wantArray{w}}
}

func mirror(state, slots, sync, members string) shot {
	return one(wantArray{state: state, level: RAID1, kib: 8192, meta: "none", slots: slots, sync: sync, members: members})
}

var (
	geom5 = MdstatGeometry{Level: 5, ChunkKiB: 64, Algorithm: 2}
	geomB = MdstatGeometry{Level: 5, ChunkKiB: 512, Algorithm: 2}
)

// shots says for every state what the scene has made. Disks have 16 MiB.
var shots = map[string]shot{
	"nothing": {},

	"raid1/pending":     mirror("active auto", "UUU", "resync=pending", "ubda ubdb ubdc"),
	"raid1/resync":      mirror("", "UUU", "resync", "ubda ubdb ubdc"),
	"raid1/clean":       mirror("", "UUU", "", "ubda ubdb ubdc"),
	"raid1/failed":      mirror("", "U_U", "", "ubda ubdbF ubdc"),
	"raid1/removed":     mirror("", "U_U", "", "ubda ubdc"),
	"raid1/recovery":    mirror("", "U_U", "recovery", "ubda ubdb ubdc"),
	"raid1/check":       mirror("", "UUU", "check", "ubda ubdb ubdc"),
	"raid1/repair":      mirror("", "UUU", "resync", "ubda ubdb ubdc"),
	"raid1/spares":      mirror("", "UUU", "", "ubda ubdb ubdc ubddS ubdeWS"),
	"raid1/replacement": mirror("", "UUU", "recovery", "ubda ubdb ubdc ubddS ubdeWR"),
	"raid1/replaced":    mirror("", "UUU", "", "ubdaF ubdb ubdc ubddS ubdeW"),
	"raid1/readonly":    mirror("active ro", "UUU", "", "ubdaF ubdb ubdc ubddS ubdeW"),

	"raid5/read-auto": one(wantArray{state: "active auto", level: RAID5, kib: 16384, meta: "none", geom: geom5, slots: "UUU", members: "ubda ubdb ubdc"}),
	"raid5/reshape":   one(wantArray{level: RAID5, kib: 16384, meta: "none", geom: geom5, slots: "UUUU", sync: "reshape", members: "ubda ubdb ubdc ubdd"}),
	"raid5/degraded":  one(wantArray{level: RAID5, kib: 24576, meta: "none", geom: geom5, slots: "_UUU", members: "ubdaF ubdb ubdc ubdd"}),
	"raid5/broken":    one(wantArray{level: RAID5, kib: 24576, meta: "none", geom: geom5, slots: "__UU", members: "ubdaF ubdbF ubdc ubdd"}),

	"levels/raid0":         one(wantArray{level: RAID0, kib: 32768, meta: "none", geom: MdstatGeometry{ChunkKiB: 64}, members: "ubda ubdb"}),
	"levels/raid4":         one(wantArray{level: RAID4, kib: 16384, meta: "none", geom: MdstatGeometry{Level: 4, ChunkKiB: 64}, slots: "UUU", members: "ubda ubdb ubdc"}),
	"levels/raid6":         one(wantArray{level: RAID6, kib: 16384, meta: "none", geom: MdstatGeometry{Level: 6, ChunkKiB: 64, Algorithm: 2}, slots: "UUUU", members: "ubda ubdb ubdc ubdd"}),
	"levels/raid10/near":   one(wantArray{level: RAID10, kib: 16384, meta: "none", geom: MdstatGeometry{ChunkKiB: 64, NearCopies: 2}, slots: "UUUU", members: "ubda ubdb ubdc ubdd"}),
	"levels/raid10/far":    one(wantArray{level: RAID10, kib: 12288, meta: "none", geom: MdstatGeometry{ChunkKiB: 64, FarCopies: 2}, slots: "UUU", members: "ubda ubdb ubdc"}),
	"levels/raid10/offset": one(wantArray{level: RAID10, kib: 12288, meta: "none", geom: MdstatGeometry{ChunkKiB: 64, OffsetCopies: 2}, slots: "UUU", members: "ubda ubdb ubdc"}),
	"levels/raid10/sets":   one(wantArray{level: RAID10, kib: 16384, meta: "none", geom: MdstatGeometry{ChunkKiB: 64, FarCopies: 2, DevicesPerSet: 2}, slots: "UUUU", members: "ubda ubdb ubdc ubdd"}),
	"levels/raid10/one":    one(wantArray{level: RAID10, kib: 8192, meta: "none", geom: MdstatGeometry{NearCopies: 2}, slots: "UU", members: "ubda ubdb"}),
	"levels/linear":        one(wantArray{level: Linear, kib: 32768, meta: "none", geom: MdstatGeometry{RoundingKiB: 64}, members: "ubda ubdb"}),
	"levels/multipath":     one(wantArray{level: Multipath, kib: 16384, meta: "none", slots: "UU", members: "ubda ubdb"}),

	"faulty/none": one(wantArray{level: Faulty, kib: 16384, meta: "none", geom: MdstatGeometry{Faults: map[string]string{"nfaults": "0"}}, members: "ubda"}),
	"faulty/modes": one(wantArray{level: Faulty, kib: 16384, meta: "none", geom: MdstatGeometry{Faults: map[string]string{
		"WriteTransient": "100(100)", "ReadTransient": "200(200)", "WritePersistent": "300(300)",
		"ReadPersistent": "400(400)", "ReadFixable": "500(500)", "nfaults": "0",
	}}, members: "ubda"}),
	"faulty/write-all": one(wantArray{level: Faulty, kib: 16384, meta: "none", geom: MdstatGeometry{Faults: map[string]string{
		"WriteTransient": "100(100)", "ReadTransient": "200(200)", "WritePersistent": "300(300)",
		"ReadPersistent": "400(400)", "ReadFixable": "500(500)", "WriteAll": "", "nfaults": "0",
	}}, members: "ubda"}),

	"unstarted/empty":    one(wantArray{name: "md1", state: "inactive", meta: "none"}),
	"unstarted/inactive": one(wantArray{state: "inactive", kib: 32768, meta: "none", members: "ubda ubdb"}),

	"external/empty":     {},
	"external/container": one(wantArray{name: "md_box", state: "inactive", meta: "external:ddf", members: "ubdaS ubdbS"}),
	"external/subarray": {arrays: []wantArray{
		{name: "md_box", state: "inactive", meta: "external:ddf", members: "ubdaS ubdbS"},
		{name: "md_sub", state: "active ro", level: RAID1, kib: 4096, meta: "external:/md_box/0", slots: "UU", members: "ubda ubdb"},
	}},

	"delayed": {arrays: []wantArray{
		{name: "md0", state: "active", level: RAID1, kib: 4096, meta: "none", slots: "UU", sync: "resync", members: "ubda1 ubdb1"},
		{name: "md1", state: "active", level: RAID1, kib: 4096, meta: "none", slots: "UU", sync: "resync=delayed", members: "ubda2 ubdb2"},
	}},

	"metadata/0.90":         one(wantArray{level: RAID1, kib: 16320, meta: "0.90", slots: "UU", bitmap: true, members: "ubda ubdb"}),
	"metadata/1.0":          one(wantArray{level: RAID1, kib: 16320, meta: "1.0", slots: "UU", bitmap: true, members: "ubda ubdb"}),
	"metadata/1.1":          one(wantArray{level: RAID1, kib: 15360, meta: "1.1", slots: "UU", bitmap: true, members: "ubda ubdb"}),
	"metadata/1.2":          one(wantArray{level: RAID1, kib: 15360, meta: "1.2", slots: "UU", bitmap: true, members: "ubda ubdb"}),
	"metadata/write-mostly": one(wantArray{level: RAID1, kib: 15360, meta: "1.2", slots: "UU", bitmap: true, members: "ubda ubdbW"}),

	"bitmap-file": one(wantArray{level: RAID1, kib: 16384, meta: "none", slots: "UU", bitmap: true, members: "ubda ubdb"}),

	"journal": one(wantArray{level: RAID5, kib: 28672, meta: "1.2", geom: geomB, slots: "UUU", members: "ubda ubdb ubdc ubddJ"}),
}
