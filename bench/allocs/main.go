// Command allocs runs the benchmarks of the hot parts briefly, and fails if one of them
// allocates more than twice as often as baseline.txt says. It compares nothing else,
// because only the number of allocations is steady on every machine.
//
//	go run ./bench/allocs          # compare; needs a mongod, as the tests do
//	go run ./bench/allocs -update  # write the baseline, after a change that is meant
package main

import (
	"bufio"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// hot is what is compared, as go test selects it.
var hot = []struct{ pkg, benchmarks string }{
	{"./graph/api", "^Benchmark(FeedPage|Handler|Push)$"},
	{"./internal/auth", "^BenchmarkRead$"},
	{"./internal/strictjson", "^BenchmarkTypicalRequest$/strict"},
	{"./internal/projector", "^BenchmarkFollow$/sqlite/backfill=32$"},
	{"./internal/storage/sqlite/eventlog", "^BenchmarkAppend$"},
	{"./internal/storage/sqlite/views", "^BenchmarkViews(OneChirp|Timeline|Follow)$"},
	{"./internal/storage/mongodb/eventlog", "^BenchmarkAppend$"},
	{"./internal/storage/mongodb/views", "^BenchmarkTimeline$"},
}

const (
	baselineFile = "bench/allocs/baseline.txt"
	// tolerated is the factor by which allocations may grow, and slack how many more
	// there may be where there are few.
	tolerated, slack = 2, 5
)

func main() {
	update := flag.Bool("update", false, "write the baseline instead of comparing with it")
	flag.Parse()
	if err := run(*update); err != nil {
		fmt.Fprintln(os.Stderr, "allocs:", err)
		os.Exit(1)
	}
}

func run(update bool) error {
	now := counts{}
	for _, h := range hot {
		fmt.Fprintln(os.Stderr, h.pkg, h.benchmarks)
		out, err := exec.Command("go", "test", "-run", "^$", "-bench", h.benchmarks, "-benchmem", "-benchtime", "100x", "-cpu", "2", h.pkg).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w\n%s", h.pkg, err, out)
		}
		found := parse(path.Clean(h.pkg), string(out))
		if len(found) == 0 {
			return fmt.Errorf("%s has no benchmark %s\n%s", h.pkg, h.benchmarks, out)
		}
		maps.Copy(now, found)
	}
	if update {
		return os.WriteFile(baselineFile, []byte(now.String()), 0o644)
	}
	before, err := readBaseline()
	if err != nil {
		return err
	}
	return compare(before, now)
}

// counts are allocations an operation, by package and benchmark.
type counts map[string]int64

// line is a benchmark's result. Its name ends with the number of cores.
var line = regexp.MustCompile(`(?m)^(Benchmark\S*?)(?:-\d+)?\s.*\s(\d+) allocs/op$`)

// parse reads what go test prints.
func parse(pkg, out string) counts {
	c := counts{}
	for _, m := range line.FindAllStringSubmatch(out, -1) {
		c[pkg+" "+m[1]], _ = strconv.ParseInt(m[2], 10, 64) // digits
	}
	return c
}

// String formats the counts as in the baseline, a line each.
func (c counts) String() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(c)) {
		fmt.Fprintln(&b, name, c[name])
	}
	return b.String()
}

func readBaseline() (counts, error) {
	f, err := os.Open(baselineFile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	c := counts{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		i := strings.LastIndexByte(lines.Text(), ' ')
		n, err := strconv.ParseInt(lines.Text()[i+1:], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", baselineFile, err)
		}
		c[lines.Text()[:max(i, 0)]] = n
	}
	return c, lines.Err()
}

// compare prints the counts, and returns an error for each that has doubled, and for
// each benchmark that only one of both has.
func compare(before, now counts) error {
	var errs []error
	all := maps.Clone(before)
	maps.Copy(all, now)
	for _, name := range slices.SortedFunc(maps.Keys(all), cmp.Compare) {
		was, known := before[name]
		is, measured := now[name]
		fmt.Printf("%s: %d allocations, %d in the baseline\n", name, is, was)
		switch {
		case !known:
			errs = append(errs, fmt.Errorf("%s is not in the baseline; write it with -update", name))
		case !measured:
			errs = append(errs, fmt.Errorf("%s is in the baseline and does not exist; write the baseline with -update", name))
		case is > tolerated*was+slack:
			errs = append(errs, fmt.Errorf("%s allocates %d times, more than twice the baseline's %d", name, is, was))
		}
	}
	return errors.Join(errs...)
}
