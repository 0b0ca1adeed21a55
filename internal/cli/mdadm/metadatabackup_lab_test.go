package mdadm

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// metadataBackups runs commands that overwrite metadata, each with a folder to keep
// it in, and puts back what they have overwritten.
func metadataBackups(t *testing.T) {
	const folder = "/run/kept"
	kept := func() []string {
		list, _ := filepath.Glob(folder + "/*.json")
		return list
	}
	image := func(name string) []byte {
		flush(t, name)
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	member := quickCreate + "md8 -l1 -n2 r9 missing"
	for _, c := range []struct {
		name   string
		setup  []string
		line   string
		dev    string   // what is overwritten
		before []string // before it can be put back
	}{
		{"zero", []string{member, "mdadm --stop md8"}, "--zero-superblock r9", "/dev/ram9", nil},
		{"zero one version", []string{quickCreate + "md8 -e1.0 -l1 -n2 r9 missing", "mdadm --stop md8"}, "--zero-superblock --metadata=1.0 r9", "/dev/ram9", nil},
		{"create", []string{member, "mdadm --stop md8"}, "--create md9 --run -l1 -n2 r9 missing", "/dev/ram9", []string{"mdadm --stop md9"}},
		{"add", []string{member, "mdadm --stop md8", quickCreate + "md9 -l1 -n2 r0 r1"}, "md9 --add --force r9", "/dev/ram9", []string{"mdadm --stop md9"}},
		{
			"grow",
			[]string{member, "mdadm --stop md8", quickCreate + "md9 -l1 -n2 r0 r1"},
			"--grow md9 --force -n3 --add r9", "/dev/ram9",
			[]string{"mdadm --stop md9"},
		},
		{"update", []string{member, "mdadm --stop md8"}, "--assemble md8 --run --update=name --name=other r9", "/dev/ram9", []string{"mdadm --stop md8"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			reset(t)
			if err := os.RemoveAll(folder); err != nil {
				t.Fatal(err)
			}
			wipe(t, "/dev/ram9")
			for _, step := range c.setup {
				do(t, step)
			}
			old := image(c.dev)
			dry := oursLine(c.line + " --backup-metadata=" + folder + " --dry-run")
			if !strings.Contains(dry.out, "backup "+folder+": save what is overwritten\n") || len(kept()) != 0 || !bytes.Equal(image(c.dev), old) {
				t.Errorf("dry: %v, kept %v", dry, kept())
			}
			o := oursLine(c.line + " --backup-metadata=" + folder)
			if o.code != 0 || bytes.Equal(image(c.dev), old) {
				t.Fatalf("%v", o)
			}
			files := kept()
			if len(files) != 1 {
				t.Fatalf("kept %v", files)
			}
			for _, step := range c.before {
				do(t, step)
			}
			if o := ours("--restore-metadata=" + files[0]); o.code != 0 {
				t.Fatalf("%v", o)
			}
			if o := ours("--examine", c.dev); o.code != 0 || !strings.Contains(o.out, "Raid Level : raid1") {
				t.Errorf("what was put back: %v", o)
			}
			want := ours("--examine", "--brief", c.dev)
			if got := peers(t, "--examine", "--brief", c.dev); got != want {
				t.Errorf("mdadm sees %v, ours %v", got, want)
			}
		})
	}
	reset(t)
	for _, line := range []string{"--stop md9", "--detail md9", "--build md9 -l0 -n2 r0 r1", "--monitor -1 --scan", "--examine r0", "-I --fail ram0"} {
		o := oursLine(line + " --backup-metadata=" + folder)
		if o.code != 2 || !strings.Contains(o.err, "--backup-metadata has nothing to save here") {
			t.Errorf("%s: %v", line, o)
		}
	}
}
