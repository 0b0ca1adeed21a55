package dlmtool

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/manage/cluster/controld"
)

// statusResult is the status, for documents: the daemon's words as they come, numbers as
// numbers.
type statusResult struct {
	Node    int32          `json:"node"`
	Daemon  map[string]any `json:"daemon"`
	Nodes   []nodeStatus   `json:"nodes"`
	Startup []int32        `json:"startup_nodes"`
}

type nodeStatus struct {
	ID    int32          `json:"id"`
	State map[string]any `json:"state"`
}

// status shows what dlm_controld says of itself and of the nodes.
func (t *tool) status(ctx context.Context) (any, error) {
	all, err := controld.Status(ctx)
	if errors.Is(err, controld.ErrNotRunning) {
		t.say("cannot connect to dlm_controld\n")
	}
	result := statusResult{Daemon: map[string]any{}, Nodes: []nodeStatus{}, Startup: []int32{}}
	for _, s := range all {
		switch s.Kind {
		case controld.OfDaemon:
			result.Node, result.Daemon = s.Node, wordMap(s)
			t.daemon(s)
		case controld.OfNode:
			result.Nodes = append(result.Nodes, nodeStatus{s.Node, wordMap(s)})
			if t.verbose {
				t.say("nodeid %d\n%s", s.Node, verboseText(s))
			}
		case controld.OfStartupNode:
			result.Startup = append(result.Startup, s.Node)
		}
	}
	t.nodeLines(all)
	slices.SortFunc(result.Nodes, func(a, b nodeStatus) int { return cmp.Compare(a.ID, b.ID) })
	return result, err
}

func wordMap(s controld.State) map[string]any {
	m := map[string]any{}
	for _, w := range s.Words() {
		key, value, _ := strings.Cut(w, "=")
		if n, err := strconv.ParseInt(value, 10, 64); err == nil {
			m[key] = n
		} else {
			m[key] = value
		}
	}
	return m
}

// verboseText prints each word of a record on a line. The blank at the record's end makes
// one more, which is empty, as in the original (lib.c print_str).
func verboseText(s controld.State) string {
	var b strings.Builder
	for word := range strings.SplitSeq(s.Text, " ") {
		word, _, _ = strings.Cut(word, "\x00")
		b.WriteString("    " + word + "\n")
	}
	return b.String()
}

func (t *tool) daemon(s controld.State) {
	if t.verbose {
		t.say("our_nodeid %d\n%s", s.Node, verboseText(s))
		return
	}
	t.say("cluster nodeid %d quorate %d ring seq %d %d\n", s.Node, s.Number("quorate"), s.Number("cluster_ringid"), s.Number("daemon_ringid"))
	t.say("daemon now %d fence_pid %d %s\n", s.Number("monotime"), s.Number("fence_pid"),
		ui.Choose(s.Number("fence_in_progress_unknown") != 0, "fence_init", ""))
}

// nodeLines prints the lines of nodes that come last: those from before the start, those
// that are to be fenced, and all.
func (t *tool) nodeLines(all []controld.State) {
	var nodes []controld.State
	for _, s := range all {
		if s.Kind == controld.OfNode && !t.verbose {
			nodes = append(nodes, s)
		}
	}
	for _, s := range all {
		if s.Kind != controld.OfStartupNode {
			continue
		}
		if i := slices.IndexFunc(nodes, func(n controld.State) bool { return n.Node == s.Node }); i >= 0 {
			t.say("startup ")
			t.nodeLine(nodes[i])
		} else {
			t.say("startup node %d\n", s.Node)
		}
	}
	slices.SortStableFunc(nodes, func(a, b controld.State) int { return cmp.Compare(a.Node, b.Node) })
	for _, s := range nodes {
		t.fenceLine(s)
	}
	for _, s := range nodes {
		t.nodeLine(s)
	}
}

func (t *tool) nodeLine(s controld.State) {
	t.say("node %d %s add %d rem %d fail %d fence %d at %d %d\n", s.Node, ui.Choose(s.Number("member") != 0, "M", "X"),
		s.Number("add_time"), s.Number("rem_time"), s.Number("fail_monotime"), s.Number("fence_monotime"),
		s.Number("actor_done"), s.Number("fence_walltime"))
}

func (t *tool) fenceLine(s controld.State) {
	if s.Number("need_fencing") == 0 {
		return
	}
	reason, _ := s.Word("left_reason")
	var doing bytes.Buffer
	if s.Number("delay_fencing") != 0 {
		doing.WriteString("delay")
	} else {
		doing.WriteString("pid " + strconv.Itoa(int(int32(s.Number("fence_pid")))))
	}
	t.say("fence %d %s %s actor %d fail %d fence %d now %d%s%s\n", s.Node, reason, doing.String(), s.Number("actor_last"),
		s.Number("fail_walltime"), s.Number("fence_walltime"), uint32(time.Now().Unix()),
		ui.Choose(s.Number("fence_result_wait") != 0, " result_wait", ""), ui.Choose(s.Number("killed") != 0, " killed", ""))
}
