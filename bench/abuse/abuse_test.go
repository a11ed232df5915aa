package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"chirp/bench/process"
	"chirp/internal/apitest"
)

func TestMain(m *testing.M) {
	if os.Getenv(attackerVariable) != "" {
		exit(runAttacker(os.Stdin, os.Stdout))
	}
	os.Exit(apitest.Main(m))
}

// TestAbuseMeasuresAnAttack runs a cheap attack on the built server.
func TestAbuseMeasuresAnAttack(t *testing.T) {
	o := options{
		servers: []build{{"this", apitest.Program(t)}}, stores: []string{embedded}, only: []string{"15b"}, seconds: 1, dir: t.TempDir(),
		world: world{Crowd: 20, Follows: 10, Writers: 2, Chirps: 100, AuthorsChirps: 5},
	}
	var out strings.Builder
	err := run(t.Context(), o, &out)
	t.Logf("error %v\n%s", err, out.String())
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	cells := strings.Split(lines[len(lines)-1], " | ")
	if len(lines) != 3 || len(cells) != len(columns) {
		t.Fatalf("got %d lines, the last with %d cells, want 3 lines and %d cells", len(lines), len(cells), len(columns))
	}
	for name, i := range map[string]int{"queries": 3, "posts": 5, "attacker": 13} {
		if strings.HasPrefix(cells[i], "0.0") || cells[i] == "0" {
			t.Errorf("%s: got %q, want more than nothing", name, cells[i])
		}
	}
}

func TestProblemsAreTheBoundsThatWereNotKept(t *testing.T) {
	times := func(d ...time.Duration) []time.Duration { return d }
	for name, c := range map[string]struct {
		r    result
		want string
	}{
		"none":       {result{queries: times(time.Millisecond), posts: times(time.Second), server: process.Usage{Peak: 1 << 20}}, "held"},
		"queries":    {result{queries: times(200 * time.Millisecond)}, "NOT HELD: queries take 200 ms"},
		"posts":      {result{posts: times(time.Millisecond, 3*time.Second)}, "NOT HELD: a post is seen after 3.0 s"},
		"memory":     {result{server: process.Usage{Peak: 600 << 20}}, "NOT HELD: 600 MB of memory"},
		"log-ins":    {result{logIns: logIns{tried: 12, succeeded: 11}}, "NOT HELD: 11 of 12 right log-ins"},
		"refusals":   {result{attack: tally{Refused: 3}}, "held"},
		"ordinary":   {result{attack: tally{Refused: 3}, ordinary: true}, "NOT HELD: 3 ordinary calls were refused"},
		"the others": {result{failed: map[string]int{"INTERNAL": 2}}, "NOT HELD: 2 × INTERNAL"},
	} {
		if got := verdict(c.r.problems()); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestPercentile(t *testing.T) {
	took := []time.Duration{5, 1, 4, 2, 3}
	got := fmt.Sprint(int(percentile(nil, 50)), int(percentile(took, 50)), int(percentile(took, 95)), int(percentile(took, 100)))
	if want := "0 3 4 5"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestANumberSelectsItsLetters(t *testing.T) {
	o := options{only: []string{"1", "12b"}}
	for id, want := range map[string]bool{"1a": true, "1": true, "12a": false, "12b": true, "0": false} {
		if got := o.selected(id); got != want {
			t.Errorf("%s: got %t, want %t", id, got, want)
		}
	}
	if !(options{}).selected("0") {
		t.Error("without -only, an attack is not selected")
	}
}
