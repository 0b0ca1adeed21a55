package lab

import (
	"fmt"
	"os"
	"path/filepath"
)

// HasChild reports whether a process has a child that has not been waited for, by /proc.
func HasChild(pid int) bool {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid)) // the pattern is well-formed
	for _, list := range lists {
		if text, err := os.ReadFile(list); err == nil && len(text) > 0 {
			return true
		}
	}
	return false
}
