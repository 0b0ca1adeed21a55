package dm_test

import (
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/engine/dm"
	"github.com/mdkit/mdkit/internal/lab"
)

// printed are tables as kernels print them, in addition to those printed in the
// lab: targets and features that no lab kernel has, states that are hard to
// reach, and the orders of 4.11. They follow the status functions in the
// kernel's sources.
var printed = []struct{ typ, params string }{
	{"error", ""},
	{"error", "8:1 8"},
	{"delay", "8:1 0 100"},
	{"flakey", "8:1 0 1 2 0 "},
	{"flakey", "8:1 0 1 2 6 drop_writes corrupt_bio_byte 32 r 1 0 "},
	{"flakey", "8:1 0 1 2 2 error_reads error_writes"},
	{"flakey", "8:1 0 1 2 9 corrupt_bio_byte 1 w 255 7 random_read_corrupt 9 random_write_corrupt 10"},
	{"crypt", "aes-xts-plain64 :64:logon:cryptsetup:uuid-d0 0 8:1 4096 1 allow_discards"},
	{"crypt", "capi:authenc(hmac(sha256),xts(aes))-random 00ff 0 8:1 0 3 integrity:48:aead sector_size:4096 integrity_key_size:32"},
	{"snapshot", "8:1 8:2 PO 16 2 discard_zeroes_cow discard_passdown_origin"},
	{"mirror", "core 2 1024 nosync 2 8:1 0 8:2 0 1 handle_errors"},
	{"mirror", "disk 3 8:3 1024 sync 2 8:1 0 8:2 0 2 handle_errors keep_log"},
	{"mirror", "userspace 4 u-1 integrated_flush clustered-core 1024 2 8:1 0 8:2 0"},
	{"raid", "raid1 3 0 region_size 1024 2 8:1 8:2 8:3 8:4"},
	{"raid", "raid5_ls 11 128 rebuild 1 rebuild 2 daemon_sleep 5 stripe_cache 1024 delta_disks -1 3 - 8:1 - 8:2 - 8:3"},
	{"raid", "raid10 8 128 raid10_format far raid10_copies 2 nosync region_size 1024 2 - 8:1 - 8:2"}, // 4.11
	{"raid", "raid5_ls 8 128 sync daemon_sleep 5 max_recovery_rate 9 min_recovery_rate 8 2 - 8:1 - -"},
	{"raid", "raid5_ls 5 128 journal_dev 8:9 journal_mode writeback 2 8:1 8:2 8:3 8:4"},
	{"multipath", "5 queue_if_no_path pg_init_retries 50 queue_mode mq 1 alua 2 1 round-robin 0 1 1 8:1 1 service-time 0 1 2 8:2 1 50 "},
	{"multipath", "2 queue_if_no_path retain_attached_hw_handler 0 1 1 historical-service-time 2 973 0 1 1 8:1 0 "},
	{"multipath", "0 0 1 1 io-affinity 0 2 1 8:1 3 8:2 c "},
	{"thin-pool", "8:1 8:2 128 1024 0 "},
	{"thin-pool", "8:1 8:2 128 1024 2 skip_block_zeroing error_if_no_space "},
	{"thin", "253:4 7 8:9"},
	{"thin", "Fail"},
	{"thin", "-"},
	{"cache", "8:1 8:2 8:3 512 2 no_discard_passdown writethrough smq 2 migration_threshold 2048"},
	{"clone", "8:1 8:2 8:3 8"},
	{"clone", "8:1 8:2 8:3 8 1 no_hydration 4 hydration_batch_size 8 hydration_threshold 4"},
	{"verity", "1 8:1 8:2 4096 4096 256 1 sha256 " + strings.Repeat("ab", 32) + " 00ff 12 restart_on_corruption panic_on_error ignore_zero_blocks check_at_most_once use_fec_from_device 8:3 fec_blocks 260 fec_start 0 fec_roots 24"},
	{"verity", "0 8:1 8:2 4096 4096 256 1 sha1 " + strings.Repeat("ab", 20) + " - 2 root_hash_sig_key_desc key"},
	{"integrity", "8:1 0 4 J 6 journal_sectors:1024 interleave_sectors:32768 buffer_sectors:128 journal_watermark:50 commit_time:10000 internal_hash:crc32c"},
	{"integrity", "8:1 0 4 J 6 interleave_sectors:32768 buffer_sectors:128 journal_sectors:1024 journal_watermark:50 commit_time:10000 internal_hash:crc32c"},
	{"integrity", "8:1 0 32 B 11 meta_device:8:2 block_size:4096 recalculate reset_recalculate allow_discards_keyed journal_sectors:1024 interleave_sectors:1 buffer_sectors:128 sectors_per_bit:32768 bitmap_flush_interval:10000 internal_hash:hmac(sha256):00"},
	{"integrity", "8:1 0 4 I 2 buffer_sectors:128 internal_hash:crc32c"},
	{"writecache", "p 8:1 8:2 4096 3 high_watermark 60 nofua"},
	{"writecache", "s 8:1 8:2 4096 0"},
	{"unstriped", "2 16 1 8:1 0"},
	{"dust", "8:1 0 512"},
	{"ebs", "8:1 0 1"},
	{"ebs", "8:1 0 1 8"},
	{"zoned", "8:1 8:2 8:3"},
	{"vdo", "V4 /dev/sda 262144 4096 32768 16380 deduplication on compression off ack 1 bio 4 cpu 2 hash 1 logical 1 physical 1 maxDiscard 1"},
	{"vdo", "V2 /dev/sda 262144 4096 32768 16380 on auto vdo0"},
	{"pcache", "259:0 8:1 4 cache_mode writeback crc true"},
	{"inlinecrypt", "aes-xts-plain64 " + strings.Repeat("ab", 64) + " 1 0 8:1 0 3 allow_discards sector_size:4096 iv_large_sectors"},
	{"inlinecrypt", "aes-xts-plain64 " + strings.Repeat("ab", 64) + " 1 0 8:1 0"},
	{"inlinecrypt", "aes-xts-plain64 :64:logon:k 0 8:1 0 1 keytype:hw-wrapped"},
	{"switch", "2 1024 0 8:1 0 8:2 8"},
	{"era", "8:1 8:2 128"},
	{"log-writes", "8:1 8:2"},
}

