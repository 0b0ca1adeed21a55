package mdadm

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mdkit/mdkit/internal/lab"
)

// TestMonitorOnce compares the output and the exit codes of both monitors if they
// look once, or refuse to look at all.
func TestMonitorOnce(t *testing.T) {
	beside(t)
	lab.Run(t, monitorSpec(t),
		lab.Case{Name: "once", Run: func(t *testing.T, _ *lab.Guest) { monitorOnce(t) }},
		lab.Case{Name: "json", Run: func(t *testing.T, _ *lab.Guest) { monitorJSON(t) }},
		lab.Case{Name: "dry run", Run: func(t *testing.T, _ *lab.Guest) { monitorDryRun(t) }},
		lab.Case{Name: "daemon", Run: func(t *testing.T, _ *lab.Guest) { monitorDaemon(t) }},
	)
}

func monitorOnce(t *testing.T) {
	reset(t)
	defer reset(t)
	do(t, quickCreate+"md9 -l1 -n3 -x1 r0 r1 missing r2")
	do(t, "mdadm --create --run --quiet md5 -l0 -n2 r3 r4")
	conf := "/run/mdadm.conf"
	stamp := regexp.MustCompile(`(?m)^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d: `)
	for _, c := range []struct{ conf, line string }{
		{"", "-F -1 md9"},
		{"", "-F -1 md5"},
		{"", "-F -1 md9 md5"},
		{"", "-F -1 -t md9"},
		{"", "-F -1 -t md9 md9"},
		{"", "-F -1 /dev/nowhere"},
		{"", "-F -1 /dev/null"},
		{"", "-F -1 r0"},
		{"", "-F -1"},
		{"", "-F"},
		{"", "-F -1 --scan"},
		{"", "-F -i /run/x.pid md9"},
		{"", "-F md5"},
		{"", "-F /dev/nowhere"},
		{"", "-F -1 --scan -p /bin/alert"},
		{"", "-F -1 --scan --mail root"},
		{"", "-F -1 -y -t --scan"},
		{"MAILADDR root", "-F -1 -t md9"},
		{"PROGRAM /bin/alert", "-F -1 -t md9"},
		{"PROGRAM /bin/alert\nMAILADDR a b\nMAILFROM x y", "-F -1 -t --scan"},
		{"ARRAY /dev/md5 name=five", "-F -1 --scan -p /bin/alert"},
		{"ARRAY <ignore> name=five", "-F -1 --scan -p /bin/alert"},
		{"ARRAY five name=five", "-F -1 --scan -p /bin/alert"},
		{"ARRAY /dev/md9 name=five spares=3", "-F -1 --scan -p /bin/alert"},
		{"", "-F -r 0 md9"},
		{"", "-F -r 100 md9"},
		{"", "-F -d 0 md9"},
		{"", "-F -1 -f -i /run/nowhere/x -r 5 -p a -p b -m c -m d -y --scan --version"},
	} {
		if err := os.WriteFile(conf, []byte(c.conf+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		args := strings.Fields(c.line)
		for i := range args {
			args[i] = devName(args[i])
		}
		args = append(args, "-c", conf)
		run := func(run func(...string) outcome) string {
			for _, file := range []string{alertRecord, mailRecord} {
				os.Remove(file)
			}
			os.Remove("/run/mdadm/autorebuild.pid")
			log := listenLog(t)
			o := run(args...)
			log.conn.Close()
			o.out = stamp.ReplaceAllString(o.out, "- ")
			mails := strings.Count(recorded(mailRecord), mailEnd)
			return fmt.Sprintf("%v--- alerts\n%s--- %d mails\n", o, recorded(alertRecord), mails)
		}
		want := run(func(args ...string) outcome { return peers(t, args...) })
		if got := run(ours); got != want && !strings.Contains(c.line, "--version") {
			t.Errorf("%q, %s:\n%s", c.conf, c.line, lineDiff(want, got))
		}
	}
}

// monitorJSON reads a stream of events.
func monitorJSON(t *testing.T) {
	reset(t)
	defer reset(t)
	do(t, quickCreate+"md9 -l1 -n2 r0 r1")
	cmd := exec.Command("/proc/self/exe", "--monitor", "--scan", "--json", "--no-sharing", "-c", "none")
	cmd.Args[0] = "mdadm"
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	next := func(event, component string) {
		t.Helper()
		var e eventJSON
		if !lines.Scan() || json.Unmarshal(lines.Bytes(), &e) != nil {
			t.Fatalf("no %s: %q", event, lines.Text())
		}
		if e.Event != event || e.Component != component {
			t.Fatalf("not %s of %s: %s", event, component, lines.Text())
		}
		if e.Schema != "mdkit.monitor/1" || e.Array != "/dev/md9" || e.Name != "md9" || e.State.RaidDevices != 2 {
			t.Fatalf("not %s of %s: %s", event, component, lines.Text())
		}
		if when, err := time.Parse(time.RFC3339Nano, e.Time); err != nil || time.Since(when) > time.Hour {
			t.Errorf("time %s", e.Time)
		}
	}
	next("NewArray", "")
	do(t, "mdadm md9 -q --fail r1")
	next("Fail", "/dev/ram1")
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// monitorDryRun has a spare that would be moved, mail that would be sent, and a
// program that would be run.
func monitorDryRun(t *testing.T) {
	reset(t)
	defer reset(t)
	do(t, quickCreate+"md9 -l1 -n2 -x1 r0 r1 r2")
	do(t, quickCreate+"md6 -l1 -n2 r3 r4")
	do(t, "mdadm md6 -q --fail r3")
	const conf = "/run/mdadm.conf"
	if err := os.WriteFile(conf, []byte("POLICY domain=all\nMAILADDR root\nPROGRAM /bin/alert\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{alertRecord, mailRecord, "/run/mdadm/autorebuild.pid"} {
		os.Remove(file)
	}
	before := readText(t, "/proc/mdstat")
	foretold := func(want string, args ...string) {
		t.Helper()
		cmd := exec.Command("/proc/self/exe", append([]string{"--monitor", "--scan", "--syslog", "--dry-run", "-c", conf}, args...)...)
		cmd.Args[0] = "mdadm"
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var said []string
		for lines := bufio.NewScanner(out); lines.Scan(); {
			said = append(said, lines.Text())
			if strings.Contains(lines.Text(), want) {
				said = nil
				break
			}
		}
		if said != nil {
			t.Errorf("%q is not foretold: %q", want, said)
		}
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	foretold("device /dev/md6: move a spare here (1:2 from /dev/md9)")
	foretold(`"what":"move a spare here"`, "--json")
	if after := readText(t, "/proc/mdstat"); after != before {
		t.Errorf("a dry run has changed arrays:\n%s", lineDiff(before, after))
	}
	if said := recorded(alertRecord) + recorded(mailRecord) + recorded("/run/mdadm/autorebuild.pid"); said != "" {
		t.Errorf("a dry run has alerted somebody: %s", said)
	}
	if o := ours("--monitor", "--scan", "--daemonise", "--dry-run", "-c", conf); o.code == 0 {
		t.Errorf("a dry run went to the background: %v", o)
	}
}

// monitorDaemon puts both monitors into the background, and lets the second find
// the first.
func monitorDaemon(t *testing.T) {
	reset(t)
	defer reset(t)
	do(t, quickCreate+"md9 -l1 -n2 r0 r1")
	const pidFile, sharer = "/run/monitor.pid", "/run/mdadm/autorebuild.pid"
	for _, program := range []string{"mdadm", "/proc/self/exe"} {
		os.Remove(alertRecord)
		os.Remove(sharer)
		run := func(program string, more ...string) outcome {
			var out, errs bytes.Buffer
			cmd := exec.Command(program, append([]string{"--monitor", "-c", "none", "--scan", "--program=/bin/alert"}, more...)...)
			cmd.Args[0] = "mdadm"
			cmd.Stdout, cmd.Stderr = &out, &errs
			if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
				t.Fatal(err)
			}
			return outcome{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
		}
		if o := run(program, "--daemonise", "--pid-file="+pidFile); o != (outcome{}) {
			t.Errorf("%s: %v", program, o)
		}
		pid, err := strconv.Atoi(strings.TrimSpace(readText(t, pidFile)))
		if err != nil {
			t.Fatal(err)
		}
		until(t, "the first event", func() bool { return strings.Contains(recorded(alertRecord), "NewArray|/dev/md9\n") })
		if got := strings.TrimSpace(recorded(sharer)); got != strconv.Itoa(pid) {
			t.Errorf("%s: autorebuild.pid has %q, the daemon is %d", program, got, pid)
		}
		if in, err := filepath.EvalSymlinks(fmt.Sprintf("/proc/%d/fd/0", pid)); err != nil || in != "/dev/null" {
			t.Errorf("%s: standard input is %s, %v", program, in, err)
		}
		want := outcome{1, "", "mdadm: Only one autorebuild process allowed in scan mode, aborting\n"}
		for _, second := range []string{"mdadm", "/proc/self/exe"} {
			if o := run(second); o != want {
				t.Errorf("%s beside %s: %v", second, program, o)
			}
		}
		daemon, err := os.FindProcess(pid)
		if err != nil {
			t.Fatal(err)
		}
		if err := daemon.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		until(t, "the end of the daemon", func() bool {
			stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
			return err != nil || bytes.Contains(stat, []byte(") Z "))
		})
		if _, err := os.Stat(pidFile); err == nil && program != "mdadm" {
			t.Error("the pid file is still there")
		}
	}
	o := ours("--monitor", "-c", "none", "--daemonise", "--no-sharing", "/dev/nowhere")
	if n, err := strconv.Atoi(strings.TrimSpace(o.out)); err != nil || n < 2 || o.code != 0 {
		t.Errorf("without a pid file: %v", o)
	}
}
