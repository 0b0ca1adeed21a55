//go:build !amd64 && !arm64

package raid

// ways lists the implementations that can run here, the fastest first.
func ways() []functions { return []functions{generic} }
