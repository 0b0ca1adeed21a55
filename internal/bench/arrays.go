package bench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"sync"
)

// Arrays returns the benchmarks on live arrays: 64 of them with four members each,
// in a lab machine, beside Debian's mdadm in the same machine. The test of package
// arrays runs them all in one go; module is the folder of this module.
func Arrays(module string) []Benchmark {
	all := sync.OnceValues(func() (map[string][2]float64, error) {
		return raceInLab(module, "./internal/bench/arrays", "MDKIT_BENCH_ARRAYS=64")
	})
	var list []Benchmark
	for _, name := range []string{"assemble.scan64", "examine.scan256", "detail.one"} {
		list = append(list, Benchmark{
			Name: name, PeerName: "mdadm 4.2 in the lab", Unit: "ms", Better: "lower",
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

// raceInLab runs the test of a package at full size, which setting asks for, and
// reads what it has measured: our time and the peer's.
func raceInLab(module, pkg, setting string) (map[string][2]float64, error) {
	cmd := exec.Command("go", "test", "-count=1", "-v", "-timeout=20m", pkg)
	cmd.Dir = module
	cmd.Env = append(os.Environ(), "MDKIT_LAB=require", setting)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("measure in the lab: %w\n%s", err, out)
	}
	times := make(map[string][2]float64)
	for _, m := range regexp.MustCompile(`measured (\S+) ([0-9.]+) ([0-9.]+)`).FindAllSubmatch(out, -1) {
		ours, err1 := strconv.ParseFloat(string(m[2]), 64)
		peer, err2 := strconv.ParseFloat(string(m[3]), 64)
		if err1 == nil && err2 == nil {
			times[string(m[1])] = [2]float64{ours, peer}
		}
	}
	return times, nil
}
