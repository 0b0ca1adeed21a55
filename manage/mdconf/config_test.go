package mdconf

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/internal/house/fuzztest"
)

// TestLines splits text into lines and words as mdadm does.
func TestLines(t *testing.T) {
	text := "DEVICE /dev/sd* partitions # all\n  /dev/nvme*\n\n# comment\nHOMEHOST 'my host'\n" +
		"ARRAY /dev/md0 name=\"a b\"c\n\tuuid=1#2\n"
	want := []line{
		{[]string{"DEVICE", "/dev/sd*", "partitions", "/dev/nvme*"}, 1},
		{[]string{"HOMEHOST", "my host"}, 5},
		{[]string{"ARRAY", "/dev/md0", "name=a bc", "uuid=1#2"}, 6},
	}
	if got := lines(text); !reflect.DeepEqual(got, want) {
		t.Errorf("lines: %v, want %v", got, want)
	}
}

func texts(c *Config) []string {
	var all []string
	for _, w := range c.Warnings {
		all = append(all, w.Text)
	}
	return all
}

func TestParse(t *testing.T) {
	const uuid = "01234567:89abcdef:01234567:89abcdef"
	c := Parse("mdadm.conf", strings.Join([]string{
		"mail root@localhost never@here", // "mail" begins MAILADDR
		"MAILFROM mdadm monitor <root@localhost>", "mailfrom again",
		"program /bin/a /bin/b", "MONITORDELAY 30s 60",
		"homehost <ignore> one two", "homecluster <none>",
		"dev partitions /dev/sd? containers",
		"CREATE owner=0 group=6 mode=0640 metadata=1.1 names=yes bbl=no symlinks=no auto=yes",
		"ARRAY /dev/md/home uuid=" + uuid + " name=host:home spares=2",
		"  spare-group=all devices=/dev/sda,/dev/sdb level=raid5 num-devices=3 metadata=1.2",
		"ARRAY <ignore> super-minor=5", "array md7 container=/dev/md127 member=1",
		"SYSFS name=/dev/md/home sync_speed_min=1 stripe_cache_size=512",
		"SYSFS uuid=" + uuid + " group_thread_cnt=4",
	}, "\n"))
	if c.MailAddr != "root@localhost" || c.MailFrom != "mdadm monitor <root@localhost> again" ||
		c.Program != "/bin/a" || c.Delay != 30 || c.HomeHost != "one" || !c.AnyHomeHost || c.HomeCluster != "<none>" {
		t.Errorf("%+v", c)
	}
	if want := (Create{UID: 0, GID: 6, Mode: 0o640, Metadata: "1.1", Names: true, NoBBL: true, Auto: "yes"}); c.Create != want {
		t.Errorf("CREATE: %+v", c.Create)
	}
	if len(c.Warnings) != 0 || len(c.Arrays) != 3 || len(c.Sysfs) != 2 {
		t.Fatalf("%v\n%+v", c.Warnings, c)
	}
	u, _ := md.ParseUUID(uuid)
	level, disks := md.LevelRAID5, 3
	want := &Array{
		File: "mdadm.conf", Line: 10, Device: "/dev/md/home", UUID: &u, Name: "host:home", Spares: 2,
		SpareGroup: "all", Devices: "/dev/sda,/dev/sdb", Level: &level, RaidDisks: &disks, Metadata: "1.2",
	}
	if !reflect.DeepEqual(c.Arrays[0], want) {
		t.Errorf("%+v", c.Arrays[0])
	}
	if !c.Arrays[1].Ignored() || *c.Arrays[1].SuperMinor != 5 || c.Arrays[2].Member != "1" {
		t.Errorf("%+v %+v", c.Arrays[1], c.Arrays[2])
	}
	if got := c.Sysfs[0]; got.Device != "/dev/md/home" ||
		!reflect.DeepEqual(got.Attrs, []Attr{{"stripe_cache_size", "512"}, {"sync_speed_min", "1"}}) {
		t.Errorf("SYSFS: %+v", got)
	}
}

