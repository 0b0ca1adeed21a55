package dlmtool

import (
	"os"
	"strings"
	"testing"
)

// TestDocumented checks that the manual page and the completion have every command and
// every option.
func TestDocumented(t *testing.T) {
	for path, dash := range map[string]string{
		"../../../docs/dlm_tool.8": `\-`, "../../../dist/completion/dlm_tool.bash": "-",
	} {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range verbs() {
			if !strings.Contains(string(b), v.name) {
				t.Errorf("%s does not name %s", path, v.name)
			}
		}
		for _, letter := range strings.ReplaceAll(letters, ":", "") + "-" {
			want := dash + string(letter)
			if letter == '-' {
				want = dash + dash + "json"
			}
			if !strings.Contains(string(b), want) {
				t.Errorf("%s does not name %s", path, want)
			}
		}
	}
}
