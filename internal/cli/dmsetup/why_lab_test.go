package dmsetup

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/internal/lab"
)

// TestRefusedLikeTheOriginal runs the original beside ours where ours says why, and
// leaves less behind.
func TestRefusedLikeTheOriginal(t *testing.T) {
	var cases []lab.Case
	for _, c := range []struct {
		name string
		run  func(t *testing.T, w *world)
	}{
		{"another major", testAnotherMajor},
		{"signals", testSignals},
		{"messages", testRefusedMessages},
		{"concise", testConciseTakenBack},
		{"left behind", testLeft},
		{"stuck", testStuck},
		{"stuck until interrupted", testStuckInterrupted},
		{"stuck for good", testStuckForGood},
		{"remove all of stuck", testRemoveAllOfStuck},
	} {
		cases = append(cases, ownCase(c.name, c.run))
	}
	lab.Run(t, lab.Spec{Files: lab.Peer(t, "dmsetup").Files, Modules: labModules()}, cases...)
}

// ownCase is a case that begins and ends without devices.
func ownCase(name string, run func(t *testing.T, w *world)) lab.Case {
	return lab.Case{Name: name, Run: func(t *testing.T, _ *lab.Guest) {
		reset(t)
		defer reset(t)
		w := &world{t: t}
		defer w.release()
		run(t, w)
	}}
}

// testAnotherMajor asks for numbers that no mapped device has. The original fails, and
// leaves the device behind, since it looks for it under that number to remove it.
func testAnotherMajor(t *testing.T, w *world) {
	for _, line := range []string{
		"dmsetup create a -j 9 -m 77 --table '0 64 linear 1:0 0'",
		"dmsetup create a -j 253 -m 78 -u U --table '0 64 linear 1:0 0'",
		"dmsetup create a -v -j 9 -m 81 --table '0 64 linear 1:0 0'",
		"dmsetup create a -j 9 -m 82 --addnodeoncreate --table '0 64 linear 1:0 0'",
		"dmsetup create a -j 9 -m 80 --table '0 8 nosuch'",
		"dmsetup create a -j 0 -m 84 --table '0 64 linear 1:0 0'",
	} {
		reset(t)
		want, _ := w.step(line, peers)
		reset(t)
		before := state(t)
		got, _ := w.step(line, ours)
		first, _, _ := strings.Cut(got.err, "\n")
		if wanted, _, _ := strings.Cut(want.err, "\n"); want.code != 1 || got.code != 1 || first != wanted || got.out != want.out {
			t.Errorf("%s\ndmsetup:\n%v\nours:\n%v", line, want, got)
		}
		if strings.Contains(first, "resume") && !strings.Contains(got.err, "\n  the device mapper's major number is ") {
			t.Errorf("%v\ndoes not say why", got)
		}
		if after := state(t); after != before {
			t.Errorf("%s has left\n%s", line, after)
		}
	}
	if o := w.do("dmsetup create a -j 9 -m 77 --dry-run --table '0 8 zero'"); !strings.Contains(o.err, "major number") {
		t.Errorf("the dry run does not foresee it: %v", o)
	}
}

// testSignals ends the command wait by signals: no word is said, and the process dies of
// the signal.
func testSignals(t *testing.T, w *world) {
	w.do("dmsetup create a --table '0 8 zero'")
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM, syscall.SIGVTALRM, syscall.SIGIO, syscall.SIGPWR} {
		want, got := signalled(t, "/sbin/dmsetup", sig), signalled(t, "/proc/self/exe", sig)
		if want != got {
			t.Errorf("%v:\ndmsetup: %s\nours: %s", sig, want, got)
		}
		if !strings.HasPrefix(want, "signal: ") {
			t.Errorf("%v: dmsetup itself: %s", sig, want)
		}
	}
}

// signalled runs "wait a", sends a signal once it waits, and returns how it ended and what
// it said.
func signalled(t *testing.T, program string, sig syscall.Signal) string {
	t.Helper()
	var said bytes.Buffer
	cmd := exec.Command(program, "wait", "a")
	cmd.Args[0] = "dmsetup"
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lab.Until(t, "the control device to be open", func() bool {
		return opened(t, cmd.Process.Pid, "/dev/mapper/control")
	})
	if err := cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	if err == nil {
		t.Fatalf("%s was not ended by %v", program, sig)
	}
	return err.Error() + "\n" + said.String()
}

// opened reports whether a process has a file open.
func opened(t *testing.T, pid int, path string) bool {
	t.Helper()
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(links, func(link string) bool {
		to, err := os.Readlink(link)
		return err == nil && to == path
	})
}

