package mdadm

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/internal/lab"
)

// TestConfLikeMdadm gives Debian's mdadm and ours texts of mdadm.conf about two arrays,
// and compares what they say of them, what they list, and what they put together.
func TestConfLikeMdadm(t *testing.T) {
	const (
		create = "mdadm --create --run --quiet --assume-clean "
		batch  = 15
	)
	var cases []lab.Case
	for texts := range slices.Chunk(confTexts(), batch) {
		cases = append(cases, lab.Case{Name: fmt.Sprint("texts ", len(cases)), Run: func(t *testing.T, _ *lab.Guest) {
			reset(t)
			defer reset(t)
			do(t, create+"md0 -l1 -n2 -N home -u"+twinUUID+" r0 r1")
			do(t, create+"md1 -l5 -n3 -N data -u"+otherUUID+" r2 r3 r4")
			for _, text := range texts {
				sameConf(t, text)
			}
		}})
	}
	runSome(t, 1, cases)
}

// sameConf lets both programs go by a text of mdadm.conf.
func sameConf(t *testing.T, text string) {
	t.Helper()
	do(t, "conf "+text)
	want, got := byConf(t, func(args ...string) outcome { return peers(t, args...) }), byConf(t, ours)
	differs := slices.ContainsFunc(confDifferences, func(d string) bool { return strings.HasSuffix(text, d) })
	switch {
	case got != want && !differs:
		t.Errorf("%q:\n%s", text, lineDiff(want, got))
	case got == want && differs:
		t.Errorf("%q is taken as mdadm takes it, and listed as a difference", text)
	}
}

// byConf is what a program lists and puts together.
func byConf(t *testing.T, mdadm func(args ...string) outcome) string {
	t.Helper()
	do(t, "tidy")
	var b strings.Builder
	for _, line := range []string{"-E -s", "-A --scan"} {
		fmt.Fprintln(&b, trim(mdadm(append(strings.Fields(line), "-c", labConf)...)))
	}
	stat, err := os.ReadFile("/proc/mdstat")
	if err != nil {
		t.Fatal(err)
	}
	b.Write(stat)
	describeNames(&b, string(stat))
	return b.String()
}

// confDifferences are the ends of texts that ours takes otherwise, see
// docs/differences-from-mdadm.md.
var confDifferences = []string{
	"super-minor=4294967296", "super-minor=-99999999999999999999", "num-devices=4294967298 name=home", // cut to 32 bits
	" spare-group= spare-group=b name=home", " bitmap= name=home", // empty
	" bitmap=/none name=home", " bitmap=a bitmap=b name=home", // in a file
	"auto=part name=home", "auto=bad name=home",
}

