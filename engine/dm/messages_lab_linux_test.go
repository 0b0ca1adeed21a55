package dm_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/engine/dm"
	"github.com/mdkit/mdkit/engine/dm/message"
	"github.com/mdkit/mdkit/internal/lab"
	kernel "github.com/mdkit/mdkit/ioctl/dm"
)

// receivers are targets, each with messages that it takes ("+"), refuses ("-"), or that
// it refuses while suspended and takes otherwise ("s"), or the other way round ("r"). {a}
// to {d} are disks.
var receivers = []struct {
	line     string
	messages string
}{
	{"0 8 linear {a} 0", "-hello|-@nonsense|-@cancel_deferred_remove 1|-@stats_delete|-@stats_delete 1 2|-@stats_list a b|-@stats_set_aux 1|-@stats_create -|-@stats_delete x|-@stats_clear -1|-@stats_print 0 1|-@stats_create 5+0 1|-@stats_create 5 1|-@stats_create - /0|-@stats_create - 0|-@stats_create - x|-@stats_create - 1 1 fast|-@stats_create - 1 2 precise_timestamps|-@stats_create - 1 1 histogram:2,1|-@stats_create - 1 1 histogram:|-@stats_create - 1 2 histogram:1 histogram:2|-@stats_create - 1 p a x|+@stats_create 3+5 2 2 precise_timestamps Histogram:1,2 p a|+@stats_create - 8 0 p|+@stats_print 0 0 1|+@stats_list|+@stats_create - /1|-\t"},
	{"0 8 zero", "-hello"},
	{"0 8 error", "-hello"},
	{"0 64 striped 2 8 {a} 0 {b} 0", "-hello"},
	{"0 8 delay {a} 0 1", "-hello"},
	{"0 8 flakey {a} 0 1 1", "-hello"},
	{"0 8 unstriped 2 8 0 {a} 0", "-hello"},
	{"0 1024 mirror core 2 64 nosync 2 {a} 0 {b} 0", "-hello"},
	{"0 1024 snapshot {a} {b} N 8", "-hello"},
	{"0 1024 snapshot-origin {a}", "-hello"},
	{"0 1024 integrity {a} 0 4 J 0", "-hello"},
	{"0 8192 thin-pool {d} {b} 128 0", "-hello|-create_thin|-create_thin 1 2|-create_thin x|-create_thin 16777216|+create_thin 1|-create_snap 1|-create_snap 2 x|-delete|-set_transaction_id 1|-set_transaction_id x 1|+set_transaction_id 0 1|-reserve_metadata_snap 1|+reserve_metadata_snap|+Release_Metadata_Snap|+delete 1"},
	{"0 8192 cache {d} {b} {a} 64 1 writethrough smq 0", "-hello|-hello 1|-migration_threshold|-migration_threshold x|-migration_threshold 1 2|+migration_threshold 10|+Migration_Threshold 10|-invalidate_cblocks 0|-random_threshold 3"},
	{"0 8192 cache {d} {b} {a} 64 1 passthrough mq 0", "+random_threshold 3|-random_threshold x|-hello 1|+invalidate_cblocks 0"},
	{"0 8192 era {d} {a} 64", "-hello|-checkpoint 1|+checkpoint|+take_metadata_snap|+drop_metadata_snap"},
	{"0 2048 clone {d} {b} {a} 8 1 no_hydration", "-hello|-hello 1|-hydration_threshold|-hydration_threshold x|+hydration_threshold 3|-hydration_batch_size -1|+enable_hydration|+disable_hydration"},
	{"0 64 crypt aes-xts-plain64 " + strings.Repeat("00", 32) + " 0 {a} 0", "-hello|-key|-hello x|-key set x|-key set 00|-key twist|-key set|-key set " + strings.Repeat("0g", 32) + "|skey wipe|skey set " + strings.Repeat("11", 32)},
	{"0 2048 dust {a} 0 4096", "-hello|-addbadblock|-addbadblock x|-addbadblock 1 x|-addbadblock 1 256|-addbadblock 1 2 3|-hello 1|-removebadblock 1 2|+addbadblock 1|+queryblock 1|+removebadblock 1|+enable|+countbadblocks"},
	{"0 2048 log-writes {a} {b}", "-hello|-mark|-mark a b|-hello x|+mark a"},
	{"0 2048 multipath 0 0 1 1 round-robin 0 1 1 {a} 1", "-hello|-hello x|-fail_path|-fail_path {b}|-switch_group 0|-switch_group 2|-enable_group x|rfail_path {a}|rreinstate_path {a}|rswitch_group 1|rqueue_if_no_path"},
	{"0 2048 raid raid1 2 0 nosync 2 - {a} - {b}", "-hello"},
	{"0 2048 raid raid0 1 128 2 - {a} - {b}", "-check|-hello"},
	{"0 2048 switch 2 128 0 {a} 0 {b} 0", "-hello|+set_region_mappings 0:1"},
	{"0 2048 writecache s {a} {b} 4096 0", "-hello|-flush 1|-cleaner 1|-clear_stats x|rflush|+clear_stats|+flush_on_suspend"},
	{"0 8 ebs {a} 0 8", "-hello"},
}

