package stats

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	table "github.com/mdkit/mdkit/engine/dm/stats"
	"github.com/mdkit/mdkit/ioctl/dm"
)

// kernel answers messages like dm-stats.c, as far as the tests need it.
type kernel struct {
	regions map[int]string // the text after the id in a list
	sent    []string
	refuse  string // a message to refuse
}

func (k *kernel) Message(_ dm.Device, _ uint64, message string, _ dm.MessageOptions) (string, bool, error) {
	k.sent = append(k.sent, message)
	if k.refuse != "" && strings.HasPrefix(message, k.refuse) {
		return "", false, &dm.Error{Command: dm.CmdTargetMsg, Errno: unix.EINVAL}
	}
	f := strings.Fields(message)
	id := 0
	if len(f) > 1 {
		fmt.Sscan(f[1], &id)
	}
	switch f[0] {
	case "@stats_list":
		text := ""
		for _, id := range slices.Sorted(maps.Keys(k.regions)) {
			text += fmt.Sprintf("%d: %s\n", id, k.regions[id])
		}
		return text, true, nil
	case "@stats_create":
		for id = 0; k.regions[id] != ""; id++ {
		}
		k.regions[id] = f[1] + " 8 dmstats -"
		return fmt.Sprint(id), true, nil
	case "@stats_delete":
		delete(k.regions, id)
	case "@stats_set_aux":
		w := strings.Fields(k.regions[id])
		k.regions[id] = strings.Join([]string{w[0], w[1], w[2], f[2]}, " ")
	case "@stats_print", "@stats_print_clear":
		return "0+8 1 2 3 4 5 6 7 8 9 10 11 12 13\n", true, nil
	}
	return "", true, nil
}

