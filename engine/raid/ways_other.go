//go:build !amd64 && !arm64

package raid

// ways lists what can be used here, the fastest first.
func ways() []functions { return []functions{generic} }
