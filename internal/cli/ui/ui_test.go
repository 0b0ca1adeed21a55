package ui

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mdkit/mdkit/internal/lab"
)

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 bytes", 1023: "1023 bytes", 1024: "1 KiB", 1536: "1.5 KiB", 1 << 20: "1 MiB",
		16<<20 + 1<<19: "16.5 MiB", 5 << 40: "5 TiB", 1<<63 - 1: "8 EiB",
	} {
		if got := Size(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

// TestProgress checks that a line is drawn on a terminal and removed again, and that
// it is drawn nowhere else.
func TestProgress(t *testing.T) {
	for _, c := range []struct{ terminal, quiet, draws bool }{{true, false, true}, {true, true, false}, {false, false, false}} {
		var out bytes.Buffer
		std := IO{Err: &out, Terminal: func() bool { return c.terminal }}
		p := std.Progress("copying", 4<<20, c.quiet)
		p.Update(1 << 20)
		p.Update(2 << 20) // too soon to be drawn
		p.Close()
		if drawn := out.Len() > 0; drawn != c.draws {
			t.Errorf("terminal %v, quiet %v: wrote %q", c.terminal, c.quiet, out.String())
		}
		if c.draws && (out.String() != "\r\x1b[Kcopying:  25%  1 MiB of 4 MiB\r\x1b[K") {
			t.Errorf("wrote %q", out.String())
		}
	}
	p := &Progress{total: 4 << 20}
	if got, want := p.line(1<<20, 2*time.Second), " 25%  1 MiB of 4 MiB  512 KiB/s  6s left"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := (&Progress{}).line(0, time.Minute), "0 bytes of 0 bytes"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestJSON(t *testing.T) {
	var out strings.Builder
	doc := struct {
		Document
		Path string `json:"path"`
		Size int64  `json:"size"`
	}{Schema("probe"), "a<b", 1 << 60}
	if err := (IO{Out: &out}).JSON(doc); err != nil {
		t.Fatal(err)
	}
	want := "{\n  \"schema\": \"mdkit.probe/1\",\n  \"path\": \"a<b\",\n  \"size\": 1152921504606846976\n}\n"
	if out.String() != want {
		t.Errorf("%s, want %s", out.String(), want)
	}
}

func TestIsBrokenPipe(t *testing.T) {
	for err, want := range map[error]bool{
		fmt.Errorf("write: %w", syscall.EPIPE): true, io.ErrClosedPipe: true, errors.New("no"): false,
	} {
		if IsBrokenPipe(err) != want {
			t.Errorf("%v: %v", err, !want)
		}
	}
}

// TestInterrupt checks that an interrupt cancels the contexts derived by Interrupt.
func TestInterrupt(t *testing.T) {
	ctx, stop := Process().Cancellable(t.Context())
	defer stop()
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if err := self.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	lab.Receive(t, "the interrupt", ctx.Done())
}

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "512": 512, "1K": 1 << 10, "50m": 50 << 20, "3G": 3 << 30, "7E": 7 << 60,
		"": -1, "K": -1, "8E": -1, "-1": -1, "1.5G": -1, "1KB": -1, "1 K": -1, "99999E": -1,
	} {
		got, err := ParseSize(text)
		if err != nil {
			got = -1
		}
		if got != want {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
}

// TestNeedsLinux checks for one line that names the tool and the system, and for the
// exit code of what could not be done.
func TestNeedsLinux(t *testing.T) {
	var out, complaint bytes.Buffer
	f := NeedsLinux("dmsetup")
	code := f.Main(t.Context(), []string{"dmsetup", "ls"}, IO{Out: &out, Err: &complaint})
	const want = "dmsetup: this needs Linux; mdkit help lists what works here\n"
	if code != ExitFailed || f.Name != "dmsetup" || out.Len() > 0 || complaint.String() != want {
		t.Errorf("code %d, name %q, said %q and %q; want %d and %q", code, f.Name, &out, &complaint, ExitFailed, want)
	}
}