// confTexts are texts with every word of every line, and what might be taken for one.
func confTexts() (texts []string) {
	const (
		only  = "DEVICE /dev/ram*"
		array = " | ARRAY /dev/md/home "
	)
	for _, w := range []string{
		"uuid=" + twinUUID, "UUID=" + twinUUID, "uuid=" + strings.ReplaceAll(twinUUID, ":", ""), "uuid=", "uuid=1", "uuid=" + twinUUID + "0",
		"uuid=" + strings.ReplaceAll(twinUUID, ":", "."), "'uuid=" + twinUUID + "'", "\"uuid=" + twinUUID, "u'u'id=" + twinUUID,
		"name=home", "name=labhost:home", "name=", "name=HOME", "NAME=home", "name='home'", "name=home ", "name=home#x", "name=home #x",
		"name=" + strings.Repeat("x", 32), "name=" + strings.Repeat("x", 33),
		"super-minor=0", "super-minor=", "super-minor=x", "super-minor=0x", "super-minor=-1", "super-minor=+0", "super-minor=4294967296", "super-minor=99999999999999999999", "super-minor=-99999999999999999999", "super-minor=2147483648",
		"devices=/dev/ram0,/dev/ram1", "devices=/dev/ram[01]", "devices=/dev/ram0", "devices=,/dev/ram0,", "devices=ram0", "devices=", "devices=/dev/none",
		"level=raid1 name=home", "level=1 name=home", "level=raid5 name=home", "level= name=home", "level=x name=home", "LEVEL=mirror name=home",
		"num-devices=2 name=home", "disks=2 name=home", "num-devices=3 name=home", "num-devices= name=home", "num-devices=x name=home", "num-devices=2x name=home", "num-devices=-1 name=home", "num-devices=4294967298 name=home", "num-devices=99999999999999999999 name=home",
		"spares=0 name=home", "spares=1 name=home", "spares= name=home", "spares=x name=home", "spares=-1 name=home",
		"metadata=1.2 name=home", "metadata=1 name=home", "metadata=1.0 name=home", "metadata=0.90 name=home", "metadata= name=home", "metadata=x name=home", "metadata=default name=home", "metadata=1.2 metadata=0.90 name=home",
		"spare-group=a name=home", "spare-group=a spare-group=b name=home", "spare-group= spare-group=b name=home",
		"bitmap=/none name=home", "bitmap= name=home", "bitmap=a bitmap=b name=home",
		"auto=yes name=home", "auto=md name=home", "auto=no name=home", "auto=part name=home", "auto=bad name=home", "devices= devices=b name=home", "devices=, name=home",
		"container=/dev/md5 name=home", "container=/dev/md5 member=0 name=home", "member=0 name=home",
		"what=1 name=home", "what name=home", "name=home what", "=1 name=home", "= name=home", "name =home", "na=home",
		"uuid=" + twinUUID + " name=other", "uuid=" + twinUUID + " uuid=" + otherUUID, "name=home name=data",
	} {
		texts = append(texts, only+array+w)
	}
	for _, d := range []string{
		"/dev/md/home", "/dev/md0", "/dev/md_d0", "/dev/md7", "md7", "7", "home", "data", "/dev/sda", "/dev/mdx", "/dev/md", "/dev/md/", "<ignore>", "<IGNORE>", "<other>", "/home", "./home",
		"a/b", "/dev/md/a/b", "/dev/md007", "md007", "_x", "-x", "md_d3", "", "md7 md8", "<ignore> md7", "md7 <ignore>",
	} {
		texts = append(texts, only+" | ARRAY "+d+" uuid="+twinUUID)
	}
	for _, l := range []string{
		"AUTO -all", "AUTO +all", "AUTO +1.x -all", "AUTO -1.x +all", "AUTO homehost -all", "AUTO +homehost -all", "AUTO -homehost", "AUTO 1.2", "AUTO what", "AUTO +what -all", "AUTO -0.90 +all", "AUTO", "AUTO -", "AUTO all", "auto -all",
		"HOMEHOST other", "HOMEHOST <system>", "HOMEHOST <none>", "HOMEHOST <ignore>", "HOMEHOST <IGNORE>", "HOMEHOST", "HOMEHOST a b", "homeh other", "HOM other",
		"POLICY auto=no", "POLICY auto=yes", "POLICY domain=a", "POLICY what=x", "POLICY action=x", "POLICY path=x auto=no", "POLICY metadata=1.x auto=no", "POLICY type=disk auto=no", "POLICY", "POLICY auto", "POL auto=no",
		"CREATE mode=0600", "CREATE mode=x", "CREATE mode=", "CREATE owner=root", "CREATE owner=nobodyhere", "CREATE group=0", "CREATE auto=md", "CREATE metadata=1.2", "CREATE metadata=x", "CREATE names=yes", "CREATE names=no", "CREATE names=x", "CREATE bbl=no", "CREATE bbl=x", "CREATE homehost=a", "CREATE what", "CREATE symlinks=no", "CREATE symlinks=x", "CREATE",
		"MAILADDR", "MAILADDR a b", "MAILFROM a b", "PROGRAM /bin/x y", "PROGRAM", "MONITORDELAY 5", "MONITORDELAY x", "MONITORDELAY", "MONITORDELAY -1", "HOMECLUSTER a", "HOMECLUSTER",
		"SYSFS", "SYSFS name=/dev/md/home x=y", "SYSFS uuid=1", "PART-POLICY domain=a", "IN x", "x", "ARR name=home", "AR name=home", "ARRAYS name=home", "DEV /dev/none", "DE /dev/none", "DEVICES /dev/none", "devic /dev/none",
	} {
		texts = append(texts, only+" | "+l)
	}
	return append(texts,
		"", "# nothing", " # nothing | DEVICE /dev/ram*", "DEVICE partitions", "DEVICE containers", "DEVICE PARTITIONS", "DEVICE partitions containers", "DEVICE", "DEVICE /dev/ram0 | DEVICE /dev/ram1", "DEVICE /dev/ram0 |   /dev/ram1",
		"DEVICE /dev/ram[0", "DEVICE /dev/ram{0,1}", "DEVICE '/dev/ram*'", "DEVICE /dev/ram?", "DEVICE ram*", "DEVICE /dev/ram[!2-9]", "DEVICE /dev/ram0#x /dev/ram1", "  DEVICE /dev/none", "| DEVICE /dev/none",
		only+" | ARRAY /dev/md/home |   name=home", only+" | ARRAY /dev/md/home # x |   name=home", only+" | ARRAY /dev/md/home name=home | ARRAY /dev/md/home name=data",
		only+" | ARRAY name=home | ARRAY name=data", only+" | ARRAY <ignore> name=home", only+" | ARRAY <ignore> name=home | ARRAY md5 name=data",
	)
}
