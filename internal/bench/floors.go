package bench

import (
	"fmt"

	"golang.org/x/sys/cpu"
)

// Floors are the speeds below which rows must not fall: ours relative to the
// peer's (see speed), so that 2 is twice as fast as the peer and 0.8 a little
// slower. They are for a machine that does nothing else: docs/performance.md shows
// the load during each measurement. A floor is only ever raised.
var Floors = map[string]float64{
	"examine.one":         0.5,  // at most 2.0 times mdadm's time, most of which is starting a process
	"assemble.scan64":     1.25, // at most 0.8 of mdadm's time
	"parity.pq.8x64k":     parityFloor(),
	"scrub.raid6":         0.9, // cat
	"read.raid5.degraded": 0.55,
	"dlm.lock":            0.65,
}

// parityFloor depends on the processor: snapraid uses nothing beyond AVX2, with
// which it is a little faster than ours.
func parityFloor() float64 {
	if cpu.X86.HasAVX512F && cpu.X86.HasAVX512GFNI {
		return 4
	}
	return 0.7
}

// Check lists the rows that are below their floor, one line each.
func Check(results []Result) (below []string) {
	for _, r := range results {
		if floor, ok := Floors[r.Name]; ok && !(r.Speed >= floor) { // NaN is below
			below = append(below, fmt.Sprintf("%s has %.2fx the speed of %s, below its floor of %.2fx", r.Name, r.Speed, r.PeerName, floor))
		}
	}
	return below
}
