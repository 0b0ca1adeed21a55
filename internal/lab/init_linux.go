package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// isInit reports whether this process is the init of a lab machine.
func isInit() bool {
	if os.Getpid() != 1 {
		return false
	}
	_, err := os.Stat(guestOrders)
	return err == nil
}

// guestMounts is what init mounts, in order. Some kernels have already mounted
// devtmpfs on /dev themselves.
var guestMounts = []struct{ kind, on, options string }{
	{"proc", "/proc", ""},
	{"sysfs", "/sys", ""},
	{"devtmpfs", "/dev", "mode=0755"},
	{"tmpfs", "/run", "mode=0755"},
	{"tmpfs", "/tmp", "mode=1777"},
	{"tmpfs", "/var", "mode=0755"},
	{"tmpfs", "/root", "mode=0700"},
	{"tmpfs", "/mnt", "mode=0755"},
	{"tmpfs", "/dev/shm", "mode=1777"},
}

// lateMounts need a module or a kernel option, and may fail.
var lateMounts = []struct{ kind, on string }{
	{"configfs", "/sys/kernel/config"},
	{"debugfs", "/sys/kernel/debug"},
	{"tracefs", "/sys/kernel/tracing"},
	{"bpf", "/sys/fs/bpf"},
}

// runInit is the whole life of a guest. It does not return.
func runInit() {
	channel, err := setUp()
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab init:", err)
		if channel != nil {
			channel.Write(note{Kind: noteFatal, Text: err.Error()}.encode())
		}
	} else {
		runChild(channel)
	}
	unix.Sync()
	// Give the console and the channel a moment to drain.
	time.Sleep(20 * time.Millisecond)
	unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	select {}
}

// setUp turns a bare kernel into a machine fit for tests.
func setUp() (*os.File, error) {
	for _, m := range guestMounts {
		if err := os.MkdirAll(m.on, 0o755); err != nil && !errors.Is(err, unix.EROFS) {
			return nil, err
		}
		if m.kind == "devtmpfs" {
			if _, err := os.Stat("/dev/null"); err == nil {
				continue
			}
		}
		if err := unix.Mount(m.kind, m.on, m.kind, 0, m.options); err != nil {
			return nil, fmt.Errorf("mount %s on %s: %w", m.kind, m.on, err)
		}
	}
	o, err := readOrders()
	if err != nil {
		return nil, err
	}
	// The channel may need modules (QEMU), so these come first; if one fails to
	// load, only the console shows it.
	loadErr := loadModules(o.Modules)
	channel, err := openChannel(o.Channel)
	if err != nil {
		return nil, errors.Join(err, loadErr)
	}
	if loadErr != nil {
		return channel, loadErr
	}
	if err := settle(o); err != nil {
		return channel, err
	}
	channel.Write(note{Kind: noteUp, Text: release()}.encode())
	return channel, nil
}

// settle does what needs the modules.
func settle(o orders) error {
	for _, m := range lateMounts {
		if _, err := os.Stat(m.on); err == nil {
			unix.Mount(m.kind, m.on, m.kind, 0, "") //nolint:errcheck // not every kernel has it
		}
	}
	// A kernel oops fails the test, even if the kernel could carry on.
	os.WriteFile("/proc/sys/kernel/panic_on_oops", []byte("1"), 0) //nolint:errcheck
	if err := unix.Sethostname([]byte("lab")); err != nil {
		return fmt.Errorf("set host name: %w", err)
	}
	for _, l := range [][2]string{{"/proc/self/fd", "/dev/fd"}, {"fd/0", "/dev/stdin"}, {"fd/1", "/dev/stdout"}, {"fd/2", "/dev/stderr"}} {
		os.Symlink(l[0], l[1]) //nolint:errcheck // there already
	}
	for _, d := range []string{"/run/lock", "/run/mdadm", "/var/lib", "/var/log", "/var/tmp", guestCover} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	for _, d := range o.Disks {
		if err := waitFor("disk "+d, func() bool { _, err := os.Stat(d); return err == nil }); err != nil {
			return err
		}
	}
	return setUpNetwork(o.NICs)
}

func setUpNetwork(nics []orderedNIC) error {
	lo, err := netlink.LinkByName("lo")
	if err == nil {
		err = netlink.LinkSetUp(lo)
	}
	if err != nil {
		return fmt.Errorf("interface lo: %w", err)
	}
	for _, n := range nics {
		link, err := netlink.LinkByName(n.Name)
		if err == nil && n.Addr != "" {
			var p netip.Prefix
			if p, err = netip.ParsePrefix(n.Addr); err == nil {
				var a *netlink.Addr
				if a, err = netlink.ParseAddr(p.String()); err == nil {
					err = netlink.AddrAdd(link, a)
				}
			}
		}
		if err == nil {
			err = netlink.LinkSetUp(link)
		}
		if err != nil {
			return fmt.Errorf("interface %s: %w", n.Name, err)
		}
	}
	return nil
}

