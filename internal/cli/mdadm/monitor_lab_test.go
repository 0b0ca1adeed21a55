package mdadm

import (
	"bytes"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mdkit/mdkit/internal/lab"
)

// watched is a story that a monitor follows: its arrays are made, the monitor
// starts, and the steps are taken one by one, each only when the monitor has
// seen the one before.
type watched struct {
	setup []string
	conf  string   // of mdadm.conf; GROUP:md9 stands for its ARRAY line with that spare group
	args  []string // of the monitor, "--scan" if there are none
	steps []string
	// full also has mail sent and a program run, which takes longer. The system
	// log is used in all stories.
	full bool
	// progress compares steps of progress, too: the story stops at each of them.
	progress bool
	want     []string // events that mdadm must report, so that a story proves something
}

const quickCreate = "mdadm --create --run --quiet --assume-clean "

func watchedStories() map[string]watched {
	return map[string]watched{
		"fail and rebuild": {
			full: true, progress: true,
			setup: []string{quickCreate + "md9 -l1 -n2 r0 r1"},
			steps: []string{
				"mdadm md9 -q --fail r1", "mdadm md9 -q --remove r1", "limit md9 2", "mdadm md9 -q --add r2", "hold md9 2",
				"hold md9 30", "hold md9 50", "hold md9 70", "hold md9 90", "finish md9",
			},
			want: []string{"Fail|/dev/md9|/dev/ram1", "RebuildStarted|/dev/md9", "Rebuild40+|/dev/md9", "RebuildFinished|/dev/md9", "SpareActive|/dev/md9|/dev/ram2"},
		},
		"coarse steps": {
			progress: true,
			setup:    []string{quickCreate + "md9 -l1 -n2 r0 r1"},
			args:     []string{"--scan", "--increment=50"},
			steps:    []string{"limit md9 2", "write /sys/block/md9/md/sync_action check", "hold md9 2", "hold md9 60", "finish md9"},
			want:     []string{"Rebuild50+|/dev/md9", "RebuildFinished|/dev/md9"},
		},
		"spare takes over": {
			setup: []string{quickCreate + "md9 -l5 -n3 -x1 r0 r1 r2 r3", "limit md9 2"},
			steps: []string{"mdadm md9 -q --fail r0", "hold md9 2", "finish md9", "mdadm md9 -q --remove r0"},
			want:  []string{"Fail|/dev/md9|/dev/ram0", "RebuildStarted|/dev/md9", "SpareActive|/dev/md9|/dev/ram3"},
		},
		"spare fails": {
			setup: []string{quickCreate + "md9 -l6 -n4 -x1 r0 r1 r2 r3 r4"},
			steps: []string{"mdadm md9 -q --fail r4", "mdadm md9 -q --remove r4", "mdadm md9 -q --add r4"},
			want:  []string{"FailSpare|/dev/md9|/dev/ram4"},
		},
		"degraded": {
			steps: []string{quickCreate + "md9 -l10 -n4 r0 r1 r2 missing", "mdadm -q --stop md9"},
			want:  []string{"NewArray|/dev/md9", "DegradedArray|/dev/md9", "DeviceDisappeared|/dev/md9"},
		},
		"mismatches": {
			full:  true,
			setup: []string{quickCreate + "md9 -l1 -n2 r0 r1", "damage r1 20000000 7", "damage r1 30000000 7"},
			steps: []string{"limit md9 2", "write /sys/block/md9/md/sync_action check", "hold md9 2", "finish md9"},
			want:  []string{"RebuildFinished|/dev/md9|mismatches found: 256 (on raid level 1)"},
		},
		"come and go": {
			setup: []string{quickCreate + "md9 -l1 -n2 r0 r1", quickCreate + "/dev/md/home -N home -l1 -n2 r2 r3"},
			steps: []string{"mdadm -q --stop md9", "mdadm -A -q md9 r0 r1", "mdadm -q --stop /dev/md/home"},
			want:  []string{"DeviceDisappeared|/dev/md9", "NewArray|/dev/md9"},
		},
		"two failures": {
			setup: []string{quickCreate + "md9 -l6 -n4 r0 r1 r2 r3"},
			steps: []string{"mdadm md9 -q --fail r0 --fail r2", "mdadm md9 -q --remove r0 --remove r2"},
			want:  []string{"Fail|/dev/md9|/dev/ram0", "Fail|/dev/md9|/dev/ram2"},
		},
		"replacement": {
			setup: []string{quickCreate + "md9 -l5 -n3 -x1 r0 r1 r2 r3"},
			steps: []string{"limit md9 2", "mdadm md9 -q --replace r0", "hold md9 2", "finish md9"},
			want:  []string{"RebuildStarted|/dev/md9", "RebuildFinished|/dev/md9"},
		},
		"raid0 comes": {
			steps: []string{"mdadm --create --run --quiet md9 -l0 -n2 r0 r1", "mdadm -q --stop md9"},
		},
		"old metadata": {
			setup: []string{quickCreate + "md9 -e0.90 -l5 -n3 r0 r1 r2"},
			steps: []string{"mdadm md9 -q --fail r1", "mdadm md9 -q --remove r1", "limit md9 2", "mdadm md9 -q --add r4", "hold md9 2", "finish md9"},
			want:  []string{"Fail|/dev/md9|/dev/ram1", "SpareActive|/dev/md9|/dev/ram4"},
		},
		"spares missing": {
			setup: []string{quickCreate + "md9 -l1 -n2 r0 r1"},
			conf:  "SPARES:md9 2",
			want:  []string{"SparesMissing|/dev/md9"},
		},
		"spare moves": {
			full:  true,
			setup: []string{quickCreate + "md9 -l1 -n2 -x1 r0 r1 r2", quickCreate + "md6 -l1 -n2 r3 r4", "limit md6 2"},
			conf:  "GROUP:md9 GROUP:md6",
			steps: []string{"mdadm md6 -q --fail r3", "hold md6 2", "finish md6"},
			want:  []string{"Fail|/dev/md6|/dev/ram3", "MoveSpare|/dev/md6|/dev/md9", "SpareActive|/dev/md6|/dev/ram2"},
		},
		"spare stays": {
			setup: []string{quickCreate + "md9 -l1 -n2 -x1 r0 r1 r2", quickCreate + "md6 -l1 -n2 r3 r4"},
			conf:  "GROUP:md9 GROUP:md6",
			args:  []string{"--scan", "--no-sharing"},
			steps: []string{"mdadm md6 -q --fail r3"},
			want:  []string{"Fail|/dev/md6|/dev/ram3"},
		},
		"spare moves in its domain": {
			setup: []string{quickCreate + "md9 -l1 -n2 -x1 r0 r1 r2", quickCreate + "md6 -l1 -n2 r3 r4", "limit md6 2"},
			conf:  "POLICY domain=all",
			steps: []string{"mdadm md6 -q --fail r3", "hold md6 2", "finish md6"},
			want:  []string{"MoveSpare|/dev/md6|/dev/md9"},
		},
		"test messages": {
			full:  true,
			setup: []string{quickCreate + "md9 -l1 -n2 r0 r1"},
			args:  []string{"--scan", "--test"},
			want:  []string{"TestMessage|/dev/md9"},
		},
		"listed": {
			setup: []string{quickCreate + "md9 -l1 -n2 r0 r1", "mdadm --create --run --quiet md5 -l0 -n2 r2 r3"},
			args:  []string{"/dev/md9", "/dev/md5", "--scan"},
			steps: []string{"mdadm md9 -q --fail r1"},
			want:  []string{"DeviceDisappeared|/dev/md5|Wrong-Level", "Fail|/dev/md9|/dev/ram1"},
		},
	}
}

