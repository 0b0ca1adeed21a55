package bench

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/reedsolomon"

	"github.com/mdkit/mdkit/engine/raid"
	"github.com/mdkit/mdkit/internal/lab"
)

// Parity is measured over eight data blocks of this many bytes, on one
// processor, with blocks that do not compete for lines of the cache; snapraid
// displaces those that it measures with, too.
const (
	parityBlocks = 8
	parityBlock  = 64 << 10
)

// ParityPQ measures P+Q against the best that snapraid finds on this machine,
// in MB of data a second.
func ParityPQ() Benchmark {
	return Benchmark{
		Name: "parity.pq.8x64k", PeerName: "snapraid 12.2 (gen2)", Unit: "MB/s", Better: "higher",
		Run: func(ctx context.Context, _ string) (float64, float64, error) {
			ours, err := throughput(genPQ)
			if err != nil {
				return 0, 0, err
			}
			peer, err := snapraid(ctx, "gen2")
			return ours, peer, err
		},
	}
}

// ParityPQKlauspost measures P+Q against github.com/klauspost/reedsolomon.
func ParityPQKlauspost() Benchmark {
	return Benchmark{
		Name: "parity.pq.8x64k.klauspost", PeerName: "klauspost/reedsolomon", Unit: "MB/s", Better: "higher",
		Run: func(context.Context, string) (float64, float64, error) {
			enc, err := reedsolomon.New(parityBlocks, 2, reedsolomon.WithMaxGoroutines(1), reedsolomon.WithCustomMatrix(
				[][]byte{bytes.Repeat([]byte{1}, parityBlocks), {1, 2, 4, 8, 16, 32, 64, 128}}))
			if err != nil {
				return 0, 0, err
			}
			ours, err := throughput(genPQ)
			if err != nil {
				return 0, 0, err
			}
			peer, err := throughput(enc.Encode)
			return ours, peer, err
		},
	}
}

// ParityXor measures P alone.
func ParityXor() Benchmark {
	return Benchmark{
		Name: "parity.xor.8x64k", PeerName: "snapraid 12.2 (gen1)", Unit: "MB/s", Better: "higher",
		Run: func(ctx context.Context, _ string) (float64, float64, error) {
			ours, err := throughput(func(blocks [][]byte) error {
				raid.GenP(blocks[parityBlocks], blocks[:parityBlocks])
				return nil
			})
			if err != nil {
				return 0, 0, err
			}
			peer, err := snapraid(ctx, "gen1")
			return ours, peer, err
		},
	}
}

func genPQ(blocks [][]byte) error {
	raid.GenPQ(blocks[parityBlocks], blocks[parityBlocks+1], blocks[:parityBlocks])
	return nil
}

// throughput runs do repeatedly and returns the best of several turns, in MB of
// data a second: disturbances only ever make a turn slower.
func throughput(do func(blocks [][]byte) error) (best float64, err error) {
	blocks := raid.Blocks(parityBlocks+2, parityBlock)
	for i := range blocks {
		for j := range blocks[i] {
			blocks[i][j] = byte(rand.Uint32())
		}
	}
	const turns, loops = 20, 4000
	for range turns {
		start := time.Now()
		for range loops {
			if err := do(blocks); err != nil {
				return 0, err
			}
		}
		best = max(best, loops*parityBlocks*parityBlock/time.Since(start).Seconds()/1e6)
	}
	return best, nil
}

// snapraid runs `snapraid -T` and returns the speed of the fastest implementation
// of the named function that it finds, in MB/s.
func snapraid(ctx context.Context, function string) (best float64, err error) {
	tool, err := lab.OpenTool(ctx, "snapraid")
	if err != nil {
		return 0, err
	}
	out, err := tool.Command(ctx, "-T").Output()
	if err != nil {
		return 0, fmt.Errorf("snapraid -T: %w", err)
	}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		if len(words) < 3 || words[0] != function {
			continue
		}
		for _, w := range words[2:] {
			speed, err := strconv.ParseFloat(w, 64)
			if err != nil {
				return 0, fmt.Errorf("snapraid -T: %q in %q", w, line)
			}
			best = max(best, speed)
		}
	}
	if best == 0 {
		return 0, fmt.Errorf("snapraid -T says nothing of %s:\n%s", function, out)
	}
	return best, nil
}
