package member

import (
	"testing"

	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/array/live"
	"github.com/mdkit/mdkit/manage/note"
)

// TestConfirm has the answers that are wrong without asking the kernel.
func TestConfirm(t *testing.T) {
	for _, c := range []struct {
		answer string
		state  mdctl.ArrayState
		id     note.ID
	}{
		{"/dev/sda", mdctl.ArrayClustered, "member.no-devname-of-cluster"},
		{"x:/dev/sda", mdctl.ArrayClustered, "member.no-devname-of-cluster"},
		{"-1:/dev/sda", mdctl.ArrayClustered, "member.no-devname-of-cluster"},
		{"1:", mdctl.ArrayClustered, "member.no-devname-of-cluster"},
		{"1:/dev/sda", 0, "member.not-shared-by-cluster"},
		{"1:missing", 0, "member.not-shared-by-cluster"},
	} {
		var said []note.ID
		m := &Manager{
			ManageRequest: ManageRequest{Array: "/dev/md0", Report: func(n note.Note) { said = append(said, n.Sentence.ID) }},
			Live:          &live.Array{},
		}
		m.Live.Info.State = c.state
		done, err := m.confirm(t.Context(), Subdev{Name: c.answer, Verb: VerbConfirm})
		if done || err == nil || len(said) != 1 || said[0] != c.id {
			t.Errorf("%s: %v, %v, said %v; want %s", c.answer, done, err, said, c.id)
		}
	}
}