// TestPrinted parses what kernels print and prints it again.
func TestPrinted(t *testing.T) {
	for _, p := range printed {
		a, err := dm.ParseArgs(p.typ, p.params)
		if err != nil {
			t.Errorf("%s %s: %v", p.typ, p.params, err)
			continue
		}
		if got := a.Params(); got != p.params || a.Type() != p.typ {
			t.Errorf("%s:\n got %q\nwant %q", p.typ, got, p.params)
		}
		if n := len(a.Devices()); n == 0 && p.params != "" && !reflect.DeepEqual(a, dm.Thin{Word: p.params}) {
			t.Errorf("%s %s: no devices", p.typ, p.params)
		}
	}
}

// TestOtherOrders prints arguments given in another order as current kernels
// do.
func TestOtherOrders(t *testing.T) {
	for _, c := range [][3]string{
		{"thin-pool", "8:1 8:2 128 0", "8:1 8:2 128 0 0 "},
		{"thin-pool", "8:1  8:2 128 0 2 ERROR_IF_NO_SPACE skip_block_zeroing", "8:1 8:2 128 0 2 skip_block_zeroing error_if_no_space "},
		{"crypt", "aes-cbc-plain 00 0 8:1 0 2 same_cpu_crypt allow_discards", "aes-cbc-plain 00 0 8:1 0 2 allow_discards same_cpu_crypt"},
		{"raid", "raid1 5 64 region_size 1024 rebuild 0 2 - 8:1 - 8:2", "raid1 5 0 rebuild 0 region_size 1024 2 - 8:1 - 8:2"},
		{"linear", "8:1\t008", "8:1 8"},
	} {
		if c[0] == "crypt" {
			c[1], c[2] = strings.Replace(c[1], " 00 ", " "+strings.Repeat("00", 16)+" ", 1), strings.Replace(c[2], " 00 ", " "+strings.Repeat("00", 16)+" ", 1)
		}
		a, err := dm.ParseArgs(c[0], c[1])
		if err != nil || a.Params() != c[2] {
			t.Errorf("%s %s: %v, %v, want %q", c[0], c[1], a, err, c[2])
		}
	}
}

