package lab

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestArraysBusy(t *testing.T) {
	for _, tc := range []struct {
		name  string
		attrs map[string]string
		want  string // "" for idle
	}{
		{"idle", map[string]string{"sync_action": "idle", "array_state": "clean", "safe_mode_delay": "0.203"}, ""},
		{"level without sync", map[string]string{"array_state": "clean"}, ""},
		{"frozen", map[string]string{"sync_action": "frozen", "array_state": "clean"}, ""},
		{"recovering", map[string]string{"sync_action": "recover", "array_state": "clean"}, "md0: sync_action is recover"},
		{"written to", map[string]string{"sync_action": "idle", "array_state": "active", "safe_mode_delay": "0.203"}, "md0: array_state is active"},
		{"never marked clean", map[string]string{"sync_action": "idle", "array_state": "active", "safe_mode_delay": "0.000"}, ""},
		{"failed while it was written to", map[string]string{"sync_action": "idle", "array_state": "write-pending", "safe_mode_delay": "0.203"}, ""},
		{"failure the kernel does not record", map[string]string{"array_state": "clean", "dev-sda/state": "faulty,blocked"}, ""},
		{"failure recorded", map[string]string{"array_state": "clean", "dev-sda/state": "faulty"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			root := t.TempDir()
			for name, text := range tc.attrs {
				path := filepath.Join(root, "md0", "md", name)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if got := arraysBusy(root); (got == "") != (tc.want == "") || !strings.Contains(got, tc.want) {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

func TestTaskStat(t *testing.T) {
	name, state, parent := taskStat([]byte("17 (md0 (raid) 5) D 2 0 0 0\n"))
	if name != "md0 (raid) 5" || state != "D" || parent != "2" {
		t.Errorf("%q %q %q", name, state, parent)
	}
	for _, bad := range []string{"", "1", "1 (x", ") (", "1 (x) S"} {
		if _, state, _ := taskStat([]byte(bad)); state != "" {
			t.Errorf("%q has state %q", bad, state)
		}
	}
}