func open(t *testing.T, k *kernel) *Handle {
	t.Helper()
	if k.regions == nil {
		k.regions = map[int]string{}
	}
	h := Open(k, dm.ByName("d"))
	if w, err := h.List(""); err != nil || len(w) > 0 {
		t.Fatal(w, err)
	}
	k.sent = nil
	return h
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestGroupLife(t *testing.T) {
	k := &kernel{}
	h := open(t, k)
	for i := range uint64(4) {
		id, err := h.Create(table.Create{Start: 8 * i, Length: 8, Areas: 1, Program: Program})
		if err != nil || id != i {
			t.Fatal(id, err)
		}
	}
	_, err := h.List(Program)
	must(t, err)
	if g, err := h.Group("1-3", "x"); err != nil || g.MemberList() != "1-3" {
		t.Fatal(g, err)
	}
	must(t, h.Delete(2))
	if k.regions[1] != "8+8 8 dmstats DMS_GROUP=x:1,3#-" {
		t.Error(k.regions)
	}
	must(t, h.Delete(1)) // its leader: the group ends
	if h.Table.Leader(3) != nil || len(k.regions) != 2 {
		t.Error(k.regions)
	}
	_, err = h.Group("0,3", "")
	must(t, err)
	left, err := h.Ungroup(0, false)
	if err != nil || left != nil || k.regions[0] != "0+8 8 dmstats -" {
		t.Error(left, err, k.regions)
	}
	_, err = h.Group("0,3", "")
	must(t, err)
	if left, err := h.Ungroup(0, true); err != nil || left != nil || len(k.regions) != 0 {
		t.Error(left, err, k.regions)
	}
	var missing *RegionError
	if err := h.Delete(0); !errors.As(err, &missing) || !errors.Is(err, ErrNoRegions) {
		t.Error(err)
	}
	if _, err := h.Ungroup(5, false); !errors.Is(err, ErrNoGroup) {
		t.Error(err)
	}
}

func TestRefusals(t *testing.T) {
	k := &kernel{regions: map[int]string{0: "0+8 8 p DMS_GROUP=g:0-1#-", 1: "8+8 8 p -"}, refuse: "@stats_set_aux"}
	h := open(t, k)
	var left *GroupLeft
	if err := h.Delete(1); !errors.As(err, &left) || left.Region != 1 || left.Group != 0 || !errors.Is(err, unix.EINVAL) {
		t.Error(err)
	}
	k.refuse = "@stats_delete 1"
	h = open(t, k)
	lefts, err := h.Ungroup(0, true)
	var l *LeftError
	if err != nil || len(lefts) != 1 || !errors.As(lefts[0], &l) || l.Region != 1 || l.Error() == "" {
		t.Error(lefts, err)
	}
	k.refuse = "@stats_list"
	if _, err := h.List(""); !errors.Is(err, unix.EINVAL) {
		t.Error(err)
	}
	if warnings, err := open(t, &kernel{}).List(""); warnings != nil || err != nil {
		t.Error(warnings, err)
	}
	odd := &kernel{regions: map[int]string{0: "0+8 8 p DMS_GROUP=g:1#-"}}
	h = Open(odd, dm.ByName("d"))
	warnings, err := h.List("")
	var g *table.GroupError
	if err != nil || len(warnings) != 1 || !errors.As(warnings[0], &g) || g.Problem != table.NotLeader {
		t.Error(warnings, err)
	}
}

func TestPopulate(t *testing.T) {
	k := &kernel{regions: map[int]string{0: "0+8 8 p -"}}
	h := open(t, k)
	must(t, h.Populate())
	if n := h.Table.Regions[0].Areas[0].Writes; n != 5 || k.sent[0] != "@stats_print_clear 0" {
		t.Error(n, k.sent)
	}
	must(t, h.Clear(0))
	if text, err := h.Print(0, false); err != nil || !strings.HasPrefix(text, "0+8 ") {
		t.Error(text, err)
	}
	k.refuse = "@stats_print"
	if err := h.Populate(); !errors.Is(err, unix.EINVAL) {
		t.Error(err)
	}
}

func TestDryRun(t *testing.T) {
	k := &kernel{regions: map[int]string{0: "0+8 8 p -", 2: "0+8 8 p -"}}
	h := open(t, k)
	h.Runner.DryRun = true
	ids, err := h.CreateFile([]table.Range{{Start: 0, Length: 8}, {Start: 16, Length: 8}}, FileOptions{Program: "p", Group: true, Alias: "f"})
	must(t, err)
	if !slices.Equal(ids, []uint64{1, 3}) {
		t.Error(ids)
	}
	want := []string{"@stats_create 0+8 /1 p", "@stats_create 16+8 /1 p", "@stats_set_aux 1 DMS_GROUP=f:1,3#-"}
	if !slices.Equal(planned(h), want) || len(k.sent) != 0 || len(k.regions) != 2 {
		t.Errorf("planned %q, sent %q", planned(h), k.sent)
	}
	if _, err := h.Print(0, true); err != nil || planned(h)[3] != "@stats_print_clear 0" {
		t.Error(planned(h), err)
	}
}

// TestOutcome shows that what was done can be told apart from what would be done, and
// when the kernel is asked for its regions.
func TestOutcome(t *testing.T) {
	for _, c := range []struct {
		dry    bool
		sent   string
		before int // regions known after Foresee
		after  int // regions known after Relist
	}{
		{dry: false, sent: "@stats_create 0+8 /1 p|@stats_list p", before: 0, after: 2},
		{dry: true, sent: "@stats_list p", before: 1, after: 2},
	} {
		k := &kernel{regions: map[int]string{0: "0+8 8 p -"}}
		h := Open(k, dm.ByName("d"))
		h.Runner.DryRun = c.dry
		if o := h.Outcome(); o.Applied == c.dry || len(o.Messages) != 0 {
			t.Errorf("dry %t: at first %+v", c.dry, o)
		}
		_, err := h.Foresee("p")
		must(t, err)
		if n := len(h.Table.Regions); n != c.before {
			t.Errorf("dry %t: %d regions before", c.dry, n)
		}
		id, err := h.Create(table.Create{Length: 8, Areas: 1, Program: "p"})
		must(t, err)
		_, err = h.Relist("p")
		must(t, err)
		if n := len(h.Table.Regions); id != 1 || n != c.after {
			t.Errorf("dry %t: region %d of %d", c.dry, id, n)
		}
		if o := h.Outcome(); o.Applied == c.dry || len(o.Messages) != 1 || o.Messages[0].Value != "0 @stats_create 0+8 /1 p" {
			t.Errorf("dry %t: %+v", c.dry, o)
		}
		if got := strings.Join(k.sent, "|"); got != c.sent {
			t.Errorf("dry %t: sent %s", c.dry, got)
		}
	}
}

func TestUpdateFile(t *testing.T) {
	k := &kernel{}
	h := open(t, k)
	at := func(list ...uint64) (r []table.Range) {
		for _, s := range list {
			r = append(r, table.Range{Start: s, Length: 8})
		}
		return r
	}
	ids, err := h.CreateFile(at(0, 80, 160), FileOptions{Program: Program, Group: true, Alias: "f"})
	must(t, err)
	if !slices.Equal(ids, []uint64{0, 1, 2}) {
		t.Fatal(ids)
	}
	// The middle moves: it gets another region, with the same id.
	ids, err = h.UpdateFile(0, at(0, 240, 160))
	must(t, err)
	if !slices.Equal(ids, []uint64{0, 1, 2}) || k.regions[0] != "0+8 8 dmstats DMS_GROUP=f:0-2#-" || k.regions[1] != "240+8 8 dmstats -" {
		t.Error(ids, k.regions)
	}
	// The first part goes, and the group with it.
	ids, err = h.UpdateFile(0, at(240, 160, 320, 400))
	must(t, err)
	if !slices.Equal(ids, []uint64{1, 2, 0, 3}) || k.regions[0] != "320+8 8 dmstats DMS_GROUP=f:0-3#-" {
		t.Error(ids, k.regions)
	}
	// Nothing is left.
	ids, err = h.UpdateFile(0, nil)
	if err != nil || len(ids) != 0 || len(k.regions) != 0 {
		t.Error(ids, err, k.regions)
	}
	if _, err := h.UpdateFile(0, nil); !errors.Is(err, ErrNoGroup) {
		t.Error(err)
	}
	k.refuse = "@stats_create 80"
	_, err = h.CreateFile(at(0, 80), FileOptions{Program: Program})
	var e *FileError
	if !errors.As(err, &e) || e.At != 1 || e.Of != 2 || e.Start != 80 || !errors.Is(err, unix.EINVAL) || len(k.regions) != 0 {
		t.Error(err, k.regions)
	}
}

// planned lists the messages that a dry run would have sent.
func planned(h *Handle) (messages []string) {
	for _, s := range h.Runner.Steps {
		messages = append(messages, strings.TrimPrefix(s.Value, "0 "))
	}
	return messages
}
