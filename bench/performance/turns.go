package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"chirp/bench/client"
	"chirp/bench/process"
)

// contender is one of those that are compared.
type contender struct {
	name    string
	measure func(ctx context.Context, span time.Duration) (sample, error)
	samples []sample
}

// sample is what was measured of a contender in one round.
type sample struct {
	rate        float64 // calls a second
	p50, p99    time.Duration
	cpu, mongod time.Duration // a call
}

// inTurns measures the contenders in turns, round for round, after a short round that
// only warms them up.
func (s *stage) inTurns(ctx context.Context, contenders []*contender) error {
	for round := range s.rounds + 1 {
		var line strings.Builder
		for _, c := range contenders {
			span := s.span
			if round == 0 {
				span = s.span / 3
			}
			got, err := c.measure(ctx, span)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			if round > 0 {
				c.samples = append(c.samples, got)
				fmt.Fprintf(&line, "; %s %.0f/s", c.name, got.rate)
			}
		}
		if round > 0 {
			progress("round %d%s", round, line.String())
		}
	}
	return nil
}

// loadOn returns a contender: a load on a server.
func (s *stage) loadOn(name string, srv *process.Server, l client.Load) *contender {
	return &contender{name: name, measure: func(ctx context.Context, span time.Duration) (sample, error) {
		before, err := s.used(srv)
		if err != nil {
			return sample{}, err
		}
		l.URL, l.For = srv.URL, span
		r, err := l.Run(ctx)
		if err != nil {
			return sample{}, fmt.Errorf("%w\n%s", err, tail(srv.Log.String()))
		}
		after, err := s.used(srv)
		return newSample(r, after.server-before.server, after.mongod-before.mongod), err
	}}
}

func newSample(r client.Result, cpu, mongod time.Duration) sample {
	calls := time.Duration(max(1, r.Answers))
	return sample{rate: r.Rate(), p50: r.Percentile(50), p99: r.Percentile(99), cpu: cpu / calls, mongod: mongod / calls}
}

// tail returns the end of a log.
func tail(log string) string { return log[max(0, len(log)-2000):] }

// series is a figure, round for round.
type series []float64

// of returns a figure of the contender's samples.
func (c *contender) of(figure func(sample) float64) series {
	list := make(series, len(c.samples))
	for i, s := range c.samples {
		list[i] = figure(s)
	}
	return list
}

func rate(s sample) float64 { return s.rate }
func p50(s sample) float64  { return float64(s.p50) }
func p99(s sample) float64  { return float64(s.p99) }
func cpu(s sample) float64  { return float64(s.cpu) }

func mongodCPU(s sample) float64 { return float64(s.mongod) }

// line returns the contender's line of a table with loadColumns.
func (c *contender) line() []string {
	mongod := c.of(mongodCPU).format(duration)
	return []string{c.name, c.of(rate).format(count), c.of(p50).format(duration), c.of(p99).format(duration), c.of(cpu).format(duration), mongod}
}

// loadColumns are the columns of a load's figures.
var loadColumns = []string{"", "calls/s", "p50", "p99", "CPU a call", "CPU of mongod"}

// npm installs a peer's packages unless they are, and returns its folder.
func (s *stage) npm(ctx context.Context, peer string) (string, error) {
	dir := filepath.Join("bench", "peers", peer)
	if _, err := os.Stat(filepath.Join(dir, "node_modules")); err == nil {
		return dir, nil
	}
	progress("install the packages of %s", dir)
	_, err := execute(ctx, "npm", "ci", "--prefix", dir, "--no-audit", "--no-fund", "--loglevel=error")
	return dir, err
}
