package ui

// Exit codes of the native verbs; docs/exit-codes.md says what they mean for
// each. They are the bits of fsck(8), and add up when several apply. Drop-in
// faces use the codes of the original instead.
const (
	ExitOK        = 0   // done, and nothing is wrong
	ExitRepaired  = 1   // problems found and repaired, all of them
	ExitNothing   = 2   // probe, inspect: nothing recognised
	ExitProblems  = 4   // problems found and left as they are
	ExitFailed    = 8   // the command could not do its work
	ExitUsage     = 16  // the command line is wrong; nothing was done
	ExitCancelled = 32  // interrupted; nothing half-done was left
	ExitPipe      = 141 // the reader of our output went away
)
