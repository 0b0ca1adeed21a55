package raid

// Culprit is what the two parities of RAID6 reveal about a row of blocks that
// do not agree.
type Culprit struct {
	// Block is the index, in the order of Stripe.Blocks, of the one wrong
	// block; Unknown if more than one must be wrong.
	Block int
	// From and To bound the bytes that do not agree: [From, To) of each block.
	// Both are 0 if all bytes agree.
	From, To int
	// Bytes is how many bytes of each block do not agree.
	Bytes int
}

// Unknown is the Block of a Culprit that cannot be determined.
const Unknown = -1

// FindCulprit looks for the block that, if it alone were wrong, would explain
// every byte at which P or Q differs from what the data blocks yield. The
// blocks are the data blocks, nil for holes, then P, then Q.
//
// Let Pd and Qd be the differences at a byte. Only P differs if P is wrong,
// only Q if Q is; if data block z is wrong by e, then Pd = e and Qd = 2^z e.
func FindCulprit(blocks [][]byte) Culprit {
	n := len(blocks) - 2
	data, p, q := blocks[:n], blocks[n], blocks[n+1]
	goodP, goodQ := make([]byte, len(p)), make([]byte, len(p))
	GenPQ(goodP, goodQ, data)
	logs := gfLogs()
	c := Culprit{Block: Unknown}
	for i := range p {
		dp, dq := p[i]^goodP[i], q[i]^goodQ[i]
		if dp|dq == 0 {
			continue
		}
		if c.Bytes++; c.Bytes == 1 {
			c.From, c.Block = i, blame(dp, dq, data, &logs)
		} else if c.Block != blame(dp, dq, data, &logs) {
			c.Block = Unknown
		}
		c.To = i + 1
	}
	return c
}

// blame returns the block that explains one byte's differences, or Unknown.
func blame(dp, dq byte, data [][]byte, logs *[256]int) int {
	switch {
	case dq == 0:
		return len(data)
	case dp == 0:
		return len(data) + 1
	}
	z := (logs[dq] - logs[dp] + 255) % 255
	if z >= len(data) || data[z] == nil {
		return Unknown
	}
	return z
}

// gfLogs returns the logarithm to base 2 of each element except 0.
func gfLogs() (logs [256]int) {
	power := byte(1)
	for n := range 255 {
		logs[power] = n
		power = gfMul(power, 2)
	}
	return logs
}
