package ui

import (
	"fmt"
	"io"
	"time"
)

// redraw is the minimum time between two drawings of a progress line.
const redraw = 200 * time.Millisecond

// Progress draws one line that says how far a long job has come. It draws nothing if
// nobody would see it.
type Progress struct {
	w       io.Writer // nil: draw nothing
	what    string
	total   int64
	started time.Time
	drawn   time.Time
}

// Progress starts a progress line on Err for a job of total bytes, unless Err is not
// a terminal or quiet is asked for.
func (o IO) Progress(what string, total int64, quiet bool) *Progress {
	p := &Progress{what: what, total: total}
	if !quiet && o.IsTerminal() {
		p.w, p.started = o.Err, time.Now()
	}
	return p
}

// Update says that done bytes are finished.
func (p *Progress) Update(done int64) {
	if p.w == nil {
		return
	}
	now := time.Now()
	if now.Sub(p.drawn) < redraw {
		return
	}
	p.drawn = now
	fmt.Fprintf(p.w, "\r\x1b[K%s: %s", p.what, p.line(done, now.Sub(p.started)))
}

// line describes the progress: done bytes after the given time.
func (p *Progress) line(done int64, took time.Duration) string {
	text := fmt.Sprintf("%s of %s", Size(done), Size(p.total))
	if p.total > 0 {
		text = fmt.Sprintf("%3d%%  %s", 100*done/p.total, text)
	}
	seconds := took.Seconds()
	if seconds < 1 || done == 0 {
		return text
	}
	rate := float64(done) / seconds
	left := time.Duration(float64(p.total-done) / rate * float64(time.Second)).Round(time.Second)
	return fmt.Sprintf("%s  %s/s  %s left", text, Size(int64(rate)), left)
}

// Close removes the line.
func (p *Progress) Close() {
	if p.w != nil && !p.drawn.IsZero() {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