// TestWarnings provokes every complaint, in mdadm's words.
func TestWarnings(t *testing.T) {
	for text, want := range map[string]string{
		"IN /dev/md0":                        "Unknown keyword IN",
		"INACTIVE-ARRAY /dev/md0":            "Unknown keyword INACTIVE-ARRAY",
		"DEVICE sda":                         "unreconised word on DEVICE line: sda",
		"ARRAY /dev/md0":                     "ARRAY line /dev/md0 has no identity information.",
		"ARRAY level=1":                      "ARRAY line (null) has no identity information.",
		"ARRAY a b name=x":                   "only give one device per ARRAY line: a and b",
		"ARRAY /dev/sda name=x":              "/dev/sda is an invalid name for an md device - ignored.",
		"ARRAY a uuid=12 name=x":             "bad uuid: uuid=12",
		"ARRAY a name=x name=y":              "only specify name once, name=y ignored.",
		"ARRAY a super-minor=x name=x":       "invalid super-minor number: super-minor=x",
		"ARRAY a devices=x devices=y":        "only specify devices once (use a comma separated list). devices=y ignored",
		"ARRAY a name=x what=y":              "unrecognised word on ARRAY line: what=y",
		"ARRAY a name=x metadata=2":          "metadata format 2 unknown, ignored.",
		"CREATE owner=":                      "missing owner name",
		"CREATE owner=nobodyknows":           "CREATE user nobodyknows not found",
		"CREATE group=nobodyknows":           "CREATE group nobodyknows not found",
		"CREATE mode=rw":                     "unrecognised CREATE mode rw",
		"CREATE metadata=9":                  "metadata format 9 unknown, ignoring",
		"CREATE what":                        "unrecognised word on CREATE line: what",
		"POLICY what=x":                      "policy rule what=x unrecognised and ignored",
		"SYSFS name=md0 a=b":                 "md0 is an invalid name for an md device - ignored.",
		"SYSFS name=/dev/md/a x":             "Cannot parse \"x\" - ignoring.",
		"SYSFS uuid=1 name=/dev/md/a a=b":    "Invalid uuid: 1",
		"ARRAY a bitmap=x bitmap=y name=1":   "only specify bitmap file once. bitmap=y ignored",
		"ARRAY a spare-group=x spare-group=": "only specify one spare group per array. spare-group= ignored.",
	} {
		got := Parse("f", "\n"+text)
		if all := texts(got); len(all) == 0 || all[0] != want {
			t.Errorf("%s: %q, want %q", text, all, want)
		} else if got.Warnings[0].Line != 2 || got.Warnings[0].String() != "f:2: "+want {
			t.Errorf("%s: at %v", text, got.Warnings[0])
		}
	}
}

// TestLoad checks that the files of a folder are read in the order of their names, and
// that files with other suffixes do not count.
func TestLoad(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"b.conf": "homeh second\nINACTIVE-ARRAY /dev/md0\n", "a.conf": "HOMEHOST first\nDEV /dev/a partitions rubbish\n",
		"c.txt": "HOMEHOST never\n", ".conf": "HOMEHOST never\n", ".x.conf": "HOMEHOST never\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := Load(dir)
	if c.HomeHost != "first" || !reflect.DeepEqual(c.Devices, []string{"/dev/a", "partitions"}) || len(c.Warnings) != 2 {
		t.Errorf("%+v", c)
	}
	if c := Load("none"); len(c.Devices) != 0 || len(c.Arrays) != 0 {
		t.Errorf("none: %+v", c)
	}
	if c := Load("partitions"); !reflect.DeepEqual(c.Devices, []string{"partitions"}) {
		t.Errorf("partitions: %+v", c)
	}
	if c := Load(filepath.Join(dir, "absent")); len(c.Warnings) != 0 {
		t.Errorf("absent: %+v", c)
	}
}

