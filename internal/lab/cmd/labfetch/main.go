// Labfetch brings the lab's kernels and the tools mdkit is compared with into
// the user's cache folder.
//
//	go run ./internal/lab/cmd/labfetch [kernel | peer | qemu]...
//
// Without arguments it fetches every user-mode kernel and every peer.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/mdkit/mdkit/internal/lab"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := lab.Fetch(ctx, os.Stderr, os.Args[1:]...)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "labfetch:", err)
		os.Exit(1)
	}
}
