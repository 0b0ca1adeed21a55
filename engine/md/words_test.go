package md

import (
	"encoding/binary"
	"fmt"
	"testing"
)

func TestLevels(t *testing.T) {
	for word, want := range map[string]Level{
		"linear": -1, "raid0": 0, "0": 0, "stripe": 0, "mirror": 1, "1": 1, "raid4": 4, "raid5": 5, "raid6": 6, "10": 10,
		"multipath": -4, "mp": -4, "faulty": -5, "container": -100,
	} {
		if got, err := ParseLevel(word); err != nil || got != want || !got.Known() {
			t.Errorf("%s is %v, %v; want %d", word, got, err, int32(want))
		}
		if again, err := ParseLevel(want.String()); err != nil || again != want {
			t.Errorf("%v does not parse to itself: %v, %v", want, again, err)
		}
	}
	for _, word := range []string{"", "raid7", "RAID5", "-1", "level(7)"} {
		if got, err := ParseLevel(word); err == nil {
			t.Errorf("%q is %v", word, got)
		}
	}
	if got := Level(7).String(); got != "level(7)" || Level(7).Known() {
		t.Error(got)
	}
}

// TestLayouts compares layouts with the numbers of the kernel's headers.
func TestLayouts(t *testing.T) {
	for _, c := range []struct {
		level Level
		word  string
		n     int32
		name  string
	}{
		{LevelRAID5, "ls", 2, "left-symmetric"},
		{LevelRAID5, "default", 2, "left-symmetric"},
		{LevelRAID5, "ddf-N-continue", 2, "left-symmetric"},
		{LevelRAID6, "ddf-N-continue", 10, "ddf-N-continue"},
		{LevelRAID6, "parity-first-6", 20, "parity-first-6"},
		{LevelRAID6, "ra", 1, "right-asymmetric"},
		{LevelRAID0, "alternate", 2, "alternate"},
		{LevelRAID0, "dangerous", 0, "dangerous"},
		{LevelRAID10, "n2", 0x102, "n2"},
		{LevelRAID10, "f3", 0x301, "f3"},
		{LevelRAID10, "o2", 0x10201, "o2"},
		{LevelRAID10, "n200", 0x1c8, "n200"},
		{LevelRAID10, "n+2", 0x102, "n2"},
		{LevelRAID10, "f 3", 0x301, "f3"},
		{LevelFaulty, "rt100", 100<<5 | 1, "read-transient"},
		{LevelFaulty, "wp7 and more", 7<<5 | 2, "write-persistent"},
		{LevelFaulty, "none", 31, "clear"},
	} {
		n, err := ParseLayout(c.level, c.word)
		if err != nil || n != c.n {
			t.Errorf("%v %s is %#x, %v; want %#x", c.level, c.word, n, err, c.n)
		}
		if name, ok := LayoutName(c.level, c.n); !ok || name != c.name {
			t.Errorf("%v %#x is %q, want %q", c.level, c.n, name, c.name)
		}
	}
	for _, c := range []struct {
		level Level
		word  string
	}{
		{LevelRAID5, "left-asymmetric-6"},
		{LevelRAID10, "n0"},
		{LevelRAID10, "n201"},
		{LevelRAID10, "x2"},
		{LevelRAID10, "n-2"},
		{LevelRAID10, "n2x"},
		{LevelRAID10, "n"},
		{LevelFaulty, "rt99999999999"},
		{LevelRAID1, "ls"},
	} {
		if n, err := ParseLayout(c.level, c.word); err == nil {
			t.Errorf("%v %s is %#x", c.level, c.word, n)
		}
	}
	for _, n := range []int32{0x202, 0, 0x100, 0x20102} {
		if name, ok := LayoutName(LevelRAID10, n); ok {
			t.Errorf("raid10 %#x is %s", n, name)
		}
	}
}

