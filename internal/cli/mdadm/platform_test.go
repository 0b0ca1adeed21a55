package mdadm

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/internal/cli/ui"
)

// TestUdevRulesDryRun: --udev-rules=FILE --dry-run shows the file and writes none.
func TestUdevRulesDryRun(t *testing.T) {
	dir := t.TempDir()
	conf, rules := filepath.Join(dir, "mdadm.conf"), filepath.Join(dir, "rules")
	if err := os.WriteFile(conf, []byte("POLICY path=pci-* type=disk action=spare-same-slot\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	// The command line wants the superuser; this does not.
	write := func(dryRun bool) outcome {
		var out, errs bytes.Buffer
		c := &Command{UdevFile: rules, Config: conf, DryRun: dryRun}
		code := c.udevRules(t.Context(), ui.IO{Out: &out, Err: &errs})
		return outcome{code, out.String(), errs.String()}
	}
	o := write(true)
	if o.code != 0 || !strings.HasPrefix(o.out, "write "+rules+": udev rules, ") {
		t.Errorf("%v", o)
	}
	if _, err := os.Stat(rules); err == nil {
		t.Error("the dry run wrote the file")
	}
	if o := write(false); o != (outcome{}) {
		t.Errorf("%v", o)
	}
	text, err := os.ReadFile(rules)
	if err != nil || !strings.Contains(string(text), "pci-*") {
		t.Errorf("%s, %v", text, err)
	}
}
