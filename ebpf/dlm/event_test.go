package dlm

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// TestParseFormat reads what Linux 6.1 has in tracefs.
func TestParseFormat(t *testing.T) {
	const text = "name: dlm_ast\nID: 1346\nformat:\n\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\n" +
		"\tfield:u8 sb_flags;\toffset:16;\tsize:1;\tsigned:0;\n\tfield:int sb_status;\toffset:20;\tsize:4;\tsigned:1;\n" +
		"\tfield:__data_loc unsigned char[] res_name;\toffset:24;\tsize:4;\tsigned:0;\n\tfield:char comm[16];\toffset:28;\tsize:16;\tsigned:0;\n\nprint fmt: \"ls_id=%u\", REC->ls_id\n"
	got, err := ParseFormat(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]Place{"common_type": {0, 2}, "sb_flags": {16, 1}, "sb_status": {20, 4}, "res_name": {24, 4}, "comm": {28, 16}} {
		if got[name] != want {
			t.Errorf("%s: %v, want %v", name, got[name], want)
		}
	}
	for _, bad := range []string{"", "nothing\n", "\tfield:int x;\toffset:-1;\tsize:4;\n", "\tfield:int x;\toffset:70000;\tsize:4;\n"} {
		if got, err := ParseFormat(strings.NewReader(bad)); !errors.Is(err, ErrFormat) {
			t.Errorf("%q: %v, %v", bad, got, err)
		}
	}
}

func FuzzParseFormat(f *testing.F) {
	f.Add("\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n")
	f.Fuzz(func(t *testing.T, text string) {
		if fields, err := ParseFormat(strings.NewReader(text)); err == nil && len(fields) == 0 {
			t.Error("no fields, and no error")
		}
	})
}

// TestJSON is a line of docs/trace-format.md.
func TestJSON(t *testing.T) {
	e := Event{
		Time: 7 * time.Second, CPU: 1, PID: 85, TID: 90, Task: "dlm_recv", Kind: Received, Space: 9, Lock: 3, Mode: 5, Granted: ModeNone,
		Status: -11, Node: 2, Message: 1, Remote: 4, Resource: "a\x00b", Value: []byte{1, 0xff},
	}
	got, err := e.JSON(1, map[uint32]string{9: "space"})
	want := `{"schema":"mdkit.trace.dlm/1","time_ns":7000000000,"node":1,"task":"dlm_recv","pid":85,"tid":90,"cpu":1,"event":"recv_message",` +
		`"lockspace":"space","lockspace_id":9,"resource":"0x610062","lock_id":3,"mode_to":"EX","flags":0,"status":-11,"peer":2,"message":"request","remote_id":4,"value":"01ff"}`
	if err != nil || string(got) != want {
		t.Errorf("%s, %v\nwant %s", got, err, want)
	}
}
