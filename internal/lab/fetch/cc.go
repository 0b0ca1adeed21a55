package fetch

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// compilerSuite is the suite from which the compiler comes if the system has none.
const compilerSuite = "bookworm"

// Compiler returns the path of a C compiler, which Go's race detector needs to
// link: the system's if it has one, else one unpacked in the store.
func (s *Store) Compiler(ctx context.Context) (string, error) {
	for _, name := range []string{"gcc", "cc", "clang"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	root, err := s.Tree(ctx, compilerSuite, "cc", "gcc", "libc6-dev")
	if err != nil {
		return "", err
	}
	return wrapCompiler(root)
}

// wrapper runs the unpacked gcc with its own libraries, headers and linker, which
// it finds relative to its own path.
const wrapper = `#!/bin/sh
root=%[1]q
export LD_LIBRARY_PATH="$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu"
export PATH="$root/usr/bin:$PATH"
exec "$root/usr/bin/gcc" --sysroot="$root" "$@"
`

// wrapCompiler writes the wrapper beside the tree and returns its path.
func wrapCompiler(root string) (string, error) {
	path := filepath.Clean(root) + ".sh"
	tmp := fmt.Sprintf("%s.%d", path, os.Getpid())
	if err := os.WriteFile(tmp, fmt.Appendf(nil, wrapper, root), 0o755); err != nil {
		return "", err
	}
	return path, os.Rename(tmp, path)
}