// testRefusedMessages sends messages that are refused, and looks for the reason below the
// line that the original prints.
func testRefusedMessages(t *testing.T, w *world) {
	w.do("dmsetup create lin --table '0 64 linear 1:0 0'")
	w.do("dmsetup create none --notable")
	w.do("dmsetup create later --notable")
	w.do("dmsetup load later --table '0 64 zero'")
	w.do("dmsetup create pool --table '0 8192 thin-pool 1:2 1:3 128 0'")
	w.do("dmsetup message pool 0 create_thin 0")
	w.do("dmsetup create crypt --table '0 64 crypt aes-cbc-plain 00112233445566778899aabbccddeeff 0 1:1 0'")
	for _, c := range [][2]string{
		{"lin 0 hello", "linear: Target type does not support messages"},
		{"lin 64 hello", "sector 64 is beyond its end, it has 64"},
		{"lin 0 @stats_delete 7", "statistics: there is no region 7: dmstats list --allprograms shows those there are"},
		{"lin 0 @stats_delete", "Invalid parameters for message @stats_delete"},
		{"lin 0 @stats_create 0+64 /0", "Invalid parameters for message @stats_create: /0 is not a slash and a number of areas"},
		{"lin 0 @nonsense", "Unsupported message sent to DM core: @nonsense"},
		{"none 0 hello", "it has no table: load one, then dmsetup resume none"},
		{"later 0 hello", "its table is not live yet: dmsetup resume later"},
		{"pool 0 bogus", "thin-pool: Unrecognised thin pool target message received: bogus"},
		{"pool 0 create_thin 0", "thin-pool: there is a thin device of that id already"},
		{"pool 0 create_snap 1 9", "kernel: device-mapper: thin: Creation of new snapshot 1 of device 9 failed."},
		{"pool 0 delete 9", "thin-pool: there is no thin device of that id"},
		{"pool 0 set_transaction_id 7 8", "kernel: device-mapper: "},
		{"crypt 0 key wipe", "crypt: key: not suspended during key manipulation."},
	} {
		line := "dmsetup message " + c[0]
		want, _ := w.step(line, peers)
		got := w.fails(line)
		first, _, _ := strings.Cut(got.err, "\n")
		if wanted, _, _ := strings.Cut(want.err, "\n"); want.code != 0 && first != wanted {
			t.Errorf("%s:\ndmsetup:\n%v\nours:\n%v", line, want, got)
		}
		if !strings.Contains(got.err, "\n  "+c[1]) {
			t.Errorf("%v\nlacks %q", got, c[1])
		}
		if strings.HasPrefix(c[1], "kernel") || strings.Contains(c[1], " already") || strings.Contains(c[1], "there is no") {
			continue
		}
		if dry := w.do(line + " --dry-run"); !strings.Contains(dry.err, "WARNING: "+c[1]) {
			t.Errorf("%v\ndoes not warn", dry)
		}
	}
	w.do("dmsetup suspend crypt")
	if o := w.fails("dmsetup message crypt 0 key set 0011"); !strings.Contains(o.err, "\n  crypt: key: the key has 2 bytes, and that of the table 16") || strings.Contains(o.err, "0011 ") {
		t.Errorf("%v", o)
	}
	w.do("dmsetup message crypt 0 key set 00112233445566778899aabbccddeeff")
	w.do("dmsetup resume crypt")
}

// testConciseTakenBack makes devices of which the last is refused. The original leaves the
// others.
func testConciseTakenBack(t *testing.T, w *world) {
	for _, spec := range []string{
		"r,,,,0 8 error;r,,,,0 8 zero", "r,,,,0 8 error;s,,,,0 8 zero;t,,,,0 8 nosuch", "r,,,,0 8 error;s,,,,0 8 linear MAJ:0 0;s,,,,0 8 zero",
	} {
		line := "dmsetup create --concise '" + spec + "'"
		want, _ := w.step(line, peers)
		reset(t)
		before := state(t)
		got := w.fails(line)
		if got.err == "" || want.code != got.code || trimmed(got.err) != want.err {
			t.Errorf("%s\ndmsetup:\n%v\nours:\n%v", line, want, got)
		}
		for _, name := range []string{"r", "s"} {
			made := strings.Contains(spec, name+",,,,")
			if told := strings.Contains(got.err, "\n  "+name+" was made before that, and has been removed again\n"); told != made {
				t.Errorf("%v\n%s was made: %v, told: %v", got, name, made, told)
			}
		}
		if after := state(t); after != before {
			t.Errorf("%s has left\n%s", line, after)
		}
	}
	doc := decode(t, "create", w.fails("dmsetup create --json --concise 'r,,,,0 8 error;r,,,,0 8 zero'").out)
	if len(doc.Result) != 0 {
		t.Errorf("the document has devices that are gone: %s", doc.Result)
	}
}

