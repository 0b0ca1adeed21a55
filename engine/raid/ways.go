package raid

// ways lists what can be used here, the fastest first.
func ways() []functions { return []functions{generic} }
