package mdtext

import (
	"testing"

	"github.com/mdkit/mdkit/manage/note"
)

func TestParseCompat(t *testing.T) {
	for word, want := range map[string]Compat{"": Mdadm42, "4.2": Mdadm42, "4.6": Mdadm46} {
		if got, err := ParseCompat(word); err != nil || got != want {
			t.Errorf("%q: %v, %v", word, got, err)
		}
	}
	for _, wrong := range []string{"4.4", "4", " 4.2", "4.6 ", "v4.6", "newest"} {
		if _, err := ParseCompat(wrong); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
}

// TestSay checks that a later version changes words and streams, and nothing else.
func TestSay(t *testing.T) {
	stopped := note.Note{Sentence: note.Of("live.stopped", "/dev/md0"), Loudness: note.Normal}
	for compat, out := range map[Compat]bool{Mdadm42: false, Mdadm46: true} {
		n := stopped
		if got := compat.Say(&n); got != (Said{"stopped /dev/md0", out}) || n.Loudness != note.Normal {
			t.Errorf("%v: %+v", compat, got)
		}
	}
	for compat, want := range map[Compat]string{
		Mdadm42: "set device faulty failed for /dev/sda:  it is",
		Mdadm46: "Cannot remove /dev/sda from /dev/md0, array will be failed.",
	} {
		n := note.Note{Sentence: note.Of("member.array-needs-it", "/dev/sda", "/dev/md0", "it is")}
		if got := compat.Say(&n); got.Text != want {
			t.Errorf("%v: %q", compat, got.Text)
		}
	}
	for id, want := range map[note.ID]string{
		"reshape.cannot-set-device-size-of-raid0":                     "Component size change is not supported for RAID0",
		"reshape.performing-resync-recovery-and-cannot-be-taken-over": "/dev/md0 is performing resync/recovery and cannot be taken over",
	} {
		if got := Mdadm46.Say(&note.Note{Sentence: note.Of(id, "/dev/md0")}); got.Text != want {
			t.Errorf("%q, not %q", got.Text, want)
		}
	}
	for id, l := range laterText {
		if _, known := Sentences()[id]; !known || l == (later{}) {
			t.Errorf("%s: no sentence of 4.2, or nothing is different", id)
		}
	}
}