// TestMonitorLikeMdadm runs each story under mdadm's monitor and under ours, and
// compares what they pass to a program, the mails they send, and what they log.
func TestMonitorLikeMdadm(t *testing.T) {
	beside(t)
	all := watchedStories()
	cases := []lab.Case{{Name: "setup", Run: func(t *testing.T, _ *lab.Guest) { do(t, "hostname labhost") }}}
	for _, name := range lab.Sample(t, slices.Sorted(maps.Keys(all)), 2) {
		cases = append(cases, lab.Case{Name: name, Run: func(t *testing.T, _ *lab.Guest) { all[name].compare(t) }})
	}
	lab.Run(t, monitorSpec(t), cases...)
}

// monitorSpec is a machine with a shell and a sendmail that record.
func monitorSpec(t *testing.T) lab.Spec {
	t.Helper()
	files := map[string]string{}
	maps.Copy(files, lab.Peer(t, "mdadm").Files)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/bin/sh", "/usr/sbin/sendmail", "/bin/alert"} {
		files[path] = self
	}
	return lab.Spec{
		Modules: []string{"raid0", "raid1", "raid10", "raid456", fmt.Sprintf("brd rd_nr=%d rd_size=%d", devs, ramSize>>10)},
		Files:   files,
		Memory:  1 << 30,
	}
}

