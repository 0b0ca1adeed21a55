package house

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestInstall checks which files `make install` puts where, and that no
// placeholder is left in them.
func TestInstall(t *testing.T) {
	dest := t.TempDir()
	// The program is not built for this: with -o, make leaves it as it is, or
	// missing.
	bin := filepath.Join(root, "bin", "mdkit")
	if _, err := os.Stat(bin); err != nil {
		t.Cleanup(func() { os.Remove(bin) })
		if err := os.MkdirAll(filepath.Dir(bin), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(bin, nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("make", "-o", "build", "install", "DESTDIR="+dest, "PREFIX=/opt")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make install: %v\n%s", err, out)
	}
	var got []string
	err := filepath.WalkDir(dest, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(dest, path)
		got = append(got, rel)
		if d.Type().IsRegular() && d.Name() != "mdkit" {
			b, err := os.ReadFile(path)
			if m := regexp.MustCompile(`@[A-Z]+@`).Find(b); m != nil {
				t.Errorf("%s still has %s", rel, m)
			}
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"opt/sbin/mdkit", "opt/sbin/mdadm", "opt/share/man/man5/mdadm.conf.5", "opt/share/man/man8/mdadm.8",
		"opt/lib/udev/rules.d/01-md-raid-creating.rules", "opt/lib/udev/rules.d/63-md-raid-arrays.rules",
		"opt/lib/udev/rules.d/64-md-raid-assembly.rules", "opt/lib/systemd/system/mdmonitor.service",
		"opt/lib/systemd/system/mdadm-last-resort@.timer", "opt/lib/systemd/system/mdadm-last-resort@.service",
		"opt/lib/systemd/system/mdadm-grow-continue@.service", "opt/lib/systemd/system/mdcheck_start.timer",
		"opt/lib/systemd/system/mdmonitor-oneshot.timer", "opt/share/bash-completion/completions/mdadm", "opt/share/mdadm/mdcheck",
		"opt/sbin/dlm_tool", "opt/share/man/man8/dlm_tool.8", "opt/share/bash-completion/completions/dlm_tool",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("%s is not installed", want)
		}
	}
}

// udevTerm is a match or an assignment in a udev rule:
// KEY{attribute}OPERATOR"value".
var udevTerm = regexp.MustCompile(`^(ACTION|SUBSYSTEM|KERNEL|GOTO|LABEL|OPTIONS|SYMLINK|PROGRAM|RUN|TEST|ENV\{[A-Za-z_.]+\}|ATTR\{[a-z_/]+\}|IMPORT\{(program|builtin|cmdline)\})(==|!=|=|\+=)"[^"]*"$`)

// TestUdevRules checks that udev knows each term, and that each jump has a label
// further down to go to.
func TestUdevRules(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "dist/udev/*.rules"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no rules: %v", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		pending := make(map[string]int)
		for n, line := range strings.Split(string(b), "\n") {
			if line == "" || line[0] == '#' {
				continue
			}
			for _, term := range regexp.MustCompile(`[A-Z][^"]*"[^"]*"`).FindAllString(line, -1) {
				if !udevTerm.MatchString(term) {
					t.Errorf("%s:%d: %s", filepath.Base(file), n+1, term)
				}
				name := term[strings.IndexByte(term, '"')+1 : len(term)-1]
				switch {
				case strings.HasPrefix(term, "GOTO="):
					pending[name] = n + 1
				case strings.HasPrefix(term, "LABEL="):
					delete(pending, name)
				}
			}
			if rest := strings.Trim(regexp.MustCompile(`[A-Z][^"]*"[^"]*"`).ReplaceAllString(line, ""), ", "); rest != "" {
				t.Errorf("%s:%d: %q is left over", filepath.Base(file), n+1, rest)
			}
		}
		for name, line := range pending {
			t.Errorf("%s:%d: there is no label %s behind it", filepath.Base(file), line, name)
		}
	}
}
