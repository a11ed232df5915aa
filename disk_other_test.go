//go:build !linux

package main

import "testing"

// fullDisks are none: there is no way here to limit a running process.
func fullDisks(*testing.T) map[string]fullStore { return map[string]fullStore{} }
