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

// seedEnv and soakEnv choose, from the tests that cannot all be run every time,
// those of this run. A guest gets them from its host.
const (
	seedEnv = "MDKIT_SEED"
	soakEnv = "MDKIT_SOAK"
)

// drawnSeed is the seed of a run for which none is set.
var drawnSeed = sync.OnceValue(func() uint64 { return rand.Uint64() >> 32 })

// Seed is the number on which everything depends that a test leaves to chance:
// $MDKIT_SEED, or if that is not set, one drawn for this process. The Makefile
// sets it from the commit. It is logged, so that a failure can be repeated, and
// it is the same in the guest as on the host.
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

// Rand is a source of random numbers that depends only on Seed and the test's
// name: it is the same for a case in the guest whatever cases run before it.
func Rand(t testing.TB) *rand.Rand {
	t.Helper()
	return source(t, Seed(t))
}

func source(t testing.TB, seed uint64) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(t.Name()))
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// Soak reports whether tests are to run all they have instead of a sample, that
// is, whether $MDKIT_SOAK is set, as by `make soak`. It is the same in the guest.
func Soak() bool { return os.Getenv(soakEnv) != "" }

// Sample returns n elements of the list in their order, picked by Seed and the
// test's name. It returns the whole list if that is no longer than n, in a soak,
// and always in a guest, which runs what the host has picked.
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

// guestEnviron is the environment of a guest's test process: env, and the run's
// settings that are not in env.
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
