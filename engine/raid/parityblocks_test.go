package raid_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/klauspost/reedsolomon"
	"pgregory.net/rapid"

	"github.com/mdkit/mdkit/engine/raid"
	"github.com/mdkit/mdkit/internal/lab"
)

// lengths are block lengths that exercise every loop and tail of the vector
// code.
var lengths = []int{0, 1, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 511, 512, 1000, 4096, 4097, 10000}

// blocks makes n seeded blocks of the given length, at unaligned addresses.
func blocks(rng *rand.Rand, n, length int) [][]byte {
	list := make([][]byte, n)
	for i := range list {
		skip := rng.IntN(9)
		b := make([]byte, skip+length)
		for j := range b {
			b[j] = byte(rng.Uint32())
		}
		list[i] = b[skip:]
	}
	return list
}

// logs are the powers of 2 in the field and their inverse, made here by
// schoolbook multiplication so that the package is not used to judge itself.
func logs() (exp [255]byte, log [256]int) {
	x := 1
	for i := range exp {
		exp[i], log[x] = byte(x), i
		if x <<= 1; x > 255 {
			x ^= 0x11d
		}
	}
	return exp, log
}

// naivePQ computes P and Q by logarithms.
func naivePQ(data [][]byte, length int) (p, q []byte) {
	exp, log := logs()
	p, q = make([]byte, length), make([]byte, length)
	for i, d := range data {
		for j, b := range d {
			p[j] ^= b
			if b != 0 {
				q[j] ^= exp[(log[b]+i)%255]
			}
		}
	}
	return p, q
}

func newRand(t testing.TB) *rand.Rand {
	seed := lab.Seed(t)
	return rand.New(rand.NewPCG(seed, 0))
}

func TestEveryWayAgreesWithTheSchoolbook(t *testing.T) {
	rng := newRand(t)
	if fastest := raid.Ways()[0].Name(); raid.Engine() != fastest {
		t.Errorf("%s is in use; want %s", raid.Engine(), fastest)
	}
	for _, way := range raid.Ways() {
		t.Run(way.Name(), func(t *testing.T) {
			for _, n := range []int{1, 2, 3, 4, 7, 8, 9, 20, 255} {
				for _, length := range lengths {
					if n > 20 && length > 1000 {
						continue
					}
					data := blocks(rng, n, length)
					wantP, wantQ := naivePQ(data, length)
					got := blocks(rng, 3, length)
					way.GenP(got[0], data)
					way.GenPQ(got[1], got[2], data)
					if !bytes.Equal(got[0], wantP) || !bytes.Equal(got[1], wantP) || !bytes.Equal(got[2], wantQ) {
						t.Fatalf("%d blocks of %d bytes: parity is wrong", n, length)
					}
					checkChecks(t, rng, way, data, wantP, wantQ)
				}
			}
		})
	}
}

// checkChecks flips one bit in P and one in Q and expects each to be found, and
// the first one of two.
func checkChecks(t *testing.T, rng *rand.Rand, way raid.Functions, data [][]byte, p, q []byte) {
	t.Helper()
	check := func(wantP, wantQ int) {
		t.Helper()
		if got := way.CheckP(p, data); got != wantP {
			t.Fatalf("CheckP of %d bytes = %d; want %d", len(p), got, wantP)
		}
		if gotP, gotQ := way.CheckPQ(p, q, data); gotP != wantP || gotQ != wantQ {
			t.Fatalf("CheckPQ of %d bytes = %d, %d; want %d, %d", len(p), gotP, gotQ, wantP, wantQ)
		}
	}
	check(-1, -1)
	if len(p) == 0 {
		return
	}
	i, j := rng.IntN(len(p)), rng.IntN(len(q))
	p[i] ^= 1 << rng.IntN(8)
	check(i, -1)
	q[j] ^= 1 << rng.IntN(8)
	check(i, j)
	k := rng.IntN(len(q))
	q[k] ^= 0xff
	if k != j {
		check(i, min(j, k))
	}
}

func TestEveryWayMultiplies(t *testing.T) {
	rng := newRand(t)
	exp, log := logs()
	mul := func(a, b byte) byte {
		if a == 0 || b == 0 {
			return 0
		}
		return exp[(log[a]+log[b])%255]
	}
	for _, way := range raid.Ways() {
		for _, length := range lengths {
			b := blocks(rng, 3, length)
			ca, cb := byte(rng.Uint32()), byte(rng.Uint32())
			want := make([]byte, length)
			for i := range want {
				want[i] = mul(ca, b[0][i]) ^ mul(cb, b[1][i])
			}
			way.MulTwo(b[2], b[0], b[1], ca, cb)
			if !bytes.Equal(b[2], want) {
				t.Fatalf("%s: %d bytes times %d and %d are wrong", way.Name(), length, ca, cb)
			}
			way.MulTwo(b[0], b[0], b[1], ca, cb)
			if !bytes.Equal(b[0], want) {
				t.Fatalf("%s: in place, %d bytes times %d and %d are wrong", way.Name(), length, ca, cb)
			}
		}
	}
}

// TestAgreesWithReedSolomon compares with an independent implementation that is
// set to use RAID6's matrix.
func TestAgreesWithReedSolomon(t *testing.T) {
	rng := newRand(t)
	exp, _ := logs()
	for _, n := range []int{1, 2, 5, 8, 30} {
		powers, ones := make([]byte, n), bytes.Repeat([]byte{1}, n)
		for i := range powers {
			powers[i] = exp[i%255]
		}
		enc, err := reedsolomon.New(n, 2, reedsolomon.WithCustomMatrix([][]byte{ones, powers}))
		if err != nil {
			t.Fatal(err)
		}
		shards := blocks(rng, n+2, 4096)
		if err := enc.Encode(shards); err != nil {
			t.Fatal(err)
		}
		got := blocks(rng, 2, 4096)
		raid.GenPQ(got[0], got[1], shards[:n])
		if !bytes.Equal(got[0], shards[n]) || !bytes.Equal(got[1], shards[n+1]) {
			t.Errorf("%d blocks: P and Q differ", n)
		}
	}
}