func TestNames(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want bool
	}{
		{"/dev/md0", "/dev/md/0", true},
		{"/dev/md/home", "home", true},
		{"md5", "5", true},
		{"/dev/md_d0", "/dev/md0", false},
		{"mdx", "x", false},
	} {
		if SameName(tc.a, tc.b) != tc.want {
			t.Errorf("%s and %s", tc.a, tc.b)
		}
	}
	c := Parse("f", "ARRAY /dev/md/home name=root\nARRAY <ignore> super-minor=3\nARRAY /dev/md/home name=b\n")
	for name, free := range map[string]bool{"home": false, "root": false, "3": false, "md3": false, "other": true} {
		if c.NameIsFree(name) != free {
			t.Errorf("%s: free is not %v", name, free)
		}
	}
	if c.Array("home") != c.Arrays[0] || c.Array("x") != nil {
		t.Error("Array finds another")
	}
	if got := c.Twice(); got != "Device /dev/md/home given twice in config file" {
		t.Error(got)
	}
	if found, other := c.Match(Facts{Name: "root", SuperMinor: 3}, nil); found == nil || other == nil {
		t.Error("two lines match")
	}
	var notes []string
	if found, other := c.Match(Facts{Name: "b", SuperMinor: -1}, func(s string) { notes = append(notes, s) }); found != c.Arrays[2] || other != nil {
		t.Error("one line matches")
	}
	if want := []string{"Name differs from /dev/md/home.", "Different super-minor to <ignore>."}; !reflect.DeepEqual(notes, want) {
		t.Errorf("%q", notes)
	}
	for _, tc := range []struct {
		text   string
		device string
		want   bool
	}{
		{"", "/dev/x", true},
		{"DEV /dev/s*", "/dev/sda", true},
		{"DEV /dev/s*", "/dev/s/a", false},
		{"DEV partitions", "x", true},
		{"DEV /dev/x[!0]", "/dev/x0", false},
		{"DEV /dev/x[!0]", "/dev/x1", true},
		{"DEV /dev/x[[:digit:]]", "/dev/x1", true},
	} {
		if Parse("f", tc.text).Listed(tc.device) != tc.want {
			t.Errorf("%q: %s", tc.text, tc.device)
		}
	}
}

func TestAuto(t *testing.T) {
	for _, tc := range []struct {
		line, env string
		format    string
		ours      bool
		want      bool
	}{
		{"", "", "1.x", false, true},
		{"AUTO -all", "", "1.x", true, false},
		{"AUTO +1.x -all", "", "1.x", false, true},
		{"AUTO +1.2 -all", "", "1.x", false, true},
		{"AUTO +1 -all", "", "0.90", false, false},
		{"AUTO homehost -all", "", "1.x", true, true},
		{"AUTO homehost -all", "", "1.x", false, true}, // mdadm 4.2 forbids only by "no"
		{"AUTO -0.90 homehost no", "", "0.90", true, false},
		{"AUTO -0 yes", "", "0.90", true, false},
		{"AUTO no\nAUTO yes", "", "1.x", true, false},
		{"AUTO +all", "-1.x", "1.x", true, false},
		{"", "-all", "1.x", true, false},
		{"AUTO no\nPOLICY auto=yes", "", "1.x", false, true},
		{"POLICY auto=no metadata=0.90\nAUTO -all", "", "1.x", false, false},
	} {
		p := Parse("f", tc.line, strings.Fields(tc.env)...).Policies(nil, TypeDisk)
		if p.AutoAllowed(tc.format, tc.ours) != tc.want {
			t.Errorf("%q %q: %s %v: not %v", tc.line, tc.env, tc.format, tc.ours, tc.want)
		}
	}
}

func TestPolicies(t *testing.T) {
	c := Parse("f", strings.Join([]string{
		"POLICY path=pci-*-ata-* type=disk domain=ata action=spare metadata=1.2",
		"PART-POLICY path=pci-*-ata-* domain=ata action=re-add",
		"POLICY domain=all", "POLICY path=usb-* action=rubbish",
	}, "\n"))
	if !c.HasPaths() {
		t.Error("no paths")
	}
	disk := c.Policies([]string{"pci-1-ata-2"}, TypeDisk)
	if !disk.Allows("1.x", ActionSpare) || disk.Allows("1.x", ActionSpareSameSlot) || disk.Allows("0.90", ActionReAdd) {
		t.Errorf("%v", disk)
	}
	if got := disk.Domains("1.x"); !reflect.DeepEqual(got, []string{"all", "ata"}) {
		t.Errorf("%v", got)
	}
	part := c.Policies([]string{"pci-1-ata-2-part3"}, TypePart)
	if got := part.Domains("1.x"); !reflect.DeepEqual(got, []string{"all", "ata-part3"}) || !part.Allows("0.90", ActionReAdd) {
		t.Errorf("%v", part)
	}
	if p := c.Policies([]string{"usb-1"}, TypeDisk); p.Allows("1.x", ActionInclude) {
		t.Errorf("an unknown action allows: %v", p)
	}
	for _, tc := range []struct {
		array, device []string
		want          int
	}{{nil, nil, -1}, {[]string{"a"}, []string{"a"}, 1}, {[]string{"a"}, []string{"a", "b"}, 0}} {
		if got := InDomains(tc.array, tc.device); got != tc.want {
			t.Errorf("%v %v: %d", tc.array, tc.device, got)
		}
	}
}

