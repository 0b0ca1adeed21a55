package device

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// LoadModule asks modprobe(8) for a kernel module, as the kernel itself does.
func LoadModule(ctx context.Context, name string) error {
	out, err := exec.CommandContext(ctx, "modprobe", name).CombinedOutput()
	if err != nil {
		return fmt.Errorf("modprobe %s: %w: %s", name, err, strings.TrimSpace(string(out)))
	}
	return nil
}
