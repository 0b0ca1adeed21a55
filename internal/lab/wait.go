package lab

import (
	"context"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"
)

// slowEnv names the one setting for machines on which everything takes longer: it
// stretches every deadline of the tests and the lab.
const slowEnv = "MDKIT_SLOW"

// slowness is $MDKIT_SLOW, or 1 if it is not set or not a positive number.
var slowness = sync.OnceValue(func() float64 {
	n, err := strconv.ParseFloat(os.Getenv(slowEnv), 64)
	if err != nil || n <= 0 {
		return 1
	}
	return n
})

// patience is how long a test waits for one thing. On an idle machine with two
// cores nothing takes more than twenty seconds, and almost everything takes a
// fraction of one.
const patience = 200 * time.Second

// Stretched is d times $MDKIT_SLOW: the deadline for something that has hung if it
// takes d on the slowest machine one can think of.
func Stretched(d time.Duration) time.Duration {
	return time.Duration(float64(d) * slowness())
}

// Until polls until ok says yes. At the deadline the test fails and says what it
// was still waiting for.
func Until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	Poll(t, func() string {
		if ok() {
			return ""
		}
		return what
	})
}

// Poll polls until still returns "". At the deadline the test fails with what it
// returned last: what the test was still waiting for, and perhaps what was there
// instead.
func Poll(t testing.TB, still func() string) {
	t.Helper()
	limit := Stretched(patience)
	deadline := time.Now().Add(limit)
	// What is quick is seen at once, and what is slow is not slowed down
	// further by polling: a guest has one processor.
	for pause := time.Millisecond; ; pause = min(2*pause, 20*time.Millisecond) {
		why := still()
		if why == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("lab: after %v (%s stretches it) still waiting for: %s", limit, slowEnv, why)
		}
		time.Sleep(pause)
	}
}

// Receive takes a value from c. At the deadline the test fails and says what it
// was still waiting for; a closed channel gives the zero value.
func Receive[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	limit := Stretched(patience)
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case v := <-c:
		return v
	case <-timer.C:
		t.Fatalf("lab: after %v (%s stretches it) still waiting for: %s", limit, slowEnv, what)
		panic("not reached")
	}
}

// Patient is the test's context with the deadline of Until, for calls that wait
// by themselves.
func Patient(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Stretched(patience))
	t.Cleanup(cancel)
	return ctx
}
