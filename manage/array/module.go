package array

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// loadModule asks modprobe(8) for a kernel module, as the kernel itself does.
func loadModule(ctx context.Context, name string) error {
	out, err := exec.CommandContext(ctx, "modprobe", name).CombinedOutput()
	if err != nil {
		return fmt.Errorf("modprobe %s: %w: %s", name, err, strings.TrimSpace(string(out)))
	}
	return nil
}
