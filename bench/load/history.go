package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"

	"chirp/bench/history"
)

// writeHistory writes the network as the archive of a log, for chirp import.
func writeHistory(path string, o options, edges [][2]int, texts []string, r *rand.Rand) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	n := history.Network{Users: o.users, Follows: edges, Texts: texts, Authors: make([]int, o.posts)}
	for i := range n.Authors {
		n.Authors[i] = r.IntN(o.users)
	}
	h := history.NewWriter(f, fmt.Sprintf("history-%d", o.seed), n.Events(), history.Credentials{})
	n.Write(h, r)
	return errors.Join(h.Close(), f.Close())
}
