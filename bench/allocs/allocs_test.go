package main

import (
	"maps"
	"strings"
	"testing"
)

const printed = `goos: linux
BenchmarkFeedPage-2   	     100	    713812 ns/op	  243310 B/op	    3421 allocs/op
BenchmarkAppend/writers=64-2 	 50	    140786 ns/op	      7103 events/s	         6.446 p50-ms	   17289 B/op	     144 allocs/op
PASS
`

func TestParseReadsTheAllocationsOfEachBenchmark(t *testing.T) {
	want := counts{"graph/api BenchmarkFeedPage": 3421, "graph/api BenchmarkAppend/writers=64": 144}
	if got := parse("graph/api", printed); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestCompareFailsForWhatHasDoubled(t *testing.T) {
	for name, c := range map[string]struct {
		before, now counts
		want        string // "" for no error
	}{
		"equal":   {counts{"a": 100}, counts{"a": 100}, ""},
		"more":    {counts{"a": 100}, counts{"a": 199}, ""},
		"few":     {counts{"a": 0}, counts{"a": 5}, ""},
		"doubled": {counts{"a": 100}, counts{"a": 206}, "a allocates 206 times"},
		"new":     {counts{}, counts{"a": 1}, "a is not in the baseline"},
		"gone":    {counts{"a": 1}, counts{}, "does not exist"},
	} {
		err := compare(c.before, c.now)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestTheBaselineHasEveryHotPackage(t *testing.T) {
	t.Chdir("../..")
	before, err := readBaseline()
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range hot {
		if !strings.Contains(before.String(), strings.TrimPrefix(h.pkg, "./")+" Benchmark") {
			t.Errorf("the baseline lacks %s", h.pkg)
		}
	}
}
