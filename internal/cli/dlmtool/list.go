package dlmtool

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/mdkit/mdkit/manage/cluster/controld"
)

// changeInfo is a change of members, for documents.
type changeInfo struct {
	Members  int32  `json:"members"`
	Joined   int32  `json:"joined"`
	Removed  int32  `json:"removed"`
	Failed   int32  `json:"failed"`
	Seq      uint32 `json:"seq"`
	Combined uint32 `json:"combined_seq"`
	Wait     string `json:"wait,omitempty"`
	Messages int32  `json:"missing_messages,omitempty"`
	Nodes    []node `json:"nodes"`
}

// node is a node of a lockspace, for documents.
type node struct {
	ID      int32  `json:"id"`
	Member  bool   `json:"member"`
	Allowed bool   `json:"allowed"`
	Started bool   `json:"started"`
	Failed  int32  `json:"fail_reason"`
	Added   uint32 `json:"added_seq"`
	Removed uint32 `json:"removed_seq"`
	Check   string `json:"check"`
}

// lockspace is a lockspace, for documents.
type lockspace struct {
	Name   string      `json:"name"`
	ID     uint32      `json:"id"`
	Flags  []string    `json:"flags"`
	Change changeInfo  `json:"change"`
	Next   *changeInfo `json:"next_change,omitempty"`
	Nodes  []node      `json:"all_nodes,omitempty"`
}

// list shows the lockspaces of this node, or one.
func (t *tool) list(ctx context.Context) (any, error) {
	all, err := t.found(ctx)
	if err != nil {
		return []lockspace{}, err
	}
	if len(all) > 0 {
		t.say("dlm lockspaces\n")
	}
	result := []lockspace{}
	var first error
	for i := range all {
		l, err := t.show(ctx, &all[i])
		first = cmp.Or(first, err)
		result = append(result, l)
	}
	return result, first
}

func (t *tool) found(ctx context.Context) ([]controld.Lockspace, error) {
	if t.name == "" {
		return controld.Lockspaces(ctx)
	}
	l, err := controld.Info(ctx, t.name)
	return []controld.Lockspace{l}, err
}

// show prints a lockspace, with its nodes as far as they are to be had. That they are not
// is no failure for the original: the lockspace has just been left.
func (t *tool) show(ctx context.Context, l *controld.Lockspace) (lockspace, error) {
	t.say("name          %s\nid            0x%08x\n", l.Name, l.ID)
	t.say("flags         0x%08x %s\n", uint32(l.Flags), strings.Join(flagWords(l.Flags), ","))
	t.say("change        %s\n", changeText(l.Previous))
	doc := lockspace{Name: l.Name, ID: l.ID, Flags: flagWords(l.Flags), Change: changeDoc(l.Previous)}
	doc.Change.Nodes = t.members(ctx, l, controld.Members, "members       ")
	if l.Next.Seq != 0 {
		next := changeDoc(l.Next)
		t.say("new change    %s\nnew status    wait %s\n", changeText(l.Next), waitText(l.Next))
		next.Wait, next.Messages = conditionWord(l.Next.Wait), 0
		if l.Next.Messages {
			next.Wait, next.Messages = "messages", int32(l.Next.Wait)
		}
		next.Nodes = t.members(ctx, l, controld.NextMembers, "new members   ")
		doc.Next = &next
	}
	var err error
	if t.nodes {
		doc.Nodes, err = t.allNodes(ctx, l)
	}
	t.say("\n")
	return doc, err
}

func changeDoc(c controld.Change) changeInfo {
	return changeInfo{
		Members: c.Members, Joined: c.Joined, Removed: c.Removed, Failed: c.Failed, Seq: c.Seq, Combined: c.CombinedSeq, Nodes: []node{},
	}
}

func changeText(c controld.Change) string {
	return fmt.Sprintf("member %d joined %d remove %d failed %d seq %d,%d", c.Members, c.Joined, c.Removed, c.Failed, int32(c.CombinedSeq), int32(c.Seq))
}

func waitText(c controld.Change) string {
	if c.Messages {
		return fmt.Sprintf("messages %d", c.Wait)
	}
	return conditionWord(c.Wait)
}

func conditionWord(c controld.Condition) string {
	switch c {
	case controld.WaitRing:
		return "ringid"
	case controld.WaitQuorum:
		return "quorum"
	case controld.WaitFencing:
		return "fencing"
	case controld.WaitFS:
		return "fsdone"
	}
	return "unknown"
}

// flagWords names flags in the original's order.
func flagWords(f controld.LockspaceFlags) []string {
	words := []string{}
	for _, w := range []struct {
		flag controld.LockspaceFlags
		word string
	}{
		{controld.SaveLocks, "save_plock"},
		{controld.NeedLocks, "need_plock"},
		{controld.FSRegistered, "fs_reg"},
		{controld.KernelStopped, "kern_stop"},
		{controld.Leaving, "leave"},
		{controld.Joining, "join"},
	} {
		if f&w.flag != 0 {
			words = append(words, w.word)
		}
	}
	return words
}

// members prints one of the two lines of members.
func (t *tool) members(ctx context.Context, l *controld.Lockspace, which controld.NodeSet, label string) []node {
	all, err := sorted(ctx, l.Name, which)
	if err != nil {
		t.say("%serror\n", label)
		return []node{}
	}
	t.say("%s", label)
	for _, n := range all {
		t.say("%d ", n.ID)
	}
	t.say("\n")
	return nodeDocs(all)
}

// sorted returns nodes by their numbers.
func sorted(ctx context.Context, name string, which controld.NodeSet) ([]controld.Node, error) {
	all, err := controld.Nodes(ctx, name, which)
	slices.SortFunc(all, func(a, b controld.Node) int { return cmp.Compare(a.ID, b.ID) })
	return all, err
}

func nodeDocs(all []controld.Node) []node {
	docs := []node{}
	for _, n := range all {
		docs = append(docs, node{
			ID: n.ID, Member: n.Flags&controld.IsMember != 0, Allowed: n.Flags&controld.Disallowed == 0,
			Started: n.Flags&controld.HasStarted != 0, Failed: n.FailReason, Added: n.AddSeq, Removed: n.RemSeq, Check: checkText(n),
		})
	}
	return docs
}

// allNodes prints the table of -n.
func (t *tool) allNodes(ctx context.Context, l *controld.Lockspace) ([]node, error) {
	all, err := sorted(ctx, l.Name, controld.AllNodes)
	if err != nil {
		return nil, err
	}
	t.say("all nodes\n")
	for _, n := range all {
		member, started := 0, 0
		switch {
		case n.Flags&controld.Disallowed != 0:
			member = -1
		case n.Flags&controld.IsMember != 0:
			member = 1
		}
		if n.Flags&controld.HasStarted != 0 {
			started = 1
		}
		t.say("nodeid %d member %d failed %d start %d seq_add %d seq_rem %d check %s\n",
			n.ID, member, n.FailReason, started, n.AddSeq, n.RemSeq, checkText(n))
	}
	return nodeDocs(all), nil
}

func checkText(n controld.Node) string {
	switch {
	case n.Flags&controld.NeedFencing != 0:
		return fmt.Sprintf("fence %d", n.FailAt)
	case n.Flags&controld.CheckFS != 0:
		return "fs"
	}
	return "none"
}
