package mdadm

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestUdevRulesDryRun: --udev-rules=FILE --dry-run shows the file and writes none.
func TestUdevRulesDryRun(t *testing.T) {
	dir := t.TempDir()
	conf, rules := filepath.Join(dir, "mdadm.conf"), filepath.Join(dir, "rules")
	if err := os.WriteFile(conf, []byte("POLICY path=pci-* type=disk action=spare-same-slot\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := ours("--udev-rules="+rules, "--dry-run", "-c", conf)
	if o.code != 0 || !strings.HasPrefix(o.out, "write "+rules+": udev rules, ") {
		t.Errorf("%v", o)
	}
	if _, err := os.Stat(rules); err == nil {
		t.Error("the dry run wrote the file")
	}
	if o := ours("--udev-rules="+rules, "-c", conf); o != (outcome{}) {
		t.Errorf("%v", o)
	}
	text, err := os.ReadFile(rules)
	if err != nil || !strings.Contains(string(text), "pci-*") {
		t.Errorf("%s, %v", text, err)
	}
}
