package bench

import (
	"context"
	"fmt"
	"sync"
)

// Mapped returns the benchmarks on mapped devices: 1,000 of them are made, listed
// and removed in a lab machine, by one process for each command beside Debian's
// dmsetup in the same machine, and by one program through package manage/mapper.
// module is the folder of this module.
func Mapped(module string) []Benchmark {
	all := sync.OnceValues(func() (map[string][2]float64, error) {
		return raceInLab(module, "./internal/bench/mapped", "MDKIT_BENCH_MAPPED=1000")
	})
	var list []Benchmark
	for _, name := range []string{"dm.create1000.cli", "dm.create1000.library"} {
		list = append(list, Benchmark{
			Name: name, PeerName: "dmsetup 1.02.185 in the lab", Unit: "ms", Better: "lower",
			Run: func(context.Context, string) (float64, float64, error) {
				times, err := all()
				if err != nil {
					return 0, 0, err
				}
				pair, ok := times[name]
				if !ok {
					return 0, 0, fmt.Errorf("the machine has not measured %s", name)
				}
				return pair[0], pair[1], nil
			},
		})
	}
	return list
}
