package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
)

// result is what a row measured.
type result struct {
	Row    string
	When   time.Time
	Failed string // why the row ended early
	Aims   []aim
	Tables []table
}

// aim is a line of the table of aims.
type aim struct {
	What, Store, Measured, Aim string
	Kept                       bool
}

// table has figures behind the aims.
type table struct {
	Title   string
	Columns []string
	Lines   [][]string
}

// atLeast adds an aim that a figure should reach.
func (r *result) atLeast(what, store string, s series, unit func(float64) string, least float64) {
	r.aim(what, store, s, unit, "≥ "+unit(least), s.median() >= least)
}

// atMost adds an aim that a figure should not exceed.
func (r *result) atMost(what, store string, s series, unit func(float64) string, most float64) {
	r.aim(what, store, s, unit, "≤ "+unit(most), s.median() <= most)
}

func (r *result) aim(what, store string, s series, unit func(float64) string, want string, kept bool) {
	a := aim{what, store, s.format(unit), want, kept && len(s) > 0}
	if len(s) == 0 {
		a.Measured = "not measured"
	}
	r.Aims = append(r.Aims, a)
}

// tabulate adds a table.
func (r *result) tabulate(title string, columns []string, lines ...[]string) {
	r.Tables = append(r.Tables, table{title, columns, lines})
}

// aimColumns are those of the table of aims.
var aimColumns = []string{"what", "store", "measured", "aim", "kept"}

func (a aim) line() []string {
	kept := "yes"
	if !a.Kept {
		kept = "**no**"
	}
	return []string{a.What, a.Store, a.Measured, a.Aim, kept}
}

// print prints the row as Markdown.
func (r *result) print(out io.Writer) {
	printAims(out, []result{*r})
	r.printFigures(out)
}

func printAims(out io.Writer, results []result) {
	var lines [][]string
	for _, r := range results {
		for _, a := range r.Aims {
			lines = append(lines, a.line())
		}
		if r.Failed != "" {
			lines = append(lines, []string{"the row " + r.Row + " failed: " + strings.Join(strings.Fields(r.Failed), " "), "", "", "", "**no**"})
		}
	}
	table{Columns: aimColumns, Lines: lines}.print(out)
}

func (r *result) printFigures(out io.Writer) {
	for _, t := range r.Tables {
		t.print(out)
	}
}

func (t table) print(out io.Writer) {
	if t.Title != "" {
		fmt.Fprintf(out, "%s:\n\n", t.Title)
	}
	printLine(out, t.Columns)
	fmt.Fprintf(out, "|%s\n", strings.Repeat("---|", len(t.Columns)))
	for _, l := range t.Lines {
		printLine(out, l)
	}
	fmt.Fprintln(out)
}

func printLine(out io.Writer, cells []string) {
	escaped := make([]string, len(cells))
	for i, text := range cells {
		escaped[i] = strings.ReplaceAll(text, "|", `\|`)
	}
	fmt.Fprintf(out, "| %s |\n", strings.Join(escaped, " | "))
}

// results are those of all rows, of this run and of earlier ones.
type results struct{ Rows []result }

// readResults reads a file that write wrote. There may be none.
func readResults(path string) (*results, error) {
	all := &results{}
	text, err := os.ReadFile(path)
	if path == "" || errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err != nil {
		return nil, err
	}
	return all, json.Unmarshal(text, all)
}

// set replaces the result of a row.
func (all *results) set(r result) {
	all.Rows = slices.DeleteFunc(all.Rows, func(old result) bool { return old.Row == r.Row })
	all.Rows = append(all.Rows, r)
	slices.SortFunc(all.Rows, func(a, b result) int { return rowNumber(a.Row) - rowNumber(b.Row) })
}

func rowNumber(name string) int {
	return slices.IndexFunc(rows, func(r row) bool { return r.name == name })
}

// write writes the results to a file, unless its name is "".
func (all *results) write(path string) error {
	if path == "" {
		return nil
	}
	text, err := json.MarshalIndent(all, "", "\t")
	return errors.Join(err, os.WriteFile(path, text, 0o600))
}

// The markers of the section of a document that writeDoc replaces.
const (
	beginMarker = "<!-- make bench writes from here -->\n"
	endMarker   = "<!-- to here -->\n"
)

// writeDoc writes the results into a document, unless its name is "".
func (all *results) writeDoc(path string) error {
	if path == "" {
		return nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, okBegin := strings.Cut(string(text), beginMarker)
	_, after, okEnd := strings.Cut(rest, endMarker)
	if !okBegin || !okEnd {
		return fmt.Errorf("%s lacks the markers between which results belong", path)
	}
	var b strings.Builder
	b.WriteString(before + beginMarker)
	all.print(&b)
	b.WriteString(endMarker + after)
	return os.WriteFile(path, []byte(b.String()), 0o644)
}

// print prints all results as Markdown.
func (all *results) print(out io.Writer) {
	fmt.Fprintf(out, "\n%s\n\n", machine(all.Rows))
	printAims(out, all.Rows)
	fmt.Fprintf(out, "### Figures\n\n")
	for _, r := range all.Rows {
		r.printFigures(out)
	}
}
