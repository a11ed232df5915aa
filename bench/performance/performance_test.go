package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"chirp/internal/apitest"
)

func TestMain(m *testing.M) { os.Exit(apitest.Main(m)) }

// tiny is only as large as every row needs.
var tiny = size{users: 200, edges: 1000, chirps: 1500, celebrities: 21, readers: 5, sockets: 5, idle: 10, growth: []int{800, 1200}, backlog: 100}

// onBoth are the rows that differ most between the stores.
var onBoth = []string{"feed", "post", "push", "projection", "cost"}

// TestEveryRowMeasures runs all rows on a tiny network, some of them on both stores.
// The peers that need Node are measured if their packages are installed.
func TestEveryRowMeasures(t *testing.T) {
	t.Chdir("../..") // from where the program runs
	dir := t.TempDir()
	o := settings{
		program: apitest.Program(t), stores: []string{embedded, onMongo}, dir: filepath.Join(dir, "data"), results: filepath.Join(dir, "results.json"),
		doc: filepath.Join(dir, "performance.md"), rounds: 1, span: 50 * time.Millisecond, size: tiny,
	}
	_, err := os.Stat("bench/peers/apollo/node_modules")
	o.node = err == nil
	if err := os.WriteFile(o.doc, []byte("# Before\n"+beginMarker+"old\n"+endMarker+"# After\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	both, one := o, o
	both.only, one.stores = onBoth, []string{embedded}
	for _, r := range rows {
		if !slices.Contains(onBoth, r.name) {
			one.only = append(one.only, r.name)
		}
	}
	for _, o := range []settings{both, one} {
		if err := run(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(o.doc)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", text)
	for _, part := range []string{"# Before\n" + beginMarker, endMarker + "# After\n"} {
		if !strings.Contains(string(text), part) {
			t.Errorf("the document lacks %q", part)
		}
	}
	all, err := readResults(o.results)
	if err != nil || len(all.Rows) != len(rows) {
		t.Fatalf("got %d results, %v, want %d", len(all.Rows), err, len(rows))
	}
	for _, r := range all.Rows {
		if len(r.Aims) == 0 || len(r.Tables) == 0 || strings.Contains(string(text), "old\n") {
			t.Errorf("row %s has %d aims and %d tables, want some", r.Row, len(r.Aims), len(r.Tables))
		}
	}
}

func TestWhatAnEarlierRunMeasuredIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.json")
	for _, r := range []result{{Row: "push"}, {Row: "feed", Failed: "once"}, {Row: "feed"}} {
		all, err := readResults(path)
		if err != nil {
			t.Fatal(err)
		}
		all.set(r)
		if err := all.write(path); err != nil {
			t.Fatal(err)
		}
	}
	all, err := readResults(path)
	if err != nil || len(all.Rows) != 2 || all.Rows[0].Row != "feed" || all.Rows[0].Failed != "" || all.Rows[1].Row != "push" {
		t.Errorf("got %+v, %v, want the last results of feed and push, in this order", all, err)
	}
}

func TestAimsSayWhatWasMissed(t *testing.T) {
	var r result
	r.atLeast("rate", embedded, series{3, 1, 2}, count, 2)
	r.atMost("time", onMongo, series{5e6}, duration, 4e6)
	r.atLeast("peer", "", nil, ratio, 1)
	var out strings.Builder
	r.print(&out)
	for _, want := range []string{
		"| rate | embedded | 2 (1–3) | ≥ 2 | yes |\n", "| time | mongodb | 5.0 ms | ≤ 4.0 ms | **no** |\n", "| peer |  | not measured | ≥ 1.00 | **no** |\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("got\n%s\nwant the line %q", out.String(), want)
		}
	}
}

func TestFiguresAreShort(t *testing.T) {
	for got, want := range map[string]string{
		count(7): "7", count(1234.4): "1,234", count(1_234_567): "1,234,567",
		duration(12_345): "0.012 ms", duration(123_456): "0.12 ms", duration(1_234_567): "1.2 ms", duration(12_345_678): "12 ms", duration(1.5e9): "1.5 s",
		series{4, 1, 3, 2}.format(ratio): "2.50 (1.00–4.00)",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestAFurtherDeliveryHasNoShareOfItsChirp: a chirp takes 30, and each delivery 2.
func TestAFurtherDeliveryHasNoShareOfItsChirp(t *testing.T) {
	single := &cost{cpu: series{20}, mongod: series{12}}
	ten := &cost{deliveries: 10, cpu: series{4}, mongod: series{1}} // (30 + 10 · 2) / 10
	if got := ten.further(single); len(got) != 1 || got[0] != 2 {
		t.Errorf("got %v, want 2", got)
	}
}
