package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// The table is Markdown, and its lines appear as they are measured.

var columns = []string{
	"attack", "store", "server", "query p50", "p95", "post seen p50", "p95", "max", "views lag", "memory", "CPU", "mongod", "attacker", "attacker/s", "refused", "verdict",
}

var checkColumns = []string{"check", "store", "server", "verdict"}

// print prints a line of the checks' table.
func (c check) print(out io.Writer, store string, b build, err error) {
	var problems []string
	if err != nil {
		problems = strings.Split(err.Error(), "\n")
	}
	printLine(out, c.id+" "+c.what, store, b.label, verdict(problems))
}

// printLine prints cells on one line, whatever they contain.
func printLine(out io.Writer, cells ...string) {
	for i, text := range cells {
		cells[i] = strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", `\|`)
	}
	fmt.Fprintf(out, "| %s |\n", strings.Join(cells, " | "))
}

// header remembers for which columns a header was printed.
type header struct{ columns string }

// once prints a header unless the last one was for the same columns.
func (h *header) once(out io.Writer, columns []string) {
	text := strings.Join(columns, " | ")
	if text == h.columns {
		return
	}
	if h.columns != "" {
		fmt.Fprintln(out)
	}
	h.columns = text
	fmt.Fprintf(out, "| %s |\n|%s\n", text, strings.Repeat("---|", len(columns)))
}

// print prints a line of the table. CPU is in percent of a core.
func (r result) print(out io.Writer, k kind, at *site) {
	t := r.attack
	all := float64(t.Done + t.Refused + t.Failed)
	share := func(n int64) string { return fmt.Sprintf("%.0f %%", 100*float64(n)/max(1, all)) }
	cpu := func(d, of time.Duration) string {
		return fmt.Sprintf("%.0f %%", 100*d.Seconds()/max(of, time.Second).Seconds())
	}
	mongod := ""
	if at.store == onMongo {
		mongod = cpu(r.mongod, r.span)
	}
	refused := share(t.Refused)
	if t.Failed > 0 {
		refused += ", " + share(t.Failed) + " failed"
	}
	end := verdict(r.problems())
	if r.logIns.tried > 0 {
		end += fmt.Sprintf(" (log-ins: %d of %d, slowest %s)", r.logIns.succeeded, r.logIns.tried, short(r.logIns.slowest))
	}
	if t.Note != "" {
		end += " (" + t.Note + ")"
	}
	cells := []string{
		k.id + " " + k.what, at.store, at.label,
		short(percentile(r.queries, 50)), short(percentile(r.queries, 95)),
		short(percentile(r.posts, 50)), short(percentile(r.posts, 95)), short(percentile(r.posts, 100)),
		fmt.Sprint(r.lag), fmt.Sprintf("%d MB", r.server.Peak>>20), cpu(r.server.CPU, r.span), mongod, cpu(t.CPU, r.took),
		fmt.Sprintf("%.0f", all/max(r.took, time.Second).Seconds()), refused, end,
	}
	printLine(out, cells...)
}

// short formats a duration with three digits or fewer.
func short(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/1e6)
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	default:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
}
