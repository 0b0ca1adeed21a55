package native

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/internal/cli/ui"
)

// TestRecoverNothing gives the verb members that hold nothing, and command
// lines that are wrong.
func TestRecoverNothing(t *testing.T) {
	dir := t.TempDir()
	var blank []string
	for _, name := range []string{"a", "b"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, make([]byte, 4<<20), 0o600); err != nil {
			t.Fatal(err)
		}
		blank = append(blank, path)
	}
	for _, c := range []struct {
		args []string
		code int
		err  string
	}{
		{blank, ui.ExitNothing, "no ext4 filesystem begins"},
		{append([]string{"--apply"}, blank...), ui.ExitNothing, "no ext4 filesystem begins"},
		{nil, ui.ExitUsage, "name the members"},
		{append([]string{"-n", "1"}, blank...), ui.ExitUsage, "do not fit"},
		{append([]string{"--candidate", "0"}, blank...), ui.ExitUsage, "count from 1"},
		{[]string{filepath.Join(dir, "absent")}, ui.ExitFailed, "absent"},
	} {
		var out, errs bytes.Buffer
		code := Main(t.Context(), append([]string{"recover"}, c.args...), ui.IO{Out: &out, Err: &errs})
		if code != c.code || !strings.Contains(errs.String(), c.err) {
			t.Errorf("%v: exit %d, %s", c.args, code, &errs)
		}
	}
	var out, errs bytes.Buffer
	code := Main(t.Context(), append([]string{"recover", "--json"}, blank...), ui.IO{Out: &out, Err: &errs})
	var doc recoverDocument
	if err := json.Unmarshal(out.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if code != ui.ExitNothing || doc.Schema != "mdkit.recover/1" || doc.Candidates == nil || doc.Applied {
		t.Errorf("exit %d, %+v, %s", code, doc, &errs)
	}
	for _, path := range blank {
		if b, err := os.ReadFile(path); err != nil || len(bytes.Trim(b, "\x00")) > 0 {
			t.Errorf("%s was written to (%v)", path, err)
		}
	}
}
