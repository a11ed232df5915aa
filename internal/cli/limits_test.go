package cli

import (
	"strings"
	"testing"

	"chirp/graph/guard"
)

func TestLimitsAreFlagsAndVariables(t *testing.T) {
	flags := []string{"--max-body", "1", "--max-tokens", "2", "--max-depth", "3", "--max-aliases", "4", "--max-mutations", "5",
		"--max-directives", "6", "--max-fields", "7", "--max-page", "8", "--max-cost", "9"}
	want := guard.Limits{Tokens: 2, Depth: 3, Aliases: 4, Mutations: 5, Directives: 6, Fields: 7, Page: 8, Cost: 9}
	got, err := Parse(flags, nil)
	if err != nil || got.Limits.guardLimits() != want || got.transportLimits().Body != 1 {
		t.Errorf("by flags: got %+v, error %v; want %+v", got.Limits.guardLimits(), err, want)
	}
	defaults, err := Parse(nil, nil)
	if err != nil || defaults.Limits.guardLimits() != (guard.Limits{Tokens: 5000, Depth: 15, Aliases: 50, Mutations: 10,
		Directives: 50, Fields: 1000, Page: 100, Cost: 10_000}) || defaults.transportLimits().Body != 256<<10 {
		t.Errorf("by default: got %+v, error %v", defaults.Limits.guardLimits(), err)
	}
	for i := 0; i < len(flags); i += 2 {
		t.Setenv("CHIRP_"+strings.ToUpper(strings.ReplaceAll(flags[i][2:], "-", "_")), flags[i+1])
	}
	if got, err = Parse(nil, nil); err != nil || got.Limits.guardLimits() != want || got.transportLimits().Body != 1 {
		t.Errorf("by variables: got %+v, error %v; want %+v", got.Limits.guardLimits(), err, want)
	}
}

func TestLimitsAreRefusedInOneLine(t *testing.T) {
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"--max-depth", "0"}, "--max-depth: 0 is less than 1"},
		{[]string{"--max-body=-1"}, "--max-body: -1 is less than 1"},
		{[]string{"--max-cost", "much"}, "--max-cost"},
		{[]string{"--max-page", "101"}, "--max-page: 101 is more than 100"},
		{[]string{"--trusted-documents-only"}, "without --trusted-documents"},
	} {
		if _, err := Parse(c.args, nil); err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v: got error %v, want one line with %q", c.args, err, c.says)
		}
	}
}