// configs has files such as distributions and people write, by name.
func configs(t testing.TB) map[string]string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.conf")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	texts := make(map[string]string)
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts[filepath.Base(file)] = string(b)
	}
	return texts
}

// TestConfigs reads typical files without a complaint.
func TestConfigs(t *testing.T) {
	arrays := map[string]int{"debian.conf": 2, "fedora.conf": 4, "nas.conf": 5, "big.conf": 68}
	for name, text := range configs(t) {
		c := Parse(name, text)
		if len(c.Warnings) > 0 || len(c.Arrays) != arrays[name] {
			t.Errorf("%s: %d arrays, want %d; %v", name, len(c.Arrays), arrays[name], c.Warnings)
		}
	}
}

// FuzzParse checks that, whatever the text, parsing ends, warnings have a place in the
// file, and ARRAY lines say which array they mean.
func FuzzParse(f *testing.F) {
	for _, text := range configs(f) {
		f.Add(text)
	}
	f.Add("DEVICE partitions\nARRAY /dev/md0 uuid=0:0:0:0\n name='x\nAUTO +1.x homehost -all")
	f.Add("POLICY path=a*[ action=spare\nSYSFS name=/dev/md/a =\nCREATE mode=777777777 owner=\n")
	f.Add("\t#\n'\"\n\x00 =\nMAILFROM\nMON 99999999999999999999\n")
	f.Fuzz(func(t *testing.T, text string) {
		var c *Config
		fuzztest.Bounded(t, 4*len(text), func() { c = Parse("f", text) })
		last := strings.Count(text, "\n") + 1
		if n := len(c.Arrays) + len(c.Rules) + len(c.Sysfs) + len(c.Devices) + len(c.Warnings); n > len(text)+16 { // some rules hold without a line
			t.Fatalf("%d things in %d bytes", n, len(text))
		}
		for _, w := range c.Warnings {
			if w.Line < 1 || w.Line > last || w.Text == "" {
				t.Errorf("%+v of %d lines", w, last)
			}
		}
		for _, a := range c.Arrays {
			if !a.identified() {
				t.Errorf("%+v", a)
			}
			c.Match(Facts{Name: a.Name, SuperMinor: -1, Device: a.Devices}, func(string) {})
		}
		p := c.Policies([]string{"pci-1-part2"}, TypePart)
		p.Allows("1.x", ActionSpare)
		c.Listed("/dev/sda")
	})
}

// TestLooseValues has values that mdadm 4.2 reads with strtol and strtoul, or compares
// as whole words, with what it says about them.
func TestLooseValues(t *testing.T) {
	for text, want := range map[string]string{
		"ARRAY md0 super-minor=+7":                           "",
		"ARRAY md0 super-minor=2147483648 name=x":            "invalid super-minor number: super-minor=2147483648",
		"ARRAY md0 super-minor=100000000000000000000 name=x": "invalid super-minor number: super-minor=100000000000000000000",
		"ARRAY md0 metadata= metadata=1.9 name=x":            "",
		"CREATE mode=+7 mode=77777777":                       "",
		"CREATE mode=9":                                      "unrecognised CREATE mode 9",
		"CREATE names=yes names=NO":                          "",
		"CREATE names=yesno":                                 "unrecognised word on CREATE line: names=yesno",
		"CREATE symlinks=yesno":                              "",
	} {
		var said []string
		for _, w := range Parse("mdadm.conf", text).Warnings {
			said = append(said, w.Text)
		}
		if got := strings.Join(said, "; "); got != want {
			t.Errorf("%s: %q, mdadm says %q", text, got, want)
		}
	}
	for text, want := range map[string]int{"MONITORDELAY 07x": 7, "MONITORDELAY x 5": 5, "MONITORDELAY 0 -3": -3} {
		if got := Parse("mdadm.conf", text).Delay; got != want {
			t.Errorf("%s: %d, mdadm takes it for %d", text, got, want)
		}
	}
}
