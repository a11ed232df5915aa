package cli

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// progressBar shows how far a command has come: on a terminal as a bar that it
// redraws, elsewhere as a new line every few seconds.
type progressBar struct {
	out      io.Writer
	terminal bool
	drawn    bool // the terminal shows the bar

	step    string   // what is being counted
	samples []sample // of the step, the oldest first
	last    time.Time
}

// sample is how far a step was at a time.
type sample struct {
	at   time.Time
	done int64
}

const (
	barWidth = 30
	// redrawEvery is the time between two drawings on a terminal, and lineEvery
	// that between two lines elsewhere.
	redrawEvery = 200 * time.Millisecond
	lineEvery   = 5 * time.Second
	// rateOver is about how far back the rate looks.
	rateOver = 3 * time.Second
)

func newProgressBar(out io.Writer) *progressBar {
	return &progressBar{out: out, terminal: isTerminal(out)}
}

// show draws the bar, unless it did so a moment ago. step names what is counted,
// such as "events".
func (b *progressBar) show(step string, done, total int64) {
	now := time.Now()
	if step != b.step {
		b.step, b.samples = step, []sample{{now, done}}
		switch {
		case b.terminal:
			b.last = time.Time{}
		case b.last.IsZero():
			b.last = now // a command that ends soon is not worth a line
		}
	}
	every := lineEvery
	if b.terminal {
		every = redrawEvery
	}
	if now.Sub(b.last) < every {
		return
	}
	b.last = now
	text := fmt.Sprintf("%d of %d %s%s", done, total, step, b.speed(now, done, total))
	if !b.terminal {
		fmt.Fprintln(b.out, text)
		return
	}
	filled := barWidth
	if total > 0 {
		filled = int(barWidth * done / total)
	}
	fmt.Fprintf(b.out, "\r\x1b[K[%s%s] %s", strings.Repeat("#", filled), strings.Repeat("-", barWidth-filled), text)
	b.drawn = true
}

// speed describes the rate of late and the time left. It is empty until
// something has been done.
func (b *progressBar) speed(now time.Time, done, total int64) string {
	if last := b.samples[len(b.samples)-1]; now.After(last.at) {
		b.samples = append(b.samples, sample{now, done})
	}
	for len(b.samples) > 2 && now.Sub(b.samples[1].at) > rateOver {
		b.samples = b.samples[1:]
	}
	first := b.samples[0]
	rate := float64(done-first.done) / now.Sub(first.at).Seconds()
	if done == first.done || rate <= 0 {
		return ""
	}
	left := time.Duration(float64(total-done) / rate * float64(time.Second))
	return fmt.Sprintf(", %.0f/s, %s left", rate, max(left, time.Second).Round(time.Second))
}

// clear removes the bar from the terminal.
func (b *progressBar) clear() {
	if b.drawn {
		fmt.Fprint(b.out, "\r\x1b[K")
		b.drawn = false
	}
}

// println writes a line of its own in the place of the bar.
func (b *progressBar) println(format string, args ...any) {
	b.clear()
	fmt.Fprintf(b.out, format+"\n", args...)
}
