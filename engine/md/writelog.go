package md

// writeLog is what an array keeps so that a power cut during a write can be made
// good: a write-intent bitmap, a partial parity log or a write journal. An
// array without one relies on a full resync.
//
// Reading only needs none; whatever a log holds that the members lack is seen
// through them before (see patches).
type writeLog interface {
	// start is called once, before the superblocks say for the first time that
	// the array is written to.
	start() error
	// begin is called before a write reaches any member, with whatever the
	// write may change locked. When it returns the write can be made good. It
	// gives what to call after the write; err is why it was not done in full,
	// if it was not.
	begin(w writing) (end func(err error), err error)
	// stop is called when the array is closed in order: nothing is being
	// written, and everything is durable. The superblocks, which are marked
	// as clean next, may be told something too.
	stop() error
}

// writing is a write that is about to be done.
type writing struct {
	// from and to are the bytes [from, to) that a resync would have to go over:
	// of the array for raid1 and raid10, of each member for raid4, 5 and 6.
	from, to int64
	// row is what is to be written, data and parity, and pieces are the parts
	// of it that are new data; for raid4, 5 and 6 only.
	row    *rowWork
	pieces []piece
}

// logged does a write with what the log wants before and after. There need be
// no log.
func logged(log writeLog, w writing, write func() error) error {
	if log == nil {
		return write()
	}
	end, err := log.begin(w)
	if err != nil {
		return err
	}
	err = write()
	end(err)
	return err
}
