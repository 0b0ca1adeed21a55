package mdadm

import (
	"bytes"
	"encoding/binary"
	"os"
	"strings"
	"testing"
)

// swapHeader is what mkswap writes to the first page, as far as it is looked at.
func swapHeader() []byte {
	page := make([]byte, 4096)
	page[1024] = 1    // version
	page[1028] = 0xff // last page
	copy(page[4086:], "SWAPSPACE2")
	return page
}

// occupied adds devices that hold something else. mdadm 4.2 overwrites it.
func occupied(t *testing.T) {
	const name = "/dev/ram9"
	put := func() {
		wipe(t, name)
		if err := os.WriteFile(name, swapHeader(), 0); err != nil {
			t.Fatal(err)
		}
		flush(t, name)
	}
	start := func() []byte {
		flush(t, name)
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		b := make([]byte, 1<<20)
		if _, err := f.Read(b); err != nil {
			t.Fatal(err)
		}
		return b
	}
	array := func(more string) {
		reset(t)
		do(t, quickCreate+"md9 -l1 -n2 r0 r1 "+more)
	}
	array("")
	put()
	before := start()
	for _, line := range [][]string{
		{"/dev/md9", "--add", name},
		{"/dev/md9", "--add-spare", name},
		{"/dev/md9", "--add", name, "--dry-run"},
		{"--grow", "/dev/md9", "-n3", "--add", name},
	} {
		o := ours(line...)
		if o.code != 2 || !strings.Contains(o.err, name+" appears to contain swap") || !strings.Contains(o.err, "--force") {
			t.Errorf("%v: %v", line, o)
		}
		if !bytes.Equal(start(), before) {
			t.Fatalf("%v has written to it", line)
		}
	}
	for _, insist := range []string{"--force", "--run"} {
		array("")
		put()
		if o := ours("/dev/md9", "--add", name, insist); o.code != 0 {
			t.Errorf("%s: %v", insist, o)
		}
	}
	array("")
	put()
	if o := peers(t, "/dev/md9", "--add", name); o.code != 0 {
		t.Errorf("mdadm has asked: %v", o)
	}

	// A member of another array is protected as well.
	array("")
	wipe(t, name)
	do(t, quickCreate+"md8 -l1 -n2 "+name+" missing")
	do(t, "mdadm --stop md8")
	if o := ours("/dev/md9", "--add", name); o.code != 2 || !strings.Contains(o.err, "linux_raid_member") {
		t.Errorf("a member of another array: %v", o)
	}

	// What has been in this array comes back, and what the array holds is its own.
	for _, version := range []string{"-e1.2", "-e1.0"} {
		array(version)
		if err := os.WriteFile("/dev/md9", swapHeader(), 0); err != nil {
			t.Fatal(err)
		}
		flush(t, "/dev/md9")
		do(t, "mdadm md9 -q --fail r1 --remove r1")
		if o := ours("/dev/md9", "--add-spare", "/dev/ram1"); o.code != 0 {
			t.Errorf("%s: a former member: %v", version, o)
		}
		array(version)
		if err := os.WriteFile("/dev/md9", swapHeader(), 0); err != nil {
			t.Fatal(err)
		}
		flush(t, "/dev/md9")
		do(t, "mdadm md9 -q --fail r1 --remove r1")
		do(t, "mdadm --zero-superblock r1")
		if o := ours("/dev/md9", "--add", "/dev/ram1"); o.code != 0 {
			t.Errorf("%s: a former member whose superblock was zeroed: %v", version, o)
		}
	}
	// Even where the array has another filesystem by now, if a bitmap tells whose it was.
	for _, version := range []string{"-e1.0", "-e0.90"} {
		for _, c := range []struct {
			kib  uint32
			code int
		}{{ramSize>>10 - 256, 0}, {ramSize >> 10, 2}} {
			array(version + " --bitmap=internal")
			if err := os.WriteFile("/dev/md9", extSuper(c.kib, 1), 0); err != nil {
				t.Fatal(err)
			}
			flush(t, "/dev/md9")
			do(t, "mdadm md9 -q --fail r1 --remove r1")
			do(t, "mdadm --zero-superblock r1")
			if err := os.WriteFile("/dev/md9", extSuper(c.kib, 2), 0); err != nil {
				t.Fatal(err)
			}
			flush(t, "/dev/md9")
			if o := ours("/dev/md9", "--add", "/dev/ram1"); o.code != c.code {
				t.Errorf("%s: a former member with a filesystem of %d KiB: %v", version, c.kib, o)
			}
		}
	}
	reset(t)
}

// extSuper is the start of an ext2 of that many KiB.
func extSuper(kib uint32, identity byte) []byte {
	b := make([]byte, 4096)
	super := b[1024:]
	binary.LittleEndian.PutUint32(super[4:], kib)
	binary.LittleEndian.PutUint16(super[56:], 0xef53)
	super[104] = identity
	return b
}
