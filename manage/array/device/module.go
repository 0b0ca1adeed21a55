package device

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// LoadModule loads a kernel module with modprobe(8), as the kernel itself does.
func LoadModule(ctx context.Context, name string) error {
	out, err := exec.CommandContext(ctx, "modprobe", name).CombinedOutput()
	if err != nil {
		return fmt.Errorf("modprobe %s: %w: %s", name, err, strings.TrimSpace(string(out)))
	}
	return nil
}