// testLeft has remove_all leave devices that are open.
func testLeft(t *testing.T, w *world) {
	w.do("dmsetup create a --table '0 64 linear 1:0 0'")
	w.do("dmsetup create b --table '0 64 linear 1:1 0'")
	w.do("dmsetup create c --table '0 64 linear MAJ:1 0'")
	w.do("hold /dev/dm-2")
	w.do("dmsetup suspend c")
	w.do("dmsetup remove_all")
	pid := fmt.Sprint(os.Getpid())
	o := w.fails("dmsetup remove_all --exit-codes")
	for _, want := range []string{
		"  b is left: b is held by dm-2", "  c is left: c is open in ", pid, "suspended, so that users may hang: dmsetup resume c\n",
	} {
		if !strings.Contains(o.err, want) && !strings.Contains(o.err, strings.ReplaceAll(want, "b is held", "dm-1 is held")) {
			t.Errorf("%v\nlacks %q", o, want)
		}
	}
	if o.code != exitBusy {
		t.Errorf("%v", o)
	}
	doc := decode(t, "remove_all", w.do("dmsetup remove_all --json").out)
	var rows []leftJSON
	for _, r := range doc.Result {
		var row leftJSON
		if json.Unmarshal(r, &row) == nil && row.Left {
			rows = append(rows, row)
		}
	}
	if len(rows) != 2 || rows[0].Device != "b" || rows[1].Device != "c" || rows[1].OpenCount != 1 || !rows[1].Suspended || rows[0].Reason == "" {
		t.Errorf("%+v", rows)
	}
	w.do("dmsetup resume c")
	if o := w.do("dmsetup remove_all --exit-codes --deferred"); !strings.Contains(o.err, "it is removed when the last user closes it") {
		t.Errorf("%v", o)
	}
	w.do("release")
	if o := w.do("dmsetup remove_all --exit-codes"); o.err != "" {
		t.Errorf("%v", o)
	}
}

// stack makes the device top on the device low, both of one line.
func (w *world) stack() {
	w.t.Helper()
	w.do("dmsetup create low -j MAJ -m 50 --table '0 64 linear 1:0 0'")
	w.do("dmsetup create top -j MAJ -m 51 --table '0 64 linear MAJ:50 0'")
}

// inFlight waits until requests to a device have begun and not ended.
func inFlight(t *testing.T, device string) {
	t.Helper()
	lab.Until(t, "I/O in flight on "+device, func() bool {
		text, err := os.ReadFile("/sys/block/" + device + "/inflight")
		return err == nil && strings.Trim(string(text), "0 \n") != ""
	})
}

// testStuck has a write in flight between a device and the suspended one below. The
// original hangs, until the device below is resumed.
func testStuck(t *testing.T, w *world) {
	w.stack()
	written := w.stick()
	for _, c := range []struct{ line, task string }{
		{"dmsetup suspend top", "suspend"},
		{"dmsetup suspend --nolockfs top", "suspend"},
		{"dmsetup suspend --noflush --nolockfs top", "suspend"},
		{"dmsetup wipe_table top", "resume"},
		{"dmsetup wipe_table -f top", "resume"},
		{"dmsetup remove -f top", "resume"},
	} {
		o := w.fails(c.line + " --timeout 1 --exit-codes")
		if !strings.Contains(o.err, "device-mapper: "+c.task+" ioctl on top ") ||
			!strings.Contains(o.err, "\n  the kernel waited for more than 1s, and was interrupted (--timeout)\n") ||
			!strings.Contains(o.err, ":50) below is suspended, and holds back I/O: dmsetup resume low") {
			t.Errorf("%v", o)
		}
		if strings.Contains(c.line, "suspend") && o.code != exitTimeout {
			t.Errorf("%v", o)
		}
		if info := w.do("dmsetup info -c --noheadings -o suspended,tables_loaded top").out; info != "Active:Live\n" {
			t.Errorf("%s has left top %s", c.line, info)
		}
	}
	for _, quick := range []string{
		"dmsetup status top", "dmsetup table top", "dmsetup mknodes top", "dmsetup rename top peak", "dmsetup rename peak top",
		"dmsetup load top --table '0 64 linear MAJ:50 0'", "dmsetup clear top", "dmsetup create over --table '0 8 linear MAJ:51 0'",
		"dmsetup suspend over", "dmsetup resume over", "dmsetup remove over", "dmsetup message top 0 @stats_list",
	} {
		w.do(quick + " --timeout 1s")
	}
	w.do("dmsetup resume low")
	if err := lab.Receive(t, "the write", written); err != nil {
		t.Error(err)
	}
	w.release()
	w.do("dmsetup suspend top --timeout 1000")
	w.do("dmsetup resume top")
	w.do("dmsetup remove -f top")
}

