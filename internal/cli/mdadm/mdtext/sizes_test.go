package mdtext

import "testing"

// TestHumanSize expects what mdadm 4.2 prints for sizes of so many bytes.
func TestHumanSize(t *testing.T) {
	for _, tc := range []struct {
		bytes            int64
		text, iec, jedec string
	}{
		{-1, "", "", ""},
		{5119999, "", "", ""},
		{5120000, " (4.88 MiB 5.12 MB)", "4.88MiB", "5.12MB"},
		{799014912, " (762.00 MiB 799.01 MB)", "762.00MiB", "799.01MB"},
		{2<<30 - 1, " (2048.00 MiB 2147.48 MB)", "2048.00MiB", "2147.48MB"},
		{2 << 30, " (2.00 GiB 2.15 GB)", "2.00GiB", "2.15GB"},
		{2<<40 - 1, " (2048.00 GiB 2199.02 GB)", "2048.00GiB", "2199.02GB"},
		{2 << 40, " (2.00 TiB 2.20 TB)", "2.00TiB", "2.20TB"},
		{64 << 50, " (65536.00 TiB 72057.59 TB)", "65536.00TiB", "72057.59TB"},
	} {
		if got := HumanSize(tc.bytes); got != tc.text {
			t.Errorf("humanSize(%d) = %q, want %q", tc.bytes, got, tc.text)
		}
		if got := HumanSizeIEC(tc.bytes); got != tc.iec {
			t.Errorf("humanSizeIEC(%d) = %q, want %q", tc.bytes, got, tc.iec)
		}
		if got := HumanSizeJEDEC(tc.bytes); got != tc.jedec {
			t.Errorf("humanSizeJEDEC(%d) = %q, want %q", tc.bytes, got, tc.jedec)
		}
	}
}

func TestRAID10Layout(t *testing.T) {
	for layout, want := range map[int32]string{
		0x102:   " near=2",
		0x201:   " far=2",
		0x10201: " offset=2",
		0x202:   " near=2, far=2",
		0x101:   "NO REDUNDANCY",
	} {
		if got := Raid10Layout(layout); got != want {
			t.Errorf("raid10Layout(%#x) = %q, want %q", layout, got, want)
		}
	}
	if got, want := Raid10NewLayout(0x10201), "near=1, offset=2"; got != want {
		t.Errorf("raid10NewLayout = %q, want %q", got, want)
	}
}

func TestQuoting(t *testing.T) {
	for in, want := range map[string]string{
		`host:0`:  `host:0`,
		`a b`:     `"a b"`,
		`it's`:    `"it's"`,
		`5" disk`: `'5" disk'`,
		`5" it's`: `'5" it'"'s"`,
	} {
		if got := QuoteWord(in); got != want {
			t.Errorf("quoteWord(%s) = %s, want %s", in, got, want)
		}
	}
	if got, want := EscapeName("a b/\xff\tc"), "a_b-\xff_c"; got != want {
		t.Errorf("escapeName = %q, want %q", got, want)
	}
}

func TestHumanChunk(t *testing.T) {
	for in, want := range map[uint32]string{0: "0 B", 512: "512 B", 4096: "4 KB", 64 << 20: "64 MB", 1<<31 + 1: "2 GB"} {
		if got := HumanChunk(in); got != want {
			t.Errorf("humanChunk(%d) = %q, want %q", in, got, want)
		}
	}
}