func (s watched) compare(t *testing.T) {
	mdadm, err := exec.LookPath("mdadm")
	if err != nil {
		t.Fatal(err)
	}
	// A monitor looks when the kernel wakes it, and what it then sees of a change
	// in several steps is chance; moreover, mdadm does not report an array as gone
	// if its device lingers when it looks. So if a story is reported differently,
	// it is run again, under both, until two turns agree.
	var wants, gots []heard
	var want, got heard
	for range tellings {
		wants = append(wants, s.follow(t, mdadm))
		gots = append(gots, s.follow(t, "/proc/self/exe"))
		var same bool
		if want, got, same = s.alike(wants, gots); same {
			break
		}
	}
	for _, event := range s.want {
		if !want.says(event) {
			t.Errorf("mdadm has not said %q:\n%s", event, strings.Join(want.log, "\n"))
		}
	}
	for _, c := range []struct {
		what      string
		want, got []string
	}{{"log", want.log, got.log}, {"alerts", want.alerts, got.alerts}, {"mails", want.mails, got.mails}} {
		if !slices.Equal(c.want, c.got) {
			t.Errorf("%s:\n%s", c.what, lineDiff(strings.Join(c.want, "\n"), strings.Join(c.got, "\n")))
		}
	}
	if s.full && len(want.alerts) != len(want.log) {
		t.Errorf("%d alerts, %d lines of log", len(want.alerts), len(want.log))
	}
}

// tellings is how often a story is run at most.
const tellings = 4

// alike finds two turns that are the same, and in which mdadm reports what the
// story is about; if there are none it returns the last ones.
func (s watched) alike(wants, gots []heard) (want, got heard, same bool) {
	for _, want = range wants {
		if slices.ContainsFunc(s.want, func(event string) bool { return !want.says(event) }) {
			continue
		}
		for _, got = range gots {
			if slices.Equal(want.log, got.log) && slices.Equal(want.alerts, got.alerts) && slices.Equal(want.mails, got.mails) {
				return want, got, true
			}
		}
	}
	return wants[len(wants)-1], gots[len(gots)-1], false
}

// heard is everything that a monitor has reported.
type heard struct{ alerts, mails, log []string }

// says reports whether an event has been logged.
func (h heard) says(event string) bool {
	return slices.ContainsFunc(h.log, func(l string) bool { return strings.HasSuffix(l, "> "+event) })
}

func (s watched) follow(t *testing.T, program string) heard {
	t.Helper()
	reset(t)
	for _, file := range []string{alertRecord, mailRecord, "/run/mdadm/autorebuild.pid"} {
		os.Remove(file)
	}
	do(t, quickCreate+"md7 -l1 -n2 r6 r7") // so that there is always something to watch
	for _, step := range s.setup {
		s.step(t, step)
	}
	if err := os.WriteFile("/run/mdadm.conf", []byte(s.config(t)), 0o644); err != nil {
		t.Fatal(err)
	}
	m := &monitorProcess{log: listenLog(t), done: make(chan struct{}), forgets: program != "/proc/self/exe"}
	args := []string{"--monitor", "--config=/run/mdadm.conf", "--delay=1000", "--syslog"}
	if s.full {
		args = append(args, "--program=/bin/alert", "--mail=admin")
	}
	if s.args == nil {
		args = append(args, "--scan")
	}
	m.start(t, program, append(args, s.args...)...)
	defer m.end(t)
	m.barrier(t)
	for _, step := range s.steps {
		s.step(t, step)
		m.barrier(t)
	}
	m.end(t)
	return heard{alerts: s.mine(alertsHeard()), mails: s.mine(mailsHeard(t)), log: s.mine(m.log.events(t))}
}

