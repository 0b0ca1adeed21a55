package lab

import (
	"context"
	"io"

	"github.com/mdkit/mdkit/internal/lab/fetch"
)

// Fetch brings what is named into the cache: kernel versions of Spec.Kernel.
// No name means all kernels. Progress goes to log.
func Fetch(ctx context.Context, log io.Writer, names ...string) error {
	store, err := fetch.Open()
	if err != nil {
		return err
	}
	store.Log = log
	if len(names) == 0 {
		names = []string{"6.1", "6.12", "7.2"}
	}
	for _, n := range names {
		if _, err := store.Package(ctx, umlSuites[n], umlPackage); err != nil {
			return err
		}
	}
	return nil
}