// TestLabMessages sends messages to live and to suspended targets: those that
// message.Check faults are refused, those that it does not are taken, and where the kernel
// logs why, that is the reason.
func TestLabMessages(t *testing.T) {
	var cases []lab.Case
	for _, r := range receivers {
		name := strings.Fields(r.line)[2] + " " + strings.Join(strings.Fields(r.line)[3:], " ")
		cases = append(cases, lab.Case{Name: name, Run: func(t *testing.T, g *lab.Guest) {
			m := newMachine(t, g)
			line := m.filled(r.line)
			if !m.has(t, map[string]bool{}, line.Type) {
				return
			}
			m.wipe(t)
			m.correspond(t, line, strings.Split(m.fill(r.messages), "|"))
		}})
	}
	lab.Run(t, labSpec(), cases...)
}

// fill puts the disks' numbers in.
func (m *machine) fill(text string) string {
	for name, number := range m.numbers {
		text = strings.ReplaceAll(text, "{"+name+"}", number)
	}
	return text
}

func (m *machine) filled(line string) dm.Line {
	table, err := dm.ParseTable(m.fill(line))
	if err != nil {
		panic(err)
	}
	return table[0]
}

// correspond sends each message twice: to the running device, and to the suspended one.
func (m *machine) correspond(t *testing.T, line dm.Line, messages []string) {
	_, err := m.Create("to", kernel.CreateOptions{})
	if err == nil {
		_, err = m.Load(kernel.ByName("to"), []dm.Line{line}, kernel.LoadOptions{})
	}
	if err == nil {
		_, err = m.Resume(kernel.ByName("to"), kernel.ResumeOptions{})
	}
	if err != nil {
		t.Fatalf("%v: %v\n%s", line, err, strings.Join(m.g.KernelLog(t), "\n"))
	}
	for _, suspended := range []bool{false, true} {
		if suspended {
			if _, err := m.Suspend(kernel.ByName("to"), kernel.SuspendOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		for _, msg := range messages {
			want := msg[0] == '+' || msg[0] == 's' && suspended || msg[0] == 'r' && !suspended
			if msg[0] == '+' && suspended {
				continue // what a suspended target does with a good message is another matter
			}
			m.sends(t, message.Receiver{Line: line, Suspended: suspended}, msg[1:], want)
		}
	}
}

func (m *machine) sends(t *testing.T, to message.Receiver, text string, taken bool) {
	t.Helper()
	log, err := os.OpenFile("/dev/kmsg", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	mark := fmt.Sprintf("mark before %q", text)
	if _, err := log.WriteString(mark); err != nil {
		t.Fatal(err)
	}
	log.Close()
	_, _, refused := m.Message(kernel.ByName("to"), 0, text, kernel.MessageOptions{})
	ours := message.Check(to, text)
	if (refused == nil) != taken || (ours == nil) != taken {
		t.Errorf("%s, suspended %v, %q: the kernel: %v, ours: %v, want taken: %v", to.Line.Type, to.Suspended, text, refused, ours, taken)
	}
	_, said, _ := strings.Cut(strings.Join(m.g.KernelLog(t), "\n"), mark)
	var e *dm.Error
	if errors.As(ours, &e) && strings.Contains(said, "device-mapper: ") && !strings.Contains(said, e.Reason) {
		t.Errorf("%s: %q: the kernel logs%s\nours: %v", to.Line.Type, text, said, ours)
	}
}
