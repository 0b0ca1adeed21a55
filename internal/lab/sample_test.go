package lab

import (
	"slices"
	"testing"
)

func TestSample(t *testing.T) {
	t.Setenv(soakEnv, "")
	t.Setenv(seedEnv, "7")
	list := make([]int, 50)
	for i := range list {
		list[i] = i
	}
	got := Sample(t, list, 5)
	if len(got) != 5 || !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != 5 {
		t.Errorf("Sample = %v, want 5 different ones in their order", got)
	}
	if again := Sample(t, list, 5); !slices.Equal(got, again) {
		t.Errorf("one seed gives %v and %v", got, again)
	}
	t.Run("another test", func(t *testing.T) {
		if other := Sample(t, list, 5); slices.Equal(got, other) {
			t.Errorf("two tests take the same %v", got)
		}
	})
	t.Setenv(seedEnv, "8")
	if other := Sample(t, list, 5); slices.Equal(got, other) {
		t.Errorf("two seeds give the same %v", got)
	}
	if Seed(t) != 8 {
		t.Errorf("Seed = %d, want %s", Seed(t), seedEnv)
	}
	if all := Sample(t, list, 60); len(all) != 50 {
		t.Errorf("60 of 50 are %d", len(all))
	}
	t.Setenv(soakEnv, "1")
	if all := Sample(t, list, 5); len(all) != 50 || !Soak() {
		t.Errorf("a soak takes %d of 50", len(all))
	}
}

// TestSampleIsFair checks that every element gets its turn: over many seeds each
// is picked about equally often.
func TestSampleIsFair(t *testing.T) {
	t.Setenv(soakEnv, "")
	var count [10]int
	for i := range 1000 {
		t.Setenv(seedEnv, string(rune('1'+i%9))+string(rune('0'+i/9%10))+string(rune('0'+i/90%10)))
		for _, at := range Sample(t, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, 3) {
			count[at]++
		}
	}
	for at, n := range count {
		if n < 200 || n > 400 {
			t.Errorf("element %d was picked %d times of 1000, want about 300", at, n)
		}
	}
}

func TestGuestEnviron(t *testing.T) {
	t.Setenv(seedEnv, "5")
	t.Setenv(soakEnv, "1")
	env, err := guestEnviron(map[string]string{"A": "b", seedEnv: "9"})
	if err != nil || env[seedEnv] != "9" || env[soakEnv] != "1" || env["A"] != "b" {
		t.Errorf("guestEnviron = %v, %v", env, err)
	}
	t.Setenv(seedEnv, "")
	env, err = guestEnviron(nil)
	if err != nil || env[seedEnv] == "" {
		t.Errorf("without a seed of the user's the guest gets %v, %v", env, err)
	}
	t.Setenv(seedEnv, "x")
	if _, err := guestEnviron(nil); err == nil {
		t.Error("a seed that is no number is taken")
	}
}
