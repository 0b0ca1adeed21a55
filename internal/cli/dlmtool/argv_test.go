package dlmtool

import (
	"strings"
	"testing"
)

// TestParse reads command lines, as far as the lab's twins do not show what came of them.
func TestParse(t *testing.T) {
	for line, want := range map[string]request{
		"x y join a b -e 2 -m 17777 -f0": {name: "a", command: "a b ", excl: true, mode: 0o17777},
		"lockdump -M -- a -b":            {name: "a", command: "a -b ", copies: true, mode: 0o600},
		"-nvws -i 12x run echo a":        {name: "echo", command: "echo a ", nodes: true, verbose: true, wide: true, summary: true, wait: 12, mode: 0o600},
		"ls -i-3 a b":                    {name: "a", wait: -3, mode: 0o600},
		"status a --json -m z -e x":      {json: true, mode: 0o600},
		"-m 000006444 join a":            {name: "a", command: "a ", mode: 0o64},
		"-m 8 join a":                    {name: "a", command: "a ", mode: 0o600},
		"--json -i +4 run_check u":       {name: "u", command: "u ", json: true, wait: 4, mode: 0o600},
	} {
		got, err := parse(append([]string{"dlm_tool"}, strings.Fields(line)...))
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if !strings.Contains(line, got.verb.name) {
			t.Errorf("%s: taken for %s", line, got.verb.name)
		}
		want.program, want.verb = "dlm_tool", got.verb
		if got != want {
			t.Errorf("%s:\nwant %+v\ngot  %+v", line, want, got)
		}
	}
	for _, line := range []string{"--json=1 ls", "--js ls", "--", "ls --nosuch", "-q"} {
		if r, err := parse(append([]string{"dlm_tool"}, strings.Fields(line)...)); err == nil {
			t.Errorf("%s: is not refused: %+v", line, r)
		}
	}
}