func TestRecoverEveryLoss(t *testing.T) {
	rng := newRand(t)
	for _, n := range []int{1, 2, 3, 5, 10} {
		all := blocks(rng, n+2, 777)
		raid.GenPQ(all[n], all[n+1], all[:n])
		for a := range n + 2 {
			for b := a; b < n+2; b++ {
				t.Run(fmt.Sprintf("%d+2 without %d and %d", n, a, b), func(t *testing.T) {
					left := slices.Clone(all)
					left[a], left[b] = blocks(rng, 1, 777)[0], blocks(rng, 1, 777)[0]
					if a == b {
						left[b] = left[a]
					}
					raid.RecoverPQ(left, a, b)
					for i := range left {
						if !bytes.Equal(left[i], all[i]) {
							t.Errorf("block %d is wrong", i)
						}
					}
				})
			}
		}
		for lost := range n + 1 {
			left := slices.Clone(all[:n+1])
			left[lost] = blocks(rng, 1, 777)[0]
			raid.RecoverP(left, lost)
			if !bytes.Equal(left[lost], all[lost]) {
				t.Errorf("%d+1 without %d: wrong", n, lost)
			}
		}
	}
}

// TestHolesCountAsZeroes covers the DDF layouts, whose syndrome has holes.
func TestHolesCountAsZeroes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		data := blocks(rng, rapid.IntRange(2, 9).Draw(t, "blocks"), 100)
		filled := slices.Clone(data)
		for i := range data {
			if rapid.Bool().Draw(t, "hole") {
				data[i], filled[i] = nil, make([]byte, 100)
			}
		}
		wantP, wantQ := naivePQ(filled, 100)
		got := blocks(rng, 2, 100)
		raid.GenPQ(got[0], got[1], data)
		if !bytes.Equal(got[0], wantP) || !bytes.Equal(got[1], wantQ) {
			t.Fatal("P or Q is wrong")
		}
		raid.GenP(got[0], data)
		p, q := raid.CheckPQ(got[0], got[1], data)
		if !bytes.Equal(got[0], wantP) || raid.CheckP(got[0], data) != -1 || p != -1 || q != -1 {
			t.Fatal("P is wrong, or right parity is said to be wrong")
		}
	})
}

// TestAssemblyIsWhatTheGeneratorWrites checks that the committed files are
// current.
func TestAssemblyIsWhatTheGeneratorWrites(t *testing.T) {
	gotool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no go command here: ", err)
	}
	dir := t.TempDir()
	if out, err := exec.Command(gotool, "run", "./asm", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, name := range []string{"parity_amd64.s", "parity_arm64.s"} {
		got, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what the generator writes; run go generate", name)
		}
	}
}

// TestShortBlocksPanic expects a panic where assembly would read beyond a
// block.
func TestShortBlocksPanic(t *testing.T) {
	for name, do := range map[string]func(long, short []byte){
		"GenP":    func(long, short []byte) { raid.GenP(long, [][]byte{long, short}) },
		"GenPQ":   func(long, short []byte) { raid.GenPQ(long, long, [][]byte{short}) },
		"q":       func(long, short []byte) { raid.GenPQ(long, short, [][]byte{long}) },
		"CheckPQ": func(long, short []byte) { raid.CheckPQ(long, long, [][]byte{long, nil, short}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s took blocks of different lengths", name)
				}
			}()
			do(make([]byte, 512), make([]byte, 256))
		}()
	}
}

func BenchmarkParity(b *testing.B) {
	rng := newRand(b)
	for _, size := range []int{4 << 10, 64 << 10, 256 << 10} {
		data, pq := blocks(rng, 8, size), blocks(rng, 2, size)
		for _, list := range [][][]byte{data, pq} {
			for i := range list {
				list[i] = append(make([]byte, 0, size), list[i]...) // aligned
			}
		}
		name := fmt.Sprintf("8x%dk", size>>10)
		b.Run("pq/"+name+"/klauspost", func(b *testing.B) {
			enc, err := reedsolomon.New(8, 2, reedsolomon.WithMaxGoroutines(1), reedsolomon.WithCustomMatrix(
				[][]byte{bytes.Repeat([]byte{1}, 8), {1, 2, 4, 8, 16, 32, 64, 128}}))
			if err != nil {
				b.Fatal(err)
			}
			shards := slices.Concat(data, pq)
			b.SetBytes(int64(8 * size))
			for b.Loop() {
				if err := enc.Encode(shards); err != nil {
					b.Fatal(err)
				}
			}
		})
		for _, way := range raid.Ways() {
			b.Run("xor/"+name+"/"+way.Name(), func(b *testing.B) {
				b.SetBytes(int64(8 * size))
				for b.Loop() {
					way.GenP(pq[0], data)
				}
			})
			b.Run("pq/"+name+"/"+way.Name(), func(b *testing.B) {
				b.SetBytes(int64(8 * size))
				for b.Loop() {
					way.GenPQ(pq[0], pq[1], data)
				}
			})
			b.Run("check/"+name+"/"+way.Name(), func(b *testing.B) {
				way.GenPQ(pq[0], pq[1], data)
				b.SetBytes(int64(8 * size))
				for b.Loop() {
					way.CheckPQ(pq[0], pq[1], data)
				}
			})
		}
	}
}
