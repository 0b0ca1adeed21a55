package lab

import (
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
)

// seedEnv and soakEnv say what a run takes of the tests that cannot all be run
// every time. A guest has them from its host.
const (
	seedEnv = "MDKIT_SEED"
	soakEnv = "MDKIT_SOAK"
)

// drawnSeed is the seed of a run that was given none.
var drawnSeed = sync.OnceValue(func() uint64 { return rand.Uint64() >> 32 })

// Seed is the number on which all that a test leaves to chance depends:
// $MDKIT_SEED, or where that is not set, one drawn for this process. The
// Makefile sets it from the commit. It is logged, so that a failure can be
// repeated, and it is the same in the guest as on the host.
func Seed(t testing.TB) uint64 {
	t.Helper()
	seed := mustSeed(t)
	t.Logf("seed %d (%s=%d repeats it)", seed, seedEnv, seed)
	return seed
}

func mustSeed(t testing.TB) uint64 {
	t.Helper()
	seed, err := seed()
	if err != nil {
		t.Fatalf("lab: %s: %v", seedEnv, err)
	}
	return seed
}

func seed() (uint64, error) {
	if s := os.Getenv(seedEnv); s != "" {
		return strconv.ParseUint(s, 10, 64)
	}
	return drawnSeed(), nil
}

// Rand is a source of numbers that depends on nothing but Seed and the test's
// name: the same in a case in the guest whichever other cases run before it.
func Rand(t testing.TB) *rand.Rand {
	t.Helper()
	return source(t, Seed(t))
}

func source(t testing.TB, seed uint64) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(t.Name()))
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// Soak says whether a test is to run all it has instead of a sample: whether
// $MDKIT_SOAK is set, as `make soak` does. It is the same in the guest.
func Soak() bool { return os.Getenv(soakEnv) != "" }

// Sample is n of the list in their order, picked by Seed and the test's name,
// or the whole list if it is no longer or if Soak. A guest always has the whole
// list: it runs what the host has picked.
//
//	lab.Run(t, spec, lab.Sample(t, cases, 8)...)
func Sample[T any](t testing.TB, list []T, n int) []T {
	t.Helper()
	if InGuest() || Soak() || n >= len(list) {
		return list
	}
	seed := mustSeed(t)
	t.Logf("%d of %d, seed %d (%s=%d repeats it, %s=1 takes all)", n, len(list), seed, seedEnv, seed, soakEnv)
	picked := source(t, seed).Perm(len(list))[:n]
	slices.Sort(picked)
	out := make([]T, n)
	for i, at := range picked {
		out[i] = list[at]
	}
	return out
}

// guestEnviron is what a guest's test process gets: env, and the settings of
// the run where env has none.
func guestEnviron(env map[string]string) (map[string]string, error) {
	seed, err := seed()
	if err != nil {
		return nil, err
	}
	all := map[string]string{seedEnv: strconv.FormatUint(seed, 10)}
	if Soak() {
		all[soakEnv] = "1"
	}
	if slow := os.Getenv(slowEnv); slow != "" {
		all[slowEnv] = slow
	}
	maps.Copy(all, env)
	return all, nil
}
