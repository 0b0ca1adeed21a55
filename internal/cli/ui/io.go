// Package ui holds what the command-line faces share: the streams they talk
// over, tables, JSON and progress.
package ui

import "io"

// IO is where a command reads answers and writes what it has to say. Faces
// take it as an argument and never touch the process's own streams.
type IO struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer
}
