package mdadm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/internal/lab"
)

// modeLines are the beginnings of lines: one for each mode, and none.
func modeLines() [][]string {
	return [][]string{
		nil,
		{"--manage"},
		{"--misc"},
		{"--assemble"},
		{"--build"},
		{"--create"},
		{"--grow"},
		{"--incremental"},
		{"--monitor"},
		{"--auto-detect"},
		{"-D"},
		{"-E"},
		{"/dev/absent"},
		{"--create", "/dev/md/absent"},
	}
}

// spellingLines are lines with one option in every spelling: with its value glued to
// it, after a "=", in the next word, empty, and left out.
func spellingLines() (lines [][]string) {
	add := func(mode []string, words ...string) {
		lines = append(lines, append(append([]string(nil), mode...), words...))
	}
	for _, mode := range modeLines() {
		for _, o := range longOptions() {
			if o.Exact {
				continue
			}
			n := "--" + o.Name
			add(mode, n)
			add(mode, n+"=")
			add(mode, n+"=7")
			add(mode, n, "7")
			add(mode, n, "")
			add(mode, n, n, "/dev/absent")
		}
		for c := byte('!'); c <= '~'; c++ {
			s := "-" + string(c)
			add(mode, s)
			add(mode, s+"7")
			add(mode, s+"=7")
			add(mode, s, "7")
			add(mode, s, "", "/dev/absent")
			add(mode, s+"vq", "/dev/absent")
			add(mode, "-v"+s[1:], "5")
		}
	}
	return lines
}

// abbreviations are all beginnings of long options.
func abbreviations() (lines [][]string) {
	seen := map[string]bool{}
	for _, o := range longOptions() {
		if o.Exact {
			continue
		}
		for i := range len(o.Name) {
			if n := "--" + o.Name[:i]; !seen[n] && i > 0 {
				seen[n] = true
				for _, mode := range modeLines() {
					for _, words := range [][]string{{n}, {n + "=x"}, {n, "x"}} {
						lines = append(lines, append(append([]string(nil), mode...), words...))
					}
				}
			}
		}
	}
	return lines
}

// TestSpellings gives both programs lines with every option in every spelling, every
// abbreviation and every value, in every mode, about devices that are not there, and
// lets nothing differ but what is so on purpose.
func TestSpellings(t *testing.T) {
	beside(t)
	all := slices.Concat(spellingLines(), abbreviations(), valueLines())
	all = slices.DeleteFunc(all, loops)
	const batch = 100
	n := (len(all) + batch - 1) / batch
	var cases []lab.Case
	for i := range n {
		cases = append(cases, lab.Case{Name: fmt.Sprint("lines ", i), Run: func(t *testing.T, _ *lab.Guest) {
			do(t, "hostname labhost")
			seen := helps{}
			for k := i; k < len(all); k += n {
				sameLine(t, seen, all[k])
			}
		}})
	}
	lab.Run(t, lab.Spec{Modules: []string{"raid1"}, Files: lab.Peer(t, "mdadm").Files}, lab.Sample(t, cases, 3)...)
}

// helps are mdadm's texts of help, and ours.
type helps map[string]string

// same reports whether the two are help on the same thing: the words are ours, but
// there is one text for each of mdadm's.
func (h helps) same(want, got outcome) bool {
	if want.code != 0 || got.code != 0 || want.err != got.err || min(strings.Count(want.out, "\n"), strings.Count(got.out, "\n")) < 6 {
		return false
	}
	if _, ok := h[want.out]; !ok {
		h[want.out] = got.out
	}
	return h[want.out] == got.out
}

// sameLine runs the line with both programs.
func sameLine(t *testing.T, seen helps, words []string) {
	t.Helper()
	want := plainly(t, func() outcome { return peers(t, words...) })
	got := plainly(t, func() outcome { return ours(words...) })
	if want == got || seen.same(want, got) {
		return
	}
	line := fmt.Sprintf("%q", words)
	for _, d := range spellingDifferences {
		if d.line.MatchString(line) && d.want.MatchString(want.String()) && d.got.MatchString(got.String()) {
			return
		}
	}
	t.Errorf("LINE %s: %d %q != %d %q", line, want.code, want.out+want.err, got.code, got.out+got.err)
}

