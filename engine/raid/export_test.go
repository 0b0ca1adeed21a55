package raid

// Ways and Functions let tests run every implementation of the arithmetic that
// this processor can run, not just the one in use.

type Functions struct{ f functions }

func Ways() (list []Functions) {
	for _, f := range ways() {
		list = append(list, Functions{f})
	}
	return list
}

func (f Functions) Name() string                       { return f.f.name }
func (f Functions) GenP(p []byte, data [][]byte)       { f.f.genP(p, data) }
func (f Functions) GenPQ(p, q []byte, data [][]byte)   { f.f.genPQ(p, q, data) }
func (f Functions) CheckP(p []byte, data [][]byte) int { return f.f.checkP(p, data) }
func (f Functions) MulTwo(d, a, b []byte, ca, cb byte) { f.f.mulTwo(d, a, b, ca, cb) }
func (f Functions) CheckPQ(p, q []byte, data [][]byte) (int, int) {
	return f.f.checkPQ(p, q, data)
}
