package array

// kernelSaid adds what the kernel has logged about the array.
func (r Reporter) kernelSaid(log *KernelLog, array string) {
	for _, line := range log.Heard(array) {
		r.extra(Always, "kernel: %s", line)
	}
}
