//go:build !unix || freebsd || dragonfly

package app

import "math"

// mostFiles returns how many files this process may have open. Here that is not
// known.
func mostFiles() int { return math.MaxInt32 }
