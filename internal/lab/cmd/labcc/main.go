// Labcc prints the path of a C compiler for Go's race detector, and fetches one
// into the user's cache folder if the system has none.
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
	path, err := compiler(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "labcc:", err)
		os.Exit(1)
	}
	fmt.Println(path)
}

func compiler(ctx context.Context) (string, error) {
	store, err := fetch.Open()
	if err != nil {
		return "", err
	}
	store.Log = os.Stderr
	return store.Compiler(ctx)
}
