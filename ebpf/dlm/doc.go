// Package dlm traces the kernel's lock manager: every lock, conversion, unlock, completion
// and blocking notification of a node, and the messages between nodes, as the tracepoints
// of fs/dlm show them (include/trace/events/dlm.h; since Linux 5.16). A BPF program of one
// instruction sequence for all of them copies their fields to a ring buffer.
//
// Where the fields lie differs between kernels: it is read from tracefs when the trace is
// opened, so that no types of the kernel (BTF) are needed.
package dlm
