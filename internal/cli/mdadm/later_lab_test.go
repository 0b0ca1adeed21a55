package mdadm

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/internal/lab"
)

// TestLaterWords holds what MDADM_COMPAT=4.6 says otherwise than 4.2, in reports, when an
// array is created, and in --monitor, against Debian's next mdadm.
func TestLaterWords(t *testing.T) {
	var cases []lab.Case
	for name, run := range map[string]func(*testing.T){"reports": laterReports, "bitmap question": laterQuestion, "monitor": laterMonitor} {
		cases = append(cases, lab.Case{Name: name, Run: func(t *testing.T, _ *lab.Guest) {
			t.Setenv("MDADM_COMPAT", "4.6")
			reset(t)
			defer reset(t)
			run(t)
		}})
	}
	slices.SortFunc(cases, func(a, b lab.Case) int { return strings.Compare(a.Name, b.Name) })
	runSomeWith(t, 1, cases, lab.Peer(t, "mdadm-next").Aside(nextDir))
}

// laterLine compares what both say.
func laterLine(t *testing.T, line string) {
	t.Helper()
	args := strings.Fields(line)
	for i := range args {
		args[i] = devName(args[i])
	}
	want, got := next(t, args...), ours(args...)
	got.out = reshapeActive.ReplaceAllString(got.out, "")
	want.err = eventDetected.ReplaceAllString(want.err, "")
	if want != got {
		t.Errorf("mdadm %s:\n%s", line, lineDiff(want.String(), got.String()))
	}
}

// reshapeActive is a line that only versions after Debian's next have.
var reshapeActive = regexp.MustCompile("(?m)^MD_RESHAPE_ACTIVE=.*\n")

// eventDetected is what later monitors print beside alerting, and ours does not.
var eventDetected = regexp.MustCompile("(?m)^mdadm: .* event detected on md device .*\n")

// laterReports has arrays that run, one that does not, and one that is reshaped.
func laterReports(t *testing.T) {
	do(t, quickCreate+"md0 -l1 -n2 -x1 -N home r0 r1 r2")
	do(t, quickCreate+"md1 -l5 -n3 -N data r3 r4 r5")
	do(t, "mdadm --stop -q md1")
	do(t, "mdadm? -I -q r3")
	do(t, "conf DEVICE /dev/ram*")
	inactive := arraysUp(t)[0]
	if inactive == "/dev/md0" {
		inactive = arraysUp(t)[1]
	}
	for _, line := range []string{
		"-D md0", "-D -b md0", "-D -b -v md0", "-D --export md0", "-D " + inactive, "-D -b " + inactive, "-D --export " + inactive,
		"-D -s", "-D -s -v", "-E -b r0", "-E -b -v r0", "-E -s", "-E -s -v", "-E --export r0",
	} {
		if !strings.HasSuffix(line, "0") || strings.Contains(line, "md") {
			line += " -c " + labConf
		}
		laterLine(t, line)
	}
	active := func(want string) {
		t.Helper()
		if o := ours("-D", "--export", "/dev/md0"); !strings.Contains(o.out, "\nMD_RESHAPE_ACTIVE="+want+"\n") {
			t.Errorf("MD_RESHAPE_ACTIVE is not %s: %v", want, o)
		}
	}
	active("False")
	reset(t)
	do(t, quickCreate+"md0 -l5 -n3 r0 r1 r2")
	do(t, "mdadm md0 -q --add r3")
	do(t, "write /sys/block/md0/md/sync_max 2048")
	do(t, "mdadm? --grow md0 -q -n4")
	do(t, "await /sys/block/md0/md/sync_action reshape")
	active("True")
	t.Setenv("MDADM_COMPAT", "4.2")
	if o := ours("-D", "--export", "/dev/md0"); strings.Contains(o.out, "RESHAPE_ACTIVE") {
		t.Errorf("4.2 has no MD_RESHAPE_ACTIVE: %v", o)
	}
	do(t, "write /sys/block/md0/md/sync_max max")
	do(t, "await /sys/block/md0/md/sync_action idle")
}

// laterQuestion creates arrays and answers the question about a bitmap.
func laterQuestion(t *testing.T) {
	// The head of mdadm's repository has mended the spelling of 4.4.
	spelt := strings.NewReplacer("To optimalize", "To optimize", "write-indent", "write-intent")
	tell := func(words, answer string, mdadm func(string, ...string) outcome) string {
		reset(t)
		args := strings.Fields("--create /dev/md0 --assume-clean " + words)
		o := mdadm(answer, args...)
		lab.ArraysIdle(t)
		return spelt.Replace(trim(o).String()) + readText(t, "/proc/mdstat")
	}
	same := func(words, answer string) {
		t.Helper()
		want := tell(words, answer, func(a string, args ...string) outcome { return nextAnswered(t, a, args...) })
		if got := tell(words, answer, answered); got != want {
			t.Errorf("--create %s, answered with %q:\n%s", words, answer, lineDiff(want, got))
		}
	}
	const raid1 = "-l1 -n2 /dev/ram0 /dev/ram1"
	for _, answer := range []string{"", "y\ny\n", "n\ny\n", "y\nn\n", "yes\ny\n", "\n\n", "Y\nY\n"} {
		same(raid1, answer)
	}
	for _, words := range []string{"-l5 -n3 /dev/ram2 /dev/ram0 /dev/ram1", "-l0 -n2 /dev/ram0 /dev/ram1", "--run " + raid1, "-b internal " + raid1, "-b none " + raid1} {
		same(words, "y\ny\n")
	}
}

// laterMonitor looks once at an array at which nothing is wrong.
func laterMonitor(t *testing.T) {
	do(t, quickCreate+"md0 -l1 -n2 r0 r1")
	for _, conf := range []string{"# nothing", "MAILADDR root", "PROGRAM /bin/alert", "MAILADDR root | PROGRAM /bin/alert | MONITORDELAY 9"} {
		do(t, "conf "+conf)
		for _, line := range []string{
			"-F -1 md0", "-F -1 -v md0", "-F -1 -v -m root md0", "-F -1 -v -p /bin/alert md0", "-F -1 -v -d 7 md0", "-F -1 --scan", "-F -1 -v --scan",
			"-F -1 --scan -m root", "-F -1 --scan -m root md0", "-F -1 -v --scan -m a", "-F -1",
		} {
			if strings.Contains(line, "--scan") && strings.Contains(conf, "PROGRAM") {
				continue // there is no such program to run for NewArray, which only ours says
			}
			os.Remove("/run/mdadm/autorebuild.pid")
			laterLine(t, line+" -c "+labConf)
		}
	}
}
