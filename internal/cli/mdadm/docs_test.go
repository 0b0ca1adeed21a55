package mdadm

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
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

// TestHistoryNamesTests checks that the tests that docs/mdadm-history.md names exist, and
// the cases of TestMendedSince.
func TestHistoryNamesTests(t *testing.T) {
	page, err := os.ReadFile("../../../docs/mdadm-history.md")
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	for _, dir := range []string{"../..", "../../../engine", "../../../manage"} {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			b, err := os.ReadFile(path)
			tests.Write(b)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	named := regexp.MustCompile("`(Test[A-Za-z0-9]+)(?:/([^`]+))?`").FindAllStringSubmatch(string(page), -1)
	if len(named) < 10 {
		t.Errorf("it names %d tests", len(named))
	}
	for _, n := range named {
		if !strings.Contains(tests.String(), "\nfunc "+n[1]+"(") {
			t.Errorf("there is no %s", n[1])
		}
		if n[1] == "TestMendedSince" && !strings.Contains(tests.String(), `lab.Case{Name: "`+n[2]+`"`) {
			t.Errorf("%s has no case %q", n[1], n[2])
		}
	}
}

// TestCompat sets MDADM_COMPAT to what there is, and to what there is not.
func TestCompat(t *testing.T) {
	for word, code := range map[string]int{"": 0, "4.2": 0, "4.6": 0, "4.4": 2, "new": 2} {
		t.Setenv("MDADM_COMPAT", word)
		o := ours("--version")
		if refused := strings.Count(o.err, "\n") == 1 && strings.Contains(o.err, "MDADM_COMPAT"); o.code != code || refused != (code == 2) {
			t.Errorf("MDADM_COMPAT=%s: %v", word, o)
		}
	}
}
