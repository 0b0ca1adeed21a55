package mdadm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/internal/lab"
)

// TestKnownDefects shows that ours does not have certain defects of mdadm 4.2. It
// also checks what mdadm does, so that the test shows when a defect is fixed.
func TestKnownDefects(t *testing.T) {
	beside(t)
	lab.Run(t, lab.Spec{
		Modules: []string{"raid1", "raid456", fmt.Sprintf("brd rd_nr=%d rd_size=%d", devs, ramSize>>10)},
		Files:   lab.Peer(t, "mdadm").Files,
		Memory:  1 << 30,
	},
		lab.Case{Name: "last member by any name", Run: func(t *testing.T, _ *lab.Guest) { lastMember(t) }},
		lab.Case{Name: "bitmap of anything", Run: func(t *testing.T, _ *lab.Guest) { bitmapOfAnything(t) }},
		lab.Case{Name: "external metadata", Run: func(t *testing.T, _ *lab.Guest) { externalMetadata(t) }},
		lab.Case{Name: "occupied devices", Run: func(t *testing.T, _ *lab.Guest) { occupied(t) }},
		lab.Case{Name: "backups of metadata", Run: func(t *testing.T, _ *lab.Guest) { metadataBackups(t) }},
		lab.Case{Name: "superblock of disk and partition", Run: func(t *testing.T, _ *lab.Guest) { sharedSuperblock(t) }},
		lab.Case{Name: "removing by the short option", Run: func(t *testing.T, _ *lab.Guest) { shortRemove(t) }},
		lab.Case{Name: "zeroing a blank device", Run: func(t *testing.T, _ *lab.Guest) { zeroBlank(t) }},
	)
}

// lastMember tries to fail a member that a raid5 cannot do without, under each of
// its names. mdadm recognizes it by only some of them.
func lastMember(t *testing.T) {
	link := "/dev/disk/by-id/lab-ram2"
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll("/dev/disk")
	lost := 0
	for _, name := range []string{"/dev/ram2", "ram2", link, "1:2", "/dev/../dev/ram2"} {
		for _, by := range []string{"mdadm", "ours"} {
			reset(t)
			os.Remove(link)
			if err := os.Symlink("/dev/ram2", link); err != nil {
				t.Fatal(err)
			}
			do(t, quickCreate+"md9 -l5 -n3 r0 r1 r2")
			do(t, "mdadm md9 -q --fail r0")
			fail := []string{"/dev/md9", "--fail", name}
			if by == "mdadm" {
				peers(t, fail...)
			} else if o := ours(fail...); o.code != 2 {
				t.Errorf("--fail %s: %v", name, o)
			}
			whole := strings.Contains(readText(t, "/proc/mdstat"), "[_UU]")
			switch {
			case by == "mdadm" && !whole:
				lost++
			case by == "ours" && !whole:
				t.Errorf("--fail %s has lost the array", name)
			}
		}
	}
	if lost == 0 {
		t.Error("mdadm has kept the array by every name")
	}
	reset(t)
}

// shortRemove removes a failed member by -r, which in mdadm 4.2 takes the device for
// its argument and removes nothing.
func shortRemove(t *testing.T) {
	line := []string{"/dev/md9", "-r", "/dev/ram1"}
	for _, c := range []struct {
		name  string
		run   func(t *testing.T, args ...string) outcome
		stays bool
	}{
		{"mdadm", peers, true},
		{"ours", func(_ *testing.T, args ...string) outcome { return ours(args...) }, false},
	} {
		reset(t)
		do(t, quickCreate+"md9 -l1 -n2 r0 r1")
		do(t, "mdadm md9 -q --fail r1")
		o := c.run(t, line...)
		if stays := strings.Contains(readText(t, "/proc/mdstat"), "ram1["); o.code != 0 || stays != c.stays {
			t.Errorf("%s: the member stays: %v, %v", c.name, stays, o)
		}
	}
	reset(t)
}