// stick suspends the device below and has a write wait for it.
func (w *world) stick() (written chan error) {
	t := w.t
	t.Helper()
	w.do("dmsetup suspend low")
	written = make(chan error, 1)
	f, err := os.OpenFile("/dev/dm-51", os.O_WRONLY|unix.O_DIRECT|unix.O_DSYNC, 0)
	if err != nil {
		t.Fatal(err)
	}
	w.held = append(w.held, f)
	page, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, err := f.WriteAt(page, 0)
		written <- err
	}()
	inFlight(t, "dm-51")
	return written
}

// testRemoveAllOfStuck has remove_all --force wipe a device above a suspended one while
// a write waits for it: it ends, and so does the write.
func testRemoveAllOfStuck(t *testing.T, w *world) {
	w.stack()
	written := w.stick()
	o := w.fails("dmsetup remove_all --force --timeout 1 --exit-codes")
	if !strings.Contains(o.err, "\nUnable to remove ") && !strings.HasPrefix(o.err, "Unable to remove ") || !strings.Contains(o.err, "  top is left: ") || o.code != exitBusy {
		t.Errorf("%v", o)
	}
	t.Logf("%v; the write: %v", o, lab.Receive(t, "the write", written))
	w.release()
	w.do("dmsetup remove_all --force --timeout 1")
	if list := w.do("dmsetup ls").out; list != "No devices found\n" {
		t.Errorf("left: %s", list)
	}
}

// testStuckInterrupted interrupts a command that waits in the kernel, and, since udev runs,
// does not just die: it ends, says what it waited for, and the device is as it was.
func testStuckInterrupted(t *testing.T, w *world) {
	w.stack()
	written := w.stick()
	w.do("mkdir /run/udev")
	w.do("file /run/udev/control x")
	var said bytes.Buffer
	cmd := exec.CommandContext(lab.Patient(t), "/proc/self/exe", "suspend", "top", "--timeout", "1000", "--exit-codes")
	cmd.Args[0] = "dmsetup"
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lab.Until(t, "the suspend to wait", func() bool { return lab.HasChild(cmd.Process.Pid) })
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	if err := os.RemoveAll("/run/udev"); err != nil {
		t.Fatal(err)
	}
	var ended *exec.ExitError
	if !errors.As(err, &ended) || ended.ExitCode() != exitTimeout ||
		!strings.Contains(said.String(), "\n  the kernel had waited for ") || !strings.Contains(said.String(), "dmsetup resume low") {
		t.Errorf("%v: %s", err, said.String())
	}
	if info := w.do("dmsetup info -c --noheadings -o suspended,tables_loaded top").out; info != "Active:Live\n" {
		t.Errorf("left %s", info)
	}
	w.do("dmsetup resume low")
	if err := lab.Receive(t, "the write", written); err != nil {
		t.Error(err)
	}
}

// testStuckForGood has dirty pages of a device above a suspended one, for which the kernel
// waits where no signal reaches. The program is a process of its own, whose end is seen.
func testStuckForGood(t *testing.T, w *world) {
	w.stack()
	f, err := os.OpenFile("/dev/dm-51", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(make([]byte, 4096), 0); err != nil {
		t.Fatal(err)
	}
	w.do("dmsetup suspend --nolockfs low")
	var said bytes.Buffer
	cmd := exec.CommandContext(lab.Patient(t), "/proc/self/exe", "suspend", "top", "--timeout", "1", "--exit-codes")
	cmd.Args[0] = "dmsetup"
	cmd.Stdout, cmd.Stderr = &said, &said
	err = cmd.Run()
	var ended *exec.ExitError
	if !errors.As(err, &ended) || ended.ExitCode() != exitTimeout ||
		!strings.Contains(said.String(), "cannot be interrupted: the command may still take effect") || !strings.Contains(said.String(), "dmsetup resume low") {
		t.Errorf("%v: %s", err, said.String())
	}
	w.do("dmsetup resume low")
	lab.Until(t, "the suspend to end", func() bool { return !running(t, "suspend\x00top\x00") })
	w.do("dmsetup resume top") // it may have taken effect, as was said
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

// running reports whether there is a process with that in its command line.
func running(t *testing.T, words string) bool {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(files, func(file string) bool {
		text, err := os.ReadFile(file)
		return err == nil && strings.Contains(string(text), words)
	})
}
