package native

import (
	"context"
	"runtime"
	"sync"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/internal/cli/ui"
)

const (
	// streamPiece is about how much one worker reads at once, in bytes: little
	// enough to be still in the processor's cache when it is written.
	streamPiece = 1 << 20
	// streamWorst bounds it for arrays that should be read in larger pieces, in
	// bytes.
	streamWorst = 8 << 20
	// streamWorkers is the minimum number of workers: one reads while another
	// writes.
	streamWorkers = 2
)

// sink takes the bytes of a copy in ascending order; off counts from its start.
type sink interface {
	put(p []byte, off int64) (written int64, err error)
}

// stream copies length bytes at off from d to the sink and returns how many bytes
// were written. Workers take pieces in turn: each reads one while others do the
// same, waits until those before it are written, and writes it.
func stream(ctx context.Context, d block.Device, off, length int64, to sink, progress *ui.Progress) (written int64, err error) {
	if length <= 0 {
		return 0, ctx.Err()
	}
	s := &streamer{d: d, off: off, end: off + length, grain: grainOf(d), to: to, progress: progress}
	s.step = max(s.grain, streamPiece/s.grain*s.grain)
	pieces := (s.end-1)/s.step - off/s.step + 1
	workers := min(int64(max(streamWorkers, runtime.GOMAXPROCS(0))), pieces)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	turns := make([]chan struct{}, workers)
	for i := range turns {
		turns[i] = make(chan struct{}, 1)
	}
	turns[0] <- struct{}{}
	ended := make(chan error, workers)
	for w := range workers {
		go func() {
			ended <- s.work(ctx, w, workers, pieces, turns[w], turns[(w+1)%workers])
		}()
	}
	for range workers {
		select {
		case err = <-ended:
		case <-ctx.Done(): // without waiting for a read that may take long
			err = ctx.Err()
		}
		if err != nil {
			break
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	return s.written, err
}

// grainOf is how much of d one goroutine should read at once.
func grainOf(d block.Device) int64 {
	if a, ok := d.(interface{ Grain() int64 }); ok && a.Grain() <= streamWorst {
		return a.Grain()
	}
	return streamPiece
}

// streamer is a device on its way to a sink.
type streamer struct {
	d        block.Device
	off, end int64 // the part of d that is read
	step     int64 // pieces end at multiples of this
	grain    int64 // and are read in multiples of this
	to       sink
	progress *ui.Progress

	mu      sync.Mutex // held while writing
	written int64
	over    bool // the caller does not wait for more
}

// work copies the pieces of one worker: first, and every workers-th piece after it.
func (s *streamer) work(ctx context.Context, first, workers, pieces int64, turn <-chan struct{}, next chan<- struct{}) error {
	buf := make([]byte, min(s.step, s.end-s.off))
	for i := first; i < pieces; i += workers {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		from := max((s.off/s.step+i)*s.step, s.off)
		p := buf[:min((s.off/s.step+i+1)*s.step, s.end)-from]
		err := s.read(p, from)
		select {
		case <-turn:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err == nil {
			err = s.put(ctx, p, from-s.off)
		}
		if err != nil {
			return err
		}
		next <- struct{}{}
	}
	return nil
}

// read fills p, grain by grain: the array would read several grains with several
// goroutines, and there are several workers already.
func (s *streamer) read(p []byte, from int64) error {
	for len(p) > 0 {
		n := min(int64(len(p)), s.grain-from%s.grain)
		if err := block.ReadFull(s.d, p[:n], from); err != nil {
			return err
		}
		p, from = p[n:], from+n
	}
	return nil
}

// put writes a piece, unless the caller has stopped waiting.
func (s *streamer) put(ctx context.Context, p []byte, at int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return ctx.Err()
	}
	n, err := s.to.put(p, at)
	s.written += n
	if err == nil {
		s.progress.Update(at + int64(len(p)))
	}
	return err
}