// config writes the configuration of the story.
func (s watched) config(t *testing.T) string {
	t.Helper()
	arrayLine := func(md, more string) string {
		line := strings.TrimSpace(peers(t, "--detail", "--brief", "/dev/"+md).out)
		return regexp.MustCompile(` spares=\d+`).ReplaceAllString(line, "") + " " + more + "\n"
	}
	if md, ok := strings.CutPrefix(s.conf, "SPARES:"); ok {
		md, n, _ := strings.Cut(md, " ")
		return arrayLine(md, "spares="+n)
	}
	if !strings.HasPrefix(s.conf, "GROUP:") {
		return s.conf + "\n"
	}
	var b strings.Builder
	for _, w := range strings.Fields(s.conf) {
		b.WriteString(arrayLine(strings.TrimPrefix(w, "GROUP:"), "spare-group=common"))
	}
	return b.String()
}

// step is do, and three steps about rebuilds: "limit" stops the next one at a
// percentage, "hold" lets the present one go on up to one, "finish" to its end.
func (s watched) step(t *testing.T, step string) {
	t.Helper()
	w := strings.Fields(step)
	dir := "/sys/block/" + w[1] + "/md/"
	limit := func(percent string) uint64 {
		kib, err := strconv.ParseUint(strings.TrimSpace(readText(t, dir+"component_size")), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		n, _ := strconv.ParseUint(percent, 10, 64)
		at := 2 * kib * n / 100 &^ 1023
		do(t, fmt.Sprintf("write %ssync_max %d", dir, at))
		return at
	}
	switch w[0] {
	case "limit":
		limit(w[2])
	case "hold":
		at := limit(w[2])
		until(t, step, func() bool {
			done, _, _ := strings.Cut(readText(t, dir+"sync_completed"), " ")
			n, err := strconv.ParseUint(strings.TrimSpace(done), 10, 64)
			return err == nil && n >= at
		})
	case "finish":
		do(t, "write "+dir+"sync_max max")
		do(t, "await "+dir+"sync_action idle")
	default:
		do(t, step)
	}
}

// barrier makes an array and stops it again, and waits until the monitor has
// reported both: then it has seen everything before that.
func (m *monitorProcess) barrier(t *testing.T) {
	t.Helper()
	for range 10 {
		if !m.tells("NewArray", func() { do(t, quickCreate+"md8 -l1 -n2 r8 r9") }) {
			break
		}
		if m.tells("DeviceDisappeared", func() { do(t, "mdadm --stop -q md8") }) {
			return
		}
		if !m.forgets {
			break
		}
	}
	t.Fatalf("the monitor has not told of md8\n%s\n%v\nended: %v", strings.Join(m.log.lines(), "\n"), recorded("/proc/mdstat"), m.exited())
}

// tells makes a change and reports whether the monitor reports the event for md8.
func (m *monitorProcess) tells(event string, change func()) bool {
	text := event + " event detected on md device /dev/md8"
	limit := lab.Stretched(3 * time.Minute)
	if m.forgets && event == "DeviceDisappeared" {
		limit = lab.Stretched(5 * time.Second)
	}
	before := m.log.count(text)
	change()
	for deadline := time.Now().Add(limit); m.log.count(text) == before; time.Sleep(10 * time.Millisecond) { // the caller then makes the change once more
		if time.Now().After(deadline) || m.exited() {
			return false
		}
	}
	return true
}

// until waits for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	lab.Poll(t, func() string {
		if ok() {
			return ""
		}
		return fmt.Sprintf("%s\n%s\n%s", what, readText(t, "/proc/mdstat"), recorded(alertRecord))
	})
}

