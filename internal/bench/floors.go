package bench

import "fmt"

// Floors are the speeds that must not be lost: ours over the peer's (see speed),
// so that 2 is twice as fast as the peer and 0.8 a little slower. They are for a
// machine that does nothing else: docs/performance.md has the load beside what
// was measured. A floor is only ever raised.
var Floors = map[string]float64{
	"examine.one":         2.0,
	"assemble.scan64":     0.8,
	"parity.pq.8x64k":     4.0, // snapraid
	"scrub.raid6":         0.9, // cat
	"read.raid5.degraded": 0.55,
}

// Check says which rows are below their floor, one line each.
func Check(results []Result) (below []string) {
	for _, r := range results {
		if floor, ok := Floors[r.Name]; ok && !(r.Speed >= floor) { // NaN is below
			below = append(below, fmt.Sprintf("%s has %.2fx the speed of %s, below its floor of %.2fx", r.Name, r.Speed, r.PeerName, floor))
		}
	}
	return below
}
