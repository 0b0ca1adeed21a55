package mdadm

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/internal/lab"
	blockctl "github.com/mdkit/mdkit/ioctl/block"
)

// TestLaterWords holds what MDADM_COMPAT=4.6 says otherwise than 4.2, in reports, when an
// array is created, and in --monitor, against Debian's next mdadm.
func TestLaterWords(t *testing.T) {
	var cases []lab.Case
	for name, run := range map[string]func(*testing.T){"reports": laterReports, "bitmap question": laterQuestion, "monitor": laterMonitor, "partition": laterPartition, "update words": laterUpdates} {
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
	if want != got {
		t.Errorf("mdadm %s:\n%s", line, lineDiff(want.String(), got.String()))
	}
}

// reshapeActive is a line that only versions after Debian's next have.
var reshapeActive = regexp.MustCompile("(?m)^MD_RESHAPE_ACTIVE=.*\n")

// laterReports has arrays that run, one that does not, and one that is reshaped.
func laterReports(t *testing.T) {
	do(t, quickCreate+"md0 -l1 -n2 -x1 -N home r0 r1 r2")
	do(t, quickCreate+"md1 -l5 -n3 -N data r3 r4 r5")
	do(t, "mdadm --stop -q md1")
	do(t, "mdadm? -I -q r3")
	do(t, "conf DEVICE /dev/ram*")
	do(t, quickCreate+"md2 -l1 -n2 r6 r7")
	do(t, "mdadm --stop -q md2")
	edit1(t, "/dev/ram6", func(s *md.Super1) { s.DataSize += ramSize / md.SectorSize })
	laterLine(t, "-E r6")
	for _, dev := range []string{"/dev/ram6", "/dev/ram7"} {
		wipe(t, dev)
	}
	inactive := arraysUp(t)[0]
	if inactive == "/dev/md0" {
		inactive = arraysUp(t)[1]
	}
	for _, line := range []string{
		"-D md0", "-D -b md0", "-D -b -v md0", "-D --export md0", "-D " + inactive, "-D -b " + inactive, "-D --export " + inactive,
		"-E r1", "-D -s", "-D -s -v", "-E -b r0", "-E -b -v r0", "-E -s", "-E -s -v", "-E --export r0",
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

// laterUpdates asks what --update takes.
func laterUpdates(t *testing.T) {
	for _, word := range []string{"help", "?", "wrong", "byteorde", "uuid"} {
		if word != "uuid" { // which is one
			laterLine(t, "-A md0 -U "+word)
		}
		laterLine(t, "--update-subarray=0 -U "+word+" /dev/nowhere")
	}
}

// laterPartition asks about a partition of an array, whose major number is not that of
// md: mdadm 4.2 ends in a segmentation fault.
func laterPartition(t *testing.T) {
	do(t, quickCreate+"md0 -l1 -n2 r0 r1")
	f, err := blockctl.Open("/dev/md0", os.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	table := make([]byte, 512)
	copy(table[446+4:], []byte{0x83, 0, 0, 0, 0, 8, 0, 0, 0, 32}) // 8192 sectors from 2048 on
	table[510], table[511] = 0x55, 0xaa
	if _, err := f.WriteAt(table, 0); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Sync(), blockctl.RereadPartitions(f)); err != nil {
		t.Fatal(err)
	}
	lab.Until(t, "the partition", func() bool { _, err := os.Stat("/dev/md0p1"); return err == nil })
	if dev := readText(t, "/sys/block/md0/md0p1/dev"); !strings.HasPrefix(dev, "259:") {
		t.Errorf("the partition is %s", dev)
	}
	for _, line := range []string{"-D /dev/md0p1", "-D --export /dev/md0p1", "-D -b /dev/md0p1", "-Q /dev/md0p1", "-t -D /dev/md0p1"} {
		laterLine(t, line+" -c none")
	}
}

// TestLaterAlerts holds whom --monitor tells what, under MDADM_COMPAT=4.6, against
// Debian's next mdadm: on the error stream, in mails, to a program, in the log.
func TestLaterAlerts(t *testing.T) {
	beside(t)
	spec := monitorSpec(t)
	maps.Copy(spec.Files, lab.Peer(t, "mdadm-next").Aside(nextDir))
	lab.Run(t, spec,
		lab.Case{Name: "once", Run: func(t *testing.T, _ *lab.Guest) { laterAlerts(t) }},
		lab.Case{Name: "links", Run: func(t *testing.T, _ *lab.Guest) { laterLinks(t) }},
	)
}

// laterLinks puts symbolic links, and what else is no file, where a monitor looks for the
// other one and puts its number. Neither follows them, and both refuse in the same words.
func laterLinks(t *testing.T) {
	reset(t)
	defer reset(t)
	do(t, quickCreate+"md9 -l1 -n2 r0 r1")
	const folder, file, aside, victim = "/run/mdadm", "/run/mdadm/autorebuild.pid", "/run/mdadm.aside", "/run/victim"
	if err := os.Rename(folder, aside); err != nil {
		t.Fatal(err)
	}
	defer os.Rename(aside, folder)
	defer os.RemoveAll(folder)
	for _, c := range []struct {
		name string
		lay  func() error
	}{
		{"link", func() error { return errors.Join(os.Mkdir(folder, 0o755), os.Symlink(victim, file)) }},
		{"link to a folder", func() error { return os.Symlink(aside, folder) }},
		{"folder is a file", func() error { return os.WriteFile(folder, nil, 0o644) }},
		{"file is a folder", func() error { return os.MkdirAll(file, 0o755) }},
		{"fine", func() error { return os.Mkdir(folder, 0o755) }},
	} {
		tell := func(mdadm func(...string) outcome) string {
			os.Remove(victim)
			os.RemoveAll(folder)
			if err := errors.Join(c.lay(), os.WriteFile(victim, []byte("1\n"), 0o644)); err != nil {
				t.Fatal(err)
			}
			o := mdadm("-F", "-1", "/dev/md9", "-p", "/bin/alert", "-c", "none")
			at, err := os.Lstat(file)
			return fmt.Sprintf("%v--- %q, number written: %v\n", o, readText(t, victim), err == nil && at.Mode().IsRegular())
		}
		want := tell(func(args ...string) outcome { return next(t, args...) })
		if got := tell(ours); got != want {
			t.Errorf("%s:\n%s", c.name, lineDiff(want, got))
		}
	}
}

func laterAlerts(t *testing.T) {
	t.Setenv("MDADM_COMPAT", "4.6")
	reset(t)
	defer reset(t)
	do(t, quickCreate+"md9 -l1 -n3 -x1 r0 r1 missing r2")
	do(t, "mdadm --create --run --quiet md5 -l0 -n2 r3 r4")
	tell := func(line string, mdadm func(...string) outcome) string {
		for _, file := range []string{alertRecord, mailRecord, "/run/mdadm/autorebuild.pid"} {
			os.Remove(file)
		}
		log := listenLog(t)
		defer log.conn.Close()
		args := strings.Fields(line)
		for i := range args {
			args[i] = devName(args[i])
		}
		o := mdadm(append(args, "-c", "none")...)
		if strings.Contains(line, "-y") {
			lab.Until(t, "the log", func() bool { return len(log.lines()) >= strings.Count(o.err, "event detected") })
		}
		var logged strings.Builder
		for _, l := range log.lines() {
			logged.WriteString(strings.TrimRight(logHead.ReplaceAllString(l, "$1$2: "), "\n") + "\n")
		}
		return fmt.Sprintf("%v--- alerts\n%s--- mails\n%s--- log\n%s", o, recorded(alertRecord), recorded(mailRecord), &logged)
	}
	for _, line := range []string{
		"-F -1 md9", "-F -1 md5", "-F -1 -t md9 md5", "-F -1 -t -y md9 md5", "-F -1 -t -p /bin/alert md9 md5", "-F -1 -t -m root md9",
		"-F -1 -t -y -p /bin/alert -m root md9 md5", "-F -1 --scan -t -p /bin/alert",
	} {
		want := tell(line, func(args ...string) outcome { return next(t, args...) })
		if got := tell(line, ours); got != want {
			t.Errorf("mdadm %s:\n%s", line, lineDiff(want, got))
		}
	}
}

// TestLaterNames holds how names are refused under MDADM_COMPAT=4.6, against Debian's next
// mdadm; its rule about characters has been taken back since.
func TestLaterNames(t *testing.T) {
	long := strings.Repeat("n", 33)
	runSomeWith(t, 1, []lab.Case{{Name: "names", Run: func(t *testing.T, _ *lab.Guest) {
		t.Setenv("MDADM_COMPAT", "4.6")
		for _, line := range []string{
			"-C md9 -l1 -n2 -N a -N b r0 r1", "-C md9 -l1 -n2 -N " + long + " r0 r1", "-C md9 -l1 -n2 --name= r0 r1", "-C /dev/md/" + long + " -l1 -n2 r0 r1",
			"-C /dev/md/ -l1 -n2 r0 r1", "-A /dev/md_" + long + " r0 r1", "-B <ignore> -l1 -n2 r0 r1", "-G /dev/md/" + long + " -n3", "/dev/md/" + long + " -a r0",
			"-E -N a r0",
		} {
			laterLine(t, line)
		}
	}}}, lab.Peer(t, "mdadm-next").Aside(nextDir))
}