// TestSpellingEnds prints changed arguments in the normal spelling.
func TestSpellingEnds(t *testing.T) {
	a, err := dm.ParseArgs("cache", "8:1 8:2 8:3 512 2 no_discard_passdown writethrough smq 0")
	if err != nil {
		t.Fatal(err)
	}
	c := a.(dm.Cache)
	c.Mode = "writeback"
	if got, want := c.Params(), "8:1 8:2 8:3 512 2 writeback no_discard_passdown smq 0"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// states are status texts as kernels print them, like printed for tables.
var states = []struct{ typ, text string }{
	{"linear", ""},
	{"striped", "2 8:1 8:2 1 AD"},
	{"delay", "1 2"},
	{"delay", "1 2 3"},
	{"snapshot", "16/2048 16"},
	{"snapshot", "Invalid"},
	{"snapshot", "Overflow"},
	{"snapshot", "Unknown"},
	{"snapshot-merge", "Merge failed"},
	{"mirror", "2 8:1 8:2 4/4 1 AF 3 disk 8:3 A"},
	{"mirror", "2 8:1 8:2 4/4 1 AA 1 core"},
	{"mirror", "2 8:1 8:2 4/4 1 AA userspace 1 COM_FAILURE"},
	{"raid", "raid1 2 Aa 1024/8192 recover 0"},
	{"raid", "raid5_ls 3 AAD 8192/8192 idle 8 0 -"},
	{"raid", "raid6_zr 4 AA-A 8192/8192 reshape 0 2048 a"},
	{"multipath", "2 0 0 0 0 0 "},
	{"multipath", "2 1 3 0 2 1 A 0 1 2 8:1 A 0 0 1 E 2 973 0 1 3 8:2 F 4 1 2 3 "},
	{"thin-pool", "1 9/4096 0/128 - rw discard_passdown queue_if_no_space - 1024 "},
	{"thin-pool", "1 9/4096 0/128 7 out_of_data_space ignore_discard error_if_no_space needs_check "},
	{"thin-pool", "Fail"},
	{"thin-pool", "Error"},
	{"thin", "1024 2047"},
	{"thin", "0 -"},
	{"thin", "-"},
	{"thin", "Fail"},
	{"cache", "8 27/4096 64 0/512 0 1 2 3 4 5 6 1 writeback 2 migration_threshold 2048 smq 0 rw - "},
	{"cache", "8 27/4096 64 0/512 0 1 2 3 4 5 6 2 metadata2 writethrough 2 migration_threshold 2048 mq 10 random_threshold 0 sequential_threshold 0 discard_promote_adjustment 0 read_promote_adjustment 0 write_promote_adjustment 0 ro needs_check "},
	{"cache", "Fail"},
	{"era", "8 1/2 3 -"},
	{"era", "8 1/2 3 9"},
	{"era", "Error"},
	{"clone", "8 1/2 8 3/4 0 1 no_hydration 4 hydration_threshold 1 hydration_batch_size 1 rw"},
	{"clone", "8 1/2 8 3/4 0 0 4 hydration_threshold 1 hydration_batch_size 1 ro"},
	{"clone", "Fail"},
	{"verity", "V"},
	{"verity", "C -"},
	{"verity", "V 7"},
	{"log-writes", "0 18446744073709551615"},
	{"log-writes", "7 9 logging_disabled"},
	{"integrity", "0 8192 -"},
	{"integrity", "3 8192 4096"},
	{"writecache", "0 1 2 3"},
	{"writecache", "-5 1 2 3 4 5 6 7 8 9 10 11 12 13"},
	{"dust", "8:1 bypass verbose"},
	{"zoned", "128 zones 0/8 cache"},
	{"zoned", "128 zones 1/0 cache 3/4 random 5/6 sequential 7/8 random 9/10 sequential"},
	{"vdo", "/dev/sda normal - online online 1024 262144"},
	{"vdo", "/dev/sda read-only recovering offline offline 1024 262144"},
	{"pcache", "a 100 90 7 70 1f 0:64 1:2 3:4"},
}

// TestStates parses status texts of kernels and prints them again.
func TestStates(t *testing.T) {
	for _, s := range states {
		st, err := dm.ParseStatus(s.typ, s.text)
		if err != nil {
			t.Errorf("%s %s: %v", s.typ, s.text, err)
			continue
		}
		if st.String() != s.text || st.Type() != s.typ {
			t.Errorf("%s:\n got %q\nwant %q", s.typ, st, s.text)
		}
		// A status that is cut short or goes on too long is refused.
		for _, bad := range []string{s.text + " more", strings.Join(strings.Fields(s.text)[:max(0, len(strings.Fields(s.text))-1)], " ")} {
			if again, err := dm.ParseStatus(s.typ, bad); err == nil {
				if again.String() != bad && again.String() != bad+" " {
					t.Errorf("%s: %q became %q", s.typ, bad, again)
				}
			} else if !errors.Is(err, dm.ErrSyntax) {
				t.Errorf("%s %q: %v", s.typ, bad, err)
			}
		}
	}
	if _, err := dm.ParseStatus("nonsense", ""); !errors.Is(err, dm.ErrUnknownTarget) {
		t.Errorf("unknown target: %v", err)
	}
	if _, err := dm.ParseArgs("nonsense", ""); !errors.Is(err, dm.ErrUnknownTarget) {
		t.Errorf("unknown target: %v", err)
	}
}

// TestMask hides each key and nothing else.
func TestMask(t *testing.T) {
	for _, c := range [][3]string{
		{"crypt", "aes-cbc-plain a1b2 0 8:1 0", "aes-cbc-plain 0000 0 8:1 0"},
		{"crypt", "aes-cbc-plain :32:logon:a 0 8:1 0", "aes-cbc-plain :32:logon:a 0 8:1 0"},
		{"inlinecrypt", "aes-xts-plain64 a1b2 1 0 8:1 0", "aes-xts-plain64 0000 1 0 8:1 0"},
		{"integrity", "8:1 0 4 J 3 internal_hash:hmac(md5):ff journal_crypt:ctr(aes):ee journal_mac:crc32c", "8:1 0 4 J 3 internal_hash:hmac(md5):00 journal_crypt:ctr(aes):00 journal_mac:crc32c"},
		{"crypt", " aes-cbc-plain\ta1b2  0 8:1\t0 ", " aes-cbc-plain\t0000  0 8:1\t0 "},
		{"crypt", "aes-cbc-plain  a1b2 0 8:1 0", "aes-cbc-plain  0000 0 8:1 0"},
		{"integrity", "8:1 0 4 J 1\tinternal_hash:hmac(md5):ff", "8:1 0 4 J 1\tinternal_hash:hmac(md5):00"},
		{"crypt", "a a a a", "a 0 a a"},
		{"thin-pool", "8:1 8:2 128 0 0 ", "8:1 8:2 128 0 0 "},
		{"nonsense", "secret", "secret"},
	} {
		if got := dm.Mask(dm.Line{Type: c[0], Params: c[1]}).Params; got != c[2] {
			t.Errorf("%s %s: %s", c[0], c[1], got)
		}
	}
}

// TestHasKeys counts a key that is all zeros, but not a reference to a key.
func TestHasKeys(t *testing.T) {
	for _, c := range []struct {
		typ, params string
		want        bool
	}{
		{"crypt", "aes-cbc-plain a1b2 0 8:1 0", true},
		{"crypt", "aes-cbc-plain\t0000 0 8:1 0", true},
		{"crypt", "aes-cbc-plain :32:logon:a 0 8:1 0", false},
		{"crypt", "cipher_null-ecb - 0 8:1 0", true},
		{"crypt", "aes", false},
		{"integrity", "8:1 0 4 J 1 internal_hash:crc32c", false},
		{"integrity", "8:1 0 4 J 1 internal_hash:hmac(md5):00", true},
		{"linear", "8:1 0", false},
	} {
		if got := dm.HasKeys(dm.Line{Type: c.typ, Params: c.params}); got != c.want {
			t.Errorf("%s %s: %v", c.typ, c.params, got)
		}
	}
}

// TestMaskMessage hides the key that a message to dm-crypt sets.
func TestMaskMessage(t *testing.T) {
	for _, c := range []struct {
		text, want string
		has        bool
	}{
		{"key set a1b2", "key set 0000", true},
		{"KEY\tSet  a1b2", "KEY\tSet  0000", true},
		{"key set a1b2 more", "key set 0000 0000", true},
		{"key set :32:logon:a", "key set :32:logon:a", false},
		{"key wipe", "key wipe", false},
		{"key set", "key set", false},
		{"create_thin 0", "create_thin 0", false},
	} {
		if got := dm.MaskMessage(c.text); got != c.want || dm.MessageHasKeys(c.text) != c.has {
			t.Errorf("%q: %q, has a key: %v", c.text, got, !c.has)
		}
	}
}

// TestTargetsDoc compares docs/dm-targets.md with the targets.
func TestTargetsDoc(t *testing.T) {
	doc, err := os.ReadFile("../../docs/dm-targets.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, typ := range dm.Types() {
		if !slices.ContainsFunc(strings.Split(string(doc), "\n"), func(l string) bool {
			first, _, _ := strings.Cut(strings.TrimPrefix(l, "| "), " | ")
			return strings.HasPrefix(l, "| ") && strings.Contains(first, "`"+typ+"`")
		}) {
			t.Errorf("docs/dm-targets.md has no line for %s", typ)
		}
	}
}

// TestEscape doubles the backslashes, which the kernel halves.
func TestEscape(t *testing.T) {
	if got := dm.EscapeParams(`/dev/a\x20b 0`); got != `/dev/a\\x20b 0` {
		t.Error(got)
	}
}

// FuzzArgs checks that arguments still mean the same after parsing and
// printing.
func FuzzArgs(f *testing.F) {
	for _, p := range printed {
		f.Add(p.typ, p.params)
	}
	for _, b := range badTables(&testing.T{}, refs) {
		f.Add(b.line.Type, b.line.Params)
	}
	f.Fuzz(stays)
}

// stays checks that arguments mean the same after parsing and printing, and
// that no text makes a check panic.
func stays(t *testing.T, typ, params string) {
	line := dm.Line{Length: 2048, Type: typ, Params: params}
	_ = dm.Check(dm.Table{line}, bookWorld())
	_ = dm.CheckReadOnly(dm.Table{line}, bookWorld())
	if masked := dm.Mask(line); len(masked.Params) != len(params) {
		t.Errorf("%q masked: %q", params, masked.Params)
	}
	a, err := dm.ParseArgs(typ, params)
	if err != nil {
		return
	}
	text := a.Params()
	b, err := dm.ParseArgs(typ, text)
	if err != nil {
		t.Fatalf("%s: %q printed as %q: %v", typ, params, text, err)
	}
	if again := b.Params(); again != text {
		t.Errorf("%s: %q printed as %q and then %q", typ, params, text, again)
	}
}

// TestMutations makes the mistakes that people make in tables: words left out,
// repeated or replaced by others, and numbers that are too large.
func TestMutations(t *testing.T) {
	r := lab.Rand(t)
	var lines []dm.Line
	var words []string
	for _, p := range printed {
		lines = append(lines, dm.Line{Type: p.typ, Params: p.params})
	}
	for _, b := range badTables(t, refs) {
		lines = append(lines, b.line)
	}
	for _, l := range lines {
		words = append(words, strings.Fields(l.Params)...)
	}
	words = append(words, "18446744073709551615", "18446744073709551616", "4294967296", "-1", "", ":", "0", "-", "\\")
	for range 20 {
		for _, l := range lines {
			w := strings.Fields(l.Params)
			for range 1 + r.IntN(3) {
				i := r.IntN(len(w) + 1)
				switch {
				case i == len(w):
					w = append(w, words[r.IntN(len(words))])
				case r.IntN(3) == 0:
					w = slices.Delete(w, i, i+1)
				case r.IntN(2) == 0:
					w = slices.Insert(w, i, w[i])
				default:
					w[i] = words[r.IntN(len(words))]
				}
			}
			stays(t, l.Type, strings.Join(w, " "))
		}
	}
}

// FuzzStatus checks that a parsed status is printed as it was, except for white
// space and the form of numbers.
func FuzzStatus(f *testing.F) {
	for _, s := range states {
		f.Add(s.typ, s.text)
	}
	f.Fuzz(func(t *testing.T, typ, text string) {
		st, err := dm.ParseStatus(typ, text)
		if err != nil {
			return
		}
		again, err := dm.ParseStatus(typ, st.String())
		if err != nil || !reflect.DeepEqual(st, again) {
			t.Errorf("%s: %q printed as %q: %v, %v", typ, text, st, again, err)
		}
	})
}

// FuzzTable checks that tables and concise specifications mean the same after
// parsing and printing.
func FuzzTable(f *testing.F) {
	f.Add("0 8 linear 8:1 0\n8 8 zero")
	f.Add(`d\,1,u,3,ro,0 8 linear 8:1 0,8 8 zero;e,,,,0 8 error`)
	f.Add(`,,,,0 00\\`)
	f.Add(`\ d,\ u,,,0 8 error`)
	f.Fuzz(func(t *testing.T, text string) {
		if table, err := dm.ParseTable(text); err == nil {
			again, err := dm.ParseTable(table.String())
			if err != nil || len(again) != len(table) {
				t.Errorf("%q: %v, %v", text, again, err)
			}
		}
		devices, err := dm.ParseConcise(text)
		if err != nil || slices.ContainsFunc(devices, func(d dm.Device) bool { return len(d.Table) == 0 }) {
			return // a device without a table is printed in a shorter form, as dmsetup does
		}
		printed := dm.FormatConcise(devices)
		again, err := dm.ParseConcise(printed)
		if err != nil || dm.FormatConcise(again) != printed {
			t.Errorf("%q printed as %q: %v", text, printed, err)
		}
	})
}