func readText(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// recorded is what one of the parts has recorded, "" for nothing yet.
func recorded(path string) string {
	b, _ := os.ReadFile(path)
	return string(b)
}

// rebuildStep matches an event for a step of progress; at which point of a step a
// monitor looks is chance.
var rebuildStep = regexp.MustCompile(`Rebuild(\d+)\b`)

// arrayPath finds the array that a text is about.
var arrayPath = regexp.MustCompile(`/dev/md[/\w]+`)

// mine leaves out what is about arrays that the test itself uses, and what is
// chance: how far a rebuild was when the monitor looked, and whether its end is
// seen before what it did to the members. It sorts the rest by array, keeping the
// order within each.
func (s watched) mine(lines []string) []string {
	lines = slices.DeleteFunc(lines, func(l string) bool {
		m := rebuildStep.FindStringSubmatch(l)
		return arrayPath.FindString(l) == "/dev/md8" || m != nil && (!s.progress || m[1] == "100")
	})
	for i, l := range lines {
		lines[i] = rebuildStep.ReplaceAllStringFunc(l, func(m string) string {
			n, _ := strconv.Atoi(m[len("Rebuild"):])
			if slices.Contains(s.args, "--increment=50") {
				return fmt.Sprintf("Rebuild%02d+", n/50*50)
			}
			return fmt.Sprintf("Rebuild%02d+", n/20*20)
		})
	}
	slices.SortStableFunc(lines, func(a, b string) int {
		return strings.Compare(arrayPath.FindString(a), arrayPath.FindString(b))
	})
	for i := 1; i < len(lines); i++ {
		if i == 0 {
			continue
		}
		sooner := strings.Contains(lines[i-1], "SpareActive") || strings.Contains(lines[i-1], " Fail|")
		if sooner && strings.Contains(lines[i], "RebuildFinished") {
			lines[i-1], lines[i] = lines[i], lines[i-1]
			i -= 2 // it may have to move further up
		}
	}
	return lines
}

// alertsHeard are the arguments of the program.
func alertsHeard() []string {
	return strings.FieldsFunc(recorded(alertRecord), func(r rune) bool { return r == '\n' })
}

// mailsHeard are the mails, without the part that quotes mdstat, which changes. It
// must be there, though.
func mailsHeard(t *testing.T) []string {
	t.Helper()
	var mails []string
	for mail := range strings.SplitSeq(recorded(mailRecord), mailEnd) {
		if mail == "" {
			continue
		}
		text, stat, _ := strings.Cut(mail, "Personalities : ")
		if !strings.Contains(stat, "unused devices") {
			t.Errorf("mail without mdstat: %s", mail)
		}
		mails = append(mails, text)
	}
	return mails
}

// logListener is a syslog daemon.
type logListener struct {
	conn net.PacketConn
	mu   sync.Mutex
	got  []string
}

func listenLog(t *testing.T) *logListener {
	t.Helper()
	os.Remove("/dev/log")
	conn, err := net.ListenPacket("unixgram", "/dev/log")
	if err != nil {
		t.Fatal(err)
	}
	l := &logListener{conn: conn}
	t.Cleanup(func() { conn.Close() })
	go func() {
		buf := make([]byte, 4096)
		for {
			n, _, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			l.mu.Lock()
			l.got = append(l.got, string(buf[:n]))
			l.mu.Unlock()
		}
	}()
	return l
}

// logHead matches priority, time, program and process.
var logHead = regexp.MustCompile(`^(<\d+>)[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d (\w+)\[\d+\]: `)

// lines are the lines so far.
func (l *logListener) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.got)
}

// count counts the lines that end with the text.
func (l *logListener) count(text string) int {
	n := 0
	for _, line := range l.lines() {
		if strings.HasSuffix(line, text) {
			n++
		}
	}
	return n
}

// logText matches the rest of a line.
var logText = regexp.MustCompile(`^(\w+) event detected on md device (\S+?)(?:, component device (.*)|:( .*))?$`)

// events ends the log and gives its lines as priority and event, in the form
// of the program's arguments.
func (l *logListener) events(t *testing.T) []string {
	t.Helper()
	l.conn.Close()
	var events []string
	for _, line := range l.lines() {
		head := logHead.FindStringSubmatch(line)
		text := logText.FindStringSubmatch(logHead.ReplaceAllString(line, ""))
		if head == nil || head[2] != "mdadm" || text == nil {
			t.Errorf("log line %q", line)
			continue
		}
		event := text[1] + "|" + text[2]
		if detail := text[3] + strings.TrimLeft(text[4], " "); detail != "" {
			event += "|" + detail
		}
		events = append(events, head[1]+" "+event)
	}
	return events
}

// monitorProcess is a running monitor.
type monitorProcess struct {
	cmd     *exec.Cmd
	log     *logListener
	out     bytes.Buffer
	done    chan struct{}
	forgets bool // it may miss that an array has gone
}

func (m *monitorProcess) start(t *testing.T, program string, args ...string) {
	t.Helper()
	m.cmd = exec.Command(program, args...)
	m.cmd.Args[0] = "mdadm"
	m.cmd.Stdout, m.cmd.Stderr = &m.out, &m.out
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = m.cmd.Wait()
		close(m.done)
	}()
}

func (m *monitorProcess) exited() bool {
	select {
	case <-m.done:
		return true
	default:
		return false
	}
}

func (m *monitorProcess) end(t *testing.T) {
	t.Helper()
	if m.exited() {
		return
	}
	if err := m.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	<-m.done
}