// loadModules loads them in the order given.
func loadModules(list []stagedModule) error {
	for _, m := range list {
		f, err := os.Open(m.File)
		if err != nil {
			return err
		}
		err = unix.FinitModule(int(f.Fd()), m.Param, 0)
		f.Close()
		if err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("load module %s %s: %w", m.Name, m.Param, err)
		}
	}
	return nil
}

// openChannel opens the device and takes the terminal out of it.
func openChannel(dev string) (*os.File, error) {
	if err := waitFor("channel "+dev, func() bool { _, err := os.Stat(dev); return err == nil }); err != nil {
		return nil, err
	}
	fd, err := unix.Open(dev, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("channel %s: %w", dev, err)
	}
	if tio, err := unix.IoctlGetTermios(fd, unix.TCGETS); err == nil {
		tio.Iflag, tio.Oflag, tio.Lflag = 0, 0, 0
		tio.Cflag = tio.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
		tio.Cc[unix.VMIN], tio.Cc[unix.VTIME] = 1, 0
		if err := unix.IoctlSetTermios(fd, unix.TCSETS, tio); err != nil {
			return nil, fmt.Errorf("channel %s: raw mode: %w", dev, err)
		}
	}
	return os.NewFile(uintptr(fd), dev), nil
}

// runChild runs the tests in a process of their own, so that a panic, a crash
// or os.Exit is a test result and not the end of the machine.
func runChild(channel *os.File) {
	o, err := readOrders()
	if err != nil {
		channel.Write(note{Kind: noteFatal, Text: err.Error()}.encode())
		return
	}
	left := o.Timeout
	if !o.Until.IsZero() {
		left = max(min(left, time.Until(o.Until)), time.Second)
	}
	ctx, cancel := context.WithTimeout(context.Background(), left+left/10+o.Grace)
	defer cancel()
	defer context.AfterFunc(ctx, showBlocked)()
	args := []string{
		"-test.run=" + runPattern(o.Cases), "-test.v=test2json", "-test.count=1", "-test.parallel=1",
		"-test.paniconexit0", "-test.timeout=" + left.String(),
	}
	if o.Short {
		args = append(args, "-test.short")
	}
	if o.Cover {
		args = append(args, "-test.gocoverdir="+guestCover)
	}
	cmd := exec.CommandContext(ctx, "/init", args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = channel, channel, channel
	cmd.Dir = "/tmp"
	cmd.Env = []string{
		guestEnv + "=1", "HOME=/root", "TMPDIR=/tmp", "LC_ALL=C", "TERM=dumb",
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	}
	for k, v := range o.Env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	text := "exit status 0"
	if err := cmd.Run(); err != nil {
		text = err.Error()
	}
	sendCover(channel)
	channel.Write(note{Kind: noteExit, Text: text}.encode())
}

// showBlocked makes the kernel print the stacks of all tasks in uninterruptible
// sleep: what a hanging driver looks like from inside.
func showBlocked() {
	os.WriteFile("/proc/sys/kernel/printk", []byte("8"), 0) //nolint:errcheck // an aid only
	os.WriteFile("/proc/sysrq-trigger", []byte("w"), 0)     //nolint:errcheck
}

// runPattern is the -test.run pattern that selects exactly these tests: all of
// them are cases of one test, so they share all but the last element.
func runPattern(cases []string) string {
	if len(cases) == 0 {
		return "^$"
	}
	elems := strings.Split(cases[0], "/")
	var b strings.Builder
	for _, e := range elems[:len(elems)-1] {
		b.WriteString("^" + regexp.QuoteMeta(e) + "$/")
	}
	last := make([]string, len(cases))
	for i, c := range cases {
		last[i] = regexp.QuoteMeta(c[strings.LastIndexByte(c, '/')+1:])
	}
	return b.String() + "^(" + strings.Join(last, "|") + ")$"
}

// sendCover sends the coverage counters to the host.
func sendCover(channel *os.File) {
	files, _ := filepath.Glob(filepath.Join(guestCover, "covcounters.*"))
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil {
			channel.Write(note{Kind: noteCover, Name: filepath.Base(f), Data: b}.encode())
		}
	}
}

// waitFor polls until ok. A device that does not appear becomes an error before
// the host gives up on the machine.
func waitFor(what string, ok func() bool) error {
	const limit = bootLimit / 2
	deadline := time.Now().Add(limit)
	for !ok() {
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: not there after %v", what, limit)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return nil
}
