package native

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/manage/cluster"
	"github.com/mdkit/mdkit/sysfs"
)

func clusterStatus(std ui.IO) *cli.Command {
	return &cli.Command{
		Name: "status", Usage: "show nodes, lockspaces, locks, clustered arrays and recoveries", HideHelpCommand: true,
		Description: "Shows what the controller and this node's kernel know: nodes, quorum, lockspaces,\n" +
			"who holds which lock (where the kernel has debugfs), and of md arrays that the\n" +
			"cluster shares the slots of the nodes, what they have dirty, and who syncs.",
		Flags: []cli.Flag{
			jsonFlag(),
			&cli.BoolFlag{Name: "watch", Usage: "draw it again whenever it changes, until interrupted; with --json as lines"},
		},
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 {
				return usage("cluster status: needs no arguments")
			}
			if err := showCluster(c, std); err != nil {
				return fmt.Errorf("cluster status: %w", err)
			}
			return nil
		},
	}
}

func showCluster(c *cli.Context, std ui.IO) error {
	if c.Bool("watch") {
		ctx, stop := interruptible(c.Context)
		defer stop()
		return watchCluster(ctx, std, c.Bool("json"))
	}
	st, err := cluster.Look(sysfs.Host, cluster.Dir)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return std.JSON(clusterDoc(st))
	}
	_, err = fmt.Fprint(std.Out, clusterText(st))
	return err
}

// statusDoc is the document of mdkit cluster status --json.
type statusDoc struct {
	ui.Document
	*cluster.Status
}

func clusterDoc(st *cluster.Status) statusDoc { return statusDoc{ui.Schema("cluster.status"), st} }

// watchCluster shows the cluster again whenever it has changed.
func watchCluster(ctx context.Context, std ui.IO, lines bool) error {
	ticks := time.NewTicker(500 * time.Millisecond)
	defer ticks.Stop()
	for last := ""; ; {
		st, err := cluster.Look(sysfs.Host, cluster.Dir)
		if err != nil {
			return err
		}
		if last, err = showChange(std, st, lines, last); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticks.C:
		}
	}
}

// clearScreen puts the cursor into the corner and clears what is below it (ECMA-48).
const clearScreen = "\x1b[H\x1b[J"

// showChange prints a status unless it is as the last one was, and returns it.
func showChange(std ui.IO, st *cluster.Status, lines bool, last string) (string, error) {
	doc, err := json.Marshal(clusterDoc(st))
	now := string(doc)
	switch {
	case err != nil || now == last:
	case lines:
		err = std.JSONLine(clusterDoc(st))
	case std.Draws():
		_, err = fmt.Fprint(std.Out, clearScreen, clusterText(st))
	default:
		_, err = fmt.Fprintln(std.Out, clusterText(st))
	}
	return now, err
}

// clusterText is the status for people.
func clusterText(st *cluster.Status) string {
	var b strings.Builder
	if st.Cluster == "" {
		fmt.Fprintf(&b, "no cluster; controller: %s\n", st.Controller)
	} else {
		fmt.Fprintf(&b, "cluster %s; controller: %s%s\n", st.Cluster, st.Controller, quorumText(st))
	}
	for _, n := range st.Nodes {
		b.WriteString("  " + nodeText(n) + "\n")
	}
	for _, s := range st.Spaces {
		writeSpace(&b, s)
	}
	for _, a := range st.Arrays {
		writeArray(&b, a)
	}
	return b.String()
}

func quorumText(st *cluster.Status) string {
	switch {
	case st.Controller == "none":
		return ""
	case !st.Quorate:
		return "; no quorum"
	case st.Leader > 0:
		return fmt.Sprintf("; quorum; epoch %d led by node %d", st.Epoch, st.Leader)
	}
	return "; quorum"
}

// nodeWords say how nodes stand.
var nodeWords = map[cluster.NodeState]string{
	cluster.NodeMember: "member", cluster.NodeHeard: "alive, not in the cluster", cluster.NodeDead: "dead: not heard",
	cluster.NodeFencing: "dead: being fenced", cluster.NodeFenceFailed: "dead: could not be fenced, tried again", cluster.NodeUnknown: "no controller says how it is",
}

func nodeText(n cluster.NodeStatus) string {
	words := []string{"node", strconv.Itoa(n.ID)}
	for _, w := range []string{n.Name, n.Addr} {
		if w != "" {
			words = append(words, w)
		}
	}
	text := strings.Join(words, " ") + ": " + nodeWords[n.State]
	if n.Local {
		text += ", this node"
	}
	return text
}

func writeSpace(b *strings.Builder, s cluster.SpaceStatus) {
	recovery := "recovered"
	if !s.Settled {
		recovery = "recovering (" + s.Recovery + ")"
		if s.WaitsFor > 0 {
			recovery += fmt.Sprintf(" and waiting for node %d", s.WaitsFor)
		}
	}
	fmt.Fprintf(b, "  lockspace %s id %#x: %s, %s, members %s\n", s.Name, s.ID, s.State, recovery, strings.Trim(fmt.Sprint(s.Members), "[]"))
	switch {
	case !s.LocksVisible:
		b.WriteString("    locks: not visible here\n")
	case len(s.Locks) == 0:
		b.WriteString("    locks: none that this node knows\n")
	}
	for _, l := range s.Locks {
		b.WriteString("    " + lockText(l) + "\n")
	}
}

// lockText says who has a lock. Names of resources can be any bytes.
func lockText(l cluster.LockStatus) string {
	who := fmt.Sprintf("node %d", l.Node)
	if l.Thread > 0 {
		who += fmt.Sprintf(" (process %d)", l.Thread)
	}
	text := strings.Trim(strconv.Quote(l.Resource), `"`) + ": " + who
	switch {
	case l.Held == "":
		return text + " waits for " + l.Wanted
	case l.Wanted == "":
		return text + " holds " + l.Held
	}
	return text + " holds " + l.Held + " and waits for " + l.Wanted
}

func writeArray(b *strings.Builder, a cluster.ArrayStatus) {
	fmt.Fprintf(b, "  array %s: ", a.Name)
	if a.Slot > 0 {
		fmt.Fprintf(b, "slot %d here", a.Slot)
	} else {
		b.WriteString("the slot of this node is not visible here")
	}
	if a.Space != "" {
		b.WriteString(", lockspace " + a.Space)
	}
	if a.Degraded > 0 {
		fmt.Fprintf(b, ", %d missing", a.Degraded)
	}
	b.WriteString(syncText(a) + "\n")
	if len(a.Slots) == 0 {
		b.WriteString("    bitmaps: not visible here\n")
	}
	for _, s := range a.Slots {
		who := "no node that is visible here"
		if s.Node > 0 {
			who = fmt.Sprintf("node %d", s.Node)
		}
		fmt.Fprintf(b, "    slot %d: %s, %d dirty chunks\n", s.Slot, who, s.Dirty)
	}
}

func syncText(a cluster.ArrayStatus) string {
	switch {
	case a.Sync == "":
		return ""
	case a.Where == cluster.SyncRemote:
		return ", " + a.Sync + " on another node"
	case a.Where == cluster.SyncWaiting:
		return ", " + a.Sync + " waiting"
	case a.Total == 0:
		return ", " + a.Sync + " here"
	}
	return fmt.Sprintf(", %s here, %d%% done", a.Sync, 100*a.Done/a.Total)
}
