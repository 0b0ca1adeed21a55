package native

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/internal/lab"
)

// source makes a device as large as several buffers and a bit more, half of it
// zeroes.
func source(t *testing.T) *block.Memory {
	t.Helper()
	seed := lab.Seed(t)
	rng := rand.New(rand.NewPCG(seed, 0))
	data := make([]byte, 32*streamPiece+copyHole+777)
	for off := 0; off < len(data); off += copyHole {
		if rng.IntN(2) == 0 {
			continue
		}
		for i := off; i < min(off+copyHole, len(data)); i++ {
			data[i] = byte(rng.Uint32())
		}
	}
	return block.NewMemoryFrom("array", data)
}

func contents(t *testing.T, d block.Device) []byte {
	t.Helper()
	b := make([]byte, d.Size())
	if err := block.ReadFull(d, b, 0); err != nil {
		t.Fatal(err)
	}
	return b
}

// TestCopyFile checks that a copy is complete, and the same where it has holes.
func TestCopyFile(t *testing.T) {
	src := source(t)
	o := openOptions{out: filepath.Join(t.TempDir(), "out"), off: 13}
	length := src.Size() - o.off
	if _, err := o.copy(t.Context(), src, length, nil); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(o.out)
	if err != nil || !bytes.Equal(got, contents(t, src)[o.off:]) {
		t.Errorf("the copy differs, or cannot be read: %v", err)
	}
}

// TestCopyInterrupted checks that neither an interrupt nor a bad sector leaves
// anything behind, and that the file to be replaced is still there.
func TestCopyInterrupted(t *testing.T) {
	src := source(t)
	bad, err := block.NewFault(src, "read 5000000+512 error")
	if err != nil {
		t.Fatal(err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx  context.Context
		from block.Device
		want error
	}{
		"interrupt":  {cancelled, src, context.Canceled},
		"bad sector": {t.Context(), bad, block.ErrMedium},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			o := openOptions{out: filepath.Join(dir, "out"), force: true}
			if err := os.WriteFile(o.out, []byte("precious"), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := o.copy(c.ctx, c.from, src.Size(), nil); !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
			if got, err := os.ReadFile(o.out); string(got) != "precious" {
				t.Errorf("the old file reads %.20q, %v", got, err)
			}
			left, err := os.ReadDir(dir)
			if err != nil || len(left) != 1 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
	if code, text := verdict(&failure{code: ui.ExitFailed, err: context.Canceled}); code != ui.ExitCancelled || text != "interrupted" {
		t.Errorf("exit code %d, %q", code, text)
	}
}

// TestOverwrite checks what protects a block device from being overwritten, and that
// zeroes are written to it as well.
func TestOverwrite(t *testing.T) {
	src := source(t)
	o := openOptions{out: "/dev/target"}
	if _, err := o.overwrite(t.Context(), src, src.Size(), block.NewMemory("small", src.Size()-1)); err == nil || !strings.Contains(err.Error(), "/dev/target: has ") {
		t.Errorf("too small a device: %v", err)
	}
	target := block.NewMemory("target", src.Size()+4096)
	used := bytes.Repeat([]byte{0xee}, 1<<20)
	copy(used, "LUKS\xba\xbe\x00\x01")
	if _, err := target.WriteAt(used, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := o.overwrite(t.Context(), src, src.Size(), target); err == nil || !strings.Contains(err.Error(), "carries crypto_LUKS 1") {
		t.Errorf("a device with an encrypted volume: %v", err)
	}
	if !bytes.Equal(contents(t, target)[:len(used)], used) {
		t.Error("the refusal came after writing")
	}
	o.force = true
	if _, err := o.overwrite(t.Context(), src, src.Size(), target); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(contents(t, target)[:src.Size()], contents(t, src)) {
		t.Error("the copy differs")
	}
}

// TestBrokenPipe checks that no error is reported if the reader has seen enough.
func TestBrokenPipe(t *testing.T) {
	r, w := io.Pipe()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	o := openOptions{}
	_, err := stream(t.Context(), source(t), 0, 1<<20, &plainSink{w}, o.std.Progress("", 0, false))
	if code, text := verdict(o.failed(ui.ExitFailed, err)); code != ui.ExitPipe || text != "" {
		t.Errorf("exit code %d, %q", code, text)
	}
}
