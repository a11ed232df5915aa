// Command performance measures Chirp on both stores, beside its peers and the floor
// beneath it, and writes what it measured to doc/performance.md.
//
//	make bench
//
// It starts all that it needs. What is compared is measured in turns in one run, and a
// figure is the median of the rounds.
//
//	go run ./bench/performance -only feed,post -dir /tmp/bench
//
// measures only some rows, and keeps the data for the next time.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

type settings struct {
	program string // to measure, "" for the one of this module
	follows string
	only    []string
	stores  []string
	dir     string
	results string
	doc     string
	rounds  int
	span    time.Duration
	node    bool // measure the peers that need Node
	size    size
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parse(os.Args[1:])
	if err == nil {
		err = run(ctx, o)
	}
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "performance:", err)
		os.Exit(1)
	}
}

// realGraph is where a real follow graph is, if there is one.
const realGraph = "../shared/data/github-follows.csv.gz"

func parse(args []string) (settings, error) {
	o := settings{size: full}
	flags := flag.NewFlagSet("performance", flag.ContinueOnError)
	flags.StringVar(&o.program, "server", "", "measure this program (default: that of this module)")
	flags.StringVar(&o.follows, "follows", "", "edge list of mutual follows, as for bench/load (default: "+realGraph+", or a generated graph of the same shape)")
	only := flags.String("only", "", "only these rows: feed,post (default: all)")
	store := flags.String("store", "both", "embedded, mongodb or both")
	flags.StringVar(&o.dir, "dir", "", "folder in which to keep the data for the next time (default: a temporary one)")
	flags.StringVar(&o.results, "results", "", "keep the results in this file, beside those of other rows")
	flags.StringVar(&o.doc, "doc", "", "write the results to this document, between its markers")
	flags.IntVar(&o.rounds, "rounds", 5, "rounds in which all are measured in turns")
	flags.DurationVar(&o.span, "span", 3*time.Second, "how long a round measures each")
	flags.BoolVar(&o.node, "node", true, "measure Apollo Server and Emmett too, which need Node 20")
	quick := flags.Bool("quick", false, "measure a small network in a minute, only to see that it works")
	list := flags.Bool("list", false, "print the rows and exit")
	if err := flags.Parse(args); err != nil {
		return o, flag.ErrHelp // the flag set has printed it
	}
	if *list {
		for _, r := range rows {
			fmt.Printf("%-12s %s\n", r.name, r.what)
		}
		return o, flag.ErrHelp
	}
	if *quick {
		o.size, o.rounds, o.span = small, 1, 300*time.Millisecond
	}
	if _, err := os.Stat(realGraph); err == nil && o.follows == "" && !*quick {
		o.follows = realGraph
	}
	if *only != "" {
		o.only = strings.Split(*only, ",")
	}
	return o, o.check(*store)
}

// check refuses names that do not exist.
func (o *settings) check(store string) error {
	switch store {
	case embedded, onMongo:
		o.stores = []string{store}
	case "both":
		o.stores = []string{embedded, onMongo}
	default:
		return fmt.Errorf("-store: %q is not embedded, mongodb or both", store)
	}
	for _, name := range o.only {
		if !slices.ContainsFunc(rows, func(r row) bool { return r.name == name }) {
			return fmt.Errorf("-only: there is no row %q; -list prints them", name)
		}
	}
	return nil
}

// row is a part of the benchmark.
type row struct {
	name, what string
	measure    func(ctx context.Context, s *stage, r *result) error
}

// rows are measured in this order. The first ones change the stores least.
var rows = []row{
	{"feed", "a page of a feed, beside other queries, gqlgen and Apollo Server", measureFeed},
	{"post", "posting a chirp, beside the driver's inserts and Emmett's appends", measurePost},
	{"push", "pushing a chirp to many sockets", measurePush},
	{"celebrities", "pages of users who follow many celebrities", measureCelebrities},
	{"projection", "the views of a log that grows", measureProjection},
	{"cost", "what a page, a post and a delivery take", measureCost},
	{"behind", "views after an import", measureBehind},
	{"rebuild", "chirp rebuild", measureRebuild},
	{"idle", "sockets that do nothing", measureIdle},
	{"memory", "resident memory while feeds are read", measureMemory},
	{"growth", "pages, posts and starts on logs of different lengths", measureGrowth},
	{"start", "start to ready on a long log, and the program's size", measureStart},
}

// run measures the rows that are selected. What was measured before an error is kept.
func run(ctx context.Context, o settings) (err error) {
	s, err := newStage(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	kept, err := readResults(o.results)
	if err != nil {
		return err
	}
	var failed error
	for _, r := range rows {
		if len(o.only) > 0 && !slices.Contains(o.only, r.name) || ctx.Err() != nil {
			continue
		}
		got := &result{Row: r.name, When: time.Now()}
		progress("row %s: %s", r.name, r.what)
		if err := r.measure(ctx, s, got); err != nil {
			got.Failed = err.Error()
			failed = errors.Join(failed, fmt.Errorf("row %s: %w", r.name, err))
		}
		got.print(os.Stdout)
		kept.set(*got)
		if err := errors.Join(kept.write(o.results), kept.writeDoc(o.doc)); err != nil {
			return err
		}
	}
	return errors.Join(failed, ctx.Err())
}

// progress tells on standard error what is going on.
func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05 ")+format+"\n", args...)
}
