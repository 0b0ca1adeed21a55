package mdadm

import (
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/mdkit/mdkit/internal/lab"
)

// sample picks n of the list by MDKIT_SEED, or by chance; all of them with
// MDKIT_SOAK. The guest has all: it runs what the host has picked.
func sample[T any](t *testing.T, list []T, n int) []T {
	t.Helper()
	if lab.InGuest() || os.Getenv("MDKIT_SOAK") != "" || n >= len(list) {
		return list
	}
	seed := uint64(time.Now().UnixNano() % 1e9)
	if s := os.Getenv("MDKIT_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatalf("MDKIT_SEED: %v", err)
		}
	}
	t.Logf("%d of %d, seed %d (MDKIT_SEED=%d repeats it, MDKIT_SOAK=1 takes all)", n, len(list), seed, seed)
	list = slices.Clone(list)
	rng := rand.New(rand.NewPCG(seed, 0))
	rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list[:n]
}
