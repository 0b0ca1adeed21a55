package bench

import (
	"context"
	"errors"
)

// Locks returns the benchmark on the lock manager: locks, conversions and unlocks a
// second through package dlm, and through libdlm by a program in C, in one lab machine.
// module is the folder of this module.
func Locks(module string) []Benchmark {
	return []Benchmark{{
		Name: "dlm.lock", PeerName: "libdlm 4.2 in the lab", Unit: "1/s", Better: "higher",
		Run: func(context.Context, string) (float64, float64, error) {
			times, err := raceInLab(module, "./internal/bench/locks", "MDKIT_BENCH_LOCKS=3000")
			if err != nil {
				return 0, 0, err
			}
			pair, ok := times["dlm.lock"]
			if !ok {
				return 0, 0, errors.New("the machine has not measured it")
			}
			return pair[0], pair[1], nil
		},
	}}
}
