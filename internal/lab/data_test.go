package lab

import (
	"bytes"
	"crypto/sha256"
	"math/rand/v2"
	"testing"
)

// TestData sends a lot of data both ways over the channel.
func TestData(t *testing.T) {
	set := Cases(t, Case{Name: "echo", Run: func(t *testing.T, g *Guest) {
		big := make([]byte, 2<<20)
		rand.NewChaCha8([32]byte{1}).Read(big)
		g.Publish("big", big)
		sum := sha256.Sum256(g.Await("question"))
		g.Publish("answer", sum[:])
	}})
	m := set.Start(t, Spec{}, "echo")
	want := make([]byte, 2<<20)
	rand.NewChaCha8([32]byte{1}).Read(want)
	if !bytes.Equal(m.Await("big"), want) {
		t.Error("the guest's data came wrong")
	}
	m.Tell("question", want[:200_000])
	if sum := sha256.Sum256(want[:200_000]); !bytes.Equal(m.Await("answer"), sum[:]) {
		t.Error("the host's data came wrong")
	}
	m.Wait()
}
