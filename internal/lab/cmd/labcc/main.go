// Labcc prints the path of a C compiler for Go's race detector, and fetches one
// into the user's cache folder if the system has none. With the argument bpf it prints
// the paths of the clang and the llvm-strip that BPF programs are built with.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/mdkit/mdkit/internal/lab/fetch"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	path, err := compiler(ctx, len(os.Args) > 1 && os.Args[1] == "bpf")
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "labcc:", err)
		os.Exit(1)
	}
	fmt.Println(path)
}

func compiler(ctx context.Context, bpf bool) (string, error) {
	store, err := fetch.Open()
	if err != nil {
		return "", err
	}
	store.Log = os.Stderr
	if !bpf {
		return store.Compiler(ctx)
	}
	clang, strip, err := store.BPFCompiler(ctx)
	return clang + " " + strip, err
}
