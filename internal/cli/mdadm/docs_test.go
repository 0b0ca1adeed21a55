package mdadm

import (
	"os"
	"strings"
	"testing"
)

// TestDocumented checks that the manual page and the completion have every option.
func TestDocumented(t *testing.T) {
	for path, dash := range map[string]string{
		"../../../docs/mdadm.8": `\-`, "../../../dist/completion/mdadm.bash": "-",
	} {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range longOptions() {
			want := dash + dash + strings.ReplaceAll(o.Name, "-", dash)
			if !strings.Contains(string(b), want) {
				t.Errorf("%s does not name --%s", path, o.Name)
			}
		}
	}
	b, err := os.ReadFile("../../../docs/mdadm.conf.5")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{
		"DEVICE", "ARRAY", "MAILADDR", "MAILFROM", "PROGRAM", "CREATE", "HOMEHOST", "HOMECLUSTER", "AUTO", "POLICY",
		`PART\-POLICY`, "SYSFS", "MONITORDELAY",
	} {
		if !strings.Contains(string(b), "\n.B "+k+"\n") {
			t.Errorf("mdadm.conf(5) does not explain %s", k)
		}
	}
}