func TestUUIDs(t *testing.T) {
	u := UUID{0xde, 0xad, 0xbe, 0xef, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	const text = "deadbeef:04050607:08090a0b:0c0d0e0f"
	if u.String() != text {
		t.Error(u)
	}
	for _, s := range []string{text, "DEADBEEF0405060708090a0b0c0d0e0f", "deadbeef-0405-0607-0809-0a0b0c0d0e0f", "de.ad be:ef0405060708090a0b0c0d0e0f"} {
		if got, err := ParseUUID(s); err != nil || got != u {
			t.Errorf("%s is %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", text + "0", text[1:], "x" + text[1:]} {
		if got, err := ParseUUID(s); err == nil {
			t.Errorf("%q is %v", s, got)
		}
	}
	if got := u.Native(binary.LittleEndian); got[0] != 0xef || got[4] != 7 || u.Native(binary.BigEndian) != u {
		t.Errorf("native %x", got)
	}
}

// TestSuperOffset compares offsets with those of md.c, for sizes on both sides of
// each step, in bytes.
func TestSuperOffset(t *testing.T) {
	for _, c := range []struct {
		v    Version
		size int64
		off  int64
		ok   bool
	}{
		{V090, 64<<10 - 1, 0, false},
		{V090, 64 << 10, 0, true},
		{V090, 128<<10 + 1, 64 << 10, true},
		{V090, 1<<20 - 1, 896 << 10, true},
		{V10, 24*512 - 1, 0, false},
		{V10, 24 * 512, 8 * 512, true},
		{V10, 1 << 20, 1<<20 - 8192, true},
		{V10, 1<<20 + 512, 1<<20 - 8192, true},
		{V10, 1<<20 + 4095, 1<<20 - 8192, true},
		{V10, 1<<20 - 512, 1<<20 - 8192 - 4096, true},
		{V11, 24 * 512, 0, true},
		{V12, 24 * 512, 4096, true},
		{V12, 4096, 0, false},
		{Version{2, 0}, 1 << 30, 0, false},
	} {
		off, ok := c.v.SuperOffset(c.size)
		if ok != c.ok || ok && off != c.off {
			t.Errorf("%v on %d bytes: %d, %v; want %d, %v", c.v, c.size, off, ok, c.off, c.ok)
		}
	}
}

func TestParseVersion(t *testing.T) {
	for word, want := range map[string]Version{"0": V090, "0.90": V090, "00.90": V090, "1": V12, "default": V12, "1.0": V10, "1.01": V11, "1.2": V12} {
		if got, err := ParseVersion(word); err != nil || got != want {
			t.Errorf("%s is %v, %v", word, got, err)
		}
	}
	for _, word := range []string{"", "2", "imsm", "0.91x"} {
		if got, err := ParseVersion(word); err == nil {
			t.Errorf("%q is %v", word, got)
		}
	}
}

// TestEnough tries every set of available slots against a second, plain statement of
// which slots each level can lose.
func TestEnough(t *testing.T) {
	for _, c := range []struct {
		level  Level
		layout int32
		disks  int
		want   func(clean bool, avail []bool, missing int) bool
	}{
		{LevelLinear, 0, 3, func(_ bool, _ []bool, missing int) bool { return missing == 0 }},
		{LevelRAID0, 0, 3, func(_ bool, _ []bool, missing int) bool { return missing == 0 }},
		{LevelRAID1, 0, 3, func(_ bool, _ []bool, missing int) bool { return missing < 3 }},
		{LevelMultipath, 0, 2, func(_ bool, _ []bool, missing int) bool { return missing < 2 }},
		{LevelRAID4, 0, 4, func(clean bool, avail []bool, missing int) bool {
			return missing == 0 || missing == 1 && (clean || !avail[3])
		}},
		{LevelRAID5, 2, 4, func(clean bool, _ []bool, missing int) bool { return missing == 0 || missing == 1 && clean }},
		{LevelRAID6, 2, 5, func(clean bool, _ []bool, missing int) bool { return missing == 0 || missing <= 2 && clean }},
		{LevelRAID10, 0x102, 4, func(_ bool, a []bool, _ int) bool { return (a[0] || a[1]) && (a[2] || a[3]) }},
		{LevelRAID10, 0x102, 3, func(_ bool, _ []bool, missing int) bool { return missing <= 1 }},
		{LevelRAID10, 0x201, 4, func(_ bool, a []bool, _ int) bool {
			return (a[0] || a[1]) && (a[1] || a[2]) && (a[2] || a[3]) && (a[3] || a[0])
		}},
		{LevelRAID10, 0x103, 3, func(_ bool, _ []bool, missing int) bool { return missing < 3 }},
		{LevelRAID10, 0, 3, func(bool, []bool, int) bool { return false }},
		{LevelFaulty, 0, 1, func(bool, []bool, int) bool { return false }},
	} {
		for set := range 1 << c.disks {
			avail, missing := make([]bool, c.disks), 0
			for i := range avail {
				avail[i] = set>>i&1 != 0
				if !avail[i] {
					missing++
				}
			}
			for _, clean := range []bool{false, true} {
				got := Enough(c.level, c.disks, c.layout, clean, avail)
				if got != c.want(clean, avail, missing) {
					t.Errorf("%v layout %#x, clean %v, %v: %v", c.level, c.layout, clean, avail, got)
				}
			}
		}
	}
	if Enough(LevelRAID1, 2, 0, true, []bool{true}) || Enough(LevelRAID1, 0, 0, true, nil) {
		t.Error("enough of an array without slots")
	}
}

func TestStrings(t *testing.T) {
	for got, want := range map[string]string{
		FeatureMap(0).String():                      "0x0",
		(FeatureBitmapOffset | FeaturePPL).String(): "0x401 (bitmap ppl)",
		FeatureMap(0x8001).String():                 "0x8001 (bitmap 0x8000)",
		FeatureAll.String():                         "0x1fff (bitmap recovery_offset reshape_active bad_blocks replacement reshape_backwards new_offset recovery_bitmap clustered journal ppl multiple_ppls raid0_layout)",
		(DevWriteMostly | DevFailFast | 8).String(): "write-mostly failfast 0x8",
		BitmapState(0).String():                     "ok",
		(BitmapStale | 1<<9).String():               "stale 0x200",
		Role(3).String():                            "slot 3",
		Role(0xff01).String():                       "role(0xff01)",
		RoleJournal.String():                        "journal",
		ChunkNeedSync.String():                      "need_sync",
		ChunkState(9).String():                      "state(9)",
		PayloadFlush.String():                       "flush",
		PayloadType(7).String():                     "payload(7)",
		V090.String() + V10.String():                "0.901.0",
		fmt.Sprint(UUID{}.IsZero()):                 "true",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
