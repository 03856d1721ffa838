package progress

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/report"
)

// every is how often a progress that is not on a terminal gets a line.
const every = 5 * time.Second

// width is that of the bar, and withBar the narrowest terminal that has room for one beside the text.
const width, withBar = 24, 80

// A Progress shows the state of a run: a bar that is drawn over itself on a
// terminal, and a line every few seconds elsewhere. It is for one goroutine at
// a time.
type Progress struct {
	w     io.Writer
	width int // of the terminal; 0 is none
	drawn bool
	phase string
	last  time.Duration
}

// New makes a progress that is written to w: a terminal of so many columns, or
// something else if width is 0.
func New(w io.Writer, width int) *Progress {
	return &Progress{w: w, width: width}
}

// Show shows the present state of the run.
func (p *Progress) Show(s loadgen.Progress) {
	begun := p.drawn || p.phase != ""
	if s.Phase == "leaving" && !begun || s.Cast == 0 && (s.Mics == 0 || s.Phase == "opening") {
		return // nobody is in, and the target may not even be there
	}
	if p.width > 0 {
		text := []rune(line(s))
		if p.width >= withBar {
			text = append([]rune(bar(share(s))+" "), text...)
		}
		// A line that is full would go on in the next.
		fmt.Fprintf(p.w, "\r\x1b[K%s", string(text[:min(len(text), p.width-1)]))
		p.drawn = true
		return
	}
	if s.Phase == p.phase && s.Elapsed-p.last < every {
		return
	}
	p.phase, p.last = s.Phase, s.Elapsed
	fmt.Fprintln(p.w, line(s))
}

// Done takes the bar away.
func (p *Progress) Done() {
	if p.drawn {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

// share is how much of the phase is done.
func share(s loadgen.Progress) float64 {
	switch {
	case s.Phase == "arrivals":
		is, of, _ := s.In()
		return float64(is) / float64(max(1, of))
	case s.Phase == "steady" && s.Hold > 0:
		return min(1, s.InPhase.Seconds()/s.Hold.Seconds())
	case s.Phase == "settling" || s.Phase == "scoring" || s.Phase == "leaving":
		return 1
	}
	return 0
}

func bar(share float64) string {
	done := int(share * width)
	return "[" + strings.Repeat("=", done) + strings.Repeat(" ", width-done) + "]"
}

func line(s loadgen.Progress) string {
	is, of, in := s.In()
	text := fmt.Sprintf("%5.1fs  %-8s  %d of %d %s", s.Elapsed.Seconds(), s.Phase, is, of, in)
	if s.Phase == "steady" {
		text += fmt.Sprintf("  %.0f of %.0f s", min(s.InPhase, s.Hold).Seconds(), s.Hold.Seconds())
	}
	if s.Owed > 0 {
		text += fmt.Sprintf("  delivered %s", report.Percent(float64(s.Heard)/float64(s.Owed)))
	}
	return text
}
