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

// bpfCompiler is the LLVM that BPF programs are built with: always that one, so that each
// build of an object has the same bytes.
const bpfCompiler = "16"

// BPFCompiler returns the paths of clang and llvm-strip, unpacked in the store.
func (s *Store) BPFCompiler(ctx context.Context) (clang, strip string, err error) {
	root, err := s.Tree(ctx, compilerSuite, "clang", "clang-"+bpfCompiler, "llvm-"+bpfCompiler)
	if err != nil {
		return "", "", err
	}
	if clang, err = wrap(root, "clang"); err != nil {
		return "", "", err
	}
	strip, err = wrap(root, "llvm-strip")
	return clang, strip, err
}

// wrap writes a script beside the tree that runs a program of LLVM with its own libraries.
func wrap(root, program string) (path string, err error) {
	path = filepath.Clean(root) + "-" + program + ".sh"
	return path, script(path, fmt.Sprintf(`#!/bin/sh
root=%[1]q
export LD_LIBRARY_PATH="$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu:$root/usr/lib/llvm-%[2]s/lib"
exec "$root/usr/lib/llvm-%[2]s/bin/%[3]s" "$@"
`, root, bpfCompiler, program))
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
	return path, script(path, fmt.Sprintf(wrapper, root))
}

// script makes a script that is there whole or not at all.
func script(path, text string) error {
	tmp := fmt.Sprintf("%s.%d", path, os.Getpid())
	if err := os.WriteFile(tmp, []byte(text), 0o755); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