// bitmapOfAnything asks for the bitmap of things that have none.
func bitmapOfAnything(t *testing.T) {
	reset(t)
	noise := filepath.Join(t.TempDir(), "noise")
	if err := os.WriteFile(noise, []byte(strings.Repeat("bitm\x04\x00\x00\x00", 1<<17)), 0o644); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	misled := 0
	for _, name := range []string{"/dev/ram9", noise, empty, "/dev/null", "/dev/zero", "/tmp", "/proc/mdstat", "/nowhere", "/proc/self/mem"} {
		o := ours("--examine-bitmap", name)
		if o.code == 0 && name != noise || o.code > 2 || strings.Contains(o.err, "is an md array") {
			t.Errorf("-X %s: %v", name, o)
		}
		if o.code != 0 && strings.Count(o.err, "\n") != 1 {
			t.Errorf("-X %s: %v", name, o)
		}
		p := peers(t, "--examine-bitmap", name)
		if p.code < 0 || p.code > 2 || strings.Contains(p.err, "is an md array") ||
			strings.Contains(p.out, "Magic : 00000000") {
			misled++
		}
	}
	if misled == 0 {
		t.Error("mdadm has taken none of them for a bitmap")
	}
}

// zeroBlank wipes a device without a superblock. In mdadm only the text tells the
// two cases apart; ours has "found".
func zeroBlank(t *testing.T) {
	reset(t)
	o, json := ours("--zero-superblock", "/dev/ram9"), ours("--zero-superblock", "--json", "/dev/ram9")
	if want := "mdadm: Unrecognised md component device - /dev/ram9\n"; o.err != want || o.code != 0 {
		t.Errorf("%v", o)
	}
	if !strings.Contains(json.out, `"found": false`) {
		t.Errorf("%v", json)
	}
	if o := ours("--zero-superblock", "-e1.2", "/dev/ram9"); o.code != 2 || o.err == "" {
		t.Errorf("with a format: %v", o)
	}
	if quiet := peers(t, "--zero-superblock", "-q", "/dev/ram9"); quiet != (outcome{}) {
		t.Errorf("mdadm tells a script: %v", quiet)
	}
}

// externalMetadata tries what would damage a member of an IMSM container. mdadm
// adds it to another array without a word.
func externalMetadata(t *testing.T) {
	reset(t)
	const name = "/dev/ram9"
	anchor := make([]byte, 512)
	copy(anchor, "Intel Raid ISM Cfg Sig. 1.3.00")
	anchor[37], anchor[56] = 2, 1 // 512 bytes of metadata, of one disk
	var sum uint32
	for i := 0; i < len(anchor); i += 4 {
		sum += binary.LittleEndian.Uint32(anchor[i:])
	}
	binary.LittleEndian.PutUint32(anchor[32:], sum)
	put := func() {
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.WriteAt(anchor, ramSize-1024)
		if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	whole := func() bool {
		flush(t, name)
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Equal(b[ramSize-1024:ramSize-512], anchor) && len(bytes.Trim(b[:1<<20], "\x00")) == 0
	}
	put()
	do(t, quickCreate+"md9 -l1 -n2 r0 r1")
	for _, c := range []struct {
		says string
		code int
		line []string
	}{
		{"appears to contain isw_raid_member", 2, []string{"/dev/md9", "--add", name}},
		{"appears to contain isw_raid_member", 2, []string{"/dev/md9", "--add-spare", name}},
		{"isw_raid_member", 1, []string{"--create", "/dev/md8", "-l1", "-n2", name, "missing"}},
		{"carries imsm metadata", 0, []string{"--zero-superblock", name}},
		{"carries imsm metadata", 1, []string{"--examine", name}},
	} {
		o := ours(c.line...)
		if o.code != c.code || !strings.Contains(o.err, c.says) {
			t.Errorf("%v: %v", c.line, o)
		}
		if !whole() {
			t.Fatalf("%v has written to it", c.line)
		}
	}
	if o := peers(t, "/dev/md9", "--add", name); o.code != 0 || whole() {
		t.Errorf("mdadm has spared it: %v", o)
	}
	do(t, "mdadm md9 -q --fail "+name+" --remove "+name)
	wipe(t, name)
	put()
	if o := ours("/dev/md9", "--add", "--force", name); o.code != 0 {
		t.Errorf("with --force: %v", o)
	}
	reset(t)
}
