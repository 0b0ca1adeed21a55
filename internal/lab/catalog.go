package lab

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/mdkit/mdkit/internal/lab/fetch"
)

// Fetch downloads what is named into the cache: kernels by their roles (see
// Spec.Kernel), peers (see Peer), or "qemu". Without names it fetches all
// kernels and peers. Progress goes to log.
func Fetch(ctx context.Context, log io.Writer, names ...string) error {
	if err := supported(); err != nil {
		return err
	}
	store, err := fetch.Open()
	if err != nil {
		return err
	}
	store.Log = log
	if len(names) == 0 {
		names = append(Kernels(), slices.Sorted(maps.Keys(peers))...)
	}
	for _, n := range names {
		suite, isKernel := umlSuites[n]
		def, isPeer := peers[n]
		switch {
		case isKernel:
			err = fetchUML(ctx, store, suite)
		case isPeer:
			_, err = store.Tree(ctx, def.from(), n, def.packages...)
		case n == qemuName:
			err = fetchQEMU(ctx, store, umlSuites[Oldest])
		default:
			err = fmt.Errorf("nothing is called %q; there are %s", n,
				strings.Join(slices.Concat(Kernels(), slices.Sorted(maps.Keys(peers)), []string{qemuName}), " "))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