// plainly runs a program where no --monitor has left its mark, and takes out what may
// differ at any time: the clock, the end of the version, and the indented lines below
// a refusal that only ours prints.
func plainly(t *testing.T, run func() outcome) outcome {
	t.Helper()
	if err := os.Remove("/run/mdadm/autorebuild.pid"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	o := run()
	o.out, o.err = clockOrVersion.ReplaceAllString(o.out, "$1"), clockOrVersion.ReplaceAllString(o.err, "$1")
	o.err = strings.ReplaceAll(o.err, "\n       No such file or directory\n", "\n")
	return o
}

var clockOrVersion = regexp.MustCompile(`(?m)^[A-Z][a-z][a-z] +\d+ \d\d:\d\d:\d\d: |^(mdadm - v4\.2 - 2021-12-30) - .*`)

// spellingDifferences are those of docs/differences-from-mdadm.md that lines without
// devices can show.
var spellingDifferences = func() (list []spellingDifference) {
	for _, d := range [][3]string{
		{`"--write-b[a-z]*"`, `write-behind writes: \(null\)`, ``},
		{`"-v?r`, `option requires an argument -- 'r'`, ``},
		{`"-v?r`, `an md device must be given in this mode`, `error opening|does not appear|invalid option`},
		{`"--incremental" "-vr" "5"`, `exit 0`, `stat failed for 5`},
		{`"-v?r[=7]`, ``, `invalid option -- '[=7]'`},
		{`"-v?r" ""`, `error opening /dev/absent`, `error opening : No such file`},
		{`"--ud[a-z-]*=`, `exit 0`, `--udev-rules= names no file`},
		{`X|-ex|--ex`, `failed to read superblock of bitmap file`, `No bitmap and no md superblock detected`},
		{`"-A|"--as`, `has no superblock - assembly aborted`, `an md device must be given in this mode`},
		{`\d{9,}`, `cannot open|stat failed|error opening|no raid-devices|forbidden|only be specified once|only be specified one`, `invalid (array )?(size|chunk/rounding value|data-offset|bitmap chunksize): \d{9,}`},
		{`(-c|--chunk=|--bitmap-chunk=)(\d{7,}|\d+[GTs])`, `cannot open|stat failed|error opening|no raid-devices|forbidden|only be specified once|only be specified one`, `invalid (chunk/rounding value|bitmap chunksize): \d+`},
		{`\d{8,}`, `cannot open|stat failed|error opening`, `layout [a-z-]+\d{8,} not understood for faulty`},
		{`\d{10}`, `cannot open|stat failed|error opening`, `layout for raid10 must be .*, not [a-z]-?\d{10}`},
		{`"-e" "(0.swap|ddf|imsm|mbr|gpt)"`, `exit 1`, `is not supported by (this build of )?mdkit`},
		{`"(-b|-lcontainer|container|--level=container)"`, `exit [12]`, `is not supported by this build of mdkit`},
		// A file that --udev-rules=7 has made, on a tmpfs, where mdadm cannot have direct access.
		{`"7"`, `cannot open 7: Invalid argument`, `No md superblock detected on 7`},
		{`/dev/null|/tmp`, `cannot open .*: Invalid argument`, `cannot open .*: not a regular file or block device`},
	} {
		list = append(list, spellingDifference{regexp.MustCompile(d[0]), regexp.MustCompile(d[1]), regexp.MustCompile(d[2])})
	}
	return list
}()

// spellingDifference is about lines: what mdadm says, and what ours says instead.
type spellingDifference struct{ line, want, got *regexp.Regexp }

// loops reports whether the line may begin to watch, which has no end.
func loops(words []string) bool {
	line := " " + strings.Join(words, " ")
	return watches.MatchString(line) && !strings.Contains(line, " --monitor -1 ")
}

var watches = regexp.MustCompile(` (-v?F|--f|--mo|--no-s)`)

// sizes are values for options that take a size.
func sizes() []string {
	return []string{
		"", "0", "1", "2", "3", "4", "5", "7", "8", "9", "007", "+8", "-8", " 8", "8 ", "\t8", "8K", "8k", "8M", "8m", "8G", "8g", "8T", "8t",
		"8s", "8S", "7s", "9s", "4s", "6s", "16s", "8KB", "8KiB", "8Mi", "8.5", "1.5M", "8,5", "0x10", "1e3", "max", "MAX", "Max", "none", "8Ks",
		"8KK", "2147483647", "2147483648", "4294967296", "4294967297", "2097152", "1048576", "1048575", "4194304", "9223372036854775807", "9223372036854775807s",
		"9223372036854775806s", "9223372036854775808", "4611686018427387904", "4611686018427387903", "4611686018427387905", "18446744073709551615", "18446744073709551616",
		"99999999999999999999", "9007199254740992M", "9007199254740993M", "8796093022208G", "8796093022209G", "8589934592T", "8589934593T", "4294967296s", "4294967304s", "2147483656s",
		"2147483648s", "1073741824s", "4398046511104s", "-1", "-1s", "--1", "K", "s", "M", "8\n", "64", "variable", "Variable", "8 K", "+", "-", "\v8", "8K ",
	}
}

// numbers are values for options that take a whole number.
func numbers() []string {
	return []string{
		"", "0", "1", "2", "-1", "+2", "02", "2x", "x", " 2", "2 ", "2147483647", "2147483648", "99999999999999999999", "-99999999999999999999", "0x2", "2.0", "dev", "DEV",
		"16383", "16384", "99", "100", "-0", "+0", "+", "-", "2,3", "3", "4", "1000000", "\n2",
	}
}

// layoutWords are layouts of every level, and what might be taken for one.
func layoutWords() (all []string) {
	all = []string{
		"", "default", "la", "ra", "ls", "rs", "left-asymmetric", "right-asymmetric", "left-symmetric", "right-symmetric", "parity-first", "parity-last",
		"ddf-zero-restart", "ddf-N-restart", "ddf-N-continue", "ddf-n-restart", "left-asymmetric-6", "right-asymmetric-6", "left-symmetric-6", "right-symmetric-6", "parity-first-6",
		"parity-last-6", "raid5", "raid6", "raid4-n", "Left-Symmetric", "LS", "left", "sym", "original", "alternate", "dangerous", "unspecified", "0", "1", "2", "3", "4", "5", "8", "16", "258", "513", "66049",
		"n", "f", "o", "n0", "n1", "n2", "n02", "n200", "n201", "n-2", "n+2", "n 2", "n2 ", "n2x", "near=2", "near", "near2", "f2", "o2", "o3", "N2", "F2", "x2", "nf2", "n2f2", "n4294967298", "n18446744073709551618", "n18446744073709551615",
		"n-4294967294", "n4294967296", "f4294967298", "o-4294967294", "n2147483648", "n0002", "n\t3", "f200", "o200", "f3", "f4", "n3", "n4", "n5", "o4", "o5", "near-2", "none", "2147483648", "4294967296", "10000000000",
	}
	for _, mode := range []string{"write-transient", "wt", "read-transient", "rt", "write-persistent", "wp", "read-persistent", "rp", "write-all", "wa", "read-fixable", "rf", "clear", "flush", "none", "default", "WP", "w", "persistent"} {
		for _, n := range []string{"", "0", "1", "007", "50", "67108863", "67108864", "134217727", "134217728", "4294967296", "4294967297", "99999999999999999999", "1x", "-1", "+1", " 1", "1a2", "1 ", ":1", "-"} {
			all = append(all, mode+n)
		}
	}
	return all
}

// levels are names of levels, and what might be taken for one.
func levels() []string {
	return []string{
		"", "linear", "LINEAR", "Linear", "raid0", "0", "stripe", "raid1", "1", "mirror", "raid4", "4", "raid5", "5", "multipath", "mp", "raid6", "6", "raid10", "10", "faulty", "container", "RAID5",
		"Raid5", "raid", "raid2", "2", "3", "7", "-1", "-4", "-5", "-100", "05", "raid05", "5 ", " 5", "r5", "raid-5", "raid 5", "100", "1+0", "raid50", "striped", "mirrored", "unset", "65534", "0x5", "jbod", "raid5n",
	}
}

// anyWords are the words of all options that take one.
func anyWords() []string {
	return []string{
		"", "idle", "frozen", "check", "repair", "recover", "IDLE", "Check", "none", "unknown", "resync", "bitmap", "journal", "ppl", "PPL", "Resync", "internal", "Internal", "clustered", "/absent/file", "absent", "a/b", "./b",
		"yes", "no", "YES", "No", "Yes", "y", "n", "true", "1", "0", "md", "MD", "mdp", "MDP", "p", "P", "part", "PART", "partition", "Partitions", "md4", "md-4", "mdp8", "mdp-8", "p0", "p-1", "part-", "yes4", "yes-4", "no4", "no-4", "md--4", "mdp4x", "4", "-4", "-", "pa", "par",
		"part1000000000000", "md99999999999", "dev", "<system>", "<none>", "<ignore>", "<NONE>", "<Ignore>", "<SYSTEM>", "any", "ignore", "host", "host:name",
		"sparc2.2", "super-minor", "summaries", "uuid", "name", "homehost", "home-cluster", "nodes", "devicesize", "no-bitmap", "bbl", "no-bbl", "force-no-bbl", "no-ppl", "metadata", "revert-reshape", "layout-original", "layout-alternate", "layout-unspecified", "byteorder", "?", "help", "UUID", "Name", "_reshape_progress", "writemostly", "readwrite", "failfast", "reshape", "assemble", "ppl ", " ppl",
		"1.2", "1.0", "1", "01.2", "001", "1.02", "0.90", "0.9", "00.90", "0", "00", "000", "0.91", "0.swap", "default", "Default", "ddf", "imsm", "DDF", "mbr", "gpt", "1.3", "1.x", "2", "1.", "1.20", ".90", "0.", "0.8", "-1", "1.2 ", "external", "none ",
		"n", strings.Repeat("x", 31), strings.Repeat("x", 32), strings.Repeat("x", 33), strings.Repeat("x", 64), strings.Repeat("x", 65), "ä", "a b", "a'b", "a\"b", "../x", "md_x", "md0", "/dev/md0",
		"partitions", "/tmp", "/dev/null", "NONE", "--help", "-h", "--h", "-hx",
	}
}

// uuids are notations of a uuid, and what might be taken for one.
func uuids() []string {
	const d = "0123456789abcdefFEDCBA9876543210"
	return []string{
		"", d, d[:31], d + "0", "01234567:89abcdef:FEDCBA98:76543210", "01234567.89abcdef.FEDCBA98.76543210", "01234567-89abcdef-FEDCBA98-76543210", "01234567 89abcdef FEDCBA98 76543210",
		"01234567-89ab-cdef-FEDC-BA9876543210", " " + d, d + " ", d + "\n", d + "x", "0x" + d[2:], ":" + d, d + ":", "0:1:2:3", "1:2:3:4", "01234567,89abcdef,FEDCBA98,76543210", "::::" + d, "0:1:2:3:4:5:6:7:8:9:a:b:c:d:e:f:0:1:2:3:4:5:6:7:8:9:a:b:c:d:e:f",
		"{" + d + "}", strings.Repeat("0", 32), strings.Repeat("g", 32), "random", "0123456\t" + d[7:], "01234567_89abcdef_FEDCBA98_76543210", d + "-", d + ".",
	}
}

// valueLines are lines with every value of every option that takes one.
func valueLines() (lines [][]string) {
	for _, v := range sizes() {
		for _, o := range []string{"--chunk=", "-c", "--size=", "-z", "--array-size=", "-Z", "--data-offset=", "--bitmap-chunk="} {
			lines = append(lines,
				[]string{"--create", "/dev/md/x", "-l5", "-n3", o + v, "/dev/absent", "missing", "missing"},
				[]string{"--create", "/dev/md/x", "-l1", "-n2", "-binternal", o + v, "/dev/absent", "missing"},
				[]string{"--build", "/dev/md/x", "-l0", "-n2", o + v, "/dev/absent", "/dev/absent2"},
				[]string{"--grow", "/dev/absent", o + v},
				[]string{"--create", "/dev/md/x", o + v, o + v},
			)
		}
	}
	for _, v := range numbers() {
		for _, o := range []string{"-n", "--raid-devices=", "--raid-disks=", "-x", "--spare-devices=", "-d", "--delay=", "--write-behind=", "-m", "--super-minor=", "--nodes=", "--increment=", "-r"} {
			for _, m := range [][]string{{"--create", "/dev/md/x", "-l1"}, {"--create", "/dev/md/x", "-l0"}, {"--build", "/dev/md/x", "-l1"}, {"--grow", "/dev/absent"}, {"--assemble", "/dev/md/x"}, {"--monitor", "-1"}} {
				lines = append(lines, append(slices.Clone(m), o+v), append(slices.Clone(m), o+v, o+"3", "/dev/absent"))
			}
		}
	}
	for _, l := range levels() {
		for _, m := range []string{"--create", "--build"} {
			lines = append(lines,
				[]string{m, "/dev/md/x", "-l", l, "-n2", "/dev/absent", "missing"},
				[]string{m, "/dev/md/x", "--level=" + l, "-x1", "-n2", "/dev/absent"},
				[]string{m, "/dev/md/x", "-x1", "-l" + l, "-n2", "/dev/absent"},
				[]string{m, "/dev/md/x", "--level=" + l, "-kresync", "-n2", "/dev/absent"},
				[]string{m, "/dev/md/x", "--level=" + l, "-l5"},
				[]string{m, "/dev/md/x", "-l" + l, "-pn2"},
				[]string{m, "/dev/md/x", "-l" + l, "--write-journal=/dev/absent", "-n3"},
				[]string{m, "/dev/md/x", "-l" + l, "-n1"},
			)
		}
		lines = append(lines, []string{"--grow", "/dev/absent", "-l" + l}, []string{"--grow", "/dev/absent", "--level=" + l, "-n2"})
	}
	for _, p := range layoutWords() {
		for _, l := range []string{"0", "1", "4", "5", "6", "10", "faulty", "linear", "mp"} {
			lines = append(lines, []string{"--create", "/dev/md/x", "-l" + l, "-p", p, "-n2", "-f", "/dev/absent", "missing"})
		}
		lines = append(lines,
			[]string{"--build", "/dev/md/x", "-lfaulty", "--layout=" + p, "-n1", "-f", "/dev/absent"},
			[]string{"--build", "/dev/md/x", "-l10", "--parity=" + p, "-n2", "/dev/absent", "/dev/absent"},
			[]string{"--grow", "/dev/absent", "-p", p})
	}
	for _, u := range uuids() {
		lines = append(lines,
			[]string{"--create", "/dev/md/x", "-l1", "-n2", "-u", u, "/dev/absent", "missing"},
			[]string{"--create", "/dev/md/x", "--uuid=" + u, "-u1:2:3:4", "/dev/absent", "missing"},
			[]string{"--assemble", "/dev/md/x", "-u", u, "/dev/absent"},
			[]string{"--assemble", "/dev/md/x", "--uuid=" + u})
	}
	for _, w := range anyWords() {
		for _, m := range [][]string{{"--create", "/dev/md/x", "-l5", "-n2"}, {"--assemble", "/dev/md/x"}, {"--misc", "--update-subarray=0"}, {"--misc"}, {"--build", "/dev/md/x", "-l1", "-n2"}, {"--grow", "/dev/absent"}, {"--incremental"}, {"/dev/absent", "--re-add"}, {"--examine"}, {"--monitor", "-1"}} {
			for _, o := range []string{"-e", "-U", "-k", "-b", "-N", "-a", "--auto=", "--symlinks=", "--homehost=", "--home-cluster=", "--action=", "-c", "--config=", "--prefer="} {
				if o == "-b" && m[0] == "--misc" {
					continue
				}
				line := append(slices.Clone(m), o+w, "/dev/absent")
				if o[1] != '-' {
					line = append(slices.Clone(m), o, w, "/dev/absent")
				}
				lines = append(lines, line)
			}
		}
	}
	return lines
}
