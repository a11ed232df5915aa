// Command abuse attacks Chirp servers as strangers could, and measures what other
// users notice. It starts the servers itself, with default settings, on an
// imported world, and the attacker as a process of its own, on addresses that are
// not those of the other users. It prints a line of a table for each attack, store
// and server, and exits with status 1 if the last server has not kept a bound.
//
//	go run ./bench/abuse -server before=/tmp/chirp-before -server now=./chirp
//
// Without -server it measures the program as it is in this module.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

type options struct {
	servers []build
	stores  []string
	only    []string
	seconds float64
	dir     string
	world   world
}

func main() {
	if os.Getenv(attackerVariable) != "" {
		exit(runAttacker(os.Stdin, os.Stdout))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parse(os.Args[1:])
	if err != nil {
		exit(err)
	}
	exit(run(ctx, o, os.Stdout))
}

// exit ends the process with the status of an error.
func exit(err error) {
	if err == nil || errors.Is(err, flag.ErrHelp) {
		os.Exit(0)
	}
	fmt.Fprintln(os.Stderr, "abuse:", err)
	os.Exit(1)
}

func parse(args []string) (options, error) {
	o := options{world: fullWorld}
	flags := flag.NewFlagSet("abuse", flag.ContinueOnError)
	flags.Func("server", "measure the program LABEL=PATH; can be repeated", func(text string) error {
		label, path, ok := strings.Cut(text, "=")
		if !ok {
			return errors.New("it is not LABEL=PATH")
		}
		o.servers = append(o.servers, build{label, path})
		return nil
	})
	store := flags.String("store", "both", "embedded, mongodb or both")
	only := flags.String("only", "", "only these attacks: 1,4b (default: all)")
	flags.Float64Var(&o.seconds, "seconds", 15, "how long each attack takes")
	flags.StringVar(&o.dir, "dir", "", "folder for the data, which is removed at the end (default: that of temporary files)")
	list := flags.Bool("list", false, "print the attacks and exit")
	if err := flags.Parse(args); err != nil {
		return o, flag.ErrHelp // the flag set has printed it
	}
	if *list {
		for _, k := range attacks {
			fmt.Println(k.id, k.what)
		}
		for _, c := range checks {
			fmt.Println(c.id, c.what)
		}
		return o, flag.ErrHelp
	}
	switch *store {
	case embedded, onMongo:
		o.stores = []string{*store}
	case "both":
		o.stores = []string{embedded, onMongo}
	default:
		return o, fmt.Errorf("-store: %q is not embedded, mongodb or both", *store)
	}
	if *only != "" {
		o.only = strings.Split(*only, ",")
	}
	return o, nil
}

// selected reports whether an attack is to run. A number selects all its letters.
func (o options) selected(id string) bool {
	return len(o.only) == 0 || slices.Contains(o.only, id) || slices.Contains(o.only, strings.TrimRight(id, "abcdefghijklmnopqrstuvwxyz"))
}

// run measures all that is selected.
func run(ctx context.Context, o options, out io.Writer) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := newStage(ctx, o)
	if err != nil {
		return err
	}
	defer s.close()
	if len(s.servers) == 0 {
		path := filepath.Join(s.dir, "chirp")
		if text, err := exec.CommandContext(ctx, "go", "build", "-o", path, "chirp").CombinedOutput(); err != nil {
			return fmt.Errorf("build the program: %w\n%s", err, text)
		}
		s.servers = []build{{"this", path}}
	}
	broken, err := s.runAttacks(ctx, out)
	if err != nil {
		return err
	}
	broken = append(broken, s.runChecks(ctx, out)...)
	if len(broken) > 0 {
		return fmt.Errorf("%s: a bound was not kept in %s", s.judged().label, strings.Join(broken, ", "))
	}
	return ctx.Err()
}

// judged returns the build whose results are the exit status.
func (o options) judged() build { return o.servers[len(o.servers)-1] }

// runAttacks runs the attacks, each on one server after another, so that what else
// the machine does affects all of them alike. It returns those in which the last
// server has not kept a bound.
func (s *stage) runAttacks(ctx context.Context, out io.Writer) (broken []string, err error) {
	for _, store := range s.stores {
		for _, k := range attacks {
			for _, b := range s.servers {
				if !s.selected(k.id) || ctx.Err() != nil {
					continue
				}
				at, err := s.site(ctx, b, store)
				if err != nil {
					return broken, err
				}
				r, err := s.measure(ctx, at, k)
				if err != nil {
					r.failed = map[string]int{err.Error(): 1}
				}
				s.header.once(out, columns)
				r.print(out, k, at)
				if b == s.judged() && len(r.problems()) > 0 {
					broken = append(broken, k.id+" ("+store+")")
				}
			}
		}
	}
	return broken, nil
}

// runChecks runs the checks likewise.
func (s *stage) runChecks(ctx context.Context, out io.Writer) (broken []string) {
	for _, store := range s.stores {
		for _, c := range checks {
			for _, b := range s.servers {
				if !s.selected(c.id) || c.store != "" && c.store != store || ctx.Err() != nil {
					continue
				}
				err := s.try(ctx, b, store, c)
				s.header.once(out, checkColumns)
				c.print(out, store, b, err)
				if b == s.judged() && err != nil {
					broken = append(broken, c.id+" ("+store+")")
				}
			}
		}
	}
	return broken
}
