package mdadm

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/internal/cli/ui"
)

// TestExamineWrongInputs checks that wrong inputs get one line that names the thing,
// and mdadm's exit code.
func TestExamineWrongInputs(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"empty": "", "text": "no superblock here\n", "blank": strings.Repeat("\x00", 1<<20),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct{ name, want string }{
		{"empty", "mdadm: No md superblock detected on %.\n"},
		{"text", "mdadm: No md superblock detected on %.\n"},
		{"blank", "mdadm: No md superblock detected on %.\n"},
		{"missing", "mdadm: cannot open %: No such file or directory\n"},
		{"", "mdadm: cannot open %: not a regular file or block device: it is a directory\n"},
	} {
		path := filepath.Join(dir, tc.name)
		want := outcome{code: 1, err: strings.ReplaceAll(tc.want, "%", path)}
		if got := ours("--examine", "-c", "none", path); got != want {
			t.Errorf("--examine %s: %v, want %v", tc.name, got, want)
		}
	}
	blank := filepath.Join(dir, "blank")
	for _, tc := range []struct {
		args []string
		code int
		err  string
	}{
		{[]string{"-E", "-e1.2"}, 0, "mdadm: No super block found on % (Expected magic a92b4efc, got 00000000)\n"},
		{[]string{"-E", "-e", "ddf"}, 1, "mdadm: ddf metadata is not supported by mdkit\n"},
		{[]string{"-E", "--brief"}, 0, ""},
		{[]string{"-X"}, 1, "mdadm: No bitmap and no md superblock detected on %.\n"},
		{[]string{"--examine-badblocks"}, 1, "mdadm: No md superblock detected on %\n"},
		{[]string{"-D"}, 1, "mdadm: % does not appear to be an md device\n"},
		{[]string{"-Dt"}, 4, "mdadm: % does not appear to be an md device\n"},
	} {
		if tc.args[0] != "-E" && os.Geteuid() != 0 {
			continue // mdadm and ours refuse all but --examine to ordinary users
		}
		want := outcome{code: tc.code, err: strings.ReplaceAll(tc.err, "%", blank)}
		if got := ours(append(tc.args, "-c", "none", blank)...); got != want {
			t.Errorf("%v: %v, want %v", tc.args, got, want)
		}
	}
}

// TestReportDocuments checks that --json prints one document whatever is asked for,
// and that its schema says which.
func TestReportDocuments(t *testing.T) {
	blank := filepath.Join(t.TempDir(), "blank")
	if err := os.WriteFile(blank, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ opt, schema, list string }{
		{"--examine", "mdkit.examine/1", "devices"},
		{"--examine-bitmap", "mdkit.examine-bitmap/1", "devices"},
		{"--examine-badblocks", "mdkit.examine-badblocks/1", "devices"},
		{"--query", "mdkit.query/1", "devices"},
		{"--detail", "mdkit.detail/1", "arrays"},
	} {
		if tc.opt != "--examine" && os.Geteuid() != 0 {
			continue
		}
		got := ours(tc.opt, "--json", "-c", "none", blank, blank)
		var doc map[string]any
		if err := json.Unmarshal([]byte(got.out), &doc); err != nil {
			t.Errorf("%s: %v in %v", tc.opt, err, got)
			continue
		}
		if doc["schema"] != tc.schema {
			t.Errorf("%s: schema %v, want %s", tc.opt, doc["schema"], tc.schema)
		}
		if _, ok := doc[tc.list].([]any); !ok {
			t.Errorf("%s: %s is %T, want a list", tc.opt, tc.list, doc[tc.list])
		}
	}
}

// TestReadConf checks that the host's name comes from the command line, the
// configuration, or the system.
func TestReadConf(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"b.conf": "homeh second\nINACTIVE-ARRAY /dev/md0\n",
		"a.conf": "HOMEHOST first\nDEV /dev/a partitions rubbish\n",
		"c.txt":  "HOMEHOST never\n", ".conf": "HOMEHOST never\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var said strings.Builder
	c := (&Command{Config: dir}).readConf(ui.IO{Err: &said})
	if c.HomeHost != "first" || !reflect.DeepEqual(c.Devices, []string{"/dev/a", "partitions"}) {
		t.Errorf("read %+v", c)
	}
	if want := "mdadm: unreconised word on DEVICE line: rubbish\nmdadm: Unknown keyword INACTIVE-ARRAY\n"; said.String() != want {
		t.Errorf("said %q, want %q", said.String(), want)
	}
	for _, tc := range []struct {
		cmd  Command
		want string
	}{
		{Command{}, "first"},
		{Command{HomeHost: "other"}, "other"},
		{Command{HomeHost: "<none>"}, ""},
	} {
		if got := tc.cmd.homeHost(c); got != tc.want {
			t.Errorf("homeHost of %q: %q, want %q", tc.cmd.HomeHost, got, tc.want)
		}
	}
}
