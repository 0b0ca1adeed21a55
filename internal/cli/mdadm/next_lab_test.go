package mdadm

import (
	"bytes"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/internal/lab"
)

// nextDir is where a guest has the mdadm of the Debian release after that of the peers.
const nextDir = "/next"

// next runs a command line with that mdadm.
func next(t *testing.T, args ...string) outcome {
	t.Helper()
	return nextAnswered(t, "", args...)
}

// nextAnswered is next with an answer on standard input.
func nextAnswered(t *testing.T, answer string, args ...string) outcome {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := lab.AsideCommand(nextDir, "/usr/sbin/mdadm", args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(answer), &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return outcome{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// TestLikeNextMdadm tells stories with Debian's next mdadm, 4.4 when this was written, and
// with ours under MDADM_COMPAT=4.6. Lines in which 4.4 differs from 4.6, or ours from both
// on purpose, are not in them; docs/mdadm-history.md has the commits.
func TestLikeNextMdadm(t *testing.T) {
	var cases []lab.Case
	for _, tw := range nextTwins() {
		cases = append(cases, lab.Case{Name: tw.name, Run: func(t *testing.T, _ *lab.Guest) {
			t.Setenv("MDADM_COMPAT", "4.6")
			tw.compare(t, func(args ...string) outcome { return next(t, args...) })
		}})
	}
	runSomeWith(t, 2, cases, lab.Peer(t, "mdadm-next").Aside(nextDir))
}

// nextTwins are the stories of the other twin tests that show what a later mdadm says
// otherwise, or does.
func nextTwins() []twin {
	wanted := []string{
		"missing member", "failed member", "two failed members", "split brain", "super minor", "spares",
		"fail remove add", "bitmap re-add", "re-add without bitmap", "flags", "replace", "test",
	}
	return slices.DeleteFunc(slices.Concat(assembleTwins(), manageTwins(), incrementalTwins()), func(tw twin) bool {
		return !slices.Contains(wanted, tw.name)
	})
}
