//go:build !linux

package e2e

import "testing"

// fullDisks returns none: there is no way here to limit a running process.
func fullDisks(*testing.T) map[string]fullStore { return map[string]fullStore{} }
